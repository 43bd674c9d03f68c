#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests what records of open connections say of their sockets: queues, compared with ss and with what the applications
sent and read; since when a socket is in its state; and the name of its namespace."""
import glob
import re
import shutil
import subprocess
import sys

from bench import check, main_of_checks
from harness import Skip, read_clock
from netns import enter
from listing import list_in, tuple_of
from places import elsewhere, incoming, incoming_ipv6, outgoing
from peer import now
from records import TOLERANCE_NS
from traffic import NOBODY, Span, settle, swallow

SS_VALUES = "pmtu", "cwnd", "notsent", "lastsnd", "lastrcv"
UNREAD, FILLING, LOST = 5000, 30_000_000, 3000
TICK_NS = 10_000_000  # the longest that Linux has
PATIENCE_SECONDS = 0.3
DELAYED_ACK_NS = 250_000_000  # 40 ms, and what a busy machine adds; the states are held for longer
UNANSWERED_SECONDS = 10


def key_of(endpoint):
    return (endpoint.peer.namespace.inode, *endpoint.local, *endpoint.remote)


def by_socket(own):
    return {(record["netns"], *tuple_of(record)): record for record in own}


def lose_answers(world):
    """Loses all that the client's side sends from now on. Its attempts go on for longer than this test."""
    world.place.client.namespace.sysctl({"net.ipv4.tcp_syn_retries": 6})
    for address in world.place.server.address, world.address(NOBODY):
        swallow(world.place.client, address)


def payload_queues(record):
    return record["recv_queue_bytes"], record["send_queue_bytes"], record["unacked_bytes"]


def expect(found, endpoint, name, **wanted):
    """Returns the problems of an endpoint's record; a value of None must be absent."""
    record = found.get(key_of(endpoint))
    if record is None:
        return ["%s: no record of %s" % (name, endpoint.local)]
    return ["%s: %s is %r, should be %r" % (name, key, record.get(key), value)
            for key, value in wanted.items() if record.get(key) != value]


def fill(sender):
    """Sends more than both buffers take, without waiting for the end."""
    sender.peer.begin("send", handle=sender.handle, count=FILLING)


def ss_in(namespaces):
    """Returns what ss prints, by socket: its two lines as one, and the times before and after it ran."""
    if not shutil.which("ss"):
        raise Skip("ss is not installed (iproute2)")
    found = {}
    for namespace in namespaces:
        before = now()
        done = subprocess.run(["ss", "-tnoipH"], preexec_fn=lambda: enter(namespace.name), capture_output=True,
                              text=True, check=True)
        for line in re.sub(r"\n[ \t]+", " ", done.stdout).splitlines():
            words = line.split()
            ends = [word.rsplit(":", 1) for word in words[3:5]]
            key = (namespace.inode, *(part for address, port in ends for part in (address.strip("[]"), int(port))))
            values = dict(re.findall(r"(\w+):(\d+)", line))
            found[key] = {"state": words[0], "recv": int(words[1]), "send": int(words[2]), "before": before,
                          "after": now(), **{name: int(values[name]) for name in SS_VALUES if name in values}}
    return found


# ss counts 1 for a FIN that the application has not read, and 1 for a SYN or FIN that is not acknowledged.
FIN_UNREAD, ONE_UNACKED = {"CLOSE-WAIT"}, {"SYN-SENT", "FIN-WAIT-1"}


def compare_with_ss(record, seen, clock):
    recv, unsent, unacked = payload_queues(record)
    problems = []
    if not 0 <= seen["recv"] - recv <= (seen["state"] in FIN_UNREAD):
        problems.append("Recv-Q %d" % seen["recv"])
    if seen["send"] != unsent + unacked + (seen["state"] in ONE_UNACKED):
        problems.append("Send-Q %d" % seen["send"])
    if "pmtu" not in seen:  # a kernel without the module tcp_diag: ss has only what /proc/net/tcp has
        return problems
    if seen.get("notsent", 0) != unsent:
        problems.append("notsent %d" % seen.get("notsent", 0))
    waits = unacked or seen["state"] in ONE_UNACKED  # a timer may have sent it again since
    if not waits and seen["cwnd"] != record["cwnd"]:
        problems.append("cwnd %d" % seen["cwnd"])
    return problems + compare_times(record, seen, clock, waits)


