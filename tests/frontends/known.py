# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes connections between a tracked namespace and another, and the facts that a front-end must report of them."""
import contextlib
import ipaddress
import os
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live"))
from netns import CLONE_NEWNET, Net, add_addresses, enter, libc, link  # noqa: E402
from peer import realtime_minus_boottime  # noqa: E402

INTERFACE = "nt0"
HELD_SECONDS = 0.05
RESET_AT_CLOSE = struct.pack("ii", 1, 0)


def now():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


@contextlib.contextmanager
def inside(namespace):
    """Moves the calling thread into a namespace; its sockets stay there."""
    back = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    enter(namespace.name)
    try:
        yield
    finally:
        libc.setns(back, CLONE_NEWNET)
        os.close(back)


def socket_in(namespace, address, port=0):
    with inside(namespace):
        one = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    one.settimeout(5)
    one.bind((address, port))
    return one


class Fact:
    """The facts of a connection: exact values, and the (lowest, highest) nanoseconds of times."""

    def __init__(self, values, times):
        self.values, self.times = values, times

    def differences(self, event):
        event = dict(event, src_ip=str(ipaddress.ip_address(event["src_ip"])),
                     dst_ip=str(ipaddress.ip_address(event["dst_ip"])))
        wrong = ["%s is %r, not %r" % (key, event[key], value) for key, value in self.values.items()
                 if event[key] != value]
        return wrong + ["%s is %d, not in %d..%d" % (key, event[key], *bounds) for key, bounds in self.times.items()
                        if not self.is_in_time(event, key)]

    def is_in_time(self, event, key):
        """An event has its start by two clocks if the wall clock was set meanwhile; one of them is right."""
        lowest, highest = self.times[key]
        return any(lowest <= time <= highest for time in (event[key], event.get("other_" + key, event[key])))

    def is_about(self, event):
        return (event["src_port"], event["dst_port"]) == (self.values["src_port"], self.values["dst_port"])


