#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests the metrics of live tracking: the numbers are those of known connections, and hostile clients change nothing."""
import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

from bench import check, main_of_checks
from harness import Skip
from netns import RUN_DIRECTORY, enter_file
from places import elsewhere, outgoing
from tracker import POLL_SECONDS, PROGRAM, prepare
from traffic import exchange_all, require

PORT = 9777
SECONDS = 10
CROWDS = 5
SOON = 5  # seconds; less than the time after which the server closes a silent connection
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\S+)$')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\[\\"n])*)"')
ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
EACH = 4


@contextlib.contextmanager
def within(namespace):
    """Sockets that are made within belong to the namespace."""
    with open("/proc/self/ns/net") as own:
        enter_file(os.path.join(RUN_DIRECTORY, namespace.name))
        try:
            yield
        finally:
            enter_file("/proc/self/fd/%d" % own.fileno())


def parse(text):
    """Returns {(name, ((label, value), ...)): value}. The format is that of version 0.0.4."""
    samples, types = {}, {}
    require(text.endswith("\n"), "the last line is not whole")
    for line in text.splitlines():
        if line.startswith("# "):
            _, kind, name, rest = line.split(" ", 3)
            require(kind in ("HELP", "TYPE") and rest, line)
            if kind == "TYPE":
                require(name not in types, "%s has two types" % name)
                types[name] = rest
            continue
        match = SAMPLE.match(line)
        require(match, "no sample: %r" % line)
        name, labels, value = match.groups()
        family = re.sub("_(bucket|sum|count)$", "", name)
        require(types.get(name) in ("counter", "gauge") or types.get(family) == "histogram", "%s has no type" % name)
        key = name, tuple(sorted((label, re.sub(r"\\.", lambda escape: ESCAPES[escape.group()], text))
                                 for label, text in LABEL.findall(labels or "")))
        require(key not in samples, "twice: %r" % line)
        samples[key] = float(value)
    return samples


def value(samples, name, **labels):
    return samples.get((name, tuple(sorted(labels.items()))))


def fetch(bench, path="/metrics", address="127.0.0.1", method="GET"):
    request = urllib.request.Request("http://%s:%d%s" % (address, PORT, path), method=method)
    with within(bench.here), urllib.request.urlopen(request, timeout=SECONDS) as answer:
        return answer.status, answer.headers, answer.read().decode()


def scrape(bench, **options):
    return parse(fetch(bench, **options)[2])


def scrape_until(bench, condition):
    """The accounting in the metrics is as old as a second, and a connection's record may wait for its packets."""
    deadline = time.monotonic() + SECONDS
    samples = scrape(bench)
    while not condition(samples):
        require(time.monotonic() < deadline, "after %d s: %s" % (SECONDS, samples))
        time.sleep(POLL_SECONDS)
        samples = scrape(bench)
    return samples


def closed(samples):
    return sum(count for (name, _), count in samples.items() if name == "netracker_connections_closed_total")


def own_net(world):
    return ["--net", "%s,%s" % (world.place.client.address, world.place.server.address)]


def close_all(pairs):
    for client, server in pairs:
        client.close()
        server.receive_eof()
        server.close()


def buckets(samples, name, **labels):
    """Returns the counts of a histogram's buckets in ascending order of their bounds."""
    found = {}
    for (sample, own), count in samples.items():
        own = dict(own)
        if sample == name + "_bucket" and all(own[label] == text for label, text in labels.items()):
            found[float(own["le"])] = count
    return [found[bound] for bound in sorted(found)]


def check_histogram(samples, name, expected, **labels):
    """`expected`: the exact values, in ns, from the records."""
    counts = buckets(samples, name, **labels)
    total, count = value(samples, name + "_sum", **labels), value(samples, name + "_count", **labels)
    problems = []
    if counts != sorted(counts) or not counts or counts[-1] != count:
        problems.append("%s: buckets %s, count %s" % (name, counts, count))
    if count != len(expected) or abs(total - sum(expected) / 1e9) > 1e-9:
        problems.append("%s: %s in %s; expected %d in %s" % (name, total, count, sum(expected), len(expected)))
    return problems


