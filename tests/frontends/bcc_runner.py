# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs bcc/netracker.py in a lab, and converts its records to the names of the facts in known.py."""
import datetime
import os
import re
import select
import signal
import subprocess
import sys
import time

import known
from eunomia import ROOT, Skip, check, equal
import peer  # of tests/live, as known.py says
import tracker

sys.path.insert(0, os.path.join(ROOT, "tests"))
import accounting_line  # noqa: E402

PROGRAM = os.path.join(ROOT, "bcc/netracker.py")
PYTHON = "/usr/bin/python3"
START_SECONDS, END_SECONDS, PRINTED_SECONDS = 30, 20, 0.4
ABSENT = -1


def need_packages():
    done = subprocess.run([PYTHON, "-c", "import bcc, pyroute2"], capture_output=True, text=True)
    if done.returncode:
        raise Skip(done.stderr.strip().splitlines()[-1])


def documented_keys():
    """Returns the keys of a record in the order of docs/record.md."""
    with open(os.path.join(ROOT, "docs/record.md")) as file:
        table = file.read().split("| key |")[1].split("\n\n")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return [key for row in rows for key in re.findall(r"`(\w+)`", row)]


def boot_ns(start, realtime_minus_boottime):
    """Converts a record's `start` to nanoseconds of CLOCK_BOOTTIME."""
    second = datetime.datetime.strptime(start[:19] + "+0000", "%Y-%m-%dT%H:%M:%S%z")
    utc = int(second.timestamp()) * 10 ** 9 + int(start[20:29])
    return utc - realtime_minus_boottime


def event_of(record, lab):
    """Converts a record to eunomia's event: absent times are -1. It reads the clocks anew: see allow_for_clocks()."""
    times = {key: record.get(key, ABSENT) for key in ("handshake_ns", "syn_finack_ns", "duration_ns")}
    own = [lab.address(1, version) for version in (4, 6)] + ["127.0.0.1", "::1"]
    now, before = (boot_ns(record["start"], one) for one in (peer.realtime_minus_boottime(), lab.realtime_minus_boottime))
    return dict(record, **times, start_ns=now, other_start_ns=before, lost=0,
                direction="outgoing" if record["src_ip"] in own else "incoming")


def allow_for_clocks(facts, nanoseconds=100000):
    for fact in facts:
        if "start_ns" in fact.times:
            lowest, highest = fact.times["start_ns"]
            fact.times["start_ns"] = lowest - nanoseconds, highest + nanoseconds
    return facts


def run(lab, *arguments, before=None, program=PROGRAM, **more):
    """Runs the program to its end. Returns a CompletedProcess with its output as text."""
    def prepare():
        known.enter(lab.here.name)
        if before:
            before()
    return subprocess.run([PYTHON, program, *arguments], capture_output=True, text=True, timeout=60, preexec_fn=prepare,
                          **more)


class Bcc:
    """The program in the lab's namespace; lines() stops it."""

    def __init__(self, lab, *options, interface=known.INTERFACE, namespace=None, may_lose=False, **more):
        need_packages()
        self.lab, self.errors, self.may_lose = lab, "", may_lose
        where = ["-i", interface] if interface else []
        self.process = subprocess.Popen(
            [PYTHON, PROGRAM, *where, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=tracker.prepare_child if namespace else lambda: tracker.prepare(lab.here.name), **more)
        self.wait_for_start()

    def wait_for_start(self):
        deadline = time.monotonic() + START_SECONDS
        while "tracking" not in self.errors:
            if not select.select([self.process.stderr], [], [], max(0, deadline - time.monotonic()))[0]:
                self.process.kill()
                raise AssertionError("did not start: %r" % self.errors)
            text = os.read(self.process.stderr.fileno(), 65536)
            if not text:
                raise AssertionError("ended at once: %r" % self.errors)
            self.errors += text.decode()

    def lines(self, signal_number=signal.SIGINT):
        time.sleep(PRINTED_SECONDS)
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        output, errors = self.process.communicate(timeout=END_SECONDS)
        self.errors += errors
        equal(self.process.returncode, 0, "status after signal %d: %r" % (signal_number, self.errors))
        counts = accounting_line.parse(self.errors)
        check(counts, "the accounting: %r" % self.errors)
        opened, written, silent = counts["records"], counts["written"], counts["filtered"]
        self.still_open, self.lost = counts["open"], counts["lost"]
        equal(written + silent + self.still_open + self.lost, opened, "the accounting's sum: %r" % self.errors)
        equal(written, len(output.splitlines()), "lines, and those written by the accounting")
        check(self.may_lose or not self.lost, "nothing is lost: %r" % self.errors)
        return output.splitlines()

    def records(self, signal_number=signal.SIGINT):
        return [tracker.record_of(line) for line in self.lines(signal_number)]

    def events(self, signal_number=signal.SIGINT):
        return [event_of(record, self.lab) for record in self.records(signal_number)]
