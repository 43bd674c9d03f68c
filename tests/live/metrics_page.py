# SPDX-License-Identifier: GPL-2.0-or-later
"""Scrapes the tracker's metrics as Prometheus does, from within the tracker's network namespace."""
import contextlib
import os
import re
import time
import urllib.request

from netns import RUN_DIRECTORY, enter_file
from tracker import POLL_SECONDS
from traffic import require

PORT = 9777
SECONDS = 10
SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\S+)$')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\[\\"n])*)"')
ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


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


def fetch(bench, path="/metrics", address="127.0.0.1", method="GET", accept=None):
    request = urllib.request.Request("http://%s:%d%s" % (address, PORT, path), method=method,
                                     headers={"Accept": accept} if accept else {})
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
