#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Pre-existing connections, in the tracker's namespace and in others: owned, waiting for accept(), half-closed.

Each case is a generator: the tracker starts at its `yield`.
"""
import errno
import socket
import sys

from harness import COUNT, REGISTERED, Arena, case, main
from places import elsewhere, incoming, loopback, outgoing, outgoing_ipv6
from traffic import NOBODY, SENT_RESET, await_failures, exchange_all, settle, swallow

USER = 12345
FOUND = {"start": None, "first_fin": None, "close": None, "seen": None, "any_wire": True, "gaps": ["start"],
         "gaps_allowed": ["direction"], "absent": ["start", "duration_ns", "handshake_ns"]}
ANY_EVIDENCE = ["scan", "io", "close", "accept"]
SCANNED = {"owner_by": ["scan"]}


def expect_preexisting(world, client, server, outcome, by, client_facts=None, server_facts=None):
    """Is World.expect() for pre-existing connections. Their connect() was not seen, so any owner_by is right."""
    for endpoint, own in ((client, client_facts), (server, server_facts)):
        facts = dict(FOUND, outcome=outcome, ended_by="src" if by is client else "dst", src_bytes=client.sent,
                     dst_bytes=server.sent, owner_by=ANY_EVIDENCE)
        if outcome == "reset" and endpoint is by:
            facts["reason"] = SENT_RESET
        facts.update(own or {})
        world.expect_record(endpoint, client.local, client.remote, **facts)


@case("open before the start", outgoing, incoming, outgoing_ipv6, elsewhere, loopback)
def open_before(world):
    """The bytes are the socket's own counts, which include those from before the start."""
    pairs = world.pairs(COUNT)
    exchange_all(pairs)
    yield
    exchange_all(pairs)
    for client, server in pairs:
        client.close()
        server.receive_eof()
        server.close()
        expect_preexisting(world, client, server, "closed", client)


@case("open before the start, then idle until the client resets", outgoing, incoming, elsewhere)
def idle_until_reset(world):
    """Nobody reads, so only its descriptor shows the worker that accepted."""
    server = world.server("nt-master")
    listener = world.listen(server)
    worker, client = server.fork("nt-worker", USER), world.client()
    pairs = [world.pair(client, listener, worker) for _ in range(COUNT)]
    exchange_all(pairs)
    yield
    for client_endpoint, server_endpoint in pairs:
        client_endpoint.abort()
        expect_preexisting(world, client_endpoint, server_endpoint, "reset", client_endpoint, server_facts=SCANNED)
    settle(0.2)
    worker.stop()


@case("waiting for accept() at the start", outgoing, incoming, elsewhere)
def waiting_at_start(world):
    server, client = world.server("nt-master"), world.client()
    listener = world.listen(server)
    worker = server.fork("nt-worker", USER)
    clients = [world.connect(client, listener) for _ in range(COUNT)]
    for number, endpoint in enumerate(clients):
        endpoint.send(50 + number)
    yield
    for number, client_endpoint in enumerate(clients):
        server_endpoint = worker.accept(listener)
        server_endpoint.receive(50 + number)
        client_endpoint.close()
        server_endpoint.receive_eof()
        server_endpoint.close()
        expect_preexisting(world, client_endpoint, server_endpoint, "closed", client_endpoint)
    worker.stop()


@case("waiting for accept() at the start, never accepted", outgoing, incoming, elsewhere)
def never_accepted(world):
    server, client = world.server("nt-lazy"), world.client()
    listener = world.listen(server)
    clients = [world.connect(client, listener) for _ in range(COUNT)]
    for number, endpoint in enumerate(clients):
        endpoint.send(50 + number)
    yield
    for client_endpoint in clients:
        client_endpoint.abort()
        server_endpoint = world.unaccepted(client_endpoint, listener)
        expect_preexisting(world, client_endpoint, server_endpoint, "reset", client_endpoint,
                           server_facts={"owner_by": ["listen", "scan"], "gaps": ["start", "owner"]})
    settle(2)


def expect_reset_unaccepted(world, clients, listener, server_facts):
    for client_endpoint in clients:
        client_endpoint.abort()
        server_endpoint = world.unaccepted(client_endpoint, listener)
        expect_preexisting(world, client_endpoint, server_endpoint, "reset", client_endpoint,
                           server_facts=dict(server_facts, gaps=["start", "owner"]))
    settle(2)


@case("never accepted, listeners of both families on one port")
def never_accepted_ipv6_only(world):
    """The IPv6 listener takes no IPv4, although it is on any address and the last to listen."""
    server = world.server("nt-ipv4")
    listener = server.listen(socket.AF_INET, "0.0.0.0")
    world.server("nt-ipv6").listen(socket.AF_INET6, "::", port=listener.port,
                                   options=[(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)])
    listener.address, client = world.place.server.address, world.client()
    clients = [world.connect(client, listener) for _ in range(COUNT)]
    yield
    expect_reset_unaccepted(world, clients, listener, {"owner_by": ["listen"]})


@case("never accepted, several listeners on one port (SO_REUSEPORT)", outgoing, incoming)
def never_accepted_reuseport(world):
    """Nothing shows which of the two has a connection that was there before the tracker."""
    options = [(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)]
    listener = world.listen(world.server("nt-first"), options=options)
    world.listen(world.server("nt-second"), options=options, port=listener.port)
    client = world.client()
    clients = [world.connect(client, listener) for _ in range(COUNT)]
    yield
    expect_reset_unaccepted(world, clients, listener, {"owner": None})


@case("half closed before the start", outgoing, incoming, elsewhere)
def half_closed(world):
    """The states CLOSE_WAIT and FIN_WAIT2 show which side sent the first FIN."""
    pairs = world.pairs(COUNT)
    exchange_all(pairs)
    for client, server in pairs:
        client.shutdown()
        server.receive_eof()
    yield
    for number, (client, server) in enumerate(pairs):
        server.send(70 + number)
        server.close()
        client.receive(70 + number)
        client.receive_eof()
        client.close()
        expect_preexisting(world, client, server, "closed", client)


@case("connecting at the start", outgoing, incoming, elsewhere)
def connecting_at_start(world):
    """Nobody answers. The kernel gives up 7 s after connect(), when the tracker of a slow machine has started, too."""
    address = world.address(NOBODY)
    swallow(world.place.client, address)
    client = world.client()
    handles = [client.socket(world.place.family, options=[(socket.IPPROTO_TCP, socket.TCP_SYNCNT, 2)])
               for _ in range(COUNT)]
    endpoints = [world.attempt(client, address, 4000, handle, blocking=False) for handle in handles]
    yield
    await_failures(endpoints, errno.ETIMEDOUT)
    for endpoint in endpoints:
        endpoint.close_quietly()
        world.expect_record(endpoint, endpoint.local, endpoint.remote, outcome="timeout", ended_by=None,
                            reason=["etimedout"], src_bytes=0, dst_bytes=0, **dict(FOUND, **SCANNED))


if __name__ == "__main__":
    sys.exit(main(lambda: [Arena("t", REGISTERED)]))
