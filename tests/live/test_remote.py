#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections with remote hosts: handshake times, observers, half-open scans, forwarded traffic."""
import contextlib
import errno
import shutil
import socket
import sys

from harness import COUNT, REGISTERED, Arena, Skip, case, main
from peer import now
from places import Place, incoming, incoming_ipv6, outgoing, outgoing_ipv6, side, sides
from rawhost import RawConnection, RawHost
from sniffer import ACK, FIN, RST, SYN
from traffic import NOBODY, SENT_RESET, at, exchange_all, require, settle

RAW_HOST = 77
TCP_DEFER_ACCEPT = 9
NO_SOCKET = ["no_socket"]
SURELY_LESS_THAN_4_GIB_NS = 50_000_000
HALF_OPEN_NS = 70_000_000_000
WAIT_70 = "written 70 s later"
SECOND_NS = 1_000_000_000
# A RST may have been refused: the tracker waits 2 s for a packet that shows it, and looks every 2 s.
RESET_OUT_NS = 6 * SECOND_NS
SYN_COOKIES = "SYN cookies"
FORWARDED = "passing through"


def forwarding(net, here, suffix, **_):
    """The tracker's namespace routes between the client's and the server's."""
    place = between(net, here, suffix)
    for one in (place.client, place.server):
        gateway = place.near[one].address
        one.namespace.ip("route add default via %s" % gateway)
    here.sysctl({"net.ipv4.ip_forward": 1})
    return place


def between(net, here, suffix):
    """Places client and server on two links of the tracker's namespace; place.near has that namespace's sides."""
    far, near = [], {}
    for letter in "ab":
        subnet, own, other = sides(net, here, suffix + letter, None)
        far.append(side(subnet, other, socket.AF_INET))
        far[-1].raw_address = subnet.ipv4(RAW_HOST)
        far[-1].subnet = subnet
        near[far[-1]] = side(subnet, own, socket.AF_INET)
    place = Place(here, far[0].subnet, far[0], far[1])
    place.near = near
    return place


def translated(net, here, suffix, **_):
    """The router's own address stands for the server's (DNAT)."""
    place = forwarding(net, here, suffix)
    place.translated = place.near[place.client].address
    done = here.run("iptables", "-w", "-t", "nat", "-A", "PREROUTING", "-d", place.translated, "-p", "tcp", "-j", "DNAT",
                    "--to-destination", place.server.address)
    place.no_translation = done.stderr.strip() if done.returncode else None
    return place


def remote_client(world):
    """Returns a raw host at the client's side of the link."""
    place = world.place
    return RawHost(world.client("nt-raw"), place.client, place.server, world.address(RAW_HOST), place.family)


def remote_server(world):
    place = world.place
    return RawHost(world.server("nt-raw"), place.server, place.client, world.address(RAW_HOST), place.family)


def connect_to(world, client, host, port):
    """Starts a connect() to a raw host, which receives the SYN. Returns both sides."""
    endpoint = world.attempt(client, host.address, port, blocking=False)
    connection = RawConnection(host, port, (endpoint.local[0], endpoint.local[1]), 1000)
    connection.syn = connection.expect(SYN)
    return endpoint, connection


def serve(world, connection, delay):
    """Sends the SYN-ACK after a delay and receives the handshake's ACK. Returns the time of the SYN-ACK."""
    settle(delay)
    synack = connection.send(SYN | ACK)
    connection.expect(ACK)
    return synack


@case("a remote server: handshake and FIN-ACK times", outgoing, outgoing_ipv6)
def remote_server_times(world):
    """The SYN-ACK comes after 30 ms, the server's FIN-ACK 40 ms after the client's."""
    host, client = remote_server(world), world.client()
    for number in range(COUNT):
        endpoint, connection = connect_to(world, client, host, 5000)
        synack = serve(world, connection, 0.03)
        endpoint.send(100 + number)
        connection.expect(ACK)
        connection.send(ACK, bytes(40 + number))
        endpoint.receive(40 + number)
        endpoint.close()
        connection.expect(FIN | ACK)
        settle(0.04)
        connection.send(ACK)
        fin = connection.send(FIN | ACK)
        handshake = since(endpoint, synack)
        world.expect_record(endpoint, endpoint.local, endpoint.remote, outcome="closed", ended_by="src",
                            start=endpoint.connect_at, first_fin=endpoint.fin_at, src_bytes=endpoint.sent,
                            dst_bytes=connection.sent,
                            wire_times={"syn_synack_ns": handshake, "handshake_ns": handshake,
                                        "syn_finack_ns": since(endpoint, fin)})


