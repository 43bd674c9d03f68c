#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests the metrics of live tracking: the numbers are those of known connections, and hostile clients change nothing."""
import http.client
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error

from bench import check, main_of_checks
from metrics_page import PORT, SECONDS, close_all, closed, fetch, own_net, parse, scrape, scrape_until, value, within
from places import elsewhere, outgoing
from tracker import PROGRAM, prepare
from traffic import exchange_all

CROWDS = 5
SOON = 5  # seconds; less than the time after which the server closes a silent connection
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
EACH = 4


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
    again = sum(record.get("src_retransmits", 0) + record.get("dst_retransmits", 0) for record in tracker.records)
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
            # a segment that the machine was late to acknowledge was sent again, as records say
            if found != wanted and not (own == "netracker_sent_retransmits_total" and 0 < found <= again):
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
    pairs = world.pairs(EACH)  # a process that begins later would get copies of the sockets below, which stay open then
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


@check("16 clients that send a byte a second, for ever, do not keep others out")
def trickling(bench):
    tracker = bench.tracker("--metrics", str(PORT), "-c", "nobody")
    fetch(bench)
    crowd = [raw(bench, b"GET /metrics HTTP/1.1\r\nX: ") for _ in range(16)]
    ends = threading.Event()

    def trickle():
        while not ends.wait(1):
            for place, sock in enumerate(crowd):
                try:
                    sock.sendall(b"a")
                except OSError:
                    sock.close()
                    crowd[place] = raw(bench, b"GET /metrics HTTP/1.1\r\nX: ")

    thread = threading.Thread(target=trickle)
    thread.start()
    problems = []
    for _ in range(3):
        began = time.monotonic()
        try:
            parse(fetch(bench)[2])
        except OSError as error:
            problems.append("%s" % error)
        if time.monotonic() - began > SOON / 2:
            problems.append("a scrape took %.1f s" % (time.monotonic() - began))
        time.sleep(1)
    ends.set()
    thread.join()
    for sock in crowd:
        sock.close()
    return problems + (["the status is not 0"] if tracker.stop() else [])


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


def state(samples, name):
    return value(samples, "netracker_connections", state=name)


@check("open connections by state: those of known sockets are added, and no state is there without the sockets")
def states(bench):
    world = bench.world(elsewhere)
    tracker = bench.tracker("--metrics", str(PORT))
    before = scrape(bench)
    pairs = world.pairs(3 * EACH)
    for client, server in pairs[:EACH]:
        client.shutdown()
        server.receive_eof()
    # others on this machine open and close connections, but leave few half closed
    scrape_until(bench, lambda samples: state(samples, "fin_wait2") >= state(before, "fin_wait2") + EACH and
                 state(samples, "close_wait") >= state(before, "close_wait") + EACH and
                 state(samples, "established") >= 2 * 2 * EACH)
    for client, server in pairs[:EACH]:
        server.close()
    scrape_until(bench, lambda samples: state(samples, "close_wait") < state(before, "close_wait") + EACH and
                 state(samples, "fin_wait2") < state(before, "fin_wait2") + EACH)
    problems = ["the status is not 0"] if tracker.stop() else []
    tracker = bench.tracker("--metrics", str(PORT), "--context", "wire")
    if state(scrape(bench), "established") is not None:
        problems.append("states without sockets")
    return problems + (["the status is not 0"] if tracker.stop() else [])


@check("OpenMetrics for clients that ask for it; the same counts in both formats")
def openmetrics(bench):
    bench.tracker("--metrics", str(PORT), "-c", "nobody")
    scrape(bench)
    _, headers, text = fetch(bench, accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    problems = []
    if headers["Content-Type"] != "application/openmetrics-text; version=1.0.0; charset=utf-8":
        problems.append("type %s" % headers["Content-Type"])
    if not text.endswith("\n# EOF\n") or text.count("# EOF") != 1:
        problems.append("its end: %r" % text[-100:])
    counters = [name for name, kind in re.findall("^# TYPE (\\S+) (\\S+)$", text, re.M) if kind == "counter"]
    for name in counters:
        if name.endswith("_total") or not re.search("^# HELP %s " % name, text, re.M):
            problems.append("family %s" % name)
    other = re.sub("^# (HELP|TYPE) (%s) " % "|".join(counters), "# \\1 \\2_total ", text, flags=re.M)[:-len("# EOF\n")]
    if parse(other).keys() != parse(fetch(bench)[2]).keys():
        problems.append("the metrics are not those of the other format")
    return problems


if __name__ == "__main__":
    sys.exit(main_of_checks())
