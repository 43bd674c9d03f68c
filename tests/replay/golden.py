#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Golden tests of replay: each case is one line of golden_cases.txt and one file of golden/.

golden.py                     compares (test_golden.py)
golden.py --regenerate        writes the answers again: check them with `git diff` before you commit them
golden.py --captures DIR      writes the captures, for other programs to read
"""
import os
import re
import subprocess
import sys

import replay_harness
import pcap

FOLDER = os.path.dirname(os.path.abspath(__file__))
CASES = os.path.join(FOLDER, "golden_cases.txt")
ANSWERS = os.path.join(FOLDER, "golden")
FLAGS = {"F": pcap.FIN, "S": pcap.SYN, "R": pcap.RST, "P": pcap.PSH, "A": pcap.ACK, "U": 32, "-": 0}
STEP = re.compile(r"([<>])([FSRPAU-]+)(\d*)(?:=(-?\d+))?(?:@([\d.]+))?(?:%(\d+))?$")
SWITCH = re.compile(r"(v[46]):(\d+)$")
ADDRESSES = {"v4": ("198.18.0.9", "198.18.0.1"), "v6": ("fd00::9", "fd00::1")}
ISN = {">": 1000, "<": 51000}
TICK = 0.01


class Exchange:
    """Turns the steps of a case, described at the top of golden_cases.txt, into packets."""

    def __init__(self):
        self.time, self.packets = 0.0, []
        self.ends, self.following = {}, {}
        self.switch("v4", 40000)

    def switch(self, family, port):
        client, server = ADDRESSES[family]
        self.ends = {">": (client, port), "<": (server, 80)}
        self.following = dict(ISN)

    def step(self, direction, letters, size, relative, at, captured):
        peer = "<" if direction == ">" else ">"
        flags = sum(FLAGS[letter] for letter in letters)
        sequence = ISN[direction] + int(relative) if relative else self.following[direction]
        payload = bytes(int(size or 0))
        acknowledgement = self.following[peer] if flags & pcap.ACK else 0
        frame = pcap.packet(self.ends[direction], self.ends[peer], flags, sequence, acknowledgement, payload)
        self.time = float(at) if at else self.time + TICK
        self.packets.append((self.time, frame, int(captured or len(frame))))
        beyond = sequence + len(payload) + bool(flags & pcap.SYN) + bool(flags & pcap.FIN)
        self.following[direction] = max(self.following[direction], beyond)

    def take(self, word):
        switch, step = SWITCH.match(word), STEP.match(word)
        if switch:
            self.switch(switch[1], int(switch[2]))
        elif step:
            self.step(*step.groups())
        else:
            sys.exit(f"golden_cases.txt: {word}: not a step; see the top of the file")


def cases():
    """Yields (name, options, capture)."""
    with open(CASES, encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                name, options, steps = (part.strip() for part in line.split("|"))
                exchange = Exchange()
                for word in steps.split():
                    exchange.take(word)
                yield name, options.split(), pcap.capture(exchange.packets)


def answer(options, capture):
    process = subprocess.run([replay_harness.NETRACKER, "replay", *options, "-"], input=capture, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, env={**os.environ, "TZ": "UTC"}, timeout=60, check=False)
    return process.stdout + b"status %d\n" % process.returncode


def path_of(name):
    return os.path.join(ANSWERS, name + ".txt")


def compare(name, options, capture):
    with open(path_of(name), "rb") as file:
        expected = file.read().decode()
    replay_harness.equal(answer(options, capture).decode(), expected, name)
    for line in expected.splitlines():
        if line.startswith("{"):
            replay_harness.record_of(line)


def regenerate():
    os.makedirs(ANSWERS, exist_ok=True)
    kept = set()
    for name, options, capture in cases():
        kept.add(path_of(name))
        with open(path_of(name), "wb") as file:
            file.write(answer(options, capture))
    for old in {os.path.join(ANSWERS, name) for name in os.listdir(ANSWERS)} - kept:
        os.remove(old)


def write_captures(folder):
    os.makedirs(folder, exist_ok=True)
    for name, _, capture in cases():
        with open(os.path.join(folder, name + ".pcap"), "wb") as file:
            file.write(capture)


def main(arguments):
    if arguments == ["--regenerate"]:
        regenerate()
    elif len(arguments) == 2 and arguments[0] == "--captures":
        write_captures(arguments[1])
    elif arguments:
        sys.exit(__doc__)
    else:
        replay_harness.run([lambda case=case: compare(*case) for case in cases()])


if __name__ == "__main__":
    main(sys.argv[1:])
