#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ICMP errors in a capture decide as the errors of a socket of Linux do (docs/record.md)."""
import shutil
import socket
import struct
import subprocess
import tempfile

import pcap
from pcap import ACK, CLIENT, PSH, RST, SERVER, SYN, capture, connection, ethernet, ipv4, ipv6, packet, tcp
from replay_harness import accounting_of, check, equal, holds, replay, run, skip

SIX = ("fd00::9", 40000), ("fd00::1", 80)
ROUTER = {4: "198.18.0.254", 6: "fd00::fe"}
UNREACHABLE, TIME_EXCEEDED, PARAMETER_PROBLEM = 3, 11, 12
PORT_UNREACHABLE = (UNREACHABLE, 3)
# Linux: icmp_err_convert[] and tcp_v4_err(), tab_unreach[] and tcp_v6_err(). None: the attempt goes on.
ERRORS = {
    **{(UNREACHABLE, code): error for code, error in enumerate((
        "enetunreach", "ehostunreach", "enoprotoopt", "econnrefused", None, "eopnotsupp", "enetunreach", "ehostdown",
        "enonet", "enetunreach", "ehostunreach", "enetunreach", "ehostunreach", "ehostunreach", "ehostunreach",
        "ehostunreach", None))},
    (TIME_EXCEEDED, 0): "ehostunreach", (TIME_EXCEEDED, 1): None, (PARAMETER_PROBLEM, 0): "eproto",
    (4, 0): None, (5, 1): None, (0, 0): None, (8, 0): None, (13, 0): None,
}
ERRORS_SIX = {
    **{(1, code): error for code, error in enumerate((
        "enetunreach", "eacces", "ehostunreach", "ehostunreach", "econnrefused", "eacces", "eacces", "eproto"))},
    (2, 0): None, (3, 0): "ehostunreach", (3, 1): "ehostunreach", (4, 1): "eproto", (100, 0): "eproto",
    (128, 0): None, (137, 0): None,
}


def is_six(host):
    return ":" in host


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ip(source, destination, payload, protocol=6):
    return (ipv6 if is_six(source) else ipv4)(source, destination, payload, protocol)


def icmp(to, kind, code, quote, source=None):
    """An IP packet with an ICMP error for the host `to`."""
    source = source or ROUTER[6 if is_six(to) else 4]
    message = struct.pack(">BBHI", kind, code, 0, 0) + quote
    pseudo = b""
    if is_six(to):
        pseudo = (socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, to) +
                  struct.pack(">II", len(message), 58))
    message = message[:2] + struct.pack(">H", checksum(pseudo + message)) + message[4:]
    return ip(source, to, message, 58 if is_six(to) else 1)


def quoted(client=CLIENT, server=SERVER, sequence=1000, size=8, flags=SYN):
    """What an error quotes: the IP header and the first `size` bytes of the segment."""
    whole = ip(client[0], server[0], tcp(client, server, flags, sequence))
    return whole[:len(whole) - 20 + size]


def framed(datagram):
    return ethernet(datagram, 0x86dd if datagram[0] >> 4 == 6 else 0x0800)


def error(kind, code, client=CLIENT, server=SERVER, **more):
    """An Ethernet frame with an ICMP error about a SYN of the client."""
    return framed(icmp(client[0], kind, code, quoted(client, server, **more)))


def syn(at=0.0, client=CLIENT, server=SERVER, isn=1000):
    return at, packet(client, server, SYN, isn)


def later(at):
    """A packet of another connection, which moves the clock."""
    return at, packet(("198.18.0.77", 7), ("198.18.0.78", 8), ACK, 1, 1)


def records_of(packets, *arguments):
    result = replay(capture(packets), *arguments)
    equal(result.status, 0, "status")
    check("passed over" not in result.errors, f"nothing is passed over: {result.errors}")
    return [record for record in result.records if record["src_port"] != 7]


def one(packets, *arguments, **expected):
    records = records_of(packets, *arguments)
    equal(len(records), 1, "records")
    if records:
        holds(records[0], **expected)
    return records[0] if records else {}


def failed(reason, **more):
    return {"event": "close", "role": "observer", "outcome": "unreachable", "reason": reason, "ended_by": None,
            "conn_state": "S0", "history": "S", "src_packets": 1, "dst_packets": 0, "src_bytes": 0, "dst_bytes": 0,
            "src_retransmits": 0, "gaps": [], "complete": True, **more}


WAITING = {"event": "exit", "outcome": "unanswered", "reason": None, "conn_state": "S0", "src_packets": 1,
           "dst_packets": 0}


