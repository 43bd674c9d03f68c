#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every source file names its licence in its first three lines."""
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "replay"))
import replay_harness  # noqa: E402
from replay_harness import check, skip  # noqa: E402

LICENCE = b"SPDX-License-Identifier: GPL-2.0-or-later"
EXTENSIONS = (".c", ".h", ".S", ".py", ".sh", ".bash", ".8", ".mk", ".go", ".java", ".js", ".in", ".logrotate",
              ".sysusers", ".yml")
# Other files: documents, captures, expected output, lists of cases, settings of git.
OTHERS = (".md", ".json", ".jsonl", ".txt", ".pcap", ".pcapng", "LICENSE", ".gitignore")


def tracked():
    """The files that git tracks; None outside a clone."""
    done = subprocess.run(["git", "-c", "safe.directory=*", "-C", ROOT, "ls-files", "-z"], capture_output=True,
                          text=True)
    return [path for path in done.stdout.split("\0") if path] if done.returncode == 0 else None


def is_source(path, first):
    return path.endswith(EXTENSIONS) or os.path.basename(path) == "Makefile" or first.startswith(b"#!")


def licences():
    try:
        paths = tracked()
    except FileNotFoundError:
        paths = None
    if paths is None:
        skip("licences of source files: not a git clone, or git is not installed")
        return
    sources = 0
    for path in paths:
        if not os.path.isfile(os.path.join(ROOT, path)):  # removed but not committed
            continue
        with open(os.path.join(ROOT, path), "rb") as file:
            lines = [file.readline() for _ in range(3)]
        if is_source(path, lines[0]):
            sources += 1
            check(any(LICENCE in line for line in lines), "%s: no licence in its first three lines" % path)
        else:
            check(path.endswith(OTHERS) or path.startswith("."), "%s: is this a source file?" % path)
    check(sources > 200, "only %d source files were found" % sources)


if __name__ == "__main__":
    replay_harness.run([licences])
