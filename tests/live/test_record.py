#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests the history of live tracking: it has the records of the other output, and survives kill -9."""
import os
import signal
import sqlite3
import subprocess
import sys
import time

from bench import check, main_of_checks
from harness import Skip
from places import elsewhere, outgoing
from tracker import POLL_SECONDS, PROGRAM, READY_LINE, READY_TIMEOUT, ROOT, prepare
from traffic import exchange_all, require

EACH = 5
SECONDS = 60  # a commit to a slow disk, a machine that stops
HISTORY_LINES = os.path.join(ROOT, "build", "tests", "replay", "history_lines")
BUSY = 1  # the exit status of a second writer


def close_all(pairs):
    for client, server in pairs:
        client.close()
        server.receive_eof()
        server.close()


def ask(folder, sql):
    """Returns the rows of all files of a history, as another process reads them while it is written."""
    rows = []
    for name in sorted(os.listdir(folder)):
        if name.endswith(".db"):
            database = sqlite3.connect("file:%s?mode=ro" % os.path.join(folder, name), uri=True)
            rows += database.execute(sql).fetchall()
            database.close()
    return rows


def ports_in(folder, world):
    address = world.place.client.address
    return sorted(port for port, in ask(folder, "SELECT src_port FROM record WHERE event='close' AND role='client' AND "
                                                "src_ip='%s'" % address))


class Recorder:
    """A running `netracker record`."""

    def __init__(self, bench, folder, *arguments):
        self.log = os.path.join(bench.directory, "recorder-%d.log" % time.monotonic_ns())
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([PROGRAM, "record", "-v", "--history=" + folder, *arguments],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=lambda: prepare(bench.here.name))

    def messages(self):
        with open(self.log, errors="replace") as file:
            return file.read()

    def wait_for(self, condition, seconds=SECONDS):
        deadline = time.monotonic() + seconds
        while not condition():
            ended = self.process.poll()
            require(ended is None and time.monotonic() < deadline, "status %s: %s" % (ended, self.messages()[-300:]))
            time.sleep(POLL_SECONDS)

    def wait_until_ready(self):
        self.wait_for(lambda: READY_LINE in self.messages(), READY_TIMEOUT)

    def end(self, signal_number):
        self.process.send_signal(signal_number)
        return self.process.wait(SECONDS)


@check("--history has the lines of -f json, byte for byte")
def same_lines(bench):
    if not os.path.exists(HISTORY_LINES):
        raise Skip("build/tests/replay/history_lines is not built")
    folder = os.path.join(bench.directory, "beside")
    world = bench.world(outgoing)
    other = bench.world(elsewhere)
    tracker = bench.tracker("--history=" + folder, "--events", "open,update,close,exit", "--interval", "0.3", "--packets",
                            "--host", "db1")
    pairs = world.pairs(2 * EACH) + other.pairs(EACH)
    exchange_all(pairs)
    tracker.wait(lambda records: any(record["event"] == "update" for record in bench.own(records)), SECONDS)
    close_all(pairs[:EACH] + pairs[2 * EACH:])
    tracker.wait(lambda records: sum(record["event"] == "close" for record in bench.own(records)) >= 3 * EACH, SECONDS)
    status = tracker.stop()
    with open(tracker.path, "rb") as file:
        written = file.read()
    read = subprocess.run([HISTORY_LINES, folder], capture_output=True, timeout=60)
    problems = []
    if (status, read.returncode, read.stderr) != (0, 0, b""):
        problems.append("statuses %d, %d: %s" % (status, read.returncode, read.stderr))
    if read.stdout != written or written.count(b"\n") < 6 * EACH:
        problems.append("%d lines written, %d in the history" % (written.count(b"\n"), read.stdout.count(b"\n")))
    return problems


@check("record: what was committed survives kill -9, a second writer is refused, the next run says when nobody tracked")
def killed(bench):
    folder = os.path.join(bench.directory, "killed")
    world = bench.world(outgoing)
    first = Recorder(bench, folder)
    try:
        first.wait_until_ready()
        second = subprocess.run([PROGRAM, "record", "--history=" + folder], capture_output=True, text=True, timeout=60,
                                preexec_fn=lambda: prepare(bench.here.name))
        pairs = world.pairs(2 * EACH)
        exchange_all(pairs)
        ports = sorted(client.local[1] for client, _ in pairs)
        close_all(pairs[:EACH])
        early = sorted(client.local[1] for client, _ in pairs[:EACH])
        first.wait_for(lambda: ports_in(folder, world) == early)
    finally:
        first.end(signal.SIGKILL)
    killed_at = time.time_ns()
    third = Recorder(bench, folder, "--interval", "0.3")
    try:
        third.wait_until_ready()
        close_all(pairs[EACH:])
        third.wait_for(lambda: ports_in(folder, world) == ports)
        status = third.end(signal.SIGTERM)
    finally:
        third.process.kill()
        third.process.wait()
    problems = []
    if second.returncode != BUSY or "process %d writes it already" % first.process.pid not in second.stderr:
        problems.append("a second writer: status %d: %s" % (second.returncode, second.stderr))
    if status or "0 lost" not in third.messages():
        problems.append("status %d: %s" % (status, third.messages()[-300:]))
    runs = ask(folder, "SELECT begin_ns, end_ns, finished, command FROM run ORDER BY id")
    if [run[2:] for run in runs] != [(0, "record"), (1, "record")] or not runs[0][1] <= killed_at <= runs[1][0]:
        problems.append("runs %s; killed at %d" % (runs, killed_at))
    if any(name.endswith("-wal") for name in os.listdir(folder)):
        problems.append("a log is left: %s" % os.listdir(folder))
    return problems


def become_nobody(bench):
    prepare(bench.here.name)
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)


@check("record without permission, or with a folder that cannot be: one line, and its status")
def refused(bench):
    problems = []
    private = os.path.join(bench.directory, "private")
    os.mkdir(private, 0o700)
    for folder, status, words, prepared in (
            (os.path.join(private, "history"), 3, "cannot make this folder: Permission denied", become_nobody),
            (os.path.join(private, "a", "b"), BUSY, "cannot make this folder: No such file", lambda _: None),
            ("/proc/version", BUSY, "it is no folder", lambda _: None)):
        done = subprocess.run([PROGRAM, "record", "--history=" + folder], capture_output=True, text=True, timeout=60,
                              preexec_fn=lambda prepared=prepared: prepared(bench))
        if done.returncode != status or done.stderr.count("\n") != 1 or words not in done.stderr:
            problems.append("%s: status %d: %s" % (folder, done.returncode, done.stderr))
    return problems


if __name__ == "__main__":
    sys.exit(main_of_checks())
