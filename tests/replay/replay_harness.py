# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs `netracker replay` and counts checks."""
import os
import subprocess
import sys
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# NETRACKER names another build, or a script that runs one in an emulator (tests/cross/test_cross.py).
NETRACKER = os.environ.get("NETRACKER") or os.path.join(ROOT, "build", "netracker")
EMULATED = bool(os.environ.get("NETRACKER_EMULATED"))
sys.path.insert(0, os.path.join(ROOT, "tests"))
from accounting_line import balances, parse as accounting_of  # noqa: E402,F401
from record_schema import record_of  # noqa: E402

passed = failed = skipped = 0


def wait_for_midnight(seconds):
    """Waits if it comes within so many seconds: at midnight (UTC) a history begins another file."""
    left = 86400 - time.time() % 86400
    if left <= seconds:
        time.sleep(left)


class Result:
    def __init__(self, process):
        self.status = process.returncode
        self.output = process.stdout
        self.errors = process.stderr.decode()

    @property
    def records(self):
        return [record_of(line) for line in self.output.splitlines()]


def replay(capture, *arguments, file="-"):
    """Runs replay. capture: bytes for standard input; file: the name of a file, or a list of names."""
    files = [file] if isinstance(file, str) else file
    process = subprocess.run([NETRACKER, "replay", "-f", "json", *arguments, *files], input=capture,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
    return Result(process)


def check(condition, text):
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        caller = traceback.extract_stack()
        where = next(frame for frame in reversed(caller) if frame.filename != __file__)
        print(f"failed: {where.name}:{where.lineno}: {text}")


def equal(actual, expected, text):
    check(actual == expected, f"{text}: is {actual!r}, expected {expected!r}")


def skip(reason):
    """reason: "subject: cause"."""
    global skipped
    skipped += 1
    print(f"skipped: {reason}")


def holds(record, **expected):
    """Checks that the record has these values; None: the key is absent."""
    for name, value in expected.items():
        equal(record.get(name), value, name)


def run(tests):
    global failed
    for test in tests:
        try:
            test()
        except Exception:  # the other tests must still run
            failed += 1
            traceback.print_exc(file=sys.stdout)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)
