# SPDX-License-Identifier: GPL-2.0-or-later
"""Parses the accounting that every version prints on stderr at its end, such as
"12 records: 10 written, 0 filtered, 2 open, 0 lost".
"""
import re

LINE = re.compile(r"netracker: (\d+) records?: (\d+) written, (\d+) filtered(?: \([^)]*\))?, (\d+) open, (\d+) lost(.*)$",
                  re.MULTILINE)
PREEXISTING = re.compile(r"; (\d+) pre-existing")
WRONG = re.compile(r"the accounting is wrong: ")


def parse(text):
    """Returns the counts by name ("records", "written", ..., "pre-existing"), or None without such a line."""
    line = LINE.search(text)
    if not line:
        return None
    preexisting = PREEXISTING.search(line[6])
    names = ("records", "written", "filtered", "open", "lost")
    return {**{name: int(line[number + 1]) for number, name in enumerate(names)},
            "pre-existing": int(preexisting[1]) if preexisting else 0}


def balances(text):
    """Whether there is an accounting, its sum is right, and it reports no difference itself."""
    counts = parse(text)
    return bool(counts) and not WRONG.search(text) and \
        counts["records"] == counts["written"] + counts["filtered"] + counts["open"] + counts["lost"]
