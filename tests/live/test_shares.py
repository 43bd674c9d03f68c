#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables are shared fairly: one user or network that fills them costs others no record."""
import re
import resource
import sys

from account import account, announcement_problems, balance_problems
from bench import check, main_of_checks
from kernel_maps import map_of
from places import loopback, outgoing
from shares import counts, drift_problems, on_small_machine
from traffic import NOBODY, require, settle, swallow

GREEDY, OTHER = 12345, 12346  # users
COUNT = 100
SOCKET_SHARE = "one user's share of the socket table full"
ESTABLISHED_SHARE = "one user's or network's share of the established table full"
RECORD_SECONDS = 10
SPARE_DESCRIPTORS = 100


def hold(world, name, uid, count):
    """Makes one process of this user hold both sides of connections. Returns it, and the clients' ports."""
    peer = world.client(name, uid=uid)
    listener = world.listen(peer, backlog=16)
    return peer, peer.do("hold", handle=listener.handle, address=listener.address, port=listener.port,
                         count=count)["ports"]


def hold_many(world, count):
    """The same with as many processes as the limit of descriptors requires."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1] // 2 - SPARE_DESCRIPTORS
    peers = []
    while count > 0:
        peers.append(hold(world, "nt-greedy", GREEDY, min(count, most))[0])
        count -= most
    return peers


def lost_by_cause(tracker):
    """Returns {cause: number} of the accounting line."""
    found = re.search(r"lost \(([^)]*)\)", tracker.stderr())
    return {cause: int(number) for number, cause in re.findall(r"(\d+) ([^,]+)", found[1] if found else "")}


def judge_others(bench, tracker, ports):
    """Expects both records of each of these connections, with the values of both contexts."""
    tracker.wait(lambda got: sum(record["src_port"] in ports for record in bench.own(got)) >= 2 * len(ports),
                 RECORD_SECONDS)
    records = [record for record in bench.own(tracker.records)
               if record["src_port"] in ports and record["uid"] == OTHER]
    problems = ["%d records of others, should be %d" % (len(records), 2 * len(ports))] * \
        (len(records) != 2 * len(ports))
    return problems + ["a record of others is incomplete: %s" % record for record in records
                       if not record["complete"] or record["seen"] != ["wire", "socket"]][:3]


@check("one user fills the tables of sockets and of established connections: others lose no record")
def full_tables(bench):
    world = bench.world(loopback)
    tracker = bench.tracker(environment=on_small_machine())
    table = map_of(tracker.process.pid, "sockets")
    size = table.max_entries
    table.close()
    held = size * 7 // 8  # more than three quarters, of which the slots take some; twice as many sockets
    greedy = hold_many(world, held)
    problems = []
    entries = counts(tracker, "sockets")[0]
    if not size * 3 // 4 <= entries < size * 3 // 4 + COUNT:
        problems.append("%d of %d entries are taken" % (entries, size))
    other, ports = hold(world, "nt-other", OTHER, COUNT)
    require(len(set(ports)) == COUNT, "%d ports" % len(set(ports)))
    other.do("release")
    problems += judge_others(bench, tracker, ports)
    for peer in greedy:
        peer.do("release")
    settle(1)
    problems += drift_problems(tracker)
    remaining = counts(tracker, "sockets")[0]
    problems += ["%d sockets are left" % remaining] * (remaining > COUNT)
    status = tracker.stop()
    lost = lost_by_cause(tracker)
    problems += balance_problems(account(tracker)) + announcement_problems(tracker, status, SOCKET_SHARE,
                                                                          lost.get(SOCKET_SHARE, 0))
    if lost.get(SOCKET_SHARE, 0) < 2 * held - size * 3 // 4 - COUNT or not lost.get(ESTABLISHED_SHARE):
        problems.append("lost: %s" % lost)
    return problems


@check("one user's SYNs overflow the table of half-open connections: others' attempts stay in it")
def half_open_flood(bench):
    world = bench.world(outgoing)
    nobody = world.address(NOBODY)
    swallow(world.place.client, nobody)
    first, other, second = (world.client("nt-attempts", uid=uid) for uid in (GREEDY, OTHER, GREEDY))
    tracker = bench.tracker("--context", "wire", "--events", "close,exit", environment=on_small_machine())
    table = map_of(tracker.process.pid, "half_open")
    attempt = {"family": world.place.family, "address": nobody, "seconds": 0}
    count = table.max_entries * 3 // 2  # more than the slots, too
    first.do("connect_many", port=4000, count=count, **attempt)
    other.do("connect_many", port=4001, count=COUNT, **attempt)
    second.do("connect_many", port=4002, count=count, **attempt)
    table.close()
    problems = drift_problems(tracker)
    status = tracker.stop()
    problems += balance_problems(account(tracker))
    found = sum(record["dst_port"] == 4001 for record in bench.own(tracker.records))
    problems += ["%d of %d attempts of others have a record" % (found, COUNT)] * (found != COUNT)
    return problems + announcement_problems(tracker, status, "half-open table full",
                                            lost_by_cause(tracker).get("half-open table full", 0))


if __name__ == "__main__":
    sys.exit(main_of_checks())
