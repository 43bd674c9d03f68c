#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""--summary and --interval in replay: the tables against packets that this program makes, and against the records."""
import glob
import os
import re
import subprocess
import tempfile

import replay_harness
from replay_harness import check, equal, replay
from pcap import ACK, CLIENT, RST, SERVER, SYN, capture, connection, packet

CAPTURES = sorted(glob.glob(os.path.join(replay_harness.ROOT, "tests", "replay", "captures", "*.pcap*")))


def run(capture_bytes, *arguments, file="-", stdout=subprocess.PIPE):
    process = subprocess.run([replay_harness.NETRACKER, "replay", *arguments, file], input=capture_bytes, stdout=stdout,
                             stderr=subprocess.PIPE, timeout=60, check=False)
    process.lines = process.stdout.decode("ascii").splitlines() if process.stdout is not None else []
    process.errors = process.stderr.decode("ascii")
    return process


def rows(lines, heading):
    """The table as {name: [connections, sent, received, reset, refused, timeout, unreachable]}, all as text."""
    found, at = {}, next((i for i, line in enumerate(lines) if line.startswith(heading + " ")), None)
    while at is not None and at + 1 < len(lines) and lines[at + 1]:
        at += 1
        *name, numbers = re.match(r"(.*?)\s+((?:\S+\s+){6}\S+)$", lines[at]).groups()
        found[name[0]] = numbers.split()
    return found


def refused(client=CLIENT, server=SERVER, at=0):
    return [(at, packet(client, server, SYN, 1)), (at + 0.001, packet(server, client, RST | ACK, 0, 2))]


def tables():
    packets = connection() + connection(("198.18.0.8", 2), at=1) + refused(("198.18.0.7", 3), ("198.18.0.2", 443), at=2)
    packets += connection(("fd00::9", 4), ("fd00::1", 80), at=3)[:5]
    process = run(capture(packets), "--summary")
    equal(process.returncode, 0, "status")
    check("4 records: 3 written, 0 filtered, 1 open, 0 lost" in process.errors, process.errors)
    equal(process.lines[:2], ["4 connections: 2 closed, 1 refused, 1 open", "sent 30, received 60"], "totals")
    equal(rows(process.lines, "PEER"), {"198.18.0.1": ["2", "20", "40", "0", "0", "0", "0"],
                                        "fd00::1": ["1", "10", "20", "0", "0", "0", "0"],
                                        "198.18.0.2": ["1", "0", "0", "0", "1", "0", "0"]}, "peers")
    equal(rows(process.lines, "PROCESS"), {}, "a capture has no processes")
    at = process.lines.index("SLOWEST HANDSHAKES")
    equal(len(process.lines[at + 1:]), 3, "handshakes")
    equal(process.lines[at + 1], "11.0ms  198.18.0.9:40000 -> 198.18.0.1:80", "the first of equals")
    check(all(len(line) <= 80 for line in process.lines), process.lines)


def filters_hold():
    packets = connection() + refused(("198.18.0.7", 3), ("198.18.0.2", 443), at=2)
    process = run(capture(packets), "--summary", "--outcome", "refused")
    equal(process.lines[0], "1 connection: 1 refused", "totals")
    check("1 written, 1 filtered (1 by options)," in process.errors, process.errors)


def same_as_records():
    """For all captures, connections, outcomes and bytes by peer equal those of the records."""
    check(CAPTURES, "captures")
    for path in CAPTURES:
        records = replay(None, "--tunnels", file=path).records
        lines = run(None, "--tunnels", "--summary", file=path).lines
        equal(int(lines[0].split()[0]), len(records), f"{path}: connections")
        peers = rows(lines, "PEER")
        equal(sum(int(numbers[0]) for numbers in peers.values()), len(records), f"{path}: connections of the rows")
        for peer, numbers in peers.items():
            of_peer = [record for record in records if record["dst_ip"] == peer]
            if peer == "others":
                continue
            outcomes = [record["outcome"] for record in of_peer]
            equal([int(numbers[0])] + [int(number) for number in numbers[3:]],
                  [len(of_peer)] + [outcomes.count(word) for word in ("reset", "refused", "timeout", "unreachable")],
                  f"{path}: {peer}")
            sent = sum(record.get("src_bytes", 0) for record in of_peer)
            if sent < 1000 and all("src_bytes" in record for record in of_peer):
                equal(numbers[1], str(sent), f"{path}: {peer}: sent")


def records_into_a_file():
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "records")
        process = run(capture(connection() + refused(("198.18.0.7", 3), at=2)), "--summary", "-f", "json", "-o", path)
        equal((process.returncode, process.lines[0]), (0, "2 connections: 1 closed, 1 refused"), "tables")
        with open(path) as file:
            equal([replay_harness.record_of(line)["outcome"] for line in file], ["closed", "refused"], "records")


def intervals():
    """Intervals follow the capture's clock. Each connection is in one of them; an empty interval has no tables."""
    packets = [refused(("198.18.0.7", 1000 + number), at=number * 0.4) for number in range(10)]
    packets += [refused(("198.18.0.7", 9), at=5000)]
    for rules in ([], ["--like", "zeek", "-C"]):
        process = run(capture(sum(packets, [])), "--summary", "--interval", "1s", *rules)
        starts = [line for line in process.lines if line.startswith("from ")]
        check(1 < len(starts) < 10, f"{rules}: {len(starts)} tables")
        equal(starts[0], "from 2023-11-14T22:13:20.000Z to 2023-11-14T22:13:21.000Z", f"{rules}: the first")
        counts = [int(line.split()[0]) for line in process.lines if re.match(r"\d+ connections?\b", line)]
        equal((len(counts), sum(counts)), (len(starts), 11), f"{rules}: connections in all")


def refusals():
    for arguments, word in ((["--interval", "1s"], "--summary"), (["--summary", "-f", "json"], "-o"),
                            (["--summary", "--host", "a"], "-o"), (["--summary", "--interval", "0"], "at least 0.1s"),
                            (["--summary", "--interval", "x"], "at least 0.1s")):
        process = run(b"", *arguments)
        equal((process.returncode, process.lines, len(process.errors.splitlines())), (2, [], 1), f"{arguments}")
        check(word in process.errors, process.errors)


def bad_outputs():
    with open("/dev/full", "w") as full:
        process = run(capture(connection()), "--summary", stdout=full)
    equal(process.returncode, 1, "a full disk")
    check("cannot write" in process.errors and "0 written" in process.errors, process.errors)
    check(replay_harness.balances(process.errors), process.errors)


if __name__ == "__main__":
    replay_harness.run([tables, filters_hold, same_as_records, records_into_a_file, intervals, refusals, bad_outputs])
