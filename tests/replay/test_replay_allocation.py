#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Lets each allocation site of replay and explain fail in turn: one clear line and status 1, or 7 where records were
lost, and losses are counted.
"""
import json
import os
import subprocess
import sys
import tempfile

import replay_harness
import pcap
from pcap import ACK, PSH

sys.path.insert(0, os.path.join(replay_harness.ROOT, "tests", "alloc"))
import allocation  # noqa: E402
from allocation import Command  # noqa: E402

CAPTURES = os.path.join(replay_harness.ROOT, "tests", "replay", "captures")
BROKE, LOST = 1, 7
MANY = 1100  # more than the initial size of the tables of both rules


def holes(client, server):
    """Segments with gaps between them, in both directions, then the segments that fill the gaps."""
    packets = pcap.connection(client, server)[:3]
    for source, destination, isn in ((client, server, 1000), (server, client, 51000)):
        for number in (*range(1, 20, 2), *range(0, 20, 2)):
            packets.append((1 + len(packets) / 1000, pcap.packet(source, destination, ACK | PSH, isn + 1 + 10 * number,
                                                                  1, payload=b"d" * 10)))
    return packets


def many_at_once():
    """Connections that are open at the same time; some are closed then, and one has holes."""
    packets = []
    for number in range(MANY):
        client = ("198.18.%d.%d" % (number >> 8, number & 255), 40000)
        at = number / 1e6
        packets += [(time + at, frame) for time, frame in pcap.connection(client)[:8 if number % 50 == 0 else 2]]
    packets += holes(("198.18.9.9", 40009), pcap.SERVER)
    return pcap.capture(sorted(packets, key=lambda one: one[0]))


def close_records(outcome):
    """Lines of close records; in other formats than JSON, all lines but those of text that have a date."""
    if outcome.output.startswith(b"{"):
        return outcome.output.count(b'"event":"close"')
    return sum(not line.startswith(b"-- ") for line in outcome.output.splitlines())


def judge_tables(base, outcome):
    """All tables, or a message about memory. Formats for programs name what found no room in a row for others, so they may
    have more rows."""
    if not outcome.balances:
        return "does not balance: %s" % outcome.errors
    if outcome.says_memory():
        lost = outcome.accounting and outcome.accounting["lost"]
        return "status 0, but lost: %s" % outcome.errors if lost and not outcome.status else None
    if outcome.status or outcome.messages:
        return "status %d: %r" % (outcome.status, outcome.messages)
    return None if outcome.output.count(b"connections") >= base.output.count(b"connections") else "tables are missing"


def judge_replay(base, outcome):
    """Status 1 or 7 and one clear line, or all records. Written and lost records are in the accounting in all cases."""
    if not outcome.balances:
        return "does not balance: %s" % outcome.errors
    if outcome.status and (outcome.status not in (BROKE, LOST) or not outcome.says_memory()):
        return "status %d: %r" % (outcome.status, outcome.messages)
    if outcome.status == LOST and not outcome.announces_loss():
        return "status %d, but nothing is lost: %s" % (outcome.status, outcome.errors)
    if outcome.status == 0 and outcome.messages:
        return "status 0, but says %r" % outcome.messages
    missing = close_records(base) - close_records(outcome)
    written = outcome.accounting["written"] if outcome.accounting else 0
    if outcome.output and missing != base.accounting["written"] - written:
        return "%d close records are missing, %d of %d written: %s" % (missing, written, base.accounting["written"],
                                                                       outcome.errors)
    if outcome.status == 0 and (missing or outcome.accounting["lost"]):
        return "%d close records are missing, and the status is 0: %s" % (missing, outcome.errors)
    return None


def judge_json(base, outcome):
    """Like judge_replay(); also, a record that differs must not be `complete`."""
    reason = judge_replay(base, outcome)
    right = set(base.output.splitlines())
    wrong = [line for line in outcome.output.splitlines() if line not in right and b'"complete":true' in line]
    if wrong and not outcome.status:
        return reason or "a wrong record that claims to be complete: %s" % wrong[0]
    return reason


def judge_zeek(base, outcome):
    """For conn.log and trace lines, where not every line is a record."""
    if outcome.status == 0 and outcome.output.count(b"\n") == base.output.count(b"\n"):
        return None
    if not outcome.balances:
        return "does not balance: %s" % outcome.errors
    return None if outcome.status in (BROKE, LOST) and outcome.says_memory() else \
        "status %d: %s" % (outcome.status, outcome.errors)


def judge_plain(base, outcome):
    """All of the output, or status 1 and one clear line."""
    if outcome.status == base.status:
        return None if outcome.output == base.output else "status %d, but the output is not whole: %s" % (
            outcome.status, outcome.errors)
    if outcome.status == 1 and outcome.says_memory():
        return None
    return "status %d: %r" % (outcome.status, outcome.messages)


def replays(many):
    fragments, tunnel, pcapng = (os.path.join(CAPTURES, name) for name in
                                 ("tcp_fragments.pcap", "link_ipip.pcap", "fmt_pcapng_2sections.pcapng"))
    files = [fragments, tunnel, pcapng, many]
    options = {"text": ("-f", "text", "--events", "close"), "json": ("-f", "json", "--events", "open,close,exit"),
               "csv": ("-f", "csv", "--events", "close"), "tsv": ("-f", "tsv", "--events", "close"),
               "trace": ("-f", "trace"), "tunnels": ("-f", "json", "--tunnels"),
               "summary": ("--summary",), "intervals": ("--summary", "--interval", "1s"),
               "summary, json": ("--summary", "-f", "json"), "summary, csv": ("--summary", "-f", "csv"),
               "filters": ("-f", "json", "-D", "80", "--outcome", "closed", "--net", "198.18.0.0/15"),
               "like zeek": ("--like", "zeek", "-f", "zeek"), "like zeek, json": ("--like", "zeek", "-C", "-f", "json")}
    judges = {"summary": judge_tables, "intervals": judge_tables, "summary, json": judge_tables,
              "summary, csv": judge_tables, "trace": judge_zeek, "like zeek": judge_zeek}
    for name, arguments in options.items():
        judge = judges.get(name, judge_json if "json" in arguments else judge_replay)
        yield Command("replay, " + name, ["replay", *arguments, *files], judge)
    yield Command("replay, -o", ["replay", "-f", "json", *files], judge_json, output_file=True)
    yield Command("replay, -o and summary", ["replay", "--summary", "-f", "json", *files], judge_tables,
                  output_file=True)
    with open(tunnel, "rb") as file:
        yield Command("replay, standard input", ["replay", "-f", "json", "-"], judge_json, file.read())


def explanations(directory):
    captures = [os.path.join(CAPTURES, name) for name in ("tcp_fragments.pcap", "tcp_rst_reject.pcap")]
    lines = subprocess.run([replay_harness.NETRACKER, "replay", "-q", "-f", "json", "--events", "open,close,exit",
                            *captures],
                           capture_output=True, check=True).stdout
    record = dict(json.loads(lines.splitlines()[0]), comm="a name", exe="/x y", cgroup="/c\"", host="h", ifname="eth0")
    unusual = json.dumps(record).encode() + b"\n{\"v\":1,\"event\":\"novel\"}\nno record\n{\"v\":2}\n"
    path = os.path.join(directory, "records.json")
    with open(path, "wb") as file:
        file.write(lines)
    yield Command("explain, a file", ["explain", path], judge_plain)
    yield Command("explain, unusual lines", ["explain", "-"], judge_unusual_lines, unusual)
    yield Command("explain, one id", ["explain", "--id", record["id"], path], judge_plain)


def judge_unusual_lines(base, outcome):
    """The status is 1 in any case: the same output and messages, or a message about memory."""
    if outcome.status == base.status and any("memory" in line for line in outcome.messages):
        return None
    if (outcome.status, outcome.output, outcome.messages) == (base.status, base.output, base.messages):
        return None
    return "status %d: %r" % (outcome.status, outcome.messages)


def without_root():
    for arguments in (["--help"], ["list", "--help"], ["replay", "--help"], ["status", "--help"], ["--version"],
                      ["replay", "/nowhere"], ["list", "--nonsense"]):
        yield Command(" ".join(arguments), arguments, judge_plain)


def test_sites():
    known, runs = set(), 0
    with tempfile.TemporaryDirectory() as directory:
        many = os.path.join(directory, "many.pcap")
        with open(many, "wb") as file:
            file.write(many_at_once())
        for command in (*replays(many), *explanations(directory), *without_root()):
            count, wrong = allocation.try_command(command, known)
            runs += count
            for run, reason in wrong:
                replay_harness.check(False, "%s: %s" % (run, reason))
            replay_harness.check(True, command.name)
    print("%d sites, %d runs" % (len(known), runs))


if __name__ == "__main__":
    replay_harness.run([test_sites])
