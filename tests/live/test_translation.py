#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Address translation: the packets have another tuple than the socket, and belong to its record."""
import errno
import socket
import sys

from harness import COUNT, Skip, case, main
from places import incoming, incoming_ipv6, loopback, loopback_ipv6, outgoing, outgoing_ipv6
from traffic import exchange, require, settle

PORT, OTHER_PORT = 8080, 9090


def translate(world, *rule, namespace=None):
    """Adds a rule to the table nat of a namespace, the tracker's by default."""
    command = "ip6tables" if world.place.family == socket.AF_INET6 else "iptables"
    done = (namespace or world.place.tracker_namespace).run(command, "-w", "-t", "nat", *rule)
    if done.returncode:
        raise Skip("no address translation: %s" % done.stderr.strip())


def joined(address, port):
    return "[%s]:%d" % (address, port) if ":" in address else "%s:%d" % (address, port)


def connect_translated(world, address, port, expect, by_server=False, abort=False):
    """Connects to an address that stands for the server's. expect(client, server): the facts of both records."""
    server, client = world.server(), world.client()
    listener = server.listen(world.place.family, world.place.server.address, port=PORT)
    for number in range(COUNT):
        one = world.attempt(client, address, port)
        require(not one.errno, "connect: %d" % one.errno)
        other = server.accept(listener)
        exchange(one, other, 100 + number, 200 + number)
        first, second = (other, one) if by_server else (one, other)
        if abort:
            first.abort()
            second.receive_error(errno.ECONNRESET)
            second.close_quietly()
        else:
            first.close()
            second.receive_eof()
            settle(0.003)
            second.close()
        client_facts, server_facts = expect(one, other)
        world.expect(one, other, "reset" if abort else "closed", by=first, client_facts=client_facts,
                     server_facts=server_facts)
        world.expectations[-1].update(src=list(other.remote), dst=list(other.local))


def packets_reach(place):
    """Returns the facts of a translation of the destination on the client's side: the packets go to the server."""
    def facts(client, server):
        return {"wire_dst": (place.server.address, PORT)}, None
    return facts


@case("a client behind an OUTPUT DNAT", outgoing, outgoing_ipv6)
def output_dnat(world):
    place = world.place
    address = world.address(88)
    place.client.namespace.ip("neigh replace %s lladdr 02:00:00:00:00:88 dev %s" % (address, place.client.interface))
    translate(world, "-A", "OUTPUT", "-d", address, "-p", "tcp", "--dport", "80", "-j", "DNAT", "--to-destination",
              joined(place.server.address, PORT))
    connect_translated(world, address, 80, packets_reach(place))


@case("a client behind an OUTPUT DNAT, reset by the server", outgoing)
def output_dnat_reset(world):
    place = world.place
    address = world.address(88)
    translate(world, "-A", "OUTPUT", "-d", address, "-p", "tcp", "--dport", "81", "-j", "DNAT", "--to-destination",
              joined(place.server.address, PORT))
    connect_translated(world, address, 81, packets_reach(place), by_server=True, abort=True)


@case("a client behind a masquerade", outgoing, outgoing_ipv6)
def source_nat(world):
    place = world.place
    address = world.address(89)
    place.client.namespace.ip("addr add %s/%s preferred_lft 0" %
                              (address, "64 dev %s nodad" % place.client.interface if ":" in address else
                               "24 dev %s" % place.client.interface))
    translate(world, "-A", "POSTROUTING", "-d", place.server.address, "-p", "tcp", "-j", "SNAT", "--to-source", address)

    def facts(client, server):
        return {"wire_src": (address, client.local[1])}, None
    connect_translated(world, place.server.address, PORT, facts)


@case("a server behind a PREROUTING REDIRECT", incoming, incoming_ipv6)
def redirected_server(world):
    place = world.place
    translate(world, "-A", "PREROUTING", "-d", place.server.address, "-p", "tcp", "--dport", "80", "-j", "REDIRECT",
              "--to-ports", str(PORT))

    def facts(client, server):
        return None, {"wire_dst": (place.server.address, 80)}
    connect_translated(world, place.server.address, 80, facts)


@case("REDIRECT on the loopback", loopback, loopback_ipv6)
def redirected_loopback(world):
    """Both sockets are here; the way there and the way back have different tuples on the interface."""
    place = world.place
    translate(world, "-A", "OUTPUT", "-d", place.server.address, "-p", "tcp", "--dport", "80", "-j", "DNAT",
              "--to-destination", joined(place.server.address, PORT))
    connect_translated(world, place.server.address, 80, packets_reach(place))


@case("REDIRECT on the loopback, reset by the server", loopback)
def redirected_loopback_reset(world):
    place = world.place
    translate(world, "-A", "OUTPUT", "-d", place.server.address, "-p", "tcp", "--dport", "80", "-j", "DNAT",
              "--to-destination", joined(place.server.address, PORT))
    connect_translated(world, place.server.address, 80, packets_reach(place), by_server=True, abort=True)


@case("SNAT on the loopback", loopback)
def source_nat_loopback(world):
    place = world.place
    address = "127.0.0.%d" % place.subnet.number
    translate(world, "-A", "POSTROUTING", "-o", "lo", "-d", place.server.address, "-p", "tcp", "-j", "SNAT",
              "--to-source", address)

    def facts(client, server):
        return {"wire_src": (address, client.local[1])}, None
    connect_translated(world, place.server.address, PORT, facts)


@case("a server behind a REDIRECT in another namespace", outgoing, outgoing_ipv6)
def redirected_elsewhere(world):
    """As in a pod with a proxy: only the packets outside that namespace are seen."""
    place = world.place
    translate(world, "-A", "PREROUTING", "-p", "tcp", "--dport", "80", "-j", "REDIRECT", "--to-ports", str(PORT),
              namespace=place.server.namespace)

    def facts(client, server):
        return None, {"wire_dst": (place.server.address, 80)}
    connect_translated(world, place.server.address, 80, facts)


if __name__ == "__main__":
    sys.exit(main())
