#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP_REPAIR: a process takes a connection out of its socket in silence, and puts it into another (CRIU)."""
import socket
import sys

from harness import REGISTERED, Arena, case, main
from places import SOCKET, elsewhere, incoming, incoming_ipv6, outgoing
from traffic import SENT_RESET, exchange, exchange_all, settle, span_of

PAIRS = 6
TCP_REPAIR = 19
SERVER_PORT = 4321
RESTORED = ["start", "direction"]


def expect_dumped(world, endpoint, src, dst, **facts):
    world.expect_record(endpoint, src, dst, event="exit", outcome="open", ended_by=None, reason=["repair"],
                        state="established", **facts)


@case("dumped", outgoing, incoming, incoming_ipv6, elsewhere)
def dumped(world):
    pairs = world.pairs(PAIRS)
    exchange_all(pairs)
    for client, server in pairs:
        server.set_option(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        server.close_quietly()
    settle()
    for client, server in pairs:
        client.abort()
        facts = {"src_bytes": client.sent, "dst_bytes": server.sent, "start": client.connect_at, "any_wire": True}
        expect_dumped(world, server, client.local, client.remote, **facts)
        world.expect_record(client, client.local, client.remote, outcome="reset", ended_by="src", reason=SENT_RESET,
                            close=client.rst_at, **facts)


def restore(endpoint):
    dumped_at = span_of(endpoint.peer.do("restore", handle=endpoint.handle, local=endpoint.local,
                                         remote=endpoint.remote))
    sent, endpoint.sent = endpoint.sent, 0
    return sent, dumped_at


@case("restored", outgoing, incoming, incoming_ipv6, elsewhere)
def restored(world):
    """The client's connection moves, or the server's. The lower port shows which of them it is."""
    pairs = world.pairs_at(SERVER_PORT, PAIRS)
    exchange_all(pairs)
    for number, (client, server) in enumerate(pairs):
        moved, other = (client, server) if number % 2 else (server, client)
        src, dst, before = client.local, client.remote, [client.sent, server.sent]
        restore(moved)
        exchange(client, server, 100, 200)
        client.close()
        server.receive_eof()
        server.close()
        start = {"start": client.connect_at}
        expect_dumped(world, moved, src, dst, src_bytes=before[0], dst_bytes=before[1], any_wire=True, **start)
        owner = {"owner_by": ["connect"]} if moved is client else {"owner_by": ["io"]}
        world.expect_record(moved, src, dst, outcome="closed", ended_by="src", gaps=RESTORED, seen=None, any_wire=True,
                            gaps_allowed=["wire_end"], src_bytes=100, dst_bytes=200, **owner)
        world.expect_record(other, src, dst, outcome="closed", ended_by="src", src_bytes=before[0] + 100,
                            dst_bytes=before[1] + 200, any_wire=True, **start)


def arenas():
    return [Arena("t", REGISTERED, ["--events", "close,exit"]),
            Arena("s", REGISTERED, ["--events", "close,exit", "--context", "socket"], seen=SOCKET)]


if __name__ == "__main__":
    sys.exit(main(arenas))
