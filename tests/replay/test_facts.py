#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Facts of captures from elsewhere, where they are at hand: a folder with check.py and index.json, ../shared/traces
beside the project or the one that TRACES names. check.py judges; one capture whose records are all equal is one test.
"""
import os
import re
import subprocess
import sys

from replay_harness import NETRACKER, ROOT

TRACES = os.environ.get("TRACES", os.path.join(os.path.dirname(ROOT), "shared", "traces"))


def main():
    judge = os.path.join(TRACES, "check.py")
    if not os.path.exists(judge):
        print(f"skipped: no captures with known answers ({judge} is not there; TRACES names another folder)")
        print("0 passed, 0 failed, 1 skipped")
        return 0
    process = subprocess.run([sys.executable, judge, "--cmd", NETRACKER, "facts", "-v"], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, timeout=300, check=False)
    print(process.stdout, end="")
    found = re.search(r"^facts: captures (\d+)/(\d+), records \d+/\d+, extra \d+$", process.stdout, re.MULTILINE)
    equal, captures = map(int, found.groups()) if found else (0, 1)
    failed = captures - equal or int(process.returncode != 0)
    print(f"{equal} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
