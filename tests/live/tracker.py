# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the tracker under test in a namespace and reads its records and messages."""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

from netns import enter
from peer import die_with_parent, now

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests"))
from record_schema import Invalid, record_of  # noqa: E402

PROGRAM = os.environ.get("NETRACKER", os.path.join(ROOT, "build", "netracker"))
READY_LINE = "netracker: tracking"
READY_TIMEOUT = 90
STOP_TIMEOUT = 60
POLL_SECONDS = 0.02


def prepare(namespace_name):
    """Enters the namespace, and prepares the child as prepare_child() does."""
    enter(namespace_name)
    prepare_child()


def prepare_child():
    """Sets signals as a shell does (nohup would leave SIGHUP ignored), and lets the child die with the harness."""
    die_with_parent()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)


def activity_of(pid):
    """Returns where in the kernel a process is that does not end."""
    found = []
    for name in ("wchan", "syscall", "stack"):
        try:
            with open("/proc/%d/%s" % (pid, name)) as file:
                found.append("%s %s" % (name, " ".join(file.read().split())))
        except OSError:
            pass
    return ", ".join(found)


class TrackerError(Exception):
    """The tracker did not start, or did not end."""


def unavailable():
    """Returns why the tracker cannot run here; None if it can."""
    if os.geteuid() != 0:
        return "needs root"
    if not os.access(PROGRAM, os.X_OK):
        return "%s is not built" % os.path.relpath(PROGRAM, ROOT)
    return None


class Tracker:
    """A running tracker. self.records has its records, each with `_arrived`, the time when it was read.

    It writes to a file of its own unless it has a `stdout`. Only a verbose one prints when it is ready. program: the
    words of the command before its options.
    """

    def __init__(self, namespace, *arguments, directory=None, verbose=True, format="json", stdout=None,
                 environment=None, wait=True, program=(PROGRAM,)):
        self.directory = directory or tempfile.mkdtemp(prefix="nt-live-")
        handle, self.path = tempfile.mkstemp(dir=self.directory, prefix="records-")
        os.close(handle)
        self.stderr_path = self.path + ".stderr"
        self.records, self.bad_lines = [], []
        self.unchecked = []  # JSON lines; checked at the end, when no connection is timed
        self.read_to = 0
        self.format = format
        command = [*program, "-f", format, *([] if stdout else ["-o", self.path]), *(["-v"] if verbose else []),
                   *arguments]
        with open(self.stderr_path, "wb") as stderr:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout or subprocess.DEVNULL,
                                            stderr=stderr, env=environment,
                                            preexec_fn=lambda: prepare(namespace.name))
        if verbose and wait:
            self.wait_until_ready()

    def stderr(self):
        with open(self.stderr_path, errors="replace") as file:
            return file.read()

    def wait_until_ready(self):
        deadline = time.monotonic() + READY_TIMEOUT
        while READY_LINE not in self.stderr():
            if self.process.poll() is not None:
                raise TrackerError("exit status %d: %s" % (self.process.returncode, self.stderr().strip()))
            if time.monotonic() > deadline:
                where = activity_of(self.process.pid)
                self.kill()
                raise TrackerError("no %r within %d s: %s; %s" % (READY_LINE, READY_TIMEOUT, where, self.stderr()))
            time.sleep(POLL_SECONDS)

    def lines(self):
        """Returns the complete lines of the output since the last call."""
        with open(self.path, "rb") as file:
            file.seek(self.read_to)
            data = file.read()
        whole = data[:data.rfind(b"\n") + 1]
        self.read_to += len(whole)
        return whole.decode(errors="surrogateescape").splitlines()

    def poll(self):
        arrived = now()
        for line in self.lines() if self.format == "json" else []:
            try:
                record = json.loads(line)
                record["_arrived"] = arrived
                self.records.append(record)
                self.unchecked.append(line)
            except (ValueError, TypeError):
                self.bad_lines.append(line)

    def wait(self, enough, seconds):
        """Polls until enough(records), for `seconds` at most. Returns whether there are enough."""
        deadline = time.monotonic() + seconds
        self.poll()
        while not enough(self.records) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            self.poll()
        return enough(self.records)

    def stop(self, signal_number=signal.SIGINT):
        """Ends the tracker and reads the rest. Returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        return self.collect()

    def collect(self, timeout=STOP_TIMEOUT):
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            where = activity_of(self.process.pid)
            self.kill()
            raise TrackerError("did not end within %d s: %s; %s" % (timeout, where, self.stderr()[-200:]))
        self.poll()
        self.check_records()
        return status

    def check_records(self):
        """Checks all records by docs/record.schema.json; raises TrackerError for the first that is invalid."""
        lines, self.unchecked = self.unchecked, []
        try:
            for line in lines:
                record_of(line)
        except Invalid as error:
            raise TrackerError(str(error)) from error

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
