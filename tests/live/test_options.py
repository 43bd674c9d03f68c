#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every option on live traffic: several trackers, each with another option, follow the same connections.

The test derives the records that an option selects from the expected records, never from the tracker's.
"""
import errno
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time

import records
from account import account, balances
from attached import attached
from bench import check, main_of_checks
from harness import COUNT, read_clock, undated
from peer import now
from places import SOCKET, incoming, loopback, outgoing, outgoing_ipv6
from rawhost import RawHost
from sniffer import ACK, RST, SYN
from tracker import PROGRAM, record_of
from traffic import Span, at, exchange, exchange_all, require, settle

EACH = 5
ROTATIONS = 20
LONG_SECONDS = 0.6
# Every tracker follows the whole machine; a run at the same time has other ports.
FIRST_PORT = 20000 + os.getpid() % 2000 * 5
PORTS = {name: FIRST_PORT + number for number, name in enumerate(("plain", "long", "reset", "other"))}
RAW_HOST = 77
RAW_PORT = 45000
RECORD_SECONDS = 4
READY_SECONDS = 90
UNTIL_WRITTEN = 0.5
MESSAGE_SECONDS = 20
USER = 12345
HOSTILE_NAME = 'a"b\\\n\x1b[31m|,'


class Menu:
    """Connections that differ in family, owner, port, outcome, duration, role and interface."""

    def __init__(self, bench):
        self.bench = bench
        self.outgoing = bench.world(outgoing, "outgoing")
        self.incoming = bench.world(incoming, "incoming")
        self.six = bench.world(outgoing_ipv6, "ipv6")
        self.local = bench.world(loopback, "loopback")
        self.worlds = (self.outgoing, self.incoming, self.six, self.local)
        self.peers = {world: (world.client("nt-c-" + world.name, USER if world is self.six else None),
                              world.server("nt-s-" + world.name)) for world in self.worlds}
        self.raw = RawHost(self.incoming.client("nt-raw"), self.incoming.place.client, self.incoming.place.server,
                           self.incoming.address(RAW_HOST))

    def pairs(self, world, port):
        client, server = self.peers[world]
        listener = world.listen(server, port=PORTS[port])
        return [world.pair(client, listener) for _ in range(EACH)]

    def serve(self):
        """Makes all traffic. Returns the expected records."""
        long = [(world, self.pairs(world, "long")) for world in self.worlds]
        for _, pairs in long:
            exchange_all(pairs)
        for world in self.worlds:
            self.serve_short(world)
        self.reset(self.outgoing)
        self.refuse(self.incoming)
        self.scan()
        settle(LONG_SECONDS)
        self.close(long)
        return [expected for world in self.worlds for expected in world.expectations]

    def serve_short(self, world):
        """Makes connections one after the other, so that each is short."""
        client, server = self.peers[world]
        listener = world.listen(server, port=PORTS["plain"])
        for _ in range(EACH):
            pair = world.pair(client, listener)
            exchange_all([pair])
            self.close([(world, [pair])])

    @staticmethod
    def close(served):
        for world, pairs in served:
            for client, server in pairs:
                client.close()
                server.receive_eof()
                server.close()
                world.expect(client, server, "closed", by=client)

    def reset(self, world):
        for client, server in self.pairs(world, "reset"):
            client.abort()
            server.receive_error(errno.ECONNRESET)
            server.close_quietly()
            world.expect(client, server, "reset", by=client)

    def refuse(self, world):
        for _ in range(EACH):
            end = world.attempt(self.peers[world][0], world.place.server.address, PORTS["other"])
            require(end.errno == errno.ECONNREFUSED, "connect: %d" % end.errno)
            end.close_quietly()
            world.expect_attempt(end, "refused", "dst", close=end.connect_at)

    def scan(self):
        """Sends SYNs from a host without sockets: their records have the role observer."""
        target = (self.incoming.place.server.address, PORTS["other"])
        for number in range(EACH):
            syn = self.raw.send(RAW_PORT + number, target, SYN, 5000)
            answer = self.raw.expect(RST | ACK, (target[1], RAW_PORT + number))
            self.incoming.observe((self.raw.address, RAW_PORT + number), target, syn, "refused", "dst",
                                  close=at(answer.at))


def local_port(expected):
    return expected["dst"][1] if expected["role"] == "server" else expected["src"][1]


def remote_port(expected):
    return expected["src"][1] if expected["role"] == "server" else expected["dst"][1]


def lasted(expected):
    span = expected.get("close") or expected["first_fin"]
    return span[0] - expected["start"][1]


def comm(expected):
    return expected["owner"] and expected["owner"]["comm"]


def ipv6(expected):
    return ":" in expected["src"][0]


def facts_of(menu):
    """Returns the values that the options and predicates of FILTERS use."""
    six, there = menu.six.place.subnet, menu.outgoing.place.server.namespace
    return dict(PORTS, pid=menu.peers[menu.local][0].pid, user=USER, here=menu.bench.here.name, inode=there.inode,
                six=six.ipv6(0)[:-1], client=menu.incoming.place.client.address,
                loopback=menu.local.place.client.address)


def in_networks(expected, facts):
    return any(address in (facts["client"], facts["loopback"]) or address.startswith(facts["six"])
               for address, _ in (expected["src"], expected["dst"]))


# Name, arguments (with keys of facts_of() in braces), and the predicate of the expected records that it selects.
FILTERS = [
    ("-4", "-4", lambda expected, facts: not ipv6(expected)),
    ("-6", "-6", lambda expected, facts: ipv6(expected)),
    ("-p", "-p {pid}", lambda expected, facts: expected["owner"] and expected["owner"]["pid"] == facts["pid"]),
    ("-c", "-c nt-s-outgoing", lambda expected, facts: comm(expected) == "nt-s-outgoing"),
    ("-L", "-L {long},{plain}", lambda expected, facts: local_port(expected) in (PORTS["plain"], PORTS["long"])),
    ("-L, an observer's source port", "-L 45001", lambda expected, facts: local_port(expected) == 45001),
    ("-D", "-D {reset},{other}", lambda expected, facts: remote_port(expected) in (PORTS["reset"], PORTS["other"])),
    ("-u", "-u {user}", lambda expected, facts: expected["owner"] and expected["owner"]["uid"] == USER),
    ("--net", "--net {client},{six}/64 --net {loopback}/32", in_networks),
    ("--netns by inode", "--netns {inode}", lambda expected, facts: expected["netns"] == facts["inode"]),
    ("-x", "-x", lambda expected, facts: expected["outcome"] in ("reset", "refused")),
    ("-x --outcome closed,reset", "-x --outcome closed,reset", lambda expected, facts: expected["outcome"] == "reset"),
    ("--role server", "--role server", lambda expected, facts: expected["role"] == "server"),
    ("--role client,observer", "--role client,observer", lambda expected, facts: expected["role"] != "server"),
    ("--outcome refused", "--outcome refused", lambda expected, facts: expected["outcome"] == "refused"),
    ("--outcome closed,reset", "--outcome closed,reset",
     lambda expected, facts: expected["outcome"] in ("closed", "reset")),
    ("--min-duration 500ms", "--min-duration 500ms", lambda expected, facts: lasted(expected) > 500_000_000),
    ("--min-duration 0.5", "--min-duration 0.5", lambda expected, facts: lasted(expected) > 500_000_000),
    ("two filters together", "-4 --role client --outcome closed",
     lambda expected, facts: not ipv6(expected) and expected["role"] == "client" and expected["outcome"] == "closed"),
    ("no filter", "", lambda expected, facts: True),
    ("-c, two names", "-c nt-s-outgoing -c nt-s-inc*,nobody",
     lambda expected, facts: comm(expected) in ("nt-s-outgoing", "nt-s-incoming")),
    ("port and not", "port {plain} and not role server",
     lambda expected, facts: PORTS["plain"] in (expected["src"][1], expected["dst"][1]) and
     expected["role"] != "server"),
    ("or, in parentheses", "( outcome refused or dport {reset} ) and ip",
     lambda expected, facts: not ipv6(expected) and
     (expected["outcome"] == "refused" or expected["dst"][1] == PORTS["reset"])),
    ("an unknown value", "not comm nt-s-outgoing",
     lambda expected, facts: expected["owner"] and comm(expected) != "nt-s-outgoing"),
    ("whether it is known", "not pid", lambda expected, facts: not expected["owner"]),
    ("a duration", "duration gt 500ms or user {user}",
     lambda expected, facts: lasted(expected) > 500_000_000 or
     (expected["owner"] and expected["owner"]["uid"] == USER)),
    ("--where and words and an option", "--where role=client,server -4 comm matches ^nt-c",
     lambda expected, facts: not ipv6(expected) and (comm(expected) or "").startswith("nt-c")),
]
AT_ONCE = 8


def through(predicate, expectations, facts):
    return [expected for expected in expectations if predicate(expected, facts)]


def watch(bench, arguments):
    """Starts a tracker for each line of arguments, all at once."""
    trackers = [bench.tracker(*line.split(), wait=False) for line in arguments]
    for tracker in trackers:
        tracker.wait_until_ready()
    return trackers


def wait_all(bench, trackers, wanted):
    for tracker, count in zip(trackers, wanted):
        tracker.wait(lambda got, count=count: len(bench.own(got)) >= count, RECORD_SECONDS)


def judge(bench, tracker, expectations, clock):
    """Ends a tracker; checks its records of this check, its exit status and its accounting."""
    status = tracker.stop()
    bench.note_retransmissions()
    problems = records.match(expectations, bench.own(tracker.records), clock)
    if status:
        problems.append("exit status %d: %s" % (status, tracker.stderr()[-200:]))
    if tracker.bad_lines:
        problems.append("no JSON: %r" % tracker.bad_lines[0])
    return problems + account_problems(tracker)


def account_problems(tracker):
    """Checks that the accounting includes filtered records, whether the kernel side or user space filtered them."""
    if not balances(tracker):
        return ["the accounting: %s" % tracker.stderr()[-300:]]
    counts = account(tracker)
    closed = sum(1 for record in tracker.records if record["event"] == "close")
    return [] if counts["written"] == closed <= counts["records"] else ["%d close records: %s" % (closed, counts)]


def filter_problems(bench, filters):
    menu = Menu(bench)
    facts = facts_of(menu)
    trackers = watch(bench, [arguments.format(**facts) for _, arguments, _ in filters])
    clock = read_clock()
    expectations = menu.serve()
    selected = [through(predicate, expectations, facts) for _, _, predicate in filters]
    wait_all(bench, trackers, [len(wanted) for wanted in selected])
    problems = []
    for (name, _, _), tracker, wanted in zip(filters, trackers, selected):
        require(wanted, "%s: selects no record" % name)
        require(name == "no filter" or len(wanted) < len(expectations), "%s: selects all records" % name)
        problems += ["%s: %s" % (name, text) for text in judge(bench, tracker, wanted, clock)]
    return problems


for start in range(0, len(FILTERS), AT_ONCE):
    group = FILTERS[start:start + AT_ONCE]
    check("filters: " + "; ".join(name for name, _, _ in group))(
        lambda bench, group=group: filter_problems(bench, group))


# Without packets the kernel side filters by owner and namespace, too.
SOCKET_FILTERS = [
    ("-p", "-i none -p {pid}", lambda expected, facts: expected["owner"]["pid"] == facts["pid"]),
    ("-c", "-i none -c nt-s-outgoing", lambda expected, facts: comm(expected) == "nt-s-outgoing"),
    ("-u", "-i none -u {user}", lambda expected, facts: expected["owner"]["uid"] == USER),
    ("--netns", "-i none --netns {inode}", lambda expected, facts: expected["netns"] == facts["inode"]),
    ("--netns by name", "--context socket --netns {here} -6", lambda expected, facts:
     expected["netns"] != facts["inode"] and ipv6(expected) and expected["role"] == "client"),
    ("-p -p", "-i none -p {pid} -p 1", lambda expected, facts: expected["owner"]["pid"] == facts["pid"]),
    ("words", "-i none pid {pid} or comm nt-s-outgoing", lambda expected, facts:
     expected["owner"]["pid"] == facts["pid"] or comm(expected) == "nt-s-outgoing"),
    ("-L -D --role", "-i none -D {plain} --role client",
     lambda expected, facts: remote_port(expected) == PORTS["plain"]),
]


@check("filters without packets: " + "; ".join(name for name, _, _ in SOCKET_FILTERS))
def filters_of_sockets(bench):
    menu = Menu(bench)
    facts = facts_of(menu)
    trackers = watch(bench, [arguments.format(**facts) for _, arguments, _ in SOCKET_FILTERS])
    clock = read_clock()
    expectations = with_wire_only_at(menu.serve(), [])
    selected = [through(predicate, expectations, facts) for _, _, predicate in SOCKET_FILTERS]
    wait_all(bench, trackers, [len(wanted) for wanted in selected])
    return ["%s: %s" % (name, text) for (name, _, _), tracker, wanted in zip(SOCKET_FILTERS, trackers, selected)
            for text in judge(bench, tracker, wanted, clock)]


def with_wire_only_at(expectations, subnets):
    """Returns the expected records of a tracker that follows packets on these subnets only."""
    result = []
    for expected in expectations:
        near = any(subnet.owns(expected["src"][0]) or subnet.owns(expected["dst"][0]) for subnet in subnets)
        if near:
            result.append(expected)
        elif expected["role"] != "observer":
            result.append(dict(expected, seen=list(SOCKET)))
    return result


@check("-i NAME, -i twice, -i lo, -i none, --context socket, --context socket,wire")
def interfaces(bench):
    menu = Menu(bench)
    places = {"incoming": menu.incoming.place, "outgoing": menu.outgoing.place, "six": menu.six.place,
              "local": menu.local.place}
    one, two = places["incoming"].server.interface, places["outgoing"].client.interface
    lines = [("-i %s" % one, ["incoming"]), ("-i %s -i %s" % (one, two), ["incoming", "outgoing"]),
             ("-i lo", ["local"]), ("-i none", []), ("--context socket", []), ("--context socket,wire", list(places))]
    trackers = watch(bench, [line for line, _ in lines])
    clock = read_clock()
    expectations = menu.serve()
    selected = [with_wire_only_at(expectations, [places[name].subnet for name in names]) for _, names in lines]
    wait_all(bench, trackers, [len(wanted) for wanted in selected])
    return ["%s: %s" % (line, text) for (line, _), tracker, wanted in zip(lines, trackers, selected)
            for text in judge(bench, tracker, wanted, clock)]


@check("--context wire")
def wire_only(bench):
    """Without sockets each connection on a tracked interface has one record, with the role observer."""
    world = bench.world(outgoing)
    tracker = bench.tracker("--context", "wire")
    clock = read_clock()
    listener, peer = world.listen(world.server()), world.client()
    # One after the other: in a long connection the sequence numbers may have wrapped, so bytes are modulo 4 GiB.
    for number in range(COUNT):
        client, server = world.pair(peer, listener)
        exchange(client, server, 100 + number, 200 + number)
        client.close()
        server.receive_eof()
        server.close()
        world.observe(client.local, client.remote, client.connect_at, "closed", "src", close=server.fin_at,
                      first_fin=client.fin_at, src_bytes=client.sent, dst_bytes=server.sent, conn_state=["SF"])
    tracker.wait(lambda got: len(bench.own(got)) >= COUNT, RECORD_SECONDS)
    return judge(bench, tracker, world.expectations, clock)


@check("--events open,close and exit: all records of an endpoint have one id")
def events(bench):
    world = bench.world(outgoing)
    trackers = watch(bench, ["--events open,close,exit", "--events exit", "--events open"])
    pairs = world.pairs(COUNT)
    exchange_all(pairs)
    settle(0.3)
    for client, server in pairs[:COUNT // 2]:
        client.close()
        server.receive_eof()
        server.close()
    trackers[0].wait(lambda got: len(bench.own(got)) >= 3 * COUNT, RECORD_SECONDS)
    stopped_at = now()
    trackers[0].stop()
    ended = Span(stopped_at, now())
    for tracker in trackers[1:]:
        tracker.stop()
    by_event = [count_events(bench.own(tracker.records)) for tracker in trackers]
    wanted = [{"open": 2 * COUNT, "close": COUNT, "exit": COUNT}, {"exit": COUNT}, {"open": 2 * COUNT}]
    problems = ["%s, should be %s" % (got, should) for got, should in zip(by_event, wanted) if got != should]
    return problems + life_problems(bench.own(trackers[0].records), pairs, ended)


def count_events(found):
    counts = {}
    for record in found:
        counts[record["event"]] = counts.get(record["event"], 0) + 1
    return counts


def life_problems(found, pairs, ended):
    """Expects open, then close or exit, with the same id, start and owner. An exit's duration lasts to the end."""
    problems = []
    connected = {end.local[1]: end.connect_at for end, _ in pairs}
    lives = records.group(found, lambda record: record["id"])
    for record in found:
        problems += records.form_problems(record)
        if record["event"] != "close" and record["state"] != "established":
            problems.append("%s record in state %s" % (record["event"], record["state"]))
        begun = connected[record["src_port"]]
        least, most = ended.before - begun.after, ended.after - begun.before
        if record["event"] == "exit" and not least <= record["duration_ns"] <= most:
            problems.append("an exit record's duration is %d ns" % record["duration_ns"])
    for life in lives.values():
        if [record["event"] for record in life] not in (["open", "close"], ["open", "exit"]):
            problems.append("one id's events are %s" % [record["event"] for record in life])
        if len({(record.get("start"), record.get("pid"), record["role"]) for record in life}) != 1:
            problems.append("start, pid or role changed: %s" % life)
    return problems


