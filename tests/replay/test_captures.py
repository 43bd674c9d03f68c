#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Replays captures/ and compares the records with the truth that the captures' generator wrote.

NAME.truth.jsonl belongs to NAME.pcap or NAME.pcapng, and has one line for each connection.
"""
import datetime
import glob
import json
import os
from decimal import Decimal

import replay_harness

CAPTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "captures")
CLOCK_RESOLUTION_NS = 1000  # the truth is exact, but most captures have microseconds


def nanoseconds(timestamp):
    return int(Decimal(timestamp) * 1_000_000_000)


def start_ns(text):
    whole, fraction = text.rstrip("Z").split(".")
    return int(datetime.datetime.fromisoformat(whole + "+00:00").timestamp()) * 1_000_000_000 + int(fraction)


def times_of(truth):
    def span(last, first):
        if truth[last] is None or truth[first] is None:
            return None
        return nanoseconds(truth[last]) - nanoseconds(truth[first])

    return {
        "start_ns": nanoseconds(truth["syn_ts"] or truth["first_ts"]),
        "syn_synack_ns": span("synack_ts", "syn_ts"),
        "synack_ack_ns": span("handshake_ack_ts", "synack_ts"),
        "handshake_ns": span("handshake_ack_ts", "syn_ts"),
        "syn_finack_ns": span("resp_fin_ts", "syn_ts"),
    }


def counts_of(truth):
    return {
        "src_ip": truth["init_h"], "src_port": truth["init_p"], "dst_ip": truth["resp_h"], "dst_port": truth["resp_p"],
        "src_packets": truth["init_pkts"], "dst_packets": truth["resp_pkts"],
        "src_bytes": truth["init_stream_bytes"], "dst_bytes": truth["resp_stream_bytes"],
        "src_retransmits": truth["init_rexmit_segs"], "dst_retransmits": truth["resp_rexmit_segs"],
    }


def outcome_of(truth):
    if truth["init_fin_ts"] and truth["resp_fin_ts"]:
        return "closed"
    if truth["rst_ts"]:
        return "refused" if truth["rst_by"] == "resp" and truth["syn_ts"] and not truth["synack_ts"] else "reset"
    return None  # the truth has no end


def differences(truth, record):
    found = []
    for name, expected in times_of(truth).items():
        actual = start_ns(record["start"]) if name == "start_ns" else record.get(name)
        near = expected is not None and actual is not None and abs(actual - expected) < CLOCK_RESOLUTION_NS
        if not near and actual != expected:
            found.append((name, expected, actual))
    for name, expected in counts_of(truth).items():
        # If no packet of a side was captured, its counts are unknown, not 0.
        if record.get(name) != expected and not (expected == 0 and name not in record and record["dst_packets"] == 0):
            found.append((name, expected, record.get(name)))
    expected = outcome_of(truth)
    if expected and record["outcome"] != expected:
        found.append(("outcome", expected, record["outcome"]))
    return found


def flipped(truth):
    """The truth with swapped sides: without a SYN the opener is unknown."""
    swap = {"init": "resp", "resp": "init"}
    out = {}
    for name, value in truth.items():
        head, _, tail = name.partition("_")
        out[f"{swap.get(head, head)}_{tail}" if tail else name] = value
    if truth["rst_by"]:
        out["rst_by"] = swap[truth["rst_by"]]
    return out


def matches(truth, record):
    variants = [truth] if truth["init_basis"] in ("syn", "synack") else [truth, flipped(truth)]
    return min((differences(variant, record) for variant in variants), key=len)


def compare(path):
    name = os.path.basename(path)
    with open(path.rsplit(".", 1)[0] + ".truth.jsonl", encoding="utf-8") as file:
        truths = [json.loads(line) for line in file if line.strip()]
    result = replay_harness.replay(None, "--tunnels", file=path)
    replay_harness.equal(result.status, 0, name)
    records = result.records
    replay_harness.equal(len(records), len(truths), f"{name}: records")
    for truth in truths:
        if not records:
            break
        best = min(records, key=lambda record: len(matches(truth, record)))
        replay_harness.equal(matches(truth, best), [], f"{name}: connection from port {truth['init_p']}")
        records.remove(best)


def main():
    paths = sorted(path for path in glob.glob(os.path.join(CAPTURES, "*.pcap*")))
    replay_harness.run([lambda path=path: compare(path) for path in paths])


if __name__ == "__main__":
    main()
