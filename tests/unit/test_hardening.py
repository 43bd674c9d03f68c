#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The built program is hardened, by what readelf reports."""
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "replay"))
import replay_harness  # noqa: E402
from replay_harness import NETRACKER, check, skip  # noqa: E402


def readelf(option):
    return subprocess.run(["readelf", option, "--wide", NETRACKER], capture_output=True, text=True, check=True).stdout


def position_independent():
    """The type DYN is also that of a shared object; only an executable has the flag PIE."""
    check(re.search(r"Type:\s+DYN", readelf("--file-header")), "the ELF type is DYN")
    check(re.search(r"\(FLAGS_1\).*\bPIE\b", readelf("--dynamic")), "the dynamic section has the flag PIE")


def full_relro():
    check("GNU_RELRO" in readelf("--program-headers"), "a segment is GNU_RELRO")
    check("BIND_NOW" in readelf("--dynamic"), "all symbols are bound at the start (BIND_NOW)")


def stack_not_executable():
    stack = re.search(r"GNU_STACK.*", readelf("--program-headers"))
    check(stack and "E" not in stack[0].split()[-2], "the stack is not executable: %s" % (stack and stack[0]))


def checked_functions():
    """The C library's checked functions end the program when the stack or a known buffer overflows."""
    imported = re.findall(r" UND (\w+)", readelf("--dyn-syms"))
    check("__stack_chk_fail" in imported, "the stack protector is used")
    fortified = [name for name in imported if re.fullmatch(r"__\w+_chk", name)]
    check(len(fortified) >= 3, "fortified functions: %s" % fortified)


if __name__ == "__main__":
    if not shutil.which("readelf"):
        skip("hardening: readelf is not installed")
        replay_harness.run([])
    replay_harness.run([position_independent, full_relro, stack_not_executable, checked_functions])
