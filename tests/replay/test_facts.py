#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares replay with the known answers of captures from elsewhere, where they are present.

TRACES names their folder, by default ../shared/traces beside the project. Its check.py compares the records; each
capture whose records are all equal counts as one passed test, and so does one that differs and whose reason is in the
table "Known answers that record.md contradicts" of docs/testing.md.
"""
import os
import re
import subprocess
import sys

from replay_harness import NETRACKER, ROOT

TRACES = os.environ.get("TRACES", os.path.join(os.path.dirname(ROOT), "shared", "traces"))


def expected_to_differ():
    with open(os.path.join(ROOT, "docs", "testing.md"), encoding="utf-8") as file:
        table = file.read().split("Known answers that record.md contradicts", 1)[1].split("\n\n", 2)[1]
    return set(re.findall(r"^\| `([^`]+)`", table, re.MULTILINE))


def main():
    checker = os.path.join(TRACES, "check.py")
    if not os.path.exists(checker):
        print(f"skipped: captures with known answers: {checker} does not exist; set TRACES to their folder")
        print("0 passed, 0 failed, 1 skipped")
        return 0
    process = subprocess.run([sys.executable, checker, "--cmd", NETRACKER, "facts", "-v"], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, timeout=300, check=False)
    print(process.stdout, end="")
    found = re.search(r"^facts: captures \d+/(\d+), records \d+/\d+, extra \d+$", process.stdout, re.MULTILINE)
    captures = int(found.group(1)) if found else 1
    differing = set(re.findall(r"^(\S+/\S+) *: \d+ of \d+ equal", process.stdout, re.MULTILINE))
    wrong = differing ^ expected_to_differ() if found else {"check.py failed"}
    print("".join(f"failed: {name}\n" for name in sorted(wrong)), end="")
    failed = len(wrong)
    print(f"{captures - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
