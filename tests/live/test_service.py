#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests what services and alerts need: the exit status, the files, the unit and the rotation of packaging/."""
import configparser
import contextlib
import errno
import os
import pty
import shlex
import shutil
import signal
import subprocess
import sys
import time

from bench import check, main_of_checks
from harness import Skip
from places import elsewhere, outgoing
from tracker import POLL_SECONDS, PROGRAM, READY_LINE, READY_TIMEOUT, ROOT, prepare, record_of
from traffic import exchange_all, require

EACH = 3
MATCHED = 6
RECORD_SECONDS = 60  # a commit to a slow disk, a machine that stops
REFUSED_PORT = 9
STOP_SECONDS = 30


def close_all(pairs):
    for client, server in pairs:
        client.close()
        server.receive_eof()
        server.close()


def refuse(world, client):
    end = world.attempt(client, world.place.server.address, REFUSED_PORT)
    require(end.errno == errno.ECONNREFUSED, "connect: %d" % end.errno)
    end.close_quietly()


@check("--fail-if-any: status 6 if a record matched")
def fails_if_any(bench):
    world = bench.world(outgoing)
    address = world.place.client.address
    failures, others, first = [bench.tracker("--net", address, "--fail-if-any", *arguments)
                               for arguments in (("-x",), ("-x", "-D", "1"), ("-n", "1"))]
    pairs = world.pairs(EACH)
    exchange_all(pairs)
    problems = []
    for arguments, expected in ((["host", address], MATCHED), (["host", address, "and", "dport", "1"], 0)):
        done = subprocess.run([PROGRAM, "list", "--fail-if-any", *arguments], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, preexec_fn=lambda: prepare(bench.here.name))
        problems += ["list %s: status %d" % (arguments, done.returncode)] * (done.returncode != expected)
    close_all(pairs)
    refuse(world, pairs[0][0].peer)
    failures.wait(lambda got: bench.own(got), RECORD_SECONDS)
    statuses = failures.stop(), others.stop(), first.collect()
    if statuses != (MATCHED, 0, MATCHED):
        problems.append("statuses of -x, of -x without a match, and of -n 1: %s" % (statuses,))
    return problems


def start_messages(bench, *arguments, terminal):
    """Returns what a tracker prints on stderr, a terminal or a pipe, without the accounting."""
    here, there = pty.openpty() if terminal else os.pipe()
    process = subprocess.Popen([PROGRAM, "-t", "0.1", *arguments], stdin=subprocess.DEVNULL, stderr=there,
                               stdout=subprocess.DEVNULL, preexec_fn=lambda: prepare(bench.here.name))
    os.close(there)
    text = b""
    with contextlib.suppress(OSError):  # EIO: the terminal's other side is closed
        while data := os.read(here, 4096):
            text += data
    process.wait()
    os.close(here)
    return [line for line in text.decode().splitlines() if "records:" not in line]


@check("a terminal gets a line when tracking begins; not with -q, and not a pipe")
def start_note(bench):
    bench.world(outgoing)
    interfaces = len(bench.here.run("ip", "-o", "link").stdout.splitlines())
    problems = []
    for terminal, arguments, expected in (
            (True, [], ["netracker: tracking sockets, and packets on %d interfaces of this network namespace; each "
                        "connection's record follows when it ends; ends after 100ms, or with Ctrl-C" % interfaces]),
            (True, ["-i", "none", "--events", "open", "port", "9"],
             ["netracker: tracking sockets; filter: port 9; ends after 100ms, or with Ctrl-C"]),
            (True, ["-q"], []), (False, [], [])):
        found = start_messages(bench, *arguments, terminal=terminal)
        problems += ["%s on a %s: %s" % (arguments, "terminal" if terminal else "pipe", found)] * (found != expected)
    return problems


def settings_of_unit():
    """Returns {setting: value} of the unit's [Service] section."""
    unit = configparser.ConfigParser(delimiters="=", comment_prefixes="#", interpolation=None)
    unit.optionxform = str
    unit.read(os.path.join(ROOT, "packaging", "netracker.service.in"))
    return dict(unit["Service"])


def arguments_for_json():
    """Returns the words behind the program of the command line for JSON that docs/service.md has."""
    with open(os.path.join(ROOT, "docs", "service.md")) as file:
        line, = (line for line in file if line.startswith("    ExecStart=/") and "-o " in line)
    return shlex.split(line)[1:]


class Service:
    """A command line as the unit runs it: with its group, umask and capabilities, but in another folder. A verbose one
    says when it is ready.
    """

    def __init__(self, bench, arguments, name, group=65534):
        settings = settings_of_unit()
        self.folder = os.path.join(bench.directory, name)
        os.mkdir(self.folder)
        os.chown(self.folder, -1, group)
        self.group, self.path = group, os.path.join(self.folder, "records.json")
        arguments = [word.replace("/var/log/netracker", self.folder) for word in arguments]
        bounds = ",".join("+" + word[len("CAP_"):].lower() for word in settings["CapabilityBoundingSet"].split())
        command = ["setpriv", "--regid", str(group), "--clear-groups", "--bounding-set=-all," + bounds,
                   "--inh-caps=-all", "--no-new-privs", PROGRAM, *arguments, "-v"]
        self.log = os.path.join(bench.directory, name + ".journal")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            umask=int(settings["UMask"], 8),
                                            preexec_fn=lambda: prepare(bench.here.name))
        self.wait_for(lambda: READY_LINE in self.messages(), READY_TIMEOUT)

    def messages(self):
        with open(self.log, errors="replace") as file:
            return file.read()

    def wait_for(self, condition, seconds):
        deadline = time.monotonic() + seconds
        while not condition():
            ended = self.process.poll()
            require(ended is None and time.monotonic() < deadline,
                    "status %s: %s" % (ended, self.messages()[-300:]))
            time.sleep(POLL_SECONDS)

    def records(self, name="records.json"):
        with open(os.path.join(self.folder, name)) as file:
            return [record_of(line) for line in file]

    def mode_problems(self):
        """Expects files of root that the group may read."""
        found = {name: os.stat(os.path.join(self.folder, name)) for name in os.listdir(self.folder)}
        return ["%s: mode %o, %d:%d" % (name, status.st_mode & 0o777, status.st_uid, status.st_gid)
                for name, status in found.items()
                if (status.st_mode & 0o777, status.st_uid, status.st_gid) != (0o640, 0, self.group)]

    def stop(self):
        """Returns problems of its end: as systemctl stop does it."""
        self.process.terminate()
        status = self.process.wait(STOP_SECONDS)
        return ["status %d: %s" % (status, self.messages()[-300:])] * (status != 0)


