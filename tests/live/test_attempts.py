#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections that fail: refused, unanswered, given up, unreachable; and connections whose peer vanishes."""
import errno
import shutil
import socket
import sys

from harness import COUNT, Skip, case, main
from places import (elsewhere, incoming, incoming_ipv6, loopback, loopback_ipv6, outgoing, outgoing_ipv6, routed,
                    routed_ipv6)
from traffic import NOBODY, SENT_RESET, await_failures, exchange_all, require, settle, swallow

TCP_USER_TIMEOUT = 18
PREFIX = {socket.AF_INET: "32", socket.AF_INET6: "128"}
FAST_NEIGHBOURS = {"mcast_solicit": 1, "ucast_solicit": 1, "retrans_time_ms": 200}


def closed_port(world):
    listener = world.listen(world.server("nt-closed"))
    listener.close()
    return listener.port


@case("refused", outgoing, incoming, outgoing_ipv6, incoming_ipv6, loopback, loopback_ipv6, elsewhere)
def refused(world):
    client, port = world.client(), closed_port(world)
    for _ in range(COUNT):
        endpoint = world.attempt(client, world.place.server.address, port)
        require(endpoint.errno == errno.ECONNREFUSED, "connect: %d" % endpoint.errno)
        endpoint.close_quietly()
        world.expect_attempt(endpoint, "refused", "dst", close=endpoint.connect_at)


@case("refused, not blocking and the descriptor kept")
def refused_kept(world):
    client, port = world.client(uid=4321), closed_port(world)
    endpoints = [world.attempt(client, world.place.server.address, port, blocking=False) for _ in range(COUNT)]
    settle(1.2)
    for endpoint in endpoints:
        endpoint.receive_error(errno.ECONNREFUSED)
        world.expect_attempt(endpoint, "refused", "dst", close=endpoint.connect_at)


@case("no answer", outgoing, incoming, outgoing_ipv6, elsewhere)
def no_answer(world):
    """The SYN and its retransmission are lost; the kernel gives up."""
    address = world.address(NOBODY)
    swallow(world.place.client, address)
    client = world.client()
    handles = [client.socket(world.place.family) for _ in range(COUNT)]
    for endpoint, failed in world.failing_attempts(client, address, 4000, handles, errno.ETIMEDOUT):
        endpoint.close_quietly()
        world.expect_attempt(endpoint, "timeout", reason=["etimedout"], close=failed)


@case("given up while connecting", outgoing, incoming, outgoing_ipv6, elsewhere)
def given_up(world):
    address = world.address(NOBODY)
    swallow(world.place.client, address)
    client = world.client()
    endpoints = [world.attempt(client, address, 4000, blocking=False) for _ in range(COUNT)]
    settle(0.3)
    for endpoint in endpoints:
        endpoint.close_quietly()
        world.expect_attempt(endpoint, "timeout", reason=["gave_up"], close=endpoint.closed_at)


@case("killed while connecting")
def killed_while_connecting(world):
    address = world.address(NOBODY)
    swallow(world.place.client, address)
    client = world.client()
    endpoints = [world.attempt(client, address, 4000, blocking=False) for _ in range(COUNT)]
    settle(0.1)
    killed = client.kill()
    for endpoint in endpoints:
        world.expect_attempt(endpoint, "timeout", reason=["gave_up"], close=killed)


def expect_unreachable(world, address, client, handles, code, reason, **facts):
    for endpoint, failed in world.failing_attempts(client, address, 4000, handles, code):
        endpoint.close_quietly()
        world.expect_attempt(endpoint, "unreachable", reason=[reason], close=failed, **facts)


