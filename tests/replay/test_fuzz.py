#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs each fuzz target once over its stored inputs, without fuzzing; `make fuzz T=60` fuzzes."""
import os
import subprocess
import tempfile

import replay_harness

TARGETS = ("parser", "connection", "zeek", "join", "reader", "explain", "filter")


def run(*command):
    return subprocess.run(command, cwd=replay_harness.ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)


def has_libfuzzer():
    with tempfile.TemporaryDirectory() as directory:
        source, program = os.path.join(directory, "a.c"), os.path.join(directory, "a")
        with open(source, "w", encoding="utf-8") as file:
            file.write("int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return !d && n; }\n")
        return run("clang", "-fsanitize=fuzzer,address,undefined", source, "-o", program).returncode == 0


def main():
    if not has_libfuzzer():
        replay_harness.skip("clang has no libFuzzer: install libclang-rt-dev")
        return
    built = run("make", "-s", f"-j{os.cpu_count()}", "fuzz-targets")
    replay_harness.equal(built.returncode, 0, "make fuzz-targets: " + built.stdout.decode()[-2000:])
    for target in TARGETS:
        result = run("tests/fuzz/run", "0", target)
        replay_harness.equal(result.returncode, 0, f"{target}: {result.stdout.decode()[-2000:]}")


if __name__ == "__main__":
    replay_harness.run([main])
