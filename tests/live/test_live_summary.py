#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests --summary of live tracking: each byte of an open connection counts once, in the interval of its transfer; each
connection between two sockets of this machine counts once."""
import json
import os
import re
import sys
import time
from datetime import datetime

from account import balances
from bench import check, main_of_checks
from places import elsewhere, incoming, loopback
from traffic import exchange, require, settle

import record_schema  # bench sets its path

INTERVAL = 0.5
TABLES_SECONDS = 60
RECORDS_SECONDS = 5
ROW = re.compile(r"^nt-client(?: \(\d+\))? +(\d+) +(\S+) +(\S+) ")


def lines_of(path):
    """Returns the lines of all tables; each table ends with an empty line or with the file."""
    with open(path) as file:
        return file.read().splitlines()


def wait_for_tables(path, enough):
    deadline = time.monotonic() + TABLES_SECONDS
    while not enough(lines_of(path)):
        require(time.monotonic() < deadline, "the tables are: %r" % lines_of(path))
        time.sleep(INTERVAL / 10)


def summarize(bench, world, *arguments):
    """Returns the lines of the tables. 500 bytes go up and 40 down before tracking; 118 and 5 while it runs.

    With an interval each step waits until the tables have the one before.
    """
    path = os.path.join(bench.directory, "tables")
    before = world.pairs(1)[0]
    exchange(*before, 500, 40)
    with open(path, "wb") as file:
        tracker = bench.tracker("-o", "/dev/null", "--netns", bench.here.name, "--summary", *arguments, stdout=file)

    def wait_until_written(enough):
        if "--interval" in arguments:
            wait_for_tables(path, enough)

    exchange(*before, 7, 3)
    during = world.pairs(1)[0]
    exchange(*during, 11, 2)
    wait_until_written(lambda lines: sum_of(lines) == (18, 5))
    exchange(*before, 100, 0)
    wait_until_written(lambda lines: sum_of(lines) == (118, 5))
    client, server = during
    client.close()
    server.receive_eof()
    server.close()
    wait_until_written(lambda lines: any(" closed" in line for line in lines))
    status = tracker.stop()
    return lines_of(path), [] if not status and balances(tracker) else \
        ["status %d, %s" % (status, tracker.stderr())]


def totals_of(lines):
    """Returns the lines with the number of connections and with the bytes."""
    return lines[next(i for i, line in enumerate(lines) if re.match(r"\d+ connections?\b", line)):][:2]


def rows_of(lines):
    """Returns (connections, sent, received) of the clients' process in each table."""
    return [tuple(map(int, match.groups())) for match in map(ROW.match, lines) if match]


def sum_of(lines):
    """Returns the bytes sent and received in all tables."""
    return tuple(sum(row[way] for row in rows_of(lines)) for way in (1, 2))


def times_of(lines):
    """Returns the begin and end of each interval, in seconds."""
    found = [re.match(r"from (\S+)Z to (\S+)Z$", line) for line in lines]
    return [tuple(datetime.fromisoformat(text).timestamp() for text in match.groups()) for match in found if match]


def interval_problems(lines):
    """Checks that each interval begins when the one before ended."""
    times = times_of(lines)
    return ["%.3f s between two intervals" % (begins - ended)
            for (_, ended), (begins, _) in zip(times, times[1:]) if begins != ended]


@check("--summary --interval: bytes of open connections count once, those from before tracking do not")
def bytes_of_intervals(bench):
    lines, problems = summarize(bench, bench.world(), "--interval", str(INTERVAL))
    rows = rows_of(lines)
    problems += interval_problems(lines)
    problems += ["sent and received %r, should be (118, 5): %r" % (sum_of(lines), rows)] * (sum_of(lines) != (118, 5))
    alone = [row for row in rows if row[1:] == (100, 0)]
    problems += ["the 100 bytes are in %d intervals of their own: %r" % (len(alone), rows)] * (len(alone) != 1)
    closes = [line for line in lines if re.match(r"\d+ connections: 1 closed, 1 open$", line)]
    problems += ["one closed, one open: %d times: %r" % (len(closes), lines)] * (len(closes) != 1)
    return problems


