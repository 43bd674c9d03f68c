#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""pcapng files: different interfaces, sections, byte orders, resolutions, kinds of packets, broken files."""
import os
import random
import shutil
import socket
import struct
import subprocess
import tempfile

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


def is_of_client(frame):
    return frame[26:30] == socket.inet_aton(pcap.CLIENT[0])


def different_interfaces():
    """Interfaces with different link types and snapshot lengths, which libpcap refuses; one for each side."""
    links = [(1, lambda frame: frame), (101, lambda frame: frame[14:]),
             (113, lambda frame: b"\0\0\0\1\0\6\2\0\0\0\0\1\0\0\x08\0" + frame[14:]),
             (0, lambda frame: b"\2\0\0\0" + frame[14:])]
    for of_client, of_server in ((0, 1), (1, 2), (2, 3), (3, 0)):
        data = section() + b"".join(interface(link, 100 + link) for link, _ in links)
        for at, frame in connection():
            number = of_client if is_of_client(frame) else of_server
            data += enhanced(microseconds(at), links[number][1](frame), number)
        holds(one(replay(data)), **WHOLE, **TIMES, gaps=[])


def sections():
    """Each section has its own interfaces and its own byte order."""
    packets, data = connection(), b""
    for index, (at, frame) in enumerate(packets):
        order, number = "<>"[index % 2], 2 if is_of_client(frame) else 0
        data += section(order) + interface(101, order=order) * number + interface(order=order)
        data += enhanced(microseconds(at), frame, number, order)
    holds(one(replay(data)), **WHOLE, **TIMES)


def named(*names, order="<", link_type=pcap.ETHERNET):
    return section(order) + b"".join(
        interface(link_type, options=option(2, name, order) + option(0, b"", order), order=order) for name in names)


def interface_names():
    """The interface of the first packet, with any bytes; the file's other strings are no names."""
    windows = b"\\Device\\NPF_{4E273621-5161-46C8-895A-48D0E52A0B83}"
    for name, text in ((b"eth0", "eth0"), (windows, windows.decode()), (b"", None), (b"x" * 500, "x" * 63),
                       (b"eth0\0junk", "eth0"), (b"\0", None), (b"a\nb\x1b[1m", "a\nb\x1b[1m"),
                       (b"any", None), (b"anything", "anything")):
        for order in "<>":
            data = named(name, order=order) + b"".join(
                enhanced(microseconds(at), frame, order=order) for at, frame in connection())
            holds(one(replay(data)), **WHOLE, **TIMES, ifname=text)
    data = named(b"first", b"second") + b"".join(
        enhanced(microseconds(at), frame, 1 - (index > 0)) for index, (at, frame) in enumerate(connection()))
    holds(one(replay(data)), ifname="second")
    description = section() + interface(options=option(1, b"comment") + option(3, b"description"))
    holds(one(replay(description + b"".join(enhanced(microseconds(at), frame) for at, frame in connection()))),
          ifname=None)
    holds(one(replay(pcap.capture(connection()))), ifname=None)


def on_each(places, packets, order="<"):
    """Every packet once at each place, which is an interface's number and a direction (0: unknown, 1: in, 2: out)."""
    flags = [option(2, struct.pack(order + "I", 0xfffffffc & 0x11100 | direction), order) for _, direction in places]
    return b"".join(
        enhanced(microseconds(at + 0.00001 * index), frame, number, order, options=flags[index])
        for at, frame in packets for index, (number, _) in enumerate(places))


def same_packets_elsewhere():
    """A packet on a second interface, or going out after it came in, counts once."""
    for order in "<>":
        for places in (((0, 0), (1, 0)), ((0, 1), (1, 2)), ((0, 1), (0, 2)), ((0, 2), (0, 1)), ((2, 1), (0, 2), (1, 2))):
            data = named(b"eth0", b"eth0", b"eth2", order=order) + on_each(places, connection(), order)
            holds(one(replay(data)), **WHOLE, src_retransmits=0, dst_retransmits=0, gaps=[])
    unnamed = section() + interface() + interface() + on_each(((0, 0), (1, 0)), connection())
    holds(one(replay(unnamed)), **WHOLE, src_retransmits=0, dst_retransmits=0, gaps=[], ifname=None)


def direction_of_an_obsolete_packet():
    packets = b"".join(obsolete(microseconds(at + 0.00001 * direction), frame,
                                options=option(2, struct.pack("<I", direction)))
                       for at, frame in connection() for direction in (1, 2))
    holds(one(replay(named(b"eth0") + packets)), **WHOLE, src_retransmits=0, dst_retransmits=0, gaps=[])


def cooked_interfaces():
    """The interface "any": each packet's own header has the interface and the direction."""
    def cooked(frame, number, kind):
        return struct.pack(">HHIHBB8s", 0x0800, 0, number, 1, kind, 6, b"\2" * 8) + frame[14:]

    data = named(b"any", link_type=276) + b"".join(
        enhanced(microseconds(at + 0.00001 * place[1]), cooked(frame, *place))
        for at, frame in connection() for place in ((2, 0), (3, 4)))
    holds(one(replay(data)), **WHOLE, src_retransmits=0, dst_retransmits=0, gaps=[], ifname=None)


def pieces_of_a_capture():
    """The same interface in several files."""
    packets = connection()
    with tempfile.TemporaryDirectory() as directory:
        files = []
        for index, part in enumerate((packets[:4], packets[4:])):
            files.append(os.path.join(directory, str(index)))
            with open(files[-1], "wb") as file:
                file.write(named(b"eth0", b"eth1") + on_each(((1, 0), (0, 0)), part))
        holds(one(replay(b"", file=files)), **WHOLE, src_retransmits=0, dst_retransmits=0, gaps=[], ifname="eth1")


def as_tshark_reads_it():
    """tshark finds the interfaces and directions that these files are meant to have."""
    if not shutil.which("tshark"):
        replay_harness.skip("interfaces compared with tshark: tshark is missing")
        return
    data = named(b"eth0", b"eth1") + on_each(((0, 1), (1, 2)), connection())
    with tempfile.NamedTemporaryFile(suffix=".pcapng") as file:
        file.write(data)
        file.flush()
        output = subprocess.run(["tshark", "-n", "-r", file.name, "-T", "fields", "-e", "frame.interface_name", "-e",
                                 "frame.packet_flags_direction"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                text=True, check=True).stdout
    rows = [line.split("\t") for line in output.splitlines()]
    equal([row[0] for row in rows], ["eth0", "eth1"] * len(connection()), "interfaces")
    equal([int(row[1], 0) for row in rows], [1, 2] * len(connection()), "directions")
    holds(one(replay(data)), ifname="eth0", src_packets=5)


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
    check("passed over 3 packets: 3 of link type USB_LINUX (189)\n" in result.errors, result.errors)
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
                        other_blocks, unsupported_link_types, cut_anywhere, broken, random_bytes, interface_names,
                        same_packets_elsewhere, direction_of_an_obsolete_packet, cooked_interfaces,
                        pieces_of_a_capture, as_tshark_reads_it])
