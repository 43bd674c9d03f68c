# SPDX-License-Identifier: GPL-2.0-or-later
"""The test's side of the traffic: peers that take orders, the endpoints of connections, and the expected records.

An Endpoint has the calls that its process made on one socket, with their times. World.expect() makes the expected
records of a connection from both endpoints, never from the tracker's output.
"""
import collections
import errno
import json
import os
import socket
import time
import weakref

import peer as peer_process
from netns import enter

ANSWER_TIMEOUT = 40
IPPROTO_MPTCP = 262
NOBODY = 99  # a host that no subnet has
BOGUS_MAC = "02:00:00:00:00:99"
# Stands for any reason that the kernel gives for a RST that it sends.
SENT_RESET = "sent"
UNSPECIFIED = ("0.0.0.0", "::")
Span = collections.namedtuple("Span", "before after")


class TrafficError(Exception):
    """The traffic was not as the test intended, so it shows nothing about the tracker."""


def require(condition, text):
    if not condition:
        raise TrafficError(text)


def span_of(result):
    return Span(result["before"], result["after"])


def at(moment):
    return Span(moment, moment)


class Peer:
    """A process that takes orders. A call returns when the order is done; begin() and finish() split it."""

    def __init__(self, control, namespace, introduction, own_child):
        self.control = control
        self.namespace = namespace
        self.own_child = own_child
        self.pid, self.uid = introduction["pid"], introduction["uid"]
        self.comm, self.exe = introduction["comm"], introduction["exe"]
        control.settimeout(ANSWER_TIMEOUT)
        CONTROLS.add(control)

    def owner(self):
        return {"pid": self.pid, "comm": self.comm, "uid": self.uid, "exe": self.exe}

    def begin(self, order, **arguments):
        self.control.send(json.dumps({"order": order, "arguments": arguments}).encode())

    def finish(self):
        message = self.control.recv(peer_process.MESSAGE_SIZE)
        require(message, "peer %s (%d) died" % (self.comm, self.pid))
        return json.loads(message)

    def call(self, order, **arguments):
        self.begin(order, **arguments)
        return self.finish()

    def do(self, order, **arguments):
        """Is call() for an order that must not fail."""
        return self.finish_well(self.call(order, **arguments))

    @staticmethod
    def finish_well(result):
        require(not result.get("errno"), "%s failed: %s" % (result.get("order", "a call"), result))
        return result

    def listen(self, family, address, port=0, backlog=256, protocol=0, options=()):
        result = self.do("listen", family=family, address=address, port=port, backlog=backlog, protocol=protocol,
                         options=list(options))
        return Listener(self, result["handle"], family, address, result["port"])

    def socket(self, family, protocol=0, options=()):
        return self.do("socket", family=family, protocol=protocol, options=list(options))["handle"]

    def accept(self, listener):
        """Accepts from its own or an inherited listener."""
        return self.accepted(self.do("accept", handle=listener.handle))

    def accepted(self, result):
        """Returns the endpoint of an accept order's answer."""
        endpoint = Endpoint(self, result["handle"], "server")
        endpoint.accept_at = span_of(result)
        endpoint.local, endpoint.remote = result["local"], result["remote"]
        return endpoint

    def fork(self, name, uid=None):
        self.begin("fork", name=name, uid=uid)
        return self.child()

    def fork_exec(self, endpoint, name, executable):
        """Passes an endpoint to a child that executes another program, and closes its own copy."""
        self.begin("fork_exec", handle=endpoint.handle, name=name, executable=executable)
        child = self.child()
        self.do("close", handle=endpoint.handle)
        endpoint.move(child, 1)
        return child

    def introduced(self, introduction):
        """Takes the process's present name, user and program."""
        self.uid, self.comm, self.exe = (introduction[key] for key in ("uid", "comm", "exe"))

    def rename(self, name, uid=None):
        self.introduced(self.do("rename", name=name, uid=uid))

    def execute(self, endpoint, name, executable):
        """Runs another program in the process, which keeps the endpoint alone."""
        self.introduced(self.do("exec", handle=endpoint.handle, name=name, executable=executable))
        endpoint.handle = 1

    def child(self):
        message, fds = socket.recv_fds(self.control, peer_process.MESSAGE_SIZE, 1)[:2]
        require(fds, "no child: %s" % message)
        control = socket.socket(fileno=fds[0])
        control.settimeout(ANSWER_TIMEOUT)
        return Peer(control, self.namespace, json.loads(control.recv(peer_process.MESSAGE_SIZE)), False)

    def counter(self, group, name):
        return self.do("counter", group=group, name=name)["value"]

    def exit(self):
        """Ends the process by exit() while its sockets are open."""
        before = self.call("exit")["before"]
        return self.gone(before)

    def kill(self):
        before = peer_process.now()
        os.kill(self.pid, 9)
        return self.gone(before)

    def gone(self, before):
        if self.own_child:
            os.waitpid(self.pid, 0)
            self.own_child = False
        else:
            require(self.control.recv(1) == b"", "peer %d answers after its end" % self.pid)
        self.control.close()
        return Span(before, peer_process.now())

    def stop(self):
        self.control.close()
        if self.own_child:
            os.waitpid(self.pid, 0)
            self.own_child = False


