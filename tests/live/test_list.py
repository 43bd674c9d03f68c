#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests netracker list and update records with open connections of several namespaces, and against ss."""
import fcntl
import os
import pty
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
import time

import records
from bench import check, main_of_checks
from harness import Skip, read_clock
from listing import list_in, tuple_of
from netns import enter, run_ip
from places import elsewhere, incoming, incoming_ipv6, loopback, outgoing
from tracker import PROGRAM, prepare, record_of
from traffic import NOBODY, Listener, exchange_all, settle, swallow

EACH = 5
MANY = 10000
HOLDER = """
import resource, socket, sys
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
held = []
if sys.argv[1] == "server":
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    print(listener.getsockname()[1], flush=True)
    held = [listener.accept()[0] for _ in range(%d)]
else:
    held = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(%d)]
print("held", flush=True)
sys.stdin.read()
"""
THREAD_HOLDER = """
import ctypes, os, socket, subprocess, sys, threading
def hold():
    assert ctypes.CDLL(None).unshare(0x40000000) == 0
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    server = listener.accept()[0]
    print(listener.getsockname()[1], os.stat("/proc/thread-self/ns/net").st_ino, flush=True)
    sys.stdin.read()
thread = threading.Thread(target=hold)
thread.start()
thread.join()
"""
SS_STATES = {"ESTAB": "established", "CLOSE-WAIT": "close_wait"}
INTERVAL = 0.5
UPDATES = 2
UPDATES_SECONDS = 60
ENDED_SECONDS = 3
DUPLICATE_DETECTION_SECONDS = 5


def sides_of(pairs):
    """Yields each endpoint with its peer."""
    for client, server in pairs:
        for endpoint, peer in ((client, server), (server, client)):
            yield endpoint, peer


def judge(record, endpoint, peer):
    """Returns the problems of an endpoint's record."""
    if record is None:
        return ["%s:%d is not listed" % tuple(endpoint.local)]
    own, other = ("dst", "src") if endpoint.role == "server" else ("src", "dst")
    wanted = {"event": "listed", "outcome": "open", "state": "established", "role": endpoint.role,
              "pid": endpoint.owner_peer.pid, "netns": endpoint.peer.namespace.inode,
              own + "_bytes": endpoint.sent, other + "_bytes": peer.sent}
    return ["%s:%d: %s is %r, should be %r" % (*endpoint.local, key, record.get(key), value)
            for key, value in wanted.items() if record.get(key) != value]


def judge_all(listed, pairs):
    by_tuple = {}
    for record in listed:
        by_tuple.setdefault((record["netns"], *tuple_of(record)), []).append(record)
    problems = ["%r is listed %d times" % (key, len(found)) for key, found in by_tuple.items() if len(found) > 1]
    for endpoint, peer in sides_of(pairs):
        found = by_tuple.get((endpoint.peer.namespace.inode, *endpoint.local, *endpoint.remote), [None])
        problems += judge(found[0], endpoint, peer)
    return problems


def connect_worlds(bench):
    pairs = []
    for build in (outgoing, incoming, incoming_ipv6, loopback, elsewhere):
        pairs += bench.world(build, build.__name__).pairs(EACH)
    exchange_all(pairs)
    return pairs


def start_problems(own, pairs, clock):
    """Checks gaps and start. list knows a start only from a running tracker, which may be another test's."""
    connected = {(*client.local, *client.remote): client.connect_at for client, _ in pairs}
    problems = []
    clock.read_again()
    for record in own:
        problems += records.form_problems(record)
        if not set(record["gaps"]) <= {"start", "direction"}:
            problems.append("gaps are %r" % record["gaps"])
        begun = connected[(record["src_ip"], record["src_port"], record["dst_ip"], record["dst_port"])]
        if "start" in record and not (begun.before - records.TOLERANCE_NS <= clock.boottime(record["start"], *begun) <=
                                      begun.after + records.TOLERANCE_NS):
            problems.append("start is %s: %r" % (record["start"], record))
    return problems


