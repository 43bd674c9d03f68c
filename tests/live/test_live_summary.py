#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""--summary, live: what open connections move is counted, each byte once, in the interval that it was moved in."""
import os
import re
import sys
import time
from datetime import datetime

from account import balances
from bench import check, main_of_checks
from traffic import exchange, require

INTERVAL = 0.5
TABLES_SECONDS = 60
ROW = re.compile(r"^nt-client(?: \(\d+\))? +(\d+) +(\S+) +(\S+) ")


def lines_of(path):
    """Of whole tables; each ends with an empty line, or with the file."""
    with open(path) as file:
        return file.read().splitlines()


def wait_for_tables(path, enough):
    deadline = time.monotonic() + TABLES_SECONDS
    while not enough(lines_of(path)):
        require(time.monotonic() < deadline, "the tables are: %r" % lines_of(path))
        time.sleep(INTERVAL / 10)


def summed_up(bench, world, *arguments):
    """The lines of the tables; what was moved before tracking is 500 bytes up, 40 down, in it 118 and 5.

    With an interval each step is told before the next is taken.
    """
    path = os.path.join(bench.directory, "tables")
    before = world.pairs(1)[0]
    exchange(*before, 500, 40)
    with open(path, "wb") as file:
        tracker = bench.tracker("-o", "/dev/null", "--netns", bench.here.name, "--summary", *arguments, stdout=file)

    def wait_until_told(enough):
        if "--interval" in arguments:
            wait_for_tables(path, enough)

    exchange(*before, 7, 3)
    during = world.pairs(1)[0]
    exchange(*during, 11, 2)
    wait_until_told(lambda lines: sum_of(lines) == (18, 5))
    exchange(*before, 100, 0)
    wait_until_told(lambda lines: sum_of(lines) == (118, 5))
    client, server = during
    client.close()
    server.receive_eof()
    server.close()
    wait_until_told(lambda lines: any(" closed" in line for line in lines))
    status = tracker.stop()
    return lines_of(path), [] if not status and balances(tracker) else \
        ["status %d, %s" % (status, tracker.stderr())]


def rows_of(lines):
    """(connections, sent, received) of the clients' process, of each table."""
    return [tuple(map(int, match.groups())) for match in map(ROW.match, lines) if match]


def sum_of(lines):
    """Bytes sent and received, of all tables."""
    return tuple(sum(row[way] for row in rows_of(lines)) for way in (1, 2))


def times_of(lines):
    """Seconds: where each interval begins and ends."""
    found = [re.match(r"from (\S+)Z to (\S+)Z$", line) for line in lines]
    return [tuple(datetime.fromisoformat(text).timestamp() for text in match.groups()) for match in found if match]


def interval_problems(lines):
    """Each begins where the one before ended: no moment is in two or in none."""
    times = times_of(lines)
    return ["%.3f s between two intervals" % (begins - ended)
            for (_, ended), (begins, _) in zip(times, times[1:]) if begins != ended]


@check("--summary --interval: bytes of connections that stay open, each once, and none from before")
def bytes_of_intervals(bench):
    lines, problems = summed_up(bench, bench.world(), "--interval", str(INTERVAL))
    rows = rows_of(lines)
    problems += interval_problems(lines)
    problems += ["sent and received %r, should be (118, 5): %r" % (sum_of(lines), rows)] * (sum_of(lines) != (118, 5))
    alone = [row for row in rows if row[1:] == (100, 0)]
    problems += ["the 100 bytes are in %d intervals of their own: %r" % (len(alone), rows)] * (len(alone) != 1)
    closes = [line for line in lines if re.match(r"\d+ connections: 1 closed, 1 open$", line)]
    problems += ["one closed, one open: %d times: %r" % (len(closes), lines)] * (len(closes) != 1)
    return problems


@check("--summary: what was moved while tracking, by those that are still open too")
def bytes_of_the_run(bench):
    lines, problems = summed_up(bench, bench.world())
    problems += ["%r" % lines[:2]] * (lines[:2] != ["2 connections: 1 closed, 1 open", "sent 118, received 5"])
    busiest = lines[lines.index("  SENT   RECV BUSIEST CONNECTIONS") + 1:][:2]
    moved = [tuple(line.split()[:2]) for line in busiest]
    return problems + ["the busiest: %r" % busiest] * (moved != [("107", "3"), ("11", "2")])


if __name__ == "__main__":
    sys.exit(main_of_checks())
