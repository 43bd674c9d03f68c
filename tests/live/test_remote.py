#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The other side is no socket of this machine: handshake times, observers, half-open scans, forwarded traffic."""
import errno
import socket
import sys

from harness import COUNT, REGISTERED, Arena, Skip, case, main
from peer import now
from places import Place, incoming, incoming_ipv6, outgoing, outgoing_ipv6, side, sides
from rawhost import RawConnection, RawHost
from sniffer import ACK, FIN, RST, SYN
from traffic import NOBODY, SENT_RESET, at, exchange_all, require, settle

RAW_HOST = 77
SURELY_LESS_THAN_4_GIB_NS = 50_000_000
HALF_OPEN_NS = 70_000_000_000
WAIT_70 = "written 70 s later"
FORWARDED = "passing through"


def forwarding(net, here, suffix, **_):
    """The tracker's namespace is a router between the client's and the server's."""
    place = between(net, here, suffix)
    for end in (place.client, place.server):
        gateway = place.near[end].address
        end.namespace.ip("route add default via %s" % gateway)
    here.sysctl({"net.ipv4.ip_forward": 1})
    return place


def between(net, here, suffix):
    """A client and a server on two links of the tracker's namespace; place.near has that namespace's ends."""
    ends, near = [], {}
    for letter in "ab":
        subnet, own, other = sides(net, here, suffix + letter, None)
        ends.append(side(subnet, other, socket.AF_INET))
        ends[-1].raw_address = subnet.ipv4(RAW_HOST)
        ends[-1].subnet = subnet
        near[ends[-1]] = side(subnet, own, socket.AF_INET)
    place = Place(here, ends[0].subnet, ends[0], ends[1])
    place.near = near
    return place


def translated(net, here, suffix, **_):
    """The router's own address stands for the server's (DNAT)."""
    place = forwarding(net, here, suffix)
    place.translated = place.near[place.client].address
    done = here.run("iptables", "-t", "nat", "-A", "PREROUTING", "-d", place.translated, "-p", "tcp", "-j", "DNAT",
                    "--to-destination", place.server.address)
    place.no_translation = done.stderr.strip() if done.returncode else None
    return place


def remote_client(world):
    """A raw host at the client's side of the link, beyond the namespace of the server."""
    place = world.place
    return RawHost(world.client("nt-raw"), place.client, place.server, world.address(RAW_HOST), place.family)


def remote_server(world):
    place = world.place
    return RawHost(world.server("nt-raw"), place.server, place.client, world.address(RAW_HOST), place.family)


def connect_to(world, client, host, port):
    """A socket's connect() to a raw host, the SYN received."""
    end = world.attempt(client, host.address, port, blocking=False)
    connection = RawConnection(host, port, (end.local[0], end.local[1]), 1000)
    connection.syn = connection.expect(SYN)
    return end, connection


def serve(world, connection, delay):
    """SYN-ACK after a delay, and the handshake's ACK."""
    settle(delay)
    synack = connection.send(SYN | ACK)
    connection.expect(ACK)
    return synack


@case("a remote server: handshake and FIN-ACK times", outgoing, outgoing_ipv6)
def remote_server_times(world):
    """The SYN-ACK comes 30 ms late, the server's FIN+ACK another 40 ms after the client's."""
    host, client = remote_server(world), world.client()
    for number in range(COUNT):
        end, connection = connect_to(world, client, host, 5000)
        synack = serve(world, connection, 0.03)
        end.send(100 + number)
        connection.expect(ACK)
        connection.send(ACK, bytes(40 + number))
        end.receive(40 + number)
        end.close()
        connection.expect(FIN | ACK)
        settle(0.04)
        connection.send(ACK)
        fin = connection.send(FIN | ACK)
        world.view(end, end.local, end.remote, outcome="closed", ended_by="src", start=end.connect_at,
                   first_fin=end.fin_at, src_bytes=end.sent, dst_bytes=connection.sent,
                   wire_times={"syn_synack_ns": since(end, synack), "handshake_ns": since(end, synack),
                               "syn_finack_ns": since(end, fin)})


def since(end, span):
    return between_spans(end.connect_at, span)


def between_spans(first, second):
    return [second.before - first.after, second.after - first.before]


