# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs netracker ship."""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests", "query"), os.path.join(ROOT, "tests", "replay")]
from made_history import NETRACKER, new_folder  # noqa: E402

ACCOUNTING = re.compile(r"ship: (\d+) sent, (\d+) rejected, (\d+) unsent, (\d+) removed unsent$")
numbers = iter(range(1000))


class Ship:
    """A run of netracker ship to its end, or without `once` one that goes on."""

    def __init__(self, url, *arguments, cursors, folder, once=True, **popen):
        command = [NETRACKER, "ship", "--from", folder, "--cursors", cursors, "--host", "here", "--to", url,
                   *(["--once"] if once else []), *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, **popen)

    def end(self, timeout=60):
        self.output, self.errors = self.process.communicate(timeout=timeout)
        self.status = self.process.returncode
        found = ACCOUNTING.search(self.errors.strip())
        self.accounting = tuple(int(number) for number in found.groups()) if found else None
        return self


def new_cursors():
    return new_folder("cursors%d" % next(numbers))