def compare_times(record, seen, clock, waits):
    problems, moment = [], clock.boottime(record["time"])
    for key, name in (("last_sent_ns", "lastsnd"), ("last_received_ns", "lastrcv")):
        ago = seen.get(name, 0) * 1_000_000
        least, most = seen["before"] - moment - TICK_NS, seen["after"] - moment + TICK_NS
        if key in record and not waits and not least <= ago - record[key] <= most:
            problems.append("%s %d ns, between %d and %d after" % (name, ago, least, most))
    return problems


@check("list shows the queues of each socket, as ss does and the applications know them")
def queues(bench):
    clock = read_clock()
    found, problems, everyone = {}, [], []
    for build in (outgoing, incoming_ipv6):
        world = bench.world(build, build.__name__)
        quiet, unread, filled, half, asked = world.pairs(5)
        lossy = world.pairs(1)[0]
        everyone += [quiet, unread, filled, half, asked, lossy]
        unread[0].send(UNREAD)
        half[0].send(UNREAD)
        half[0].shutdown()
        asked[0].send(100)
        asked[1].receive(100)
        asked[1].send(200)
        asked[0].receive(200)
        asked[0].shutdown()
        asked[1].receive_eof()
        fill(filled[0])
        settle(PATIENCE_SECONDS)
        lose_answers(world)
        lossy[0].send(LOST)
        attempt = world.attempt(world.client(), world.address(NOBODY), 9, blocking=False)
        found = by_socket([record for record in list_in(bench)[1] if world.place.subnet.owns(record["src_ip"])])
        shown = ss_in({endpoint.peer.namespace for pair in everyone for endpoint in pair})
        nothing = {"recv_queue_bytes": 0, "send_queue_bytes": 0, "unacked_bytes": 0}
        problems += expect(found, quiet[0], "quiet", **nothing, last_sent_ns=None, last_received_ns=None)
        problems += expect(found, quiet[1], "quiet", **nothing, last_sent_ns=None, last_received_ns=None)
        problems += expect(found, unread[0], "sent", **nothing, last_received_ns=None)
        problems += expect(found, unread[1], "unread", **{**nothing, "recv_queue_bytes": UNREAD}, last_sent_ns=None)
        problems += expect(found, half[1], "unread, and a FIN", **{**nothing, "recv_queue_bytes": UNREAD})
        problems += expect(found, asked[1], "read, with the FIN", **nothing, state="close_wait")
        problems += expect(found, lossy[0], "lost", **{**nothing, "unacked_bytes": LOST}, last_received_ns=None)
        problems += expect(found, attempt, "attempt", **nothing, state="syn_sent")
        sender, reader = (found[key_of(endpoint)] for endpoint in filled)
        problems += ["filled: %s, %s" % (payload_queues(sender), payload_queues(reader))] * \
            (not reader["recv_queue_bytes"] or not sender["send_queue_bytes"] or sender["unacked_bytes"] != 0)
        for key, record in found.items():
            differences = compare_with_ss(record, shown[key], clock) if key in shown else ["nothing"]
            problems += ["%s: ss says %s" % (record, difference) for difference in differences]
        filled[0].peer.kill()
    return problems


def age_problems(record, since, clock, name):
    """`since`: when the application made the change, before and after its call."""
    if record is None or "state_age_ns" not in record:
        return ["%s: no age of the state: %r" % (name, record)]
    begun = clock.boottime(record["time"]) - record["state_age_ns"]
    if since.before - TOLERANCE_NS <= begun <= since.after + TOLERANCE_NS:
        return []
    return ["%s: in %s since %d, should be %d to %d" % (name, record["state"], begun, since.before, since.after)]


