#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares the records of real servers' connections with what the servers' logs and a counting relay say of them."""
import functools
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live"))
import server_programs  # noqa: E402
from bench import check, main_of_checks  # noqa: E402
from counting_relay import NAME as RELAY_NAME, Relay  # noqa: E402
from harness import Skip  # noqa: E402
from places import incoming  # noqa: E402
from server_programs import Server, need, user_of  # noqa: E402
from tracker import prepare  # noqa: E402

RECORD_SECONDS, CLIENT_SECONDS = 8, 60
SERVER_PORT, BACKEND_PORT, RELAY_PORT = 8701, 8702, 8703
CONNECTIONS = 8
COUNTED = ("src_bytes", "dst_bytes", "outcome", "ended_by")


def run_client(place, *command, may_fail=False, data=None, environment=None):
    """Runs a client in the client's namespace."""
    done = subprocess.run(command, input=data, capture_output=True, text=True, timeout=CLIENT_SECONDS,
                          preexec_fn=lambda: prepare(place.client.namespace.name),
                          env=dict(os.environ, **(environment or {})))
    if done.returncode and not may_fail:
        raise AssertionError("%s: %s%s" % (command[0], done.stdout[-200:], done.stderr[-300:]))
    return done.stdout


# Clients: each makes several connections to the relay

def fetch_pages(place, address):
    url = "http://%s:%d/page" % address
    curl, = need("curl")
    for number in range(CONNECTIONS):
        run_client(place, curl, "-s", "-S", "-o", "/dev/null", "-m", "20", *[url] * (1 + number % 3))


