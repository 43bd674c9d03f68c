#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""make_files.py DIRECTORY    writes initial inputs of the reader's fuzz target: what no capture has.

A byte for the options precedes each file.
"""
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "replay"))
import pcap  # noqa: E402
import test_icmp  # noqa: E402
import test_processes  # noqa: E402
import test_records  # noqa: E402

OPTIONS = b"\x09"  # JSON, tunnels


def files():
    packets = pcap.connection()
    yield "snoop", test_records.snoop(packets)
    yield "erf", test_records.erf_file(packets, extensions=2)
    yield "pktap", test_processes.capture_of(test_processes.pktap, test_processes.PKTAP, 5, b"nc")
    yield "pktap_2", test_processes.capture_of(test_processes.pktap_2, test_processes.PKTAP, 5, b"nc")
    yield "icmp", pcap.capture([test_icmp.syn(), (1, test_icmp.error(*test_icmp.PORT_UNREACHABLE))])
    yield "icmpv6", pcap.capture([test_icmp.syn(0, *test_icmp.SIX), (1, test_icmp.error(1, 4, *test_icmp.SIX))])
    blocks = test_processes.process(5, b"nc")
    yield "process_block", test_processes.all_with(
        pcap.option(test_processes.PROCESS_INDEX, bytes(4)) + pcap.option(2, struct.pack("<I", 2)), "<", blocks)
    yield "process_comment", test_processes.all_with(pcap.option(1, b"PID: 5\nCmd: /bin/nc"))


for name, data in files():
    with open(os.path.join(sys.argv[1], name), "wb") as file:
        file.write(OPTIONS + data)
