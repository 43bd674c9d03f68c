#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""snoop and ERF files: made here byte by byte, and by editcap from captures that are made here."""
import gzip
import random
import shutil
import struct
import subprocess
import tempfile

import pcap
import replay_harness
from replay_harness import check, equal, holds, replay

MS = 1_000_000
WHOLE = {"outcome": "closed", "src_bytes": 10, "dst_bytes": 20, "src_packets": 5, "dst_packets": 3, "gaps": [],
         "start": "2023-11-14T22:13:20.000000000Z", "duration_ns": 50 * MS, "handshake_ns": 11 * MS}
EXTENSION = bytes(8)


def one(data):
    result = replay(data)
    equal((result.status, len(result.records)), (0, 1), result.errors)
    return result.records[0] if result.records else {}


def snoop(packets, link_type=4, version=2):
    out = b"snoop\0\0\0" + struct.pack(">II", version, link_type)
    for at, frame, *cut in packets:
        data = frame[:cut[0]] if cut else frame
        padding = -len(data) % 4
        microseconds = pcap.microseconds(at)
        out += struct.pack(">IIIIII", len(frame), len(data), 24 + len(data) + padding, 0, microseconds // 10 ** 6,
                           microseconds % 10 ** 6) + data + bytes(padding)
    return out


def erf(at, frame, kind=2, extensions=0, port=0, captured=None, prefix=b"\0\0"):
    data = frame[:captured]
    extra = b"".join(bytes([0x80 if index + 1 < extensions else 0]) + bytes(7) for index in range(extensions))
    body = extra + prefix + data
    body += bytes(-len(body) % 8)
    ns = pcap.START * 10 ** 9 + round(at * 10 ** 9)
    time = (ns // 10 ** 9) << 32 | -(-(ns % 10 ** 9 << 32) // 10 ** 9)
    return struct.pack("<Q", time) + struct.pack(">BBHHH", kind | (0x80 if extensions else 0), port | 4,
                                                 16 + len(body), 0, len(frame)) + body


def erf_file(packets, **more):
    return b"".join(erf(at, frame, **more) for at, frame in packets)


def snoop_files():
    for link_type in (0, 4):
        holds(one(snoop(pcap.connection(), link_type)), **WHOLE)
    fddi = [(at, b"\x50" + frame[:12] + b"\xaa\xaa\3\0\0\0" + frame[12:]) for at, frame in pcap.connection()]
    holds(one(snoop(fddi, 8)), **WHOLE)
    cut = [(at, frame, 58) for at, frame in pcap.connection()]
    holds(one(snoop(cut)), **WHOLE)
    for link_type in (2, 5, 9, 26, 0xffffffff):
        result = replay(snoop(pcap.connection(), link_type))
        equal((result.status, len(result.errors.splitlines())), (1, 1), result.errors)
        check("link type" in result.errors, result.errors)
    check("version" in replay(snoop(pcap.connection(), version=1)).errors, "version 1")


def erf_files():
    for kind in (2, 11, 16, 20):
        for extensions in (0, 1, 3):
            holds(one(erf_file(pcap.connection(), kind=kind, extensions=extensions)), **WHOLE)
    ip = [(at, frame[14:]) for at, frame in pcap.connection()]
    holds(one(erf_file(ip, kind=22, prefix=b"")), **WHOLE)
    for kind in (1, 10, 15, 19):
        for header in (b"\xff\x03\0\x21", b"\x0f\0\x08\0"):
            holds(one(erf_file([(at, header + frame) for at, frame in ip], kind=kind, prefix=b"")), **WHOLE)
    holds(one(erf_file(pcap.connection(), captured=58)), **WHOLE)
    # the frame check sequence, which wlen of Ethernet includes
    holds(one(erf_file([(at, frame + b"\1\2\3\4") for at, frame in pcap.connection()])), **WHOLE)


def erf_other_records():
    """Records without a packet are passed over, packets of other types are counted."""
    packets = pcap.connection()
    other = erf(0, b"x" * 40, kind=27, prefix=b"") + erf(0, b"y" * 8, kind=48, prefix=b"")
    holds(one(other + b"".join(other + erf(at, frame) for at, frame in packets)), **WHOLE)
    result = replay(b"".join(erf(at, frame) + erf(at, b"z" * 60, kind=3, prefix=b"") for at, frame in packets))
    equal((result.status, len(result.records)), (0, 1), result.errors)
    check("passed over 8 packets: 8 of link type ERF (197)" in result.errors, result.errors)


def erf_ports():
    """A packet that two ports of the card saw counts once."""
    data = b"".join(erf(at + port * 0.00001, frame, port=port) for at, frame in pcap.connection() for port in (0, 1))
    holds(one(data), **WHOLE, src_retransmits=0, dst_retransmits=0)


def made_by_editcap():
    if not shutil.which("editcap"):
        replay_harness.skip("snoop and ERF by editcap: editcap is missing")
        return
    packets = pcap.connection() + pcap.connection(client=("fd00::9", 40002), server=("fd00::1", 80), at=1)
    with tempfile.TemporaryDirectory() as directory:
        source = f"{directory}/source"
        with open(source, "wb") as file:
            file.write(pcap.capture(packets))
        expected = replay(b"", file=source)
        equal(len(expected.records), 2, "records")
        for kind in ("snoop", "erf"):
            if not any(subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0 for command in (
                    ["editcap", "-F", kind, source, f"{directory}/{kind}"],
                    ["mergecap", "-F", kind, "-w", f"{directory}/{kind}", source])):
                replay_harness.skip(f"{kind} by editcap: it and mergecap fail")
                continue
            result = replay(b"", file=f"{directory}/{kind}")
            equal(result.status, 0, result.errors)
            for record, other in zip(result.records, expected.records):
                for name in ("src_ip", "dst_ip", "src_bytes", "dst_bytes", "src_packets", "dst_packets", "outcome",
                             "history", "gaps"):
                    equal(record.get(name), other.get(name), f"{kind}: {name}")
                check(abs(record["duration_ns"] - other["duration_ns"]) < 1000, f"{kind}: duration")
            equal(len(result.records), 2, f"{kind}: records")


def as_tshark_reads_it():
    if not shutil.which("tshark"):
        replay_harness.skip("snoop and ERF compared with tshark: tshark is missing")
        return
    expected = [(round(at, 5), len(frame)) for at, frame in pcap.connection()]
    for data in (snoop(pcap.connection()), erf_file(pcap.connection(), extensions=2)):
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            output = subprocess.run(["tshark", "-n", "-r", file.name, "-T", "fields", "-e", "frame.time_epoch", "-e",
                                     "frame.len"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                    check=True).stdout
        rows = [line.split("\t") for line in output.splitlines()]
        equal([(round(float(row[0]) - pcap.START, 5), int(row[1])) for row in rows], expected, "packets")


def compressed():
    for data in (snoop(pcap.connection()), erf_file(pcap.connection())):
        holds(one(gzip.compress(data)), **WHOLE)


def first_byte_of_pcapng():
    """The first byte of an ERF file may be any, also the first of pcapng."""
    packets = pcap.connection()
    data = erf_file(packets)
    holds(one(b"\x0a" + data[1:]), src_packets=5, dst_packets=3)


def cut_and_broken():
    for data in (snoop(pcap.connection()), erf_file(pcap.connection(), extensions=2)):
        for size in range(1, len(data), 3):
            result = replay(data[:size])
            check(result.status in (0, 1), f"cut at {size}: {result.status}")
            lines = [line for line in result.errors.splitlines() if "broken after" in line or "cannot read" in line]
            equal(len(lines), result.status, f"cut at {size}: {result.errors}")
        equal(len(replay(data[:-1]).records), 1, "cut in the last record")
        generator = random.Random(2)
        for _ in range(300):
            changed = bytearray(data)
            for _ in range(generator.choice((1, 3, 9))):
                changed[generator.randrange(len(changed))] = generator.randrange(256)
            result = replay(bytes(changed), "--tunnels")
            check(result.status in (0, 1) and (not result.records or replay_harness.balances(result.errors)),
                  f"{result.status}: {result.errors}")
    endless = b"\0" * 8 + struct.pack("<I", 0) * 400
    equal(replay(endless).status, 1, "zeros are of no format")


if __name__ == "__main__":
    replay_harness.run([snoop_files, erf_files, erf_other_records, erf_ports, made_by_editcap,
                        as_tshark_reads_it, compressed, first_byte_of_pcapng, cut_and_broken])