def write_executable(path, text):
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, 0o755)


def rotate(bench, service):
    """Runs logrotate with the file of packaging/. `systemctl` is a script that knows the one command of that file."""
    with open(os.path.join(ROOT, "packaging", "netracker.logrotate")) as file:
        text = file.read()
    path, programs = os.path.join(bench.directory, "logrotate.conf"), os.path.join(bench.directory, "bin")
    with open(path, "w") as file:
        file.write(text.replace("/var/log/netracker", service.folder))
    os.makedirs(programs, exist_ok=True)
    write_executable(os.path.join(programs, "systemctl"),
                     '#!/bin/sh\n[ "$*" = "kill --signal=HUP netracker.service" ] && exec kill -HUP %d\n'
                     'echo "$*" >%s\nexit 1\n' % (service.process.pid, os.path.join(bench.directory, "unknown")))
    done = subprocess.run(["logrotate", "--force", "--state", os.path.join(bench.directory, "state"), path],
                          env=dict(os.environ, PATH=programs + ":" + os.environ["PATH"]), capture_output=True, text=True)
    require(done.returncode == 0 and not os.path.exists(os.path.join(bench.directory, "unknown")), done.stderr)


def ended(records, ports):
    return sorted(record["src_port"] for record in records if record["event"] == "close" and
                  record["src_port"] in ports)


def count_in_history(folder, ports):
    """Returns how many records of these ports a user who is only in the group finds, with SQLite."""
    script = ("import glob, os, sqlite3, sys; os.setgid(65534); os.setgroups([]); os.setuid(65534); print(sum(sqlite3."
              "connect('file:%s?mode=ro' % path, uri=True).execute('SELECT count(*) FROM record WHERE event=? AND "
              "src_port IN (%s)' % sys.argv[2], ['close']).fetchone()[0] for path in glob.glob(sys.argv[1] + '/*.db')))")
    done = subprocess.run([sys.executable, "-c", script, folder, ",".join(map(str, ports))], capture_output=True,
                          text=True)
    return int(done.stdout or -1)


@check("the unit's command line, with its capabilities: a history that the group may read, SIGHUP, stop")
def unit(bench):
    if not shutil.which("setpriv"):
        raise Skip("setpriv is not installed")
    program, *arguments = shlex.split(settings_of_unit()["ExecStart"])
    assert program == "@PREFIX@/sbin/netracker", program
    world = bench.world(elsewhere)
    os.chmod(bench.directory, 0o711)
    service = Service(bench, arguments + ["--history=" + os.path.join(bench.directory, "history")], "history")
    os.chmod(service.folder, 0o750)
    try:
        pairs = world.pairs(2 * EACH)
        exchange_all(pairs)
        ports = [client.local[1] for client, _ in pairs]
        close_all(pairs[:EACH])
        service.process.send_signal(signal.SIGHUP)
        service.wait_for(lambda: count_in_history(service.folder, ports) == 2 * EACH, RECORD_SECONDS)
        problems = service.mode_problems()
        close_all(pairs[EACH:])
        problems += service.stop()
    finally:
        service.process.kill()
        service.process.wait()
    if count_in_history(service.folder, ports) != 4 * EACH:
        problems.append("%d records at the end" % count_in_history(service.folder, ports))
    return problems


@check("records as JSON by the unit's capabilities: of all namespaces, modes, rotation, stop")
def json_and_rotation(bench):
    if not shutil.which("setpriv"):
        raise Skip("setpriv is not installed")
    world = bench.world(elsewhere)
    service = Service(bench, arguments_for_json(), "log")
    try:
        pairs = world.pairs(2 * EACH)
        exchange_all(pairs)
        earlier, later = ([client.local[1] for client, _ in half] for half in (pairs[:EACH], pairs[EACH:]))
        close_all(pairs[:EACH])
        service.wait_for(lambda: ended(service.records(), earlier) == sorted(2 * earlier), RECORD_SECONDS)
        problems = service.mode_problems()
        has_logrotate = shutil.which("logrotate")
        if has_logrotate:
            rotate(bench, service)
            service.wait_for(lambda: os.path.exists(service.path), RECORD_SECONDS)
        close_all(pairs[EACH:])
        service.wait_for(lambda: ended(service.records(), later) == sorted(2 * later), RECORD_SECONDS)
        problems += service.mode_problems() + service.stop()
    finally:
        service.process.kill()
        service.process.wait()
    if not has_logrotate:
        raise Skip("the rotation: logrotate is not installed; %s" % (problems or "the rest is right"))
    if ended(service.records("records.json.1"), earlier) != sorted(2 * earlier) or ended(service.records(), earlier):
        problems.append("records are in both files, or in none")
    return problems


if __name__ == "__main__":
    sys.exit(main_of_checks())
