#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Kinds of connections: mapped addresses, reused tuples and descriptors, bridges, Fast Open, MPTCP, SYN cookies."""
import errno
import socket
import sys

from harness import COUNT, REGISTERED, Arena, Skip, case, main
from places import (SOCKET, bridged, elsewhere, incoming, incoming_ipv6, loopback, loopback_ipv6, outgoing,
                    outgoing_ipv6, unlinked)
from records import KERNEL_MAKES_COOKIES
from sniffer import FIN, Sniffer, exchanges
from traffic import IPPROTO_MPTCP, Endpoint, TrafficError, at, exchange, exchange_all, require, settle

TCP_FASTOPEN = 23
SYN_COOKIES = "SYN cookies"
MORE_THAN_4_GIB = (1 << 32) + 123_456_789


def close_by_client(world, pairs, **facts):
    for client, server in pairs:
        client.close()
        server.receive_eof()
        settle(0.002)
        server.close()
        world.expect(client, server, "closed", by=client, **facts)


@case("IPv4-mapped server, IPv4 client", outgoing, incoming, elsewhere)
def mapped_server(world):
    server, client = world.server(), world.client()
    listener = server.listen(socket.AF_INET6, "::")
    pairs = []
    for _ in range(COUNT):
        client_endpoint = world.attempt(client, world.place.server.address, listener.port)
        pairs.append((client_endpoint, server.accept(listener)))
    exchange_all(pairs)
    close_by_client(world, pairs)


@case("IPv4-mapped client, IPv4 server")
def mapped_client(world):
    server, client = world.server(), world.client()
    listener = world.listen(server)
    pairs = []
    for _ in range(COUNT):
        client_endpoint = world.attempt(client, "::ffff:" + world.place.server.address, listener.port,
                                        client.socket(socket.AF_INET6))
        pairs.append((client_endpoint, server.accept(listener)))
    exchange_all(pairs)
    close_by_client(world, pairs)


@case("IPv4-mapped client, refused")
def mapped_refused(world):
    client, server = world.client(), world.server()
    listener = world.listen(server)
    listener.close()
    for _ in range(COUNT):
        endpoint = world.attempt(client, "::ffff:" + world.place.server.address, listener.port,
                                 client.socket(socket.AF_INET6))
        require(endpoint.errno == errno.ECONNREFUSED, "connect: %d" % endpoint.errno)
        endpoint.close_quietly()
        world.expect_attempt(endpoint, "refused", "dst", close=endpoint.connect_at)


def bound_socket(world, client, port):
    handle = client.socket(world.place.family)
    client.do("bind", handle=handle, address=world.place.client.address, port=port)
    return handle


@case("the same four-tuple, server closes first", outgoing, incoming, elsewhere, incoming_ipv6)
def same_tuple(world):
    """The pause makes the next SYN's timestamp later, so that the server's TIME_WAIT socket makes room for it."""
    server, client = world.server(), world.client()
    listener = world.listen(server)
    for number in range(COUNT):
        endpoint = world.attempt(client, listener.address, listener.port, bound_socket(world, client, 40000))
        require(not endpoint.errno, "connect: %d" % endpoint.errno)
        server_endpoint = server.accept(listener)
        exchange(endpoint, server_endpoint, 10 + number, 20 + number)
        server_endpoint.close()
        endpoint.receive_eof()
        endpoint.close()
        world.expect(endpoint, server_endpoint, "closed", by=server_endpoint)
        settle(0.01)


@case("the same four-tuple, resets", outgoing, incoming, elsewhere)
def same_tuple_reset(world):
    server, client = world.server(), world.client()
    listener = world.listen(server)
    for number in range(COUNT):
        endpoint = world.attempt(client, listener.address, listener.port, bound_socket(world, client, 40001))
        require(not endpoint.errno, "connect: %d" % endpoint.errno)
        server_endpoint = server.accept(listener)
        exchange(endpoint, server_endpoint, 10 + number, 20 + number)
        endpoint.abort()
        server_endpoint.receive_error(errno.ECONNRESET)
        server_endpoint.close_quietly()
        world.expect(endpoint, server_endpoint, "reset", by=endpoint)


@case("the same four-tuple, refused")
def same_tuple_refused(world):
    client, listener = world.client(), world.listen(world.server())
    listener.close()
    for _ in range(COUNT):
        endpoint = world.attempt(client, listener.address, listener.port, bound_socket(world, client, 40002))
        require(endpoint.errno == errno.ECONNREFUSED, "connect: %d" % endpoint.errno)
        endpoint.close_quietly()
        world.expect_attempt(endpoint, "refused", "dst", close=endpoint.connect_at)


