# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs netracker list."""
import subprocess

from tracker import PROGRAM, prepare, record_of


def list_in(bench, *arguments):
    """Returns exit status, records and messages."""
    done = subprocess.run([PROGRAM, "list", "-f", "json", *arguments], preexec_fn=lambda: prepare(bench.here.name),
                          capture_output=True, text=True)
    return done.returncode, [record_of(line) for line in done.stdout.splitlines()], done.stderr


def tuple_of(record):
    """Returns address and port of the record's socket, then those of the other side."""
    local, remote = ("dst", "src") if record["role"] == "server" else ("src", "dst")
    return (record[local + "_ip"], record[local + "_port"], record[remote + "_ip"], record[remote + "_port"])
