"""The account that a tracker gives at its end."""
import re

from traffic import require

ACCOUNT = re.compile(r"(\d+) opened \+ (\d+) found at start = (.*)$", re.MULTILINE)
ENTRY = re.compile(r"(\d+) (written|filtered|still open|lost)\b")


def account(tracker):
    """The books' one line: {entry: count}."""
    line = ACCOUNT.search(tracker.stderr())
    require(line, "no account on stderr: %r" % tracker.stderr()[-300:])
    books = {"opened": int(line[1]), "found": int(line[2])}
    books.update((entry, int(count)) for count, entry in ENTRY.findall(line[3]))
    return books


def balance_problems(books):
    right = sum(books.get(entry, 0) for entry in ("written", "filtered", "still open", "lost"))
    if books["opened"] + books["found"] != right:
        return ["the books do not balance: %s" % books]
    return []
