#!/usr/bin/python3
"""Runs all live tests (or the named programs) and adds up their last lines.

remote.py mostly waits for the tracker's 70 s limits, so it runs beside the others.
"""
import os
import re
import subprocess
import sys
import tempfile

DIRECTORY = os.path.dirname(os.path.abspath(__file__))
BESIDE = "remote.py"
PROGRAMS = ["checker.py", "endings.py", "owners.py", "attempts.py", "paths.py", "before_start.py", "books.py",
            "options.py", "badinput.py"]
LAST_LINE = re.compile(r"(\d+) passed, (\d+) failed, (\d+) skipped\n\Z")


def start(program, output):
    return subprocess.Popen([os.path.join(DIRECTORY, program)], stdin=subprocess.DEVNULL, stdout=output,
                            stderr=subprocess.STDOUT)


def report(program, output):
    """Prints what a program said: its counts, or one failure where it did not get to its last line."""
    output.seek(0)
    text = output.read().decode(errors="replace")
    last = LAST_LINE.search(text)
    print("== %s\n%s" % (program, text), end="", flush=True)
    return [int(count) for count in last.groups()] if last else [0, 1, 0]


def main():
    programs = sys.argv[1:] or [BESIDE] + PROGRAMS
    totals = [0, 0, 0]
    beside = None
    for program in programs:
        output = tempfile.TemporaryFile()
        process = start(program, output)
        if program == BESIDE and len(programs) > 1:
            beside = process, output
            continue
        process.wait()
        totals = [sum(pair) for pair in zip(totals, report(program, output))]
    if beside:
        beside[0].wait()
        totals = [sum(pair) for pair in zip(totals, report(BESIDE, beside[1]))]
    print("%d passed, %d failed, %d skipped" % tuple(totals))
    return 1 if totals[1] else 0


if __name__ == "__main__":
    sys.exit(main())