def echo(place, address, generator):
    """Runs in the client's namespace. Closes in order, or aborts after everything came back."""
    with socket.create_connection(address) as one:
        for _ in range(generator.randrange(1, 5)):
            data = generator.randbytes(generator.randrange(1, 100000))
            left = len(data)
            one.sendall(data[:left // 2])
            one.sendall(data[left // 2:])
            while left:
                left -= len(one.recv(left))
        one.shutdown(socket.SHUT_WR)
        one.recv(1)


def echo_often(place, address):
    for number in range(CONNECTIONS):
        place.client.namespace.inside(echo, place, address, random.Random(number))


def query_postgresql(place, address):
    psql, = need("psql")
    for number in range(CONNECTIONS):
        run_client(place, psql, "-X", "-q", "-h", address[0], "-p", str(address[1]), "-U", "postgres", "-d", "postgres",
                   "-c", "select repeat('x', %d)" % (number * 10000))


def query_mariadb(place, address):
    client, = need("mariadb")
    for number in range(CONNECTIONS):
        run_client(place, client, "--no-defaults", "-h", address[0], "-P", str(address[1]), "-unt", "-pnt", "-e",
                   "select repeat('x', %d)" % (number * 10000))


def command_redis(place, address):
    client, = need("redis-cli")
    for number in range(CONNECTIONS):
        run_client(place, client, "-h", address[0], "-p", str(address[1]),
                   data="set key%d %s\nget key%d\n" % (number, "v" * 3000 * number, number))


def copy_by_sftp(place, address, folder):
    client, = need("sftp")
    for number in range(3):
        run_client(place, client, "-q", "-b", "-", "-P", str(address[1]), "-i", os.path.join(folder, "client_key"),
                   "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "daemon@" + address[0],
                   data="get /etc/services %s\n" % os.path.join(folder, "copy%d" % number))


def list_by_ftp(place, address):
    curl, = need("curl")
    for _ in range(3):
        run_client(place, curl, "-s", "-S", "-m", "20", "--ftp-skip-pasv-ip", "ftp://%s:%d/" % address, may_fail=True)


# Owners: each returns the problems of a server's record

def is_logged(pattern, user, server, record):
    """The log has a line with the peer's port and the pid of the process that served it."""
    found = dict(server.log_lines(pattern))
    wanted = (found.get(str(record["src_port"])), user_of(user).pw_uid)
    seen = (str(record.get("pid")), record.get("uid"))
    return [] if seen == wanted else ["pid and uid are %s, the log says %s" % (seen, wanted)]


def is_server(user, server, record):
    wanted = (server.process.pid, user_of(user).pw_uid)
    seen = (record.get("pid"), record.get("uid"))
    return [] if seen == wanted else ["pid and uid are %s, should be %s" % (seen, wanted)]


def is_sftp_child(server, record):
    """sshd's monitor keeps a copy of the descriptor; the process that runs as the user reads and writes."""
    children = [pid for pid, in server.log_lines(r"User child is on pid (\d+)")]
    if str(record.get("pid")) in children and record.get("uid") == user_of("daemon").pw_uid:
        return []
    return ["owner %s uid %s, user children %s" % (record.get("pid"), record.get("uid"), children)]


def is_ftp_process(server, record):
    if record.get("comm") == "vsftpd" and record.get("pid") != server.process.pid:
        return []
    return ["owner %s %s" % (record.get("pid"), record.get("comm"))]


# One check for each server

class Trial:
    """A server, the relay before it, and the tracker."""

    def __init__(self, bench):
        self.world = bench.world(incoming)
        self.place = self.world.place
        self.folder = tempfile.mkdtemp(prefix="nt-servers-")
        self.tracker = bench.tracker("--events", "close")
        self.servers, self.relay = [], None

    def server(self, port=SERVER_PORT):
        folder = os.path.join(self.folder, str(port))
        os.makedirs(folder)
        self.servers.append(Server(self.place.server, folder, port))
        return self.servers[-1]

    def relay_to(self, server):
        self.relay = Relay(self.place.client, (server.address, server.port), RELAY_PORT)
        return self.relay

    def truth(self):
        deadline = time.monotonic() + CLIENT_SECONDS
        while True:
            facts, still_open = self.relay.truth()
            if not still_open:
                return facts
            assert time.monotonic() < deadline, "%d connections stay open" % still_open
            time.sleep(0.05)

    def records(self, wanted, port):
        def own(records):
            inodes = (self.place.server.namespace.inode, self.place.client.namespace.inode)
            return [one for one in records if one.get("netns") in inodes and one["dst_port"] == port]
        self.tracker.wait(lambda got: len(own(got)) >= wanted, RECORD_SECONDS)
        self.tracker.wait(lambda got: False, 0.5)
        return own(self.tracker.records)

    def stop(self):
        for server in self.servers:
            server.stop()
        if self.relay:
            self.relay.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def compare(fact, record):
    problems = ["%s is %r, should be %r" % (key, record.get(key), fact[key]) for key in COUNTED
                if record.get(key) != fact[key]]
    if record["gaps"]:
        problems.append("gaps %s" % record["gaps"])
    return problems


def judge(trial, server, owner):
    facts = {fact["port"]: fact for fact in trial.truth()}
    records = trial.records(2 * len(facts), server.port)
    problems = [] if facts else ["no connection was made"]
    for role in ("client", "server"):
        found = {one["src_port"]: one for one in records if one["role"] == role}
        problems += ["%s records: ports %s, should be %s" % (role, sorted(found), sorted(facts))] * (
            set(found) != set(facts))
        for port in set(found) & set(facts):
            own = compare(facts[port], found[port])
            if role == "server":
                own += owner(server, found[port])
            elif found[port].get("comm") != RELAY_NAME or found[port].get("pid") != trial.relay.pid:
                own.append("owner %s %s" % (found[port].get("pid"), found[port].get("comm")))
            problems += ["%s record of port %d: %s" % (role, port, text) for text in own]
    extra = [one for one in records if one["role"] == "observer"]
    return problems + ["%d observers' records: %s" % (len(extra), extra[:1])] * bool(extra)


def try_server(bench, start, use, owner):
    trial = Trial(bench)
    try:
        server = trial.server()
        start(server)
        relay = trial.relay_to(server)
        use(trial.place, relay.address)
        return judge(trial, server, owner)
    finally:
        trial.stop()


BY_PORT = r"^(\d+) (\d+)$"


@check("nginx: two workers")
def nginx(bench):
    return try_server(bench, server_programs.nginx, fetch_pages, functools.partial(is_logged, BY_PORT, "www-data"))


def apache_check(module, user="www-data"):
    @check("apache: mpm_" + module)
    def apache(bench):
        return try_server(bench, lambda server: server_programs.apache(server, module, user), fetch_pages,
                          functools.partial(is_logged, BY_PORT, user))


for apache_module in ("prefork", "event"):
    apache_check(apache_module)
apache_check("itk", "games")


@check("haproxy before nginx: both connections of each request")
def haproxy(bench):
    trial = Trial(bench)
    try:
        behind = trial.server(BACKEND_PORT)
        server_programs.nginx(behind)
        server = trial.server()
        server_programs.haproxy(server, behind)
        relay = trial.relay_to(server)
        fetch_pages(trial.place, relay.address)
        problems = judge(trial, server, functools.partial(is_server, "root"))
        server.stop()
        inner = [one for one in trial.records(2, BACKEND_PORT) if one["role"] == "client"]
        problems += ["no connection to the back end"] * (not inner)
        return problems + ["back end: owner %s, should be %d" % (one.get("pid"), server.process.pid) for one in inner
                           if one.get("pid") != server.process.pid]
    finally:
        trial.stop()


@check("postgresql: a process for each session")
def postgresql(bench):
    return try_server(bench, server_programs.postgresql, query_postgresql,
                      lambda server, record: is_logged(r"^\[(?=\d+ [0-9.]+\((\d+)\)\] LOG:  connection auth)(\d+)",
                                                       "postgres", server, record))


@check("mariadb: a thread for each session")
def mariadb(bench):
    return try_server(bench, server_programs.mariadb, query_mariadb, functools.partial(is_server, "mysql"))


@check("redis")
def redis(bench):
    return try_server(bench, server_programs.redis, command_redis, functools.partial(is_server, "root"))


@check("sshd: sftp as another user")
def sshd(bench):
    trial = Trial(bench)
    try:
        server = trial.server()
        server_programs.sshd(server)
        relay = trial.relay_to(server)
        copy_by_sftp(trial.place, relay.address, server.folder)
        return judge(trial, server, is_sftp_child)
    finally:
        trial.stop()


@check("vsftpd: the control connections")
def vsftpd(bench):
    return try_server(bench, server_programs.vsftpd, list_by_ftp, is_ftp_process)


def is_in_container(server, record):
    with open(server.path("cid")) as file:
        identity = file.read()
    return [] if record.get("container") == identity else ["container is %r, should be %s" % (record.get("container"),
                                                                                              identity)]


@check("podman: a web server in a container")
def podman(bench):
    return try_server(bench, server_programs.podman, fetch_pages, is_in_container)


for language in ("node", "go", "java"):
    @check("%s: an echo server" % language)
    def echo_server(bench, start=getattr(server_programs, language)):
        return try_server(bench, start, echo_often, functools.partial(is_server, "root"))


if __name__ == "__main__":
    sys.exit(main_of_checks())