# The control sockets of this process's peers. A new peer closes them, or the others would not notice their end.
CONTROLS = weakref.WeakSet()


def start_peer(namespace, name, uid=None, channel=None):
    """Starts a peer in a namespace."""
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        try:
            for sock in (mine, *CONTROLS):
                sock.close()
            enter(namespace.name)
            peer_process.Peer(theirs, channel).become_child(theirs, name, uid)
        finally:
            os._exit(1)
    theirs.close()
    mine.settimeout(ANSWER_TIMEOUT)
    message = mine.recv(peer_process.MESSAGE_SIZE)
    require(message, "peer %s did not start" % name)
    return Peer(mine, namespace, json.loads(message), True)


class Listener:
    def __init__(self, peer, handle, family, address, port):
        self.peer, self.handle = peer, handle
        self.family, self.address, self.port = family, address, port

    def close(self):
        return span_of(self.peer.do("close", handle=self.handle))


class Endpoint:
    """One socket of one connection."""

    def __init__(self, peer, handle, role):
        self.peer, self.handle, self.role = peer, handle, role
        self.owner_peer = peer
        self.errno = self.sent = self.received = 0
        self.local = self.remote = None
        self.connect_at = self.accept_at = self.fin_at = self.rst_at = self.closed_at = None

    def connected(self, result, address, port):
        """Takes the result of a connect order, which may be an error."""
        self.connect_at, self.errno = span_of(result), result["errno"]
        self.local, self.remote = result["local"], [peer_process.unmapped(address), port]

    def move(self, peer, handle):
        """Records that another process has the socket; it becomes the owner of a server."""
        self.peer, self.handle = peer, handle
        if self.role == "server":
            self.owner_peer = peer

    def send(self, count):
        self.peer.do("send", handle=self.handle, count=count)
        self.sent += count

    def receive(self, count):
        result = self.peer.do("receive", handle=self.handle, count=count)
        require(result["received"] == count, "received %d of %d bytes" % (result["received"], count))
        self.received += count

    def receive_eof(self):
        result = self.peer.do("receive", handle=self.handle, count=1)
        require(result["eof"], "data instead of the end of the stream")
        return span_of(result)

    def receive_error(self, code):
        result = self.peer.call("receive", handle=self.handle, count=1)
        require(result["errno"] == code,
                "%s where %s should be" % (result["errno"], errno.errorcode[code]))
        return span_of(result)

    def await_connection(self):
        """Waits until a connect() in progress has succeeded."""
        code = self.peer.do("await_connection", handle=self.handle)["code"]
        require(code == 0, "connect: %s" % errno.errorcode.get(code, code))

    def set_option(self, level, option, value):
        self.peer.do("set_option", handle=self.handle, level=level, option=option, value=value)

    def shutdown(self):
        self.fin_at = span_of(self.peer.do("shutdown", handle=self.handle))

    def close(self):
        """Closes the socket, which sends a FIN unless shutdown() or a RST came before."""
        self.closed_at = span_of(self.peer.do("close", handle=self.handle))
        if not self.fin_at:
            self.fin_at = self.closed_at

    def abort(self):
        """Closes the socket so that the kernel sends a RST."""
        self.peer.do("set_linger_zero", handle=self.handle)
        self.close_with_unread_data()

    def close_with_unread_data(self):
        self.closed_at = self.rst_at = span_of(self.peer.do("close", handle=self.handle))

    def close_quietly(self):
        """Closes the descriptor after the connection has ended."""
        self.closed_at = span_of(self.peer.do("close", handle=self.handle))

    def disconnect(self):
        self.rst_at = span_of(self.peer.do("disconnect", handle=self.handle))


