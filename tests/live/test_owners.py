#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Owners of connections: workers, children, threads, passed descriptors, and connections that nobody accepts."""
import errno
import os
import shutil
import socket
import sys
import tempfile

from harness import COUNT, Skip, case, main
from peer import now
from places import elsewhere, incoming, loopback, outgoing
from traffic import Endpoint, exchange, exchange_all, require, settle

USER = 12345
OTHER_USER = 23456
LISTENER_ONLY = {"owner_by": ["listen"], "gaps": ["owner"]}
SECOND_NS = 1_000_000_000
IP_TRANSPARENT = 19


def workers(server, count):
    """Forks children that share their parent's listeners, as a pre-forked server does."""
    return [server.fork("nt-worker%d" % number, USER + number) for number in range(count)]


def close_both(world, pairs):
    """Closes every connection, the client first."""
    for client, server in pairs:
        client.close()
        server.receive_eof()
        server.close()
        world.expect(client, server, "closed", by=client)


def preforked_pairs(world):
    server = world.server("nt-master")
    listener = world.listen(server)
    pool = workers(server, 4)
    client = world.client(uid=OTHER_USER)
    pairs = [world.pair(client, listener, pool[number % len(pool)]) for number in range(COUNT)]
    return pool, pairs


@case("pre-forked workers", outgoing, incoming, elsewhere, loopback)
def preforked(world):
    pool, pairs = preforked_pairs(world)
    exchange_all(pairs)
    settle()
    close_both(world, pairs)
    for worker in pool:
        worker.stop()


@case("pre-forked workers all waiting in accept()")
def preforked_waiting(world):
    server = world.server("nt-master")
    listener = world.listen(server)
    pool = workers(server, COUNT)
    client = world.client()
    for worker in pool:
        worker.begin("accept", handle=listener.handle)
    settle()
    clients = [world.connect(client, listener) for _ in range(COUNT)]
    by_port = {endpoint.local[1]: endpoint for endpoint in clients}
    pairs = []
    for worker in pool:
        accepted = worker.accepted(worker.finish_well(worker.finish()))
        pairs.append((by_port[accepted.remote[1]], accepted))
    exchange_all(pairs)
    close_both(world, pairs)
    for worker in pool:
        worker.stop()


@case("pre-forked workers whose clients reset", outgoing, incoming, elsewhere)
def preforked_reset(world):
    pool, pairs = preforked_pairs(world)
    exchange_all(pairs)
    settle()
    for client, server in pairs:
        client.abort()
        server.receive_error(errno.ECONNRESET)
        server.close_quietly()
        world.expect(client, server, "reset", by=client)
    for worker in pool:
        worker.stop()


@case("pre-forked workers whose clients reset before any data")
def preforked_reset_unread(world):
    """Nothing is read, so only the worker's close() shows it, after the connection has ended."""
    pool, pairs = preforked_pairs(world)
    settle()
    for client, server in pairs:
        client.abort()
        server.receive_error(errno.ECONNRESET)
        server.close_quietly()
        world.expect(client, server, "reset", by=client, server_facts={"owner_by": ["close"]})
    for worker in pool:
        worker.stop()


@case("pre-forked workers that only write")
def preforked_write_only(world):
    pool, pairs = preforked_pairs(world)
    for number, (client, server) in enumerate(pairs):
        server.send(500 + number)
        server.close()
        client.receive(500 + number)
        client.receive_eof()
        settle(0.005)
        client.close()
        world.expect(client, server, "closed", by=server)
    for worker in pool:
        worker.stop()


def with_copied_python(use, world):
    """Calls use(world, path of a copy of Python), so that a process can run another executable than the test's."""
    directory = tempfile.mkdtemp(prefix="nt-live-")
    executable = shutil.copy(os.path.realpath("/usr/bin/python3"), os.path.join(directory, "nt-handler"))
    os.chmod(directory, 0o755)
    try:
        use(world, executable)
    finally:
        shutil.rmtree(directory)


@case("fork per connection, exec as inetd does")
def inetd(world):
    with_copied_python(serve_by_exec, world)


def serve_by_exec(world, executable):
    server, client = world.server("nt-inetd"), world.client()
    listener = world.listen(server)
    for number in range(COUNT):
        client_endpoint, server_endpoint = world.pair(client, listener)
        child = server.fork_exec(server_endpoint, "nt-child%d" % number, executable)
        exchange(client_endpoint, server_endpoint, 400 + number, 3000 + number)
        close_both(world, [(client_endpoint, server_endpoint)])
        child.stop()


@case("execve() after the first read", outgoing, incoming)
def executed_after_read(world):
    with_copied_python(serve_after_exec, world)


