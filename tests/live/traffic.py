# SPDX-License-Identifier: GPL-2.0-or-later
"""The test's side of the traffic: peers to order about, the ends of connections, and the truth they leave behind.

An End knows what its process did to one socket and when. A view is what one record must say: made from both ends'
logs by World.expect(), never from anything the tracker said.
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
# Stands for whatever reason the kernel gives for a RST that it sends.
SENT_RESET = "sent"
UNSPECIFIED = ("0.0.0.0", "::")
Span = collections.namedtuple("Span", "before after")


class TrafficError(Exception):
    """The traffic did not go as the test meant it to: nothing can be said about the tracker."""


def require(condition, text):
    if not condition:
        raise TrafficError(text)


def span_of(result):
    return Span(result["before"], result["after"])


def at(moment):
    return Span(moment, moment)


class Peer:
    """A process that takes orders. Its socket calls return when they are done; begin() and finish() split one."""

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
        """call() of what must not fail."""
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
        """Accepts from a listener of its own or one it inherited."""
        return self.accepted(self.do("accept", handle=listener.handle))

    def accepted(self, result):
        """The end that an accept order answered with."""
        end = End(self, result["handle"], "server")
        end.accept_at = span_of(result)
        end.local, end.remote = result["local"], result["remote"]
        return end

    def fork(self, name, uid=None):
        self.begin("fork", name=name, uid=uid)
        return self.child()

    def fork_exec(self, end, name, executable):
        """Hands an end to a child that becomes another program, and drops the own copy."""
        self.begin("fork_exec", handle=end.handle, name=name, executable=executable)
        child = self.child()
        self.do("close", handle=end.handle)
        end.move(child, 1)
        return child

    def child(self):
        message, fds = socket.recv_fds(self.control, peer_process.MESSAGE_SIZE, 1)[:2]
        require(fds, "no child: %s" % message)
        control = socket.socket(fileno=fds[0])
        control.settimeout(ANSWER_TIMEOUT)
        return Peer(control, self.namespace, json.loads(control.recv(peer_process.MESSAGE_SIZE)), False)

    def counter(self, group, name):
        return self.do("counter", group=group, name=name)["value"]

    def exit(self):
        """Ends the process in order, its sockets still open."""
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


# The control sockets of this process's peers: a new peer must not keep them open, or the others never see an end.
CONTROLS = weakref.WeakSet()


def start_peer(namespace, name, uid=None, channel=None):
    """A new process in a namespace."""
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


class End:
    """One socket's part in one connection."""

    def __init__(self, peer, handle, role):
        self.peer, self.handle, self.role = peer, handle, role
        self.owner_peer = peer
        self.errno = self.sent = self.received = 0
        self.local = self.remote = None
        self.connect_at = self.accept_at = self.fin_at = self.rst_at = self.closed_at = None

    def connected(self, result, address, port):
        """Takes over what a connect order answered, good or bad."""
        self.connect_at, self.errno = span_of(result), result["errno"]
        self.local, self.remote = result["local"], [peer_process.unmapped(address), port]

    def move(self, peer, handle):
        """From now on this end lives in another process, which so becomes a server's owner."""
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
        require(result["eof"], "data where the end of the stream should be")
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
        """An orderly close: the FIN, unless shutdown() or a RST came before it."""
        self.closed_at = span_of(self.peer.do("close", handle=self.handle))
        if not self.fin_at:
            self.fin_at = self.closed_at

    def abort(self):
        """close() that sends a RST."""
        self.peer.do("set_linger_zero", handle=self.handle)
        self.close_with_unread_data()

    def close_with_unread_data(self):
        self.closed_at = self.rst_at = span_of(self.peer.do("close", handle=self.handle))

    def close_quietly(self):
        """Gives the descriptor back after the connection has ended."""
        self.closed_at = span_of(self.peer.do("close", handle=self.handle))

    def disconnect(self):
        self.rst_at = span_of(self.peer.do("disconnect", handle=self.handle))


def await_failures(ends, code):
    """Waits for the connections of several ends to fail with this error, reading nothing: when each did."""
    by_peer = {}
    for end in ends:
        by_peer.setdefault(end.peer, []).append(end)
    for peer, own in by_peer.items():
        peer.begin("await_failures", handles=[end.handle for end in own])
    failures = {}
    for peer, own in by_peer.items():
        for end, (moment, found) in zip(own, peer.finish_well(peer.finish())["failures"]):
            require(found == code, "%d where %s should be" % (found, errno.errorcode[code]))
            failures[end] = at(moment)
    return [failures[end] for end in ends]


def later(first, second):
    return max(first, second, key=lambda span: span.before)


def earlier(spans):
    return min((span for span in spans if span), key=lambda span: span.before)


