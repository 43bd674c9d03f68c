# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures every SYN, FIN and RST on a namespace's interfaces, to check the traffic itself.

It shares nothing with the tracker: it uses an AF_PACKET socket and the kernel's receive time. A filter drops all other
packets, so that a large volume does not overrun it.
"""
import collections
import ctypes
import os
import pickle
import select
import socket
import struct
import time

from netns import enter
from peer import ETH_P_ALL, SO_TIMESTAMPNS, kernel_receive_time

FIN, SYN, RST, ACK = 1, 2, 4, 16
SO_ATTACH_FILTER = 26
SO_RCVBUFFORCE = 33
RECEIVE_BUFFER = 16 << 20
SNAP = 128
LATE_NS = 20_000_000

# Classic BPF, an instruction (code, jump if true, jump if false, operand) a line. It accepts IPv4 and IPv6 without
# extension headers, TCP, with SYN, FIN or RST.
FILTER = [
    (0x28, 0, 0, 12),      # 0  ethertype
    (0x15, 0, 5, 0x0800),  # 1  IPv4, else 7
    (0x30, 0, 0, 23),      # 2  protocol
    (0x15, 0, 9, 6),       # 3  TCP, else 13
    (0xb1, 0, 0, 14),      # 4  the IPv4 header's length
    (0x50, 0, 0, 27),      # 5  flags
    (0x45, 5, 6, 7),       # 6  12, else 13
    (0x15, 0, 5, 0x86dd),  # 7  IPv6, else 13
    (0x30, 0, 0, 20),      # 8  next header
    (0x15, 0, 3, 6),       # 9  TCP, else 13
    (0x30, 0, 0, 67),      # 10 flags
    (0x45, 0, 1, 7),       # 11 12, else 13
    (0x06, 0, 0, SNAP),    # 12 accept
    (0x06, 0, 0, 0),       # 13 reject
]

Packet = collections.namedtuple("Packet", "at src dst flags seq ack length")


class Sniffer:
    """Captures in a child until stop()."""

    def __init__(self, namespace):
        self.reader, writer = os.pipe()
        self.control, theirs = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.reader)
            self.control.close()
            work(namespace, theirs, writer)
        os.close(writer)
        theirs.close()
        self.control.recv(1)

    def stop(self):
        """Returns all packets, each once, though one may have crossed several interfaces."""
        time.sleep(0.2)
        self.control.close()
        with os.fdopen(self.reader, "rb") as file:
            packets = pickle.load(file)
        os.waitpid(self.pid, 0)
        return once(packets)


def work(namespace, control, writer):
    status = 1
    try:
        enter(namespace.name)
        sock = packet_socket()
        control.send(b"r")
        with os.fdopen(writer, "wb") as file:
            pickle.dump(capture(sock, control), file)
        status = 0
    finally:
        os._exit(status)


def packet_socket():
    code = b"".join(struct.pack("=HBBI", *line) for line in FILTER)
    memory = ctypes.create_string_buffer(code)
    program = struct.pack("@HP", len(FILTER), ctypes.addressof(memory))
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    return sock


def capture(sock, control):
    packets = []
    while True:
        ready = select.select([sock, control], [], [])[0]
        if sock in ready:
            frame, ancillary = sock.recvmsg(SNAP, 64)[:2]
            packets.append(parse(frame, kernel_receive_time(ancillary)))
        elif control in ready:
            return packets


def parse(frame, moment):
    if frame[12:14] == b"\x08\x00":
        family, addresses, header = socket.AF_INET, frame[26:34], 14 + (frame[14] & 15) * 4
        total = 14 + struct.unpack("!H", frame[16:18])[0]
    else:
        family, addresses, header = socket.AF_INET6, frame[22:54], 54
        total = 54 + struct.unpack("!H", frame[18:20])[0]
    half = len(addresses) // 2
    sport, dport, seq, ack = struct.unpack("!HHII", frame[header:header + 12])
    length = total - header - (frame[header + 12] >> 4) * 4
    return Packet(moment, (socket.inet_ntop(family, addresses[:half]), sport),
                  (socket.inet_ntop(family, addresses[half:]), dport), frame[header + 13], seq, ack, length)


def once(packets):
    seen, result = set(), []
    for packet in sorted(packets):
        key = packet[1:]
        if key not in seen:
            seen.add(key)
            result.append(packet)
    return result


class Exchange:
    """The packets of one connection from its SYN on."""

    def __init__(self, syn):
        self.syn = syn
        self.packets = [syn]

    def sent_by(self, side, flag):
        address = self.syn.src if side == "src" else self.syn.dst
        return [packet for packet in self.packets if packet.src == address and packet.flags & flag]

    def first(self, flag):
        found = [packet for packet in self.packets if packet.flags & flag]
        return found[0] if found else None

    def side_of(self, packet):
        return "src" if packet.src == self.syn.src else "dst"

    def payload(self, side):
        """Returns the bytes modulo 2^32 by the sequence numbers of a side's SYN and FIN; None without a FIN."""
        syn, fin = self.sent_by(side, SYN), self.sent_by(side, FIN)
        return (fin[0].seq + fin[0].length - syn[0].seq - 1) % (1 << 32) if syn and fin else None