def failed(failure, code):
    """Returns the time of a failure. It must have this error."""
    require(failure["errno"] == code, "%d where %s should be" % (failure["errno"], errno.errorcode[code]))
    return span_of(failure)


def await_failures(endpoints, code):
    """Waits, without reading, until all endpoints' connections fail with this error. Returns the time of each."""
    by_peer = {}
    for endpoint in endpoints:
        by_peer.setdefault(endpoint.peer, []).append(endpoint)
    for peer, own in by_peer.items():
        peer.begin("await_failures", handles=[endpoint.handle for endpoint in own])
    failures = {}
    for peer, own in by_peer.items():
        for endpoint, failure in zip(own, peer.finish_well(peer.finish())["failures"]):
            failures[endpoint] = failed(failure, code)
    return [failures[endpoint] for endpoint in endpoints]


def later(first, second):
    return max(first, second, key=lambda span: span.before)


def earlier(spans):
    return min((span for span in spans if span), key=lambda span: span.before)


class World:
    """The namespaces, addresses, peers and expected records of one case."""

    def __init__(self, name, place):
        self.name = name
        self.place = place
        self.peers = []
        self.expectations = []

    def address(self, host):
        subnet = self.place.subnet
        return subnet.ipv6(host) if self.place.family == socket.AF_INET6 else subnet.ipv4(host)

    # Peers and connections

    def start(self, namespace, name, uid=None, channel=None):
        peer = start_peer(namespace, name, uid, channel)
        self.peers.append(peer)
        return peer

    def client(self, name="nt-client", uid=None, channel=None):
        return self.start(self.place.client.namespace, name, uid, channel)

    def server(self, name="nt-server", uid=None, channel=None):
        return self.start(self.place.server.namespace, name, uid, channel)

    def channel(self):
        """Returns two connected UNIX sockets, by which two peers pass a descriptor."""
        return socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)

    def stop(self):
        for peer in self.peers:
            peer.stop()

    def listen(self, peer, **options):
        return peer.listen(self.place.family, self.place.server.address, **options)

    def connect(self, peer, listener, protocol=0, options=(), blocking=True):
        endpoint = self.attempt(peer, listener.address, listener.port, peer.socket(listener.family, protocol, options),
                                blocking)
        require(not endpoint.errno, "connect: %s" % errno.errorcode.get(endpoint.errno, endpoint.errno))
        return endpoint

    def attempt(self, peer, address, port, handle=None, blocking=True):
        """Calls connect(), which may fail with endpoint.errno."""
        if handle is None:
            handle = peer.socket(self.place.family)
        result = peer.call("connect", handle=handle, address=address, port=port, blocking=blocking)
        require("before" in result, "connect: %s" % result)
        return self.connected(peer, handle, result, address, port)

    def connected(self, peer, handle, result, address, port):
        """Returns the endpoint of a connect()."""
        endpoint = Endpoint(peer, handle, "client")
        endpoint.connected(result, address, port)
        if endpoint.local[0] in UNSPECIFIED:
            # When a connection fails, the kernel forgets the address of a socket that was not bound.
            endpoint.local[0] = self.place.client.source
        return endpoint

    def failing_attempts(self, peer, address, port, handles, code):
        """Makes attempts that all fail with the error `code`. Returns pairs of endpoint and time of its failure."""
        result = peer.do("attempt_until_failure", handles=handles, address=address, port=port)
        endpoints = []
        for handle, attempt, failure in zip(handles, result["attempts"], result["failures"]):
            endpoint = Endpoint(peer, handle, "client")
            endpoint.connected(attempt, address, port)
            endpoints.append((endpoint, failed(failure, code)))
        return endpoints

    def unaccepted(self, client_endpoint, listener):
        """Returns the server's endpoint of a connection that waits in the listener's queue."""
        endpoint = Endpoint(listener.peer, None, "server")
        endpoint.local, endpoint.remote = client_endpoint.remote, client_endpoint.local
        return endpoint

    def pair(self, client, listener, acceptor=None, **options):
        """Establishes a connection. Returns the client's and the server's endpoint."""
        client_endpoint = self.connect(client, listener, **options)
        return client_endpoint, (acceptor or listener.peer).accept(listener)

    def pairs(self, count, client=None, server=None, **options):
        server = server or self.server()
        client = client or self.client()
        listener = self.listen(server)
        return [self.pair(client, listener, **options) for _ in range(count)]

    def pairs_at(self, port, count):
        """Establishes connections to a server on a given port."""
        listener = self.listen(self.server(), port=port)
        client = self.client()
        return [self.pair(client, listener) for _ in range(count)]

    # Expected records

    def expect_record(self, endpoint, src, dst, **facts):
        expected = {"case": self.name, "role": endpoint.role, "netns": endpoint.peer.namespace.inode, "event": "close",
                    "src": list(src), "dst": list(dst), "owner": endpoint.owner_peer.owner(),
                    "seen": list(self.place.seen),
                    "owner_by": ["connect"] if endpoint.role == "client" else ["io", "close"],
                    "reason": None, "gaps": [], "gaps_allowed": []}
        expected.update(facts)
        expected["order"] = expected["start"].before if expected.get("start") else 0
        self.expectations.append(expected)
        return expected

    def expect(self, client, server, outcome, by, client_facts=None, server_facts=None, **facts):
        """Expects both sockets' records. `by` is the endpoint that ended the connection, None if neither did."""
        facts = dict(facts, outcome=outcome, start=client.connect_at,
                     ended_by=None if by is None else "src" if by is client else "dst")
        facts.setdefault("src_bytes", client.sent)
        facts.setdefault("dst_bytes", server.sent)
        for endpoint, own in ((client, client_facts), (server, server_facts)):
            merged = dict(endpoint_times(endpoint, client, server, outcome), **facts)
            if outcome == "reset" and endpoint is by:
                merged["reason"] = SENT_RESET
            merged.update(own or {})
            self.expect_record(endpoint, client.local, client.remote, **merged)

    def observe(self, src, dst, syn, outcome, ended_by, **facts):
        """Expects an observer's record, of packets in the tracker's namespace without a local socket."""
        expected = {"case": self.name, "role": "observer", "netns": self.place.tracker_namespace.inode,
                    "event": "close", "src": list(src), "dst": list(dst), "owner": None,
                    "seen": list(self.place.observed), "reason": None, "gaps": [], "gaps_allowed": [],
                    "outcome": outcome, "ended_by": ended_by, "start": syn, "order": syn.before}
        expected.update(facts)
        self.expectations.append(expected)

    def expect_attempt(self, endpoint, outcome, ended_by=None, **facts):
        """Expects a client's record of an attempt that was not established."""
        start = at(endpoint.connect_at.before)
        self.expect_record(endpoint, endpoint.local, endpoint.remote, outcome=outcome, ended_by=ended_by, start=start,
                           **dict({"src_bytes": 0, "dst_bytes": 0}, **facts))