@check("list shows open connections with owner, state and bytes")
def lists_open(bench):
    clock = read_clock()
    pairs = connect_worlds(bench)
    status, listed, messages = list_in(bench)
    own = bench.own(listed)
    problems = judge_all(own, pairs)
    problems += ["%d records, should be %d" % (len(own), 2 * len(pairs))] * (len(own) != 2 * len(pairs))
    problems += start_problems(own, pairs, clock)
    return problems + ["status %d: %s" % (status, messages)] * bool(status or messages)


def direction_problems(own):
    """Both ends of each connection have the same gaps: a running tracker of another test may know more, of both."""
    gaps = {}
    for record in own:
        gaps.setdefault((record["src_ip"], record["src_port"]), []).append(record["gaps"])
    return ["gaps of both ends: %s" % both for both in gaps.values() if len(both) != 2 or both[0] != both[1]]


@check("list: both ends agree on who connected after the listener has closed, in every state")
def lists_without_listener(bench):
    pairs = []
    for build in (loopback, elsewhere):
        world = bench.world(build, build.__name__)
        client, server = world.client(), world.server()
        listener = world.listen(server)
        pairs += [world.pair(client, listener) for _ in range(4)]
        listener.close()
    exchange_all(pairs[::2])  # the others never sent anything
    for number, (client, server) in enumerate(pairs):
        if number % 4 > 1:
            (client if number % 4 == 2 else server).shutdown()
    settle()
    own = bench.own(list_in(bench)[1])
    seen = {(record["netns"], *tuple_of(record)): record["role"] for record in own}
    problems = ["%s: role %r, should be %s" % (endpoint.local, seen.get(key), endpoint.role)
                for endpoint, _ in sides_of(pairs)
                for key in [(endpoint.peer.namespace.inode, *endpoint.local, *endpoint.remote)]
                if seen.get(key) != endpoint.role]
    return problems + direction_problems(own)


@check("list: a socket in syn_sent is the client")
def lists_syn_sent(bench):
    world = bench.world()
    swallow(world.place.client, world.address(NOBODY))
    attempt = world.attempt(world.client(), world.address(NOBODY), 9, blocking=False)
    own = bench.own(list_in(bench)[1])
    found = [(record["role"], record["state"], record["src_port"], record["gaps"]) for record in own]
    right = [[("client", "syn_sent", attempt.local[1], gaps)] for gaps in (["start"], [])]
    return [] if found in right else ["listed: %s" % found]


