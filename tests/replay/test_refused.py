#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the receiver refuses counts in packets, shows in the history and changes nothing else (docs/record.md).

A connection of known bytes and times, into which one segment is inserted: of every kind, in every state, from either
side, far outside the window. RFC 9293 3.10.7.4 and RFC 5961 say what its receiver does with it.
"""
import sample_connection
from pcap import ACK, PSH, RST, SYN, capture, packet
from replay_harness import equal, replay, run
from sample_connection import ADDRESSES, CLIENT, CONNECTION, ISN, KINDS, MS, SERVER, segment

ENDS = ADDRESSES["IPv4"]
FAR = 0x50000000  # beyond the largest window (RFC 7323 2.3)

STATES = {"SYN_RECEIVED": 2, "ESTABLISHED": 4, "with data": 6, "HALF_CLOSED": 9, "both FINs": 11}
COUNTS = ("src_packets", "dst_packets", "history", "src_retransmits", "dst_retransmits", "id")


def record(inserted=None, at=0, segments=CONNECTION):
    packets = [(1000 + index * 0.01, segment(each)) for index, each in enumerate(segments)]
    if inserted:
        packets.insert(at, (packets[at][0] - 0.005, segment(inserted)))
    records = replay(capture(packets)).records
    equal(len(records), 1, f"records with {inserted} at {at}")
    return records[0]


def differences(plain, changed):
    return sample_connection.differences(plain, changed, COUNTS)


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
    packets = [(1000 + index * 0.01, segment(each)) for index, each in enumerate(CONNECTION[:8])]
    packets.append((1001, segment((SERVER, RST, 501, 0, 0))))
    packets.append((1004, segment((CLIENT, ACK | PSH, 4001, 501, 100))))
    packets.append((1004.01, segment((SERVER, ACK, 501, 4101, 0))))
    found, = replay(capture(packets)).records
    equal((found["event"], found["outcome"], found.get("first_fin_ns")), ("exit", "open", None), "a RST that was dropped")


def syn_that_is_answered():
    """The server has lost the connection without a packet: it takes the SYN, and another connection begins with it."""
    again = ISN[CLIENT] + 0x30000000
    packets = [(1000 + index * 0.01, segment(each)) for index, each in enumerate(CONNECTION[:8])]
    packets.append((1010, packet(*ENDS, SYN, again, 0)))
    packets.append((1011, packet(*ENDS, SYN, again, 0)))
    packets.append((1011.01, packet(*ENDS[::-1], SYN | ACK, 77, again + 1)))
    packets.append((1011.02, packet(*ENDS, ACK, again + 1, 78)))
    first, second = sorted(replay(capture(packets)).records, key=lambda each: each["start"])
    equal((first["outcome"], first["history"], first["src_packets"]), ("expired", "ShADda", 5), "the first connection")
    equal([second[key] for key in ("event", "history", "src_packets", "src_retransmits", "syn_synack_ns")],
          ["exit", "ShA", 3, 1, 1010 * MS], "the second connection")


if __name__ == "__main__":
    run([every_kind_in_every_state, behind_the_window, within_the_window, the_next_number, dropped_on_its_way,
         syn_that_is_answered])
