#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Where replay and explain write: never into their own input, new files with their mode, and an end asked for comes though nobody reads."""
import os
import pty
import re
import signal
import subprocess
import tempfile
import time

import pcap
import replay_harness
from replay_harness import NETRACKER, check, equal

BROKE, USAGE = 1, 2
END_ASKED_SECONDS = 5
BLOCKED_SECONDS, LOOKS = 20, 5
MANY = 4000  # more than a pipe takes in any format


def capture(count):
    packets = []
    for number in range(count):
        client = ("198.18.%d.%d" % (number >> 8, number & 255), 40000)
        packets += [(at + number / 1000, frame) for at, frame in pcap.connection(client)]
    return pcap.capture(packets)


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def run_shell(line, folder):
    return subprocess.run(["sh", "-c", line], cwd=folder, env=dict(os.environ, N=NETRACKER), capture_output=True,
                          stdin=subprocess.DEVNULL, text=True, timeout=30)


REFUSED = ['"$N" replay -o a.pcap a.pcap', '"$N" replay b.pcap a.pcap >>a.pcap', '"$N" replay -o link a.pcap',
           '"$N" replay -o hard ./a.pcap', '"$N" replay - <a.pcap >>a.pcap', '"$N" replay -o a.pcap - <a.pcap',
           '"$N" replay --summary -o new a.pcap >>a.pcap', '"$N" replay --like zeek -f zeek -o a.pcap a.pcap',
           '"$N" replay -o fifo fifo', '"$N" explain a.json >>a.json', '"$N" explain <a.json >>a.json',
           '"$N" explain - <a.json >>a.json']
ACCEPTED = ['"$N" replay -q a.pcap >new', '"$N" replay -q -o new a.pcap >>a.json', '"$N" replay -q - <a.pcap >>new',
            '"$N" explain a.json >>new', '"$N" replay -q /dev/null </dev/null >/dev/null || test $? -eq 1']


def test_input_is_output():
    with tempfile.TemporaryDirectory() as folder:
        data = capture(2)
        for name in ("a.pcap", "b.pcap"):
            write(os.path.join(folder, name), data)
        run_shell('ln -s a.pcap link; ln a.pcap hard; mkfifo fifo; "$N" replay -q -f json a.pcap >a.json', folder)
        records = read(os.path.join(folder, "a.json"))
        for line in REFUSED:
            done = run_shell(line, folder)
            equal(done.returncode, USAGE, line)
            check(re.fullmatch(r"netracker: .*: is both input and output; .*\n", done.stderr), f"{line}: {done.stderr}")
            check(not os.path.exists(os.path.join(folder, "new")), f"{line}: made a file")
        equal(read(os.path.join(folder, "a.pcap")), data, "the capture is unchanged")
        equal(read(os.path.join(folder, "a.json")), records, "the records are unchanged")
        for line in ACCEPTED:
            done = run_shell(line, folder)
            equal((done.returncode, "both input" in done.stderr), (0, False), line)


class Blocked:
    """A pipe, a terminal or a FIFO that nobody reads, or a FIFO that nobody has opened."""

    def __init__(self, kind, folder):
        self.arguments, self.reader, self.writer = [], None, subprocess.DEVNULL
        if kind == "pipe":
            self.reader, self.writer = os.pipe()
        elif kind == "terminal":
            self.reader, self.writer = pty.openpty()
        else:
            path = os.path.join(folder, "fifo")
            if not os.path.exists(path):
                os.mkfifo(path)
            self.arguments = ["-o", path]
            self.reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK) if kind == "fifo" else None

    def start(self, *arguments):
        process = subprocess.Popen([NETRACKER, "replay", *self.arguments, *arguments], stdin=subprocess.DEVNULL,
                                   stdout=self.writer, stderr=subprocess.PIPE, text=True)
        if self.writer != subprocess.DEVNULL:
            os.close(self.writer)
        return process

    def close(self):
        if self.reader is not None:
            os.close(self.reader)


def sleeps(process):
    """Waits until the program sleeps, as replay of a file does only for its output: at each of some looks."""
    asleep, end = 0, time.monotonic() + BLOCKED_SECONDS
    while asleep < LOOKS and process.poll() is None and time.monotonic() < end:
        with open(f"/proc/{process.pid}/stat", encoding="ascii") as file:
            state = file.read().rpartition(") ")[2][0]
        asleep = asleep + 1 if state == "S" else 0
        time.sleep(0.05)
    return asleep == LOOKS


def try_end(kind, options, path, folder):
    label = "%s, %s" % (kind, " ".join(options))
    blocked = Blocked(kind, folder)
    process = blocked.start(*options, path)
    check(sleeps(process), f"{label}: did not wait for its reader")
    asked = time.monotonic()
    process.send_signal(signal.SIGTERM)
    try:
        errors = process.communicate(timeout=2 * END_ASKED_SECONDS)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        errors = process.communicate()[1]
    blocked.close()
    check(time.monotonic() - asked < END_ASKED_SECONDS, f"{label}: takes {time.monotonic() - asked:.1f} s")
    equal(process.returncode, BROKE, f"{label}: exit status")
    reason = "nobody has opened this FIFO" if kind == "unopened" else "its reader takes nothing"
    check(reason in errors, f"{label}: {errors[-300:]}")
    reported = re.search(r"and (\d+) records? (?:is|are) lost", errors)
    if "--summary" not in options:
        counted = re.search(r", (\d+) lost \((\d+) output failed\)", errors)
        check(reported and counted and reported[1] == counted[1] == counted[2], f"{label}: {errors[-300:]}")


def test_blocked_output():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "many.pcap")
        write(path, capture(MANY))
        for kind in ("pipe", "terminal", "fifo", "unopened"):
            for name in ("json", "text"):
                try_end(kind, ["-f", name], path, folder)
        for options in (["-f", "csv"], ["-f", "trace"], ["--like", "zeek", "-C", "-f", "zeek"]):
            try_end("pipe", options, path, folder)


def test_modes():
    """A file that -o makes is for its owner and group, as far as the umask allows; another keeps its mode."""
    with tempfile.TemporaryDirectory() as folder:
        write(os.path.join(folder, "in.pcap"), capture(1))
        for name, umask, before, after in (("new", 0o022, None, 0o640), ("open", 0, None, 0o640),
                                           ("private", 0o077, None, 0o600), ("old", 0o022, 0o604, 0o604)):
            path = os.path.join(folder, name)
            if before is not None:
                write(path, b"")
                os.chmod(path, before)
            subprocess.run([NETRACKER, "replay", "-q", "-o", path, os.path.join(folder, "in.pcap")], check=True,
                           umask=umask)
            equal("%o" % (os.stat(path).st_mode & 0o777), "%o" % after, name)


def test_late_reader():
    with tempfile.TemporaryDirectory() as folder:
        write(os.path.join(folder, "a.pcap"), capture(3))
        os.mkfifo(os.path.join(folder, "fifo"))
        done = run_shell('"$N" replay -q -f csv -o fifo a.pcap & sleep 0.3; cat fifo; wait $!', folder)
        equal((done.returncode, done.stdout.count("\n"), done.stderr), (0, 4, ""), "a FIFO's reader comes late")


if __name__ == "__main__":
    replay_harness.run([test_input_is_output, test_blocked_output, test_modes, test_late_reader])
