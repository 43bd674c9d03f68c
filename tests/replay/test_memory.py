#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory of replay is limited (--memory): what finds no room evicts others in a known order, and nothing is lost."""
import os
import struct
import subprocess
import sys
import tempfile

import pcap
import replay_harness
from pcap import ACK, FIN, PSH, SYN
from replay_harness import accounting_of, balances, check, equal, replay

MIB = 1024 * 1024
LIMIT_MIB = 16
BASE_MIB = 8  # of the program, its libraries and buffers
ANNOUNCEMENT = "connections are being evicted"
SERVER = ("198.18.0.1", 80)
# Runs a program and prints its peak memory in KiB. The interpreter needs less than what is measured: a program's peak
# includes that of the process that started it.
MEASURE = """
import os, sys
child = os.fork()
if not child:
    os.dup2(os.open(sys.argv[1], os.O_WRONLY), 1)
    os.execv(sys.argv[2], sys.argv[2:])
print(os.wait4(child, 0)[2].ru_maxrss)
"""


def client_of(number):
    return "10.%d.%d.%d" % (number >> 16 & 255, number >> 8 & 255, number & 255), 40000


def syns(count, first=0, at=0.0):
    return [(at + number / 1e5, pcap.packet(client_of(first + number), SERVER, SYN, 1000)) for number in range(count)]


def handshake(number, at):
    client = client_of(number)
    return [(at, pcap.packet(client, SERVER, SYN, 1000)),
            (at + 1e-6, pcap.packet(SERVER, client, SYN | ACK, 5000, 1001)),
            (at + 2e-6, pcap.packet(client, SERVER, ACK, 1001, 5001))]


def holes(number, at):
    """Segments of both sides behind a hole."""
    client = client_of(number)
    return [(at + 3e-6, pcap.packet(client, SERVER, ACK | PSH, 1101, 5001, b"q")),
            (at + 4e-6, pcap.packet(SERVER, client, ACK | PSH, 5101, 1001, b"a"))]


def close(number, at):
    client = client_of(number)
    return [(at, pcap.packet(client, SERVER, ACK | FIN, 1001, 5001)),
            (at + 1e-6, pcap.packet(SERVER, client, ACK | FIN, 5001, 1002)),
            (at + 2e-6, pcap.packet(client, SERVER, ACK, 1002, 5002))]


def is_evicted(record):
    return "evicted" in record["gaps"]


def number_of(record):
    parts = [int(part) for part in record["src_ip"].split(".")]
    return parts[1] << 16 | parts[2] << 8 | parts[3]


def check_evictions(result, total):
    """Every connection has one record; those that left early are close records, announced once and counted."""
    evicted = [record for record in result.records if is_evicted(record)]
    equal(result.status, 0, "status")
    equal(len(result.records), total, "records")
    equal(len({record["id"] for record in result.records}), total, "different ids")
    equal({record["event"] for record in evicted}, {"close"}, "events of evicted records")
    check(evicted and not any(record["complete"] for record in evicted), "evicted records are not complete")
    counts = accounting_of(result.errors)
    check(balances(result.errors), result.errors)
    equal(counts["lost"], 0, "lost")
    equal(result.errors.count(ANNOUNCEMENT), 1, "announcements")
    check("--memory" in result.errors, "the remedy is named")
    check("%d connections were evicted" % len(evicted) in result.errors, "the number is said: " + result.errors)
    return evicted


def test_flood():
    """A flood of SYNs evicts the oldest of them; the answered connections stay."""
    total = 5000
    packets = handshake(total, 0.0) + syns(total, at=0.001) + close(total, 0.1)
    for rules in ((), ("--like", "zeek", "-C")):
        result = replay(pcap.capture(packets), "--memory", "1M", *rules)
        evicted = check_evictions(result, total + 1)
        equal([number_of(record) for record in evicted], list(range(len(evicted))), "the oldest are evicted")
        equal({record["outcome"] for record in evicted}, {"unanswered"}, "outcomes of the flood")
        served, = [record for record in result.records if number_of(record) == total]
        equal((served["outcome"], served["gaps"]), ("closed", []), "the connection among them")


