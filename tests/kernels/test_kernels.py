#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the live tests on other kernels, in an emulated guest of each.

test_kernels.py [NAME...]    NAME: a kernel of get-kernels; default: 5.10 6.1 6.12 sid

The kernels are in build/kernels; missing ones are downloaded. An emulated guest needs neither root nor KVM, but takes
minutes. The tests are those of a real machine; times have SLACK_MS more tolerance.
"""
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
KERNELS = os.path.join(ROOT, "build", "kernels")
NAMES = ("5.10", "6.1", "6.12", "sid")
# Each program has its own guest, so that a crash affects no other program.
PROGRAMS = ("test_endings.py", "test_attempts.py", "test_owners.py", "test_before_start.py", "test_paths.py",
            "test_accounting.py", "test_badinput.py", "test_bad_days.py", "test_attach.py", "test_list.py", "test_listening.py",
            "test_queues.py", "test_containers.py")
FILES = {"tests": "/netracker/tests", "build/netracker": "/netracker/build/netracker",
         "docs/record.schema.json": "/netracker/docs/record.schema.json",
         "docs/summary.schema.json": "/netracker/docs/summary.schema.json"}
NEEDED = {"qemu-system-x86_64": "qemu-system-x86", "busybox": "busybox-static", "cpio": "cpio", "xz": "xz-utils"}
GUEST_SECONDS = 400
# The guest's processors stop while this machine runs other processes, and its timer tick is 4 ms.
SLACK_MS = 20
COUNTS = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.MULTILINE)


def lacking():
    """The reason why no test can run here, or None."""
    if os.uname().machine != "x86_64":
        return "the guests are x86_64"
    if not os.access(os.path.join(ROOT, "build", "netracker"), os.X_OK):
        return "build/netracker is not built"
    paths = os.environ["PATH"].split(os.pathsep)
    missing = [package for program, package in NEEDED.items()
               if not any(os.access(os.path.join(path, program), os.X_OK) for path in paths)]
    return "not installed: %s; scripts/install-packages --kernels" % " ".join(missing) if missing else None


def fetch(name):
    """Downloads the kernel if it is missing. Returns the error, or None."""
    done = subprocess.run([os.path.join(HERE, "get-kernels"), KERNELS, name], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    return done.stderr.strip() if done.returncode else None


def run_in_guest(name, line):
    """Runs a shell line in a guest. Returns its exit status and output."""
    command = [os.path.join(HERE, "vmrun"), "-t", str(GUEST_SECONDS)]
    for source, target in FILES.items():
        command += ["-f", "%s:%s" % (os.path.join(ROOT, source), target)]
    done = subprocess.run([*command, os.path.join(KERNELS, name), line], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="backslashreplace")
    return done.returncode, done.stdout


def run_program(name, program):
    """Runs one test program and returns its counts. Prints what did not pass, with V=1 everything."""
    began = time.monotonic()
    status, output = run_in_guest(name, "cd /netracker && LIVE_MAY_SET_CLOCK=1 LIVE_SLACK_MS=%d python3 tests/live/%s" %
                                  (SLACK_MS, program))
    found = COUNTS.findall(output)
    counts = [int(count) for count in found[-1]] if found else [0, 0, 0]
    if (status or not sum(counts)) and not counts[1]:
        counts[1] = 1
        output += "%s: the guest's exit status is %d\n" % (program, status)
    print("%-4s  %-5s %-22s %d passed, %d failed, %d skipped  %.0f s" %
          ("FAIL" if counts[1] else "ok", name, program, *counts, time.monotonic() - began))
    for text in output.splitlines():
        if os.environ.get("V") == "1" or not text.startswith(("ok ", "# tolerances")) and not COUNTS.match(text):
            print("      " + text)
    sys.stdout.flush()
    return counts


def run_kernel(name):
    reason = fetch(name)
    if reason:
        print("skip  %s: %s" % (name, reason), flush=True)
        return [0, 0, 1]
    status, version = run_in_guest(name, "uname -r")
    if status:
        print("FAIL  %s: does not boot: %s" % (name, version.strip()), flush=True)
        return [0, 1, 0]
    print("# %s is %s" % (name, version.strip()), flush=True)
    return [sum(column) for column in zip(*(run_program(name, program) for program in PROGRAMS))]


def main():
    names = sys.argv[1:] or NAMES
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        sys.exit("test_kernels.py: no such kernel: %s; known: %s" % (" ".join(unknown), " ".join(NAMES)))
    reason = lacking()
    if reason:
        print("skip  %s: %s" % (" ".join(names), reason))
        totals = [0, 0, len(names)]
    else:
        totals = [sum(column) for column in zip(*(run_kernel(name) for name in names))]
    print("%d passed, %d failed, %d skipped" % tuple(totals))
    return 1 if totals[1] else 0


if __name__ == "__main__":
    sys.exit(main())
