#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""replay with the address and undefined-behaviour sanitizers: no findings, and the same records of every capture."""
import concurrent.futures
import os
import subprocess

import replay_harness
from test_kernel_parity import captures

SANITIZED = os.path.join(replay_harness.ROOT, "build", "sanitized", "netracker")
OPTIONS = (("-f", "json"), ("-f", "text", "--tunnels", "--events", "open,close,exit"), ("-f", "zeek", "--like", "zeek"),
           ("-f", "csv", "--like", "zeek", "-C"), ("-f", "text", "--like", "zeek"))


def fixed_addresses():
    """Older sanitizers crash at random if addresses have more than 28 random bits."""
    works = subprocess.run(["setarch", "-R", "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0
    return ["setarch", "-R"] if works else []


def run(program, path, options):
    return subprocess.run([*program, "replay", *options, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=120, check=False)


def pair(job):
    path, options, prefix = job
    return path, options, run([*prefix, SANITIZED], path, options), run([replay_harness.NETRACKER], path, options)


def without_times(output):
    """The lines without those of a Zeek log that contain the current time."""
    return [line for line in output.splitlines() if not line.startswith((b"#open", b"#close"))]


def main():
    prefix = fixed_addresses()
    jobs = [(path, options, prefix) for path in captures() for options in OPTIONS]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, options, sanitized, plain in pool.map(pair, jobs):
            where = " ".join((os.path.basename(path), *options))
            replay_harness.equal(sanitized.returncode, plain.returncode, f"{where}: status")
            replay_harness.check(plain.returncode in (0, 1), f"{where}: status {plain.returncode}")
            replay_harness.equal(without_times(sanitized.stdout), without_times(plain.stdout), f"{where}: records")
            replay_harness.equal(sanitized.stderr.decode(), plain.stderr.decode(), f"{where}: messages")


if __name__ == "__main__":
    replay_harness.run([main])
