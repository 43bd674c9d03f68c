# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads the accounting that a tracker prints when it ends."""
import os
import sys

from traffic import require

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import accounting_line  # noqa: E402

LOST = 7  # exit status
MOST_UNSEEN_ENDS = 2


def account(tracker):
    """Returns {entry: count} as accounting_line.parse() does; a missing accounting is an error."""
    counts = accounting_line.parse(tracker.stderr())
    require(counts, "no accounting on stderr: %r" % tracker.stderr()[-300:])
    return counts


def balances(tracker):
    return accounting_line.balances(tracker.stderr())


def balance_problems(counts):
    right = sum(counts[entry] for entry in ("written", "filtered", "open", "lost"))
    return [] if counts["records"] == right else ["records are unaccounted for: %s" % counts]


def known_lack(counts, wanted):
    """Returns how many of the wanted records are neither written nor lost, if the accounting may have them as open.

    Some kernels run no tracing program while certain tasks are interrupted, and count only some of these events. A
    socket whose end was such an event is open for the tracker.
    """
    lack = wanted - counts["written"] - counts["lost"]
    return lack if 0 < lack <= min(MOST_UNSEEN_ENDS, counts["open"]) else 0


def announcement_problems(tracker, status, cause, count):
    """Expects exit status 7, and one line each for the begin and the end of the loss."""
    text = tracker.stderr()
    problems = ["exit status %d, should be %d" % (status, LOST)] * (status != LOST)
    for line in ("records are being lost: %s; " % cause,
                 "records are no longer lost: %s; %d %s lost\n" % (cause, count, "was" if count == 1 else "were")):
        if text.count("netracker: " + line) != 1:
            problems.append("%r is not there once: %s" % (line, text[-400:]))
    return problems
