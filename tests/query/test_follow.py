#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netracker query --follow: each record that comes, once; and --summary."""
import json
import os
import select
import shlex
import signal
import sqlite3
import subprocess
import time

import made_history as made
from made_history import END, HOUR, NETRACKER, Answer, check, equal, local_time, newest, rfc3339

WAIT_SECONDS = 20
UTC = dict(os.environ, TZ="UTC")


class Follower:
    """A query that follows a folder, and the lines that it has written."""

    def __init__(self, folder, *arguments):
        self.process = subprocess.Popen([NETRACKER, "query", "--from", folder, "--follow", "-f", "json", *arguments],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=UTC)
        self.rest = b""

    def ids(self, count):
        """The ids of the next lines: as many as these, unless they do not come."""
        end = time.monotonic() + WAIT_SECONDS
        while self.rest.count(b"\n") < count and time.monotonic() < end:
            if select.select([self.process.stdout], [], [], 0.2)[0]:
                self.rest += os.read(self.process.stdout.fileno(), 65536)
        lines, self.rest = self.rest.splitlines(), b""
        return [json.loads(line)["id"] for line in lines]

    def end(self):
        self.process.send_signal(signal.SIGINT)
        output, errors = self.process.communicate(timeout=WAIT_SECONDS)
        return self.process.returncode, output, errors.decode()


def ids_of(records):
    return [values["id"] for values in records]


def later(number, **values):
    return dict(newest()[-1], id="f%015x" % number, event="close", outcome="closed", **values)


def since_then():
    """First the answer for the past, then what comes, of the filter; into the same file and into a later one."""
    folder = made.new_folder("followed")
    made.write_history(folder, made.RECORDS)
    follower = Follower(folder, "-S", local_time(END - HOUR), "-c", "nginx")
    past = [values for values in newest(END - HOUR) if values.get("comm") == "nginx"]
    equal(follower.ids(len(past)), ids_of(past), "the past")
    came = []
    for number in range(3):
        records = [later(2 * number, comm="nginx", pid=1), later(2 * number + 1, comm="other", pid=2)]
        made.write_history(folder, records)
        came.append(records[0])
        equal(follower.ids(1), ids_of(came[-1:]), "record %d" % number)
    status, output, errors = follower.end()
    equal((status, output), (0, b""), errors)
    check(errors.splitlines()[-1].startswith("netracker: searched "), errors)


def from_now():
    """Without -S: only what comes."""
    folder = made.new_folder("from_now")
    made.write_history(folder, made.RECORDS[:10])
    follower = Follower(folder)
    deadline, number, found = time.monotonic() + WAIT_SECONDS, 0, []
    while not found and time.monotonic() < deadline:  # the first ones may come before it reads
        made.write_history(folder, [later(number)])
        number += 1
        if select.select([follower.process.stdout], [], [], 0.5)[0]:
            found = follower.ids(1)
    check(found and set(found) <= {"f%015x" % one for one in range(number)}, "only later records: %s" % found)
    made.write_history(folder, [later(1000, time=rfc3339(END))])
    equal(follower.ids(1)[-1:], ["f%015x" % 1000], "the next one")
    equal(follower.end()[0], 0, "status")


def held():
    """A file that another process holds for longer than one attempt waits is read when it is free again."""
    folder = made.new_folder("held")
    made.write_history(folder, made.RECORDS[:10])
    path, = [os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".db")]
    follower = Follower(folder, "-S", "-10d")
    past = newest(records=made.RECORDS[:10])
    equal(follower.ids(len(past)), ids_of(past), "the past")
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA locking_mode=EXCLUSIVE")
    database.execute("BEGIN EXCLUSIVE")
    line = follower.process.stderr.readline().decode()
    check("another process holds it" in line, line)
    database.close()
    made.write_history(folder, [later(1)])
    equal(follower.ids(1), ["f%015x" % 1], "what came then")
    equal(follower.end()[0], 0, "status")


def refused():
    for arguments in (["-U", "now"], ["--at", "now"], ["-r"], ["-n", "5"], ["--by", "comm"], ["--summary"]):
        answer = Answer("--follow", *arguments)
        equal((answer.status, answer.output), (2, ""), " ".join(arguments))
        check("--follow goes on" in answer.errors, answer.errors)


def summary():
    """The tables are those of replay for the newest records; the commands are those of query."""
    lines = "".join(json.dumps(values) + "\n" for values in newest()).encode()
    replayed = subprocess.run([NETRACKER, "replay", "-q", "--summary", "-f", "json", "--events", "update,close,exit", "-"],
                              input=lines, capture_output=True, timeout=60, check=False)
    tables, expected = json.loads(Answer("--summary", "-f", "json").output), json.loads(replayed.stdout)
    commands = [problem.pop("command") for problem in tables["problems"]]
    for problem in expected["problems"]:
        problem.pop("command")
    equal(tables, expected, "--summary")
    check(commands and all(command.startswith("netracker query --from %s " % made.HISTORY) for command in commands), commands)
    done = subprocess.run(shlex.split(commands[0].replace("netracker", NETRACKER, 1)) + ["-f", "json"], capture_output=True, timeout=60,
                          check=False, env=UTC)
    equal(done.returncode, 0, "the command runs: %s" % commands[0])
    check(done.stdout.count(b"\n") > 0, "and shows the records: %s" % commands[0])


made.run_tests([since_then, from_now, held, refused, summary])
