#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Ends of connections: by close or reset, of either side, in any order, or of one direction only."""
import errno
import shutil
import socket
import sys

from harness import COUNT, REGISTERED, Arena, Skip, case, main
from peer import now
from places import (PACKETS_AND_SOCKET, SOCKET, elsewhere, incoming, incoming_ipv6, loopback, loopback_ipv6, outgoing,
                    outgoing_ipv6)
from records import KERNEL_NAMES_REASONS
from traffic import exchange, exchange_all, settle

SECOND_NS = 1_000_000_000
TCP_LINGER2 = 8
# IP_RECVERR (linux/in.h) and IPV6_RECVERR (linux/in6.h)
RECEIVE_ERRORS = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}
# The test polls, so it reads a record a little after it was written.
READER_NS = 150_000_000


def close_in_turn(world, first, second, pause=0.0):
    for endpoint in first:
        endpoint.close()
    settle(pause)
    for endpoint in second:
        endpoint.receive_eof()
        endpoint.close()


@case("server closes first", outgoing, incoming, outgoing_ipv6, incoming_ipv6, elsewhere, loopback)
def server_closes_first(world):
    pairs = world.pairs(COUNT)
    exchange_all(pairs)
    settle()
    close_in_turn(world, [server for _, server in pairs], [client for client, _ in pairs], 0.1)
    for client, server in pairs:
        world.expect(client, server, "closed", by=server)


@case("client closes first, server a second later", outgoing, incoming, elsewhere, loopback_ipv6)
def client_closes_first(world):
    pairs = world.pairs(COUNT)
    exchange_all(pairs)
    settle()
    close_in_turn(world, [client for client, _ in pairs], [server for _, server in pairs], 1.0)
    for client, server in pairs:
        world.expect(client, server, "closed", by=client)


def reset(world, resetting, suffering):
    for endpoint in resetting:
        endpoint.abort()
    for endpoint in suffering:
        endpoint.receive_error(errno.ECONNRESET)
        endpoint.close_quietly()


@case("client resets", outgoing, incoming, elsewhere, incoming_ipv6)
def client_resets(world):
    pairs = world.pairs(COUNT)
    exchange_all(pairs)
    settle()
    reset(world, [client for client, _ in pairs], [server for _, server in pairs])
    for client, server in pairs:
        world.expect(client, server, "reset", by=client)


@case("server resets", outgoing, incoming, elsewhere, outgoing_ipv6)
def server_resets(world):
    pairs = world.pairs(COUNT)
    exchange_all(pairs)
    settle()
    reset(world, [server for _, server in pairs], [client for client, _ in pairs])
    for client, server in pairs:
        world.expect(client, server, "reset", by=server)


@case("close with unread data resets")
def unread_data_resets(world):
    reason = ["tcp_abort_on_close"] if KERNEL_NAMES_REASONS else None
    pairs = world.pairs(COUNT)
    for number, (client, server) in enumerate(pairs):
        exchange(client, server, 50, 60)
        client.send(200 + number)
    settle()
    for client, server in pairs:
        server.close_with_unread_data()
        client.receive_error(errno.ECONNRESET)
        client.close_quietly()
        world.expect(client, server, "reset", by=server, server_facts={"reason": reason})


@case("half-close, data back")
def half_close(world):
    pairs = world.pairs(COUNT)
    for number, (client, server) in enumerate(pairs):
        client.send(300 + number)
        client.shutdown()
    settle(0.1)
    for number, (client, server) in enumerate(pairs):
        server.receive(300 + number)
        server.receive_eof()
        server.send(20000 + number)
        server.close()
    settle(0.1)
    for number, (client, server) in enumerate(pairs):
        client.receive(20000 + number)
        client.receive_eof()
        client.close()
        world.expect(client, server, "closed", by=client)


@case("half-close, then reset by the client")
def half_close_then_reset(world):
    pairs = world.pairs(COUNT)
    exchange_all(pairs)
    for client, server in pairs:
        client.shutdown()
        server.receive_eof()
    settle()
    for client, server in pairs:
        client.abort()
        settle(0.005)
        server.close_quietly()
        world.expect(client, server, "reset", by=client)


@case("no data at all")
def no_data(world):
    pairs = world.pairs(COUNT)
    settle()
    close_in_turn(world, [client for client, _ in pairs], [server for _, server in pairs])
    for client, server in pairs:
        world.expect(client, server, "closed", by=client)


@case("held open after both FINs")
def held_after_fins(world):
    """The descriptors stay open for seconds; the records are written within a second after CLOSE."""
    pairs = world.pairs(COUNT)
    exchange_all(pairs)
    for client, server in pairs:
        client.shutdown()
        server.receive_eof()
        server.shutdown()
        client.receive_eof()
    out_by = now() + SECOND_NS + READER_NS
    settle(1.5)
    for client, server in pairs:
        world.expect(client, server, "closed", by=client, out_by=out_by)
        client.close_quietly()
        server.close_quietly()


@case("held open after a reset")
def held_after_reset(world):
    pairs = world.pairs(COUNT)
    exchange_all(pairs)
    for client, _ in pairs:
        client.abort()
    out_by = now() + SECOND_NS + READER_NS
    settle(1.5)
    for client, server in pairs:
        world.expect(client, server, "reset", by=client, out_by=out_by, server_facts={"owner_by": ["io"]})
        server.close_quietly()


@case("held open after EOF without a FIN")
def held_without_fin(world):
    """The holder's connection is open, so only the peer has a record, though the packets have not ended."""
    pairs = world.pairs(COUNT)
    exchange_all(pairs)
    settle()
    for client, server in pairs:
        client.close()
    out_by = now() + 3 * SECOND_NS + READER_NS
    unended = ["wire_end"] if "wire" in world.place.seen else []
    settle(3.2)
    for client, server in pairs:
        server.receive_eof()
        server.close()
        world.expect(client, server, "closed", by=client, server_facts={"gaps_allowed": ["wire_end"]},
                     client_facts={"out_by": out_by, "gaps": unended})


