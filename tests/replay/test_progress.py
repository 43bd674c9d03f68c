#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The progress line appears on a terminal only, and is erased before anything else is written."""
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
    """Enough packets that replay checks the clock. Returns the header of a pcap file, and the packets."""
    made = capture([((first + i) / 1000, packet(CLIENT, SERVER, ACK, 1000, 1 + first + i)) for i in range(PACKETS)])
    return made[:24], made[24:]


def replay_slowly(*arguments, terminal=True):
    """Writes half of the packets into a pipe, and the rest more than a second later. Returns the bytes of stderr."""
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
    errors = b""
    while True:
        try:
            some = os.read(descriptor, 65536)
        except OSError:  # a terminal whose other side is closed
            some = b""
        if not some:
            os.close(descriptor)
            return errors
        errors += some


def on_a_terminal():
    errors = replay_slowly()
    check(LINE.search(errors), f"shown: {errors!r}")
    last = errors[[match.end() for match in LINE.finditer(errors)][-1]:] if LINE.search(errors) else b""
    check(last.startswith(b"\r\x1b[Knetracker: 1 record"), f"erased before the accounting: {last!r}")


def elsewhere():
    for errors in (replay_slowly("-q"), replay_slowly("--quiet", terminal=False)):
        equal(errors, b"", "stderr")
    check(b"million" not in replay_slowly(terminal=False), "no terminal")


if __name__ == "__main__":
    replay_harness.run([on_a_terminal, elsewhere])