class World:
    """What one case has: two namespaces, addresses of its own, peers, and the views it expects."""

    def __init__(self, name, place):
        self.name = name
        self.place = place
        self.peers = []
        self.views = []

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
        """Two connected UNIX sockets for two peers to pass a descriptor through."""
        return socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)

    def stop(self):
        for peer in self.peers:
            peer.stop()

    def listen(self, peer, **options):
        return peer.listen(self.place.family, self.place.server.address, **options)

    def connect(self, peer, listener, protocol=0, options=(), blocking=True):
        end = self.attempt(peer, listener.address, listener.port, peer.socket(listener.family, protocol, options),
                           blocking)
        require(not end.errno, "connect: %s" % errno.errorcode.get(end.errno, end.errno))
        return end

    def attempt(self, peer, address, port, handle=None, blocking=True):
        """A connect() that may fail; end.errno says how."""
        if handle is None:
            handle = peer.socket(self.place.family)
        end = End(peer, handle, "client")
        result = peer.call("connect", handle=handle, address=address, port=port, blocking=blocking)
        require("before" in result, "connect: %s" % result)
        end.connected(result, address, port)
        if end.local[0] in UNSPECIFIED:
            # The kernel forgets the address of a socket that it did not bind once its connection has failed.
            end.local[0] = self.place.client.source
        return end

    def failing_attempts(self, peer, address, port, handles, code):
        """Attempts that all end in an error of the kernel's finding: pairs of an end and when that was."""
        result = peer.do("attempt_until_failure", handles=handles, address=address, port=port)
        ends = []
        for handle, attempt, (moment, found) in zip(handles, result["attempts"], result["failures"]):
            require(found == code, "%d where %s should be" % (found, errno.errorcode[code]))
            end = End(peer, handle, "client")
            end.connected(attempt, address, port)
            ends.append((end, at(moment)))
        return ends

    def unaccepted(self, client_end, listener):
        """The server's end of a connection that waits in the listener's queue."""
        end = End(listener.peer, None, "server")
        end.local, end.remote = client_end.remote, client_end.local
        return end

    def pair(self, client, listener, acceptor=None, **options):
        """One established connection: its client's end and its server's."""
        client_end = self.connect(client, listener, **options)
        return client_end, (acceptor or listener.peer).accept(listener)

    def pairs(self, count, client=None, server=None, **options):
        server = server or self.server()
        client = client or self.client()
        listener = self.listen(server)
        return [self.pair(client, listener, **options) for _ in range(count)]

    def pairs_at(self, port, count):
        """Established connections to a server on a given port."""
        listener = self.listen(self.server(), port=port)
        client = self.client()
        return [self.pair(client, listener) for _ in range(count)]

    # Truth

    def view(self, end, src, dst, **facts):
        view = {"case": self.name, "role": end.role, "netns": end.peer.namespace.inode, "event": "close",
                "src": list(src), "dst": list(dst), "owner": end.owner_peer.owner(), "seen": list(self.place.seen),
                "owner_by": ["connect"] if end.role == "client" else ["io", "close"],
                "reason": None, "gaps": [], "gaps_allowed": []}
        view.update(facts)
        view["order"] = view["start"].before if view.get("start") else 0
        self.views.append(view)
        return view

    def expect(self, client, server, outcome, by, client_facts=None, server_facts=None, **facts):
        """Both sockets' views of one connection. `by` is the end that ended it, None where nobody did."""
        facts = dict(facts, outcome=outcome, start=client.connect_at,
                     ended_by=None if by is None else "src" if by is client else "dst")
        facts.setdefault("src_bytes", client.sent)
        facts.setdefault("dst_bytes", server.sent)
        for end, own in ((client, client_facts), (server, server_facts)):
            merged = dict(end_times(end, client, server, outcome), **facts)
            if outcome == "reset" and end is by:
                merged["reason"] = SENT_RESET
            merged.update(own or {})
            self.view(end, client.local, client.remote, **merged)

    def observe(self, src, dst, syn, outcome, ended_by, **facts):
        """The view of packets that no socket of this machine answers for, as the tracker's namespace sees them."""
        view = {"case": self.name, "role": "observer", "netns": self.place.tracker_namespace.inode, "event": "close",
                "src": list(src), "dst": list(dst), "owner": None, "seen": list(self.place.observed), "reason": None,
                "gaps": [], "gaps_allowed": [], "outcome": outcome, "ended_by": ended_by, "start": syn,
                "order": syn.before}
        view.update(facts)
        self.views.append(view)

    def expect_attempt(self, end, outcome, ended_by=None, **facts):
        """A client's view of a connection that never was."""
        self.view(end, end.local, end.remote, outcome=outcome, ended_by=ended_by, start=at(end.connect_at.before),
                  **dict({"src_bytes": 0, "dst_bytes": 0}, **facts))


def end_times(end, client, server, outcome):
    """When the first FIN or RST was sent, and when this end's socket changed to CLOSE, by the applications' clocks.

    The end that sent the first FIN and let go of its socket is at CLOSE when the other side acknowledges: no
    application knows when, so its duration is not compared.
    """
    spans = [client.fin_at, client.rst_at, server.fin_at, server.rst_at]
    if outcome == "reset":
        reset_at = earlier([client.rst_at, server.rst_at])
        return {"first_fin": earlier(spans), "close": reset_at}
    if outcome != "closed":
        return {}
    first = earlier([client.fin_at, server.fin_at])
    last = later(client.fin_at, server.fin_at)
    ended_first_and_let_go = end.fin_at is first and end.closed_at and end.closed_at.before <= last.before
    return {"first_fin": first, "close": None if ended_first_and_let_go else last}


def swallow(side, address):
    """From now on frames to this address go to a machine that does not exist."""
    side.namespace.ip("neigh replace %s lladdr %s nud permanent dev %s" % (address, BOGUS_MAC, side.interface))


def exchange(client, server, up, down):
    client.send(up)
    server.receive(up)
    server.send(down)
    client.receive(down)


def exchange_all(pairs):
    """Payloads of a different size on every connection and in each direction."""
    for number, (client, server) in enumerate(pairs):
        exchange(client, server, 100 + 37 * number, 1000 + 1409 * number)


def settle(seconds=0.05):
    """Time between two steps, so that their moments can be told apart."""
    time.sleep(seconds)
