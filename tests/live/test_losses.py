#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Causes what happens by chance once in a million connections: ends that the kernel shows to no program of the tracker,
tables that the kernel has no memory for, a full ring buffer. The result is a record with a gap, or a loss by its cause.
"""
import collections
import os
import re
import signal
import struct
import sys
import time

from account import account, announcement_problems, balance_problems
from bench import check, main_of_checks
from cgroups import hierarchies
from harness import Skip
from kernel_maps import map_of
from places import elsewhere, loopback
from shares import drift_problems
from traffic import NOBODY, require, settle, swallow

COUNT = 30
HALF_CLOSED, ABORTED = 1, 2  # a connection's number modulo 3
ROUNDS = 20
MORE_CONNECTS = 2000
RECORD_SECONDS = 5
SOCKET = struct.Struct("=QQ32x32x4xI")  # cookie, start and network namespace in struct nt_socket
GROUP = b"/nt-losses"
CONNECTION_BYTES = 1024  # the ring buffer holds no more connections than one for each: four events of 256 bytes
RECOVERY_SECONDS, REST_SECONDS = 1, 20
PATIENT = {"net.ipv4.tcp_syn_retries": 6}  # attempts do not end while a check runs


class Unseen:
    """Makes the tracker's programs ignore all events, as when it ends: struct nt_shared begins with `ended`."""

    def __init__(self, tracker):
        self.map = map_of(tracker.process.pid, ".bss")
        self.memory = self.map.memory()

    def __enter__(self):
        self.memory[0:4] = struct.pack("=I", 1)

    def __exit__(self, *_):
        self.memory[0:4] = struct.pack("=I", 0)
        self.memory.close()
        self.map.close()


def lives(bench, sockets):
    """Returns {address of a struct sock: values unique to its connection} of sockets in the test's namespaces."""
    found = {address: SOCKET.unpack_from(value) for address, value in sockets.entries().items()}
    return {address: life for address, life in found.items() if life[-1] in bench.net.inodes()}


def replaced(sockets, before):
    """Returns the addresses that now belong to another connection, in any namespace."""
    now = sockets.entries()
    return [address for address, life in before.items()
            if address in now and SOCKET.unpack_from(now[address]) != life]


def end_unseen(tracker, pairs, half_closed_are_gone):
    """Ends all pairs unseen. A third are half-closed before: those clients' sockets have ended by then."""
    for number, (client, server) in enumerate(pairs):
        if number % 3 == HALF_CLOSED:
            client.close()
            server.receive_eof()
    deadline = time.monotonic() + REST_SECONDS
    while not half_closed_are_gone():
        require(time.monotonic() < deadline, "half-closed sockets are left")
        settle()
    with Unseen(tracker):
        for number, (client, server) in enumerate(pairs):
            if number % 3 == ABORTED:
                client.abort()
                server.close_quietly()
                continue
            if number % 3 != HALF_CLOSED:
                client.close()
                server.receive_eof()
            server.close()
        settle(0.2)


def reuse_addresses(sockets, before, world, client, server):
    """Opens connections until they have the addresses of earlier ones. Returns for how many: at least one.

    A CPU takes memory from slabs of its own first, so the peers run on each CPU in turn.
    """
    cpus, held = sorted(os.sched_getaffinity(0)), []
    while len(held) < ROUNDS:
        for peer in (client, server):
            os.sched_setaffinity(peer.pid, {cpus[len(held) % len(cpus)]})
        held.append(world.pairs(COUNT, client, server))
        count = len(replaced(sockets, before))
        if count >= COUNT:
            break
    sockets.close()
    require(count, "%d new connections have no address of an earlier one" % (len(held) * COUNT))
    return count