def serve_after_exec(world, executable):
    """A wrapper reads the first bytes and becomes the program that serves, in the same process."""
    listener = world.listen(world.server("nt-master"))
    client = world.client()
    for number in range(COUNT):
        wrapper = listener.peer.fork("nt-wrapper")
        client_endpoint, server_endpoint = world.pair(client, listener, wrapper)
        exchange(client_endpoint, server_endpoint, 3 + number, 4)
        wrapper.execute(server_endpoint, "nt-real%d" % number, executable)
        exchange(client_endpoint, server_endpoint, 10 + number, 20)
        close_both(world, [(client_endpoint, server_endpoint)])
        wrapper.stop()


@case("setuid() and a new name after the first read", outgoing, incoming, elsewhere)
def renamed_after_read(world):
    """Every other process changes only after its last read, so that its close() shows it."""
    listener = world.listen(world.server("nt-master"))
    client = world.client()
    for number in range(COUNT):
        worker = listener.peer.fork("nt-root")
        client_endpoint, server_endpoint = world.pair(client, listener, worker)
        exchange(client_endpoint, server_endpoint, 30 + number, 40)
        worker.rename("nt-user%d" % number, USER + number)
        if number % 2:
            exchange(client_endpoint, server_endpoint, 50, 60)
        close_both(world, [(client_endpoint, server_endpoint)])
        worker.stop()


@case("client's owner that changes after connect()")
def renamed_client(world):
    """The owner stays the process as it connected."""
    listener = world.listen(world.server())
    for number in range(COUNT):
        client = world.client("nt-connector")
        connector = client.owner()
        client_endpoint, server_endpoint = world.pair(client, listener)
        client.rename("nt-other", USER)
        exchange(client_endpoint, server_endpoint, 70 + number, 80)
        client_endpoint.close()
        server_endpoint.receive_eof()
        server_endpoint.close()
        world.expect(client_endpoint, server_endpoint, "closed", by=client_endpoint, client_facts={"owner": connector})


@case("a copy of the descriptor is closed last", outgoing, incoming, elsewhere)
def copy_closed_last(world):
    """A child that has inherited the descriptor, or a parent that has passed it on, reads nothing."""
    server, client = world.server("nt-master"), world.client()
    listener = world.listen(server)
    for number in range(COUNT):
        client_endpoint, server_endpoint = world.pair(client, listener)
        child = server.fork("nt-child%d" % number, USER + number)
        reader, holder = (server, child) if number % 2 else (child, server)
        server_endpoint.move(reader, server_endpoint.handle)
        exchange(client_endpoint, server_endpoint, 90 + number, 100)
        reader.do("close", handle=server_endpoint.handle)
        server_endpoint.peer = holder
        server_endpoint.close()
        client_endpoint.receive_eof()
        client_endpoint.close()
        world.expect(client_endpoint, server_endpoint, "closed", by=server_endpoint, server_facts={"owner_by": ["io"]})
        child.stop()


@case("killed without a read", outgoing, incoming)
def killed_without_read(world):
    """The process becomes the owner while it ends, when it has given up its memory already."""
    if kernel_release() < (6, 16):
        raise Skip("this kernel reports the end of a process too late")
    listener = world.listen(world.server("nt-master"))
    client = world.client()
    for number in range(COUNT):
        worker = listener.peer.fork("nt-worker%d" % number, USER)
        client_endpoint, server_endpoint = world.pair(client, listener, worker)
        server_endpoint.send(20 + number)
        client_endpoint.receive(20 + number)
        server_endpoint.closed_at = server_endpoint.fin_at = worker.kill()
        client_endpoint.receive_eof()
        client_endpoint.close()
        world.expect(client_endpoint, server_endpoint, "closed", by=server_endpoint,
                     server_facts={"owner_by": ["close"]})


def kernel_release():
    return tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])


@case("fork per connection")
def fork_per_connection(world):
    server, client = world.server("nt-forker"), world.client()
    listener = world.listen(server)
    for number in range(COUNT):
        client_endpoint, server_endpoint = world.pair(client, listener)
        child = server.fork("nt-kid%d" % number, USER + number)
        server.do("close", handle=server_endpoint.handle)
        server_endpoint.move(child, server_endpoint.handle)
        exchange(client_endpoint, server_endpoint, 10 + number, 20 + number)
        close_both(world, [(client_endpoint, server_endpoint)])
        child.stop()


