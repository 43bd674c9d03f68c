#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets that were captured twice count once (docs/record.md)."""
import re
import struct

from pcap import (ACK, CLIENT, FIN, PSH, SERVER, SYN, capture, connection, enhanced, ethernet, interface, ipv6,
                  microseconds, packet, section, tcp)
from replay_harness import equal, holds, replay, run

SIX = [(f"fd00::{number}", port) for number, port in ((9, 40000), (1, 80))]
COOKED = 113  # Linux "any", version 1: has a direction, but no interface


def with_id(frame, number, ttl=64):
    return frame[:18] + struct.pack(">H", number) + frame[20:22] + bytes([ttl]) + frame[23:]


def numbered(packets):
    return [(at, with_id(frame, 100 + number)) for number, (at, frame) in enumerate(packets)]


def without_id(packets):
    return [(at, with_id(frame, 0)) for at, frame in packets]


def stamped(source, destination, flags, sequence, acknowledgement=0, payload=b"", time=1):
    """An Ethernet frame of IPv6 with a TCP timestamp."""
    segment = tcp(source, destination, flags, sequence, acknowledgement)
    segment = segment[:12] + b"\x80" + segment[13:] + struct.pack(">BBBBII", 1, 1, 8, 10, time, 0) + payload
    return ethernet(ipv6(source[0], destination[0], segment), 0x86dd)


def cooked(frame, leaving):
    return struct.pack(">HHH8sH", 4 if leaving else 0, 1, 6, bytes(8), 0x0800) + frame[14:]


def counted(result):
    found = re.search(r"(\d+) duplicates?:", result.errors)
    return int(found.group(1)) if found else 0


def counts(packets, duplicates, *arguments, link_type=1, **expected):
    result = replay(capture(sorted(packets, key=lambda each: each[0]), link_type), *arguments)
    equal(len(result.records), 1, "records")
    equal(counted(result), duplicates, "duplicates")
    holds(result.records[0], **expected)


CLEAN = {"outcome": "closed", "src_packets": 5, "dst_packets": 3, "src_bytes": 10, "dst_bytes": 20, "src_retransmits": 0,
         "dst_retransmits": 0, "gaps": []}


def mirrored():
    """One by one, three times, forwarded (TTL), in batches, and late within 10 ms."""
    once = numbered(connection())
    for delays in ((5e-6,), (5e-6, 9e-6), (0.0099,), (0,)):
        again = [(at + delay, frame) for delay in delays for at, frame in once]
        counts(once + again, len(again), **CLEAN)
    counts(once + [(at + 1e-5, with_id(frame, 100 + number, 63)) for number, (at, frame) in enumerate(once)], 8, **CLEAN)
    batch = [(0.001 * number, frame) for number, (_, frame) in enumerate(once)]
    counts(batch + [(0.0081 + 0.0001 * number, frame) for number, (_, frame) in enumerate(once)], 8, **CLEAN)


def retransmitted():
    """Another IP id, or over 10 ms later, is a retransmission."""
    once = numbered(connection())
    at, frame = once[3]
    more = {**CLEAN, "src_packets": 6, "src_retransmits": 1}
    counts(once + [(at + 0.001, with_id(frame, 200))], 0, **more)
    counts(once + [(at + 0.01, frame)], 0, **more)
    counts(once + [(at + 0.001, frame)], 0, "--like", "zeek", "-C", src_packets=6)


def around_the_limit():
    """10 ms apart is a retransmission, a microsecond less a copy, wherever in time the packets lie."""
    for apart, is_copy in ((0.0099, True), (0.00999, True), (0.009998, True), (0.009999, True), (0.01, False),
                           (0.010001, False), (0.01001, False), (0.0101, False)):
        packets = []
        for number in range(200):
            syn = with_id(packet(("198.18.0.9", 30000 + number), SERVER, SYN, 1), 7)
            packets += [(number * 0.000173, syn), (number * 0.000173 + apart, syn)]
        result = replay(capture(sorted(packets, key=lambda each: each[0])))
        equal(counted(result), 200 if is_copy else 0, f"{apart} s apart")
        equal({(r["src_packets"], r["src_retransmits"]) for r in result.records}, {(1, 0) if is_copy else (2, 1)},
              f"counts, {apart} s apart")


