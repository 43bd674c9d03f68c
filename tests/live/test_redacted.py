#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests --redact on known connections: no output has an original, and equal originals have equal values everywhere."""
import collections
import ipaddress
import json
import os
import platform
import subprocess
import sys

from bench import check, main_of_checks
from listing import list_in
from metrics_page import PORT, fetch, parse
from places import outgoing, outgoing_ipv6
from tracker import PROGRAM, ROOT, prepare
from traffic import exchange_all

sys.path.append(os.path.join(ROOT, "tests", "replay"))
import test_redact  # noqa: E402
from test_redact import KEY, key_file, name_digest, redacted_address  # noqa: E402

EACH = 3
SECONDS = 20
LEAST_NAME = 6  # shorter ones may be in binary data by chance
CLIENT, SERVER, MACHINE = "zq-client", "zq-server", "zq-machine"


class Known:
    """Connections over IPv4 and IPv6 between programs with known names, and all originals that name them."""

    def __init__(self, bench):
        self.worlds = [bench.world(build, build.__name__) for build in (outgoing, outgoing_ipv6)]
        self.pairs = [world.pairs(EACH, client=world.client(CLIENT), server=world.server(SERVER)) for world in self.worlds]
        self.addresses = [side.address for world in self.worlds for side in (world.place.client, world.place.server)]
        endpoint = self.pairs[0][0][0]
        pid = endpoint.owner_peer.pid
        with open("/proc/%d/cgroup" % pid) as file:
            cgroup = file.read().rstrip("\n").rpartition(":")[2]
        names = [CLIENT, SERVER, os.readlink("/proc/%d/exe" % pid), bench.here.name, platform.node(), MACHINE, cgroup]
        self.names = [name for name in names if len(name) >= LEAST_NAME]

    def all(self):
        return [pair for pairs in self.pairs for pair in pairs]

    def options(self):
        return ["--net", ",".join(self.addresses), "--host", MACHINE]

    def originals_in(self, output, data):
        """Returns the problems: originals that are in this text, or in these bytes, as text or as an address' bytes."""
        data = data if isinstance(data, bytes) else data.encode()
        found = [name for name in self.names + self.addresses if name.encode() in data]
        found += [address for address in self.addresses if b"\0" in data and ipaddress.ip_address(address).packed in data]
        return ["%s has %s" % (output, original) for original in found]


def values_of(known, record):
    """Returns the problems of a record: other values than those that are computed anew."""
    pair, = [pair for pair in known.all() if pair[0].local[1] == record["src_port"] and pair[0].remote[1] == record["dst_port"]]
    name = SERVER if record["role"] == "server" else CLIENT
    wanted = {"src_ip": redacted_address(KEY, pair[0].local[0]), "dst_ip": redacted_address(KEY, pair[0].remote[0]),
              "comm": name_digest(KEY, "comm", name)[:12],
              "exe": name_digest(KEY, "exe", os.readlink("/proc/%d/exe" % record["pid"]))[:12],
              "host": name_digest(KEY, "host", MACHINE)[:12],
              "community_id": test_redact.community_id(record)}
    return ["%s of %s: %s, expected %s" % (key, name, record.get(key), value) for key, value in wanted.items()
            if record.get(key) != value]


def query(bench, folder, *arguments):
    return subprocess.run([PROGRAM, "query", "-q", "--from", folder, *arguments], capture_output=True, text=True, timeout=60, check=True,
                          preexec_fn=lambda: prepare(bench.here.name)).stdout


@check("--redact: no original is in JSON, history, metrics and messages; one value for one original, in all of them")
def everything(bench):
    known = Known(bench)
    folder = os.path.join(bench.directory, "redacted-history")
    os.mkdir(os.path.join(bench.directory, "key"))
    tracker = bench.tracker("--redact", key_file(os.path.join(bench.directory, "key")), "--history=" + folder, "--metrics", str(PORT),
                            *known.options())
    known.pairs.append(known.worlds[0].pairs(EACH, client=known.worlds[0].client(CLIENT), server=known.worlds[0].server(SERVER)))
    exchange_all(known.all())
    for client, server in known.all():
        client.close()
        server.receive_eof()
        server.close()
    count = 2 * len(known.all())
    tracker.wait(lambda records: len(records) >= count, SECONDS)
    page = fetch(bench)[2]
    problems = [problem for record in tracker.records for problem in values_of(known, record)]
    if tracker.stop() or len(tracker.records) != count:
        problems.append("%d records, expected %d; status %s" % (len(tracker.records), count, tracker.process.returncode))
    by_connection = collections.defaultdict(list)
    for record in tracker.records:
        by_connection[record["src_port"], record["dst_port"]].append(record)
    for both in by_connection.values():
        for key in ("src_ip", "dst_ip", "community_id", "host"):
            if len({record.get(key) for record in both}) != 1:
                problems.append("%s of one connection: %s" % (key, both))
    with open(tracker.path) as file:
        lines = file.read()
    if sorted(query(bench, folder, "-f", "json").splitlines()) != sorted(lines.splitlines()):
        problems.append("the history has other records than the output")
    programs = {dict(labels).get("program") for (name, labels) in parse(page) if name == "netracker_connections_closed_total"}
    if programs != {name_digest(KEY, "comm", name)[:12] for name in (CLIENT, SERVER)}:
        problems.append("programs in metrics: %s" % programs)
    outputs = [("JSON", lines), ("metrics", page)]
    outputs += [(form, query(bench, folder, "-f", form)) for form in ("text", "csv", "tsv")]
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as file:
            outputs.append((name, file.read()))
    for output, data in outputs:
        problems += known.originals_in(output, data)
    return problems


@check("list --redact: the same values, and no original")
def listed(bench):
    known = Known(bench)
    os.mkdir(os.path.join(bench.directory, "listkey"))
    status, found, messages = list_in(bench, "--redact", key_file(os.path.join(bench.directory, "listkey")), *known.options())
    problems = [problem for record in found for problem in values_of(known, record)]
    if status or len(found) != 2 * len(known.all()):
        problems.append("status %d, %d rows: %s" % (status, len(found), messages))
    return problems + known.originals_in("list", json.dumps(found))


if __name__ == "__main__":
    sys.exit(main_of_checks())
