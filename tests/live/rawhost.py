# SPDX-License-Identifier: GPL-2.0-or-later
"""A host without sockets: a test writes and reads the TCP segments of an address that no namespace owns.

It stands for a remote machine: no kernel here has a socket for its side. It sends only what a test orders, so the test
chooses every time.
"""
import json
import socket
import struct

from netns import run_ip
from sniffer import ACK, FIN, RST, SYN
from traffic import require, span_of

MAC = "02:00:00:00:00:77"
ETHERTYPE = {socket.AF_INET: 0x0800, socket.AF_INET6: 0x86dd}
ANSWER_SECONDS = 5.0


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def tcp_segment(family, src, dst, flags, seq, ack, payload):
    """Returns an IP packet with the segment. src and dst are (address, port)."""
    addresses = socket.inet_pton(family, src[0]) + socket.inet_pton(family, dst[0])
    fields = (src[1], dst[1], seq & 0xffffffff, ack & 0xffffffff, 5 << 4, flags, 65535)
    length = 20 + len(payload)
    pseudo = addresses + struct.pack("!HH" if family == socket.AF_INET else "!II",
                                     *((6, length) if family == socket.AF_INET else (length, 6)))
    header = struct.pack("!HHIIBBHHH", *fields, 0, 0)
    return struct.pack("!HHIIBBHHH", *fields, checksum(pseudo + header + payload), 0) + payload


def ip_packet(family, src, dst, segment):
    addresses = socket.inet_pton(family, src) + socket.inet_pton(family, dst)
    if family == socket.AF_INET6:
        return struct.pack("!IHBB", 6 << 28, len(segment), 6, 64) + addresses + segment
    header = struct.pack("!BBHHHBB", 0x45, 0, 20 + len(segment), 0, 0x4000, 64, 6)
    return header + struct.pack("!H", checksum(header + b"\0\0" + addresses)) + addresses + segment


class Segment:
    """A received TCP segment."""

    def __init__(self, frame, family, moment):
        ip = frame[14:]
        start = 40 if family == socket.AF_INET6 else (ip[0] & 15) * 4
        total = 40 + struct.unpack("!H", ip[4:6])[0] if family == socket.AF_INET6 else struct.unpack("!H", ip[2:4])[0]
        tcp = ip[start:]
        *ports, self.seq, self.ack = struct.unpack("!HHII", tcp[:12])
        self.ports = tuple(ports)
        self.flags = tcp[13]
        self.length = total - start - (tcp[12] >> 4) * 4
        self.at = moment


class RawHost:
    """An address on the far side of a link; `near` is the side that sends to it."""

    def __init__(self, peer, side, near, address, family=socket.AF_INET):
        self.peer, self.address, self.family = peer, address, family
        self.handle = peer.do("packet_socket", ifname=side.interface)["handle"]
        self.near_mac = mac_of(near)
        near.namespace.ip("neigh replace %s lladdr %s nud permanent dev %s" % (address, MAC, near.interface))

    def send(self, src_port, dst, flags, seq=0, ack=0, payload=b""):
        segment = tcp_segment(self.family, (self.address, src_port), dst, flags, seq, ack, payload)
        frame = (bytes.fromhex((self.near_mac + MAC).replace(":", "")) +
                 struct.pack("!H", ETHERTYPE[self.family]) + ip_packet(self.family, self.address, dst[0], segment))
        return span_of(self.peer.do("send_frame", handle=self.handle, frame=frame.hex()))

    def receive(self, seconds=ANSWER_SECONDS):
        """Returns the next segment for this host; None after the timeout."""
        addressed = socket.inet_pton(self.family, self.address).hex()
        offset = 14 + (24 if self.family == socket.AF_INET6 else 16)
        result = self.peer.do("receive_frame", handle=self.handle, prefix_offset=offset, prefix=addressed,
                              timeout=seconds)
        if result["frame"] is None:
            return None
        return Segment(bytes.fromhex(result["frame"]), self.family, result["at"])

    def expect(self, flags, ports=None):
        """Returns the next segment with exactly these of SYN, FIN, RST and ACK (and these ports); skips others."""
        while True:
            segment = self.receive()
            require(segment, "no segment with flags %#x came" % flags)
            if segment.flags & (SYN | FIN | RST | ACK) == flags and ports in (None, segment.ports):
                return segment


class RawConnection:
    """A raw host's side of one connection."""

    def __init__(self, host, port, remote, isn):
        self.host, self.port, self.remote = host, port, remote
        self.seq, self.ack = isn, 0
        self.sent = 0

    def send(self, flags, payload=b""):
        span = self.host.send(self.port, self.remote, flags, self.seq, self.ack, payload)
        self.seq += len(payload) + bool(flags & SYN) + bool(flags & FIN)
        self.sent += len(payload)
        return span

    def expect(self, flags):
        segment = self.host.expect(flags, (self.remote[1], self.port))
        self.ack = segment.seq + segment.length + bool(segment.flags & SYN) + bool(segment.flags & FIN)
        return segment


def mac_of(side):
    return json.loads(run_ip("-n", side.namespace.name, "-j", "link", "show", side.interface))[0]["address"]
