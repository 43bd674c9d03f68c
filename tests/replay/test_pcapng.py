#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""pcapng files: different interfaces, sections, byte orders, resolutions, kinds of packets, broken files."""
import random
import struct

import replay_harness
import pcap
from replay_harness import check, equal, holds, replay
from pcap import (connection, enhanced, interface, microseconds, obsolete, option, section, simple)

MS = 1_000_000
WHOLE = {"outcome": "closed", "src_bytes": 10, "dst_bytes": 20, "src_packets": 5, "dst_packets": 3}
START = "2023-11-14T22:13:20.000000000Z"
TIMES = {"start": START, "handshake_ns": 11 * MS, "duration_ns": 50 * MS}


def one(result):
    equal(len(result.records), 1, f"records ({result.errors})")
    return result.records[0] if result.records else {}


def file_of(packets, order="<", resolution=None, offset=None, ticks=microseconds, packet=enhanced):
    options = b""
    if resolution is not None:
        options += option(9, bytes([resolution]), order)
    if offset is not None:
        options += option(14, struct.pack(order + "q", offset), order)
    return section(order) + interface(options=options + option(0, b"", order), order=order) + b"".join(
        packet(ticks(at), frame, order=order) for at, frame in packets)


def byte_orders():
    for order in "<>":
        holds(one(replay(file_of(connection(), order))), **WHOLE, **TIMES)


def resolutions():
    """Units of 10^-N and 2^-N seconds, and an offset in seconds."""
    for resolution, per_second in ((6, 10 ** 6), (9, 10 ** 9), (3, 10 ** 3), (12, 10 ** 12), (0x80 | 20, 2 ** 20),
                                   (0x80 | 32, 2 ** 32)):
        result = replay(file_of(connection(), resolution=resolution, offset=pcap.START,
                                ticks=lambda at, n=per_second: round(at * n)))
        record = one(result)
        holds(record, **WHOLE, start=START)
        check(abs(record["handshake_ns"] - 11 * MS) < 2000, f"{resolution}: {record['handshake_ns']}")
    holds(one(replay(file_of(connection(), offset=-3600, ticks=lambda at: microseconds(at + 3600)))), **WHOLE, **TIMES)


def impossible_times():
    """With a meaningless resolution or offset the times are undefined, but every packet counts."""
    for resolution, offset in ((0x7f, 0), (0xff, 0), (0, 2 ** 62), (9, -2 ** 63), (0, 0)):
        holds(one(replay(file_of(connection(), resolution=resolution, offset=offset))), src_packets=5, dst_packets=3)


def different_interfaces():
    """Interfaces with different link types and snapshot lengths, which libpcap refuses."""
    links = [(1, lambda frame: frame), (101, lambda frame: frame[14:]),
             (113, lambda frame: b"\0\0\0\1\0\6\2\0\0\0\0\1\0\0\x08\0" + frame[14:]),
             (0, lambda frame: b"\2\0\0\0" + frame[14:])]
    data = section() + b"".join(interface(link, 100 + link) for link, _ in links)
    for index, (at, frame) in enumerate(connection()):
        number = index % len(links)
        data += enhanced(microseconds(at), links[number][1](frame), number)
    holds(one(replay(data)), **WHOLE, **TIMES, gaps=[])


def sections():
    """Each section has its own interfaces and its own byte order."""
    packets, data = connection(), b""
    for index, (at, frame) in enumerate(packets):
        order = "<>"[index % 2]
        data += section(order) + interface(101, order=order) * (index % 3) + interface(order=order)
        data += enhanced(microseconds(at), frame, index % 3, order)
    holds(one(replay(data)), **WHOLE, **TIMES)


def other_packets():
    holds(one(replay(file_of(connection(), packet=obsolete))), **WHOLE, **TIMES)
    data = section() + interface(snap_length=60) + b"".join(simple(frame[:60], len(frame)) for _, frame in connection())
    holds(one(replay(data)), **WHOLE, handshake_ns=0, start="1970-01-01T00:00:00.000000001Z")