def since(endpoint, span):
    return between_spans(endpoint.connect_at, span)


def between_spans(first, second):
    return [second.before - first.after, second.after - first.before]


@case("a remote client: handshake times", incoming, incoming_ipv6)
def remote_client_times(world):
    """The handshake's ACK comes after 30 ms; a server's record starts with the SYN."""
    host, server = remote_client(world), world.server()
    listener = world.listen(server)
    for number in range(COUNT):
        connection = RawConnection(host, 20000 + number, (listener.address, listener.port), 7000)
        syn = connection.send(SYN)
        connection.expect(SYN | ACK)
        settle(0.03)
        acked = connection.send(ACK)
        endpoint = server.accept(listener)
        connection.send(ACK, bytes(60 + number))
        endpoint.receive(60 + number)
        endpoint.send(300 + number)
        connection.expect(ACK)
        connection.send(FIN | ACK)
        endpoint.receive_eof()
        endpoint.close()
        connection.expect(FIN | ACK)
        last = connection.send(ACK)
        handshake = between_spans(syn, acked)
        world.expect_record(endpoint, endpoint.remote, endpoint.local, outcome="closed", ended_by="src", start=syn,
                            close=last, src_bytes=connection.sent, dst_bytes=endpoint.sent,
                            wire_times={"handshake_ns": handshake, "synack_ack_ns": handshake,
                                        "syn_finack_ns": between_spans(syn, endpoint.fin_at)})


@case("a remote server refuses", outgoing)
def remote_refuses(world):
    host, client = remote_server(world), world.client()
    for _ in range(COUNT):
        endpoint, connection = connect_to(world, client, host, 5001)
        settle(0.01)
        connection.seq = 0
        sent = connection.send(RST | ACK)
        world.expect_attempt(endpoint, "refused", "dst", close=sent)


@case("a remote server resets", outgoing)
def remote_resets(world):
    host, client = remote_server(world), world.client()
    for number in range(COUNT):
        endpoint, connection = connect_to(world, client, host, 5002)
        serve(world, connection, 0)
        endpoint.send(10 + number)
        connection.expect(ACK)
        settle(0.01)
        sent = connection.send(RST | ACK)
        endpoint.receive_error(errno.ECONNRESET)
        world.expect_record(endpoint, endpoint.local, endpoint.remote, outcome="reset", ended_by="dst",
                            start=endpoint.connect_at, first_fin=sent, close=sent, src_bytes=endpoint.sent, dst_bytes=0)


@case("simultaneous open", outgoing)
def simultaneous_open(world):
    """Both sides are in SYN_SENT. The local socket is the client; the gap `direction` marks that as inferred."""
    host, client = remote_server(world), world.client()
    for number in range(COUNT):
        endpoint, connection = connect_to(world, client, host, 5003)
        connection.host.send(connection.port, connection.remote, SYN, connection.seq)
        connection.seq += 1
        connection.expect(SYN | ACK)
        connection.send(ACK)
        endpoint.send(10 + number)
        connection.expect(ACK)
        connection.send(ACK)
        endpoint.close()
        connection.expect(FIN | ACK)
        connection.send(FIN | ACK)
        world.expect_record(endpoint, endpoint.local, endpoint.remote, outcome="closed", ended_by="src",
                            start=endpoint.connect_at, first_fin=endpoint.fin_at, src_bytes=endpoint.sent, dst_bytes=0,
                            gaps=["direction"], any_wire=True)


@case("the SYN is answered after a retransmission", outgoing)
def late_answer(world):
    """The retransmitted SYN has the same sequence number: one connection, which starts with the first SYN."""
    host, client = remote_server(world), world.client()
    opened = [connect_to(world, client, host, 5100 + number) for number in range(COUNT)]
    settle(1.2)
    for endpoint, connection in opened:
        answer_late(world, endpoint, connection)


def answer_late(world, endpoint, connection):
    synack = connection.send(SYN | ACK)
    endpoint.await_connection()
    endpoint.send(5)
    endpoint.abort()
    world.expect_record(endpoint, endpoint.local, endpoint.remote, outcome="reset", ended_by="src",
                        reason=SENT_RESET, start=endpoint.connect_at, first_fin=endpoint.rst_at,
                        close=endpoint.rst_at, src_bytes=5, dst_bytes=0,
                        wire_times={"syn_synack_ns": since(endpoint, synack)})


