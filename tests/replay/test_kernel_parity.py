#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The loaded kernel programs (BPF_PROG_TEST_RUN) and replay give the same records for the same packets.

The test compares each connection of each capture. kernel_replay lists the packets that the kernel side left out, with
the reason. The test also checks how records may differ then, and prints the count of each kind of difference.
"""
import collections
import glob
import json
import os
import subprocess
import tempfile

import replay_harness
from pcap import ACK, RST, SYN
from test_captures import start_ns

KERNEL_REPLAY = os.path.join(replay_harness.ROOT, "build", "tests", "replay", "kernel_replay")
OWN = os.path.join(replay_harness.ROOT, "tests", "replay", "captures")
SHARED = os.path.join(replay_harness.ROOT, "..", "shared", "traces")
SILENT_NS = 2 * 3600 * 1_000_000_000  # src/kernel/sweep.h
NO_PRIVILEGES, KERNEL_LACKS = 3, 4

# Values that are final once the kernel side has reported the end: later packets do not change them.
SETTLED = ("event", "src_ip", "src_port", "dst_ip", "dst_port", "community_id", "vlan", "outcome", "ended_by",
           "conn_state", "start", "duration_ns", "first_fin_ns", "wire_duration_ns", "syn_synack_ns", "synack_ack_ns",
           "handshake_ns", "syn_finack_ns", "id")
HANDSHAKE = ("syn_synack_ns", "synack_ack_ns", "handshake_ns", "syn_finack_ns")
# The kernel side keeps 4 holes in a stream, replay 32 (core/stream.h, src/replay/growing_stream.h).
OF_STREAMS = ("src_bytes", "dst_bytes", "src_retransmits", "dst_retransmits", "gaps", "complete")

found = collections.Counter()


def captures():
    paths = sorted(glob.glob(f"{OWN}/*.pcap*"))
    shared = sorted(path for path in glob.glob(f"{SHARED}/*/*") if ".pcap" in path or ".trace" in path)
    if not shared:
        replay_harness.skip("../shared/traces: does not exist; only the project's own captures are compared")
    return paths + shared


def lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def records_in(path):
    with open(path, encoding="utf-8") as file:
        return [replay_harness.record_of(line) for line in file]


def endpoints(record):
    return tuple(sorted(((record["src_ip"], record["src_port"]), (record["dst_ip"], record["dst_port"]))))


def by_endpoints(records):
    groups = collections.defaultdict(list)
    for record in records:
        groups[endpoints(record)].append(record)
    return groups


def packets_of(record):
    own = record["src_ip"], record["src_port"], record["dst_ip"], record["dst_port"]
    if own[:2] == own[2:]:  # each packet is counted on both sides
        return record["src_packets"]
    return record["src_packets"] + record["dst_packets"]


def end_ns(record):
    return start_ns(record["start"]) + record.get("duration_ns", 0)


def differing(record, other, names):
    return [(name, record.get(name), other.get(name)) for name in names if record.get(name) != other.get(name)]


def shares(records, others):
    """Assigns the others to replay's records of one tuple by time. Returns [(record, [other])]."""
    records = sorted(records, key=lambda record: start_ns(record["start"]))
    shared = [[] for _ in records]
    for other in others:
        at = other.get("ns") or start_ns(other["start"])
        began = [index for index, record in enumerate(records) if start_ns(record["start"]) <= at]
        shared[began[-1] if began else 0].append(other)
    return list(zip(records, shared))


def compare_whole(record, other, where):
    # BPF_PROG_TEST_RUN has none of the capture's interfaces.
    different = differing(record, other, sorted((record.keys() | other.keys()) - {"ifname"}))
    if different and "packets" in other["gaps"] and all(name in OF_STREAMS for name, _, _ in different):
        found["equal, but for a stream with more than 4 holes"] += 1
        return
    found["equal"] += 1
    replay_harness.equal(different, [], where)


def continues_after_reset(record, other):
    """Packets after a RST add to replay's record: a FIN makes Zeek's conn_state SF, a SYN-ACK shows that the attempt
    was not refused, and times of the handshake become known."""
    def is_known_later(name, after, before):
        return (name == "conn_state" or before is None and name in HANDSHAKE or
                name == "outcome" and (after, before) == ("reset", "refused"))

    return other["outcome"] in ("reset", "refused") and all(is_known_later(*each)
                                                            for each in differing(record, other, SETTLED))


