#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures whose packets are not in the order in which they were sent: a SYN after the packets that followed on it."""
import itertools

from pcap import ACK, CLIENT, FIN, RST, SERVER, SYN, capture, connection, packet
from replay_harness import balances, check, equal, holds, replay, run

WHOLE = {"outcome": "closed", "ended_by": "src", "src_ip": CLIENT[0], "src_packets": 5, "dst_packets": 3, "src_bytes": 10,
         "dst_bytes": 20, "src_retransmits": 0, "dst_retransmits": 0, "gaps": []}


def one(packets, text, *arguments, **expected):
    result = replay(capture(packets), *arguments)
    equal(len(result.records), 1, f"records, {text}")
    check(balances(result.errors), f"accounting, {text}")
    holds(result.records[0], **expected)


def handshakes_in_any_order():
    """The times are those of the packets, or in the order of the file."""
    packets = connection()
    for order in itertools.permutations(range(4)):
        disordered = [packets[step] for step in order] + packets[4:]
        # The first of the client's packets after the SYN counts as the ACK.
        handshake = 11_000_000 if order.index(2) < order.index(3) else 20_000_000
        one(disordered, order, start="2023-11-14T22:13:20.000000000Z", handshake_ns=handshake, **WHOLE)
        times = sorted(at for at, _ in disordered)
        one([(at, frame) for at, (_, frame) in zip(times, disordered)], order, **WHOLE)


def last_packet_first():
    frames = [frame for _, frame in reversed(connection())]
    expected = {**WHOLE, "ended_by": "dst"}  # by the times
    one([(index * 0.0001, frame) for index, frame in enumerate(frames)], "reversed", **expected)


def syn_at_last():
    """Without a SYN-ACK, and after more packets than one."""
    packets = connection()
    one(packets[2:4] + packets[:1] + packets[4:], "no SYN-ACK", **{**WHOLE, "dst_packets": 2})
    one(packets[2:4] + packets[1:2] + packets[4:], "no SYN", **{**WHOLE, "src_packets": 4, "gaps": ["start"]})


def refusal_before_its_syn():
    answer, syn = packet(SERVER, CLIENT, RST | ACK, 0, 1001), packet(CLIENT, SERVER, SYN, 1000)
    one([(0, answer), (0.001, syn)], "refused", outcome="refused", ended_by="dst", src_packets=1, dst_packets=1, gaps=[])


def another_connection():
    """A SYN that did not precede the packets before it begins another connection."""
    packets = connection(at=0.2)
    last = packet(CLIENT, SERVER, ACK, 900_000, 700_000)
    fin = packet(SERVER, CLIENT, FIN | ACK, 700_000, 900_000)
    for before, count in (([last], 1), ([fin, last], 3), ([packet(CLIENT, SERVER, ACK, 900, 51001)], 1)):
        result = replay(capture([(0, frame) for frame in before] + packets))
        equal(len(result.records), 2, f"records after {count}")
        holds(next(r for r in result.records if "start" not in r["gaps"]), **WHOLE)
        check(balances(result.errors), "accounting")
    result = replay(capture([(0, connection()[2][1])] + connection(at=1.5)))
    equal(len(result.records), 2, "a second and a half earlier")


def many_connections():
    """Each of more connections than are kept; the kept packets belong to others in between."""
    packets = []
    for number in range(300):
        steps = connection((CLIENT[0], 10000 + number), at=number * 0.0001)
        packets += steps[2:4] + steps[:2] + steps[4:]
    records = replay(capture(packets)).records
    equal(len(records), 300, "records")
    for record in records:
        holds(record, **WHOLE)


if __name__ == "__main__":
    run([handshakes_in_any_order, last_packet_first, syn_at_last, refusal_before_its_syn, another_connection,
         many_connections])