@case("a remote client: handshake times", incoming, incoming_ipv6)
def remote_client_times(world):
    """The handshake's ACK comes 30 ms late; a server's record begins with the SYN."""
    host, server = remote_client(world), world.server()
    listener = world.listen(server)
    for number in range(COUNT):
        connection = RawConnection(host, 20000 + number, (listener.address, listener.port), 7000)
        syn = connection.send(SYN)
        connection.expect(SYN | ACK)
        settle(0.03)
        acked = connection.send(ACK)
        end = server.accept(listener)
        connection.send(ACK, bytes(60 + number))
        end.receive(60 + number)
        end.send(300 + number)
        connection.expect(ACK)
        connection.send(FIN | ACK)
        end.receive_eof()
        end.close()
        connection.expect(FIN | ACK)
        last = connection.send(ACK)
        world.view(end, end.remote, end.local, outcome="closed", ended_by="src", start=syn, close=last,
                   src_bytes=connection.sent, dst_bytes=end.sent,
                   wire_times={"handshake_ns": between_spans(syn, acked), "synack_ack_ns": between_spans(syn, acked),
                               "syn_finack_ns": between_spans(syn, end.fin_at)})


@case("a remote server refuses", outgoing)
def remote_refuses(world):
    host, client = remote_server(world), world.client()
    for _ in range(COUNT):
        end, connection = connect_to(world, client, host, 5001)
        settle(0.01)
        connection.seq = 0
        sent = connection.send(RST | ACK)
        world.expect_attempt(end, "refused", "dst", close=sent)


@case("a remote server resets", outgoing)
def remote_resets(world):
    host, client = remote_server(world), world.client()
    for number in range(COUNT):
        end, connection = connect_to(world, client, host, 5002)
        serve(world, connection, 0)
        end.send(10 + number)
        connection.expect(ACK)
        settle(0.01)
        sent = connection.send(RST | ACK)
        end.receive_error(errno.ECONNRESET)
        world.view(end, end.local, end.remote, outcome="reset", ended_by="dst", start=end.connect_at, first_fin=sent,
                   close=sent, src_bytes=end.sent, dst_bytes=0)


@case("simultaneous open", outgoing)
def simultaneous_open(world):
    """Both sides in SYN_SENT: a client whose own address is src, who opened it being inferred."""
    host, client = remote_server(world), world.client()
    for number in range(COUNT):
        end, connection = connect_to(world, client, host, 5003)
        connection.host.send(connection.port, connection.remote, SYN, connection.seq)
        connection.seq += 1
        connection.expect(SYN | ACK)
        connection.send(ACK)
        end.send(10 + number)
        connection.expect(ACK)
        connection.send(ACK)
        end.close()
        connection.expect(FIN | ACK)
        connection.send(FIN | ACK)
        world.view(end, end.local, end.remote, outcome="closed", ended_by="src", start=end.connect_at,
                   first_fin=end.fin_at, src_bytes=end.sent, dst_bytes=0, gaps=["direction"], any_wire=True)


@case("the SYN is answered after a retransmission", outgoing)
def late_answer(world):
    """The later SYN has the same number: one connection, timed from the first."""
    host, client = remote_server(world), world.client()
    opened = [connect_to(world, client, host, 5100 + number) for number in range(COUNT)]
    settle(1.2)
    for end, connection in opened:
        answer_late(world, end, connection)


def answer_late(world, end, connection):
    synack = connection.send(SYN | ACK)
    end.await_connection()
    end.send(5)
    end.abort()
    world.view(end, end.local, end.remote, outcome="reset", ended_by="src", reason=SENT_RESET, start=end.connect_at,
               first_fin=end.rst_at, close=end.rst_at, src_bytes=5, dst_bytes=0,
               wire_times={"syn_synack_ns": since(end, synack)})


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
    """Twice, with the same sequence number: one attempt."""
    host = remote_client(world)
    target = (world.address(NOBODY), 80)
    first = [host.send(24000 + number, target, SYN, 5000) for number in range(COUNT)]
    settle(1)
    for number, syn in enumerate(first):
        again = host.send(24000 + number, target, SYN, 5000)
        world.observe((host.address, 24000 + number), target, syn, "timeout", None, conn_state=["S0"],
                 out_from=again.before + HALF_OPEN_NS, out_by=again.after + HALF_OPEN_NS + 3_000_000_000)