@check("--summary: bytes moved while tracking, including those of open connections")
def bytes_of_the_run(bench):
    lines, problems = summarize(bench, bench.world())
    totals = totals_of(lines)
    problems += ["%r" % totals] * (totals != ["2 connections: 1 closed, 1 open", "sent 118, received 5"])
    busiest = lines[lines.index("  SENT   RECV BUSIEST CONNECTIONS") + 1:][:2]
    moved = [tuple(line.split()[:2]) for line in busiest]
    return problems + ["the busiest: %r" % busiest] * (moved != [("107", "3"), ("11", "2")])


def numbers_of(lines, heading, name):
    """Returns the numbers in the row of the table, as text."""
    table = lines[next(i for i, line in enumerate(lines) if line.startswith(heading + " ")):]
    rows = [line.split() for line in table[1:(table + [""]).index("")]]
    return next((row[-6:] for row in rows if row[0] == name), None)


def count_lines(path):
    with open(path) as file:
        return len(file.readlines())


def local_problems(bench, place, server_address):
    """Makes three connections between two sockets of this machine, and closes two of them."""
    world = bench.world(place)
    path, records = (os.path.join(bench.directory, name + bench.suffix) for name in ("tables-", "records-"))
    address = server_address(world)
    with open(path, "wb") as file:
        tracker = bench.tracker("-o", records, "--net", address, "--summary", stdout=file)
    pairs = world.pairs(3)
    for client, server in pairs:
        exchange(client, server, 10, 200)
    for client, server in pairs[:2]:
        client.close()
        server.receive_eof()
        server.close()
    port = pairs[0][0].remote[1]
    deadline = time.monotonic() + RECORDS_SECONDS
    while count_lines(records) < 4 and time.monotonic() < deadline:  # a FIN may be lost and sent again
        settle()
    status = tracker.stop()
    lines = lines_of(path)
    problems = [] if not status and balances(tracker) else ["status %d, %s" % (status, tracker.stderr())]
    wanted = ["3 connections: 2 closed, 1 open", "sent 30, received 600"]
    problems += ["totals: %r" % totals_of(lines)] * (totals_of(lines) != wanted)
    service = "%s:%d" % (address, port)
    for heading, name, numbers in (("PROCESS", "nt-client", ["3", "30", "600"]),
                                   ("PROCESS", "nt-server", ["3", "600", "30"]),
                                   ("SERVICE", service, ["3", "30", "600"]), ("PEER", address, ["3", "30", "600"])):
        found = numbers_of(lines, heading, name)
        problems += ["%s %s: %r" % (heading, name, found)] * ((found or [])[:3] != numbers)
    if not any(line.startswith(service + " nt-server (") for line in lines):
        problems.append("no service names its process: %r" % lines)
    count = count_lines(records)
    return problems + ["%d records" % count] * (count != 4)


@check("--summary: a connection over loopback counts once, with both processes")
def over_loopback(bench):
    return local_problems(bench, loopback, lambda world: world.place.server.address)


@check("--summary: a connection between two namespaces counts once, with both processes")
def between_namespaces(bench):
    return local_problems(bench, elsewhere, lambda world: world.place.server.address)


def overflow(world, client, listener, count):
    """Makes attempts that find a full listen queue, and waits until the kernel has counted each."""
    enough = listener.peer.counter("TcpExt", "ListenOverflows") + count
    deadline = time.monotonic() + TABLES_SECONDS
    for _ in range(count):
        world.attempt(client, listener.address, listener.port, blocking=False)
    while listener.peer.counter("TcpExt", "ListenOverflows") < enough:
        require(time.monotonic() < deadline, "the listen queue does not overflow")


