# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the eunomia-bpf version's programs go: what run and reload share."""
import os
import sys

FOLDER = os.path.dirname(os.path.realpath(__file__))
BUILT = os.path.join(FOLDER, "..", "build", "eunomia")
PROGRAMS = {"ingress": "netracker_in", "egress": "netracker_out"}
PRIORITY = 49162  # as in netracker.bpf.c; any that others hardly choose

sys.path.insert(0, os.path.join(FOLDER, "..", "frontends"))
from interface import (BROKEN, DONE, KERNEL, USAGE, Interface, Parser, Refusal, main,  # noqa: E402, F401
                       need, printable, say, signals_held)
import frontend_records  # noqa: E402, F401


def interface_of(name):
    return Interface(name, "eunomia/run or eunomia/reload", PRIORITY, PROGRAMS)
