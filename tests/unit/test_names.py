#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Names and words: each file and each function of the product has a name of its own, and comments use the words of
docs/glossary.md."""
import collections
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "replay"))
from replay_harness import check, equal, run  # noqa: E402

FOLDERS = ("core/", "bpf/", "src/", "bcc/", "eunomia/")
# ecc takes the package's name from its source and the event from event.h; `run` runs something in each of its folders.
FILES_TWICE = {"README.md", "netracker.bpf.c", "event.h", "run"}
# Each host of core/single_table.h defines these for its own tables.
HOST_FUNCTIONS = {"nt_tracked_began", "nt_tracked_ended", "nt_tracked_find", "nt_tracked_remove"}
MACROS = {"BPF_PROG", "TRACEPOINT_PROBE"}
DEFINITION = re.compile(r"^(?!\s|#|//|/\*|typedef|return|else)[\w \t*]*?\b(\w+)\((?:[^();{}]|\([^()]*\))*\)\s*\n?\{", re.M)
# Files that quote the words which others avoid.
EXEMPT = {"docs/glossary.md", "tests/unit/test_names.py"}
FRAGMENT = re.compile(r"^\s*(?:/\*|\*|//|#) (?:What|Of|Where|Who|Whose)\b", re.M)
WORDS = re.compile(r"\b(?:tell|tells|told|telling)\b|\bthe books\b")


def tracked(*suffixes):
    names = subprocess.run(["git", "-C", ROOT, "ls-files"], stdout=subprocess.PIPE, text=True, check=False).stdout.split()
    if not names:  # an exported tree
        names = [os.path.relpath(os.path.join(where, name), ROOT) for where, folders, files in os.walk(ROOT)
                 if not folders.clear() or "build" not in where for name in files]
    return [name for name in names if name.endswith(suffixes)]


def text_of(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def twice(found):
    return {name: places for name, places in found.items() if len(places) > 1}


def files_are_unique():
    found = collections.defaultdict(set)
    for path in tracked(".c", ".h", ".py", ".md", ".bash", ".8"):
        found[os.path.basename(path)].add(path)
    equal({name: places for name, places in twice(found).items() if name not in FILES_TWICE}, {}, "files of one name")


def functions_are_unique():
    found = collections.defaultdict(set)
    for path in tracked(".c", ".h"):
        if path.startswith(FOLDERS):
            for name in DEFINITION.findall(text_of(path)):
                found[name].add(path)
    check(len(found) > 1000, "%d functions are read" % len(found))
    names = twice({name: places for name, places in found.items() if name not in HOST_FUNCTIONS | MACROS})
    equal(names, {}, "functions of one name")


def words():
    for path in tracked(".c", ".h", ".py", ".md", ".8"):
        if path not in EXEMPT:
            text = text_of(path)
            equal(WORDS.findall(text), [], "%s: words that docs/glossary.md replaces" % path)
            if path.endswith((".c", ".h")):
                equal(FRAGMENT.findall(text), [], "%s: comments that are fragments" % path)


run([files_are_unique, functions_are_unique, words])
