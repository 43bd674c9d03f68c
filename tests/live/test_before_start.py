#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections that were there before the tracker: in its namespace and others, owned, waiting, half closed.

Each case is a generator: what is before its `yield` happens before the tracker starts.
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


def expect_found(world, client, server, outcome, by, client_facts=None, server_facts=None):
    """As World.expect(), for what began before the tracker did; nobody saw who connected, so any evidence will do."""
    for end, own in ((client, client_facts), (server, server_facts)):
        facts = dict(FOUND, outcome=outcome, ended_by="src" if by is client else "dst", src_bytes=client.sent,
                     dst_bytes=server.sent, owner_by=ANY_EVIDENCE)
        if outcome == "reset" and end is by:
            facts["reason"] = SENT_RESET
        facts.update(own or {})
        world.view(end, client.local, client.remote, **facts)


@case("open before the start", outgoing, incoming, outgoing_ipv6, elsewhere, loopback)
def open_before(world):
    """Bytes are the socket's own counts, so those from before are among them."""
    pairs = world.pairs(COUNT)
    exchange_all(pairs)
    yield
    exchange_all(pairs)
    for client, server in pairs:
        client.close()
        server.receive_eof()
        server.close()
        expect_found(world, client, server, "closed", client)


@case("open before the start, then idle until the client resets", outgoing, incoming, elsewhere)
def idle_until_reset(world):
    """Nobody reads: the worker that accepted is known by its descriptor alone."""
    server = world.server("nt-master")
    listener = world.listen(server)
    worker, client = server.fork("nt-worker", USER), world.client()
    pairs = [world.pair(client, listener, worker) for _ in range(COUNT)]
    exchange_all(pairs)
    yield
    for client_end, server_end in pairs:
        client_end.abort()
        expect_found(world, client_end, server_end, "reset", client_end, server_facts=SCANNED)
    settle(0.2)
    worker.stop()


@case("waiting for accept() at the start", outgoing, incoming, elsewhere)
def waiting_at_start(world):
    server, client = world.server("nt-master"), world.client()
    listener = world.listen(server)
    worker = server.fork("nt-worker", USER)
    clients = [world.connect(client, listener) for _ in range(COUNT)]
    for number, end in enumerate(clients):
        end.send(50 + number)
    yield
    for number, client_end in enumerate(clients):
        server_end = worker.accept(listener)
        server_end.receive(50 + number)
        client_end.close()
        server_end.receive_eof()
        server_end.close()
        expect_found(world, client_end, server_end, "closed", client_end)
    worker.stop()


@case("waiting for accept() at the start, never accepted", outgoing, incoming, elsewhere)
def never_accepted(world):
    server, client = world.server("nt-lazy"), world.client()
    listener = world.listen(server)
    clients = [world.connect(client, listener) for _ in range(COUNT)]
    for number, end in enumerate(clients):
        end.send(50 + number)
    yield
    for client_end in clients:
        client_end.abort()
        server_end = world.unaccepted(client_end, listener)
        expect_found(world, client_end, server_end, "reset", client_end,
                     server_facts={"owner_by": ["listen", "scan"], "gaps": ["start", "owner"]})
    settle(1.3)


@case("half closed before the start", outgoing, incoming, elsewhere)
def half_closed(world):
    """The states CLOSE_WAIT and FIN_WAIT2 say who sent the first FIN."""
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
        expect_found(world, client, server, "closed", client)


@case("connecting at the start", outgoing, incoming, elsewhere)
def connecting_at_start(world):
    """Nobody will answer; the kernel gives up seven seconds after connect(), when a slow machine's tracker is up too."""
    address = world.address(NOBODY)
    swallow(world.place.client, address)
    client = world.client()
    handles = [client.socket(world.place.family, options=[(socket.IPPROTO_TCP, socket.TCP_SYNCNT, 2)])
               for _ in range(COUNT)]
    ends = [world.attempt(client, address, 4000, handle, blocking=False) for handle in handles]
    yield
    await_failures(ends, errno.ETIMEDOUT)
    for end in ends:
        end.close_quietly()
        world.view(end, end.local, end.remote, **dict(FOUND, outcome="timeout", ended_by=None, reason=["etimedout"],
                                                      src_bytes=0, dst_bytes=0, **SCANNED))


if __name__ == "__main__":
    sys.exit(main(lambda: [Arena("t", REGISTERED)]))