def endpoint_times(endpoint, client, server, outcome):
    """Returns when the first FIN or RST was sent, and when this endpoint's socket changed to CLOSE, by peers' clocks.

    A socket that sent the first FIN and was closed before the last one changes to CLOSE at a time that no application
    knows, so its duration is not compared.
    """
    spans = [client.fin_at, client.rst_at, server.fin_at, server.rst_at]
    if outcome == "reset":
        reset_at = earlier([client.rst_at, server.rst_at])
        return {"first_fin": earlier(spans), "close": reset_at}
    if outcome != "closed":
        return {}
    first = earlier([client.fin_at, server.fin_at])
    last = later(client.fin_at, server.fin_at)
    closed_before = endpoint.closed_at and endpoint.closed_at.before <= last.before
    return {"first_fin": first, "close": None if endpoint.fin_at is first and closed_before else last}


def swallow(side, address):
    """Loses all later frames to this address: they go to a MAC address that no machine has."""
    side.namespace.ip("neigh replace %s lladdr %s nud permanent dev %s" % (address, BOGUS_MAC, side.interface))


def exchange(client, server, up, down):
    client.send(up)
    server.receive(up)
    server.send(down)
    client.receive(down)


def exchange_all(pairs):
    """Sends payloads that differ in size between connections and directions."""
    for number, (client, server) in enumerate(pairs):
        exchange(client, server, 100 + 37 * number, 1000 + 1409 * number)


def settle(seconds=0.05):
    """Separates two steps in time."""
    time.sleep(seconds)
