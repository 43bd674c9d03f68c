#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Lets each allocation of the commands that need root fail in turn, like tests/replay/test_replay_allocation.py.

It runs in mount, process and network namespaces of its own, with connections on their loopback interface.
"""
import os
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "alloc"))
import allocation  # noqa: E402
from allocation import Command  # noqa: E402
from harness import Tally  # noqa: E402
from isolation import isolate  # noqa: E402
from tracker import PROGRAM, unavailable  # noqa: E402

INTERFACE = "alloc0"
LOST = 7
PAUSE_SECONDS = 0.005
HELD = 5


class Traffic:
    """Makes connections one after the other, and some that stay open."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.held = [self.connect() for _ in range(HELD)]
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.make, daemon=True)
        self.thread.start()

    def connect(self):
        client = socket.create_connection(self.listener.getsockname())
        return client, self.listener.accept()[0]

    def make(self):
        """Closes each connection only after the next one has begun, so that tracking always ends with an open one."""
        previous = self.connect()
        while not self.ending.wait(PAUSE_SECONDS):
            newest = self.connect()
            for endpoint in previous:
                endpoint.close()
            previous = newest

    def stop(self):
        self.ending.set()
        self.thread.join()


def judge_live(_, outcome):
    """Expects status 1 or 7 and messages that name memory, or an accounting that has all written and lost records."""
    if not outcome.balances:
        return "does not balance: %s" % outcome.errors
    if outcome.status not in (0, 1, LOST) or outcome.status and not outcome.says_memory():
        return "status %d: %r" % (outcome.status, outcome.messages)
    closed, accounting = outcome.output.count(b'"event":"close"'), outcome.accounting
    if accounting and closed != accounting["written"]:
        return "%d close records: %s" % (closed, outcome.errors)
    if not accounting and outcome.output:
        return "records, but no accounting: %s" % outcome.errors
    if outcome.status == LOST and not outcome.announces_loss():
        return "status %d, but nothing is lost: %s" % (outcome.status, outcome.errors)
    if outcome.status == 0 and (not accounting or not accounting["written"]):
        return "status 0, but no record: %s" % outcome.errors
    return None


def judge_tables(base, outcome):
    if not outcome.balances:
        return "does not balance: %s" % outcome.errors
    if outcome.status in (1, LOST) and outcome.says_memory():
        return None
    return None if outcome.status == 0 and b"connections" in outcome.output else "no tables: %s" % outcome.errors


def judge_list(_, outcome):
    if outcome.status == 0 and outcome.output.count(b"\n") >= 2 * HELD and not outcome.messages:
        return None
    if outcome.status in (1, LOST) and outcome.says_memory():
        return None
    return "status %d, %d lines: %s" % (outcome.status, outcome.output.count(b"\n"), outcome.errors)


def judge_listening(_, outcome):
    if outcome.status == 0 and b'"event":"listener"' in outcome.output and not outcome.messages:
        return None
    if outcome.status in (1, LOST) and outcome.says_memory():
        return None
    return "status %d, %d lines: %s" % (outcome.status, outcome.output.count(b"\n"), outcome.errors)


def count_own_lines(outcome):
    """Leaves out the lines of trackers that others run meanwhile."""
    return sum(b'"state":"tracking"' not in line for line in outcome.output.splitlines())


def judge_attach(base, outcome):
    if (outcome.status, count_own_lines(outcome)) == (base.status, count_own_lines(base)):
        return None
    if outcome.status == 1 and outcome.says_memory():
        return None
    return "status %d: %r %r" % (outcome.status, outcome.output, outcome.messages)


def netracker(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True)


class LiveCommand(Command):
    """Live tracking for a time. A run whose machine stopped for that long, so it has no record, is repeated with more."""

    def __init__(self, name, arguments):
        super().__init__(name, arguments, judge_live)

    def run(self, **environment):
        outcome = super().run(**environment)
        if outcome.status == 0 and outcome.accounting and not outcome.accounting["written"]:
            outcome = Command(self.name, [*self.arguments, "-t", "3"], self.judge).run(**environment)
        return outcome


class AttachCommand(Command):
    """A command of `netracker attach`; before each run NeTracker is attached, or detached."""

    def __init__(self, name, arguments, is_attached):
        super().__init__(name, arguments, judge_attach)
        self.is_attached = is_attached

    def run(self, **environment):
        netracker("detach")
        if self.is_attached:
            netracker("attach", "-q", "-i", INTERFACE)
        return super().run(**environment)


def commands():
    yield Command("live", ["-f", "json", "-n", "6", "-t", "5"], judge_live), allocation.WORKERS
    yield LiveCommand("live, all events", ["-f", "json", "--events", "open,close,update,exit", "--interval", "100ms", "-t",
                                           "0.4"]), allocation.WORKERS
    yield LiveCommand("live, packets", ["-f", "json", "--context", "wire", "-t", "0.4"]), allocation.WORKERS
    # It loads no programs for packets, which take most of the time of a start.
    yield Command("live, summary", ["--summary", "--context", "socket", "--interval", "100ms", "-t",
                                    "0.4"], judge_tables), allocation.WORKERS
    yield Command("list", ["list", "-f", "json"], judge_list), allocation.WORKERS
    yield Command("list, listeners", ["list", "-l", "-f", "json", "--sort", "comm"], judge_listening), allocation.WORKERS
    yield AttachCommand("attach", ["attach", "-i", INTERFACE], False), 1
    yield AttachCommand("status", ["status"], True), 1
    yield AttachCommand("status, JSON", ["status", "-f", "json"], True), 1
    yield AttachCommand("detach", ["detach"], True), 1


def main():
    tally, known = Tally(), set()
    reason = unavailable()
    if not reason and not os.access(allocation.PROGRAM, os.X_OK):
        reason = "build/tests/netracker_alloc is not built"
    if reason:
        tally.skips("all", reason)
        return tally.finish()
    subprocess.run(["ip", "link", "add", INTERFACE, "type", "veth", "peer", "name", "alloc1"], check=True)
    subprocess.run(["ip", "link", "set", INTERFACE, "up"], check=True)
    traffic = Traffic()
    try:
        for command, workers in commands():
            runs, wrong = allocation.try_command(command, known, workers)
            tally.judge("%s, %d runs" % (command.name, runs), ["%s: %s" % one for one in wrong])
    finally:
        traffic.stop()
        netracker("detach", "-q")
    return tally.finish()


if __name__ == "__main__":
    isolate()
    sys.exit(main())
