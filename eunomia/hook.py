# SPDX-License-Identifier: GPL-2.0-or-later
"""Definitions that run and reload share: the eunomia-bpf version's programs and their place on an interface."""
import os
import sys

FOLDER = os.path.dirname(os.path.realpath(__file__))
BUILT = os.path.join(FOLDER, "..", "build", "eunomia")
PROGRAMS = {"ingress": "netracker_in", "egress": "netracker_out"}
PRIORITY = 49162  # as in netracker.bpf.c; unlikely to be in use

sys.path.insert(0, os.path.join(FOLDER, "..", "frontends"))
from interface import (BROKEN, DONE, KERNEL, USAGE, Interface, Parser, Refusal, main,  # noqa: E402, F401
                       require_command, printable, report, blocked_signals)
import frontend_records  # noqa: E402, F401


def open_interface(name):
    return Interface(name, "eunomia/run or eunomia/reload", PRIORITY, PROGRAMS)
