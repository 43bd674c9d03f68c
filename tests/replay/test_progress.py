#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The line that says how far a long capture was read: on a terminal only, gone before anything else is written."""
import os
import pty
import re
import subprocess
import time

import replay_harness
from replay_harness import check, equal
from pcap import ACK, CLIENT, SERVER, capture, packet

LINE = re.compile(rb"\r\x1b\[Knetracker: \d+\.\d million packets")
PACKETS = 6000


def packets(first):
    """So many that the clock is looked at; as they stand in a file, without its header."""
    made = capture([((first + i) / 1000, packet(CLIENT, SERVER, ACK, 1000, 1)) for i in range(PACKETS)])
    return made[:24], made[24:]


def replay_slowly(*arguments, terminal=True):
    """Packets come by a pipe, the second half of them more than a second after the first. What was written to stderr."""
    ours, theirs = pty.openpty() if terminal else os.pipe()
    process = subprocess.Popen([replay_harness.NETRACKER, "replay", "-f", "json", *arguments, "-"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    header, first = packets(0)
    process.stdin.write(header + first)
    process.stdin.flush()
    time.sleep(1.2)
    process.stdin.write(packets(PACKETS)[1])
    process.stdin.close()
    output = process.stdout.read()
    equal(process.wait(timeout=60), 0, "exit status")
    equal(output.count(b"\n"), 1, "records")
    return read_all(ours)


def read_all(descriptor):
    said = b""
    while True:
        try:
            some = os.read(descriptor, 65536)
        except OSError:  # a terminal whose other end is closed
            some = b""
        if not some:
            os.close(descriptor)
            return said
        said += some


def on_a_terminal():
    said = replay_slowly()
    check(LINE.search(said), f"shown: {said!r}")
    last = said[[match.end() for match in LINE.finditer(said)][-1]:] if LINE.search(said) else b""
    check(last.startswith(b"\r\x1b[Knetracker: 1 record"), f"taken away before the account: {last!r}")


def elsewhere():
    for said in (replay_slowly("-q"), replay_slowly("--quiet", terminal=False)):
        equal(said, b"", "stderr")
    check(b"million" not in replay_slowly(terminal=False), "no terminal")


if __name__ == "__main__":
    replay_harness.run([on_a_terminal, elsewhere])