def judge_replaced(bench, tracker, expected, ports):
    """Expects a record for each, with the gap and without unknown values."""
    tracker.wait(lambda got: sum("events" in record["gaps"] for record in bench.own(got)) >= expected, RECORD_SECONDS)
    found = [record for record in bench.own(tracker.records) if "events" in record["gaps"]]
    problems = ["%d records with the gap, should be %d" % (len(found), expected)] * (len(found) != expected)
    problems += ["two records have the same id"] * (len({record["id"] for record in found}) != len(found))
    for record in found:
        aborted = ports[record["src_port"]] % 3 == ABORTED
        if record["outcome"] != ("reset" if aborted else "closed"):
            problems.append("wrong outcome: %s" % record)
        # an error has a time, an unseen close has none
        if "src_bytes" in record or ("duration_ns" in record and not aborted) or "start" not in record:
            problems.append("a value is invented or missing: %s" % record)
    return problems


@check("the end and the destruction of a socket are missed: a record with the gap, once its address is reused")
def ends_unseen(bench):
    """On some kernels no program runs for softirqs that interrupt certain tasks (a virtual machine's agent)."""
    world = bench.world(elsewhere)
    tracker = bench.tracker()
    client, server = world.client(), world.server()
    pairs = world.pairs(COUNT, client, server)
    ports = {pair[0].local[1]: number for number, pair in enumerate(pairs)}
    sockets = map_of(tracker.process.pid, "sockets")
    end_unseen(tracker, pairs, lambda: len(lives(bench, sockets)) == 2 * COUNT - COUNT // 3)
    before = lives(bench, sockets)
    require(len(before) == 2 * COUNT - COUNT // 3, "%d sockets are known" % len(before))
    count = reuse_addresses(sockets, before, world, client, server)
    problems = judge_replaced(bench, tracker, count, ports)
    problems += drift_problems(tracker)
    status = tracker.stop()
    counts = account(tracker)
    problems += balance_problems(counts) + ["exit status %d" % status] * bool(status)
    written = len(bench.own(tracker.records))
    if counts["lost"] or written != count + COUNT // 3:
        problems.append("%d of %d written: %s" % (written, count + COUNT // 3, tracker.stderr()[-300:]))
    if "sockets whose close was missed, last seen in established" not in tracker.stderr():
        problems.append("the states are not given: %s" % tracker.stderr()[-300:])
    return problems


@check("the same in SYN_SENT, before the addresses are known: lost, by its cause")
def attempts_unseen(bench):
    world = bench.world(elsewhere)
    nobody = world.address(NOBODY)
    swallow(world.place.client, nobody)
    world.place.client.namespace.sysctl(PATIENT)
    client, server, trying = world.client(), world.server(), world.client("nt-trying")
    tracker = bench.tracker()
    trying.do("connect_many", family=world.place.family, address=nobody, port=4000, count=COUNT, seconds=0)
    sockets = map_of(tracker.process.pid, "sockets")
    before = lives(bench, sockets)
    require(len(before) == COUNT, "%d sockets are known" % len(before))
    with Unseen(tracker):
        trying.stop()
        settle(0.2)
    count = reuse_addresses(sockets, before, world, client, server)
    problems = drift_problems(tracker)
    status = tracker.stop()
    counts = account(tracker)
    problems += balance_problems(counts) + announcement_problems(tracker, status, "evicted", count)
    if ", %d lost (%d evicted)" % (count, count) not in tracker.stderr():
        problems.append("%d should be lost: %s" % (count, tracker.stderr()[-300:]))
    return problems


class MemoryGroup:
    """A memory cgroup for the tracker's tables. No process is in it when it gets its limit."""

    def __init__(self):
        found = hierarchies()
        self.hierarchy = found.get("memory", found.get(""))
        if not self.hierarchy:
            raise Skip("no memory cgroups")
        try:
            if self.hierarchy.key == "":
                with open(self.hierarchy.root + b"/cgroup.subtree_control", "wb") as file:
                    file.write(b"+memory")
            self.hierarchy.make(GROUP)
        except OSError as error:
            raise Skip("no memory cgroups: %s" % error)

    def start(self, bench, *arguments):
        """Starts a tracker whose tables are charged to the group; then moves it out of the group."""
        own = self.hierarchy.path_of("self")
        self.hierarchy.move(0, GROUP)
        try:
            tracker = bench.tracker(*arguments)
        finally:
            self.hierarchy.move(0, own)
        self.hierarchy.move(tracker.process.pid, own)
        return tracker

    def limit_to_usage(self):
        new = self.hierarchy.key == ""
        usage, limit = (b"/memory.current", b"/memory.max") if new else (b"/memory.usage_in_bytes",
                                                                         b"/memory.limit_in_bytes")
        with open(self.hierarchy.root + GROUP + usage, "rb") as file:
            size = file.read()
        with open(self.hierarchy.root + GROUP + limit, "wb") as file:
            file.write(size)

    def close(self):
        self.hierarchy.remove()


@check("no memory for the socket table: lost, by its cause")
def no_memory(bench):
    world = bench.world(elsewhere)
    swallow(world.place.client, world.address(NOBODY))
    world.place.client.namespace.sysctl(PATIENT)
    client = world.client()
    group = MemoryGroup()
    try:
        tracker = group.start(bench, "--context", "socket")
        group.limit_to_usage()
        sockets = map_of(tracker.process.pid, "sockets")
        connects = missing = 0
        for port in range(4000, 4000 + ROUNDS):
            client.do("connect_many", family=world.place.family, address=world.address(NOBODY), port=port,
                      count=MORE_CONNECTS, seconds=0)
            connects += MORE_CONNECTS
            missing = connects - len(lives(bench, sockets))
            if missing > 0:
                break
        sockets.close()
        status = tracker.stop()
    finally:
        group.close()
    counts = account(tracker)
    problems = balance_problems(counts)
    problems += announcement_problems(tracker, status, "socket table out of memory", counts["lost"])
    lost = re.search(r"lost \((\d+) socket table out of memory\)", tracker.stderr())
    if missing <= 0 or not lost:
        problems.append("%d of %d connects have no entry: %s" % (missing, connects, tracker.stderr()[-300:]))
    return problems


def fill_ring_buffer(tracker, world):
    """Makes connections until the stopped tracker's ring buffer is full. Returns COUNT more, which are open."""
    peer = world.client("nt-storm")
    listener = world.listen(peer, backlog=1024)
    ring = map_of(tracker.process.pid, "events")
    peer.do("storm", handle=listener.handle, address=listener.address, port=listener.port,
            count=ring.max_entries // CONNECTION_BYTES)
    ring.close()
    return world.pairs(COUNT)


def await_rest(tracker):
    """Waits until the tracker has written what the ring buffer had for it."""
    deadline, count = time.monotonic() + REST_SECONDS, -1
    while count != len(tracker.records) and time.monotonic() < deadline:
        count = len(tracker.records)
        tracker.wait(lambda got: False, RECOVERY_SECONDS)


@check("the ring buffer takes no open events: a gap in the records, but no lost record")
def open_events_dropped(bench):
    world = bench.world(loopback)
    tracker = bench.tracker("--events", "open,close", "--fail-if-any")  # a loss decides the status before a match
    tracker.process.send_signal(signal.SIGSTOP)
    try:
        pairs = fill_ring_buffer(tracker, world)
    finally:
        tracker.process.send_signal(signal.SIGCONT)
    await_rest(tracker)
    for client, server in pairs:
        client.close()
        server.close()
    await_rest(tracker)
    status = tracker.stop()
    counts = account(tracker)
    problems = balance_problems(counts) + announcement_problems(tracker, status, "ring buffer full", counts["lost"])
    closed = sum(record["event"] == "close" for record in tracker.records)
    if closed != counts["written"]:
        problems.append("%d close records, the accounting says %d written" % (closed, counts["written"]))
    held = {(client.local[1], client.remote[1]) for client, _ in pairs}
    events = collections.Counter(record["event"] for record in bench.own(tracker.records)
                                 if (record["src_port"], record["dst_port"]) in held)
    if events != {"close": 2 * COUNT}:
        problems.append("records of the connections that opened last: %s" % dict(events))
    if not any("events" in record["gaps"] for record in bench.own(tracker.records)):
        problems.append("no record has the gap")
    dropped = re.search(r"the ring buffer dropped (\d+) events of open connections", tracker.stderr())
    if not dropped or int(dropped[1]) < 2 * COUNT:
        problems.append("the number of dropped events is not given: %s" % tracker.stderr()[-300:])
    return problems


if __name__ == "__main__":
    sys.exit(main_of_checks())