@check("list: a namespace that only a thread is in")
def lists_namespace_of_thread(bench):
    holder = subprocess.Popen([sys.executable, "-c", THREAD_HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True, preexec_fn=lambda: prepare(bench.here.name))
    try:
        port, inode = map(int, holder.stdout.readline().split())
        found = sorted((record["role"], record.get("pid")) for record in list_in(bench)[1]
                       if record["netns"] == inode and record["dst_port"] == port)
    finally:
        holder.communicate("")
    wanted = [("client", holder.pid), ("server", holder.pid)]
    return [] if found == wanted else ["listed: %s, should be %s" % (found, wanted)]


def link_local(side):
    """Returns the link-local address, once the kernel has found that no other host has it."""
    show = ("-n", side.namespace.name, "-6", "addr", "show", "dev", side.interface, "scope", "link")
    deadline = time.monotonic() + DUPLICATE_DETECTION_SECONDS
    while run_ip(*show, "tentative") and time.monotonic() < deadline:
        time.sleep(0.05)
    return re.search(r"inet6 (fe80:\S+)/", run_ip(*show))[1]


@check("link-local addresses have their interface, in list and when they close")
def lists_link_local(bench):
    world = bench.world(elsewhere)
    tracker = bench.tracker("--events", "close")
    client, server = world.client(), world.server()
    place = world.place.client
    link_local(place)
    address = link_local(world.place.server)
    listener = server.listen(socket.AF_INET6, "::")
    pair = world.connect(client, Listener(server, None, socket.AF_INET6, "%s%%%s" % (address, place.interface),
                                          listener.port)), server.accept(listener)
    inodes = (place.namespace.inode, world.place.server.namespace.inode)

    def interfaces(records):
        return sorted((one["role"], one.get("ifname")) for one in records
                      if one.get("netns") in inodes and one["dst_port"] == listener.port)
    wanted = [("client", place.interface), ("server", world.place.server.interface)]
    listed = interfaces(list_in(bench)[1])
    pair[0].close()
    pair[1].receive_eof()
    pair[1].close()
    tracker.wait(lambda got: len(interfaces(got)) >= 2, 5)
    closed = interfaces(tracker.records)
    tracker.stop()
    return ["%s: %s, should be %s" % (label, found, wanted) for label, found in (("list", listed), ("close", closed))
            if found != wanted]


@check("list in a PID namespace of its own says that owners outside it are unknown")
def lists_in_own_pid_namespace(bench):
    pairs = bench.world().pairs(1)
    done = subprocess.run(["unshare", "--pid", "--fork", PROGRAM, "list", "-f", "json"], capture_output=True, text=True,
                          preexec_fn=lambda: prepare(bench.here.name))
    own = bench.own([record_of(line) for line in done.stdout.splitlines()])
    # A running tracker of another test may know the owner, and then it knows the start.
    owned = [record for record in own if "pid" in record and "start" not in record]
    problems = ["%d records, should be %d" % (len(own), 2 * len(pairs))] * (len(own) != 2 * len(pairs))
    problems += ["an owner: %s" % owned[:1]] * bool(owned)
    return problems + ["stderr: %r" % done.stderr] * ("PID namespace" not in done.stderr)


@check("list --host")
def names_host(bench):
    pairs = connect_worlds(bench)
    own = bench.own(list_in(bench, "--host", "box 1")[1])
    problems = ["%d records, should be %d" % (len(own), 2 * len(pairs))] * (len(own) != 2 * len(pairs))
    return problems + ["host is %r" % record.get("host") for record in own if record.get("host") != "box 1"]


@check("list does not show ended connections")
def lists_no_ended(bench):
    pairs = bench.world().pairs(EACH)
    for client, server in pairs:
        client.close()
        server.receive_eof()
        server.close()
    deadline = time.monotonic() + ENDED_SECONDS
    while (listed := bench.own(list_in(bench)[1])) and time.monotonic() < deadline:  # a FIN may be lost and sent again
        settle()
    return ["still listed: %r" % record for record in listed]


@check("list takes start, owner and id from a running tracker")
def asks_running_tracker(bench):
    """Two trackers run. The older follows packets only; list asks the one that follows sockets."""
    bench.tracker("--context", "wire")
    tracker = bench.tracker("--events", "open,exit", "--context", "socket")
    pairs = connect_worlds(bench)
    own = bench.own(list_in(bench)[1])
    problems = judge_all(own, pairs)
    problems += ["gaps are %r" % record["gaps"] for record in own if record["gaps"]]
    problems += ["no start: %r" % record for record in own if "start" not in record or "duration_ns" not in record]
    tracker.stop()
    known = {record["id"] for record in bench.own(tracker.records)}
    problems += ["id %s is not the tracker's" % record["id"] for record in own if record["id"] not in known]
    return problems


@check("list and ss agree")
def agrees_with_ss(bench):
    """Compares connections, states and processes in every namespace."""
    if not shutil.which("ss"):
        raise Skip("ss is not installed (iproute2)")
    world = bench.world(incoming)
    pairs = world.pairs(EACH)
    for client, server in pairs[:2]:
        client.shutdown()
        server.receive_eof()
    time.sleep(0.1)
    found = {}
    for namespace in {endpoint.peer.namespace for pair in pairs for endpoint in pair}:
        done = subprocess.run(["ss", "-tnpH", "state", "established", "state", "close-wait"],
                              preexec_fn=lambda: enter(namespace.name), capture_output=True, text=True, check=True)
        for line in done.stdout.splitlines():
            state, _, _, local, remote, *rest = line.split()
            pid = re.search(r"pid=(\d+)", " ".join(rest))
            found[(namespace.inode, local, remote)] = (SS_STATES[state], int(pid.group(1)) if pid else None)
    listed = {}
    for record in bench.own(list_in(bench)[1]):
        local_ip, local_port, remote_ip, remote_port = tuple_of(record)
        if record["state"] in SS_STATES.values():
            listed[(record["netns"], "%s:%d" % (local_ip, local_port), "%s:%d" % (remote_ip, remote_port))] = \
                (record["state"], record.get("pid"))
    return ["ss: %r, list: %r" % (found, listed)] * (found != listed or not found)


@check("list: filters")
def filters(bench):
    world = bench.world(incoming)
    first, second = world.client("nt-first"), world.client("nt-second")
    server = world.server("nt-listed")
    listener, other = world.listen(server), world.listen(server)
    pairs = [world.pair(first, listener) for _ in range(EACH)] + [world.pair(second, other) for _ in range(EACH)]
    exchange_all(pairs)
    problems = []
    for arguments, wanted in ((["-p", str(first.pid)], EACH), (["-c", "nt-second"], EACH),
                              (["-L", str(listener.port)], EACH), (["-D", str(other.port)], EACH),
                              (["--role", "server"], 2 * EACH), (["-6"], 0), (["-4"], 4 * EACH),
                              (["--min-duration", "1h"], 0), (["-c", "nt-first,nt-second"], 2 * EACH),
                              (["lport", str(listener.port), "or", "comm", "nt-second"], 2 * EACH),
                              (["state", "estab", "and", "not", "role", "client"], 2 * EACH),
                              (["state", "close-wait"], 0)):
        found = len(bench.own(list_in(bench, *arguments)[1]))
        problems += ["%s: %d, should be %d" % (" ".join(arguments), found, wanted)] * (found != wanted)
    found = list_in(bench, "-n", "3")[1]
    return problems + ["-n 3: %d" % len(found)] * (len(found) != 3)


def shown(bench, *arguments):
    """Returns the rows of tab-separated output."""
    done = subprocess.run([PROGRAM, "list", "-q", "-f", "tsv", "--no-header", *arguments], capture_output=True, text=True,
                          preexec_fn=lambda: prepare(bench.here.name), check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


@check("list: --sort, -r, --top, --state")
def sorts(bench):
    world = bench.world(loopback)
    server, client = world.server(), world.client()
    listener = world.listen(server)
    pairs = [world.pair(client, listener) for _ in range(EACH)]
    sizes = [300, 70000, 5, 2000, 40]
    for (one, other), size in zip(pairs, sizes):
        one.send(size)
        other.receive(size)
    by_size = [str(pair[0].local[1]) for _, pair in sorted(zip(sizes, pairs), key=lambda item: -item[0])]
    of_clients = ["--role", "client", "-D", str(listener.port), "--columns", "src_port,src_bytes"]
    problems = []
    for arguments, wanted in ((["--sort", "sent"], by_size), (["--sort", "src_bytes", "-r"], by_size[::-1]),
                              (["--sort", "sent", "--top", "2"], by_size[:2]), (["--top", "3"], by_size[:3]),
                              (["--sort", "sport"], sorted(by_size, key=int, reverse=True)),
                              (["--sort", "handshake", "-n", "4"], None)):
        rows = shown(bench, *of_clients, *arguments)
        found = [row[0] for row in rows]
        if found != wanted and (wanted or len(found) != 4):
            problems.append("%s: %s, should be %s" % (" ".join(arguments), rows, wanted))
    pairs[1][0].shutdown()
    pairs[1][1].receive_eof()
    for states, wanted in (("close-wait", 1), ("close_wait,FIN-WAIT2", 2), ("estab", 8), ("syn_sent", 0)):
        found = shown(bench, "--netns", bench.here.name, "--where", "port %d" % listener.port, "--state", states)
        problems += ["--state %s: %d, should be %d" % (states, len(found), wanted)] * (len(found) != wanted)
    return problems


def watch(bench, rows, *arguments):
    """Returns the status and the output of list --watch after three lists, on a terminal if it has rows."""
    master, slave = pty.openpty() if rows else os.pipe()
    if rows:
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 132, 0, 0))
    process = subprocess.Popen([PROGRAM, "list", "--watch=0.1", *arguments], stdout=slave, stderr=subprocess.PIPE,
                               env=dict(os.environ, TERM="dumb"), preexec_fn=lambda: prepare(bench.here.name))
    os.close(slave)
    output = b""
    while output.count(b"COMM") < 3:
        output += os.read(master, 65536)
    process.send_signal(signal.SIGINT)
    while True:
        try:
            more = os.read(master, 65536)
        except OSError:
            break
        if not more:
            break
        output += more
    os.close(master)
    messages = process.communicate()[1]
    return process.returncode, output.decode().replace("\r", ""), messages