def exchanges(packets):
    """Returns {(src, dst): connections in their order}. Each SYN without ACK begins a new connection."""
    result = collections.defaultdict(list)
    for packet in packets:
        if packet.flags & SYN and not packet.flags & ACK:
            result[packet.src, packet.dst].append(Exchange(packet))
            continue
        for key in ((packet.src, packet.dst), (packet.dst, packet.src)):
            if result.get(key):
                result[key][-1].packets.append(packet)
                break
    return result


def problems(expectations, packets):
    """Compares the expected records of a case with the packets; returns a list of differences."""
    found = exchanges(packets)
    texts = []
    by_tuple = collections.defaultdict(list)
    for expected in sorted(expectations, key=lambda expected: expected["order"]):
        if expected["role"] == "client" and "wire" in (expected["seen"] or ()) and not expected.get("any_wire"):
            by_tuple[tuple(expected["src"]), tuple(expected["dst"])].append(expected)
    for key, own in by_tuple.items():
        if len(found[key]) != len(own):
            texts.append("%s: %d SYNs for %d connections" % (key, len(found[key]), len(own)))
            continue
        for expected, one in zip(own, found[key]):
            texts += ["%s: %s" % (key, text) for text in disagreements(expected, one)]
    return texts


def disagreements(expected, one):
    texts = []
    if not expected["start"][0] - LATE_NS <= one.syn.at <= expected["start"][1] + LATE_NS:
        texts.append("SYN %.3f ms from connect()" % ((one.syn.at - expected["start"][0]) / 1e6))
    fins = [one.sent_by(side, FIN) for side in ("src", "dst")]
    first_fin, first_rst = one.first(FIN), one.first(RST)
    if expected["outcome"] == "closed":
        if not all(fins) or one.side_of(first_fin) != expected["ended_by"]:
            texts.append("not closed by %s" % expected["ended_by"])
    elif expected["outcome"] in ("reset", "refused"):
        if not first_rst or all(fins) and max(fin[0].at for fin in fins) < first_rst.at:
            texts.append("no RST before both FINs")
        elif one.side_of(first_rst) != expected["ended_by"]:
            texts.append("RST not by %s" % expected["ended_by"])
    ended_at = min((packet.at for packet in (first_fin, first_rst) if packet), default=None)
    span = expected.get("first_fin")
    if span and ended_at and not span[0] - LATE_NS <= ended_at <= span[1] + LATE_NS:
        texts.append("first FIN or RST %.3f ms from the application's" % ((ended_at - span[0]) / 1e6))
    for side in ("src", "dst"):
        payload, wanted = one.payload(side), expected.get(side + "_bytes")
        if None not in (payload, wanted) and payload != wanted % (1 << 32):
            texts.append("%d payload bytes by %s, should be %d" % (payload, side, wanted))
    return texts
