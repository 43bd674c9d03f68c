#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Lets each allocation site of query fail in turn: the whole answer, or a message about memory and status 1, or 7 if
output had no memory."""
import os
import sys

import made_history as made
from made_history import END, HOUR, HISTORY, RECORDS, ROOT, check, local_time, skip

sys.path.insert(0, os.path.join(ROOT, "tests", "alloc"))
import allocation  # noqa: E402
from allocation import Command  # noqa: E402

FEW = 300
BROKE, LOST = 1, 7
QUESTIONS = (["-f", "csv"], ["-r", "-f", "json", "-c", "nginx"], ["-n", "20", "-f", "csv"], ["comm", "~", "^ng", "-f", "csv"],
             ["--by", "peer,comm", "--sort", "p95:handshake_ns", "-f", "csv"],
             ["--by", "exe", "--new", "-S", local_time(END - 25 * HOUR), "-f", "json"])


def judge(base, outcome):
    if outcome.status == 0:
        return None if outcome.output == base.output else "status 0, but the answer is not whole: %s" % outcome.errors
    if outcome.status in (BROKE, LOST) and outcome.messages and all("memory" in line for line in outcome.messages):
        return None
    return "status %d: %s" % (outcome.status, outcome.errors)


def each_site():
    if not os.access(allocation.PROGRAM, os.X_OK):
        skip("allocations: %s is not built" % allocation.PROGRAM)
        return
    made.write_history(HISTORY + "-few", RECORDS[:FEW])
    known, runs = set(), 0
    for question in QUESTIONS:
        command = Command(" ".join(question), ["query", "-q", "--from", HISTORY + "-few", "-U", local_time(END), *question], judge)
        count, wrong = allocation.try_command(command, known)
        runs += count
        for place, why in wrong:
            check(False, "%s: %s" % (place, why))
    check(runs > 100, "%d runs" % runs)


made.run_tests([each_site])
