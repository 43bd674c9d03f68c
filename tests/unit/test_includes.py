#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Includes run from a folder to one below it, never up, and no headers include each other in a circle.

docs/architecture.md has the same levels. A folder that is missing from LEVELS fails the test.
"""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "replay"))
from replay_harness import check, equal, run  # noqa: E402

# From the bottom to the top. Folders of one level do not include each other.
LEVELS = [
    ["core", "src/util"],
    ["bpf", "src/record", "src/http"],
    ["src/output", "src/filter", "src/history", "src/metrics", "src/clickhouse"],
    ["src/summary"],
    ["src/delivery", "src/kernel", "src/capture"],
    ["src/zeek"],
    ["src/cli"],
    ["src/live", "src/list", "src/attach", "src/replay", "src/query", "src/ship", "src/explain"],
    ["src"],
]
# Shared by the kernel side and user space, like core/.
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
    """The project's files that this one includes, by a path from the root or from its own folder."""
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
              "%s includes files outside core/, bpf/ and src/" % path)


def includes_run_downward():
    for path, targets in RELATIONS.items():
        folder = os.path.dirname(path)
        for target in targets:
            below = os.path.dirname(target)
            allowed = below == folder or target in SHARED or target not in RELATIONS or level(below) < level(folder)
            check(allowed, "%s includes %s, which is not below it" % (path, target))


def no_circles():
    """Depth-first search: a file that is reached from itself is in a circle."""
    done, path_to_here = set(), []

    def visit(path):
        if path in path_to_here:
            check(False, "a circle: " + " -> ".join(path_to_here[path_to_here.index(path):] + [path]))
        elif path not in done:
            path_to_here.append(path)
            for target in RELATIONS.get(path, []):
                visit(target)
            path_to_here.pop()
            done.add(path)

    for path in RELATIONS:
        visit(path)
    equal(len(done), len(set(RELATIONS) | {target for targets in RELATIONS.values() for target in targets}), "visited")


run([every_folder_has_a_level, includes_exist, includes_run_downward, no_circles])
