#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The stacks of the BPF programs, with those of the functions they call, fit into what older kernels allow.

Before private stacks (Linux 6.13, 7d1cd70d4b16) the verifier adds up the frames of nested calls, each rounded up to 32
bytes, and refuses more than 512 (check_max_stack_depth). A newer kernel does not show that an object is beyond it.
"""
import collections
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "replay"))
from replay_harness import check, run  # noqa: E402

OBJECTS = ["build/netracker.bpf.o", "build/attach.bpf.o", "build/eunomia/netracker.bpf.o"]
MOST_BYTES, ROUNDED_TO = 512, 32
LABEL = re.compile(r"([0-9a-f]+) <((?!LBB)\S+)>:")
SECTION = re.compile(r"Disassembly of section (\S+):")
FRAME = re.compile(r"r10 [-+] -?(0x[0-9a-f]+|\d+)")
CALL = re.compile(r"\b85 10 00 00 ((?:[0-9a-f]{2} ?){4})")
RELOCATION = re.compile(r"R_BPF_64_32\s+(\S+)")


class Program:
    def __init__(self, section):
        self.section, self.frame, self.calls = section, 0, []


def disassemble(path):
    """{name: Program}, and the names of the functions by their offset in .text. A call is a name or such an offset."""
    programs, at, section, program = {}, {}, None, None
    lines = subprocess.run(["llvm-objdump", "-dr", os.path.join(ROOT, path)], stdout=subprocess.PIPE, text=True,
                           check=True).stdout.splitlines()
    for number, line in enumerate(lines):
        if SECTION.match(line):
            section = SECTION.match(line)[1]
        elif LABEL.match(line):
            offset, name = LABEL.match(line).groups()
            program = programs[name] = Program(section)
            if section == ".text":
                at[int(offset, 16)] = name
        elif program:
            for depth in FRAME.findall(line):
                program.frame = max(program.frame, int(depth, 0))
            if CALL.search(line):
                program.calls.append(target(lines, number))
    return programs, at


def target(lines, number):
    """What the call at this line goes to: by the relocation behind it, else by its distance within .text."""
    immediate = int.from_bytes(bytes.fromhex(CALL.search(lines[number])[1].replace(" ", "")), "little", signed=True)
    relocation = RELOCATION.search(lines[number + 1]) if number + 1 < len(lines) else None
    if relocation:
        return relocation[1] if relocation[1] != ".text" else (immediate + 1) * 8
    return (int(lines[number].split(":")[0]) + 1 + immediate) * 8


def deepest(programs, at, name, chain=()):
    """(bytes, names) of the deepest chain of calls that begins here."""
    program = programs[name]
    own = (max(program.frame, 1) + ROUNDED_TO - 1) // ROUNDED_TO * ROUNDED_TO
    below = [deepest(programs, at, at.get(call, call), (*chain, name)) for call in set(program.calls)]
    depth, names = max(below, default=(0, ()))
    return own + depth, (name, *names)


def stacks_fit():
    for path in OBJECTS:
        programs, at = disassemble(path)
        roots = [name for name, program in programs.items() if program.section != ".text"]
        check(roots, "%s: no program is found" % path)
        for name in roots:
            depth, names = deepest(programs, at, name)
            check(depth <= MOST_BYTES, "%s: %d bytes of stack: %s" % (path, depth, " -> ".join(names)))
        kinds = collections.Counter(program.section == ".text" for program in programs.values())
        check(path != OBJECTS[0] or kinds[True] > 5 and any(programs[name].calls for name in roots),
              "%s: functions and calls are read" % path)


run([stacks_fit])
