#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests the owners that the BCC version's kprobes find: who connects and who accepts. If this machine's kernel has no
kprobes, `make test-bcc-kprobes KERNEL=...` runs it in another kernel."""
import os
import signal
import struct
import time

import known
from bcc_runner import Bcc, need_packages
from eunomia import Skip, check, equal, lab, mount_tracefs, run_tests
from peer import set_name

ACCEPT_DELAY_SECONDS = 0.1
WORKERS = 40
UID = 65534
KPROBES = "/sys/kernel/tracing/kprobe_events"


def need_kprobes():
    need_packages()
    if not os.path.exists("/sys/bus/event_source/devices/kprobe"):
        raise Skip("this kernel has no kprobes")
    if not os.path.exists("/sys/kernel/tracing/events"):
        mount_tracefs()


def child(function, *arguments):
    pid = os.fork()
    if pid == 0:
        try:
            function(*arguments)
            os._exit(0)
        finally:
            os._exit(1)
    return pid


def wait_for(pids):
    """Waits for children, which must succeed."""
    for pid in pids:
        equal(os.waitpid(pid, 0)[1], 0, "a child's status")


def listener_in(space, address):
    one = known.socket_in(space, address)
    one.listen(WORKERS)
    one.settimeout(None)
    return one


def connect(client, name, where):
    os.setuid(UID)
    set_name(name)
    client.connect(where)
    client.recv(1)


def accept_late(listener, name):
    set_name(name)
    time.sleep(ACCEPT_DELAY_SECONDS)
    listener.accept()[0].close()


def accept_and_report(listener, report, name):
    set_name(name)
    connection, peer = listener.accept()
    os.write(report, struct.pack("=IH", os.getpid(), peer[1]))
    connection.close()


def records_by_role(records, port):
    return {one["role"]: one for one in records if one["src_port"] == port}


def owner(record):
    return {key: record.get(key) for key in ("pid", "comm", "uid", "owner_by", "seen", "gaps")}


def test_owners():
    """Connects in both families; the process that accepts is not the one that listens."""
    need_kprobes()
    with lab() as here:
        runner = Bcc(here, "--context", "socket", "--format", "json", interface=None)
        made = []
        for version in (4, 6):
            address = here.address(2, version)
            listener, client = listener_in(here.there, address), known.socket_in(here.here, here.address(1, version))
            pids = [child(accept_late, listener, "accepts%d" % version),
                    child(connect, client, "connects%d" % version, (address, listener.getsockname()[1]))]
            wait_for(pids)
            made.append((version, client.getsockname()[1], pids))
            client.close()
            listener.close()
        records = runner.records()
        for version, port, (accepts, connects) in made:
            by_role = records_by_role(records, port)
            equal(sorted(by_role), ["client", "server"], "roles")
            owned = {"seen": ["socket", "calls"], "gaps": []}
            equal(owner(by_role["client"]), dict(owned, pid=connects, comm="connects%d" % version, uid=UID,
                                                 owner_by="connect"), "client")
            equal(owner(by_role["server"]), dict(owned, pid=accepts, comm="accepts%d" % version, uid=0,
                                                 owner_by="accept"), "server")
            waited = by_role["server"]["accept_wait_ns"]
            check(0.5 * ACCEPT_DELAY_SECONDS * 1e9 < waited < 5e9, "accept_wait_ns: %d" % waited)
            equal({one["outcome"] for one in by_role.values()}, {"closed"}, "outcomes")
            equal({one["ended_by"] for one in by_role.values()}, {"dst"}, "ended_by")


def test_workers():
    """Many processes wait in accept(), one connection each. The kernel may skip a program that interrupts another."""
    need_kprobes()
    with lab() as here:
        runner = Bcc(here, "--context", "socket", "--format", "json", interface=None, may_lose=True)
        address = here.address(2, 4)
        listener = listener_in(here.there, address)
        reader, report = os.pipe()
        workers = [child(accept_and_report, listener, report, "worker%d" % number) for number in range(WORKERS)]
        time.sleep(1)
        clients = [known.socket_in(here.here, here.address(1, 4)) for _ in workers]
        for client in clients:
            client.connect(listener.getsockname())
        wait_for(workers)
        for client in clients:
            client.close()
        reports = [struct.unpack("=IH", os.read(reader, 6)) for _ in workers]
        records = runner.records()
        servers = [(pid, records_by_role(records, port).get("server")) for pid, port in reports]
        missing = sum(server is None for _, server in servers)
        check(missing <= runner.lost + runner.still_open, "%d have no record: %r" % (missing, runner.errors))
        for pid, server in servers:
            if server:
                equal((server.get("pid"), server.get("comm")), (pid, "worker%d" % workers.index(pid)), "who accepted")


def test_nobody_accepts():
    need_kprobes()
    with lab() as here:
        runner = Bcc(here, "--context", "socket", "--format", "json", interface=None)
        listener = listener_in(here.there, here.address(2, 4))
        client = known.socket_in(here.here, here.address(1, 4))
        client.connect(listener.getsockname())
        port = client.getsockname()[1]
        client.close()
        listener.close()
        server = records_by_role(runner.records(), port)["server"]
        equal(server["gaps"], ["owner"], "gaps of a connection that nobody accepted")
        check("pid" not in server and server["seen"] == ["socket"], "it has no owner: %r" % server)


def test_leaves_nothing():
    need_kprobes()
    with lab() as here:
        before = events()
        for number in signal.SIGINT, signal.SIGTERM:
            runner = Bcc(here, "--context", "socket", interface=None)
            runner.lines(number)
            equal(events(), before, "kprobe events after signal %d" % number)


def events():
    with open(KPROBES) as file:
        return file.read()


run_tests([test_owners, test_workers, test_nobody_accepts, test_leaves_nothing])