@check("the age of each state, in list and in the tracker's own records")
def state_ages(bench):
    clock = read_clock()
    world = bench.world()
    before = world.pairs(1)[0]
    unknown = by_socket(bench.own(list_in(bench)[1])) if not other_tracker() else {}
    tracker = bench.tracker("--events", "open,update,exit", "--interval", "1")
    (idle, half), lossy = world.pairs(2), world.pairs(1)[0]
    settle(PATIENCE_SECONDS)
    half[0].shutdown()
    half[1].receive_eof()
    lose_answers(world)
    lossy[0].shutdown()
    attempt = world.attempt(world.client(), world.address(NOBODY), 9, blocking=False)
    settle(PATIENCE_SECONDS)
    acknowledged = Span(half[0].fin_at.before, half[0].fin_at.after + DELAYED_ACK_NS)
    expected = [("idle client", idle[0], "established", idle[0].connect_at),
                ("fin_wait2", half[0], "fin_wait2", acknowledged),
                ("close_wait", half[1], "close_wait", half[0].fin_at),
                ("fin_wait1", lossy[0], "fin_wait1", lossy[0].fin_at),
                ("attempt", attempt, "syn_sent", attempt.connect_at)]
    listed = by_socket(bench.own(list_in(bench)[1]))
    tracker.wait(lambda got: any(record["event"] == "update" and record.get("state") == "fin_wait1" for record in got),
                 UNANSWERED_SECONDS)
    tracker.stop()
    own = bench.own(tracker.records)
    problems = ["%s: the age is known" % record for record in unknown.values() if "state_age_ns" in record]
    for event, found in [("listed", listed)] + [
            (event, by_socket([record for record in own if record["event"] == event])) for event in ("update", "exit")]:
        for name, endpoint, state, since in expected:
            name = "%s, %s" % (name, event)
            problems += expect(found, endpoint, name, state=state)
            problems += age_problems(found.get(key_of(endpoint)), since, clock, name)
        for endpoint in before:
            problems += expect(found, endpoint, "before the tracker, " + event, state="established", state_age_ns=None)
    opened = [record for record in own if record["event"] == "open"]
    problems += ["opened: %r" % record for record in opened
                 if record.get("state_age_ns") != 0 or "recv_queue_bytes" in record]
    return problems + ["%d open records" % len(opened)] * (len(opened) != 6)


def other_tracker():
    """Returns whether another tracker runs on this machine, whose table list would read."""
    for path in glob.glob("/proc/[0-9]*/comm"):
        try:
            with open(path) as file:
                if file.read() == "netracker\n":
                    return True
        except OSError:
            pass  # the process has ended
    return False


@check("the name of the namespace, also of one that came later")
def namespace_names(bench):
    tracker = bench.tracker("--events", "update,close", "--interval", "1")
    worlds = [bench.world(build, build.__name__) for build in (outgoing, incoming, elsewhere)]
    pairs = [pair for world in worlds for pair in world.pairs(1)]
    listed = by_socket(bench.own(list_in(bench)[1]))
    for client, server in pairs:
        client.close()
        server.receive_eof()
        server.close()
    refused = worlds[0].attempt(worlds[0].client(), worlds[0].place.server.address, 9, blocking=True)
    tracker.wait(lambda got: len([record for record in bench.own(got) if record["event"] == "close"]) >= 7, 10)
    tracker.stop()
    names = {namespace.inode: namespace.name for world in worlds
             for namespace in (world.place.client.namespace, world.place.server.namespace)}
    own = bench.own(tracker.records)
    problems = ["%s: name %r" % (record, record.get("netns_name"))
                for record in [*listed.values(), *own] if record.get("netns_name") != names.get(record["netns"])]
    closed = by_socket([record for record in own if record["event"] == "close"])
    for endpoint in [refused, *(endpoint for pair in pairs for endpoint in pair)]:
        problems += expect(closed, endpoint, "closed", netns_name=endpoint.peer.namespace.name)
    return problems


if __name__ == "__main__":
    sys.exit(main_of_checks())