@check("the counts are those of the connections, and of the records in the other output")
def counts(bench):
    world = bench.world(outgoing)
    tracker = bench.tracker("--metrics", str(PORT), *own_net(world))
    pairs = world.pairs(EACH + 1)
    exchange_all(pairs)
    close_all(pairs[:EACH])
    client, server = pairs[EACH]
    client.abort()
    server.receive_error(104)
    server.close_quietly()
    samples = scrape_until(bench, lambda samples: closed(samples) == 2 * (EACH + 1) and
                           value(samples, "netracker_connections_opened_total") >= 2 * (EACH + 1))
    tracker.wait(lambda records: len(records) == 2 * (EACH + 1), SECONDS)
    status = tracker.stop()
    problems = ["status %d" % status] if status else []
    up, down = sum(pair[0].sent for pair in pairs), sum(pair[1].sent for pair in pairs)
    name = "netracker_connections_closed_total"
    for role, program, sent, received in (("client", "nt-client", up, down), ("server", "nt-server", down, up)):
        labels = {"role": role, "program": program}
        for wanted, own, more in (
                (EACH, name, {"outcome": "closed", "ended_by": "src"}),
                (1, name, {"outcome": "reset", "ended_by": "src"}),
                (sent, "netracker_sent_bytes_total", {}), (received, "netracker_received_bytes_total", {}),
                (0, "netracker_sent_retransmits_total", {})):
            found = value(samples, own, **labels, **more)
            if found != wanted:
                problems.append("%s %s %s: %s, expected %s" % (own, labels, more, found, wanted))
        records = [record for record in tracker.records if record["role"] == role]
        for own, key in (("handshake", "handshake_ns"), ("connection", "duration_ns")):
            problems += check_histogram(samples, "netracker_%s_duration_seconds" % own,
                                        [record[key] for record in records if key in record], **labels)
        problems += check_histogram(samples, "netracker_response_duration_seconds",
                                    [record["response_ns"] - record["request_ns"] for record in records
                                     if "response_ns" in record and "request_ns" in record], **labels)
    for (sample, labels), _ in samples.items():
        if any(re.match(r"\d+\.\d+\.\d+\.\d+", text) for label, text in labels if label not in ("le", "version")):
            problems.append("an address: %s %s" % (sample, labels))
    if any(count for (sample, _), count in samples.items() if sample == "netracker_connections_lost_total"):
        problems.append("losses: %s" % samples)
    cpu, memory = (value(samples, "netracker_process_" + own)
                   for own in ("cpu_seconds_total", "resident_memory_bytes"))
    if not (0 < cpu < 100 and 1 << 20 < memory < 1 << 30):
        problems.append("CPU %s s, memory %s" % (cpu, memory))
    if not any(sample == "netracker_build_info" for sample, _ in samples):
        problems.append("no netracker_build_info")
    return problems


@check("--metrics-programs: the first programs keep their names, the rest is other; names are hostile; IPv6")
def programs(bench):
    world = bench.world(elsewhere)
    tracker = bench.tracker("--metrics", "[::1]:%d" % PORT, "--metrics-programs", "2", *own_net(world))
    server = world.server("first")
    listener = world.listen(server)
    names = ['a"} 1\\\n', "third", "fourth"]
    for name in names:
        close_all([world.pair(world.client(name), listener)])
        tracker.wait(lambda records: len(records) == 2 * (1 + names.index(name)), SECONDS)
    samples = scrape(bench, address="[::1]")
    found = {dict(labels)["program"]: count for (sample, labels), count in samples.items()
             if sample == "netracker_connections_closed_total"}
    expected = {"first": 3, 'a"} 1\\\\\\x0a': 1, "other": 2}
    return [] if found == expected else ["%s, expected %s" % (found, expected)]


def raw(bench, data):
    with within(bench.here):
        sock = socket.create_connection(("127.0.0.1", PORT), SECONDS)
    sock.sendall(data)
    return sock


