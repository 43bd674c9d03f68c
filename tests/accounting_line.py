# SPDX-License-Identifier: GPL-2.0-or-later
"""The accounting that every version prints on stderr at its end: "12 records: 10 written, 0 filtered, 2 open, 0 lost"."""
import re

LINE = re.compile(r"netracker: (\d+) records?: (\d+) written, (\d+) filtered(?: \([^)]*\))?, (\d+) open, (\d+) lost(.*)$",
                  re.MULTILINE)
PREEXISTING = re.compile(r"; (\d+) pre-existing")
WRONG = re.compile(r"the accounting is wrong: ")


def parse(text):
    """{"records", "written", "filtered", "open", "lost", "pre-existing"}; None where there is no such line."""
    line = LINE.search(text)
    if not line:
        return None
    preexisting = PREEXISTING.search(line[6])
    names = ("records", "written", "filtered", "open", "lost")
    return {**{name: int(line[number + 1]) for number, name in enumerate(names)},
            "pre-existing": int(preexisting[1]) if preexisting else 0}


def balances(text):
    """Whether there is an accounting, and every record is accounted for: by its own sum, and by what it says itself."""
    counts = parse(text)
    return bool(counts) and not WRONG.search(text) and \
        counts["records"] == counts["written"] + counts["filtered"] + counts["open"] + counts["lost"]
