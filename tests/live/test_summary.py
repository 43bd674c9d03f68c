#!/usr/bin/python3
"""--summary, live: what open connections move is counted, each byte once, in the interval that it was moved in."""
import os
import re
import sys
import time

from bench import check, main_of_checks
from traffic import exchange

INTERVAL = 0.5
ROW = re.compile(r"^nt-client(?: \(\d+\))? +(\d+) +(\S+) +(\S+) ")


def summed_up(bench, world, *arguments):
    """The lines of the tables; what was moved before tracking is 500 bytes up, 40 down, in it 118 and 5."""
    path = os.path.join(bench.directory, "tables")
    before = world.pairs(1)[0]
    exchange(*before, 500, 40)
    with open(path, "wb") as file:
        tracker = bench.tracker("-o", "/dev/null", "--netns", bench.here.name, "--summary", *arguments, stdout=file)
    exchange(*before, 7, 3)
    during = world.pairs(1)[0]
    exchange(*during, 11, 2)
    time.sleep(2 * INTERVAL)
    exchange(*before, 100, 0)
    time.sleep(2 * INTERVAL)
    client, server = during
    client.close()
    server.receive_eof()
    server.close()
    time.sleep(3 * INTERVAL)
    status = tracker.stop()
    with open(path) as file:
        return file.read().splitlines(), [] if not status and "the books balance" in tracker.stderr() else \
            ["status %d, %s" % (status, tracker.stderr())]


def rows_of(lines):
    """(connections, sent, received) of the clients' process, of each table."""
    return [tuple(map(int, match.groups())) for match in map(ROW.match, lines) if match]


@check("--summary --interval: bytes of connections that stay open, each once, and none from before")
def bytes_of_intervals(bench):
    lines, problems = summed_up(bench, bench.world(), "--interval", str(INTERVAL))
    rows = rows_of(lines)
    sums = tuple(sum(column) for column in zip(*rows))[1:]
    problems += ["sent and received %r, should be (118, 5): %r" % (sums, rows)] * (sums != (118, 5))
    alone = [row for row in rows if row[1:] == (100, 0)]
    problems += ["the 100 bytes are in %d intervals of their own: %r" % (len(alone), rows)] * (len(alone) != 1)
    closes = [line for line in lines if re.match(r"\d+ connections: 1 closed, 1 open$", line)]
    problems += ["one closed, one open: %d times" % len(closes)] * (len(closes) != 1)
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