def types_and_codes():
    for (client, server), errors in (((CLIENT, SERVER), ERRORS), (SIX, ERRORS_SIX)):
        for (kind, code), reason in errors.items():
            packets = [syn(0, client, server), (0.25, error(kind, code, client, server))]
            if reason:
                one(packets, **failed(reason, duration_ns=250_000_000, wire_duration_ns=250_000_000))
            else:
                one(packets, **WAITING)
                one([*packets, later(80)], outcome="timeout", reason=None, duration_ns=0)


def sizes_of_quotes():
    """RFC 792 quotes eight bytes of the segment; others quote more, or less, which is ignored."""
    for client, server in ((CLIENT, SERVER), SIX):
        kind = PORT_UNREACHABLE if client == CLIENT else (1, 4)
        for size in range(21):
            frame = error(*kind, client, server, size=size)
            one([syn(0, client, server), (0.1, frame)], **(failed("econnrefused") if size >= 8 else WAITING))
        # Padding of the frame is no quote.
        one([syn(0, client, server), (0.1, error(*kind, client, server, size=4) + b"\0\0\3\xe8")], **WAITING)
    extended = icmp(CLIENT[0], *PORT_UNREACHABLE, quoted(size=20).ljust(128, b"\0") + b"\x20\0\0\0\0\4\1\1")
    one([syn(), (0.1, framed(extended))], **failed("econnrefused"))


def captured_lengths():
    """A message cut before the quoted sequence number is ignored."""
    for client, server in ((CLIENT, SERVER), SIX):
        frame = error(*(PORT_UNREACHABLE if client == CLIENT else (1, 4)), client, server)
        for length in range(len(frame) + 1):
            result = replay(capture([syn(0, client, server), (0.1, frame, length)]))
            equal(result.records[0]["outcome"], "unreachable" if length == len(frame) else "unanswered",
                  f"{length} bytes")


def other_attempts():
    """A quote that does not fit the attempt is ignored: anybody can send one."""
    host, port = CLIENT
    misfits = {
        "sequence number": error(*PORT_UNREACHABLE, sequence=1001),
        "sequence number before": error(*PORT_UNREACHABLE, sequence=999),
        "client's port": error(*PORT_UNREACHABLE, client=(host, port + 1)),
        "server's port": error(*PORT_UNREACHABLE, server=(SERVER[0], 81)),
        "server's address": error(*PORT_UNREACHABLE, server=("198.18.0.2", 80)),
        "direction": framed(icmp(host, *PORT_UNREACHABLE, quoted(SERVER, CLIENT))),
        "UDP": framed(icmp(host, *PORT_UNREACHABLE, ipv4(host, SERVER[0], tcp(CLIENT, SERVER, SYN, 1000), 17))),
        "IPv6 in ICMP": framed(icmp(host, *PORT_UNREACHABLE, quoted(*SIX))),
        "a later fragment": framed(icmp(host, *PORT_UNREACHABLE, quoted()[:6] + b"\0\2" + quoted()[8:])),
    }
    for name, frame in misfits.items():
        record = one([syn(), (0.1, frame)], **WAITING)
        equal(record.get("outcome"), "unanswered", name)
    equal(records_of([(0, error(*PORT_UNREACHABLE))]), [], "an error alone makes no record")


def surroundings():
    """The error is found where segments are: VLANs, tunnels, extension headers, fragments."""
    message = icmp(CLIENT[0], *PORT_UNREACHABLE, quoted())
    one([syn(), (0.1, ethernet(b"\0\7\x08\0" + message, 0x8100))], **failed("econnrefused"))
    one([syn(), (0.1, ethernet(b"\0\7\x81\0\0\x08\x08\0" + message, 0x88a8))], **failed("econnrefused"))
    for client, server in ((CLIENT, SERVER), SIX):
        kind, code = PORT_UNREACHABLE if client == CLIENT else (1, 4)
        message = icmp(client[0], kind, code, quoted(client, server))
        inner_type = b"\x86\xdd" if client != CLIENT else b"\x08\0"
        vxlan = b"\x08\0\0\0\0\0\7\0" + b"\2" * 12 + inner_type + message
        wraps = {
            "GRE": ipv4("198.18.1.1", "198.18.1.2", b"\0\0" + inner_type + message, 47),
            "IP in IP": ipv4("198.18.1.1", "198.18.1.2", message, 41 if client != CLIENT else 4),
            "VXLAN": ipv4("198.18.1.1", "198.18.1.2",
                          struct.pack(">HHHH", 50000, 4789, 8 + len(vxlan), 0) + vxlan, 17),
        }
        for name, datagram in wraps.items():
            packets = [syn(0, client, server), (0.1, framed(datagram))]
            equal(one(packets, "--tunnels", **failed("econnrefused")).get("reason"), "econnrefused", name)
            one(packets, **WAITING)


