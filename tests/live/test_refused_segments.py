#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Segments that TCP refuses (RFC 9293 3.10.7.4, RFC 5961), in the name of either side of a living connection.

The connection goes on and is closed in order, so the segment changes neither outcome nor bytes nor times
(docs/record.md). The kernel's refusal is no assumption here: the endpoints check that the connection lives.
"""
import itertools
import socket
import struct
import sys

from harness import REGISTERED, Arena, case, main
from places import PACKETS_AND_SOCKET, incoming, outgoing, outgoing_ipv6
from rawhost import ETHERTYPE, Segment, ip_packet, mac_of, tcp_segment
from sniffer import ACK, FIN, RST, SYN
from traffic import require, settle

BEFORE, AFTER, ANSWER = 1000, 3000, 500
ANYWHERE = 0x50000000  # from the next number: beyond the largest window (RFC 7323 2.3)
QUIET_SECONDS = 0.1
CHECKSUM_OFFSET = 16

# name: (flags, distance from the next sequence number, bytes, whether the checksum is right)
KINDS = {"RST": (RST, ANYWHERE, 0, True), "RST and ACK": (RST | ACK, ANYWHERE, 0, True),
         "FIN": (FIN | ACK, ANYWHERE, 0, True), "SYN": (SYN, ANYWHERE, 0, True),
         "SYN and ACK": (SYN | ACK, ANYWHERE, 0, True), "data": (ACK, ANYWHERE, 100, True),
         "RST with a wrong checksum": (RST, 0, 0, False), "FIN with a wrong checksum": (FIN | ACK, 0, 0, False)}


class Forger:
    """Sends frames from one side of the link, and reads those that come to it."""

    def __init__(self, world, side, other):
        self.family, self.side, self.other = world.place.family, side, other
        self.peer = world.start(side.namespace, "nt-forger")
        self.handle = self.peer.do("packet_socket", ifname=side.interface)["handle"]
        self.macs = bytes.fromhex((mac_of(other) + mac_of(side)).replace(":", ""))

    def numbers(self, source, destination):
        """Returns the next sequence number of source and the one of destination that it has acknowledged."""
        prefix = socket.inet_pton(self.family, source[0]).hex()
        offset = 14 + (24 if self.family == socket.AF_INET6 else 16)
        last = None
        while True:
            result = self.peer.do("receive_frame", handle=self.handle, prefix_offset=offset, prefix=prefix,
                                  timeout=QUIET_SECONDS)
            if result["frame"] is None:
                break
            segment = Segment(bytes.fromhex(result["frame"]), self.family, result["at"])
            if segment.ports == (destination[1], source[1]):
                last = segment
        require(last, "no segment came to %s" % (source,))
        return last.ack, last.seq + last.length

    def forge(self, source, destination, flags, distance, count, is_right):
        sequence, acknowledgement = self.numbers(source, destination)
        segment = tcp_segment(self.family, source, destination, flags, sequence + distance, acknowledgement,
                              bytes(count))
        if not is_right:
            checksum, = struct.unpack_from("!H", segment, CHECKSUM_OFFSET)
            segment = segment[:CHECKSUM_OFFSET] + struct.pack("!H", checksum ^ 0x5555) + segment[CHECKSUM_OFFSET + 2:]
        packet = ip_packet(self.family, source[0], destination[0], segment)
        frame = self.macs + struct.pack("!H", ETHERTYPE[self.family]) + packet
        self.peer.do("send_frame", handle=self.handle, frame=frame.hex())


def go_on(client, server):
    settle()
    client.send(AFTER)
    server.receive(AFTER)


def forge_alive(forge, client, server):
    forge()
    go_on(client, server)
    close(client, server)


def forge_at_end(forge, client, server):
    """The segment comes right before the true FIN."""
    go_on(client, server)
    forge()
    close(client, server)


def forge_half_closed(forge, client, server):
    go_on(client, server)
    client.shutdown()
    server.receive_eof()
    forge()
    close(client, server)


def close(client, server):
    if not client.fin_at:
        client.shutdown()
        server.receive_eof()
    server.close()
    client.receive_eof()
    client.close_quietly()


STAGES = (forge_alive, forge_at_end, forge_half_closed)
# It has the true one's number and time. Only its checksum shows it, which no program on an interface verifies.
UNDECIDABLE = ("FIN with a wrong checksum", forge_at_end)


def converse(forger, by_client, kind, stage, client, server):
    """Closes in order by the client."""
    client.send(BEFORE)
    server.receive(BEFORE)
    server.send(ANSWER)
    client.receive(ANSWER)
    source, destination = (client.local, client.remote) if by_client else (client.remote, client.local)
    stage(lambda: forger.forge(source, destination, *KINDS[kind]), client, server)


def converse_all(world):
    """Returns the endpoints of a connection for each kind of segment from each side, at each stage."""
    place, pairs = world.place, []
    listener, peer = world.listen(world.server()), world.client()
    for by_client, side, other in ((True, place.client, place.server), (False, place.server, place.client)):
        forger = Forger(world, side, other)
        for kind, stage in itertools.product(KINDS, STAGES):
            if (kind, stage) == UNDECIDABLE:
                continue
            pairs.append(world.pair(peer, listener))
            converse(forger, by_client, kind, stage, *pairs[-1])
    return pairs


@case("refused segments and sockets", outgoing, incoming, outgoing_ipv6)
def refused_with_sockets(world):
    for client, server in converse_all(world):
        world.expect(client, server, "closed", by=client, forged=True)


def observed(net, here, suffix, **arguments):
    place = outgoing(net, here, suffix, **arguments)
    place.observed = ("wire", "packets")
    return place


def observed_ipv6(net, here, suffix, **arguments):
    return observed(net, here, suffix, family=socket.AF_INET6, **arguments)


@case("refused segments and an observer of every packet", observed, observed_ipv6)
def refused_with_packets(world):
    for client, _ in converse_all(world):
        world.observe(client.local, client.remote, client.connect_at, "closed", "src", src_bytes=BEFORE + AFTER,
                      dst_bytes=ANSWER)


def arenas():
    with_sockets = [one for one in REGISTERED if one.build in (outgoing, incoming, outgoing_ipv6)]
    alone = [one for one in REGISTERED if one.build in (observed, observed_ipv6)]
    return [Arena("t", with_sockets), Arena("p", with_sockets, ["--packets"], seen=PACKETS_AND_SOCKET),
            Arena("w", alone, ["--context", "wire", "--packets"], seen=("wire", "packets"))]


if __name__ == "__main__":
    sys.exit(main(arenas))
