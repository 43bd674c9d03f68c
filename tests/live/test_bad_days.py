#!/usr/bin/python3
"""Bad days: what goes on when interfaces, namespaces, clocks, names, disks and terminals misbehave."""
import re
import sys

import records
from bench import check, main_of_checks
from harness import Skip, read_clock
from netns import add_addresses, link, run_ip
from places import outgoing
from traffic import exchange_all, settle

EACH = 5
LAST_RECORD_SECONDS = 5
RETURN_SECONDS = 0.5


def judge(bench, label, tracker, views, clock):
    """All that a tracker wrote about this check, against what it should have; its exit status; its books."""
    tracker.wait(lambda got: len(bench.own(got)) >= len(views), LAST_RECORD_SECONDS)
    status = tracker.stop()
    problems = records.match(views, bench.own(tracker.records), clock)
    problems += ["exit status %s: %s" % (status, tracker.stderr()[-300:])] * (status != 0)
    problems += ["no JSON: %r" % line for line in tracker.bad_lines[:1]]
    if "the books balance" not in tracker.stderr():
        problems.append("books: %s" % tracker.stderr()[-300:])
    return ["%s: %s" % (label, text) for text in problems]


def close_all(world, pairs, **facts):
    for client, server in pairs:
        client.close()
        server.receive_eof()
        server.close()
        world.expect(client, server, "closed", by=client, **facts)


def notes(tracker, word):
    return [line for line in tracker.stderr().splitlines() if word in line and "watching" not in line]


# Interfaces

def cut(world):
    """Deletes the link between the tracker's namespace and the other."""
    world.place.client.namespace.ip("link del %s" % world.place.client.interface)


def join_again(world, index=None):
    """The same names and addresses on new devices; with an index, on one that has the old one's."""
    near, far, subnet = world.place.client, world.place.server, world.place.subnet
    if index:
        run_ip("link", "add", near.interface, "netns", near.namespace.name, "index", str(index), "type", "veth",
               "peer", "name", far.interface, "netns", far.namespace.name)
        near.namespace.ip("link set %s up" % near.interface)
        far.namespace.ip("link set %s up" % far.interface)
    else:
        link(near.namespace, near.interface, far.namespace, far.interface)
    add_addresses(near.namespace, near.interface, subnet, 1)
    add_addresses(far.namespace, far.interface, subnet, 2)


def index_of(side):
    return int(side.namespace.run("cat", "/proc/self/net/dev_snmp6/%s" % side.interface).stdout.split()[1])


@check("an interface is deleted and made anew: what is open through it goes on, and so does tracking")
def interface_made_anew(bench):
    """Connections that live through it, and new ones; with -i NAME, with -i twice, without, and by packets alone."""
    world = bench.world(outgoing)
    name = world.place.client.interface
    trackers = {line: bench.tracker(*line.split()) for line in
                ("-i %s" % name, "-i lo -i %s" % name, "", "-i %s --context wire" % name)}
    clock = read_clock()
    client, listener = world.client(), world.listen(world.server())
    pairs = [world.pair(client, listener) for _ in range(EACH)]
    exchange_all(pairs)
    cut(world)
    settle(RETURN_SECONDS)
    problems = ["%s: ended: %s" % (line, tracker.stderr()[-200:]) for line, tracker in trackers.items()
                if tracker.process.poll() is not None]
    join_again(world)
    settle(RETURN_SECONDS)
    exchange_all(pairs)
    close_all(world, pairs)
    later = [world.pair(client, listener) for _ in range(EACH)]
    exchange_all(later)
    close_all(world, later)
    for line, tracker in trackers.items():
        if "wire" in line:
            problems += wire_problems(bench, tracker, pairs + later)
        else:
            problems += judge(bench, line, tracker, world.views, clock)
        told = [len(notes(tracker, "interface %s %s" % (name, word))) for word in ("vanished: tracking", "is back")]
        if told != ([1, 1] if line else [0, 0]):
            problems.append("%s: says %s" % (line, notes(tracker, "interface")))
    return problems


def wire_problems(bench, tracker, pairs):
    """As packets alone show them: each once, by the addresses."""
    tracker.wait(lambda got: len(bench.own(got)) >= len(pairs), LAST_RECORD_SECONDS)
    tracker.stop()
    found = sorted((record["src_port"], record["outcome"]) for record in bench.own(tracker.records))
    wanted = sorted((client.local[1], "closed") for client, _ in pairs)
    return ["wire alone: %s, should be %s" % (found, wanted)] * (found != wanted)


@check("--packets: packets that go on over another interface count there, and the record has a gap")
def packets_made_anew(bench):
    world = bench.world(outgoing)
    tracker = bench.tracker("--packets")
    client, listener = world.client(), world.listen(world.server())
    pairs = [world.pair(client, listener) for _ in range(EACH)]
    exchange_all(pairs)
    cut(world)
    join_again(world)
    exchange_all(pairs)
    close_all(world, pairs)
    tracker.wait(lambda got: len(bench.own(got)) >= 2 * EACH, LAST_RECORD_SECONDS)
    tracker.stop()
    found = sorted((record["src_port"], record["src_bytes"], record["dst_bytes"], record["gaps"])
                   for record in bench.own(tracker.records))
    wanted = sorted([(one.local[1], one.sent, other.sent, ["packets"]) for one, other in pairs] * 2)
    return ["%s, should be %s" % (found, wanted)] * (found != wanted)


@check("an interface is deleted and made anew under the same index")
def interface_with_old_index(bench):
    """As one that goes into a container and comes back: by its name and index it never was away."""
    world = bench.world(outgoing)
    near = world.place.client
    trackers = [bench.tracker(*line.split()) for line in ("-i %s" % near.interface, "")]
    index = index_of(near)
    cut(world)
    join_again(world, index)
    settle(RETURN_SECONDS)
    if index_of(near) != index:
        raise Skip("this kernel gives the index %d" % index_of(near))
    clock = read_clock()
    close_all(world, world.pairs(EACH))
    return [text for tracker in trackers for text in judge(bench, "after", tracker, world.views, clock)]


@check("an interface gets another name: records have it; with -i the name is what counts")
def interface_renamed(bench):
    world = bench.world(outgoing)
    near = world.place.client
    named, every = bench.tracker("-i", near.interface), bench.tracker()
    client, listener = world.client(), world.listen(world.server())
    ports = {}
    for name in ("ntrenamed", near.interface):
        now = "ntrenamed" if name != "ntrenamed" else near.interface
        near.namespace.ip("link set %s down" % now, "link set %s name %s" % (now, name), "link set %s up" % name)
        settle(RETURN_SECONDS)
        pairs = [world.pair(client, listener) for _ in range(EACH)]
        exchange_all(pairs)
        close_all(world, pairs)
        ports[name] = {one.local[1] for one, _ in pairs}
        every.wait(lambda got: len(bench.own(got)) >= 2 * EACH * len(ports), LAST_RECORD_SECONDS)
    problems = []
    for label, tracker, seen in (("no -i", every, ("ntrenamed", near.interface)), ("-i", named, (near.interface,))):
        tracker.wait(lambda got: len(bench.own(got)) >= 4 * EACH, LAST_RECORD_SECONDS)
        tracker.stop()
        for name in ports:
            names = [record.get("ifname") for record in bench.own(tracker.records) if record["src_port"] in ports[name]]
            wanted = [name if name in seen else None] * 2 * EACH
            problems += ["%s: interfaces are %s, should be %s" % (label, names, wanted)] * (names != wanted)
    return problems


if __name__ == "__main__":
    sys.exit(main_of_checks())