@case("a thread with a name of its own", outgoing, incoming, loopback)
def named_threads(world):
    """The owner's comm is the process's name, not the thread's."""
    server, client = world.server("nt-leader"), world.client("nt-chief")
    listener = world.listen(server)
    for number in range(COUNT):
        handle = client.socket(world.place.family)
        connected = client.finish_well(client.call("in_thread", name="thread-c%d" % number, inner="connect", arguments={
            "handle": handle, "address": listener.address, "port": listener.port, "blocking": True}))
        client_endpoint = Endpoint(client, handle, "client")
        client_endpoint.connected(connected, listener.address, listener.port)
        accepted = server.finish_well(server.call("in_thread", name="thread-s%d" % number, inner="accept",
                                                  arguments={"handle": listener.handle}))
        server_endpoint = server.accepted(accepted)
        client_endpoint.send(77 + number)
        read_in_thread(server_endpoint, 77 + number)
        close_both(world, [(client_endpoint, server_endpoint)])


def read_in_thread(endpoint, count):
    endpoint.peer.finish_well(endpoint.peer.call("in_thread", name="thread-read", inner="receive",
                                                 arguments={"handle": endpoint.handle, "count": count}))
    endpoint.received += count


@case("descriptor passed to another process", outgoing, incoming, elsewhere)
def passed_descriptor(world):
    """The server's owner is the last process that reads or closes; the client's is the one that connected."""
    one, other = world.channel()
    acceptor, handler = world.server("nt-acceptor", channel=one), world.server("nt-handler", USER, channel=other)
    left, right = world.channel()
    connector = world.client("nt-connector", channel=left)
    user = world.client("nt-user", OTHER_USER, channel=right)
    listener = world.listen(acceptor)
    for number in range(COUNT):
        client, server = world.pair(connector, listener)
        if number % 2:
            exchange(client, server, 90, 80)
        pass_on(server, handler)
        pass_on(client, user)
        exchange(client, server, 100 + number, 200 + number)
        settle(0.005)
        close_both(world, [(client, server)])


def pass_on(endpoint, receiver):
    """Passes the descriptor to another process and closes it in the first."""
    endpoint.peer.do("send_descriptor", handle=endpoint.handle)
    handle = receiver.do("receive_descriptor")["handle"]
    endpoint.peer.do("close", handle=endpoint.handle)
    endpoint.move(receiver, handle)


@case("client gone before accept(), FIN")
def gone_before_accept_fin(world):
    server, client = world.server("nt-master"), world.client()
    listener = world.listen(server)
    worker = server.fork("nt-worker", USER)
    clients = [world.connect(client, listener) for _ in range(COUNT)]
    for number, endpoint in enumerate(clients):
        endpoint.send(100 + number)
        endpoint.close()
    settle(0.2)
    for number, client_endpoint in enumerate(clients):
        server_endpoint = worker.accept(listener)
        server_endpoint.receive(100 + number)
        server_endpoint.receive_eof()
        server_endpoint.close()
        world.expect(client_endpoint, server_endpoint, "closed", by=client_endpoint)
    worker.stop()


@case("client gone before accept(), reset", outgoing, incoming, elsewhere)
def gone_before_accept_reset(world):
    server, client = world.server("nt-master"), world.client()
    listener = world.listen(server)
    worker = server.fork("nt-worker", USER)
    clients = [world.connect(client, listener) for _ in range(COUNT)]
    for number, endpoint in enumerate(clients):
        endpoint.send(100 + number)
        settle(0.002)
        endpoint.abort()
    settle(0.2)
    for client_endpoint in clients:
        server_endpoint = worker.accept(listener)
        server_endpoint.close_quietly()
        # After a reset the kernel has forgotten the accepted socket's peer.
        server_endpoint.local, server_endpoint.remote = client_endpoint.remote, client_endpoint.local
        world.expect(client_endpoint, server_endpoint, "reset", by=client_endpoint,
                     server_facts={"owner_by": ["close"]})
    worker.stop()


def unaccepted_pairs(world, listener, client):
    pairs = []
    for number in range(COUNT):
        endpoint = world.connect(client, listener)
        endpoint.send(30 + number)
        pairs.append((endpoint, world.unaccepted(endpoint, listener)))
    return pairs


@case("never accepted, the listener closes")
def never_accepted(world):
    server, client = world.server("nt-lazy"), world.client()
    listener = world.listen(server)
    pairs = unaccepted_pairs(world, listener, client)
    settle(0.1)
    closed = listener.close()
    for client_endpoint, server_endpoint in pairs:
        server_endpoint.rst_at = closed
        client_endpoint.receive_error(errno.ECONNRESET)
        client_endpoint.close_quietly()
        world.expect(client_endpoint, server_endpoint, "reset", by=server_endpoint, server_facts=LISTENER_ONLY)