def other_blocks():
    """Blocks with names, statistics or secrets and unknown blocks are skipped, whatever their size."""
    packets = connection()
    data = section() + interface() + b"".join(pcap.block(kind, b"x" * size)
                                              for kind in (4, 5, 10, 0xbad, 0x80000001) for size in (0, 100, 70000))
    data += b"".join(enhanced(microseconds(at), frame) for at, frame in packets)
    holds(one(replay(data + pcap.block(5, b"\0" * 12))), **WHOLE)


def unsupported_link_types():
    """Packets of an unsupported link type are left out and counted; if there are no others it is an error."""
    alien = interface(189) + b"".join(enhanced(microseconds(0), b"\0" * 64, 1) for _ in range(3))
    result = replay(file_of(connection()) + alien)
    holds(one(result), **WHOLE)
    equal(result.status, 0, "status")
    check("ignored 3 packets of unsupported link types, the first of type USB_LINUX (189)" in result.errors, result.errors)
    result = replay(section() + interface() + alien)
    equal((result.status, result.records), (1, []), "nothing that can be read")


def cut_anywhere():
    whole = file_of(connection())
    first = len(section())
    for length in range(len(whole)):
        result = replay(whole[:length])
        lines = [line for line in result.errors.splitlines() if "cannot read" in line or "broken after" in line]
        equal(len(lines), int(result.status != 0), f"lines when cut at {length}: {result.errors}")
        if length >= first:
            check(replay_harness.balances(result.errors), "accounting")
        if length >= first + len(interface(options=option(0, b""))) + len(enhanced(0, connection()[0][1])):
            equal(len(result.records), 1, f"records when cut at {length}")


def broken():
    """The records up to the broken block are written, and one line names the error."""
    good = file_of(connection())
    bad = {
        "a block of invalid length": struct.pack("<II", 6, 8),
        "invalid length": struct.pack("<II", 6, 33),
        "more than 16 MiB": struct.pack("<II", 6, 1 << 30),
        "two lengths differ": enhanced(0, b"x" * 60)[:-4] + struct.pack("<I", 16),
        "interface without a description block": enhanced(0, b"x" * 60, 1),
        "longer than its block": pcap.block(6, struct.pack("<IIIII", 0, 0, 0, 61, 61) + b"x" * 60),
        "too short": pcap.block(6, b"x" * 16),
        "without byte-order magic": struct.pack("<III", 0x0a0d0d0a, 28, 7),
        "an unsupported version of pcapng": pcap.block(0x0a0d0d0a, struct.pack("<IHHq", 0x1a2b3c4d, 2, 0, -1)),
    }
    for words, block in bad.items():
        result = replay(good + block)
        holds(one(result), **WHOLE)
        equal(result.status, 1, words)
        check("broken after packet 8: " in result.errors and words in result.errors, result.errors)
    result = replay(b"\nhello")
    equal((result.status, len(result.errors.splitlines())), (1, 1), "no pcapng file")


def random_bytes():
    """Random bytes never cause a crash, and every record is accounted for."""
    generator = random.Random(7)
    whole = file_of(connection() + connection(("fd00::9", 1), ("fd00::1", 2), at=1), resolution=9, offset=1)
    for _ in range(200):
        data = bytearray(whole)
        for _ in range(generator.choice((1, 4, 20))):
            data[generator.randrange(28, len(data))] = generator.randrange(256)
        result = replay(bytes(data), "--tunnels")
        check(result.status in (0, 1), f"status {result.status}")
        check(replay_harness.balances(result.errors), "accounting: " + result.errors)


if __name__ == "__main__":
    replay_harness.run([byte_orders, resolutions, impossible_times, different_interfaces, sections, other_packets,
                        other_blocks, unsupported_link_types, cut_anywhere, broken, random_bytes])
