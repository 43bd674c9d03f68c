# SPDX-License-Identifier: GPL-2.0-or-later
"""A path that loses, duplicates, delays and reorders packets, and carries forged segments.

It is a process with a TUN device in each of two namespaces. It moves the packets from one to the other, so it needs no
netem, and it counts what each side sends before any of it is lost.
"""
import contextlib
import fcntl
import heapq
import json
import os
import random
import select
import socket
import struct
import time

from netns import enter
from peer import die_with_parent
from places import Place, Side, WIRE_AND_SOCKET
from rawhost import ip_packet, tcp_segment
from sniffer import ACK, FIN, RST, SYN
from traffic import require

TUNSETIFF = 0x400454ca
IFF_TUN, IFF_NO_PI = 1, 0x1000
LOST, DUPLICATED, DELAYED, FORGED = 0.03, 0.02, 0.2, 0.1
MOST_DELAY = 0.02
OUTSIDE = 0x30000000  # bytes ahead: outside any window of the connections here
MESSAGE_SIZE = 1 << 20


def open_tun(namespace, name):
    enter(namespace.name)
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return fd


class Sent:
    """What one side of a connection has sent."""

    def __init__(self):
        self.segments = self.retransmits = 0
        self.end = None

    def add(self, sequence, length):
        self.segments += 1
        end = sequence + length & 0xffffffff
        if not length:
            return
        if self.end is not None and (end - self.end & 0xffffffff or 1 << 31) >= 1 << 31:
            self.retransmits += 1
        else:
            self.end = end


def forge(generator, source, destination, sequence, acknowledgement, is_closing):
    """Returns a packet that its receiver must refuse: a RST, FIN or SYN whose sequence number is in no window.

    In TIME_WAIT a SYN is a true attempt (RFC 9293 3.10.7.4), so there is none once the receiver has sent a FIN.
    """
    flags = generator.choice((RST, RST | ACK, FIN | ACK) + (() if is_closing else (SYN, SYN | FIN)))
    segment = tcp_segment(socket.AF_INET, source, destination, flags, sequence + OUTSIDE, acknowledgement, b"")
    return ip_packet(socket.AF_INET, source[0], destination[0], segment)


class Forwarder:
    """Runs in the child. Only the tests' own packets cross the path: IPv4 and TCP without fragments."""

    def __init__(self, control, fds, seed):
        self.control, self.fds, self.generator = control, fds, random.Random(seed)
        self.sent, self.waiting, self.number, self.closing = {}, [], 0, set()

    def run(self):
        while True:
            self.deliver()
            until = self.waiting[0][0] - time.monotonic() if self.waiting else None
            for ready in select.select([*self.fds, self.control], [], [], until and max(until, 0))[0]:
                if ready is self.control:
                    self.answer()
                else:
                    self.forward(os.read(ready, 65536), self.fds[1 - self.fds.index(ready)])

    def answer(self):
        """Counts what has been sent until now, also what is still to be read."""
        if not self.control.recv(16):
            os._exit(0)
        for number, fd in enumerate(self.fds):
            with contextlib.suppress(BlockingIOError):
                while True:
                    self.forward(os.read(fd, 65536), self.fds[1 - number])
        self.control.send(json.dumps([[*key, one.segments, one.retransmits]
                                      for key, one in self.sent.items()]).encode())

    def deliver(self):
        while self.waiting and self.waiting[0][0] <= time.monotonic():
            _, _, fd, packet = heapq.heappop(self.waiting)
            os.write(fd, packet)

    def send(self, fd, packet):
        delay = self.generator.random() * MOST_DELAY if self.generator.random() < DELAYED else 0
        self.number += 1
        heapq.heappush(self.waiting, (time.monotonic() + delay, self.number, fd, packet))

    def forward(self, packet, to):
        if packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_TCP:
            return
        header = packet[(packet[0] & 15) * 4:]
        *ports, sequence, acknowledgement, offset, flags = struct.unpack("!HHIIBB", header[:14])
        source, destination = ((socket.inet_ntoa(packet[at:at + 4]), port) for at, port in zip((12, 16), ports))
        length = len(header) - (offset >> 4) * 4
        self.sent.setdefault((*source, *destination), Sent()).add(sequence, length + bool(flags & SYN) +
                                                                   bool(flags & FIN))
        if flags & FIN:
            self.closing.add((*source, *destination))
        if length and self.generator.random() < FORGED:
            is_closing = (*destination, *source) in self.closing
            os.write(to, forge(self.generator, source, destination, sequence, acknowledgement, is_closing))
        if self.generator.random() >= LOST:
            self.send(to, packet)
        if self.generator.random() < DUPLICATED:
            self.send(to, packet)


class Path:
    """The forwarder as the tests see it."""

    def __init__(self, namespaces, names, seed):
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if os.fork() == 0:
            try:
                die_with_parent()
                self.control.close()
                fds = [open_tun(namespace, name) for namespace, name in zip(namespaces, names)]
                theirs.send(b"ready")
                Forwarder(theirs, fds, seed).run()
            finally:
                os._exit(1)
        theirs.close()
        require(self.control.recv(16) == b"ready", "no TUN device")

    def retransmits(self, source, destination):
        """Returns how many of the segments with payload, SYN or FIN from source to destination were sent again."""
        self.control.send(b"counts")
        for *key, _, retransmits in json.loads(self.control.recv(MESSAGE_SIZE)):
            if key == [*source, *destination]:
                return retransmits
        return 0


def lossy(net, here, suffix, tracker_is_client=False, seed=0):
    """The server's side, or the client's, is in the tracker's namespace. place.path is the path between them."""
    subnet, there = net.subnet(), net.namespace(suffix)
    near, far = "nt%d" % subnet.number, "tun0"
    path = Path((here, there), (near, far), seed)
    both = []
    for namespace, name, own, other in ((here, near, 1, 2), (there, far, 2, 1)):
        namespace.ip("addr add %s peer %s dev %s" % (subnet.ipv4(own), subnet.ipv4(other), name),
                     "link set %s up mtu 1500" % name)
        both.append(Side(namespace, subnet.ipv4(own), name))
    place = Place(here, subnet, *(both if tracker_is_client else both[::-1]))
    place.seen, place.path = WIRE_AND_SOCKET, path
    return place