@check("-n ends the run after so many records")
def count_limit(bench):
    world = bench.world(outgoing)
    tracker = bench.tracker("-n", "7", "-L", str(PORTS["plain"]))
    listener = world.listen(world.server(), port=PORTS["plain"])
    client = world.client()
    for _ in range(COUNT):
        one, other = world.pair(client, listener)
        one.close()
        other.close()
    status = tracker.collect()
    count = len(tracker.records)
    return [] if status == 0 and count == 7 else ["status %d, %d records" % (status, count)]


@check("-t ends the run after so many seconds")
def time_limit(bench):
    begun = time.monotonic()
    status = bench.tracker("-t", "3").collect()
    seconds = time.monotonic() - begun
    return [] if status == 0 and seconds >= 3 else ["status %d after %.1f s" % (status, seconds)]


def run_to_end(*arguments):
    """Runs the program until it ends by itself. Returns its exit status, output and messages."""
    done = subprocess.run([PROGRAM, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=20, text=True)
    return done.returncode, done.stdout, done.stderr


def close_some(world):
    """Makes and closes a few connections. Returns their (client's address, server's address)."""
    pairs = world.pairs_at(PORTS["plain"], EACH)
    for client, server in pairs:
        client.close()
        server.receive_eof()
        server.close()
    return [(client.local, client.remote) for client, server in pairs]


def wait_until_attached(bench):
    """Waits for a tracker that prints no message when it is ready: interfaces are the last that it attaches to."""
    deadline = time.monotonic() + READY_SECONDS
    while not attached(bench.here):
        require(time.monotonic() < deadline, "nothing is attached")
        settle()


def watch_some(bench, worlds, *arguments, **options):
    """Runs a tracker that writes the servers' records of a few connections. Returns addresses, status and tracker."""
    tracker = bench.tracker("-L", str(PORTS["plain"]), *arguments, **options)
    if not options.get("verbose", True):
        wait_until_attached(bench)
    addresses = [address for world in worlds for address in close_some(world)]
    settle(UNTIL_WRITTEN)
    return addresses, tracker.stop(), tracker


@check("-o appends")
def append(bench):
    path = os.path.join(bench.directory, "appended")
    with open(path, "w") as file:
        file.write('{"before":1}\n')
    _, status, _ = watch_some(bench, [bench.world(outgoing)], "-o", path)
    with open(path) as file:
        lines = file.readlines()
    records_after = [record_of(line) for line in lines[1:]]
    good = status == 0 and len(records_after) == EACH and lines[0] == '{"before":1}\n'
    return [] if good else ["status %d, %d lines" % (status, len(lines))]


def wait_for_message(tracker, text):
    deadline = time.monotonic() + MESSAGE_SECONDS
    while text not in tracker.stderr():
        require(time.monotonic() < deadline, "no message has %r" % text)
        settle()


@check("SIGHUP and -o: the file is reopened, no record is lost or incomplete")
def rotation(bench):
    """Renames the file often while connections end, once with its folder. Expects one record for each, in any file."""
    folder = os.path.join(bench.directory, "rotated")
    path = os.path.join(folder, "log")
    os.mkdir(folder)
    world = bench.world(outgoing)
    listener, peer = world.listen(world.server(), port=PORTS["plain"]), world.client()
    tracker = bench.tracker("-L", str(PORTS["plain"]), "-o", path)
    opened = []

    def close_more():
        for _ in range(EACH):
            client, server = world.pair(peer, listener)
            client.close()
            server.receive_eof()
            server.close()
            opened.append(client.local[1])

    for number in range(ROTATIONS):
        close_more()
        os.rename(path, "%s.%d" % (path, number))
        if number == ROTATIONS // 2:
            os.rename(folder, folder + ".gone")
        tracker.process.send_signal(signal.SIGHUP)
        if number == ROTATIONS // 2:
            wait_for_message(tracker, "cannot open again")
            os.rename(folder + ".gone", folder)
            tracker.process.send_signal(signal.SIGHUP)
        for _ in range(1000):
            if not os.path.exists(path):
                settle(0.01)
    close_more()
    settle(UNTIL_WRITTEN)
    status = tracker.stop()
    ports, files = [], [os.path.join(folder, name) for name in os.listdir(folder)]
    for name in files:
        with open(name) as file:
            ports += [record_of(line)["src_port"] for line in file]
    problems = [] if status == 0 and len(files) == ROTATIONS + 1 else ["status %d, files %s" % (status, files)]
    if sorted(ports) != sorted(opened):
        problems.append("%d records of %d connections" % (len(ports), len(opened)))
    messages = [line for line in tracker.stderr().splitlines() if "cannot open again" in line]
    return problems + ([] if len(messages) == 1 else ["messages: %r" % messages])


@check("SIGHUP without -o ends it as SIGTERM does")
def hangup(bench):
    path = os.path.join(bench.directory, "hung-up")
    with open(path, "wb") as file:
        tracker = bench.tracker("-L", str(PORTS["plain"]), stdout=file)
        close_some(bench.world(outgoing))
        settle(UNTIL_WRITTEN)
        status = tracker.stop(signal.SIGHUP)
    with open(path) as file:
        count = sum(1 for _ in file)
    good = status == 0 and count == EACH and balances(tracker)
    return [] if good else ["status %d, %d lines, %s" % (status, count, tracker.stderr())]


@check("--summary: the tables by process, by service and by peer agree with the records")
def summary(bench):
    tables, records = (os.path.join(bench.directory, name) for name in ("tables", "tabulated"))
    with open(tables, "wb") as file:
        _, status, tracker = watch_some(bench, [bench.world(outgoing)], "--summary", "-o", records, stdout=file)
    with open(records) as file:
        written = [record_of(line) for line in file]
    with open(tables) as file:
        lines = file.read().splitlines()
    wanted = ["%d connections: %d closed" % (EACH, EACH)]
    for heading, key in (("PROCESS", "comm"), ("SERVICE", "dst_ip"), ("PEER", "src_ip")):
        names = {record[key] if heading != "SERVICE" else "%(dst_ip)s:%(dst_port)d" % record for record in written}
        rows = lines[[line.split()[:1] == [heading] for line in lines].index(True) + 1:][:len(names)]
        found = {row.split()[0] for row in rows}
        counts = [int(row.split()[-6]) for row in rows]
        if found != names or sum(counts) != EACH:
            return ["%s: %r, records have %r" % (heading, rows, names)]
    totals = [line for line in lines if line.startswith("%d connections" % EACH)]
    if status or len(written) != EACH or totals != wanted or not balances(tracker):
        return ["status %d, %d records, %r, %s" % (status, len(written), lines[:4], tracker.stderr())]
    return []


@check("-f json on standard output; -q prints no message")
def standard_output(bench):
    path = os.path.join(bench.directory, "stdout")
    with open(path, "wb") as file:
        _, status, tracker = watch_some(bench, [bench.world(outgoing)], "-q", stdout=file, verbose=False)
    with open(path) as file:
        count = sum(1 for line in file if record_of(line)["event"] == "close")
    problems = [] if count == EACH and status == 0 else ["status %d, %d lines" % (status, count)]
    return problems + (["-q, but: %s" % tracker.stderr()] if tracker.stderr() else [])


@check("text: one line a record, the same columns, complete IPv6 addresses, no escape sequences")
def text_to_file(bench):
    path = os.path.join(bench.directory, "text")
    with open(path, "wb") as file:
        worlds = [bench.world(outgoing), bench.world(outgoing_ipv6)]
        addresses = watch_some(bench, worlds, format="text", stdout=file)[0]
    with open(path) as file:
        return text_problems(file.read(), addresses)


def text_problems(text, addresses):
    header, *lines = undated(text).splitlines()
    problems = [] if len(lines) == len(addresses) else ["%d lines for %d records" % (len(lines), len(addresses))]
    if re.search(r"[^\n\x20-\x7e]", text):
        problems.append("bytes that are not printable ASCII")
    if "SRC" not in header or "DST" not in header:
        problems.append("header: %r" % header)
    fields = {len(line.split()) for line in lines}
    if len(fields) > 1:
        problems.append("lines have %s fields" % sorted(fields))
    for local, remote in addresses:
        if not any(local[0] in line and remote[0] in line and str(local[1]) in line for line in lines):
            problems.append("no line has %s port %d" % tuple(local))
    return problems


def on_terminal(bench, columns, environment):
    """Returns the text that a tracker prints on a terminal of `columns` columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    watch_some(bench, [bench.world(outgoing)], format="text", stdout=slave,
               environment=dict(os.environ, TERM="xterm-256color", **environment))
    os.close(slave)
    return read_all(master).decode(errors="replace").replace("\r", "")


def read_all(master):
    """Returns the output on a terminal so far. It has no end: the peers, forked from here, keep the terminal open."""
    os.set_blocking(master, False)
    output = b""
    while True:
        try:
            output += os.read(master, 65536)
        except OSError:
            os.close(master)
            return output


COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@check("text on a terminal: no line is wider, colour unless NO_COLOR")
def text_on_terminal(bench):
    problems = []
    headers = {}
    for columns, environment in ((132, {}), (100, {}), (132, {"NO_COLOR": "1"})):
        text = on_terminal(bench, columns, environment)
        plain = undated(COLOUR.sub("", text)).splitlines()
        widest = max(map(len, plain), default=0)
        headers[columns] = plain[0] if plain else ""
        if len(plain) != 1 + EACH or widest > columns:
            problems.append("%d columns: %d lines, the widest %d" % (columns, len(plain), widest))
        if bool(COLOUR.search(text)) == ("NO_COLOR" in environment):
            problems.append("colour: %s with %s" % (bool(COLOUR.search(text)), environment))
        if "\x1b" in COLOUR.sub("", text):
            problems.append("an escape sequence other than for colour")
    if len(headers[100].split()) >= len(headers[132].split()):
        problems.append("no column is left out at 100: %r" % headers[100])
    return problems


@check("hostile process names stay inside their value")
def hostile_names(bench):
    """JSON has the name or an escaped form of it; text remains one line of printable ASCII."""
    world = bench.world(outgoing)
    path = os.path.join(bench.directory, "hostile")
    with open(path, "wb") as file:
        trackers = [bench.tracker("-D", str(PORTS["plain"])),
                    bench.tracker("-D", str(PORTS["plain"]), format="text", stdout=file)]
        listener, client = world.listen(world.server(), port=PORTS["plain"]), world.client(HOSTILE_NAME)
        for _ in range(EACH):
            one, other = world.pair(client, listener)
            one.close()
            other.close()
        settle(UNTIL_WRITTEN)
        for tracker in trackers:
            tracker.stop()
    with open(path) as file:
        lines = undated(file.read()).splitlines()
    own = bench.own(trackers[0].records)
    problems = [] if len(lines) == 1 + EACH and all(line.isprintable() and line.isascii() for line in lines) else \
        ["text lines: %r" % lines]
    if len(own) != EACH or trackers[0].bad_lines or not all(record["comm"].startswith('a"b') for record in own):
        problems.append("JSON: %d records, bad lines %r" % (len(own), trackers[0].bad_lines[:1]))
    return problems


@check("--help has examples, --version has a number")
def help_and_version(bench):
    problems = []
    expected = {"--help": r"(?s)usage.*--min-duration.*Examples:", "--version": r"netracker \d+\.\d+"}
    for argument, expression in expected.items():
        status, output, messages = run_to_end(argument)
        if status or messages or not re.search(expression, output):
            problems.append("%s: status %d, %r" % (argument, status, (output + messages)[:100]))
    return problems


@check("two trackers at once")
def two_at_once(bench):
    """Both track all connections; when one ends, the other continues."""
    world = bench.world(outgoing)
    trackers = watch(bench, ["", "-4"])
    client, listener = world.client(), world.listen(world.server())
    clock = read_clock()
    problems = []
    for number in range(COUNT):
        one, other = world.pair(client, listener)
        one.close()
        other.receive_eof()
        other.close()
        world.expect(one, other, "closed", by=one)
        if number == COUNT // 2 - 1:
            trackers[0].wait(lambda got: len(bench.own(got)) >= COUNT, RECORD_SECONDS)
            problems += judge(bench, trackers[0], list(world.expectations), clock)
    trackers[1].wait(lambda got: len(bench.own(got)) >= 2 * COUNT, RECORD_SECONDS)
    return problems + judge(bench, trackers[1], world.expectations, clock)


if __name__ == "__main__":
    sys.exit(main_of_checks())