@case("a SYN to a closed port, from outside", incoming, incoming_ipv6)
def scanned_closed_port(world):
    host, listener = remote_client(world), world.listen(world.server())
    listener.close()
    target = (listener.address, listener.port)
    for number in range(COUNT):
        syn = host.send(21000 + number, target, SYN, 5000)
        answer = host.expect(RST | ACK)
        world.observe((host.address, 21000 + number), target, syn, "refused", "dst", close=at(answer.at),
                      first_fin=at(answer.at), conn_state=["REJ"])


@case("a half-open scan: SYN, SYN-ACK, RST", incoming, incoming_ipv6)
def half_open_scan(world):
    host, listener = remote_client(world), world.listen(world.server())
    target = (listener.address, listener.port)
    for number in range(COUNT):
        connection = RawConnection(host, 22000 + number, target, 5000)
        syn = connection.send(SYN)
        connection.expect(SYN | ACK)
        settle(0.01)
        reset = connection.send(RST)
        world.observe((host.address, connection.port), target, syn, "reset", "src", close=reset, first_fin=reset,
                      conn_state=["RSTO"])


@case("a SYN and its own RST before any answer", incoming)
def aborted_attempt(world):
    host = remote_client(world)
    target = (world.address(NOBODY), 80)
    for number in range(COUNT):
        syn = host.send(23000 + number, target, SYN, 5000)
        settle(0.005)
        reset = host.send(23000 + number, target, RST, 5001)
        world.observe((host.address, 23000 + number), target, syn, "reset", "src", close=reset, conn_state=["RSTOS0"])


@case("a SYN that nobody answers, %s" % WAIT_70, incoming)
def unanswered_syn(world):
    """Two SYNs with the same sequence number are one attempt."""
    host = remote_client(world)
    target = (world.address(NOBODY), 80)
    first = [host.send(24000 + number, target, SYN, 5000) for number in range(COUNT)]
    settle(1)
    for number, syn in enumerate(first):
        second = host.send(24000 + number, target, SYN, 5000)
        world.observe((host.address, 24000 + number), target, syn, "timeout", None, conn_state=["S0"],
                      out_from=second.before + HALF_OPEN_NS, out_by=second.after + HALF_OPEN_NS + 3_000_000_000)


@case("a SYN that a firewall rejects, %s" % WAIT_70, incoming)
def rejected_syn(world):
    """The client's socket is not of this machine: the ICMP message is all that shows the end."""
    if not shutil.which("iptables"):
        raise Skip("iptables: not found")
    host, here, port = remote_client(world), world.place.server, 26900
    done = here.namespace.run("iptables", "-w", "-A", "INPUT", "-d", here.address, "-p", "tcp", "--dport", str(port), "-j",
                              "REJECT", "--reject-with", "icmp-admin-prohibited")
    if done.returncode:
        raise Skip("iptables: %s" % done.stderr.strip())
    here.namespace.sysctl({"net.ipv4.icmp_ratelimit": 0})
    for number in range(COUNT):
        syn = host.send(26900 + number, (here.address, port), SYN, 5000)
        world.observe((host.address, 26900 + number), (here.address, port), syn, "unreachable", None,
                      reason=["ehostunreach"], close=syn, conn_state=["S0"], out_from=syn.before + HALF_OPEN_NS,
                      out_by=syn.after + HALF_OPEN_NS + 3 * SECOND_NS)


@case("a SYN-ACK that is never acknowledged, %s" % WAIT_70, incoming)
def unacknowledged_synack(world):
    """The server retransmits the SYN-ACK once before it gives up."""
    host, listener = remote_client(world), world.listen(world.server())
    target = (listener.address, listener.port)
    first = [host.send(25000 + number, target, SYN, 5000) for number in range(COUNT)]
    settle(2)
    last = now()
    for number, syn in enumerate(first):
        world.observe((host.address, 25000 + number), target, syn, "timeout", None, conn_state=["S1"],
                      out_from=syn.before + HALF_OPEN_NS, out_by=last + HALF_OPEN_NS + 3_000_000_000)


def handshake(host, listener, port):
    """Returns the raw host's side of a connection whose handshake is complete for it, and the time of the SYN."""
    connection = RawConnection(host, port, (listener.address, listener.port), 5000)
    syn = connection.send(SYN)
    connection.expect(SYN | ACK)
    connection.send(ACK)
    return connection, syn


def observe_unaccepted(world, connection, syn, outcome, ended_by, **facts):
    world.observe((connection.host.address, connection.port), connection.remote, syn, outcome, ended_by,
                  reason=NO_SOCKET, **facts)


