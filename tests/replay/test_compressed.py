#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compressed captures: gzip, zstd, xz, bzip2 and lz4, from files and pipes, in several members, cut, corrupt, too large.

The compressors are Python's, or the programs of zstd and lz4.
"""
import bz2
import gzip
import lzma
import os
import shutil
import struct
import subprocess
import tempfile
import zlib

import pcap
import replay_harness
from replay_harness import NETRACKER, check, equal, holds, replay

WHOLE = {"outcome": "closed", "src_bytes": 10, "dst_bytes": 20, "src_packets": 5, "dst_packets": 3}
PCAP = pcap.capture(pcap.connection() + pcap.connection(client=("198.18.0.9", 40001), at=1.0))
PCAPNG = pcap.section() + pcap.interface() + b"".join(
    pcap.enhanced(pcap.microseconds(at), frame) for at, frame in pcap.connection())
MIB = 1 << 20
# An emulator starts each run slowly.
STEP = 31 if replay_harness.EMULATED else 1


def program(*command):
    return lambda data: subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


FORMATS = {"gzip": gzip.compress, "xz": lzma.compress, "bzip2": bz2.compress}
SUFFIXES = {"gzip": "gz", "xz": "xz", "bzip2": "bz2", "zstd": "zst", "lz4": "lz4"}
for name in ("zstd", "lz4"):
    if shutil.which(name):
        FORMATS[name] = program(name, "-qc")
    else:
        replay_harness.skip(f"{name}: the program {name} is missing")


def errors_of(result):
    return [line for line in result.errors.splitlines() if "cannot read" in line or "broken after" in line]


def one_error(result, *words):
    lines = errors_of(result)
    equal(result.status, 1, f"status ({result.errors})")
    equal(len(lines), 1, f"lines: {result.errors}")
    for word in words:
        check(lines and word in lines[0], f"{word!r} is in {lines}")


def named_file(data, suffix=""):
    file = tempfile.NamedTemporaryFile(suffix=suffix)
    file.write(data)
    file.flush()
    return file


def every_format():
    """By content: the name says nothing, or something wrong."""
    for data in (PCAP, PCAPNG):
        expected = replay(data).output
        check(expected, "the capture has records")
        for name, compress in FORMATS.items():
            compressed = compress(data)
            equal(replay(compressed).output, expected, f"{name} from a pipe")
            for suffix in ("." + SUFFIXES[name], "", ".pcap", ".gz"):
                with named_file(compressed, suffix) as file:
                    result = replay(b"", file=file.name)
                    equal((result.status, result.output), (0, expected), f"{name} in a file *{suffix}")


def members():
    """Several members, streams or frames, of any size, also empty ones, are one capture."""
    expected = replay(PCAP).output
    for name, compress in FORMATS.items():
        for size in (1, 7, 16, 40, 300, len(PCAP)):
            parts = [PCAP[at:at + size] for at in range(0, len(PCAP), size)]
            if size < 40 and name in ("zstd", "lz4"):  # a process for each
                continue
            data = b"".join(compress(part) for part in parts)
            result = replay(data)
            equal((result.status, result.output), (0, expected), f"{name}: members of {size} bytes")
        empty = compress(b"")
        result = replay(empty + compress(PCAP[:100]) + empty * 3 + compress(PCAP[100:]) + empty)
        equal((result.status, result.output), (0, expected), f"{name}: empty members")


def padding():
    """Zeros may follow, as on a tape; other data may not."""
    expected = replay(PCAP).output
    for name, compress in FORMATS.items():
        for size in (1, 4, 10240, 300000):
            result = replay(compress(PCAP) + b"\0" * size)
            equal((result.status, result.output), (0, expected), f"{name}: {size} zeros behind it")
        result = replay(compress(PCAP) + b"something else")
        one_error(result, "other data follows", name)
        equal(result.output, expected, f"{name}: records before other data")


def skippable_frames():
    """zstd and lz4 have frames without data, which pzstd and others write before, between and after the others."""
    expected = replay(PCAP).output
    frame = struct.pack("<II", 0x184d2a50, 4) + b"abcd"
    for name in {"zstd", "lz4"} & FORMATS.keys():
        data = frame + FORMATS[name](PCAP[:100]) + frame * 2 + FORMATS[name](PCAP[100:]) + frame
        result = replay(data)
        equal((result.status, result.output), (0, expected), f"{name}: {result.errors}")


def cut():
    """Whatever the decoder gave before the cut is read, as from a capture that is cut there."""
    for name, compress in FORMATS.items():
        data = compress(PCAP)
        for size in (list(range(1, 40)) + list(range(40, len(data), 29)))[::STEP] + [len(data) - 1]:
            result = replay(data[:size])
            # A few bytes are not recognized: the first are those of the format's magic number.
            one_error(result, *([name, "cut"] if size >= 6 else []))
    data = gzip.compress(PCAP)
    for size in range(20, len(data), 5 * STEP):
        before = zlib.decompressobj(31).decompress(data[:size])
        equal(replay(data[:size]).output, replay(before).output, f"gzip cut at {size}: records")


def cut_between_packets():
    """Even where the last packet is whole, a cut is reported."""
    data = gzip.compress(PCAP)
    for tail in (1, 4, 8):  # the check sum and the length
        result = replay(data[:-tail])
        one_error(result, "broken after packet 16", "cut")
        equal(len(result.records), 2, "records")


def corrupt():
    """A changed byte gives one message, or none where it means nothing, and never more records than there are."""
    for name, compress in FORMATS.items():
        data = compress(PCAP)
        for at in range(0, len(data), 7 * STEP):
            changed = data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1:]
            result = replay(changed)
            check(result.status in (0, 1), f"{name} changed at {at}: status {result.status}")
            check("ignored" in result.errors or len(errors_of(result)) == result.status,
                  f"{name} changed at {at}: {result.errors}")
    wrong = gzip.compress(PCAP)
    one_error(replay(wrong[:-8] + b"\1\2\3\4" + wrong[-4:]), "gzip data is corrupt")


def compressed_twice():
    one_error(replay(gzip.compress(gzip.compress(PCAP))), "cannot read")
    one_error(replay(gzip.compress(b"")), "the file is empty")
    one_error(replay(gzip.compress(b"no capture at all")), "cannot read")


def from_a_pipe():
    """Records appear while the pipe is open, as soon as their packets can be decompressed."""
    header, body = PCAP[:24], PCAP[24:]
    compressor = zlib.compressobj(wbits=31)
    first = compressor.compress(header + body) + compressor.flush(zlib.Z_SYNC_FLUSH)
    with subprocess.Popen([NETRACKER, "replay", "-q", "-f", "json", "--events", "open", "-"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        process.stdin.write(first)
        process.stdin.flush()
        lines = [process.stdout.readline() for _ in range(2)]
        check(all(line.startswith(b"{") for line in lines), f"records before the end: {lines}")
        process.stdin.write(compressor.flush())
        process.stdin.close()
        equal(process.wait(timeout=20), 0, "status")


def one_byte_at_a_time():
    expected = replay(PCAP).output
    for name, compress in FORMATS.items():
        with subprocess.Popen([NETRACKER, "replay", "-q", "-f", "json", "-"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, bufsize=0) as process:
            for byte in compress(PCAP):
                process.stdin.write(bytes([byte]))
            process.stdin.close()
            equal(process.stdout.read(), expected, name)


def replay_within(limit, data):
    """Runs replay with at most `limit` bytes of address space."""
    with named_file(data) as file:
        command = [NETRACKER, "replay", "-q", "-f", "json", file.name]
        if not replay_harness.EMULATED:
            command = ["prlimit", f"--as={limit}", "--"] + command
        return replay_harness.Result(subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                                    timeout=60, check=False))


def xz_with(dictionary, data):
    return lzma.compress(data, filters=[{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": dictionary}])


def big_capture(size):
    """A capture that no window holds as a whole."""
    frame = pcap.ethernet(os.urandom(1400), 0x88b5)
    return pcap.capture(pcap.connection() + [(2.0 + at, frame) for at in range(size // 1400)])


def large_windows():
    """xz -9 has a dictionary of 64 MiB, the largest that is read. A larger one is refused, in one line."""
    result = replay_within(128 * MIB, xz_with(64 * MIB, big_capture(100 * MIB)))
    equal((result.status, len(result.records)), (0, 1), f"xz -9: {result.errors}")
    one_error(replay(xz_with(192 * MIB, PCAP)), "xz", "more than 64 MiB of memory",
              "xz -dc FILE | netracker replay -")
    result = replay(lzma.compress(PCAP[:300]) + xz_with(192 * MIB, PCAP[300:]))
    one_error(result, "broken after packet", "more than 64 MiB of memory")
    if "zstd" not in FORMATS:
        return
    for window in (27, 31):
        one_error(replay(program("zstd", "-qc", f"--long={window}")(PCAP)), "zstd", "more than 64 MiB of memory",
                  "zstd -dc --long=31 FILE | netracker replay -")
    holds(replay(program("zstd", "-qc", "--long=26")(PCAP)).records[0], **WHOLE)


def bomb():
    """Gigabytes of empty packets in a few KiB."""
    if "zstd" not in FORMATS:
        return
    with named_file(PCAP[:24]) as file:
        command = f"{{ cat {file.name}; head -c 4G /dev/zero; }} | zstd -qc"
        data = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, check=True).stdout
    check(len(data) < MIB, f"size: {len(data)}")
    result = replay_within(64 * MIB, data)
    one_error(result, "grows more than 5000 times", "zstd -dc --long=31 FILE | netracker replay -")


def well_compressed():
    """A long capture of zeros compresses well, and is no bomb."""
    packets = [(at / 1000, pcap.packet(pcap.CLIENT, pcap.SERVER, pcap.ACK, 1 + 1400 * at, 1, b"\0" * 1400))
               for at in range(200000)]
    data = pcap.capture(packets)
    check(len(data) > 256 * MIB, "the capture is long")
    for name, compress in FORMATS.items():
        if name in ("gzip", "zstd"):
            result = replay(compress(data))
            equal((result.status, len(result.records)), (0, 1), f"{name}: {len(data)} bytes: {result.errors}")


if __name__ == "__main__":
    replay_harness.run([every_format, members, padding, skippable_frames, cut, cut_between_packets, corrupt,
                        compressed_twice, from_a_pipe, one_byte_at_a_time, large_windows, bomb, well_compressed])