@case("unreachable, no neighbour", outgoing, incoming, outgoing_ipv6)
def no_neighbour(world):
    """No host answers for the address. The outgoing interface's neighbour timers are shortened."""
    side, address = world.place.client, world.address(NOBODY)
    family = "ipv6" if world.place.family == socket.AF_INET6 else "ipv4"
    side.namespace.sysctl({"net.%s.neigh.%s.%s" % (family, side.interface, key): value
                           for key, value in FAST_NEIGHBOURS.items()})
    client = world.client()
    handles = [client.socket(world.place.family) for _ in range(COUNT)]
    # Without a neighbour no frame is sent, so the record has no packets.
    expect_unreachable(world, address, client, handles, errno.EHOSTUNREACH, "ehostunreach", seen=["socket"])


def sockets_with_addresses(world, client):
    """Returns sockets with an address each: a router limits its ICMP messages by source address."""
    place = world.place
    handles = []
    for number in range(COUNT):
        address = world.address(100 + number)
        place.client.namespace.ip("addr add %s/%s dev %s nodad" %
                                  (address, PREFIX[place.family], place.client.interface))
        handles.append(client.socket(place.family))
        client.do("bind", handle=handles[-1], address=address, port=0)
    return handles


def beyond_router(world, code, reason):
    client = world.client()
    expect_unreachable(world, world.place.beyond, client, sockets_with_addresses(world, client), code, reason)


@case("unreachable, ICMP host unreachable", routed)
def host_unreachable(world):
    world.place.router.ip("route add unreachable %s" % world.place.beyond)
    beyond_router(world, errno.EHOSTUNREACH, "ehostunreach")


@case("unreachable, ICMP net unreachable", routed, routed_ipv6)
def net_unreachable(world):
    """The router has no route."""
    beyond_router(world, errno.ENETUNREACH, "enetunreach")


def port_unreachable(world, command, prohibited):
    """A packet filter on the router rejects the SYN, as most do by default."""
    if not shutil.which(command):
        raise Skip("%s: not found" % command)
    done = world.place.router.run(command, "-w", "-A", "FORWARD", "-p", "tcp", "-j", "REJECT", "--reject-with", prohibited)
    if done.returncode:
        raise Skip("%s: %s" % (command, done.stderr.strip()))
    world.place.router.ip("route add %s dev %s" % (world.place.beyond, world.place.server.interface))
    beyond_router(world, errno.ECONNREFUSED, "econnrefused")


@case("unreachable, ICMP port unreachable", routed)
def port_unreachable_ipv4(world):
    port_unreachable(world, "iptables", "icmp-port-unreachable")


@case("unreachable, ICMPv6 port unreachable", routed_ipv6)
def port_unreachable_ipv6(world):
    port_unreachable(world, "ip6tables", "icmp6-port-unreachable")


# The error of each kind of message: icmp_err_convert[] of net/ipv4/icmp.c, tab_unreach[] of net/ipv6/icmp.c.
REJECTIONS = {
    socket.AF_INET: (
        ("icmp-net-unreachable", errno.ENETUNREACH), ("icmp-host-unreachable", errno.EHOSTUNREACH),
        ("icmp-port-unreachable", errno.ECONNREFUSED), ("icmp-proto-unreachable", errno.ENOPROTOOPT),
        ("icmp-net-prohibited", errno.ENETUNREACH), ("icmp-host-prohibited", errno.EHOSTUNREACH),
        ("icmp-admin-prohibited", errno.EHOSTUNREACH), ("tcp-reset", errno.ECONNREFUSED)),
    socket.AF_INET6: (
        ("icmp6-no-route", errno.ENETUNREACH), ("icmp6-adm-prohibited", errno.EACCES),
        ("icmp6-addr-unreachable", errno.EHOSTUNREACH), ("icmp6-port-unreachable", errno.ECONNREFUSED),
        ("icmp6-policy-fail", errno.EACCES), ("icmp6-reject-route", errno.EACCES),
        ("tcp-reset", errno.ECONNREFUSED)),
}
NO_ICMP_LIMIT_OF = {socket.AF_INET: {"net.ipv4.icmp_ratelimit": 0}, socket.AF_INET6: {"net.ipv6.icmp.ratelimit": 0}}
TIMES_AT_ONCE = 5
NO_ICMP_LIMIT = {"net__ipv4__icmp_ratelimit": 0, "net__ipv6__icmp__ratelimit": 0}