def extension_headers():
    client, server = SIX
    options = b"\x00\0\1\4\0\0\0\0"  # an extension header of eight bytes; its first byte is the next header

    def with_extension(datagram, kind):
        length = struct.unpack(">H", datagram[4:6])[0] + 8
        return (datagram[:4] + struct.pack(">HB", length, kind) + datagram[7:40] + datagram[6:7] + options[1:] +
                datagram[40:])

    for kind in (0, 43, 60):  # hop by hop, routing, destination options
        outside = with_extension(icmp(client[0], 1, 4, quoted(client, server)), kind)
        inside = icmp(client[0], 1, 4, with_extension(quoted(client, server), kind))
        for datagram in (outside, inside):
            one([syn(0, client, server), (0.1, framed(datagram))], **failed("econnrefused"))
    options = b"\x01\1\1\1"  # IPv4
    quote = quoted()
    quote = b"\x46" + quote[1:2] + struct.pack(">H", 44) + quote[4:20] + options + quote[20:]
    one([syn(), (0.1, framed(icmp(CLIENT[0], *PORT_UNREACHABLE, quote)))], **failed("econnrefused"))


def fragments():
    """The first fragment holds the quote; in tunnels the message is reassembled."""
    message = icmp(CLIENT[0], *PORT_UNREACHABLE, quoted(size=20) + b"\0" * 512)
    pieces = []
    for at in range(0, len(message) - 20, 256):
        piece = message[20 + at:20 + at + 256]
        more = 0x2000 if at + 256 < len(message) - 20 else 0
        pieces.append(message[:2] + struct.pack(">HHH", 20 + len(piece), 5, at // 8 | more) + message[8:20] + piece)
    frames = [(0.1, framed(piece)) for piece in pieces]
    for arguments in ((), ("--tunnels",)):
        one([syn(), *frames], *arguments, **failed("econnrefused"))
    one([syn(), frames[0]], **failed("econnrefused"))


def established():
    """On a connection that is established an error is soft: what the packets show decides."""
    packets = connection()
    for at in (0.0105, 0.0115, 0.025, 0.055):
        for sequence in (1000, 1001, 1011):
            mixed = sorted([*packets, (at, error(*PORT_UNREACHABLE, sequence=sequence))], key=lambda each: each[0])
            one(mixed, outcome="closed", reason=None, conn_state="SF", src_packets=5, dst_packets=3,
                duration_ns=50_000_000)
    one([*packets[:5], (1, error(*PORT_UNREACHABLE, sequence=1011))], event="exit", outcome="open", reason=None)
    reset = [*packets[:5], (1, error(UNREACHABLE, 1, sequence=1011)), (2, packet(SERVER, CLIENT, RST | ACK, 51021, 1011))]
    one(reset, outcome="reset", ended_by="dst", reason=None)


def goes_on():
    """A SYN that comes again, or an answer, shows that the application did not get the error: later events decide."""
    refusal = (3.1, packet(SERVER, CLIENT, RST | ACK, 0, 1001))
    first = [syn(), (0.1, error(*PORT_UNREACHABLE))]
    one([*first, *[(at + 0.2, frame) for at, frame in connection()[1:]]], outcome="closed", reason=None,
        duration_ns=250_000_000, src_packets=5, src_retransmits=0)
    one([*first, *[(at + 1, frame) for at, frame in connection()]], outcome="closed", reason=None, conn_state="SF",
        duration_ns=1_050_000_000, src_packets=6, src_retransmits=1)
    one([*first, syn(3), refusal], outcome="refused", ended_by="dst", reason=None, src_packets=2)
    one([*first, refusal], outcome="refused", ended_by="dst", reason=None)
    one([*first, syn(1)], event="exit", outcome="unanswered", reason=None, src_packets=2, src_retransmits=1)
    one([*first, (1, connection()[1][1])], event="exit", outcome="open", reason=None)
    # Without an answer the error remains, like that of a socket that gives up.
    one([*first, syn(1), later(80)], **failed("econnrefused", src_packets=2, src_retransmits=1, duration_ns=100_000_000))
    one([*first, (1, connection()[1][1]), later(80)], outcome="unreachable", reason="econnrefused", conn_state="S1",
        history="Sh")
    again = [*first, syn(1), (1.1, error(UNREACHABLE, 13)), (1.2, error(UNREACHABLE, 0))]
    one(again, **failed("ehostunreach", src_packets=2, src_retransmits=1, duration_ns=1_100_000_000))


def refused():
    """A RST before the error decides, whatever comes then."""
    packets = [syn(), (0.1, packet(SERVER, CLIENT, RST | ACK, 0, 1001)), (0.2, error(UNREACHABLE, 13))]
    one(packets, outcome="refused", ended_by="dst", reason=None, duration_ns=100_000_000)
    one([*packets, syn(0.6), (0.7, error(UNREACHABLE, 13))], outcome="unreachable", reason="ehostunreach",
        duration_ns=700_000_000, src_packets=2)


def held():
    """The attempt is held for 70 s of the capture's time."""
    first = [syn(), (3, error(*PORT_UNREACHABLE))]
    one([*first, syn(72), (72.1, connection()[1][1])], outcome="open", src_packets=2)
    records = records_of([*first, syn(74), (74.1, connection()[1][1])])
    equal([record["outcome"] for record in records], ["unreachable", "open"], "outcomes")
    holds(records[0], **failed("econnrefused", duration_ns=3_000_000_000))
    records = records_of([*first, syn(4, isn=77000), (4.1, error(UNREACHABLE, 1, sequence=77000))])
    equal([record["reason"] for record in records], ["econnrefused", "ehostunreach"], "another attempt of the tuple")


def used_again():
    """The addresses and ports of an ended connection are those of an attempt that fails."""
    attempt = [syn(1, isn=90000), (1.25, error(UNREACHABLE, 1, sequence=90000))]
    reset = (0.5, packet(SERVER, CLIENT, RST | ACK, 51021, 1011))
    for packets, outcome in ((connection(), "closed"), ([*connection()[:5], reset], "reset")):
        records = records_of([*packets, *attempt])
        equal([record["outcome"] for record in records], [outcome, "unreachable"], "outcomes")
        holds(records[-1], **failed("ehostunreach", duration_ns=250_000_000))


def captured_twice():
    """An error that was captured twice decides once."""
    one([syn(), (0.1, error(*PORT_UNREACHABLE)), (0.100005, error(*PORT_UNREACHABLE))],
        **failed("econnrefused", duration_ns=100_000_000))


def several():
    """Many attempts at once, each with its own error or none."""
    kinds = [code for code in range(16) if code != 4] + [4]
    packets, reasons = [], {}
    for number in range(64):
        client = ("198.18.0.9", 41000 + number)
        code = kinds[number % 16]
        reasons[client[1]] = ERRORS[UNREACHABLE, code]
        packets += [syn(number / 1000, client, isn=number * 1_000_003),
                    (1 + number / 1000, error(UNREACHABLE, code, client, sequence=number * 1_000_003))]
    result = replay(capture(sorted(packets, key=lambda each: each[0])))
    equal({record["src_port"]: record.get("reason") for record in result.records}, reasons, "reasons")
    lines = [line for line in result.errors.splitlines() if "records:" in line]
    equal(accounting_of(lines[0])["lost"] if lines else None, 0, "lost")


def filters():
    failures = capture([syn(), (0.1, error(*PORT_UNREACHABLE))])
    equal(len(replay(failures, "-x").records), 1, "-x selects it")
    check(b" unreachable " in replay(failures, "-f", "text").output, "text")
    holds(replay(failures, "--like", "zeek", "-C").records[0], reason=None, conn_state="S0", src_packets=1)


def wrong_clock():
    """An error whose own time is wrong decides, without a duration."""
    others = [later(0.2 + number / 10) for number in range(20)]
    one([syn(), (10_000_000, error(*PORT_UNREACHABLE)), *others],
        **failed("econnrefused", duration_ns=None, wire_duration_ns=None))


def confirmed_by_tshark():
    """tshark finds the same types, codes and quotes, and right checksums, in the frames that the tests make."""
    if not shutil.which("tshark"):
        skip("tshark: not installed; the frames of ICMP errors are not confirmed")
        return
    expected, packets = [], []
    for (client, server), errors in (((CLIENT, SERVER), ERRORS), (SIX, ERRORS_SIX)):
        for kind, code in (each for each, reason in errors.items() if reason and each[0] != 100):
            packets.append((len(packets), error(kind, code, client, server, size=20)))
            expected.append([str(kind), str(code), str(client[1]), str(server[1]), "1000"])
    fields = ("icmp.type", "icmpv6.type", "icmp.code", "icmpv6.code", "tcp.srcport", "tcp.dstport", "tcp.seq",
              "icmp.checksum.status", "icmpv6.checksum.status")
    with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
        file.write(capture(packets))
        file.flush()
        arguments = [argument for field in fields for argument in ("-e", field)]
        lines = subprocess.run(["tshark", "-n", "-r", file.name, "-o", "tcp.relative_sequence_numbers:FALSE", "-T",
                                "fields", *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True,
                               timeout=60).stdout.decode().splitlines()
    for line, values in zip(lines, expected):
        equal([value for value in line.split("\t") if value], [*values, "1"], "tshark")
    equal(len(lines), len(expected), "frames")


if __name__ == "__main__":
    run([types_and_codes, sizes_of_quotes, captured_lengths, other_attempts, surroundings, extension_headers,
         fragments, established, goes_on, refused, held, used_again, captured_twice, several, filters, wrong_clock,
         confirmed_by_tshark])
