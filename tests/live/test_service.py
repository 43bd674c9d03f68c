#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests what services and alerts need: the exit status, the files, the unit and the rotation of packaging/."""
import contextlib
import errno
import os
import pty
import subprocess
import sys

from bench import check, main_of_checks
from places import outgoing
from tracker import PROGRAM, prepare
from traffic import exchange_all, require

EACH = 3
MATCHED = 6
RECORD_SECONDS = 5
REFUSED_PORT = 9


def close_all(pairs):
    for client, server in pairs:
        client.close()
        server.receive_eof()
        server.close()


def refuse(world, client):
    end = world.attempt(client, world.place.server.address, REFUSED_PORT)
    require(end.errno == errno.ECONNREFUSED, "connect: %d" % end.errno)
    end.close_quietly()


@check("--fail-if-any: status 6 if a record matched")
def fails_if_any(bench):
    world = bench.world(outgoing)
    address = world.place.client.address
    failures, others, first = [bench.tracker("--net", address, "--fail-if-any", *arguments)
                               for arguments in (("-x",), ("-x", "-D", "1"), ("-n", "1"))]
    pairs = world.pairs(EACH)
    exchange_all(pairs)
    problems = []
    for arguments, expected in ((["host", address], MATCHED), (["host", address, "and", "dport", "1"], 0)):
        done = subprocess.run([PROGRAM, "list", "--fail-if-any", *arguments], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, preexec_fn=lambda: prepare(bench.here.name))
        problems += ["list %s: status %d" % (arguments, done.returncode)] * (done.returncode != expected)
    close_all(pairs)
    refuse(world, pairs[0][0].peer)
    failures.wait(lambda got: bench.own(got), RECORD_SECONDS)
    statuses = failures.stop(), others.stop(), first.collect()
    if statuses != (MATCHED, 0, MATCHED):
        problems.append("statuses of -x, of -x without a match, and of -n 1: %s" % (statuses,))
    return problems


def start_messages(bench, *arguments, terminal):
    """Returns what a tracker prints on stderr, a terminal or a pipe, without the accounting."""
    here, there = pty.openpty() if terminal else os.pipe()
    process = subprocess.Popen([PROGRAM, "-t", "0.1", *arguments], stdin=subprocess.DEVNULL, stderr=there,
                               stdout=subprocess.DEVNULL, preexec_fn=lambda: prepare(bench.here.name))
    os.close(there)
    text = b""
    with contextlib.suppress(OSError):  # EIO: the terminal's other side is closed
        while data := os.read(here, 4096):
            text += data
    process.wait()
    os.close(here)
    return [line for line in text.decode().splitlines() if "records:" not in line]


@check("a terminal gets a line when tracking begins; not with -q, and not a pipe")
def start_note(bench):
    bench.world(outgoing)
    interfaces = len(bench.here.run("ip", "-o", "link").stdout.splitlines())
    problems = []
    for terminal, arguments, expected in (
            (True, [], ["netracker: tracking sockets, and packets on %d interfaces; each connection's record follows "
                        "when it ends; ends after 100ms, or with Ctrl-C" % interfaces]),
            (True, ["-i", "none", "--events", "open", "port", "9"],
             ["netracker: tracking sockets; filter: port 9; ends after 100ms, or with Ctrl-C"]),
            (True, ["-q"], []), (False, [], [])):
        found = start_messages(bench, *arguments, terminal=terminal)
        problems += ["%s on a %s: %s" % (arguments, "terminal" if terminal else "pipe", found)] * (found != expected)
    return problems


if __name__ == "__main__":
    sys.exit(main_of_checks())
