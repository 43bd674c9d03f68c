#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks that all C is formatted by .clang-format, by clang-format 14."""
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "replay"))
import replay_harness  # noqa: E402
from replay_harness import check, skip  # noqa: E402

VERSION = 14


def formatter():
    return shutil.which(f"clang-format-{VERSION}") or shutil.which("clang-format")


def installed_version(program):
    text = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return int(re.search(r"version (\d+)", text)[1])


def tree_is_formatted():
    program = formatter()
    if not program or installed_version(program) != VERSION:
        skip(f"format: clang-format {VERSION} is not installed")
        return
    done = subprocess.run(["make", "-s", "-C", ROOT, "format-check", f"CLANG_FORMAT={program}"], capture_output=True,
                          text=True)
    check(done.returncode == 0, done.stderr)


if __name__ == "__main__":
    replay_harness.run([tree_is_formatted])
