#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""CSV, TSV and trace lines have the same records as JSON, and one heading in each file."""
import csv
import glob
import io
import os
import re
import subprocess
import tempfile

import replay_harness
from replay_harness import check, equal, replay
from pcap import capture, connection

CAPTURES = sorted(glob.glob(os.path.join(replay_harness.ROOT, "tests", "replay", "captures", "*.pcap*")))


def keys_of_the_documentation():
    with open(os.path.join(replay_harness.ROOT, "docs", "record.md")) as page:
        table = page.read().split("## Keys, in order\n\n")[1].split("\n\n")[0]
    return [key for row in re.findall(r"^\| (`.*?`) \|", table, re.M) for key in re.findall(r"`(\w+)`", row)]


def cell(value):
    """The value as a cell (docs/formats.md)."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "+".join(value) if isinstance(value, list) else str(value)


def same_as_json():
    check(CAPTURES, "captures")
    for path in CAPTURES:
        records = replay(None, "--tunnels", file=path).records
        text = replay(None, "--tunnels", "-f", "csv", file=path).output.decode("ascii")
        tabs = replay(None, "--tunnels", "-f", "tsv", file=path).output.decode("ascii")
        rows = list(csv.DictReader(io.StringIO(text)))
        heading, *lines = [line.split("\t") for line in tabs.split("\n")[:-1]]
        equal(len(rows), len(records), f"{path}: records in CSV")
        equal([dict(zip(heading, line)) for line in lines], rows, f"{path}: TSV and CSV")
        for row, record in zip(rows, records):
            equal(row, {key: cell(record.get(key)) for key in row}, path)
            equal(set(record) - set(row), set(), f"{path}: keys without a column")
        documented = [key for key in keys_of_the_documentation() if key in heading]
        equal([key for key in heading if key in documented], documented, "the order of record.md")


def trace_lines():
    packets = connection() + connection(("fd00::9", 40000), ("fd00::1", 80), at=1)
    result = replay(capture(packets), "-f", "trace")
    equal(result.output.decode().splitlines(),
          ["[TC] Total RTT (SYN - FIN-ACK) for 198.18.0.9:40000 -> 198.18.0.1:80: 50000000 ns",
           "[TC] Total RTT (SYN - FIN-ACK) for [fd00::9]:40000 -> [fd00::1]:80: 50000000 ns"], "lines")
    for path in CAPTURES:
        records = replay(None, "--events", "open,close,exit", file=path).records
        result = replay(None, "-f", "trace", "--events", "open,close,exit", file=path)
        expected = {record["id"]: record["syn_finack_ns"] for record in records if "syn_finack_ns" in record}
        figures = [int(line.split(": ")[-1].split()[0]) for line in result.output.decode().splitlines()]
        equal(sorted(figures), sorted(expected.values()), f"{path}: one line for each connection that has the figure")
        check(replay_harness.balances(result.errors), result.errors)
    packets = connection()[:5]
    result = replay(capture(packets + connection(at=1)), "-f", "trace", "-n", "1")
    equal(len(result.output.splitlines()), 1, "-n counts lines")


def one_heading_per_file():
    with tempfile.TemporaryDirectory() as directory:
        for form, first in (("csv", b"v,id,time,"), ("tsv", b"v\tid\ttime\t"), ("trace", b"[TC] ")):
            path = os.path.join(directory, form)
            for _ in range(2):
                equal(replay(capture(connection()), "-f", form, "-o", path).status, 0, "status")
            with open(path, "rb") as file:
                lines = file.read().splitlines()
            equal(len(lines), 2 if form == "trace" else 3, f"{form}: lines")
            equal(sum(line.startswith(b"v") for line in lines), form != "trace", f"{form}: headings")
            check(lines[0].startswith(first), lines[0])


def heading_without_records():
    equal(len(replay(capture([]), "-f", "csv").output.splitlines()), 1, "CSV")
    equal(replay(capture([]), "-f", "trace").output, b"", "trace")


def wrong_format():
    process = subprocess.run([replay_harness.NETRACKER, "replay", "-f", "xml", "-"], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    equal((process.returncode, process.stdout, len(process.stderr.splitlines())), (2, b"", 1), "refused")


if __name__ == "__main__":
    replay_harness.run([same_as_json, trace_lines, one_heading_per_file, heading_without_records, wrong_format])
