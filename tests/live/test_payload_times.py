#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""request_ns and response_ns: applications that wait for known times before they send; and those that send too late or
never, which leave the values out unless every packet is followed; and the last exchange, if it is."""
import socket
import sys
import time

from harness import REGISTERED, Arena, case, main
from places import (PACKETS_AND_SOCKET, elsewhere, incoming, incoming_ipv6, loopback, loopback_ipv6, outgoing,
                    outgoing_ipv6)
from traffic import Endpoint, exchange, require, settle, span_of

PLACES = outgoing, incoming, outgoing_ipv6, incoming_ipv6, loopback, loopback_ipv6
DELAYS = 0.0, 0.03, 0.3, 1.0
TCP_FASTOPEN = 23


def send(endpoint, count):
    """Returns the span of time in which the payload was sent."""
    endpoint.sent += count
    return span_of(endpoint.peer.do("send", handle=endpoint.handle, count=count))


def since(start, span):
    return span.before - start.after, span.after - start.before


def expect_times(world, pair, request=None, response=None, last=None):
    """Expects the payload in these spans; None: no value. last: the spans of the last exchange, if not the first."""
    client, server = pair
    spans = {"request_ns": request, "response_ns": response}
    if "packets" in world.place.seen:
        spans["last_request_ns"], spans["last_response_ns"] = last or (None, None)
    if not world.place.wire:
        spans = dict.fromkeys(spans)
    world.expect(client, server, "closed", client, absent=[key for key, span in spans.items() if span is None],
                 wire_times={key: since(client.connect_at, span) for key, span in spans.items() if span})


def close(client, server):
    client.close()
    server.receive_eof()
    server.close()


def after_delays(began):
    for number, delay in enumerate(DELAYS):
        time.sleep(max(0, began + delay - time.monotonic()))
        yield number


@case("client first, as HTTP", *PLACES, elsewhere)
def client_first(world):
    pairs = world.pairs(len(DELAYS))
    requests = [send(client, 100 + number) for number, (client, _) in enumerate(pairs)]
    for number in after_delays(time.monotonic()):
        client, server = pairs[number]
        server.receive(client.sent)
        response = send(server, 5000)
        client.receive(5000)
        exchange(client, server, 10, 20)
        settle(0.05)
        last = [send(client, 10)]
        server.receive(10)
        settle(0.05)
        last.append(send(server, 20))
        client.receive(20)
        close(client, server)
        expect_times(world, (client, server), requests[number], response, last)


@case("server first, as SMTP", *PLACES)
def server_first(world):
    pairs = world.pairs(len(DELAYS))
    for number in after_delays(time.monotonic()):
        client, server = pairs[number]
        greeting = send(server, 30)
        client.receive(30)
        request = send(client, 20)
        server.receive(20)
        close(client, server)
        expect_times(world, (client, server), request, greeting)


@case("early data in the SYN", outgoing, incoming, outgoing_ipv6, incoming_ipv6)
def early_data(world):
    """The first connection only fetches the cookie, and sends its request after the handshake."""
    server_peer, client_peer = world.server(), world.client()
    listener = world.listen(server_peer, options=[(socket.IPPROTO_TCP, TCP_FASTOPEN, 64)])
    for _ in range(4):
        client = Endpoint(client_peer, client_peer.socket(world.place.family), "client")
        result = client_peer.do("connect_fastopen", handle=client.handle, address=listener.address,
                                port=listener.port, count=100)
        client.connected(result, listener.address, listener.port)
        client.sent = 100
        server = server_peer.accept(listener)
        server.receive(100)
        settle(0.2)
        response = send(server, 500)
        client.receive(500)
        close(client, server)
        expect_times(world, (client, server), client.connect_at, response)
    require(server_peer.counter("TcpExt", "TCPFastOpenPassive") >= 3, "no SYN carried data")


@case("a side that never sends", outgoing, incoming, loopback)
def never(world):
    client, server = world.pairs(1)[0]
    request = send(client, 100)
    server.receive(100)
    settle(0.2)
    close(client, server)
    expect_times(world, (client, server), request)


@case("no side sends", outgoing, loopback_ipv6)
def silence(world):
    client, server = world.pairs(1)[0]
    close(client, server)
    expect_times(world, (client, server))


@case("request together with the FIN", *PLACES)
def half_closed(world):
    """The server answers 0.3 s after the client has closed its side."""
    client, server = world.pairs(1)[0]
    request = send(client, 100)
    client.shutdown()
    server.receive(100)
    server.receive_eof()
    settle(0.3)
    response = send(server, 100)
    client.receive(100)
    server.close()
    client.receive_eof()
    client.close_quietly()
    expect_times(world, (client, server), request, response)


def pair_in_slot(world, client, server):
    """Opens another connection that shares the slot of the fast path: its addresses and ports have the same exclusive
    or (core/fast_path.h)."""
    listener = world.listen(server.peer, port=client.remote[1] ^ 1)
    handle = client.peer.socket(world.place.family)
    client.peer.do("bind", handle=handle, address=client.local[0], port=client.local[1] ^ 1)
    return world.attempt(client.peer, listener.address, listener.port, handle), server.peer.accept(listener)


@case("first payload after 3 s", outgoing, incoming_ipv6)
def late(world):
    """Without --packets no later payload is taken for the first, also while another connection marks the slot."""
    client, server = world.pairs(1)[0]
    settle(3)
    client_beside, server_beside = pair_in_slot(world, client, server)
    request = send(client, 100)
    server.receive(100)
    response = send(server, 100)
    client.receive(100)
    last = [send(client, 50)]
    server.receive(50)
    last.append(send(server, 50))
    client.receive(50)
    beside = send(server_beside, 10)
    client_beside.receive(10)
    close(client_beside, server_beside)
    close(client, server)
    expect_times(world, (client_beside, server_beside), response=beside)
    followed = "packets" in world.place.seen
    expect_times(world, (client, server), request if followed else None, response if followed else None, last)


def arenas():
    """Repeats the cases with a tracker that follows every packet."""
    near = [one for one in REGISTERED if one.build is not elsewhere]
    return [Arena("t", REGISTERED), Arena("p", near, ["--packets"], seen=PACKETS_AND_SOCKET)]


if __name__ == "__main__":
    sys.exit(main(arenas))