@case("a handshake that waits for data (TCP_DEFER_ACCEPT), reset by the client", incoming, incoming_ipv6)
def deferred_and_reset(world):
    host = remote_client(world)
    listener = world.listen(world.server(), options=[(socket.IPPROTO_TCP, TCP_DEFER_ACCEPT, 30)])
    for number in range(COUNT):
        connection, syn = handshake(host, listener, 27000 + number)
        settle(0.01)
        reset = connection.send(RST | ACK)
        observe_unaccepted(world, connection, syn, "reset", "src", close=reset, first_fin=reset, conn_state=["RSTO"])


@case("a handshake that waits for data, which comes", incoming, incoming_ipv6)
def deferred_and_accepted(world):
    """The data makes the socket, and the packets are the socket's."""
    host, server = remote_client(world), world.server()
    listener = world.listen(server, options=[(socket.IPPROTO_TCP, TCP_DEFER_ACCEPT, 30)])
    opened = [handshake(host, listener, 27100 + number) for number in range(COUNT)]
    settle(1.3)
    for connection, syn in opened:
        connection.send(ACK, bytes(50))
        endpoint = server.accept(listener)
        endpoint.receive(50)
        endpoint.abort()
        world.expect_record(endpoint, endpoint.remote, endpoint.local, outcome="reset", ended_by="dst",
                            reason=SENT_RESET, start=syn, close=endpoint.rst_at, src_bytes=50, dst_bytes=0)


@contextlib.contextmanager
def overflow(world, port):
    """Completes more handshakes than the listen queue has room for. Yields those for which the kernel made no socket.

    A queue of length N holds N + 1 connections; they are accepted afterwards. It takes SYNs while it holds N.
    """
    host, server = remote_client(world), world.server()
    listener = world.listen(server, backlog=COUNT)
    kept = [handshake(host, listener, port + number) for number in range(COUNT)]
    late = [RawConnection(host, port + 50 + number, (listener.address, listener.port), 5000)
            for number in range(COUNT)]
    opened = [(connection, connection.send(SYN)) for connection in late]
    for connection, _ in opened:
        connection.expect(SYN | ACK)
    for connection, _ in opened:
        connection.send(ACK)
    yield opened[1:]
    for _, syn in kept + opened[:1]:
        endpoint = server.accept(listener)
        endpoint.abort()
        world.expect_record(endpoint, endpoint.remote, endpoint.local, outcome="reset", ended_by="dst",
                            reason=SENT_RESET, start=syn, close=endpoint.rst_at, src_bytes=0, dst_bytes=0)


def overflow_and_reset(world, port):
    with overflow(world, port) as unaccepted:
        for connection, syn in unaccepted:
            reset = connection.send(RST | ACK)
            observe_unaccepted(world, connection, syn, "reset", "src", close=reset, first_fin=reset,
                               conn_state=["RSTO"])


@case("a full listen queue, reset by the client", incoming, incoming_ipv6)
def queue_full(world):
    overflow_and_reset(world, 27200)


@case("a full listen queue, %s" % SYN_COOKIES, incoming)
def queue_full_with_cookies(world):
    """The SYN-ACK has no request, and so no cookie of a socket."""
    overflow_and_reset(world, 27300)


@case("a full listen queue, tcp_abort_on_overflow", incoming)
def queue_full_and_aborted(world):
    with overflow(world, 27400) as unaccepted:
        for connection, syn in unaccepted:
            reset = at(connection.host.expect(RST, (connection.remote[1], connection.port)).at)
            observe_unaccepted(world, connection, syn, "reset", "dst", close=reset, first_fin=reset,
                               conn_state=["RSTR"])


@case("a full listen queue, closed by the client, %s" % WAIT_70, incoming)
def queue_full_and_silent(world):
    """The last packet is the SYN-ACK that the server retransmits."""
    with overflow(world, 27500) as unaccepted:
        for connection, _ in unaccepted:
            connection.send(ACK, b"GET /")
            connection.send(FIN | ACK)
        closed = now()
        settle(2)
    for connection, syn in unaccepted:
        observe_unaccepted(world, connection, syn, "expired", "src", gaps_allowed=["bytes_mod_4g"],
                           out_from=closed + HALF_OPEN_NS, out_by=now() + HALF_OPEN_NS + 3_000_000_000)


def through(world):
    """Returns two raw hosts; the tracker's namespace forwards between them."""
    place = world.place
    return [RawHost(world.start(one.namespace, "nt-raw"), one, place.near[one], one.raw_address)
            for one in (place.client, place.server)]


def open_through(left, right, client_port, server_port):
    client = RawConnection(left, client_port, (right.address, server_port), 100)
    server = RawConnection(right, server_port, (left.address, client_port), 9000)
    syn = client.send(SYN)
    server.expect(SYN)
    server.send(SYN | ACK)
    client.expect(SYN | ACK)
    client.send(ACK)
    server.expect(ACK)
    return client, server, syn