@case("never accepted, the client resets")
def never_accepted_reset(world):
    """The listener stays open, so the record waits a second after CLOSE for a process that accepts."""
    server, client = world.server("nt-lazy"), world.client()
    listener = world.listen(server)
    pairs = unaccepted_pairs(world, listener, client)
    settle()
    for client_endpoint, server_endpoint in pairs:
        client_endpoint.abort()
    out_by = now() + 2 * SECOND_NS + SECOND_NS // 2  # long before the listener closes
    for client_endpoint, server_endpoint in pairs:
        world.expect(client_endpoint, server_endpoint, "reset", by=client_endpoint,
                     server_facts=dict(LISTENER_ONLY, out_by=out_by))
    settle(3)


def expect_reset_by_listener(world, pairs, closed):
    for client_endpoint, server_endpoint in pairs:
        server_endpoint.rst_at = closed
        client_endpoint.receive_error(errno.ECONNRESET)
        client_endpoint.close_quietly()
        world.expect(client_endpoint, server_endpoint, "reset", by=server_endpoint, server_facts=LISTENER_ONLY)


def is_reset(endpoint):
    return bool(endpoint.peer.do("poll_hangup", handle=endpoint.handle)["hangup"])


@case("never accepted, several listeners on one port (SO_REUSEPORT)", outgoing, incoming)
def never_accepted_reuseport(world):
    """Which of them has a connection shows when the first one closes: only its own connections end."""
    options = [(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)]
    first = world.listen(world.server("nt-first"), options=options)
    second = world.listen(world.server("nt-second"), options=options, port=first.port)
    client = world.client()
    clients = [world.connect(client, first) for _ in range(4 * COUNT)]
    settle()
    for listener in (first, second):
        closed = listener.close()
        settle()
        own = [endpoint for endpoint in clients if is_reset(endpoint)]
        clients = [endpoint for endpoint in clients if endpoint not in own]
        expect_reset_by_listener(world, [(endpoint, world.unaccepted(endpoint, listener)) for endpoint in own], closed)
    require(not clients, "connections of neither listener")


@case("never accepted, listeners of both families on one port")
def never_accepted_ipv6_only(world):
    """The kernel gives IPv4 to the listener of that family, although the other one listened later, on any address."""
    server, other = world.server("nt-ipv4"), world.server("nt-ipv6")
    listener = server.listen(socket.AF_INET, "0.0.0.0")
    other.listen(socket.AF_INET6, "::", port=listener.port, options=[(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)])
    listener.address = world.place.server.address
    pairs = unaccepted_pairs(world, listener, world.client())
    settle()
    expect_reset_by_listener(world, pairs, listener.close())


@case("never accepted, the listener is on another port (TPROXY)")
def never_accepted_tproxy(world):
    """Another process listens on the port that the client connects to, but the proxy gets its connections."""
    proxy = world.listen(world.server("nt-proxy"), options=[(socket.IPPROTO_IP, IP_TRANSPARENT, 1)])
    bystander = world.listen(world.server("nt-bystander"))
    done = world.place.server.namespace.run(
        "iptables", "-w", "-t", "mangle", "-A", "PREROUTING", "-d", world.place.server.address, "-p", "tcp", "--dport",
        str(bystander.port), "-j", "TPROXY", "--on-port", str(proxy.port))
    if done.returncode:
        raise Skip("no TPROXY: %s" % done.stderr)
    client = world.client()
    pairs = [(endpoint, world.unaccepted(endpoint, proxy))
             for endpoint in (world.connect(client, bystander) for _ in range(COUNT))]
    settle()
    expect_reset_by_listener(world, pairs, proxy.close())


@case("the listener is closed, and another process listens", outgoing, incoming)
def listener_replaced(world):
    """The other process has nothing to do with the connections, which nobody reads from or closes."""
    server, client = world.server("nt-gone"), world.client()
    listener = world.listen(server)
    worker = server.fork("nt-worker", USER)
    pairs = [world.pair(client, listener, worker) for _ in range(COUNT)]
    listener.close()
    worker.do("close", handle=listener.handle)
    other = world.listen(world.server("nt-other"), port=listener.port)
    expect_unowned(world, pairs, other)


@case("the process that called listen() has ended")
def listener_inherited(world):
    """A daemon's parent listens, and its child serves."""
    parent, client = world.server("nt-parent"), world.client()
    listener = world.listen(parent)
    daemon = parent.fork("nt-daemon", USER)
    parent.exit()
    listener.peer = daemon
    pairs = unaccepted_pairs(world, listener, client)
    settle()
    expect_unowned(world, pairs, listener)


def expect_unowned(world, pairs, listener):
    """The clients reset; the record waits a second for a process that reads or closes."""
    for client_endpoint, _ in pairs:
        client_endpoint.abort()
    for client_endpoint, server_endpoint in pairs:
        world.expect(client_endpoint, server_endpoint, "reset", by=client_endpoint,
                     server_facts={"owner": None, "gaps": ["owner"]})
    settle(2)
    listener.close()


if __name__ == "__main__":
    sys.exit(main())