def test_order():
    """Half-open ones leave first, then ended ones, then the established ones that were idle for the longest time."""
    ended, idle, half_open, active, late = range(0, 200), range(200, 400), range(400, 600), range(600, 620), range(1000, 3500)
    packets = [packet for number in ended for packet in handshake(number, number / 1e4) + close(number, number / 1e4 + 1e-5)]
    packets += [packet for number in (*active, *idle) for packet in handshake(number, 0.1 + number / 1e4)]
    packets += syns(len(half_open), half_open[0], 0.2)
    for number in late:
        at = 0.3 + number / 1e4
        packets += handshake(number, at)
        speaker = active[number % len(active)]
        packets.append((at + 1e-5, pcap.packet(client_of(speaker), SERVER, ACK | PSH, 1001 + number, 5001, b"d")))
    result = replay(pcap.capture(sorted(packets, key=lambda one: one[0])), "--memory", "1M")
    numbers = [number_of(record) for record in check_evictions(result, len(late) + 620)]
    equal(numbers[:200], list(half_open), "half-open ones are first")
    equal(numbers[200:400], list(ended), "ended ones are next")
    equal(numbers[400:600], list(idle), "then the established ones that sent nothing")
    equal(numbers[600:], list(range(late[0], late[0] + len(numbers) - 600)), "then those that sent nothing after them")
    outcomes = {record["outcome"] for record in result.records if number_of(record) in idle}
    equal(outcomes, {"open"}, "outcomes of the established ones")
    outcomes = {record["outcome"] for record in result.records if number_of(record) in ended}
    equal(outcomes, {"closed"}, "outcomes of the ended ones")


def test_begins_again():
    """Packets that come after an eviction begin a connection whose start is unknown."""
    packets = handshake(0, 0.0) + [packet for number in range(1, 3000) for packet in handshake(number, number / 1e4)]
    packets += [(1.0, pcap.packet(client_of(0), SERVER, ACK | PSH, 1001, 5001, b"later"))]
    result = replay(pcap.capture(packets), "--memory", "1M")
    first, second = [record for record in result.records if number_of(record) == 0]
    equal((first["outcome"], first["gaps"]), ("open", ["evicted"]), "the first record")
    equal((second["event"], "start" in second["gaps"], second["src_bytes"]), ("exit", True, 5), "the second")


def peak_memory(capture, *arguments):
    """Returns the peak memory in MiB."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(capture)
        file.flush()
        command = [replay_harness.NETRACKER, "replay", "-q", *arguments, file.name]
        measured = subprocess.run([sys.executable, "-S", "-E", "-c", MEASURE, os.devnull, *command], timeout=60,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return int(measured.stdout) / 1024


def many(packets, count):
    """A capture of the same packets from many clients; quicker than building each."""
    out = [pcap.capture([])]
    for number in range(count):
        address = struct.pack(">I", 10 << 24 | number)
        for at, frame in packets:
            time = round((number / 1e5 + at) * 1e9)
            source = 26 if frame[26:30] == b"\x0a\0\0\0" else 30
            out.append(struct.pack("<IIII", pcap.START, time, len(frame), len(frame)))
            out.append(frame[:source] + address + frame[source + 4:])
    return b"".join(out)


def test_peak():
    """Connections, their holes and the tables stay below the limit."""
    if replay_harness.EMULATED:
        replay_harness.skip("peak memory: that of the emulator would be measured")
        return
    limit = "%dM" % LIMIT_MIB
    floods = {"SYNs": many(syns(1), 90000), "holes": many(handshake(0, 0) + holes(0, 0), 30000)}
    for name, capture in floods.items():
        check(peak_memory(capture) > LIMIT_MIB + BASE_MIB, name + " need more without a limit")
        for rules in ((), ("--like", "zeek", "-C")):
            peak = peak_memory(capture, "--memory", limit, *rules)
            check(peak < LIMIT_MIB + BASE_MIB, "%s %s: %.1f MiB" % (name, rules, peak))


def test_default():
    """Without a shortage nothing is evicted, whatever the limit."""
    capture = pcap.capture(syns(1000))
    for arguments in ((), ("--memory", "1G"), ("--memory", "1048576"), ("--memory", "1024K"), ("--memory", "1.5M")):
        result = replay(capture, *arguments)
        equal((result.status, len(result.records)), (0, 1000), "records with %r" % (arguments,))
        check("evicted" not in result.errors and not any(map(is_evicted, result.records)), "nothing is evicted")


def test_usage():
    """Other sizes are refused, by the option's name and with a remedy."""
    for size in ("", "0", "-1", "M", "1X", "64MB", "64 M", "1m", "1023K", "1e9", "0x100000", "1.5.5G", "99999999G"):
        result = replay(b"", "--memory", size)
        equal(result.status, 2, "status of %r" % size)
        check("--memory" in result.errors and "64M" in result.errors, "message for %r: %s" % (size, result.errors))


replay_harness.run([test_flood, test_order, test_begins_again, test_peak, test_default, test_usage])