def copies_and_retransmissions():
    """Each of them copied almost 10 ms later: by another IP id, or by a later TCP timestamp, they are not the same."""
    once = numbered(connection())
    at, frame = once[3]
    copies = [(at + 0.00999, frame) for at, frame in once]
    again = [(at + 0.004, with_id(frame, 200)), (at + 0.01399, with_id(frame, 200))]
    more = {**CLEAN, "src_packets": 6, "src_retransmits": 1}
    counts(once + copies + again, 9, **more)
    client, server = SIX
    packets = [(0, stamped(client, server, SYN, 1)), (0.01, stamped(server, client, SYN | ACK, 51, 2)),
               (0.02, stamped(client, server, ACK, 2, 52))]
    packets += [(0.03 + 0.002 * number, stamped(client, server, ACK | PSH, 2, 52, b"x" * 9, time=number))
                for number in range(4)]
    counts(packets + [(at + 0.00999, frame) for at, frame in packets], 7, src_packets=6, dst_packets=1, src_bytes=9,
           src_retransmits=3, gaps=[])


def other_values():
    """A difference in each value that is compared makes another packet."""
    once = numbered(connection(sent=100))
    at, frame = once[3]
    for offset in (40, 45, 47, 49):  # sequence number, ack, flags (FIN is left alone), window
        other = bytearray(frame)
        other[offset] ^= 8
        result = replay(capture(once[:4] + [(at + 0.001, bytes(other))] + once[4:]))
        equal(counted(result), 0, f"byte {offset}")
    for offset in (54, 60, 104, 153):
        other = bytearray(frame)
        other[offset] ^= 8
        result = replay(capture(once[:4] + [(at + 0.001, bytes(other))] + once[4:]))
        equal(counted(result), 0, f"payload, byte {offset}")


def without_identity():
    """Without an IP id and timestamps the same packet in one place is a retransmission, in another a duplicate."""
    once = without_id(connection())
    at, frame = once[3]
    more = {**CLEAN, "src_packets": 6, "src_retransmits": 1}
    counts(once + [(at + 0.001, frame)], 0, **more)
    inward = [(at, cooked(frame, False)) for at, frame in once]
    outward = [(at + 1e-5, cooked(frame, True)) for at, frame in once]
    counts(inward + outward, 8, link_type=COOKED, **CLEAN)
    again = [(at + 0.001, cooked(frame, False)), (at + 0.00101, cooked(frame, True))]
    counts(inward + outward + again, 9, link_type=COOKED, **more)


def ipv6_with_timestamps():
    client, server = SIX
    packets = [(0, stamped(client, server, SYN, 1)), (0.01, stamped(server, client, SYN | ACK, 51, 2)),
               (0.02, stamped(client, server, ACK, 2, 52)), (0.03, stamped(client, server, ACK | PSH, 2, 52, b"x" * 9))]
    expected = {"src_packets": 3, "dst_packets": 1, "src_bytes": 9, "src_retransmits": 0, "gaps": []}
    counts(packets + [(at + 1e-6, frame) for at, frame in packets], 4, **expected)
    later = [(0.031, stamped(client, server, ACK | PSH, 2, 52, b"x" * 9, time=2))]
    counts(packets + later, 0, **{**expected, "src_packets": 4, "src_retransmits": 1})
    plain = [(at, packet(*arguments)) for at, arguments in
             ((0, (client, server, SYN, 1)), (0.001, (client, server, SYN, 1)))]
    counts(plain, 0, src_packets=2, src_retransmits=1)


def on_interfaces(packets):
    """packets: (time, interface, frame)."""
    ordered = sorted(packets, key=lambda each: each[0])
    return section() + 3 * interface() + b"".join(
        enhanced(microseconds(at), frame, number) for at, number, frame in ordered)


def tracked(packets, duplicates, **expected):
    result = replay(on_interfaces(packets))
    equal(len(result.records), 1, "records")
    equal(counted(result), duplicates, "duplicates")
    holds(result.records[0], **expected)