@check("list --watch: one table after another in a pipe, as many rows as fit on a terminal")
def watches(bench):
    pairs = bench.world(loopback).pairs(EACH)
    status, output, messages = watch(bench, None, "--netns", bench.here.name)
    tables = output.split("\n\n")
    problems = ["status %d, %r" % (status, messages)] * (status != 0 or bool(messages))
    for table in tables[:2]:
        time_of, heading, *rows = table.splitlines()
        if not re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$", time_of) or "STATE" not in heading or \
                len(rows) != 2 * len(pairs):
            problems.append("a table in a pipe: %r" % table)
    status, output, messages = watch(bench, 8, "--netns", bench.here.name)
    pages = output.split("\x1b[H\x1b[J")
    problems += ["status %d on a terminal, %r" % (status, messages)] * (status != 0 or bool(messages))
    for page in pages[1:3]:
        lines = page.splitlines()
        if len(lines) != 7 or lines[-1] != "... %d more" % (2 * len(pairs) - 4):
            problems.append("a page of 8 rows: %r" % page)
    return problems + ["%d pages" % len(pages)] * (len(pages) < 3)


@check("list: wrong options, no privileges, a reader that goes away")
def bad_input(bench):
    problems = []
    for arguments, status, word in ((["-i", "lo"], 2, "it lists the sockets that are open now"),
                                    (["--outcome", "reset"], 2, "it lists"), (["-t", "1"], 2, "it lists"),
                                    (["-q", "--where"], 2, "value is missing"), (["--tunnels"], 2, "it lists")):
        found, _, messages = list_in(bench, *arguments)
        if found != status or word not in messages or messages.count("\n") != 1:
            problems.append("%s: status %d, messages %r" % (arguments, found, messages))
    done = subprocess.run([PROGRAM, "list"], capture_output=True, text=True, user=65534, group=65534)
    if done.returncode != 3 or done.stderr.count("\n") != 1:
        problems.append("nobody: status %d, messages %r" % (done.returncode, done.stderr))
    pairs = bench.world().pairs(EACH)
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([PROGRAM, "list"], stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    if done.returncode or done.stderr or not pairs:
        problems.append("closed pipe: status %d, messages %r" % (done.returncode, done.stderr))
    return problems


def hold_many(namespace, count):
    """Makes connections between two processes in a namespace. Returns port and processes, which end with stdin."""
    script = HOLDER % (count, count)
    server = subprocess.Popen([sys.executable, "-c", script, "server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True, preexec_fn=lambda: prepare(namespace.name))
    number = server.stdout.readline().strip()
    client = subprocess.Popen([sys.executable, "-c", script, number], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True, preexec_fn=lambda: prepare(namespace.name))
    for process in (client, server):
        process.stdout.readline()
    return int(number), (server, client)


@check("list: %d connections, each endpoint once" % MANY)
def lists_many(bench):
    port, processes = hold_many(bench.here, MANY)
    try:
        status, listed, messages = list_in(bench)
    finally:
        for process in processes:
            process.communicate()
    own = [record for record in listed if record["dst_port"] == port and record["netns"] == bench.here.inode]
    endpoints = {(record["role"], record["src_port"]) for record in own}
    owners = {(record["role"], record["pid"]) for record in own}
    problems = ["%d records of %d endpoints, should be %d" % (len(own), len(endpoints), 2 * MANY)] \
        * (not len(own) == len(endpoints) == 2 * MANY)
    problems += ["owners are %r" % owners] * (owners != {("server", processes[0].pid), ("client", processes[1].pid)})
    return problems + ["status %d: %s" % (status, messages)] * bool(status or messages)


@check("list gives a reason for an empty list; with -q it does not")
def lists_nothing(bench):
    world = bench.world()
    world.pairs(1)
    status, listed, messages = list_in(bench, "--netns", bench.here.name, "--role", "server", "-D", "1")
    reason = re.match(r"netracker: \d+ connections are open, and none matches the filters\n$", messages)
    good = status == 0 and not listed and reason
    problems = [] if good else ["status %d, %d records: %r" % (status, len(listed), messages)]
    quiet = list_in(bench, "--netns", bench.here.name, "--role", "server", "-D", "1", "-q")
    return problems + ["-q: %r" % (quiet,)] * (quiet != (0, [], ""))


def updates_by_id(own):
    found = {}
    for record in own:
        if record["event"] == "update":
            found.setdefault(record["id"], []).append(record)
    return found


def has_updates(own, count):
    found = updates_by_id(own)
    return len(found) == count and all(len(updates) >= UPDATES for updates in found.values())


@check("update records have the current values of each connection")
def updates(bench):
    world = bench.world()
    before = world.pairs(EACH)
    tracker = bench.tracker("--events", "update,close", "--interval", str(INTERVAL))
    began = time.monotonic()
    pairs = world.pairs(EACH)
    exchange_all(pairs)
    tracker.poll()
    exchanged = len(tracker.records)
    count = 2 * len(pairs + before)
    tracker.wait(lambda got: has_updates(bench.own(got[exchanged:]), count), UPDATES_SECONDS)
    for client, server in pairs:
        client.close()
        server.receive_eof()
        server.close()
    seconds = time.monotonic() - began
    tracker.wait(lambda got: sum(record["event"] == "close" for record in bench.own(got)) == 2 * len(pairs),
                 UPDATES_SECONDS)
    tracker.stop()
    own = bench.own(tracker.records)
    closes = {record["id"]: record for record in own if record["event"] == "close"}
    updates_of = updates_by_id(own)
    problems = ["%d connections have updates, should be %d" % (len(updates_of), 2 * len(pairs + before))] \
        * (len(updates_of) != 2 * len(pairs + before))
    for name, last in closes.items():
        updates = updates_of.get(name, [])
        problems += ["%s: %d updates in %.1f s" % (name, len(updates), seconds)] \
            * (not UPDATES <= len(updates) <= seconds / INTERVAL + 1)
        for key in ("start", "src_bytes", "dst_bytes", "pid", "community_id"):
            problems += ["%s: %s is %r, was %r" % (name, key, last.get(key), updates[-1].get(key))] \
                * (bool(updates) and updates[-1].get(key) != last.get(key))
        problems += ["%s: outcome %s" % (name, record["outcome"]) for record in updates if record["outcome"] != "open"]
        durations = [record["duration_ns"] for record in updates]
        problems += ["%s: durations %r" % (name, durations)] * (durations != sorted(durations))
    return problems + ["%d closed" % len(closes)] * (len(closes) != 2 * len(pairs))


if __name__ == "__main__":
    sys.exit(main_of_checks())