def connect_through(left, right, number):
    """Makes a complete connection between two remote hosts; the client closes it first."""
    client, server, syn = open_through(left, right, 26000 + number, 80)
    client.send(ACK, bytes(50 + number))
    server.expect(ACK)
    server.send(ACK, bytes(70 + number))
    client.expect(ACK)
    settle(0.01)
    fin = client.send(FIN | ACK)
    server.expect(FIN | ACK)
    last = server.send(FIN | ACK)
    client.expect(FIN | ACK)
    client.send(ACK)
    server.expect(ACK)
    return client, server, syn, fin, last


def payload(client, server, syn, last):
    """In a connection long enough for 4 GiB the sequence numbers may have wrapped, so the bytes may be absent."""
    if last.after - syn.before < SURELY_LESS_THAN_4_GIB_NS:
        return {"src_bytes": client.sent, "dst_bytes": server.sent}
    return {"src_bytes": [client.sent, None], "dst_bytes": [server.sent, None], "gaps_allowed": ["bytes_mod_4g"]}


@case("%s, not shown" % FORWARDED, forwarding)
def not_shown(world):
    """Forwarded connections are filtered without --forwarded."""
    left, right = through(world)
    for number in range(COUNT):
        connect_through(left, right, number)


@case("%s, shown" % FORWARDED, forwarding)
def shown(world):
    left, right = through(world)
    for number in range(COUNT):
        client, server, syn, fin, last = connect_through(left, right, number)
        world.observe((left.address, client.port), (right.address, 80), syn, "closed", "src", first_fin=fin,
                      close=last, conn_state=["SF"], **payload(client, server, syn, last))


@case("%s, reset, written %d s later" % (FORWARDED, RESET_OUT_NS // SECOND_NS), forwarding)
def reset_through(world):
    """Each of a pair has the other's place in the kernel side's table of slots: one is in the larger table."""
    left, right = through(world)
    opened = [open_through(left, right, (28000 + number) ^ other, 80 ^ other)
              for number in range(COUNT) for other in (0, 1)]
    for client, server, syn in opened:
        reset = client.send(RST | ACK)
        server.expect(RST | ACK)
        world.observe((left.address, client.port), (right.address, server.port), syn, "reset", "src", close=reset,
                      first_fin=reset, conn_state=["RSTO"], out_by=reset.after + RESET_OUT_NS)


@case("%s between sockets of this machine" % FORWARDED, forwarding)
def forwarded_sockets(world):
    """Both sockets have records; the packets belong to them, so there is no observer's record."""
    pairs = world.pairs(COUNT)
    exchange_all(pairs)
    for client, server in pairs:
        client.close()
        server.receive_eof()
        server.close()
        world.expect(client, server, "closed", by=client)


@case("address translation", translated)
def translation(world):
    """The client's peer is the translated address, the server's own address is the real one; no observer's record."""
    if world.place.no_translation:
        raise Skip("no address translation: %s" % world.place.no_translation)
    server, client = world.server(), world.client()
    listener = server.listen(world.place.family, world.place.server.address, port=8080)
    for number in range(COUNT):
        endpoint = world.attempt(client, world.place.translated, 8080)
        require(not endpoint.errno, "connect: %d" % endpoint.errno)
        server_endpoint = server.accept(listener)
        endpoint.send(100 + number)
        server_endpoint.receive(100 + number)
        endpoint.close()
        server_endpoint.receive_eof()
        settle(0.003)
        server_endpoint.close()
        world.expect(endpoint, server_endpoint, "closed", by=endpoint)
        world.expectations[-1].update(src=server_endpoint.remote, dst=server_endpoint.local)


def arenas():
    """Runs forwarding, and settings of the tracker's namespace, with trackers of their own."""
    shown_cases = [one for one in REGISTERED if one.function in (shown, reset_through, forwarded_sockets)]
    hidden = [one for one in REGISTERED if one.function in (not_shown, translation)]
    cookies = [one for one in REGISTERED if SYN_COOKIES in one.name]
    aborting = [one for one in REGISTERED if one.function is queue_full_and_aborted]
    others = [one for one in REGISTERED if one not in shown_cases + hidden + cookies + aborting]
    return [Arena("n", hidden), Arena("f", shown_cases, ["--forwarded"]), Arena("t", others),
            Arena("c", cookies, sysctls={"net.ipv4.tcp_syncookies": 2}),
            Arena("a", aborting, sysctls={"net.ipv4.tcp_abort_on_overflow": 1})]


if __name__ == "__main__":
    sys.exit(main(arenas))
