#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the man page's examples that need root, on connections that this test makes: each does what the page says.

They run in the page's order, in mount, process and network namespaces of their own. The tracker follows the whole
machine, so its records may include connections of others.
"""
import collections
import contextlib
import csv
import os
import re
import subprocess
import sys
import tempfile
import threading
import time

import manual
import accounting_line  # of tests/, which manual puts into the path
from replay_harness import check, equal, record_of, run, skip

sys.path.insert(0, os.path.join(manual.ROOT, "tests", "frontends"))
import known  # noqa: E402
from isolation import isolate  # noqa: E402
from netns import Net, add_addresses, link  # noqa: E402
from tracker import prepare, unavailable  # noqa: E402

INTERFACE = "eth0"
WEB, WEB_TLS, NOBODYS = 80, 443, 9
LINGER_SECONDS = 1.2
ROUND_SECONDS, ROUNDS = 0.1, 1000
FAILED = {"reset", "refused", "timeout", "unreachable", "expired"}
# Answers until the other side closes. Its process has the name of the page's web server.
NGINX = """
import selectors, socket
open("/proc/self/comm", "w").write("nginx")
watched = selectors.DefaultSelector()
listener = socket.create_server(("::", 80), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
watched.register(listener, selectors.EVENT_READ)
print(flush=True)
while True:
    for key, _ in watched.select():
        if key.fileobj is listener:
            watched.register(listener.accept()[0], selectors.EVENT_READ)
        elif key.fileobj.recv(64):
            key.fileobj.sendall(b"answer")
        else:
            watched.unregister(key.fileobj)
            key.fileobj.close()
"""


class Traffic:
    """Makes connections: to a local web server named nginx, to port 443 elsewhere, and to a port without a listener."""

    def __init__(self):
        self.net = Net()
        self.here, self.there = self.net.namespace("here"), self.net.namespace("there")
        self.subnet = self.net.subnet()
        link(self.here, INTERFACE, self.there, INTERFACE)
        add_addresses(self.here, INTERFACE, self.subnet, 1)
        add_addresses(self.there, INTERFACE, self.subnet, 2)
        self.nginx = subprocess.Popen([sys.executable, "-c", NGINX], stdout=subprocess.PIPE,
                                      preexec_fn=lambda: prepare(self.here.name))
        self.nginx.stdout.readline()
        self.held = [self.ask(self.there, self.subnet.ipv4), self.ask(self.there, self.subnet.ipv6)]
        self.rounds, self.ending, self.problem = 0, threading.Event(), None
        self.thread = threading.Thread(target=self.make)
        self.thread.start()

    def ask(self, space, address, server=1, port=WEB):
        client = known.socket_in(space, address(3 - server))
        client.connect((address(server), port))
        client.sendall(b"question")
        if port == WEB:
            client.recv(64)
        return client

    def make(self):
        listener = known.socket_in(self.there, self.subnet.ipv4(2), WEB_TLS)
        listener.listen()
        lingering = collections.deque()
        try:
            while not self.ending.is_set() and self.rounds < ROUNDS:
                self.make_one(listener, lingering)
                time.sleep(ROUND_SECONDS)
                self.rounds += 1
        except Exception as error:
            self.problem = error
        for one in [listener] + [client for _, client in lingering]:
            one.close()

    def make_one(self, listener, lingering):
        client = self.ask(self.here, self.subnet.ipv4, 2, WEB_TLS)
        server = listener.accept()[0]
        server.recv(64)
        client.close()
        server.close()
        with contextlib.suppress(ConnectionRefusedError):
            self.ask(self.here, self.subnet.ipv4, 2, NOBODYS)
        lingering.append((time.monotonic(), self.ask(self.there, self.subnet.ipv4)))
        while lingering[0][0] < time.monotonic() - LINGER_SECONDS:
            lingering.popleft()[1].close()

    def wait_for_rounds(self, count):
        enough = self.rounds + count
        while self.rounds < enough and self.thread.is_alive():
            time.sleep(ROUND_SECONDS)

    def close(self):
        self.ending.set()
        self.thread.join()
        for one in self.held:
            one.close()
        self.nginx.kill()
        self.nginx.communicate()
        self.net.delete()


class Shell:
    """Runs the examples in bash, in the namespace `here`."""

    def __init__(self, traffic, folder):
        self.traffic, self.folder = traffic, folder

    def type(self, command):
        """Runs a command, which must succeed. Returns its output and its messages."""
        path = os.path.dirname(manual.NETRACKER) + ":" + os.environ["PATH"]
        done = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=self.folder, stdin=subprocess.DEVNULL,
                              env=dict(os.environ, PATH=path), capture_output=True, text=True, timeout=90,
                              preexec_fn=lambda: prepare(self.traffic.here.name))
        equal(done.returncode, 0, "%s: %s" % (command, done.stderr))
        return done.stdout, done.stderr

    def lines_of(self, name):
        with open(os.path.join(self.folder, name)) as file:
            return file.read().splitlines()

    def address(self, version, host):
        return self.traffic.subnet.ipv6(host) if version == 6 else self.traffic.subnet.ipv4(host)

    def owns(self, text):
        return self.address(4, 1) in text or self.address(6, 1) in text


def rows(output):
    """Returns the records of text output as dicts by heading."""
    heading, *lines = [line.split() for line in output.splitlines()]
    return [dict(zip(heading, line)) for line in lines]


def outgoing(shell, output):
    found = rows(output)
    equal(len(found), 10, "records")
    check(all(row["ROLE"] == "client" and row["DST"].endswith(":443") for row in found), output)
    check(any(row["DST"] == "%s:443" % shell.address(4, 2) and row["OUTCOME"] == "closed:src" for row in found), output)


def failures(shell, output):
    found = rows(output)
    equal({row["OUTCOME"].partition(":")[0] for row in found} - FAILED, set(), "outcomes")
    own = [row for row in found if row["DST"] == "%s:%d" % (shell.address(4, 2), NOBODYS)]
    check(own, output)
    equal({row["OUTCOME"] for row in own}, {"refused:dst"}, "how they ended")


def alarm(_, output):
    equal(output.splitlines()[-1], "a connection failed", "the last line")


def slow_one(_, output):
    record, = map(record_of, output.splitlines())
    equal((record["role"], record["dst_port"]), ("server", WEB), "role and port")
    check(record["duration_ns"] >= 1e9, output)


def nginx_file(shell, output):
    equal(output, "", "standard output")
    records = [record_of(line) for line in shell.lines_of("nginx.json")]
    equal({record["comm"] for record in records}, {"nginx"}, "owners")
    check(any(record["dst_ip"] == shell.address(4, 1) for record in records), "no record is this test's")


def nginx_described(shell, output):
    records = [record_of(line) for line in shell.lines_of("nginx.json")]
    described = re.findall(r"^\S+ -> \S+: .* id (\w+)$", output, re.M)
    equal(described, [record["id"] for record in records], "ids of the described connections")


def summary(shell, output):
    check(re.search(r"^\d+ connections: ", output, re.M), output)
    for heading, first in (("PROCESS", "nginx"), ("SERVICE", "%s:80" % shell.address(4, 1)),
                           ("PEER", shell.address(4, 1))):
        table = re.search(r"^%s .*\n((?:.+\n)*)" % heading, output, re.M)
        check(table and re.search(r"^%s " % re.escape(first), table[1], re.M), "%s: %s" % (heading, output))


def listed(shell, output):
    found = rows(output)
    check(all(row["DST"].endswith(":80") and row["ROLE"] == "server" for row in found), output)
    for held in shell.traffic.held:
        address, port = held.getsockname()[:2]
        name = "[%s]:%d" % (address, port) if ":" in address else "%s:%d" % (address, port)
        equal([(row["COMM"], row["STATE"]) for row in found if row["SRC"] == name], [("nginx", "established")], name)


def listed_file(shell, output):
    equal(output, "", "standard output")
    records = list(csv.DictReader(shell.lines_of("open.csv")))
    equal({(record["family"], record["uid"], record["outcome"]) for record in records}, {("ipv6", "0", "open")},
          "values")
    port = str(shell.traffic.held[1].getsockname()[1])
    check(any(record["src_port"] == port and record["dst_ip"] == shell.address(6, 1) for record in records), records)


def attached(shell, _):
    shell.traffic.wait_for_rounds(5)


def status(_, output):
    check(output.startswith(INTERFACE + ": attached"), output)
    check(re.search(r"[1-9]\d* printed", output), "no line: " + output)


def nothing(_, __):
    """Checks nothing: the page shows all the output."""


CHECKS = {
    "netracker -D 443 -n 10": outgoing,
    "netracker -x -t 5": failures,
    "netracker -x -t 5 --fail-if-any || echo 'a connection failed'": alarm,
    "netracker -L 80 --role server --min-duration 1s -f json -n 1": slow_one,
    "netracker -c nginx -f json -t 5 -o nginx.json": nginx_file,
    "netracker explain nginx.json": nginx_described,
    "netracker --summary --interval 2s -t 5": summary,
    "netracker list -L 80": listed,
    "netracker list -u root -6 -f csv -o open.csv": listed_file,
    "netracker attach -i eth0": attached,
    "netracker status": status,
    "netracker detach": nothing,
}
TRACKS = {command for command in CHECKS if re.match(r"netracker -", command)}


def examples():
    found = [example for example in manual.examples() if example.needs_root or example.command in CHECKS]
    equal([example.command for example in found], list(CHECKS), "the examples")
    with tempfile.TemporaryDirectory(prefix="nt-manual-") as folder:
        traffic = Traffic()
        try:
            for example in found:
                try_example(Shell(traffic, folder), example)
        finally:
            traffic.close()
        equal(traffic.problem, None, "traffic")


def try_example(shell, example):
    output, messages = shell.type(example.command)
    if example.output:
        equal(output + messages, example.output, example.command)
    if example.command in TRACKS:
        check(accounting_line.balances(messages), "%s: %s" % (example.command, messages))
    CHECKS.get(example.command, nothing)(shell, output)


def skipped():
    skip("the examples that need root: " + unavailable())


if __name__ == "__main__":
    isolate()
    run([skipped if unavailable() else examples])