def status_of(bench, **options):
    try:
        return fetch(bench, **options)[0]
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@check("HTTP: pages and statuses; garbage, silent and slow clients, many at once: tracking goes on, others are served")
def clients(bench):
    world = bench.world(outgoing)
    tracker = bench.tracker("--metrics", str(PORT), *own_net(world))
    problems = []
    status, headers, _ = fetch(bench)
    if (status, headers["Content-Type"]) != (200, CONTENT_TYPE):
        problems.append("%s %s" % (status, headers))
    status, headers, body = fetch(bench, method="HEAD")
    if status != 200 or body or int(headers["Content-Length"]) < 1000:
        problems.append("HEAD: %s %s" % (status, headers))
    if "/metrics" not in fetch(bench, path="/")[2]:
        problems.append("/ does not name /metrics")
    statuses = [status_of(bench, path="/metrics/../etc/passwd"), status_of(bench, path="/x"),
                status_of(bench, method="POST"), status_of(bench, method="DELETE", path="/")]
    if statuses != [404, 404, 405, 405]:
        problems.append("statuses %s" % statuses)
    garbage = [raw(bench, data) for data in (b"", b"G", b"GET /metrics HTTP/1.1\r\nX: ", b"\x16\x03\x01\x02\x00" * 99,
                                             b"GET " + b"/" * 15000, b"POST /metrics HTTP/1.1\r\nHost: a\r\n"
                                             b"Content-Length: 99999999999\r\n\r\n" + bytes(9999))]
    unread = raw(bench, b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 100)
    first, second = (http.client.HTTPConnection("127.0.0.1", PORT, timeout=SECONDS) for _ in range(2))
    with within(bench.here):
        first.connect()
        second.connect()
    for connection in (first, second, first, second):
        connection.request("GET", "/metrics")
        parse(connection.getresponse().read().decode())
    for _ in range(CROWDS):
        for sock in [raw(bench, b"GET") for _ in range(16)]:
            sock.close()
        began = time.monotonic()
        fetch(bench)
        if time.monotonic() - began > SOON:
            problems.append("clients that have gone keep others out")
    crowd = [raw(bench, b"GET") for _ in range(16)]
    pairs = world.pairs(EACH)
    exchange_all(pairs)
    close_all(pairs)
    tracker.wait(lambda records: len(records) == 2 * EACH, SECONDS)
    for sock in [*garbage, unread, *crowd]:
        sock.close()
    first.close()
    second.close()
    scrape_until(bench, lambda samples: closed(samples) == 2 * EACH)
    if tracker.stop():
        problems.append("the status is not 0")
    return problems


@check("a port in use, an address of another machine, a port that is not permitted: one line, and its status")
def refused(bench):
    problems = []
    with within(bench.here):
        taken = socket.create_server(("127.0.0.1", PORT))

    def without_privileges():
        prepare(bench.here.name)
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)

    for address, status, words, prepared in (
            (str(PORT), 1, "another process listens there", lambda: prepare(bench.here.name)),
            ("192.0.2.1:%d" % PORT, 1, "this machine does not have this address", lambda: prepare(bench.here.name)),
            ("80", 3, "not permitted", without_privileges)):
        done = subprocess.run([PROGRAM, "--metrics", address], capture_output=True, text=True, timeout=60,
                              preexec_fn=prepared)
        if done.returncode != status or done.stderr.count("\n") != 1 or words not in done.stderr:
            problems.append("%s: status %d: %s" % (address, done.returncode, done.stderr))
    taken.close()
    return problems


def ask_prometheus(bench, query):
    url = "http://127.0.0.1:%d/api/v1/query?query=%s" % (PORT + 1, query)
    try:
        with within(bench.here), urllib.request.urlopen(url, timeout=SECONDS) as answer:
            found = json.load(answer)["data"]["result"]
    except OSError:  # it has not begun to listen
        return None
    return float(found[0]["value"][1]) if found else None


def lint(text):
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
    return [] if (done.returncode, done.stdout, done.stderr) == (0, "", "") else [str(done)]


@check("promtool finds nothing to improve, and a Prometheus server scrapes it")
def prometheus(bench):
    if not shutil.which("promtool") or not shutil.which("prometheus"):
        raise Skip("prometheus: not installed")
    world = bench.world(outgoing)
    tracker = bench.tracker("--metrics", str(PORT), *own_net(world))
    pairs = world.pairs(EACH)
    exchange_all(pairs)
    close_all(pairs)
    tracker.wait(lambda records: len(records) == 2 * EACH, SECONDS)
    path = os.path.join(bench.directory, "prometheus.yml")
    with open(path, "w") as file:
        file.write("global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: netracker\n  static_configs:\n"
                   "  - targets: ['127.0.0.1:%d']\n" % PORT)
    with open(os.path.join(bench.directory, "prometheus.log"), "wb") as log:
        server = subprocess.Popen(["prometheus", "--config.file=" + path, "--storage.tsdb.path=" + path + ".d",
                                   "--web.listen-address=127.0.0.1:%d" % (PORT + 1)], stdout=log, stderr=log,
                                  preexec_fn=lambda: prepare(bench.here.name))
    try:
        deadline = time.monotonic() + 3 * SECONDS
        while ask_prometheus(bench, "sum(netracker_connections_closed_total)") != 2 * EACH:
            require(time.monotonic() < deadline, "Prometheus has not got the metrics")
            time.sleep(0.2)
        bytes_sent = ask_prometheus(bench, "sum(netracker_sent_bytes_total)")
    finally:
        server.kill()
        server.wait()
    expected = sum(endpoint.sent for pair in pairs for endpoint in pair)
    return lint(fetch(bench)[2]) + ([] if bytes_sent == expected else ["%s bytes, expected %s" % (bytes_sent, expected)])


if __name__ == "__main__":
    sys.exit(main_of_checks())
