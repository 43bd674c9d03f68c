#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes that captures name: PKTAP of macOS, Apple's process blocks and packet comments in pcapng.

The layouts are those of Apple's net/pktap.h and of the block that its tcpdump writes; the comments those of ptcpdump
and etl2pcapng.
"""
import os
import random
import shutil
import struct
import subprocess
import tempfile

import pcap
import replay_harness
from replay_harness import check, equal, holds, replay
from pcap import block, connection, enhanced, interface, microseconds, option, section

WHOLE = {"outcome": "closed", "src_bytes": 10, "dst_bytes": 20, "src_packets": 5, "dst_packets": 3, "gaps": []}
NONE = {"pid": None, "comm": None, "owner_by": None}
PKTAP, USER2 = 258, 149
PROCESS, PROCESS_INDEX, EFFECTIVE_INDEX = 0x80000001, 0x8001, 0x8003


def one(data):
    result = replay(data)
    equal((result.status, len(result.records)), (0, 1), result.errors)
    return result.records[0] if result.records else {}


def named(pid, comm):
    return {"pid": pid, "comm": comm, "owner_by": "capture", "uid": None, "exe": None}


def pktap(frame, pid=0xffffffff, comm=b"", ifname=b"en0", out=True, effective=(0xffffffff, b""), inner=1, kind=1,
          extra=b""):
    flags = 2 if out else 1
    header = struct.pack("<II24sIIIII20sIHHI20s", kind, inner, ifname, flags, 2, 14, 0, pid, comm, 0, 6, 0,
                         effective[0], effective[1]) + extra
    return struct.pack("<I", 4 + len(header)) + header + frame


def pktap_2(frame, pid=0xffffffff, comm=b"", ifname=b"en0", out=True, effective=(0xffffffff, b""), inner=1):
    strings, offsets = b"", []
    for text in (ifname, comm, effective[1]):
        offsets.append(40 + len(strings) if text else 0)
        strings += text + b"\0" if text else b""
    header = struct.pack("<BBBBBBHHHHHIIIIII", 40 + len(strings), 0, 0, *offsets, inner, 14, 0, 6, 6, 2, 0, 0, pid,
                         effective[0], 0x80000 | (2 if out else 1))
    return header + strings + frame


def capture_of(wrap, link_type=PKTAP, *arguments, **more):
    """arguments: the header of every packet."""
    return pcap.capture([(at, wrap(frame, *arguments, **more)) for at, frame in connection()], link_type)


def pktap_headers():
    for link_type in (PKTAP, USER2):
        for wrap in (pktap, pktap_2):
            holds(one(capture_of(wrap, link_type, 4711, b"curl")), **WHOLE, **named(4711, "curl"), ifname="en0")
    # longer headers, as newer systems write them
    holds(one(capture_of(pktap, PKTAP, 4711, b"curl", extra=b"\xff" * 48)), **WHOLE, **named(4711, "curl"))


def pktap_processes():
    for wrap in (pktap, pktap_2):
        for pid in (0, 0xffffffff, 0x80000000):
            holds(one(capture_of(wrap, PKTAP, pid, b"curl")), **WHOLE, **NONE)
            holds(one(capture_of(wrap, PKTAP, pid, b"x", effective=(7, b"Safari"))), **WHOLE, **named(7, "Safari"))
        holds(one(capture_of(wrap, PKTAP, 5, b"helper", effective=(7, b"Safari"))), **named(5, "helper"))
        holds(one(capture_of(wrap, PKTAP, 5, b"")), **named(5, None))
        holds(one(capture_of(wrap, PKTAP, 5, b"0123456789abcdef")), **named(5, "0123456789abcde"))
        holds(one(capture_of(wrap, PKTAP, 5, b"a\nb\x1b\xff")), pid=5, comm="a\nb\x1b\\xff")
        holds(one(capture_of(wrap, PKTAP, 5, b"x", ifname=b"")), **WHOLE, ifname=None)


def filters_by_process():
    first = [(at, pktap(frame, 7, b"curl")) for at, frame in connection()]
    second = [(at, pktap(frame, 8, b"nc")) for at, frame in connection(("198.18.0.8", 40001), at=1)]
    third = [(at, pktap(frame, 0, b"")) for at, frame in connection(("198.18.0.7", 40002), at=2)]
    capture = pcap.capture(first + second + third, PKTAP)
    for arguments, expected in ((("-p", "7"), [7]), (("--comm", "nc"), [8]), (("-p", "7", "-c", "nc"), []), (("-p", "9"), [])):
        result = replay(capture, *arguments)
        equal([record["pid"] for record in result.records], expected, str(arguments))
        check(replay_harness.balances(result.errors), result.errors)


def pktap_inner_links():
    """The header names the link type of the frame that follows."""
    for wrap in (pktap, pktap_2):
        for inner, change in ((0, lambda frame: b"\2\0\0\0" + frame[14:]), (12, lambda frame: frame[14:])):
            packets = [(at, wrap(change(frame), 9, b"nc", inner=inner, ifname=b"utun3")) for at, frame in connection()]
            holds(one(pcap.capture(packets, PKTAP)), **WHOLE, **named(9, "nc"), ifname="utun3")
    equal(replay(capture_of(pktap, PKTAP, 1, b"x", inner=PKTAP)).records, [], "PKTAP in PKTAP")
    equal(replay(capture_of(pktap, PKTAP, 1, b"x", kind=0)).records, [], "no packet follows")
    equal(replay(capture_of(lambda frame: frame, USER2)).records, [], "another use of the number")


def pktap_places():
    """The same packets on two interfaces, and going out as well as coming in."""
    for wrap in (pktap, pktap_2):
        for second in ({"ifname": b"en1"}, {"out": False}):
            packets = [(at + index * 0.00001, wrap(frame, 5, b"nc", **place)) for at, frame in connection()
                       for index, place in enumerate(({}, second))]
            holds(one(pcap.capture(packets, PKTAP)), **WHOLE, src_retransmits=0, dst_retransmits=0, ifname="en0")


def pktap_cut_and_broken():
    for wrap in (pktap, pktap_2):
        whole = wrap(connection()[0][1], 5, b"nc")
        for size in range(len(whole)):
            result = replay(pcap.capture([(0, whole, size)], PKTAP))
            equal(result.status, 0, f"cut at {size}")
        generator = random.Random(1)
        for _ in range(100):
            changed = bytearray(whole)
            for _ in range(generator.choice((1, 3))):
                changed[generator.randrange(min(110, len(changed)))] = generator.randrange(256)
            result = replay(pcap.capture([(0, bytes(changed))], PKTAP))
            check(result.status in (0, 1) and replay_harness.balances(result.errors), result.errors)


def process(pid, name, order="<"):
    return block(PROCESS, struct.pack(order + "I", pid) + option(2, name, order) + option(4, b"u" * 16, order) +
                 option(0, b"", order), order)


def with_options(options, blocks=b"", order="<", packets=None):
    """options: of the packets, by their number; blocks: what precedes them."""
    packets = packets or connection()
    return section(order) + interface(order=order) + blocks + b"".join(
        enhanced(microseconds(at), frame, order=order, options=options.get(index, b""))
        for index, (at, frame) in enumerate(packets))


def all_with(value, order="<", blocks=b""):
    return with_options({index: value for index in range(8)}, blocks, order)


def process_blocks():
    for order in "<>":
        def index(number, code=PROCESS_INDEX, byte_order=order):
            return option(code, struct.pack(byte_order + "I", number), byte_order)

        blocks = process(100, b"first", order) + process(200, b"second", order) + process(0, b"", order)
        holds(one(all_with(index(0), order, blocks)), **WHOLE, **named(100, "first"))
        holds(one(all_with(index(1), order, blocks)), **WHOLE, **named(200, "second"))
        for number in (2, 3, 0xffffffff):
            holds(one(all_with(index(number), order, blocks)), **WHOLE, **NONE)
        holds(one(all_with(index(0) + index(1, EFFECTIVE_INDEX), order, blocks)), **named(100, "first"))
        holds(one(all_with(index(1, EFFECTIVE_INDEX) + index(0), order, blocks)), **named(100, "first"))
        holds(one(all_with(index(1, EFFECTIVE_INDEX), order, blocks)), **named(200, "second"))
        holds(one(all_with(option(PROCESS_INDEX, b"\0\0", order), order, blocks)), **WHOLE, **NONE)
        holds(one(all_with(index(0), order, block(PROCESS, b"", order) + blocks)), **named(100, "first"))
    # the blocks of a section end with it
    data = section() + interface() + process(100, b"first") + all_with(option(PROCESS_INDEX, bytes(4)))
    holds(one(data), **WHOLE, **NONE)


def comments():
    for comment, expected in (
            (b"PID: 1234\nCmd: /usr/bin/wget\nArgs: wget kernel.org", named(1234, "wget")),
            (b"PID: 1234\nCmd: nginx\nArgs: nginx: worker process", named(1234, "nginx")),
            (b"PID: 1234\nCmd: \nArgs: ", named(1234, None)),
            (b"PID: 1234\r\nCmd: /opt/a b/c d\r\n", named(1234, "c d")),
            (b"PID=1234", named(1234, None)),
            (b"PID: 1", named(1, None)),
            (b"PID: 4194304", named(4194304, None)),
            (b"PID: 99999999999999999999999\nCmd: /bin/x", NONE),
            (b"PID: 4194305\nCmd: /bin/x", NONE),
            (b"PID: 0\nCmd: /bin/x", NONE),
            (b"PID: -5\nCmd: /bin/x", NONE),
            (b"PID: \nCmd: /bin/x", NONE),
            (b"PID", NONE), (b"", NONE), (b"Cmd: /bin/x", NONE), (b"\n\nPID: 4", NONE),
            (b"ParentPID: 1\nParentCmd: /sbin/init", NONE),
            (b"a comment about PID: 12", NONE),
            (b"PID: 8\nCmd: /bin/\x1b[31m\xff\xfe", {"pid": 8, "comm": "\x1b[31m\\xff\\xfe"}),
            (b"PID: 8\nCmd: /bin/" + b"long" * 9, named(8, "longlonglonglon"))):
        for order in "<>":
            holds(one(all_with(option(1, comment, order), order)), **WHOLE, **expected)
    several = option(1, b"a note") + option(1, b"PID: 5\nCmd: /bin/nc") + option(1, b"ParentPID: 1\nParentCmd: /bin/sh")
    holds(one(all_with(several)), **WHOLE, **named(5, "nc"))
    holds(one(all_with(option(8, struct.pack("<II", 5, 6)))), **WHOLE, **named(5, None))
    holds(one(all_with(option(8, struct.pack("<II", 5, 6)) + option(1, b"PID: 5\nCmd: /bin/nc"))), **named(5, "nc"))
    holds(one(all_with(option(8, struct.pack("<II", 5, 6)) + option(1, b"PID: 6\nCmd: /bin/nc"))), **named(5, None))


def first_that_is_named():
    """The first packet that names a process decides; each connection has its own."""
    nc, other = (option(1, b"PID: %d\nCmd: /bin/%s" % pair) for pair in ((5, b"nc"), (6, b"other")))
    holds(one(with_options({3: nc, 4: other, 5: other})), **WHOLE, **named(5, "nc"))
    holds(one(with_options({7: nc})), **WHOLE, **named(5, "nc"))
    two = connection() + connection(client=("198.18.0.9", 40001), at=1)
    result = replay(with_options({0: nc, 12: other}, packets=two))
    equal([(record["src_port"], record.get("comm")) for record in result.records], [(40000, "nc"), (40001, "other")],
          "two connections")
    again = connection() + connection(isn=900000, at=200)  # the same ports
    result = replay(with_options({0: nc}, packets=again))
    equal([record.get("comm") for record in result.records], ["nc", None], "the same ports again")


def as_tshark_reads_it():
    if not shutil.which("tshark"):
        replay_harness.skip("processes compared with tshark: tshark is missing")
        return

    def fields(data, *names):
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            command = ["tshark", "-n", "-c", "1", "-r", file.name, "-T", "fields"]
            for name in names:
                command += ["-e", name]
            return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                  check=True).stdout.rstrip("\n").split("\t")

    equal(fields(capture_of(pktap, PKTAP, 4711, b"curl"), "pktap.pid", "pktap.cmdname", "pktap.ifname", "tcp.dstport"),
          ["4711", "curl", "en0", "80"], "PKTAP")
    equal(fields(all_with(option(1, b"PID: 5")), "frame.comment", "tcp.dstport"), ["PID: 5", "80"], "comment")


def in_text():
    """The columns of a process, and a filter, take it like any other."""
    result = replay(capture_of(pktap, PKTAP, 4711, b"cu\x1brl"), "-f", "text")
    line = result.output.decode().splitlines()[-1]
    check("4711" in line and "\x1b" not in line, line)


def explained():
    for comm, words in ((b"curl", "The capture names curl (process 4711)."),
                        (b"", "The capture names process 4711.")):
        lines = replay(capture_of(pktap, PKTAP, 4711, comm)).output
        text = subprocess.run([replay_harness.NETRACKER, "explain"], input=lines, stdout=subprocess.PIPE,
                              check=True).stdout.decode()
        check(words in " ".join(text.split()), text)


if __name__ == "__main__":
    os.environ["LC_ALL"] = "C"
    replay_harness.run([pktap_headers, pktap_processes, filters_by_process, pktap_inner_links, pktap_places, pktap_cut_and_broken,
                        process_blocks, comments, first_that_is_named, as_tshark_reads_it, in_text, explained])