@check("--summary names the overflow of a listen queue in another namespace, and not the one before tracking")
def listen_overflow(bench):
    world = bench.world()
    client, server = world.client(), world.server()
    listener = world.listen(server, backlog=0)
    world.connect(client, listener)
    overflow(world, client, listener, 3)
    path = os.path.join(bench.directory, "tables-" + bench.suffix)
    before = server.counter("TcpExt", "ListenOverflows")
    with open(path, "wb") as file:
        tracker = bench.tracker("-o", "/dev/null", "--summary", stdout=file)
    began = server.counter("TcpExt", "ListenOverflows")
    overflow(world, client, listener, 4)
    ends = server.counter("TcpExt", "ListenOverflows")
    status = tracker.stop()
    ended = server.counter("TcpExt", "ListenOverflows")
    lines = lines_of(path)
    text = " ".join(line.strip() for line in lines)
    found = re.findall(r"listen queues of network namespace %s were full (\d+) times?: .*? (netracker list .*? \d+) "
                       % re.escape(server.namespace.name), text)
    problems = [] if not status and balances(tracker) else ["status %d, %s" % (status, tracker.stderr())]
    if lines[0] != "PROBLEMS" or len(found) != 1 or not ends - began <= int(found[0][0]) <= ended - before:
        problems.append("%d to %d overflows, but: %r" % (ends - began, ended - before, lines[:9]))
    return problems + ["%s" % found] * (found[0][1].split()[-1] != str(server.namespace.inode) if found else False)


@check("--summary names a client that uses 80 % of its ephemeral ports for one service, and not one that uses fewer")
def ephemeral_ports(bench):
    world = bench.world(lambda net, here, suffix: incoming(
        net, here, suffix, **{"net.ipv4.ip_local_port_range": "40000 40009"}))
    server, client = world.server(), world.client()
    listener = world.listen(server)
    problems = []
    for count, wanted in ((7, []), (1, ["8 of its 10"])):
        path = os.path.join(bench.directory, "tables-%s-%d" % (bench.suffix, count))
        for _ in range(count):
            world.pair(client, listener)
        with open(path, "wb") as file:
            status = bench.tracker("-o", "/dev/null", "--net", world.place.client.address, "--summary",
                                   stdout=file).stop()
        text = " ".join(line.strip() for line in lines_of(path))
        found = re.findall("%s uses (.*?) ephemeral ports for %s:%d"
                           % (world.place.client.address, world.place.server.address, listener.port), text)
        problems += ["status %d, %r: %s" % (status, found, text[:500])] * (found != wanted or status != 0)
    return problems


@check("--summary -f json: the client's and the server's process, valid by the schema")
def for_programs(bench):
    world = bench.world(elsewhere)
    address, path = world.place.server.address, os.path.join(bench.directory, "summary-" + bench.suffix)
    with open(path, "wb") as file:
        tracker = bench.tracker("--net", address, "--summary", "--host", "here", stdout=file)
    (client, server), = world.pairs(1)
    exchange(client, server, 10, 200)
    status = tracker.stop()
    summary, = map(json.loads, lines_of(path))
    error = record_schema.load_schema(os.path.join(record_schema.DOCS, "summary.schema.json"))[1](summary)
    problems = ["status %d, %s" % (status, error)] * bool(status or error)
    service, = summary["services"]
    found = {key: service.get(key) for key in ("comm", "pid", "ip", "port", "open", "sent_bytes", "received_bytes")}
    wanted = {"comm": "nt-server", "pid": server.peer.pid, "ip": address, "port": client.remote[1], "open": 1,
              "sent_bytes": 10, "received_bytes": 200}
    problems += ["%r" % found] * (found != wanted)
    processes = sorted((row["comm"], row["pid"], row["sent_bytes"]) for row in summary["processes"])
    wanted = [("nt-client", client.peer.pid, 10), ("nt-server", server.peer.pid, 200)]
    return problems + ["%r" % summary] * (processes != wanted or summary["host"] != "here" or summary["connections"] != 1)


if __name__ == "__main__":
    sys.exit(main_of_checks())
