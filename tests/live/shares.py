# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads the counts by which the kernel's tables are shared fairly (core/share.h)."""
import os
import struct
import time

from kernel_maps import map_of
from tracker import ROOT

TABLES = ("sockets", "half_open", "established")  # enum nt_fair_table
FIRST_SHARE = 64  # its offset in struct nt_shares
AT_REST_SECONDS = 5
SMALL_MACHINE = os.path.join(ROOT, "build", "tests", "small_machine.so")


def on_small_machine():
    """Returns the environment of a tracker with the smallest tables."""
    return dict(os.environ, LD_PRELOAD=SMALL_MACHINE)


def counts(tracker, name):
    """Returns the number of entries of a table, the tracker's count of them, and the sum of its shares."""
    table, shares = map_of(tracker.process.pid, name), map_of(tracker.process.pid, "shares")
    value = shares.entries()[TABLES.index(name).to_bytes(4, "little")]
    of = struct.unpack("=%di" % ((len(value) - FIRST_SHARE) // 4), value[FIRST_SHARE:])
    found = len(table.entries()), struct.unpack_from("=i", value)[0], sum(of)
    table.close()
    shares.close()
    return found


def drift_problems(tracker):
    """Expects each count to be the number of entries. Other connections of the machine may come and go meanwhile."""
    problems = []
    for name in TABLES:
        deadline = time.monotonic() + AT_REST_SECONDS
        while len(set(counts(tracker, name))) != 1 and time.monotonic() < deadline:
            time.sleep(0.1)
        found = counts(tracker, name)
        if len(set(found)) != 1:
            problems.append("%s has %d entries, but %d are counted, %d in shares" % (name, *found))
    return problems
