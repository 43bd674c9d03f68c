#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures whose clock jumps: wrong times of single packets age nobody, a clock that was set does (docs/record.md)."""
import os
import re
import struct
import tempfile

from pcap import ACK, FIN, START, SYN, capture, connection, ethernet, packet
from replay_harness import check, equal, holds, replay, run

S = 1_000_000_000
MS = 1_000_000
YEAR = 365 * 24 * 3600
CLIENTS = [("198.18.0.9", 40000 + number) for number in range(5)]
STEPS = {"SYN": 0, "SYN-ACK": 1, "ACK": 2, "data": 3, "answer": 4, "FIN": 5, "second FIN": 6, "last ACK": 7}
SPANS = ("duration_ns", "wire_duration_ns", "handshake_ns", "syn_synack_ns", "synack_ack_ns", "syn_finack_ns",
         "first_fin_ns")


def connections(at=0.0):
    return [each for number, client in enumerate(CLIENTS) for each in connection(client, at=at + number)]


def read(packets, *arguments, piped=False):
    if piped:
        return replay(capture(packets), *arguments)
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "a.pcap")
        with open(path, "wb") as file:
            file.write(capture(packets))
        return replay(None, *arguments, file=path)


def whole(result, text, count=5):
    equal([(r["outcome"], r["src_packets"], r["dst_packets"], r["src_bytes"], r["dst_bytes"])
           for r in result.records], [("closed", 5, 3, 10, 20)] * count, text)


def wrong_time_of_each_packet():
    good = {record["src_port"]: record for record in read(connections()).records}
    for jump in (YEAR, -YEAR, -150, 300, 4294.9):
        for name, step in STEPS.items():
            packets = connections()
            at = 2 * len(STEPS) + step
            packets[at] = (packets[at][0] + jump, packets[at][1])
            for piped in (False, True):
                result = read(packets, piped=piped)
                whole(result, f"{name} {jump} s, pipe {piped}")
                if piped:
                    continue
                for record in result.records:
                    for span in SPANS:
                        same = record.get(span) == good[record["src_port"]].get(span)
                        check(same or record["src_port"] == 40002 and span not in record, f"{name} {jump} s: {span}")
                check(all(record["start"].startswith("2023-11-14T22:13:2") for record in result.records),
                      f"{name} {jump} s: start")
                check(re.search("times? far from", result.errors), f"{name} {jump} s: message")


def wrong_times_around_other_packets():
    """Of frames without TCP, and several in a row."""
    packets = connections()
    for jump in (YEAR, -YEAR, 3600):
        for many in (1, 2, 4):
            wrong = [(2.035 + jump + number, ethernet(b"\\x01" * 40, 0x88b5)) for number in range(many)]
            whole(read(packets[:20] + wrong + packets[20:]), f"{many} of {jump} s")
            whole(read(wrong + packets), f"{many} of {jump} s at first")
            whole(read(packets + wrong), f"{many} of {jump} s at last")


def first_times_wrong():
    """Of the SYN with which the capture begins. Nothing else is aged, and no span from it is known."""
    good = {record["src_port"]: record for record in read(connections()).records}
    for jump in (-69, -150, -3600, -86399, -86401, 69, 3600, 86401):
        packets = connections()
        packets[0] = packets[0][0] + jump, packets[0][1]
        for piped in (False, True):
            result = read(packets, piped=piped)
            whole(result, f"{jump} s, pipe {piped}")
            for record in result.records:
                for span in SPANS:
                    same = record.get(span) == good[record["src_port"]].get(span)
                    check(same or record["src_port"] == 40000 and span not in record, f"{jump} s, pipe {piped}: {span}")
            check(piped or all(record["start"].startswith("2023-11-14T22:13:2") for record in result.records),
                  f"{jump} s: start")


def first_times_missing():
    """A time of 0 is none."""
    for many in (1, 2, 3):
        for piped in (False, True):
            frames = connections()
            result = read([(-START, frame) for _, frame in frames[:many]] + frames[many:], piped=piped)
            whole(result, f"{many} packets without a time, pipe {piped}")
            check("duration_ns" not in result.records[0], "duration from a time that is missing")
            other = (-START, ethernet(b"\x01" * 40, 0x88b5))
            result = read([other] * many + frames, piped=piped)
            whole(result, f"{many} other packets without a time, pipe {piped}")
            equal([record["duration_ns"] for record in result.records], [50 * MS] * 5, "durations")


def pause_after_the_first_packet():
    """Nobody answered the attempt with which the capture begins."""
    syn = [(0, packet(("198.18.0.8", 1), CLIENTS[0], SYN, 1))]
    for pause in (100, 3600):
        result = read(syn + connections(pause))
        holds(next(r for r in result.records if r["src_port"] == 1), outcome="timeout", duration_ns=0,
              start="2023-11-14T22:13:20.000000000Z")


def files_that_overlap():
    """The second file begins before the end of the first."""
    packets = connections()
    for first, second in ((packets[::2], packets[1::2]), (packets[20:], packets[:20])):
        with tempfile.TemporaryDirectory() as directory:
            paths = [os.path.join(directory, name) for name in ("a.pcap", "b.pcap")]
            for path, part in zip(paths, (first, second)):
                with open(path, "wb") as file:
                    file.write(capture(part))
            result = replay(None, file=paths)
        whole(result, "files")
        equal({record["start"][:19] for record in result.records}, {f"2023-11-14T22:13:2{at}" for at in range(5)}, "start")
        check("before the end of the previous files" in result.errors, "message")


