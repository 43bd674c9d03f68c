#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests netracker list --listening: beside ss, with connections that nobody accepts, with filters and sorted."""
import re
import shutil
import socket
import subprocess
import sys
import time

from bench import check, main_of_checks
from harness import Skip
from listing import list_in
from netns import enter, run_ip
from places import elsewhere, loopback, outgoing
from tracker import PROGRAM, prepare
from traffic import require

SO_BINDTOIFINDEX = 62
V6ONLY = (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
BACKLOG = 3
PATIENCE_SECONDS = 5
SS_USERS = re.compile(r'"([^"]*)",pid=(\d+)')


def listening_in(bench, *arguments):
    return list_in(bench, "--listening", *arguments)


def endpoint_of(record):
    """Address and port as ss writes them."""
    address = "*" if record.get("dual_stack") else \
        "[%s]" % record["dst_ip"] if record["family"] == "ipv6" else record["dst_ip"]
    device = "%" + record["ifname"] if "ifname" in record else ""
    return "%s%s:%d" % (address, device, record["dst_port"])


def values_of(record):
    return record["backlog"], record["backlog_max"], (record.get("comm"), record.get("pid"))


def ss_in(namespace):
    """{address and port: (Recv-Q, Send-Q, the names and numbers of the processes)} of the listeners of a namespace. An
    IPv4-mapped address is written as IPv4."""
    if not shutil.which("ss"):
        raise Skip("ss is not installed (iproute2)")
    done = subprocess.run(["ss", "-ltnpH"], preexec_fn=lambda: enter(namespace.name), capture_output=True, text=True,
                          check=True)
    found = {}
    for line in done.stdout.splitlines():
        _, waiting, most, local, _, *users = line.split()
        local = re.sub(r"^\[::ffff:([0-9.]+)\]", r"\1", local)
        found[local] = int(waiting), int(most), {(name, int(pid)) for name, pid in SS_USERS.findall(" ".join(users))}
    if not any(most for _, most, _ in found.values()):
        raise Skip("this kernel has no tcp_diag: ss shows neither limits nor devices")
    return found


def waiting_at(namespace, port):
    """The length of the listen queue of an IPv4 port, from /proc/net/tcp: the rx_queue of a socket in state 0A."""
    rows = [line.split() for line in namespace.run("cat", "/proc/net/tcp").stdout.splitlines()[1:]]
    return sum(int(row[4].split(":")[1], 16) for row in rows if row[3] == "0A" and int(row[1][-4:], 16) == port)


def fill(world, client, listener, count):
    """Makes connections that nobody accepts, and waits until all are in the queue."""
    for _ in range(count):
        world.connect(client, listener)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while waiting_at(world.place.server.namespace, listener.port) < count:
        require(time.monotonic() < deadline, "the connections are not in the listen queue")


def ifindex(side):
    return int(run_ip("-n", side.namespace.name, "-o", "link", "show", "dev", side.interface).split(":")[0])


def listen_everywhere(world):
    """Listeners of every kind of address. Returns the one that is bound to an IPv4 address."""
    server = world.server("nt-listen", uid=65534)
    server.listen(socket.AF_INET6, "::", backlog=7)
    server.listen(socket.AF_INET6, "::", backlog=8, options=[V6ONLY])
    server.listen(socket.AF_INET, "0.0.0.0", backlog=9)
    server.listen(socket.AF_INET6, "::1", backlog=10)
    server.listen(socket.AF_INET6, "::ffff:127.0.0.1", backlog=11)
    server.listen(socket.AF_INET, "0.0.0.0", backlog=12,
                  options=[(socket.SOL_SOCKET, SO_BINDTOIFINDEX, ifindex(world.place.server))])
    return world.listen(server, backlog=BACKLOG)


def differences(listed, found, namespace):
    """The listeners of one namespace in the list against those of ss."""
    records = {endpoint_of(record): values_of(record) for record in listed if record["netns"] == namespace.inode}
    problems = ["%s: list has %s, ss %s" % (namespace.name, sorted(records), sorted(found))] * (records.keys() != found.keys())
    for local in records.keys() & found.keys():
        waiting, most, owner = records[local]
        if (waiting, most) != found[local][:2] or owner not in found[local][2]:
            problems.append("%s: list has %s, ss %s" % (local, records[local], found[local]))
    return problems


@check("list --listening and ss agree: addresses, devices, queues and processes, in several namespaces")
def agrees_with_ss(bench):
    worlds = [bench.world(build, build.__name__) for build in (outgoing, elsewhere, loopback)]
    for world in worlds:
        fill(world, world.client(), listen_everywhere(world), BACKLOG)
    status, listed, messages = listening_in(bench)
    problems = ["status %d: %s" % (status, messages)] * bool(status or messages)
    for world in worlds:
        namespace = world.place.server.namespace
        problems += differences(listed, ss_in(namespace), namespace)
        own = [record for record in listed if record["netns"] == namespace.inode]
        problems += ["%s" % record for record in own if record["event"] != "listener" or record.get("uid") != 65534 or
                     record.get("netns_name") != namespace.name or "exe" not in record or "cgroup" not in record]
        waiting = sorted(record["backlog"] for record in own)
        problems += ["queues: %s" % waiting] * (waiting != [0] * 6 + [BACKLOG])
    return problems


def overflow(world, client, listener, count):
    """Makes attempts that find a full queue, and waits until the kernel has counted each."""
    enough = listener.peer.counter("TcpExt", "ListenOverflows") + count
    for _ in range(count):
        world.attempt(client, listener.address, listener.port, blocking=False)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while listener.peer.counter("TcpExt", "ListenOverflows") < enough:
        require(time.monotonic() < deadline, "the listen queue does not overflow")


@check("list --listening: a full queue has more than its limit, and its drops; it sorts first")
def full_queue(bench):
    world = bench.world(elsewhere)
    client, server = world.client(), world.server()
    idle, full = world.listen(server, backlog=100), world.listen(server, backlog=1)
    fill(world, client, full, 2)
    overflow(world, client, full, 3)
    drops = server.counter("TcpExt", "ListenDrops")
    _, listed, _ = listening_in(bench, "--netns", world.place.server.namespace.name, "--sort", "drops")
    later = server.counter("TcpExt", "ListenDrops")
    found = [(record["dst_port"], record["backlog"], record["backlog_max"]) for record in listed]
    problems = ["%s" % found] * (found != [(full.port, 2, 1), (idle.port, 0, 100)])
    if not problems and not (drops <= listed[0]["drops"] <= later and listed[1]["drops"] == 0):
        problems.append("drops of the namespace are %d to %d, of the listeners %s" %
                        (drops, later, [record["drops"] for record in listed]))
    for arguments, wanted in ((["--top", "1"], [full.port]), (["--sort", "backlog", "-r"], [idle.port, full.port]),
                              (["backlog gt 1"], [full.port]), (["-n", "1", "-L", str(idle.port)], [idle.port])):
        rows = shown(bench, "--netns", world.place.server.namespace.name, *arguments, "--columns", "dst_port")
        problems += ["%s: %s" % (arguments, rows)] * (rows != [[str(port)] for port in wanted])
    return problems


def shown(bench, *arguments):
    """Returns the rows of tab-separated output. A word with a space in it is an expression, and comes last."""
    words = [word for word in arguments if " " in word]
    options = [word for word in arguments if " " not in word]
    done = subprocess.run([PROGRAM, "list", "-l", "-q", "-f", "tsv", "--no-header", *options, *words],
                          capture_output=True, text=True, preexec_fn=lambda: prepare(bench.here.name), check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


@check("list --listening: filters")
def filters(bench):
    world = bench.world(outgoing)
    server, other = world.server("nt-one", uid=65534), world.server("nt-two")
    address = world.place.server.address
    ports = [world.listen(server).port, server.listen(socket.AF_INET, "0.0.0.0").port,
             other.listen(socket.AF_INET6, "::").port, other.listen(socket.AF_INET6, "::", options=[V6ONLY]).port]
    one, every, dual, single = ports
    netns = "--netns", world.place.server.namespace.name
    problems = []
    for arguments, wanted in (
            (["-p", str(server.pid)], [one, every]), (["-c", "nt-two"], [dual, single]), (["-u", "65534"], [one, every]),
            (["-L", "%d,%d" % (one, dual)], [one, dual]), (["--net", address], [one]), (["-4"], [one, every]),
            (["-6"], [dual, single]), (["host 0.0.0.0"], [every]), (["lport %d" % single], [single]),
            (["dual_stack or port %d" % one], [one, dual]), (["not dual_stack and family ipv6"], [single]),
            (["not user 65534"], [dual, single]), (["--cgroup", "/"], ports)):
        rows = shown(bench, *netns, *arguments, "--columns", "dst_port")
        found = sorted(int(row[0]) for row in rows)
        problems += ["%s: %s, should be %s" % (" ".join(arguments), found, sorted(wanted))] * (found != sorted(wanted))
    status, listed, messages = listening_in(bench, *netns, "port", "1")
    problems += ["no match: %r" % ((status, listed, messages),)] * \
        (status != 0 or bool(listed) or not re.search(r": \d+ sockets are listening, and none matches the filters\n", messages))
    return problems


@check("list --listening in text, and again and again with --watch; --fail-if-any")
def writes_text(bench):
    world = bench.world(outgoing)
    server = world.server("nt-listen")
    port = server.listen(socket.AF_INET6, "::", backlog=5).port
    arguments = [PROGRAM, "list", "-l", "--netns", world.place.server.namespace.name]
    heading, row = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.splitlines()
    problems = []
    if heading.split() != ["PID", "COMM", "LOCAL", "BACKLOG", "MAX", "DROPS", "UID", "NETNS", "CONTAINER"] or \
            row.split()[:6] != [str(server.pid), "nt-listen", "*:%d" % port, "0", "5", "0"]:
        problems.append("text: %r, %r" % (heading, row))
    watching = subprocess.Popen([*arguments, "--watch=0.1"], stdout=subprocess.PIPE, text=True)
    pages = [[watching.stdout.readline().strip() for _ in range(4)] for _ in range(2)]
    watching.terminate()
    watching.communicate()
    for page in pages:
        problems += ["a page: %r" % page] * (heading.strip() not in page or row.strip() not in page)
    done = subprocess.run([*arguments, "--fail-if-any", "-q"], capture_output=True, text=True)
    return problems + ["--fail-if-any: status %d, %r" % (done.returncode, done.stderr)] * (done.returncode != 6)


if __name__ == "__main__":
    sys.exit(main_of_checks())
