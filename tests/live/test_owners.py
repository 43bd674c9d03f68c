#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Owners of connections: workers, children, threads, passed descriptors, and connections that nobody accepts."""
import errno
import os
import shutil
import sys
import tempfile

from harness import COUNT, case, main
from peer import now
from places import elsewhere, incoming, loopback, outgoing
from traffic import Endpoint, exchange, exchange_all, settle

USER = 12345
OTHER_USER = 23456
LISTENER_ONLY = {"owner_by": ["listen"], "gaps": ["owner"]}
SECOND_NS = 1_000_000_000


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


@case("fork per connection, exec as inetd does")
def inetd(world):
    directory = tempfile.mkdtemp(prefix="nt-live-")
    # Run a copy, so that the executables of parent and child differ.
    executable = shutil.copy(os.path.realpath("/usr/bin/python3"), os.path.join(directory, "nt-handler"))
    os.chmod(directory, 0o755)
    try:
        serve_by_exec(world, executable)
    finally:
        shutil.rmtree(directory)


def serve_by_exec(world, executable):
    server, client = world.server("nt-inetd"), world.client()
    listener = world.listen(server)
    for number in range(COUNT):
        client_endpoint, server_endpoint = world.pair(client, listener)
        child = server.fork_exec(server_endpoint, "nt-child%d" % number, executable)
        exchange(client_endpoint, server_endpoint, 400 + number, 3000 + number)
        close_both(world, [(client_endpoint, server_endpoint)])
        child.stop()


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
    out_by = now() + SECOND_NS + 150_000_000
    for client_endpoint, server_endpoint in pairs:
        world.expect(client_endpoint, server_endpoint, "reset", by=client_endpoint,
                     server_facts=dict(LISTENER_ONLY, out_by=out_by))
    settle(1.3)


if __name__ == "__main__":
    sys.exit(main())