def several_paths():
    """Each side's packets take two interfaces in turn, none is seen twice: every packet counts, and nothing is missing."""
    for once in (numbered(connection()), without_id(connection()),
                 [(at, packet(*six)) for at, six in six_packets()]):
        in_turn = [(at, number % 2, frame) for number, (at, frame) in enumerate(once)]
        for paths in (in_turn, [(at, number // 2 % 2, frame) for at, number, frame in in_turn],
                      [(at, min(number, 4) // 4, frame) for number, (at, frame) in enumerate(once)]):
            tracked(paths, 0, **CLEAN)
    once = numbered(connection())
    at, frame = once[3]
    in_turn = [(at, number % 2, frame) for number, (at, frame) in enumerate(once)]
    tracked(in_turn + [(at + 0.002, 0, with_id(frame, 200))], 0, **{**CLEAN, "src_packets": 6, "src_retransmits": 1})
    at, frame = once[2]
    tracked(in_turn + [(at + 0.002, 1, with_id(frame, 201))], 0, **{**CLEAN, "src_packets": 6})


def six_packets():
    client, server = SIX
    return [(0, (client, server, SYN, 1)), (0.01, (server, client, SYN | ACK, 51, 2)),
            (0.011, (client, server, ACK, 2, 52)), (0.02, (client, server, ACK | PSH, 2, 52, b"q" * 10)),
            (0.03, (server, client, ACK | PSH, 52, 12, b"a" * 20)), (0.04, (client, server, FIN | ACK, 12, 72)),
            (0.05, (server, client, FIN | ACK, 72, 13)), (0.06, (client, server, ACK, 13, 73))]


def acknowledgements_on_two_paths():
    """A download whose acknowledgements leave by two interfaces in turn, from the middle of a connection."""
    client, server = SIX
    packets = []
    for number in range(10):
        at = 0.0001 * number
        packets.append((at, 0, packet(server, client, ACK | PSH, 100 + 10 * number, 2, b"x" * 10)))
        packets.append((at + 0.00005, number % 2, packet(client, server, ACK, 2, 110 + 10 * number)))
    tracked(packets, 0, src_packets=10, dst_packets=10, src_bytes=0, dst_bytes=100, src_retransmits=0,
            dst_retransmits=0, outcome="open", gaps=["start", "direction"])


def bonded():
    """Two interfaces and the one that bonds them, which sees every packet again."""
    once = numbered(connection())
    lower = [(at, number % 2, frame) for number, (at, frame) in enumerate(once)]
    tracked(lower + [(at + 1e-6, 2, frame) for at, _, frame in lower], 8, **CLEAN)


def changed_on_the_way():
    """A router lowers the MSS of the SYNs: their copies differ, and are copies."""
    once = numbered(connection())
    before = [(at, 0, with_mss(frame, 1460) if number < 2 else frame) for number, (at, frame) in enumerate(once)]
    after = [(at + 3e-5, 1, with_mss(frame, 1400) if number < 2 else frame) for number, (at, frame) in enumerate(once)]
    tracked(before + after, 6, **CLEAN)


def with_mss(frame, size):
    """Adds the option to an Ethernet frame of IPv4."""
    return (frame[:16] + struct.pack(">H", len(frame) - 10) + frame[18:24] + b"\0\0" + frame[26:46] + b"\x60" +
            frame[47:54] + struct.pack(">BBH", 2, 4, size) + frame[54:])


def many_at_once():
    """More packets within 10 ms than the table holds at first."""
    packets = []
    for port in range(20000, 24000):
        client = ("198.18.0.9", port)
        packets += [(port * 1e-6 + step * 1e-7, with_id(packet(client, SERVER, SYN, 1), port)) for step in (0, 1)]
    again = [(at + 0.005, frame) for at, frame in packets]
    result = replay(capture(sorted(packets, key=lambda each: each[0])))
    equal(counted(result), 4000, "at once")
    equal({(r["src_packets"], r["src_retransmits"]) for r in result.records}, {(1, 0)}, "counts")
    result = replay(capture(sorted(packets + again, key=lambda each: each[0])))
    equal(counted(result), 12000, "after 5 ms")


if __name__ == "__main__":
    run([mirrored, retransmitted, around_the_limit, copies_and_retransmissions, other_values, without_identity,
         ipv6_with_timestamps, several_paths, acknowledgements_on_two_paths, bonded, changed_on_the_way, many_at_once])
