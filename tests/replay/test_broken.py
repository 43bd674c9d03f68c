#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Broken capture files of each format: cut anywhere, and with changed bytes in their headers.

A file that is cut must give the same records as a whole file with the packets before the cut.
"""
import glob
import os
import struct

import replay_harness
from replay_harness import check, equal, replay

CAPTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "captures")
PCAP_ENDS = {b"\xd4\xc3\xb2\xa1": "<", b"\x4d\x3c\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">", b"\xa1\xb2\x3c\x4d": ">"}
FILE_HEADER, PACKET_HEADER = 24, 16
SECTION, SECTION_MAGIC = b"\x0a\x0d\x0d\x0a", 0x1a2b3c4d
# There are thousands of runs, and an emulator starts each slowly: take every 7th, so that each field is covered.
STEP = 7 if replay_harness.EMULATED else 1
ERRORS = ("cannot read", "broken after", "cannot begin")


def pcap_offsets(data):
    """The offsets where each packet's record begins, and where the last one ends."""
    order, at = PCAP_ENDS[data[:4]], FILE_HEADER
    while at < len(data):
        yield at
        at += PACKET_HEADER + struct.unpack_from(order + "I", data, at + 8)[0]
    yield at


def pcapng_offsets(data):
    order, at = "<", 0
    while at < len(data):
        if data[at:at + 4] == SECTION:
            order = "<" if struct.unpack_from("<I", data, at + 8)[0] == SECTION_MAGIC else ">"
        yield at
        at += struct.unpack_from(order + "I", data, at + 4)[0]
    yield at


def offsets(data):
    return list(pcap_offsets(data) if data[:4] in PCAP_ENDS else pcapng_offsets(data))


def error_lines(result):
    return [line for line in result.errors.splitlines() if any(word in line for word in ERRORS)]


def lengths_to_cut_at(data, starts):
    """The lengths to cut at: all in the first headers, then those around the beginning of each record."""
    near = {start + offset for start in starts for offset in (-5, -1, 0, 1, 4, 8, 12, 15, 16, 17, 30)}
    return sorted(length for length in near | set(range(140)) if 0 <= length < len(data))


def cut(name, data):
    starts = offsets(data)
    equal(starts[-1], len(data), f"{name}: the capture is whole")
    for length in lengths_to_cut_at(data, starts)[::STEP]:
        before = max((start for start in starts if start <= length), default=0)
        result, whole = replay(data[:length]), replay(data[:before])
        is_whole = length == before and whole.status == 0
        equal(result.status, 0 if is_whole else 1, f"{name} cut at {length}: status")
        equal(result.output, whole.output, f"{name} cut at {length}: records")
        equal(len(error_lines(result)), 0 if is_whole else 1, f"{name} cut at {length}: lines: {result.errors}")


def changed(name, data):
    """Changes every byte of the first headers: an error is one line and status 1, and every record is a whole line."""
    starts = offsets(data)
    for at in sorted(set(range(starts[0], min(96, len(data)))) |
                     {start + offset for start in starts[:6] for offset in range(32) if start + offset < len(data)})[::STEP]:
        for value in (0, 0xff, data[at] ^ 1, data[at] ^ 0x80):
            result = replay(data[:at] + bytes([value]) + data[at + 1:])
            where = f"{name} with {value:#x} at {at}"
            check(result.status in (0, 1), f"{where}: status {result.status}")
            if "of link type" not in result.errors:  # packets of an unsupported link type, alone or not
                equal(len(error_lines(result)), result.status, f"{where}: lines: {result.errors}")
            check(not result.output or result.output.endswith(b"\n"), f"{where}: output")
            check(not result.records or replay_harness.balances(result.errors), f"{where}: {result.errors}")


def tests():
    for path in sorted(glob.glob(os.path.join(CAPTURES, "fmt_*.pcap*"))):
        with open(path, "rb") as file:
            data = file.read()
        yield lambda name=os.path.basename(path), data=data: cut(name, data)
        yield lambda name=os.path.basename(path), data=data: changed(name, data)


if __name__ == "__main__":
    replay_harness.run(list(tests()))
