#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The layout: includes run from a folder to one below it, never up, and no headers include each other in a circle.

docs/architecture.md has the same levels. A folder that is missing here fails the test: it needs its place first.
"""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "replay"))
from replay_harness import check, equal, run  # noqa: E402

# From the bottom up. Folders of one level do not include each other.
LEVELS = [
    ["core", "src/util"],
    ["bpf", "src/record"],
    ["src/output"],
    ["src/summary"],
    ["src/delivery", "src/kernel", "src/capture"],
    ["src/zeek"],
    ["src/cli"],
    ["src/live", "src/list", "src/attach", "src/replay", "src/explain"],
    ["src"],
]
# Values that the kernel side and user space share, beside core/.
SHARED = {"bpf/attachment.h"}
SOURCE_FOLDERS = ("core", "bpf", "src")
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def level(folder):
    return next((number for number, folders in enumerate(LEVELS) if folder in folders), None)


def sources():
    for top in SOURCE_FOLDERS:
        for where, _, names in os.walk(os.path.join(ROOT, top)):
            for name in names:
                if name.endswith((".c", ".h")):
                    yield os.path.relpath(os.path.join(where, name), ROOT)


def includes(path):
    """The project's files that this one includes, whichever way the include is written."""
    with open(os.path.join(ROOT, path)) as file:
        for written in INCLUDE.findall(file.read()):
            beside = os.path.normpath(os.path.join(os.path.dirname(path), written))
            yield beside if os.path.exists(os.path.join(ROOT, beside)) else written


RELATIONS = {path: sorted(set(includes(path))) for path in sources()}


def every_folder_has_a_level():
    check(len(RELATIONS) > 100, "%d source files are read" % len(RELATIONS))
    for path in RELATIONS:
        check(level(os.path.dirname(path)) is not None, "%s: its folder has no level" % path)


def includes_exist():
    for path, targets in RELATIONS.items():
        equal([target for target in targets if target not in RELATIONS and not target.endswith(".skel.h")], [],
              "%s includes what is no file of core/, bpf/ or src/" % path)


def includes_run_downward():
    for path, targets in RELATIONS.items():
        folder = os.path.dirname(path)
        for target in targets:
            below = os.path.dirname(target)
            allowed = below == folder or target in SHARED or target not in RELATIONS or level(below) < level(folder)
            check(allowed, "%s includes %s, which is not below it" % (path, target))


def no_circles():
    """Depth-first; a file that is met again on the way to itself is in a circle."""
    done, way = set(), []

    def visit(path):
        if path in way:
            check(False, "a circle: " + " -> ".join(way[way.index(path):] + [path]))
        elif path not in done:
            way.append(path)
            for target in RELATIONS.get(path, []):
                visit(target)
            way.pop()
            done.add(path)

    for path in RELATIONS:
        visit(path)
    equal(len(done), len(set(RELATIONS) | {target for targets in RELATIONS.values() for target in targets}), "visited")


run([every_folder_has_a_level, includes_exist, includes_run_downward, no_circles])
