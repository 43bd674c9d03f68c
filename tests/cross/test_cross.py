#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the unit and replay tests with other compilers and on other machines.

test_cross.py [NAME...]    NAME: gcc or clang for this machine, arm64 or s390x (big-endian) under QEMU; default: all

Each target has its own build folder, build/cross/NAME, and is built without sanitizers. Tests that load BPF programs
are omitted: qemu-user has no bpf(2).
"""
import concurrent.futures
import glob
import os
import re
import shlex
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
# Debian's name of each machine: the name in its compiler and in QEMU.
MACHINES = {"arm64": "aarch64", "s390x": "s390x"}
NAMES = ("gcc", "clang", *MACHINES)
LEFT_OUT = ("test_core_bpf", "test_kernel_parity", "test_sanitized", "test_fuzz",
            "test_replay_allocation")
TIMEOUT_SECONDS = 1800
COUNTS = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.MULTILINE)


class Target:
    """A compiler and a machine. `lacks`: the reason why the tests cannot run, or None."""

    def __init__(self, name):
        self.name, self.folder, self.emulator, self.lacks = name, f"build/cross/{name}", [], None
        self.settings = [f"CC=ccache {name}" if shutil.which("ccache") else f"CC={name}"]
        if name not in MACHINES:
            self.lacks = missing({name: name})
            return
        called, sysroot = MACHINES[name], os.path.join(ROOT, "build", "cross", "sysroot", name)
        prefix = f"{called}-linux-gnu-"
        self.lacks = missing({f"qemu-{called}": "qemu-user", f"{prefix}gcc": f"gcc-{called}-linux-gnu"}) or \
            get_libraries(name, sysroot)
        self.emulator = [f"qemu-{called}", "-L", sysroot]
        compiler = f"{prefix}gcc --sysroot={shlex.quote(sysroot)}"
        self.settings = [f"CC=ccache {compiler}" if shutil.which("ccache") else f"CC={compiler}", f"AR={prefix}ar"]

    def build(self):
        """Builds the program and the tests. Returns the compiler's output on failure, else None."""
        command = ["make", "-s", f"BUILD={self.folder}", "BPF_BUILD=build", "SANITIZERS=-O2 -g", *self.settings, "all",
                   "unit-tests"]
        done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        return done.stdout if done.returncode else None

    def netracker(self):
        """The path of a program that the replay tests can run."""
        path = os.path.join(ROOT, self.folder, "netracker")
        if not self.emulator:
            return path
        wrapper = path + ".emulated"
        with open(wrapper, "w") as file:
            file.write(f'#!/bin/sh\nexec {shlex.join([*self.emulator, path])} "$@"\n')
        os.chmod(wrapper, 0o755)
        return wrapper

    def commands(self):
        """(name, command) of each test program."""
        unit = [path[:-2] for path in sorted(glob.glob("tests/unit/test_*.c", root_dir=ROOT))]
        replay = sorted(glob.glob("tests/replay/test_*.py", root_dir=ROOT))
        found = [(path, [*self.emulator, f"{self.folder}/{path}"]) for path in unit] + \
            [(path, ["/usr/bin/python3", path]) for path in replay]
        return [(path, command) for path, command in found if not any(name in path for name in LEFT_OUT)]


def missing(needed):
    """needed: {program: package}. The reason why the tests cannot run, or None."""
    packages = [package for program, package in needed.items() if not shutil.which(program)]
    return f"not installed: {' '.join(packages)}; scripts/install-packages --cross" if packages else None


def get_libraries(machine, sysroot):
    done = subprocess.run([os.path.join(HERE, "get-libraries"), machine, sysroot], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    reason = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
    return f"no libraries: {reason[0]}" if done.returncode else None


def run_program(command, environment):
    """Output and counts; a program that crashes or prints no counts is one failure."""
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="backslashreplace", timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        return f"took more than {TIMEOUT_SECONDS} s\n", [0, 1, 0]
    found = COUNTS.findall(done.stdout)
    counts = [int(count) for count in found[-1]] if found else [0, 0, 0]
    if (done.returncode or not sum(counts)) and not counts[1]:
        counts[1] = 1
        return f"{done.stdout}exit status {done.returncode}\n", counts
    return done.stdout, counts


def show(name, path, output, counts, seconds):
    print("%-4s  %-5s  %-32s %d passed, %d failed, %d skipped  %.0f s" %
          ("FAIL" if counts[1] else "ok", name, path, *counts, seconds))
    for line in output.splitlines():
        if counts[1] or os.environ.get("V") == "1" or line.lower().startswith("skip"):
            print("      " + line)
    sys.stdout.flush()


def run_target(name):
    target = Target(name)
    if target.lacks:
        print(f"skip  {name}: {target.lacks}", flush=True)
        return [0, 0, 1]
    reason = target.build()
    if reason:
        print(f"FAIL  {name}: does not build: {reason}", flush=True)
        return [0, 1, 0]
    environment = dict(os.environ, NETRACKER=target.netracker(), NETRACKER_EMULATED="1" if target.emulator else "")

    def timed(item):
        began = time.monotonic()
        return (item[0], *run_program(item[1], environment), time.monotonic() - began)

    totals = [0, 0, 0]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, output, counts, seconds in pool.map(timed, target.commands()):
            show(name, path, output, counts, seconds)
            totals = [total + count for total, count in zip(totals, counts)]
    print("%s: %d passed, %d failed, %d skipped" % (name, *totals), flush=True)
    return totals


def main():
    names = sys.argv[1:] or NAMES
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        sys.exit("test_cross.py: no such compiler or machine: %s; known: %s" % (" ".join(unknown), " ".join(NAMES)))
    totals = [sum(column) for column in zip(*(run_target(name) for name in names))]
    print("%d passed, %d failed, %d skipped" % tuple(totals))
    return 1 if totals[1] else 0


if __name__ == "__main__":
    sys.exit(main())
