#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes connections while the tracker starts and ends: their records are right, whatever part it saw."""
import contextlib
import os
import sys
import threading
import time

from account import account, balance_problems
from bench import check, main_of_checks
from places import incoming, outgoing, outgoing_ipv6
from traffic import require

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "frontends"))
import known  # noqa: E402

RUNS = 5
TRACKED_SECONDS = 0.2
MOST_TRACKED_SECONDS = 30
LEAST_CONNECTIONS = 20  # of each maker while the tracker runs
PAUSE_SECONDS = 0.001
MOST_CONNECTIONS = 50000
# both endpoints of the last two connections of each maker: one may be about to end when the next begins
MOST_IN_FLIGHT = 8
SERVED, NOBODYS = 80, 9
EXPECTED = {SERVED: ("closed", "src", "SF"), NOBODYS: ("refused", "dst", "REJ")}


class Maker:
    """Makes one connection after the other between a place's two sides until it is stopped."""

    def __init__(self, place, make_one):
        self.place, self.make_one = place, make_one
        self.stopping, self.problem = False, None
        self.made = []  # (time of its start, the client's port, time of its end)
        self.listener = known.socket_in(place.server.namespace, place.server.address, SERVED)
        self.listener.listen()
        self.thread = threading.Thread(target=self.make, daemon=True)
        self.thread.start()

    def make(self):
        try:
            while not self.stopping and len(self.made) < MOST_CONNECTIONS:
                with known.socket_in(self.place.client.namespace, self.place.client.address) as client:
                    port, began = client.getsockname()[1], time.monotonic()
                    self.make_one(self, client)
                time.sleep(PAUSE_SECONDS)
                self.made.append((began, port, time.monotonic()))
        except OSError as error:
            self.problem = error

    def stop(self):
        self.stopping = True
        self.thread.join()
        self.listener.close()
        return ["traffic: %s" % self.problem] if self.problem else []


def is_refused(maker, client):
    with contextlib.suppress(ConnectionRefusedError):
        client.connect((maker.place.server.address, NOBODYS))


def is_closed(maker, client):
    client.connect((maker.place.server.address, SERVED))
    with maker.listener.accept()[0] as server:
        client.sendall(b"question")
        server.recv(64)
        server.sendall(b"answer")
        client.recv(64)
        client.close()
        server.recv(64)


def exit_problems(makers, record):
    """An `exit` record is of a connection that was under way when tracking ended, so its duration is within that one's.

    Nobody may have read it yet: then its owner is unknown.
    """
    longest = max((last - began for maker in makers for began, port, last in list(maker.made)
                   if port == record["src_port"]), default=TRACKED_SECONDS)  # the newest one is still under way
    right = record["outcome"] == "open" or (record["outcome"], record["seen"]) == ("unanswered", ["wire"])
    return [] if right and record["duration_ns"] <= longest * 1e9 else ["wrong record: %r" % record]


def record_problems(makers, record):
    """Checks outcome and gaps. A pre-existing connection has the gap `start`, and may have others."""
    outcome, ended_by, state = EXPECTED[record["dst_port"]]
    if record["event"] == "exit":
        return exit_problems(makers, record)
    right = (record["outcome"], record.get("ended_by")) == (outcome, ended_by) and \
        ("wire" not in record["seen"] or record.get("conn_state") == state)
    # packets of a long connection show its bytes modulo 4 GiB only; preemptible kernels skip events
    complete = set(record["gaps"]) <= {"bytes_mod_4g", "events"} or is_preexisting(record)
    return [] if right and complete else ["wrong record: %r" % record]


def is_preexisting(record):
    return "start" in record.get("gaps", [])


def try_runs(bench, places, *arguments):
    """Starts and ends the tracker while connections are made, refused ones at the first place, closed at the second."""
    makers = [Maker(world.place, make) for world, make in zip(map(bench.world, places), (is_refused, is_closed))]
    problems = []
    try:
        for _ in range(RUNS):
            problems += run_problems(bench, makers, *arguments)
    finally:
        problems += [problem for maker in makers for problem in maker.stop()]
    return problems


def run_problems(bench, makers, *arguments):
    tracker = bench.tracker("--events", "close,exit", *arguments)
    began = time.monotonic()
    over = await_connections(makers, began)
    status = tracker.stop()
    problems = ["exit status %d" % status] * bool(status) + accounting_problems(account(tracker), tracker.records)
    own = bench.own(tracker.records)
    problems += ["%d %s" % (len(some), what) for what, some in (
        ("are pre-existing", list(filter(is_preexisting, own))),
        ("are open", [record for record in own if record["event"] == "exit"]),
        ("have no close record", unreported(makers, began, over, own))) if len(some) > MOST_IN_FLIGHT]
    return problems + [problem for record in own for problem in record_problems(makers, record)]


def accounting_problems(counts, records):
    """Checks the accounting. There are no more exit records than open connections on the whole machine."""
    exits = sum(record["event"] == "exit" for record in records)
    return balance_problems(counts) + ["%d exit records of %s" % (exits, counts)] * (exits > counts["open"])


def ports_made(maker, began, over):
    """Returns the client's ports of the connections that began and ended between the two times."""
    return {port for first, port, last in list(maker.made) if began < first and last < over}


def await_connections(makers, began):
    """Waits until each maker has made enough connections. Returns the time."""
    while True:
        time.sleep(TRACKED_SECONDS)
        over = time.monotonic()
        if all(len(ports_made(maker, began, over)) >= LEAST_CONNECTIONS for maker in makers):
            return over
        require(over < began + MOST_TRACKED_SECONDS, "too few connections were made in %.1f s" % (over - began))


def unreported(makers, began, over, own):
    """Returns the client's ports of connections that were made while the tracker ran and have no close record."""
    reported = {record["src_port"] for record in own if record["event"] == "close"}
    return {port for maker in makers for port in ports_made(maker, began, over)} - reported


@check("both contexts: records are right and complete from the first to the last")
def both_contexts(bench):
    return try_runs(bench, (outgoing, outgoing_ipv6))


@check("both contexts, on the servers' side")
def servers(bench):
    return try_runs(bench, (outgoing_ipv6, incoming))


@check("sockets alone")
def sockets_alone(bench):
    return try_runs(bench, (outgoing_ipv6, outgoing), "--context", "socket")


@check("packets alone")
def packets_alone(bench):
    return try_runs(bench, (outgoing, incoming), "--context", "wire")


if __name__ == "__main__":
    sys.exit(main_of_checks())
