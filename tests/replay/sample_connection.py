# SPDX-License-Identifier: GPL-2.0-or-later
"""A connection of known bytes and times, and segments to insert into it."""
from pcap import ACK, FIN, PSH, RST, SYN, packet

ADDRESSES = {"IPv4": (("198.18.0.9", 40000), ("198.18.0.1", 80)), "IPv6": (("fd00::9", 40000), ("fd00::1", 80))}
CLIENT, SERVER = 0, 1
ISN = 1_000_000, 5_000_000
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
# Flags and bytes
KINDS = {"RST": (RST, 0), "RST and ACK": (RST | ACK, 0), "FIN": (FIN, 0), "FIN and ACK": (FIN | ACK, 0),
         "SYN": (SYN, 0), "SYN and ACK": (SYN | ACK, 0), "SYN and FIN": (SYN | FIN, 0), "SYN and RST": (SYN | RST, 0),
         "data": (ACK | PSH, 100), "FIN with data": (FIN | ACK, 100)}


def segment(each, family="IPv4"):
    """Returns the frame of a segment that is described as in CONNECTION."""
    sender, flags, sequence, acknowledgement, size = each
    ends = ADDRESSES[family]
    number = ISN[1 - sender] + acknowledgement if flags & ACK else 0
    return packet(ends[sender], ends[1 - sender], flags, (ISN[sender] + sequence) % 2**32, number % 2**32, b"x" * size)


def differences(plain, changed, ignored):
    return [(key, plain.get(key), changed.get(key)) for key in plain.keys() | changed.keys()
            if key not in ignored and plain.get(key) != changed.get(key)]