def corrupt_fractions():
    """A fraction of a second that is a second or more says nothing, in files of either precision."""
    good = {record["src_port"]: record for record in read(connections()).records}
    for magic, fraction in ((0xa1b23c4d, 2_000_000_000), (0xa1b23c4d, 0xffffffff), (0xa1b2c3d4, 1_500_000),
                            (0xa1b2c3d4, 4_000_000_000)):
        scale = 1 if magic == 0xa1b23c4d else 1000
        for step in range(24):
            out = bytearray(capture(connections()))
            out[:4] = struct.pack("<I", magic)
            at = 24
            for index in range(40):
                valid = struct.unpack_from("<I", out, at + 4)[0] // scale
                struct.pack_into("<I", out, at + 4, fraction if index == step else valid)
                at += 16 + struct.unpack_from("<I", out, at + 8)[0]
            result = replay(bytes(out))
            name = f"{magic:x} {fraction} at {step}"
            whole(result, name)
            for record in result.records:
                for span in SPANS:
                    same = record.get(span) == good[record["src_port"]].get(span)
                    check(same or record["src_port"] == 40000 + step // 8 and span not in record, f"{name}: {span}")
                check(record["start"].startswith("2023-11-14T22:13:2"), f"{name}: start")
            check("1 packet has a time far from" in result.errors, f"{name}: message {result.errors}")


def attempts_are_not_aged():
    syn = [(0, packet(("198.18.0.8", 1), CLIENTS[0], SYN, 1))]
    wrong = [(3 + YEAR, packet(*CLIENTS[:2], ACK, 1, 1))]
    again = [(7, packet(("198.18.0.8", 1), CLIENTS[0], SYN, 1))] + connections(8)
    records = read(syn + connections(1)[:16] + wrong + again).records
    attempt = [r for r in records if r["src_port"] == 1]
    equal([(r["outcome"], r["src_packets"], r["src_retransmits"]) for r in attempt], [("unanswered", 2, 1)], "attempt")


def clock_set_forward():
    """It ages the attempts before it. A long pause is the same."""
    syn = [(0, packet(("198.18.0.8", 1), CLIENTS[0], SYN, 1))]
    for jump, piped in ((YEAR, False), (20 * 3600, True)):
        result = read(connections(-5) + syn + connections(jump), piped=piped)
        attempt = next(r for r in result.records if r["src_port"] == 1)
        holds(attempt, outcome="timeout")
        result.output = b"\n".join(line for line in result.output.splitlines() if b"timeout" not in line)
        whole(result, f"pipe {piped}", 10)
        equal([r["handshake_ns"] for r in result.records], [11 * MS] * 10, "handshakes")


def clock_set_back():
    """What began before is not frozen, and no difference of times goes across."""
    syn = [(0, packet(("198.18.0.8", 1), CLIENTS[0], SYN, 1))]
    for jump in (-150, -YEAR):
        records = read(connections(-5) + syn + connections(jump) + connections(jump + 100)[:1]).records
        attempt = next(r for r in records if r["src_port"] == 1)
        holds(attempt, outcome="timeout", duration_ns=0)
        whole(read(connections() + connections(jump)), f"{jump} s", 10)
        for step in range(1, 8):
            packets = connections()[16:24]
            packets = [(at + (jump if index >= step else 0), frame) for index, (at, frame) in enumerate(packets)]
            result = read(connections()[:16] + packets + connections(jump + 3)[24:])
            whole(result, f"set back by {jump} s before packet {step}", 5)
            crossing = next(r for r in result.records if r["src_port"] == 40002)
            # The last ACK changes nothing.
            check(("duration_ns" in crossing) == (step == 7), f"{jump} s, packet {step}: duration across")
            check(all(crossing.get(span, 0) >= 0 for span in SPANS), f"negative {jump} {step}")
            holds(crossing, start="2023-11-14T22:13:22.000000000Z")


def clock_set_back_between_two_fins():
    """Neither FIN acknowledges the other. Their times cannot be compared, so the order of the file decides."""
    server = ("198.18.0.1", 80)
    closing = connection(CLIENTS[2], at=2)[:5] + [
        (2.040, packet(CLIENTS[2], server, FIN | ACK, 1011, 51021)),
        (-150, packet(server, CLIENTS[2], FIN | ACK, 51021, 1011)),
        (-149.990, packet(CLIENTS[2], server, ACK, 1012, 51022))]
    result = read(connections()[:16] + closing + connections(-149)[24:])
    whole(result, "set back between two FINs")
    holds(next(r for r in result.records if r["src_port"] == 40002), ended_by="src", duration_ns=None)


def last_packet_after_a_pause():
    """Nothing follows that could decide: its time is believed."""
    packets = connection()[:7] + [(7200, connection()[7][1])]
    holds(read(packets).records[0], outcome="closed", src_packets=5, duration_ns=50 * MS)
    packets = connection()[:5] + [(7200, packet(("198.18.0.9", 40000), ("198.18.0.1", 80), 4, 1011, 0))]
    holds(read(packets).records[0], outcome="reset", duration_ns=7200 * S)


def attempts_far_apart():
    """Each packet is 100 s after the one before: three attempts."""
    syn = packet(CLIENTS[0], CLIENTS[1], SYN, 1)
    for piped in (False, True):
        records = read([(0, syn), (100, syn), (200, syn)], piped=piped).records
        equal([r["outcome"] for r in records], ["timeout", "timeout", "unanswered"], f"pipe {piped}")


if __name__ == "__main__":
    run([wrong_time_of_each_packet, wrong_times_around_other_packets, first_times_wrong, first_times_missing,
         pause_after_the_first_packet, files_that_overlap, corrupt_fractions, attempts_are_not_aged, clock_set_forward,
         clock_set_back, clock_set_back_between_two_fins, last_packet_after_a_pause, attempts_far_apart])
