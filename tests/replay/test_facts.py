#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares replay with the known answers of captures from elsewhere, where they are present.

TRACES names their folder, by default ../shared/traces beside the project. Its check.py compares the records; each
capture whose records are all equal counts as one passed test.
"""
import os
import re
import subprocess
import sys

from replay_harness import NETRACKER, ROOT

TRACES = os.environ.get("TRACES", os.path.join(os.path.dirname(ROOT), "shared", "traces"))


def main():
    checker = os.path.join(TRACES, "check.py")
    if not os.path.exists(checker):
        print(f"skipped: captures with known answers: {checker} does not exist; set TRACES to their folder")
        print("0 passed, 0 failed, 1 skipped")
        return 0
    process = subprocess.run([sys.executable, checker, "--cmd", NETRACKER, "facts", "-v"], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, timeout=300, check=False)
    print(process.stdout, end="")
    found = re.search(r"^facts: captures (\d+)/(\d+), records \d+/\d+, extra \d+$", process.stdout, re.MULTILINE)
    equal, captures = map(int, found.groups()) if found else (0, 1)
    failed = captures - equal or int(process.returncode != 0)
    print(f"{equal} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
