# SPDX-License-Identifier: GPL-2.0-or-later
"""Places for cases: namespaces, links and addresses around the tracker's namespace."""
import socket

from netns import add_addresses, link

BEYOND_IPV4, BEYOND_IPV6 = "198.19.%d.1", "fd01:0:0:%x::1"
SOCKET = ("socket",)
WIRE_AND_SOCKET = ("wire", "socket")
PACKETS_AND_SOCKET = ("wire", "packets", "socket")


class Side:
    def __init__(self, namespace, address, interface, source=None):
        self.namespace, self.address, self.interface = namespace, address, interface
        self.source = source or address


class Place:
    """A client's side and a server's side. `wire`: packets between them cross the tracker's namespace."""

    def __init__(self, tracker_namespace, subnet, client, server, wire=True, family=socket.AF_INET):
        self.tracker_namespace, self.subnet = tracker_namespace, subnet
        self.client, self.server, self.wire, self.family = client, server, wire, family
        self.seen = WIRE_AND_SOCKET if wire else SOCKET
        self.observed = ("wire",)


def sides(net, here, suffix, sysctls):
    """Links the tracker's namespace with a new one. Returns subnet, (namespace, interface, host) of both sides."""
    subnet = net.subnet()
    there = net.namespace(suffix, sysctls)
    near, far = "nt%d" % subnet.number, "eth0"
    link(here, near, there, far)
    add_addresses(here, near, subnet, 1)
    add_addresses(there, far, subnet, 2)
    return subnet, (here, near, 1), (there, far, 2)


def side(subnet, end_of_link, family):
    namespace, interface, host = end_of_link
    address = subnet.ipv6(host) if family == socket.AF_INET6 else subnet.ipv4(host)
    return Side(namespace, address, interface)


def outgoing(net, here, suffix, family=socket.AF_INET, **sysctls):
    subnet, near, far = sides(net, here, suffix, sysctls)
    return Place(here, subnet, side(subnet, near, family), side(subnet, far, family), family=family)


def incoming(net, here, suffix, family=socket.AF_INET, **sysctls):
    subnet, near, far = sides(net, here, suffix, sysctls)
    return Place(here, subnet, side(subnet, far, family), side(subnet, near, family), family=family)


def outgoing_ipv6(net, here, suffix, **sysctls):
    return outgoing(net, here, suffix, socket.AF_INET6, **sysctls)


def incoming_ipv6(net, here, suffix, **sysctls):
    return incoming(net, here, suffix, socket.AF_INET6, **sysctls)


def loopback(net, here, suffix, **_):
    """Both sides are in the tracker's namespace, on a loopback address that no other case has."""
    subnet = net.subnet()
    own = Side(here, subnet.loopback(), "lo", source="127.0.0.1")
    return Place(here, subnet, own, own)


def loopback_ipv6(net, here, suffix, **_):
    subnet = net.subnet()
    here.ip("addr add %s/128 dev lo nodad" % subnet.ipv6(1))
    own = Side(here, subnet.ipv6(1), "lo")
    return Place(here, subnet, own, own, family=socket.AF_INET6)


def elsewhere(net, here, suffix, **sysctls):
    """Both sides are in other namespaces: the tracker follows the sockets, but no packets."""
    first = net.namespace(suffix + "a", sysctls)
    subnet, near, far = sides(net, first, suffix + "b", sysctls)
    return Place(here, subnet, side(subnet, near, socket.AF_INET), side(subnet, far, socket.AF_INET), wire=False)


def bridged(net, here, suffix, **sysctls):
    """Both sides are namespaces like containers', on a bridge in the tracker's."""
    subnet = net.subnet()
    bridge = "br%d" % subnet.number
    here.ip("link add %s type bridge" % bridge, "link set %s up" % bridge)
    both = []
    for host in (2, 3):
        there = net.namespace("%s%d" % (suffix, host), sysctls)
        port = "nt%dp%d" % (subnet.number, host)
        link(here, port, there, "eth0")
        here.ip("link set %s master %s" % (port, bridge))
        add_addresses(there, "eth0", subnet, host)
        both.append(side(subnet, (there, "eth0", host), socket.AF_INET))
    return Place(here, subnet, both[0], both[1])


def unlinked(net, here, suffix, **sysctls):
    """Is like outgoing, but the link does not exist before place.join()."""
    subnet, there = net.subnet(), net.namespace(suffix, sysctls)
    near, far = (here, "nt%d" % subnet.number, 1), (there, "eth0", 2)
    place = Place(here, subnet, side(subnet, near, socket.AF_INET), side(subnet, far, socket.AF_INET))

    def join():
        link(here, near[1], there, far[1])
        add_addresses(here, near[1], subnet, 1)
        add_addresses(there, far[1], subnet, 2)
    place.join = join
    return place


def routed(net, here, suffix, family=socket.AF_INET, **sysctls):
    """The client's traffic goes through a router; place.beyond is an address behind it that no link has."""
    place = outgoing(net, here, suffix, family, **sysctls)
    place.router = place.server.namespace
    place.router.sysctl({"net.ipv4.ip_forward": 1, "net.ipv4.icmp_ratelimit": 0, "net.ipv6.conf.all.forwarding": 1,
                         "net.ipv6.icmp.ratelimit": 0})
    beyond = BEYOND_IPV6 if family == socket.AF_INET6 else BEYOND_IPV4
    place.beyond = beyond % place.subnet.number
    here.ip("route add %s via %s" % (place.beyond, place.server.address))
    return place


def routed_ipv6(net, here, suffix, **sysctls):
    return routed(net, here, suffix, socket.AF_INET6, **sysctls)
