#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests the keys cgroup and container with cgroups named like those of container managers, in the unified hierarchy and
in those of version 1; with cgroups that are gone when the record is written; with names of any bytes.

The expected value is read from /proc/PID/cgroup while the process lives.
"""
import os
import sys

from account import balances
from bench import check, main_of_checks
from cgroups import hierarchies
from harness import Skip
from places import loopback
from traffic import exchange, settle

RECORD_SECONDS = 4
ID = "%064x" % (0xc0ffee0123456789abcdef << 160 | os.getpid())
OUTER = "fe" * 32
SHORT = "a1" * 16
POD = "0b1ac1a5-2d2a-4f0b-9d3e-6d6bb5b0a5f1"
POD_SLICE = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod%s.slice" % POD.replace("-", "_")
USER_SLICE = "/user.slice/user-1000.slice/user@1000.service/user.slice"

# The path of the cgroup, and the container.
PATTERNS = [
    ("/docker/" + ID, ID),
    ("/system.slice/docker-%s.scope" % ID, ID),
    ("/docker/%s/system.slice/nginx.service" % ID, ID),
    ("/machine.slice/libpod-%s.scope" % ID, ID),
    ("/machine.slice/libpod-%s.scope/container" % ID, ID),
    (USER_SLICE + "/libpod-%s.scope/container" % ID, ID),
    ("/libpod_parent/libpod-" + ID, ID),
    ("/machine.slice/libpod-conmon-%s.scope" % ID, None),
    (POD_SLICE + "/cri-containerd-%s.scope" % ID, ID),
    (POD_SLICE + "/crio-%s.scope" % ID, ID),
    (POD_SLICE + "/crio-conmon-%s.scope" % ID, None),
    ("/kubepods/besteffort/pod%s/%s" % (POD, ID), ID),
    ("/system.slice/containerd.service/kubepods-besteffort-pod%s.slice:cri-containerd:%s" % (POD, ID), ID),
    ("/docker/%s/docker/%s" % (OUTER, ID), ID),
    ("/docker/%s/machine.slice/libpod-conmon-%s.scope" % (OUTER, ID), OUTER),
    ("/system.slice/nt-nginx.service", None),
    ("/lxc.payload.web", None),
    ("/machine.slice/systemd-nspawn@web.service/payload", None),
    ("/default/redis", None),
    ("/nt/" + ID + "0", None),
    ("/nt/" + SHORT, None),
]
# All kinds of bytes except slash and newline, which the kernel refuses.
HOSTILE = [b"/nt-\x1b[31m\"quoted\"\\|,", b"/nt-\xff\xfe\xc3", b"/nt-\x01\x02\r\t", b"/nt- a b/-", b"/" + b"y" * 255,
           (b"/" + b"z" * 200) * 15]
TOO_DEEP = b"/nt" * 16


class Trial:
    """A tracker, a server, and a client that the test moves between cgroups."""

    def __init__(self, bench, *arguments):
        self.bench = bench
        self.world = bench.world(loopback)
        self.tracker = bench.tracker(*arguments)
        self.client, self.server = self.world.client("nt-c-cgroup"), self.world.server("nt-s-cgroup")
        self.listener = self.world.listen(self.server)
        self.wanted, self.problems = {}, []

    def connection_from(self, places, expected_in, container):
        """Makes a connection while the client is in these (hierarchy, path); they are gone when it ends."""
        for hierarchy, path in places:
            hierarchy.make(path)
            hierarchy.move(self.client.pid, path)
        cgroup = expected_in.path_of(self.client.pid) if expected_in else None
        pair = self.world.pair(self.client, self.listener)
        self.leave(self.client, places)
        self.expect("client", pair[0].local[1], cgroup, container)
        self.close(*pair)

    @staticmethod
    def leave(peer, places):
        for hierarchy, _ in places:
            hierarchy.move(peer.pid)
            hierarchy.remove()

    @staticmethod
    def close(client, server):
        exchange(client, server, 10, 20)
        client.close()
        server.receive_eof()
        server.close()

    def expect(self, role, client_port, cgroup, container):
        self.wanted[role, client_port] = (cgroup, container)

    def judge(self):
        def found(records):
            return {(record["role"], record["src_port"]): record for record in self.bench.own(records)}
        self.tracker.wait(lambda got: set(self.wanted) <= set(found(got)), RECORD_SECONDS)
        self.tracker.stop()
        records = found(self.tracker.records)
        problems = ["no JSON: %r" % line for line in self.tracker.bad_lines[:1]]
        for key, (cgroup, container) in self.wanted.items():
            record = records.get(key)
            if record is None:
                problems.append("no record of %s %d" % key)
            elif record.get("cgroup") != written(cgroup) or record.get("container") != container:
                problems.append("cgroup is %r, container %r; should be %r, %r" % (
                    record.get("cgroup"), record.get("container"), written(cgroup), container))
        return problems


def written(path):
    """Returns a path as records have it: an invalid byte of UTF-8 becomes the characters \\xNN (docs/record.md)."""
    return None if path is None else path.decode(errors="backslashreplace")


def hierarchy(key):
    found = hierarchies()
    if key not in found:
        raise Skip("this kernel has no such hierarchy: %s" % (key or "unified"))
    return found[key]


def first_of_version_1():
    """Returns systemd's hierarchy or the memory controller's, which netracker prefers, or any other."""
    found = hierarchies()
    for key in ["name=systemd", "memory", *found]:
        if key and key in found:
            return found[key]
    raise Skip("this kernel has no hierarchy of version 1")


def run_patterns(bench, where):
    trial = Trial(bench)
    try:
        for path, container in PATTERNS:
            trial.connection_from([(where, os.fsencode(path))], where, container)
        return trial.judge()
    finally:
        where.clean_up()


@check("container managers' and systemd's paths in the unified hierarchy")
def patterns_unified(bench):
    return run_patterns(bench, hierarchy(""))


@check("container managers' and systemd's paths in a hierarchy of version 1")
def patterns_version_1(bench):
    return run_patterns(bench, first_of_version_1())


@check("container managers' and systemd's paths in the memory controller's hierarchy of version 1")
def patterns_memory(bench):
    return run_patterns(bench, hierarchy("memory"))


@check("a container in only one hierarchy has its id in the record, whichever hierarchy it is")
def any_hierarchy(bench):
    trial = Trial(bench)
    found = hierarchies()
    try:
        for where in found.values():
            trial.connection_from([(where, b"/docker/" + ID.encode())], where, ID)
        return trial.judge()
    finally:
        for where in found.values():
            where.clean_up()


@check("hybrid: the container is in version 1, the manager's service in the unified hierarchy")
def hybrid(bench):
    """Docker makes such cgroups if systemd mounts both kinds of hierarchies."""
    unified, old = hierarchy(""), first_of_version_1()
    trial = Trial(bench)
    try:
        for path in (b"/docker/" + ID.encode(), b"/system.slice/docker-%s.scope" % ID.encode()):
            trial.connection_from([(unified, b"/nt.slice/containerd.service"), (old, path)], old, ID)
        service = b"/nt.slice/nginx.service"
        trial.connection_from([(unified, service), (old, service)], old, None)
        return trial.judge()
    finally:
        unified.clean_up()
        old.clean_up()


@check("a server's cgroup is gone, and a process has ended, before the record is written")
def gone_before(bench):
    trial, where = Trial(bench), hierarchy("")
    path = b"/docker/" + ID.encode()
    try:
        where.make(path)
        where.move(trial.server.pid, path)
        client, server = trial.world.pair(trial.client, trial.listener)
        exchange(client, server, 10, 20)
        cgroup = where.path_of(trial.server.pid)
        where.move(trial.client.pid, path)
        short_lived = trial.world.pair(trial.client, trial.listener)
        trial.client.exit()
        where.move(trial.server.pid)
        where.remove()
        trial.expect("server", client.local[1], cgroup, ID)
        trial.expect("client", short_lived[0].local[1], cgroup, ID)
        server.receive_eof()
        for endpoint in (server, short_lived[1]):
            endpoint.close()
        return trial.judge()
    finally:
        where.clean_up()


@check("a process that moves has each connection's cgroup")
def moving(bench):
    trial, where = Trial(bench), hierarchy("")
    try:
        for number in range(6):
            one = "%064x" % (number + 1)
            trial.connection_from([(where, b"/docker/" + one.encode())], where, one)
        return trial.judge()
    finally:
        where.clean_up()


@check("a pre-existing connection has its cgroup")
def before_start(bench):
    where = hierarchy("")
    world = bench.world(loopback)
    client, server = world.client("nt-c-cgroup"), world.server("nt-s-cgroup")
    try:
        where.make(b"/docker/" + ID.encode())
        where.move(client.pid, b"/docker/" + ID.encode())
        cgroup = where.path_of(client.pid)
        pair = world.pair(client, world.listen(server))
        trial = Trial(bench)
        trial.expect("client", pair[0].local[1], cgroup, ID)
        trial.close(*pair)
        trial.leave(client, [(where, None)])
        return trial.judge()
    finally:
        where.clean_up()


@check("names with control characters, quotes and invalid UTF-8 stay inside their value; a path too deep is absent")
def hostile(bench):
    trial, where = Trial(bench), hierarchy("")
    try:
        for path in HOSTILE:
            trial.connection_from([(where, path)], where, None)
        trial.connection_from([(where, TOO_DEEP)], None, None)
        trial.connection_from([(where, TOO_DEEP + b"/docker-%s.scope" % ID.encode())], None, ID)
        return trial.judge()
    finally:
        where.clean_up()


@check("--container and --cgroup")
def filters(bench):
    where = hierarchy("")
    inner = b"/nt.slice/docker-%s.scope" % ID.encode()
    lines = [(["--container", ID], {1}), (["--container", ID[:12].upper()], {1}), (["--container", "fe"], {2}),
             (["--cgroup", "/nt.slice"], {1, 3}), (["--cgroup", "/nt.slice/"], {1, 3}),
             (["--cgroup", inner.decode()], {1}), (["--cgroup", "/nt"], set())]
    trials = [Trial(bench, *arguments) for arguments, _ in lines]
    first, problems, ports = trials[0], [], {}
    try:
        for number, path in enumerate([inner, b"/docker/" + OUTER.encode(), b"/nt.slice"], 1):
            where.make(path)
            where.move(first.client.pid, path)
            client, server = first.world.pair(first.client, first.listener)
            first.leave(first.client, [(where, path)])
            first.close(client, server)
            ports[client.local[1]] = number
        settle(0.5)
        for (arguments, wanted), trial in zip(lines, trials):
            trial.tracker.stop()
            got = {ports[record["src_port"]] for record in bench.own(trial.tracker.records)
                   if record["role"] == "client" and record["src_port"] in ports}
            if got != wanted:
                problems.append("%s: connections %s, should be %s" % (arguments, sorted(got), sorted(wanted)))
            if not balances(trial.tracker):
                problems.append("%s: %s" % (arguments, trial.tracker.stderr()[-300:]))
        return problems
    finally:
        where.clean_up()


if __name__ == "__main__":
    sys.exit(main_of_checks())
