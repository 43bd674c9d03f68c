#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the receiver refuses counts in packets, shows in the history and changes nothing else (docs/record.md).

A connection of known bytes and times, into which one segment is inserted: of every kind, in every state, from either
side, far outside the window. RFC 9293 3.10.7.4 and RFC 5961 say what its receiver does with it.
"""
from pcap import ACK, FIN, PSH, RST, SYN, capture, packet
from replay_harness import equal, replay, run

CLIENT, SERVER = ("198.18.0.9", 40000), ("198.18.0.1", 80)
ISN = {CLIENT: 1_000_000, SERVER: 5_000_000}
FAR = 0x50000000  # beyond the largest window (RFC 7323 2.3)
MS = 1_000_000

# (sender, flags, sequence and acknowledgement from the ISNs, bytes): each packet comes 10 ms after the one before.
CONNECTION = [
    (CLIENT, SYN, 0, 0, 0),
    (SERVER, SYN | ACK, 0, 1, 0),
    (CLIENT, ACK, 1, 1, 0),
    (CLIENT, ACK | PSH, 1, 1, 1000),
    (SERVER, ACK | PSH, 1, 1001, 500),
    (CLIENT, ACK, 1001, 501, 0),
    (CLIENT, ACK | PSH, 1001, 501, 3000),
    (SERVER, ACK, 501, 4001, 0),
    (CLIENT, FIN | ACK, 4001, 501, 0),
    (SERVER, ACK | PSH, 501, 4002, 200),
    (SERVER, FIN | ACK, 701, 4002, 0),
    (CLIENT, ACK, 4002, 702, 0),
]
STATES = {"SYN_RECEIVED": 2, "ESTABLISHED": 4, "with data": 6, "HALF_CLOSED": 9, "both FINs": 11}
KINDS = {"RST": (RST, 0), "RST and ACK": (RST | ACK, 0), "FIN": (FIN, 0), "FIN and ACK": (FIN | ACK, 0),
         "SYN": (SYN, 0), "SYN and ACK": (SYN | ACK, 0), "SYN and FIN": (SYN | FIN, 0), "SYN and RST": (SYN | RST, 0),
         "data": (ACK | PSH, 100), "FIN with data": (FIN | ACK, 100)}
COUNTS = ("src_packets", "dst_packets", "history", "src_retransmits", "dst_retransmits", "id")


def other(side):
    return SERVER if side == CLIENT else CLIENT


def segment(sender, flags, sequence, acknowledgement, size):
    peer = other(sender)
    number = ISN[peer] + acknowledgement if flags & ACK else 0
    return packet(sender, peer, flags, (ISN[sender] + sequence) % 2**32, number % 2**32, bytes(size))


def record(inserted=None, at=0, segments=CONNECTION):
    packets = [(1000 + index * 0.01, segment(*each)) for index, each in enumerate(segments)]
    if inserted:
        packets.insert(at, (packets[at][0] - 0.005, segment(*inserted)))
    records = replay(capture(packets)).records
    equal(len(records), 1, f"records with {inserted} at {at}")
    return records[0]


def differences(plain, changed):
    return [(key, plain.get(key), changed.get(key)) for key in plain.keys() | changed.keys()
            if key not in COUNTS and plain.get(key) != changed.get(key)]


def every_kind_in_every_state():
    plain = record()
    equal((plain["outcome"], plain["src_bytes"], plain["dst_bytes"]), ("closed", 4000, 700), "the connection itself")
    for state, at in STATES.items():
        for kind, (flags, size) in KINDS.items():
            for sender in (CLIENT, SERVER):
                where = f"{kind} from {'src' if sender == CLIENT else 'dst'} in {state}"
                changed = record((sender, flags, FAR, FAR, size), at)
                equal(differences(plain, changed), [], where)
                name = "src_packets" if sender == CLIENT else "dst_packets"
                equal(changed[name], plain[name] + 1, f"{where}: {name}")


def behind_the_window():
    """A RST, a FIN and data whose numbers were acknowledged long ago."""
    plain = record()
    for kind in ("RST", "RST and ACK", "FIN", "SYN"):
        flags, size = KINDS[kind]
        changed = record((CLIENT, flags, 500, 1, size), 8)
        equal(differences(plain, changed), [], f"{kind} behind the window")


def within_the_window():
    """A RST within the window that is not the next number: RFC 5961 3.2 has it refused, older systems take it. The
    connection goes on, so it was refused."""
    plain = record()
    for sender in (CLIENT, SERVER):
        changed = record((sender, RST, 20_000, 0, 0), 6)
        equal(differences(plain, changed), [], f"RST within the window from {sender}")


def the_next_number():
    """The RST that RFC 5961 accepts, after which nothing follows."""
    for sender, sequence, by in ((CLIENT, 4001, "src"), (SERVER, 501, "dst")):
        reset = record(segments=CONNECTION[:8] + [(sender, RST, sequence, 0, 0)])
        equal((reset["outcome"], reset["ended_by"], reset["gaps"]), ("reset", by, []), f"RST from {by}")
        equal(reset["first_fin_ns"], 80 * MS, f"RST from {by}: first_fin_ns")


def dropped_on_its_way():
    """A RST with the right number that a firewall drops: the other side goes on for 2 s and more."""
    packets = [(1000 + index * 0.01, segment(*each)) for index, each in enumerate(CONNECTION[:8])]
    packets.append((1001, segment(SERVER, RST, 501, 0, 0)))
    packets.append((1004, segment(CLIENT, ACK | PSH, 4001, 501, 100)))
    packets.append((1004.01, segment(SERVER, ACK, 501, 4101, 0)))
    found, = replay(capture(packets)).records
    equal((found["event"], found["outcome"], found.get("first_fin_ns")), ("exit", "open", None), "a RST that was dropped")


def syn_that_is_answered():
    """The server has lost the connection without a packet: it takes the SYN, and another connection begins with it."""
    again = ISN[CLIENT] + 0x30000000
    packets = [(1000 + index * 0.01, segment(*each)) for index, each in enumerate(CONNECTION[:8])]
    packets.append((1010, packet(CLIENT, SERVER, SYN, again, 0)))
    packets.append((1011, packet(CLIENT, SERVER, SYN, again, 0)))
    packets.append((1011.01, packet(SERVER, CLIENT, SYN | ACK, 77, again + 1)))
    packets.append((1011.02, packet(CLIENT, SERVER, ACK, again + 1, 78)))
    first, second = sorted(replay(capture(packets)).records, key=lambda each: each["start"])
    equal((first["outcome"], first["history"], first["src_packets"]), ("expired", "ShADda", 5), "the first connection")
    equal([second[key] for key in ("event", "history", "src_packets", "src_retransmits", "syn_synack_ns")],
          ["exit", "ShA", 3, 1, 1010 * MS], "the second connection")


if __name__ == "__main__":
    run([every_kind_in_every_state, behind_the_window, within_the_window, the_next_number, dropped_on_its_way,
         syn_that_is_answered])