class Lab:
    def __init__(self):
        self.realtime_minus_boottime = realtime_minus_boottime()
        self.net = Net()
        self.here, self.there = self.net.namespace("here"), self.net.namespace("there")
        self.subnet = self.net.subnet()
        link(self.here, INTERFACE, self.there, "eth0")
        add_addresses(self.here, INTERFACE, self.subnet, 1)
        add_addresses(self.there, "eth0", self.subnet, 2)

    def close(self):
        self.net.delete()

    def address(self, host, version):
        return self.subnet.ipv6(host) if version == 6 else self.subnet.ipv4(host)

    def endpoints(self, version, direction):
        """Returns (namespace, address) of the client and of the server."""
        endpoints = [(self.here, self.address(1, version)), (self.there, self.address(2, version))]
        return endpoints if direction == "outgoing" else endpoints[::-1]

    def closed(self, version, direction, first="dst", held=HELD_SECONDS, endpoints=None):
        """Makes a connection that `first` closes first, `held` seconds after its start."""
        (client_space, client_address), (server_space, server_address) = endpoints or self.endpoints(version, direction)
        listener = socket_in(server_space, server_address)
        listener.listen()
        client = socket_in(client_space, client_address)
        port = listener.getsockname()[1]
        before = now()
        client.connect((server_address, port))
        connected = now()
        server = listener.accept()[0]
        client.sendall(b"question")
        server.recv(64)
        time.sleep(held)
        values = dict(src_ip=client_address, dst_ip=server_address, src_port=client.getsockname()[1], dst_port=port,
                      direction=direction, outcome="closed", ended_by=first, lost=0)
        one, other = (client, server) if first == "src" else (server, client)
        one.shutdown(socket.SHUT_WR)
        other.recv(64)
        closing = now()
        other.close()
        one.recv(64)
        after = now()
        one.close()
        listener.close()
        held_ns = int(held * 1e9)
        return Fact(values, {"start_ns": (before, connected), "handshake_ns": (1, connected - before),
                             "syn_finack_ns": (held_ns if first == "dst" else closing - connected, after - before),
                             "duration_ns": (closing - connected, after - before)})

    def refused(self, version, direction):
        (client_space, client_address), (server_space, server_address) = self.endpoints(version, direction)
        nobody = socket_in(server_space, server_address)
        port = nobody.getsockname()[1]
        nobody.close()
        client = socket_in(client_space, client_address)
        before = now()
        try:
            client.connect((server_address, port))
            raise AssertionError("somebody listens on port %d" % port)
        except ConnectionRefusedError:
            pass
        after = now()
        values = dict(src_ip=client_address, dst_ip=server_address, src_port=client.getsockname()[1], dst_port=port,
                      direction=direction, outcome="refused", ended_by="dst", handshake_ns=-1, syn_finack_ns=-1, lost=0)
        client.close()
        return Fact(values, {"start_ns": (before, after), "duration_ns": (1, after - before)})

    def reset(self, version, direction):
        """Makes a connection that the client resets."""
        (client_space, client_address), (server_space, server_address) = self.endpoints(version, direction)
        listener = socket_in(server_space, server_address)
        listener.listen()
        client = socket_in(client_space, client_address)
        port = listener.getsockname()[1]
        before = now()
        client.connect((server_address, port))
        connected = now()
        server = listener.accept()[0]
        values = dict(src_ip=client_address, dst_ip=server_address, src_port=client.getsockname()[1], dst_port=port,
                      direction=direction, outcome="reset", ended_by="src", syn_finack_ns=-1, lost=0)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
        for one in (client, server, listener):
            one.close()
        return Fact(values, {"handshake_ns": (1, connected - before)})

    def reset_by_data(self, version, direction):
        """Makes a connection whose client shuts down both directions and resets when the server's data comes."""
        (client_space, client_address), (server_space, server_address) = self.endpoints(version, direction)
        with socket_in(server_space, server_address) as listener, socket_in(client_space, client_address) as client:
            listener.listen()
            client.connect(listener.getsockname()[:2])
            values = dict(src_ip=client_address, dst_ip=server_address, src_port=client.getsockname()[1],
                          dst_port=listener.getsockname()[1], direction=direction, outcome="reset", ended_by="src",
                          syn_finack_ns=-1, lost=0)
            with listener.accept()[0] as server:
                client.shutdown(socket.SHUT_RDWR)
                server.recv(64)
                server.sendall(b"too late")
        return Fact(values, {})

    def loopback(self, version):
        endpoints = [(self.here, "::1" if version == 6 else "127.0.0.1")] * 2
        return self.closed(version, "outgoing", endpoints=endpoints)

    def all_kinds(self):
        facts = []
        for version in (4, 6):
            for direction in ("outgoing", "incoming"):
                facts += [self.closed(version, direction), self.closed(version, direction, "src"),
                          self.refused(version, direction), self.reset(version, direction)]
        return facts


def syn_and_rst(source, destination, port):
    """Yields two IPv4 packets: `source` opens a connection and resets it. Nobody must answer."""
    for flags, sequence in ((2, 1000), (4, 1001)):
        tcp = struct.pack("!HHIIBBHHH", port, 80, sequence, 0, 5 << 4, flags, 1024, 0, 0)
        yield struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, socket.IPPROTO_TCP, 0,
                          socket.inet_aton(source), socket.inet_aton(destination)) + tcp


def crafted(source, destination, port):
    return Fact(dict(src_ip=source, dst_ip=destination, src_port=port, dst_port=80, direction="incoming",
                     outcome="reset", ended_by="src", handshake_ns=-1, syn_finack_ns=-1, lost=0), {})


def compare(facts, events):
    """Compares facts with events. Returns a list of missing, extra and wrong events."""
    wrong, left = [], list(events)
    for fact in facts:
        found = [event for event in left if fact.is_about(event)]
        left = [event for event in left if not fact.is_about(event)]
        if len(found) != 1:
            wrong.append("%d events of %s" % (len(found), fact.values))
        wrong += [line for event in found for line in fact.differences(event)]
    return wrong + ["an unexpected event: %s" % event for event in left]
