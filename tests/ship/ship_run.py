# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs netracker ship."""
import concurrent.futures
import os
import re
import socket
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests", "query"), os.path.join(ROOT, "tests", "replay")]
from made_history import HISTORY, NETRACKER, new_folder  # noqa: E402
from replay_harness import check  # noqa: E402

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


class HttpShip(Ship):
    """To a server on this machine."""

    def __init__(self, port, *arguments, folder=HISTORY, scheme="clickhouse", user="", path="/nt", **options):
        super().__init__("%s://%slocalhost:%d%s" % (scheme, user, port, path), *arguments, folder=folder, **options)


def ship(port, *arguments, **options):
    return HttpShip(port, *arguments, **options).end()


def new_cursors():
    return new_folder("cursors%d" % next(numbers))


def with_host(values):
    return dict(values, host=values.get("host", "here"))


def distinct(bodies):
    """Without what was sent again just after."""
    return [body for index, body in enumerate(bodies) if not index or body != bodies[index - 1]]


def wait_for(condition, what, seconds=30):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    check(condition(), what)


def free_port():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return unused.getsockname()[1]


def at_once(*tests):
    """Runs tests that wait more than they compute."""
    def tests_at_once():
        with concurrent.futures.ThreadPoolExecutor(len(tests)) as pool:
            for running in [pool.submit(test) for test in tests]:
                running.result()
    return tests_at_once