def compare_end(record, other, where):
    replay_harness.check(record["history"].startswith(other["history"]), f"{where}: history")
    different = differing(record, other, SETTLED)
    if different and continues_after_reset(record, other):
        found["equal, but for values from packets after a RST"] += 1
    else:
        found["equal, but for packets after the end"] += 1
        replay_harness.equal(different, [], where)


def compare_some(record, others, left_out, where):
    """The kernel side left out packets, and may have made more than one record."""
    other, rest = others[0], others[1:]
    reasons = {packet["why"] for packet in left_out}
    if "fragments" in reasons:  # the first fragment may have been counted
        found["packets in fragments: not reassembled"] += 1
        replay_harness.check(packets_of(other) <= packets_of(record) <= packets_of(other) + len(left_out),
                             f"{where}: packets")
        return
    replay_harness.equal(sum(map(packets_of, others)) + len(left_out), packets_of(record), f"{where}: packets")
    lasts_too_long = "value_range" in record["gaps"]  # for 2^53 ns: its end is unknown
    if other["outcome"] == "expired" and (lasts_too_long or end_ns(record) - end_ns(other) >= SILENT_NS):
        found["idle for 2 hours: expired by the kernel side"] += 1
    elif rest:
        found["a SYN retransmitted after a RST: another connection"] += 1
        replay_harness.equal([each["outcome"] for each in others[:-1]], ["refused"] * len(rest), where)
    elif reasons == {"not tracked"} and all(packet["ns"] >= end_ns(other) for packet in left_out):
        compare_end(record, other, where)
    else:
        found["the first packets left out: no SYN among them"] += 1


def begins(packet):
    return packet["flags"] & (SYN | ACK | RST) == SYN


def compare_connection(record, others, left_out, where):
    replay_harness.check(not any(begins(packet) for packet in left_out if packet["why"] == "not tracked"),
                         f"{where}: a SYN")
    if not others:
        found[f"left out: {left_out[0]['why'] if left_out else '?'}"] += 1
        replay_harness.equal(len(left_out), packets_of(record), f"{where}: packets left out")
    elif len(others) == 1 and not left_out and others[0]["outcome"] == record["outcome"]:
        compare_whole(record, others[0], where)
    else:
        compare_some(record, others, left_out, where)


def compare_tuple(records, others, left_out, where):
    if not records:
        replay_harness.equal(others, [], f"{where}: only in the kernel")
        return
    for (record, own_others), (_, own_left_out) in zip(shares(records, others), shares(records, left_out)):
        at = f"{where} {record['src_ip']}:{record['src_port']} at {record['start']}"
        compare_connection(record, own_others, own_left_out, at)


def compare(path, records, others, left_out):
    records, others, left_out = by_endpoints(records), by_endpoints(others), by_endpoints(left_out)
    for pair in records.keys() | others.keys():
        compare_tuple(records[pair], others[pair], left_out[pair], os.path.basename(path))


def run_kernel(paths, directory, *arguments):
    """Returns the reason why the kernel programs cannot be loaded, or None."""
    process = subprocess.run([KERNEL_REPLAY, *arguments, directory, *paths], stderr=subprocess.PIPE, check=False)
    if process.returncode in (NO_PRIVILEGES, KERNEL_LACKS):
        return process.stderr.decode().strip().splitlines()[-1]
    replay_harness.equal(process.returncode, 0, "status of kernel_replay: " + process.stderr.decode()[-500:])
    return None


def main():
    paths = captures()
    replayed = [replay_harness.replay(None, file=path).records for path in paths]
    for arguments in ((), ("--tables",)):
        found.clear()
        with tempfile.TemporaryDirectory() as directory:
            refused = run_kernel(paths, directory, *arguments)
            if refused:
                replay_harness.skip(refused)
                break
            for number, path in enumerate(paths):
                compare(path, replayed[number], records_in(f"{directory}/{number}.records.jsonl"),
                        lines(f"{directory}/{number}.left_out.jsonl"))
        print(f"{len(paths)} captures", *arguments)
        for kind, count in found.most_common():
            print(f"{count:6} {kind}")


if __name__ == "__main__":
    replay_harness.run([main])