def reject(namespace, family, chain, port, kind):
    command = "ip6tables" if family == socket.AF_INET6 else "iptables"
    if not shutil.which(command):
        raise Skip("%s: not found" % command)
    done = namespace.run(command, "-w", "-A", chain, "-p", "tcp", "--dport", str(port), "-j", "REJECT", "--reject-with", kind)
    if done.returncode:
        raise Skip("%s: %s" % (command, done.stderr.strip()))


def rejected(world, namespace, chain, address, **facts):
    """The application polls, and takes the error by SO_ERROR before it closes: as curl, psql, Go and node do."""
    client, family, attempts = world.client(), world.place.family, []
    for port, (kind, code) in enumerate(REJECTIONS[family], 4100):
        reject(namespace, family, chain, port, kind)
        attempts.append((world.attempt(client, address, port, blocking=False), kind, code))
    for endpoint, kind, code in attempts:
        found = endpoint.errno or client.do("await_connection", handle=endpoint.handle)["code"]
        require(found == code, "%s: error %d" % (kind, found))
        endpoint.close_quietly()
        if kind == "tcp-reset":
            world.expect_attempt(endpoint, "refused", "dst", **facts)
        else:
            world.expect_attempt(endpoint, "unreachable", reason=[errno.errorcode[code].lower()], **facts)


@case("rejected on arrival, SO_ERROR taken", outgoing, outgoing_ipv6, **NO_ICMP_LIMIT)
def rejected_on_arrival(world):
    rejected(world, world.place.server.namespace, "INPUT", world.place.server.address)


@case("rejected on the way, SO_ERROR taken", routed, routed_ipv6)
def rejected_on_the_way(world):
    world.place.router.ip("route add %s dev %s" % (world.place.beyond, world.place.server.interface))
    rejected(world, world.place.router, "FORWARD", world.place.beyond)


@case("rejected before it left, SO_ERROR taken", incoming, incoming_ipv6, **NO_ICMP_LIMIT)
def rejected_before_it_left(world):
    rejected(world, world.place.client.namespace, "OUTPUT", world.place.server.address, seen=["socket"])


def taken_at_once(world, namespace, chain, address, first_port, **facts):
    """The application asks for SO_ERROR from connect() on: the error may come while connect() is still at work."""
    client, family = world.client(), world.place.family
    namespace.sysctl(NO_ICMP_LIMIT_OF[family])
    kinds = [one for one in REJECTIONS[family] if one[0] != "tcp-reset"]
    for port, (kind, code) in enumerate(kinds, first_port):
        reject(namespace, family, chain, port, kind)
        for _ in range(TIMES_AT_ONCE):
            handle = client.socket(family)
            result = client.do("connect_and_take", handle=handle, address=address, port=port)
            require(result["code"] == code, "%s: error %d" % (kind, result["code"]))
            endpoint = world.connected(client, handle, result, address, port)
            endpoint.close_quietly()
            world.expect_attempt(endpoint, "unreachable", reason=[errno.errorcode[code].lower()], **facts)


@case("rejected on arrival, SO_ERROR taken at once", outgoing, outgoing_ipv6, incoming, incoming_ipv6)
def taken_at_once_on_arrival(world):
    taken_at_once(world, world.place.server.namespace, "INPUT", world.place.server.address, 4200)


@case("rejected before it left, SO_ERROR taken at once", outgoing, outgoing_ipv6)
def taken_at_once_before_it_left(world):
    """The SYN reaches no interface; the message comes by the loopback interface."""
    taken_at_once(world, world.place.client.namespace, "OUTPUT", world.place.server.address, 4300, seen=["socket"])


