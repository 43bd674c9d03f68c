# SPDX-License-Identifier: GPL-2.0-or-later
"""A history of made records, and the answers of netracker query to questions about it."""
import datetime
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "replay"))
from replay_harness import NETRACKER, check, equal, run, skip, wait_for_midnight  # noqa: E402,F401

SECOND = 10**9
HOUR = 3600 * SECOND
FAILED = ("reset", "refused", "timeout", "unreachable", "expired", "unanswered")
NOW = int(datetime.datetime.now(datetime.timezone.utc).timestamp()) * SECOND
# The records end at noon (UTC) of the day before yesterday.
END = NOW // (24 * HOUR) * 24 * HOUR - 36 * HOUR
PROGRAMS = [("nginx", "/usr/sbin/nginx", 33), ("curl", "/usr/bin/curl", 1000), ("psql", "/usr/bin/psql", 1000),
            ("backup", "/opt/backup", 0)]
PEERS = ["203.0.113.9", "203.0.113.10", "10.3.1.2", "10.3.2.2", "192.0.2.77", "fd00::7", "fd00:0:0:1::7"]
ENDINGS = [("closed", "src", None)] * 12 + [("reset", "dst", None), ("reset", "src", "tcp_abort_on_close"),
                                          ("refused", "dst", None), ("timeout", None, "gave_up")]


def rfc3339(ns):
    when = datetime.datetime.fromtimestamp(ns // SECOND, datetime.timezone.utc)
    return when.strftime("%Y-%m-%dT%H:%M:%S") + ".%09dZ" % (ns % SECOND)


def in_ns(text):
    when = datetime.datetime.strptime(text[:19] + "+0000", "%Y-%m-%dT%H:%M:%S%z")
    return int(when.timestamp()) * SECOND + int(text[20:29])


def record(chance, number, end):
    """A record of a connection that ended then. Some values are unknown."""
    comm, exe, uid = chance.choice(PROGRAMS)
    outcome, ended_by, reason = chance.choice(ENDINGS)
    role, peer = chance.choice(["client", "client", "server", "observer"]), chance.choice(PEERS)
    local = "198.18.0.1" if "." in peer else "fd00::1"
    duration = chance.randrange(10**6, 60 * SECOND)
    values = {"v": 2, "id": "%016x" % (number << 20 | 7), "time": rfc3339(end), "event": "close", "role": role,
              "family": "ipv4" if "." in peer else "ipv6", "src_ip": local, "src_port": chance.randrange(1024, 65536),
              "dst_ip": peer, "dst_port": chance.choice([80, 443, 5432]), "host": chance.choice(["a", "b"]),
              "pid": 100 + number % 50, "comm": comm, "exe": exe, "uid": uid, "cgroup": "/system.slice/%s.service" % comm,
              "start": rfc3339(end - duration), "duration_ns": duration, "outcome": outcome}
    if role != "client":
        values.update(src_ip=peer, dst_ip=local)
    if role == "observer":
        for key in ("pid", "comm", "exe", "uid", "cgroup"):
            del values[key]
    if ended_by:
        values["ended_by"] = ended_by
    if reason:
        values["reason"] = reason
    if chance.random() < 0.9:
        values["handshake_ns"] = chance.randrange(10**4, 10**8)
        values.update(src_bytes=chance.randrange(10**6), dst_bytes=chance.randrange(10**7))
        values["rtt_us"] = values["handshake_ns"] // 1000
    values.update(src_retransmits=chance.randrange(4), dst_retransmits=chance.randrange(2), seen=["wire"], complete=True,
                  gaps=[])
    return values


def made_records():
    """In the order in which they are written, over 26 hours; every ninth connection has earlier records of its id."""
    chance, records = random.Random(15), []
    for number in range(1, 3001):
        end = END - 26 * HOUR + number * 26 * HOUR // 3000 + chance.randrange(SECOND)
        last = record(chance, number, end)
        records.append((end, number, last))
        for before in range(2 if number % 9 == 0 else 0):
            earlier = dict(last, event=["open", "update", "exit"][number % 3], time=rfc3339(end - (before + 1) * 600 * SECOND),
                           outcome="open", start=rfc3339(end - 2 * HOUR), duration_ns=2 * HOUR - (before + 1) * 600 * SECOND)
            for key in ("ended_by", "reason"):
                earlier.pop(key, None)
            records.append((in_ns(earlier["time"]), -number, earlier))
    # A peer that was never there before.
    records.append((END - 60 * SECOND, 0, dict(record(chance, 3000 + 99, END - 60 * SECOND), role="client", family="ipv6",
                                               src_ip="fd00::1", dst_ip="fd00:0:0:99::1")))
    # Open still, or when the last tracker ended.
    for number in range(3001, 3021):
        values = record(chance, number, END - number % 7 * SECOND)
        values.update(event="update" if number % 2 else "exit", outcome="open")
        records.append((in_ns(values["time"]), number, {key: value for key, value in values.items()
                                                        if key not in ("ended_by", "reason")}))
    return [values for _, _, values in sorted(records, key=lambda item: item[:2])]


RECORDS = made_records()
FOLDER = tempfile.mkdtemp()
HISTORY = os.path.join(FOLDER, "history")


def new_folder(name):
    return os.path.join(FOLDER, name)


def write_history(folder, records):
    wait_for_midnight(10)
    lines = "".join(json.dumps(values, separators=(",", ":")) + "\n" for values in records)
    done = subprocess.run([NETRACKER, "replay", "-q", "-o", "/dev/null", "--events", "open,update,close,exit",
                           "--history=" + folder, "-"], input=lines.encode(), capture_output=True, timeout=60, check=False)
    equal((done.returncode, done.stderr), (0, b""), "writing the history")


class Answer:
    def __init__(self, *arguments, folder=HISTORY, environment=None):
        done = subprocess.run([NETRACKER, "query", "--from", folder, *arguments], capture_output=True, timeout=60, text=True,
                              check=False, stdin=subprocess.DEVNULL, env=dict(os.environ, TZ="UTC", **(environment or {})))
        self.status, self.output, self.errors = done.returncode, done.stdout, done.stderr

    @property
    def ids(self):
        return [json.loads(line)["id"] for line in self.output.splitlines()]

    @property
    def objects(self):
        return [json.loads(line) for line in self.output.splitlines()]


def newest(since=0, until=NOW, records=None):
    """The newest record of each id in the span of time, in the order in which they were written."""
    last = {}
    for number, values in enumerate(records or RECORDS):
        if since <= in_ns(values["time"]) <= until:
            last[values["id"]] = (number, values)
    return [values for _, values in sorted(last.values(), key=lambda item: item[0])]


def local_time(ns):
    """As a user writes it: the clock of the answers is UTC."""
    return rfc3339(ns)[:19].replace("T", " ")


def peer_of(values):
    return values["dst_ip"] if values["role"] == "client" else values["src_ip"]


def run_tests(tests):
    try:
        write_history(HISTORY, RECORDS)
        run(tests)
    finally:
        shutil.rmtree(FOLDER)


def same_records(answer, expected, what):
    equal((answer.status, answer.ids), (0, [values["id"] for values in expected]), what + ": " + answer.errors[:200])
