# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the scripts of eunomia/ in a lab, reads the kernel's trace, and counts checks."""
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

import known  # it puts tests/live into the path
import kernel_trace
from tracker import record_of

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RUN, RELOAD = os.path.join(ROOT, "eunomia/run"), os.path.join(ROOT, "eunomia/reload")
PACKAGE = os.path.join(ROOT, "build/eunomia/package.json")
STAND_IN = os.path.join(ROOT, "tests/frontends/package_runner.py")
START_SECONDS, END_SECONDS, PRINTED_SECONDS = 20, 20, 0.5
CLONE_NEWNS, MS_PRIVATE_ALL = 0x00020000, 0x44000
RENAMED = "renamed0"
LINE = re.compile(r"\[TC\] Total RTT \(SYN - FIN-ACK\) for \[?([0-9a-f.:]+?)\]?:(\d+) -> \[?([0-9a-f.:]+?)\]?:(\d+): "
                  r"(\d+) ns$")
FILTER = ("bpf", "bytecode", "1,6 0 0 0")  # matches nothing

counts = {"passed": 0, "failed": 0, "skipped": 0}


class Skip(Exception):
    """This machine cannot run the test; the text is the reason."""


@contextlib.contextmanager
def open_to_all(folder):
    """Copies a front-end to a folder that is open to all users: a clone in /root is not."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        shutil.copytree(os.path.join(ROOT, "frontends"), os.path.join(directory, "frontends"))
        yield shutil.copytree(folder, os.path.join(directory, os.path.basename(folder)))


def check(condition, text):
    counts["passed" if condition else "failed"] += 1
    if not condition:
        print("failed: " + text)


def equal(actual, expected, text):
    check(actual == expected, "%s: is %r, expected %r" % (text, actual, expected))


def run_tests(tests):
    """Runs all tests, or those that the command line names."""
    names = sys.argv[1:] or [test.__name__ for test in tests]
    for name in set(names).difference(test.__name__ for test in tests):
        check(False, name + ": no such case")
    for test in (test for test in tests if test.__name__ in names):
        try:
            test()
        except Skip as reason:
            counts["skipped"] += 1
            print("skip: %s: %s" % (test.__name__, reason))
        except Exception:  # run the other tests all the same
            counts["failed"] += 1
            traceback.print_exc(file=sys.stdout)
    print("%(passed)d passed, %(failed)d failed, %(skipped)d skipped" % counts)
    sys.exit(1 if counts["failed"] else 0)


@contextlib.contextmanager
def lab():
    one = known.Lab()
    one.processes = []
    try:
        yield one
    finally:
        for process in one.processes:
            if process.poll() is None:
                process.terminate()
                process.communicate(timeout=END_SECONDS)
        one.close()


def attached(lab, interface=known.INTERFACE):
    """Returns the kinds of the qdiscs, and (hook, priority) of all filters."""
    space = lab.here
    kinds = [one["kind"] for one in json.loads(space.run("tc", "-j", "qdisc", "show", "dev", interface).stdout)]
    filters = []
    for hook in ("ingress", "egress") if "clsact" in kinds else ():
        shown = json.loads(space.run("tc", "-j", "filter", "show", "dev", interface, hook).stdout or "[]")
        filters += [(hook, one["pref"]) for one in shown if "options" in one]
    return kinds, filters


def nothing_is_left(lab, interface=known.INTERFACE):
    kinds, filters = attached(lab, interface)
    check("clsact" not in kinds and not filters, "left on %s: %s %s" % (interface, kinds, filters))


def add_foreign(lab, hook="ingress", qdisc=True, priority=7):
    for command in ([("qdisc", "add", "dev", known.INTERFACE, "clsact")] if qdisc else []) + \
            [("filter", "add", "dev", known.INTERFACE, hook, "prio", str(priority), "handle", "1", *FILTER)]:
        done = lab.here.run("tc", *command)
        if done.returncode:
            raise Skip("tc %s: %s" % (" ".join(command), done.stderr.strip()))


def ends_as_renamed(lab, runner):
    """Renames the interface; the front-end must detach all the same."""
    lab.here.ip("link set %s down" % known.INTERFACE, "link set %s name %s" % (known.INTERFACE, RENAMED))
    runner.lines()
    nothing_is_left(lab, RENAMED)


def ends_with_interface(lab, process):
    lab.here.ip("link del " + known.INTERFACE)
    errors = os.fsdecode(process.communicate(timeout=END_SECONDS)[1])
    check(process.returncode == 5 and "is gone" in errors, "interface is gone: %r" % errors)


def refuses(done, status, word, label):
    """Expects the status, and one message with the word, without traceback."""
    lines = done.stderr.splitlines()
    equal((done.returncode, len(lines)), (status, 1), "%s: status and lines of %r" % (label, done.stderr))
    check(done.stderr.startswith("netracker: ") and word in done.stderr, "%s: %r" % (label, done.stderr))


class Runner:
    """eunomia/run in the lab; lines() stops it."""

    def __init__(self, lab, *options, interface=known.INTERFACE, ecli=STAND_IN, output=("-j",)):
        self.lab, self.interface = lab, interface
        self.process = subprocess.Popen(
            [RUN, *output, interface, *(["--", *options] if options else [])], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=dict(os.environ, ECLI=ecli), preexec_fn=lambda: known.enter(lab.here.name))
        lab.processes.append(self.process)
        self.wait_for_filters()

    def wait_for_filters(self):
        deadline = time.monotonic() + START_SECONDS
        while len(attached(self.lab, self.interface)[1]) < 2:
            if time.monotonic() > deadline or self.process.poll() is not None:
                self.process.kill()
                raise AssertionError("did not start: %s" % self.process.communicate()[1].decode())
            time.sleep(0.05)
        time.sleep(PRINTED_SECONDS)

    def lines(self, signal_number=signal.SIGINT):
        time.sleep(PRINTED_SECONDS)
        self.process.send_signal(signal_number)
        output, self.errors = self.process.communicate(timeout=END_SECONDS)
        equal(self.process.returncode, 0, "eunomia/run after signal %d: %r" % (signal_number, self.errors))
        return output.decode().splitlines()

    def stop(self, signal_number=signal.SIGINT):
        return [json.loads(line) for line in self.lines(signal_number) if line.startswith("{")]

    def records(self, signal_number=signal.SIGINT):
        """Stops eunomia/run -f json. Returns its records."""
        return [record_of(line) for line in self.lines(signal_number) if line.startswith("{")]


def matches(facts, events):
    wrong = known.compare(facts, events)
    counts["passed"] += max(len(facts) - len(wrong), 0)
    for line in wrong:
        check(False, line)


def mount_tracefs():
    """Mounts tracefs for this process and its children only, unless it is mounted."""
    if os.path.exists("/sys/kernel/tracing/instances"):
        return
    if known.libc.unshare(CLONE_NEWNS) or known.libc.mount(b"none", b"/", None, MS_PRIVATE_ALL, None) or \
            known.libc.mount(b"tracefs", b"/sys/kernel/tracing", b"tracefs", 0, None):
        raise Skip("tracefs cannot be mounted")


class Trace(kernel_trace.Trace):
    """A kernel_trace.Trace that mounts tracefs if necessary."""

    def __init__(self):
        mount_tracefs()
        try:
            super().__init__()
        except OSError as error:
            raise Skip("no trace instance: %s" % error)