@case("a SYN-ACK that is never acknowledged, %s" % WAIT_70, incoming)
def unacknowledged_synack(world):
    """The server retransmits it once before it forgets."""
    host, listener = remote_client(world), world.listen(world.server())
    target = (listener.address, listener.port)
    first = [host.send(25000 + number, target, SYN, 5000) for number in range(COUNT)]
    settle(2)
    last = now()
    for number, syn in enumerate(first):
        world.observe((host.address, 25000 + number), target, syn, "timeout", None, conn_state=["S1"],
                 out_from=syn.before + HALF_OPEN_NS, out_by=last + HALF_OPEN_NS + 3_000_000_000)


def through(world):
    """Two raw hosts, one on each side of the tracker's namespace, which forwards between them."""
    place = world.place
    return [RawHost(world.start(end.namespace, "nt-raw"), end, place.near[end], end.raw_address)
            for end in (place.client, place.server)]


def pass_through(left, right, number):
    """A whole connection between two remote machines, closed by its client."""
    client = RawConnection(left, 26000 + number, (right.address, 80), 100)
    server = RawConnection(right, 80, (left.address, 26000 + number), 9000)
    syn = client.send(SYN)
    server.expect(SYN)
    server.send(SYN | ACK)
    client.expect(SYN | ACK)
    client.send(ACK)
    server.expect(ACK)
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
    """Sequence numbers cannot tell how often they went round in a connection that is long enough for 4 GiB."""
    if last.after - syn.before < SURELY_LESS_THAN_4_GIB_NS:
        return {"src_bytes": client.sent, "dst_bytes": server.sent}
    return {"src_bytes": [client.sent, None], "dst_bytes": [server.sent, None], "gaps_allowed": ["bytes_mod_4g"]}


@case("%s, not shown" % FORWARDED, forwarding)
def not_shown(world):
    """Counted, not written."""
    left, right = through(world)
    for number in range(COUNT):
        pass_through(left, right, number)


@case("%s, shown" % FORWARDED, forwarding)
def shown(world):
    left, right = through(world)
    for number in range(COUNT):
        client, server, syn, fin, last = pass_through(left, right, number)
        world.observe((left.address, client.port), (right.address, 80), syn, "closed", "src", first_fin=fin,
                      close=last, conn_state=["SF"], **payload(client, server, syn, last))


@case("%s between sockets of this machine" % FORWARDED, forwarding)
def forwarded_sockets(world):
    """Two sockets' records and no observer's: the packets are the sockets'."""
    pairs = world.pairs(COUNT)
    exchange_all(pairs)
    for client, server in pairs:
        client.close()
        server.receive_eof()
        server.close()
        world.expect(client, server, "closed", by=client)


@case("address translation", translated)
def translation(world):
    """The client's socket has the translated address as its peer, the server's the real one; no observer."""
    if world.place.no_translation:
        raise Skip("no address translation: %s" % world.place.no_translation)
    server, client = world.server(), world.client()
    listener = server.listen(world.place.family, world.place.server.address, port=8080)
    for number in range(COUNT):
        end = world.attempt(client, world.place.translated, 8080)
        require(not end.errno, "connect: %d" % end.errno)
        server_end = server.accept(listener)
        end.send(100 + number)
        server_end.receive(100 + number)
        end.close()
        server_end.receive_eof()
        settle(0.003)
        server_end.close()
        world.expect(end, server_end, "closed", by=end)
        world.views[-1].update(src=server_end.remote, dst=server_end.local)


def arenas():
    """A router's namespace is not one that drops what is not its own, so forwarding has runs of its own."""
    shown_cases = [one for one in REGISTERED if one.function in (shown, forwarded_sockets)]
    hidden = [one for one in REGISTERED if one.function in (not_shown, translation)]
    others = [one for one in REGISTERED if one not in shown_cases + hidden]
    return [Arena("n", hidden), Arena("f", shown_cases, ["--forwarded"]), Arena("t", others)]


if __name__ == "__main__":
    sys.exit(main(arenas))