@case("process killed")
def process_killed(world):
    server = world.server()
    listener = world.listen(server)
    for number in range(COUNT):
        victim = world.client("nt-victim%d" % number)
        client, served = world.pair(victim, listener)
        exchange(client, served, 100 + number, 200 + number)
        settle(0.01)
        client.fin_at = client.closed_at = victim.kill()
        served.receive_eof()
        served.close()
        world.expect(client, served, "closed", by=client)


@case("process ends without closing")
def process_ends(world):
    server = world.server("nt-short")
    listener = world.listen(server)
    client = world.client()
    pairs = [world.pair(client, listener) for _ in range(COUNT)]
    exchange_all(pairs)
    settle()
    ended = server.exit()
    for client_endpoint, server_endpoint in pairs:
        server_endpoint.fin_at = server_endpoint.closed_at = ended
        client_endpoint.receive_eof()
        client_endpoint.close()
        world.expect(client_endpoint, server_endpoint, "closed", by=server_endpoint)


def set_linger2(endpoint, seconds):
    endpoint.set_option(socket.IPPROTO_TCP, TCP_LINGER2, seconds)


@case("TCP_LINGER2 < 0, closed in FIN_WAIT1")
def no_fin_wait2(world):
    """The server's kernel answers the ACK of its FIN with a RST: RFC 9293 would wait for the client's FIN."""
    pairs = world.pairs(COUNT)
    exchange_all(pairs)
    for _, server in pairs:
        set_linger2(server, -1)
        server.close()
        server.rst_at = server.fin_at
    settle(0.6)  # the ACK may be delayed by 40 ms, and the RST with it
    for client, server in pairs:
        client.close_quietly()
        world.expect(client, server, "reset", by=server, close=None)


@case("TCP_LINGER2 < 0, closed in FIN_WAIT2")
def left_fin_wait2(world):
    pairs = world.pairs(COUNT)
    exchange_all(pairs)
    for client, server in pairs:
        set_linger2(server, -1)
        server.shutdown()
        client.receive_eof()
    settle()
    for client, server in pairs:
        server.close_with_unread_data()
        settle(0.005)
        client.close_quietly()
        world.expect(client, server, "reset", by=server)


@case("TCP_LINGER2 < 0, the peer closes first")
def no_fin_wait2_needed(world):
    pairs = world.pairs(COUNT)
    exchange_all(pairs)
    for _, server in pairs:
        set_linger2(server, -1)
    close_in_turn(world, [client for client, _ in pairs], [server for _, server in pairs])
    for client, server in pairs:
        world.expect(client, server, "closed", by=client)


@case("TCP_LINGER2 1 s, the peer closes in time")
def short_fin_wait2(world):
    pairs = world.pairs(COUNT)
    exchange_all(pairs)
    for _, server in pairs:
        set_linger2(server, 1)
    close_in_turn(world, [server for _, server in pairs], [client for client, _ in pairs], 0.3)
    for client, server in pairs:
        world.expect(client, server, "closed", by=server)


def receive_icmp_error(world, pairs):
    """The server's firewall rejects the clients' data until its first retransmission; then all goes on."""
    command = "ip6tables" if world.place.family == socket.AF_INET6 else "iptables"
    if not shutil.which(command):
        raise Skip("%s: not found" % command)
    rule = ("INPUT", "-p", "tcp", "--dport", str(pairs[0][0].remote[1]), "-j", "REJECT")
    done = world.place.server.namespace.run(command, "-w", "-A", *rule)
    if done.returncode:
        raise Skip("%s: %s" % (command, done.stderr.strip()))
    for client, _ in pairs:
        client.set_option(*RECEIVE_ERRORS[world.place.family], 1)
        client.send(100)
    settle(0.7)
    world.place.server.namespace.run(command, "-w", "-D", *rule)
    for _, server in pairs:
        server.receive(100)
    settle(0.1)  # the FIN waits for the ACK of the retransmission


def end_after_icmp_error(world, client, server, way):
    if way == 0:
        client.close()  # without reading the error
        server.receive_eof()
        server.close()
        world.expect(client, server, "closed", by=client)
    elif way == 1:
        server.close()
        settle(0.01)
        client.close()
        world.expect(client, server, "closed", by=server)
    elif way == 2:
        client.receive_error(errno.ECONNREFUSED)
        exchange(client, server, 10, 20)
        client.close()
        server.receive_eof()
        server.close()
        world.expect(client, server, "closed", by=client)
    else:
        client.abort()
        server.receive_error(errno.ECONNRESET)
        server.close_quietly()
        world.expect(client, server, "reset", by=client)


@case("an ICMP error that decides nothing, IP_RECVERR", outgoing, outgoing_ipv6, net__ipv4__icmp_ratelimit=0,
      net__ipv6__icmp__ratelimit=0)
def icmp_error_received(world):
    pairs = world.pairs(COUNT)
    exchange_all(pairs)
    receive_icmp_error(world, pairs)
    for number, (client, server) in enumerate(pairs):
        end_after_icmp_error(world, client, server, number % 4)


def arenas():
    """Repeats the ends with a tracker without packets, and with one that follows every packet."""
    near = [one for one in REGISTERED if one.build in (outgoing, incoming)]
    return [Arena("t", REGISTERED),
            Arena("s", near, ["--context", "socket"], seen=SOCKET),
            Arena("p", near, ["--packets"], seen=PACKETS_AND_SOCKET)]


if __name__ == "__main__":
    sys.exit(main(arenas))
