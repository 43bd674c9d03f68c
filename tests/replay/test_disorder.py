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
        one(disordered, order, start="2023-11-14T22:13:20.000000000Z", handshake_ns=11_000_000, **WHOLE)
        times = sorted(at for at, _ in disordered)
        one([(at, frame) for at, (_, frame) in zip(times, disordered)], order, **WHOLE)


def last_packet_first():
    """The times too are in the order of the file, but the server's FIN acknowledges the client's."""
    frames = [frame for _, frame in reversed(connection())]
    one([(index * 0.0001, frame) for index, frame in enumerate(frames)], "reversed", **WHOLE)


def ends(client):
    """Frames of connections by the way they end: those of a handshake and some data, then those of the end."""
    def segment(*arguments):
        return packet(client, SERVER, *arguments)

    def answer(*arguments):
        return packet(SERVER, client, *arguments)

    c, s = 1000, 51000
    begin = [segment(SYN, c), answer(SYN | ACK, s, c + 1), segment(ACK, c + 1, s + 1),
             segment(ACK, c + 1, s + 1, b"q" * 10), answer(ACK, s + 1, c + 11, b"a" * 20), segment(ACK, c + 11, s + 21)]
    fin, last = segment(FIN | ACK, c + 11, s + 21), segment(ACK, c + 12, s + 22)
    second = answer(FIN | ACK, s + 21, c + 12)
    return {
        "FINs": begin + [fin, second, last],
        "FIN acknowledged first": begin + [fin, answer(ACK, s + 21, c + 12), second, last],
        "FIN sent twice": begin + [fin, fin, second, last],
        "simultaneous close": begin + [fin, answer(FIN | ACK, s + 21, c + 11), last, answer(ACK, s + 22, c + 12)],
        "FINs with data": begin[:3] + [segment(FIN | ACK, c + 1, s + 1, b"q" * 10), answer(ACK, s + 1, c + 12, b"a" * 20),
                                       second, last],
        "RST": begin + [answer(RST | ACK, s + 21, c + 11)],
        "RST after data": begin[:5] + [answer(RST | ACK, s + 21, c + 11)],
        "RST twice": begin + [segment(RST, c + 11), segment(RST, c + 11)],
        "RST without ACK": begin + [segment(RST, c + 11)],
        "RST after a FIN": begin + [fin, answer(RST | ACK, s + 21, c + 12)],
        "RST between FINs": begin + [fin, segment(RST, c + 12), answer(FIN | ACK, s + 21, c + 11)],
        "RST after both FINs": begin + [fin, second, segment(RST, c + 12)],
        "RST of both": begin + [answer(RST | ACK, s + 21, c + 11), segment(RST | ACK, c + 11, s + 21)],
        "RST of the client, then of the server": begin + [segment(RST, c + 11), answer(RST | ACK, s + 21, c + 11)],
        "scan": [segment(SYN, c), answer(SYN | ACK, s, c + 1), segment(RST, c + 1)],
        "SYN and SYN-ACK sent twice": begin[:1] + begin[:2] + begin[1:2] + begin[2:] + [fin, second, last],
    }


def any_order_of_neighbours():
    """Up to four neighbours in any order in the file, with their own times: the record is that of the packets in order.
    Of several connections one after the other, each has another order.
    """
    for name, frames in ends(CLIENT).items():
        packets, orders, step = [], [], 0.011  # longer than a duplicate is looked for
        good = replay(capture([(step * index, frame) for index, frame in enumerate(frames)])).records
        equal(len(good), 1, f"records, {name}")
        for first in range(len(frames) - 1):
            width = min(4, len(frames) - first)
            orders += [[*range(first), *(first + at for at in order), *range(first + width, len(frames))]
                       for order in itertools.permutations(range(width)) if order[0]]
        for number, order in enumerate(orders):
            frames = ends((CLIENT[0], 10000 + number))[name]
            packets += [(0.5 * number + step * index, frames[index]) for index in order]
        records = {record["src_port"]: record for record in replay(capture(packets)).records}
        for number, order in enumerate(orders):
            record = records[10000 + number]
            differing = {key for key in {*record, *good[0]} - {"id", "src_port", "community_id", "start", "time", "history"}
                         if record.get(key) != good[0].get(key)}
            equal(differing, set(), f"{name}, {order}")


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
    run([handshakes_in_any_order, last_packet_first, any_order_of_neighbours, syn_at_last, refusal_before_its_syn,
         another_connection, many_connections])