@case("one descriptor: refused twice, connected, disconnected, connected again", outgoing, incoming, elsewhere)
def reused_descriptor(world):
    server, client = world.server(), world.client()
    listener, closed = world.listen(server), world.listen(server)
    closed.close()
    for number in range(COUNT // 2):
        handle = client.socket(world.place.family)
        for _ in range(2):
            refused = world.attempt(client, closed.address, closed.port, handle)
            require(refused.errno == errno.ECONNREFUSED, "connect: %d" % refused.errno)
            world.expect_attempt(refused, "refused", "dst", close=refused.connect_at)
        first = reconnect(world, client, listener, handle)
        exchange(*first, 100 + number, 200 + number)
        first[0].disconnect()
        first[1].receive_error(errno.ECONNRESET)
        first[1].close_quietly()
        world.expect(*first, "reset", by=first[0])
        second = reconnect(world, client, listener, handle)
        exchange(*second, 300 + number, 400 + number)
        close_by_client(world, [second])


def reconnect(world, client, listener, handle):
    endpoint = world.attempt(client, listener.address, listener.port, handle)
    require(not endpoint.errno, "connect: %d" % endpoint.errno)
    return endpoint, listener.peer.accept(listener)


@case("a socket connected to itself", loopback, loopback_ipv6, outgoing)
def self_connect(world):
    """One socket has one record; it receives the bytes that it sends."""
    client, address = world.client(), world.place.client.address
    for number in range(COUNT):
        handle = client.socket(world.place.family)
        port = client.do("bind", handle=handle, address=address, port=0)["local"][1]
        endpoint = world.attempt(client, address, port, handle)
        require(not endpoint.errno, "connect: %d" % endpoint.errno)
        endpoint.send(100 + number)
        endpoint.receive(100 + number)
        settle(0.003)
        endpoint.close()
        world.expect_record(endpoint, endpoint.local, endpoint.remote, outcome="closed", ended_by="src",
                            start=endpoint.connect_at, first_fin=endpoint.fin_at, src_bytes=endpoint.sent,
                            dst_bytes=endpoint.received, gaps_allowed=["direction"], any_wire=True)


@case("two container-like namespaces over a bridge", bridged)
def containers(world):
    pairs = world.pairs(COUNT)
    exchange_all(pairs)
    settle()
    close_by_client(world, pairs)


@case("refused over a bridge", bridged)
def containers_refused(world):
    mapped = world.listen(world.server())
    mapped.close()
    client = world.client()
    for _ in range(COUNT):
        endpoint = world.attempt(client, mapped.address, mapped.port)
        endpoint.close_quietly()
        world.expect_attempt(endpoint, "refused", "dst", close=endpoint.connect_at)


@case("loopback", loopback, loopback_ipv6)
def local(world):
    pairs = world.pairs(COUNT)
    exchange_all(pairs)
    settle()
    close_by_client(world, pairs)


def fast_open(world, client, listener, count):
    handle = client.socket(world.place.family)
    endpoint = Endpoint(client, handle, "client")
    result = client.do("connect_fastopen", handle=handle, address=listener.address, port=listener.port, count=count)
    endpoint.connected(result, listener.address, listener.port)
    endpoint.sent = count
    return endpoint, listener.peer.accept(listener)


@case("TCP Fast Open", outgoing, incoming, outgoing_ipv6, elsewhere)
def tcp_fast_open(world):
    """The first connection only fetches the cookie; the later SYNs carry data."""
    server, client = world.server(), world.client()
    listener = world.listen(server, options=[(socket.IPPROTO_TCP, TCP_FASTOPEN, 64)])
    pairs = []
    for number in range(COUNT + 1):
        client_endpoint, server_endpoint = fast_open(world, client, listener, 100 + number)
        server_endpoint.receive(100 + number)
        server_endpoint.send(500 + number)
        client_endpoint.receive(500 + number)
        pairs.append((client_endpoint, server_endpoint))
    settle()
    close_by_client(world, pairs)
    require(server.counter("TcpExt", "TCPFastOpenPassive") >= COUNT, "no SYN carried data")


@case("MPTCP", outgoing, incoming, elsewhere)
def mptcp(world):
    """Each connection has one subflow. The kernel ends it after the application does, so a sniffer finds the FINs."""
    server, client = world.server(), world.client()
    mptcp_closed(world, client, mptcp_listen(world, server), COUNT)
    require(server.counter("MPTcpExt", "MPCapableACKRX") >= COUNT, "MPTCP was not used")


def mptcp_listen(world, server):
    try:
        return world.listen(server, protocol=IPPROTO_MPTCP)
    except TrafficError as error:
        raise Skip("no MPTCP: %s" % error)


def mptcp_closed(world, client, listener, count):
    sniffer = Sniffer(world.place.client.namespace)
    pairs = [world.pair(client, listener, protocol=IPPROTO_MPTCP) for _ in range(count)]
    exchange_all(pairs)
    settle(0.1)
    for client_endpoint, server_endpoint in pairs:
        client_endpoint.close()
        server_endpoint.receive_eof()
        server_endpoint.close()
    settle(0.8)
    found = exchanges(sniffer.stop())
    for client_endpoint, server_endpoint in pairs:
        expect_subflow(world, client_endpoint, server_endpoint, found)


@case("MPTCP sockets in memory that is used again", outgoing, incoming)
def mptcp_memory_reused(world):
    """The first process closes its connections; the second one has not closed its own when the clients reset them."""
    client = world.client()
    first = mptcp_listen(world, world.server("nt-first"))
    for _ in range(4):
        mptcp_closed(world, client, first, COUNT)
    listener = mptcp_listen(world, world.server("nt-second"))
    pairs = [world.pair(client, listener, protocol=IPPROTO_MPTCP) for _ in range(4 * COUNT)]
    settle(0.1)
    for client_endpoint, server_endpoint in pairs:
        client_endpoint.abort()
        world.expect(client_endpoint, server_endpoint, "reset", by=client_endpoint,
                     server_facts={"owner_by": ["listen"], "gaps": ["owner"]})
    settle(2)


def expect_subflow(world, client, server, found):
    one, = found[tuple(client.local), tuple(client.remote)]
    fins = {side: at(one.sent_by(side, FIN)[0].at) for side in ("src", "dst")}
    client.fin_at, server.fin_at = fins["src"], fins["dst"]
    client.closed_at = server.closed_at = None
    first = client if fins["src"].before < fins["dst"].before else server
    world.expect(client, server, "closed", by=first)


@case(SYN_COOKIES, outgoing, incoming, incoming_ipv6, loopback, elsewhere, net__ipv4__tcp_syncookies=2)
def syn_cookies(world):
    """The server has no socket, not even a half-open one, before the handshake's last packet.

    So no packet has given it a socket cookie when it is established. Without one, a socket in a namespace other than
    the tracker's is not connected with its packets.
    """
    pairs = world.pairs(COUNT)
    exchange_all(pairs)
    settle()
    place = world.place
    without_packets = not KERNEL_MAKES_COOKIES and place.server.namespace is not place.tracker_namespace
    close_by_client(world, pairs, server_facts={"seen": list(SOCKET)} if without_packets else None)
    require(pairs[0][1].peer.counter("TcpExt", "SyncookiesRecv") >= COUNT, "no SYN cookie was used")


@case("more than 4 GiB", loopback)
def volume(world):
    client, server = world.pairs(1)[0]
    exchange(client, server, 100, 1000)
    client.peer.begin("pour", handle=client.handle, total=MORE_THAN_4_GIB)
    server.peer.begin("drain", handle=server.handle, total=MORE_THAN_4_GIB)
    client.sent += client.peer.finish_well(client.peer.finish())["sent"]
    server.received += server.peer.finish_well(server.peer.finish())["received"]
    require(client.sent == server.received == MORE_THAN_4_GIB + 100, "%d bytes sent" % client.sent)
    close_by_client(world, [(client, server)])


@case("an interface that comes up later", unlinked)
def late_interface(world):
    """A link that is made while the tracker runs is tracked once it is up."""
    world.place.join()
    settle(2)
    pairs = world.pairs(COUNT)
    exchange_all(pairs)
    close_by_client(world, pairs)


def arenas():
    """Runs the cases with SYN cookies, a setting of the tracker's own namespace, with a tracker of their own."""
    cookies = [one for one in REGISTERED if one.name.startswith(SYN_COOKIES)]
    others = [one for one in REGISTERED if one not in cookies]
    return [Arena("t", others), Arena("c", cookies, sysctls={"net.ipv4.tcp_syncookies": 2})]


if __name__ == "__main__":
    sys.exit(main(arenas))
