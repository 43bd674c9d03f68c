#!/usr/bin/python3
"""Connections made all the while that the tracker starts and ends: what it tells of them is true, whatever it saw."""
import contextlib
import os
import sys
import threading
import time

from account import account, balance_problems
from bench import check, main_of_checks
from places import incoming, outgoing, outgoing_ipv6

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "frontends"))
import known  # noqa: E402

RUNS = 5
TRACKED_SECONDS = 0.2
PATIENCE_SECONDS = 10
PAUSE_SECONDS = 0.001
MOST_CONNECTIONS = 50000
MOST_IN_FLIGHT = 4  # of each of two makers one connection, of which both ends are here or passed by
SERVED, NOBODYS = 80, 9
GAPS_OF_SLOW_ONES = {"bytes_mod_4g"}  # of those that live over 43 ms
TOLD = {SERVED: ("closed", "src", "SF"), NOBODYS: ("refused", "dst", "REJ")}


class Maker:
    """One connection after the other between a place's two sides, until it is stopped."""

    def __init__(self, place, make_one):
        self.place, self.make_one = place, make_one
        self.stopping, self.problem = False, None
        with known.inside(place.server.namespace):
            self.listener = known.socket_in(place.server.namespace, place.server.address, SERVED)
        self.listener.listen()
        self.thread = threading.Thread(target=self.make)
        self.thread.start()

    def make(self):
        try:
            for _ in range(MOST_CONNECTIONS):
                if self.stopping:
                    return
                with known.socket_in(self.place.client.namespace, self.place.client.address) as client:
                    self.make_one(self, client)
                time.sleep(PAUSE_SECONDS)
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


def record_problems(record):
    if "start" in record["gaps"]:  # found by the look at what was there, and told so
        return [] if record["seen"] == ["socket"] else ["with packets: %r" % record]
    outcome, ended_by, state = TOLD[record["dst_port"]]
    if (record["outcome"], record.get("ended_by")) == (outcome, ended_by) and \
            set(record["gaps"]) <= GAPS_OF_SLOW_ONES and record.get("conn_state", state) == state:
        return []
    return ["told wrong: %r" % record]


def try_runs(bench, places, *arguments):
    """Starts and ends the tracker in the midst of connections; the second of two places has the other kind."""
    makers = [Maker(world.place, make) for world, make in zip(map(bench.world, places), (is_refused, is_closed))]
    problems = []
    try:
        for _ in range(RUNS):
            problems += run_problems(bench, *arguments)
    finally:
        problems += [problem for maker in makers for problem in maker.stop()]
    return problems


def ports_of(records):
    return {record["dst_port"] for record in records}


def run_problems(bench, *arguments):
    tracker = bench.tracker("--events", "close,exit", *arguments)
    time.sleep(TRACKED_SECONDS)
    tracker.wait(lambda records: ports_of(bench.own(records)) >= set(TOLD), PATIENCE_SECONDS)
    status = tracker.stop()
    problems = balance_problems(account(tracker)) + ["exit status %d" % status] * bool(status)
    own = [record for record in bench.own(tracker.records) if record["event"] == "close"]
    still_open = len(bench.own(tracker.records)) - len(own)
    problems += ["records of %r only" % ports_of(own)] * (not ports_of(own) >= set(TOLD))
    problems += ["%d still open" % still_open] * (still_open > MOST_IN_FLIGHT)
    return problems + [problem for record in own for problem in record_problems(record)]


@check("both contexts: what is told is true and complete from the first record to the last")
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
