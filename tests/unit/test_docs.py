#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The documents name only files that exist, and their links lead to a file and, where they name one, to a heading.

docs/architecture.md has the levels of test_includes.py.
"""
import ast
import collections
import glob
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "replay"))
import replay_harness  # noqa: E402
from replay_harness import check, equal  # noqa: E402

SKIPPED_FOLDERS = {".git", "build"}
# Built, or brought along by whoever runs the tests: not part of the repository.
NOT_IN_REPOSITORY = ("build/", "../shared/")
OTHERS = {"vmlinux.h"}  # no file of ours
SUFFIXES = (".c", ".h", ".py", ".md")
FENCE = re.compile(r"^```.*?^```", re.M | re.S)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.*)$", re.M)


def tree():
    """All files and folders of the repository, relative to its root."""
    found = set()
    for where, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in SKIPPED_FOLDERS and name != "__pycache__"]
        found.update(os.path.relpath(os.path.join(where, name), ROOT) for name in folders + names)
    return found


TREE = tree()
TOP_FOLDERS = {path for path in TREE if "/" not in path and os.path.isdir(os.path.join(ROOT, path))}
NAMES = {os.path.basename(path) for path in TREE}
DOCUMENTS = sorted(path for path in TREE if path.endswith(".md"))


def read(document):
    with open(os.path.join(ROOT, document)) as file:
        return file.read()


def is_repository_path(word):
    return "/" in word and word.split("/")[0] in TOP_FOLDERS


def exists(path):
    """Of a pattern, whether anything matches it. NAME stands for any name."""
    return bool(glob.glob(os.path.join(ROOT, path.replace("NAME", "*"))))


def words_of(text):
    """The words in backticks, without punctuation around them."""
    for code in CODE.findall(FENCE.sub("", text)):
        yield from (word.strip(".,:;()") for word in code.split())


def paths_exist():
    """A word in backticks that begins with a folder of the repository is a path; one that ends as a source file does is
    the name of a file somewhere in it."""
    count = 0
    for document in DOCUMENTS:
        for word in words_of(read(document)):
            if word.startswith(NOT_IN_REPOSITORY + ("/",)) or word in OTHERS:
                continue
            if is_repository_path(word):
                check(exists(word), "%s: %s does not exist" % (document, word))
                count += 1
            elif word.endswith(SUFFIXES) and "/" not in word:
                known = word in NAMES or any(glob.fnmatch.fnmatch(name, word.replace("NAME", "*")) for name in NAMES)
                check(known, "%s: no file is named %s" % (document, word))
                count += 1
    check(count > 300, "only %d paths were found" % count)


def commands_exist():
    """In examples too: a command that begins with a folder of the repository."""
    for document in DOCUMENTS:
        for block in FENCE.findall(read(document)):
            for word in re.findall(r"^# (\S+)", block, re.M):
                check(not is_repository_path(word) or word.startswith(NOT_IN_REPOSITORY) or exists(word),
                      "%s: %s does not exist" % (document, word))


def anchors(document):
    """As GitHub makes them: lower case, without punctuation, a hyphen for each space."""
    headings = HEADING.findall(FENCE.sub("", read(document)))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links_resolve():
    count = 0
    for document in DOCUMENTS:
        for target in LINK.findall(FENCE.sub("", read(document))):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            linked = os.path.normpath(os.path.join(os.path.dirname(document), path)) if path else document
            check(linked in TREE, "%s: link to %s: no such file" % (document, target))
            if anchor and linked in TREE:
                check(anchor in anchors(linked), "%s: link to %s: no such heading" % (document, target))
            count += 1
    check(count > 50, "only %d links were found" % count)


def levels_agree():
    """The table of the tree against the levels that the includes are checked by."""
    with open(os.path.join(ROOT, "tests", "unit", "test_includes.py")) as file:
        checked = ast.literal_eval(re.search(r"^LEVELS = (\[.*?^\])", file.read(), re.M | re.S)[1])
    documented = collections.defaultdict(set)
    for number, path in re.findall(r"^\| (\d+) \| `([^`]+)` \|", read("docs/architecture.md"), re.M):
        documented[int(number)].add(os.path.dirname(path))
    equal(documented, dict(enumerate(map(set, checked))), "levels of folders")


if __name__ == "__main__":
    replay_harness.run([paths_exist, commands_exist, links_resolve, levels_agree])
