#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests --resolve of live tracking and of netracker list, with names from files of the test's own."""
import os
import re
import subprocess
import sys
import time

from bench import check, main_of_checks
from harness import Skip
from tracker import PROGRAM, prepare
from traffic import exchange

import name_files  # tracker sets its path

SECONDS = 20


def with_names(bench, hosts, sources="files"):
    """Returns the words of a command that runs the program with these names."""
    if name_files.lacking():
        raise Skip("%s does not exist" % name_files.lacking())
    directory = os.path.join(bench.directory, "names-" + bench.here.name)
    os.makedirs(directory, exist_ok=True)
    name_files.write_files(directory, hosts, sources)
    return name_files.command_with_files(directory, PROGRAM)


def run_connection(world):
    client, server = world.pairs(1)[0]
    exchange(client, server, 10, 5)
    client.close()
    server.receive_eof()
    server.close()


def wait_for_lines(tracker, lines):
    """Appends the lines that come until there is one more at least."""
    before, deadline = len(lines), time.monotonic() + SECONDS
    while len(lines) == before and time.monotonic() < deadline:
        lines += [line for line in tracker.lines() if not line.startswith(("TIME", "--"))]
        time.sleep(0.02)


def shown_servers(lines, world):
    """Returns what DST shows, without the port, of the clients' connections to the world's server."""
    return [line.split()[5].rpartition(":")[0] for line in lines if " client " in line]


@check("live tracking shows a name as soon as it is known, and the address before")
def check_live(bench):
    world = bench.world()
    address = world.place.server.address
    program = with_names(bench, "%s server.test\n" % address)
    tracker = bench.tracker("--resolve", "--net", address, "--netns", bench.here.name, format="text", program=program)
    lines = []
    deadline = time.monotonic() + SECONDS
    while "server.test" not in shown_servers(lines, world) and time.monotonic() < deadline:
        run_connection(world)
        wait_for_lines(tracker, lines)
    status = tracker.stop()
    shown = shown_servers(lines, world)
    problems = [] if not status else ["status %d" % status]
    if shown[-1:] != ["server.test"] or set(shown) - {address, "server.test"}:
        problems.append("lines: %r" % lines)
    return problems


@check("the last tables of --summary wait for names")
def check_summary(bench):
    world = bench.world()
    address = world.place.server.address
    path = os.path.join(bench.directory, "tables")
    with open(path, "wb") as file:
        tracker = bench.tracker("-o", "/dev/null", "--summary", "--resolve", "--net", address, "--netns",
                                bench.here.name, stdout=file, program=with_names(bench, "%s server.test\n" % address))
    run_connection(world)
    status = tracker.stop()
    with open(path) as file:
        text = file.read()
    row = re.search(r"^PEER .*\n(\S+) +1 ", text, re.MULTILINE)
    return [] if not status and row and row[1] == "server.test" else ["status %d: %s" % (status, text)]


@check("netracker list waits for names")
def check_list(bench):
    world = bench.world()
    address = world.place.server.address
    program = with_names(bench, "%s server.test\n" % address)
    client, server = world.pairs(1)[0]
    problems = []
    for arguments in ([], ["--sort", "age"], ["-n", "1"], ["--top", "1"]):
        done = subprocess.run([*program, "list", "--resolve", "--columns", "role,dst", "--no-header", "--netns",
                               bench.here.name, *arguments], preexec_fn=lambda: prepare(bench.here.name),
                              capture_output=True, text=True)
        names = [line.split()[1].partition(":")[0] for line in done.stdout.splitlines()]
        if done.returncode or names != ["server.test"]:
            problems.append("%r: status %d, %r, %s" % (arguments, done.returncode, done.stdout, done.stderr))
    client.close()
    server.close()
    return problems


@check("a name server that never answers delays neither records nor the end")
def check_silent_server(bench):
    world = bench.world()
    address = world.place.server.address
    program = with_names(bench, "", "dns")
    silent = subprocess.Popen([sys.executable, "-c", name_files.SILENT_SERVER], stdout=subprocess.PIPE,
                              preexec_fn=lambda: prepare(bench.here.name))
    try:
        silent.stdout.readline()
        tracker = bench.tracker("--resolve", "--net", address, "--netns", bench.here.name, format="text",
                                program=program)
        lines = []
        began = time.monotonic()
        run_connection(world)
        wait_for_lines(tracker, lines)
        asked = silent.stdout.readline()
        stopped = time.monotonic()
        status = tracker.stop()
        ended = time.monotonic()
    finally:
        silent.kill()
        silent.wait()
    problems = [] if not status and asked == b"asked\n" else ["status %d, name server: %r" % (status, asked)]
    if shown_servers(lines, world) != [address]:
        problems.append("lines: %r" % lines)
    if stopped - began > 10 or ended - stopped > 15:
        problems.append("%.1f s to the record, %.1f s to the end" % (stopped - began, ended - stopped))
    return problems


if __name__ == "__main__":
    sys.exit(main_of_checks())