@case("rejected on the way, SO_ERROR taken at once", routed, routed_ipv6)
def taken_at_once_on_the_way(world):
    world.place.router.ip("route add %s dev %s" % (world.place.beyond, world.place.server.interface))
    taken_at_once(world, world.place.router, "FORWARD", world.place.beyond, 4400)


@case("no route at all")
def no_route(world):
    """connect() fails before it makes a connection: no record."""
    client = world.client()
    for _ in range(COUNT):
        endpoint = world.attempt(client, "198.19.255.1", 4000)
        require(endpoint.errno == errno.ENETUNREACH, "connect: %d" % endpoint.errno)
        endpoint.close_quietly()


def vanish(world):
    """Loses all later frames between the sides."""
    swallow(world.place.client, world.place.server.address)
    swallow(world.place.server, world.place.client.address)


def set_keepalive(endpoint):
    for level, option, value in ((socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
                                 (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1),
                                 (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1),
                                 (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 1)):
        endpoint.set_option(level, option, value)


@case("peer vanished: data unanswered here, keep-alive unanswered there")
def vanished(world):
    """The client sends data that nobody acknowledges; the idle server sends keep-alive probes."""
    pairs = world.pairs(COUNT)
    exchange_all(pairs)
    for client, server in pairs:
        client.set_option(socket.IPPROTO_TCP, TCP_USER_TIMEOUT, 1000)
        set_keepalive(server)
    vanish(world)
    expect_silence(world, pairs)


def expect_silence(world, pairs, refused_by_device=False):
    """refused_by_device: data that the device did not take may count as transmitted or not."""
    for number, (client, _) in enumerate(pairs):
        client.send(1000 + number)
    lost = await_failures([endpoint for pair in pairs for endpoint in pair], errno.ETIMEDOUT)
    for number, (client, server) in enumerate(pairs):
        received = client.sent - 1000 - number
        world.expect(client, server, "timeout", None, any_wire=True,
                     client_facts={"close": lost[2 * number], "reason": ["etimedout"],
                                   "src_bytes": [client.sent, received] if refused_by_device else client.sent},
                     server_facts={"close": lost[2 * number + 1], "reason": ["keepalive_timeout"],
                                   "src_bytes": received})
        client.close_quietly()
        server.close_quietly()


@case("peer vanished: the link goes down", elsewhere)
def link_down(world):
    pairs = world.pairs(COUNT)
    exchange_all(pairs)
    for client, server in pairs:
        client.set_option(socket.IPPROTO_TCP, TCP_USER_TIMEOUT, 1000)
        set_keepalive(server)
    world.place.server.namespace.ip("link set %s down" % world.place.server.interface)
    expect_silence(world, pairs, refused_by_device=True)


@case("peer vanished after its FIN was seen", outgoing, incoming)
def vanished_after_fin(world):
    """The server's last data and FIN are never acknowledged."""
    pairs = world.pairs(COUNT)
    exchange_all(pairs)
    for client, server in pairs:
        server.set_option(socket.IPPROTO_TCP, TCP_USER_TIMEOUT, 1000)
        client.shutdown()
        server.receive_eof()
    vanish(world)
    for _, server in pairs:
        server.send(50)
    gone = await_failures([server for _, server in pairs], errno.ETIMEDOUT)
    for (client, server), lost in zip(pairs, gone):
        server.close_quietly()
        client.abort()
        facts = {"start": client.connect_at, "first_fin": client.fin_at, "src_bytes": client.sent, "any_wire": True}
        world.expect_record(server, client.local, client.remote, outcome="timeout", ended_by=None, reason=["etimedout"],
                            close=lost, dst_bytes=server.sent, **facts)
        world.expect_record(client, client.local, client.remote, outcome="reset", ended_by="src", reason=SENT_RESET,
                            close=client.rst_at, dst_bytes=server.sent - 50, **facts)


if __name__ == "__main__":
    sys.exit(main())
