#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Random scripts of socket calls on both ends of a lossy path with forged segments, and what must be true of each.

A script sends random amounts in both directions and ends in one of the ways in ENDS. Both ends take turns, so the
script knows the truth: who read and wrote how much, who ended it and how. TCP repairs what the path loses, and refuses
what it forges, so neither may change a record. A failing script is repeated by `--only "script N"`.
"""
import functools
import random
import sys
import time

import harness
from lossy_path import lossy
from places import SOCKET
from traffic import require, settle

SCRIPTS = 24
MOST_STEPS = 6
MOST_BYTES = 40000  # fits into a receive buffer, so that no window closes
ECONNRESET, EPIPE = 104, 32
TIME_WAIT = "06"
END_SECONDS = 20  # a FIN that the path loses is sent again after 0.2 s, 0.4 s, 0.8 s ...


def close_in_order(first, second):
    first.close()
    second.receive_eof()
    second.close()


def half_close(first, second):
    """The second sends the rest after the first one's FIN."""
    first.shutdown()
    second.receive_eof()
    second.send(1234)
    first.receive(1234)
    second.close()
    first.receive_eof()
    first.close_quietly()


def notice_reset(endpoint):
    """Sends until a RST has come: the path may lose the first ones."""
    for _ in range(200):
        result = endpoint.peer.call("send", handle=endpoint.handle, count=1)
        if result.get("errno") in (ECONNRESET, EPIPE):
            return
        settle(0.02)
    raise AssertionError("no RST came")


def abort(first, second):
    first.abort()
    notice_reset(second)
    second.close_quietly()


ENDS = ((close_in_order, "closed"), (half_close, "closed"), (abort, "reset"))


def converse(generator, client, server):
    for _ in range(generator.randrange(MOST_STEPS + 1)):
        sender, receiver = generator.choice(((client, server), (server, client)))
        count = generator.randrange(1, MOST_BYTES)
        sender.send(count)
        receiver.receive(count)
        settle(generator.choice((0, 0, 0.01, 0.1)))


def expect_truth(world, client, server, outcome, first):
    """The times of calls are not those of packets here, and a reset side may have sent more than it knows."""
    facts = {"any_wire": True, "start": None, "first_fin": None, "close": None}
    world.expect(client, server, outcome, first, client_facts=facts, server_facts=facts)
    for expected in world.expectations:
        if outcome == "reset":
            del expected["dst_bytes" if first is client else "src_bytes"]
        if expected["netns"] != world.place.tracker_namespace.inode:  # user space moves packets without their sockets
            expected["seen"] = list(SOCKET)
    world.expectations[0]["src_retransmits"] = world.place.path.retransmits(client.local, client.remote)


def is_over(world, port):
    """Whether no socket of the client's port can send anything again."""
    for side in (world.place.client, world.place.server):
        for line in side.namespace.run("cat", "/proc/self/net/tcp").stdout.splitlines()[1:]:
            _, local, remote, state = line.split()[:4]
            if state != TIME_WAIT and "%04X" % port in (local[-4:], remote[-4:]):
                return False
    return True


def await_end(world, port):
    deadline = time.monotonic() + END_SECONDS
    while not is_over(world, port):
        require(time.monotonic() < deadline, "the sockets have not ended after %d s" % END_SECONDS)
        settle(0.05)


def run_script(number, world):
    generator = random.Random(number)
    client, server = world.pair(world.client(), world.listen(world.server()))
    converse(generator, client, server)
    if not server.received:  # the owner of a server is a process that read, or the one that closed
        client.send(7)
        server.receive(7)
    end, outcome = generator.choice(ENDS)
    first, second = generator.choice(((client, server), (server, client)))
    end(first, second)
    await_end(world, client.local[1])
    expect_truth(world, client, server, outcome, first)


def build(number, net, here, suffix, **_):
    return lossy(net, here, suffix, tracker_is_client=number % 2 == 1, seed=number)


for number in range(SCRIPTS):
    harness.case("script %d" % number, functools.partial(build, number))(functools.partial(run_script, number))


if __name__ == "__main__":
    sys.exit(harness.main())
