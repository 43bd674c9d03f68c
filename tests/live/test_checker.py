#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests the comparison of records: a right record passes, and each wrong value in it is a problem."""
import contextlib
import copy
import io
import sys
import tempfile
import types
from unittest import mock

import bench
import harness
import records

SECOND = 1_000_000_000
START = 5 * SECOND
CLOCK = records.Clock(lambda: 0)

EXPECTED = {"case": "checker", "role": "server", "netns": 7, "event": "close", "src": ["198.18.0.1", 40000],
        "dst": ["198.18.0.2", 80], "owner": {"pid": 11, "comm": "nt", "uid": 3, "exe": "/bin/nt"},
        "owner_by": ["io", "close"], "seen": ["wire", "socket"], "reason": None, "gaps": [], "gaps_allowed": [],
        "outcome": "closed", "ended_by": "src", "start": [START, START], "first_fin": [START + SECOND, START + SECOND],
        "close": [START + 2 * SECOND, START + 2 * SECOND], "src_bytes": 100, "dst_bytes": 200, "order": START,
        "out_from": 6, "out_by": 10}

RECORD = {"v": 2, "id": "0123456789abcdef", "time": "1970-01-01T00:00:07.000000000Z", "event": "close", "role": "server", "family": "ipv4",
          "src_ip": "198.18.0.1", "src_port": 40000, "dst_ip": "198.18.0.2", "dst_port": 80, "community_id": "",
          "netns": 7, "ifname": "eth0", "pid": 11, "comm": "nt", "exe": "/bin/nt", "uid": 3, "owner_by": "io",
          "start": "1970-01-01T00:00:05.000000000Z", "duration_ns": 2 * SECOND, "first_fin_ns": SECOND,
          "wire_duration_ns": 2 * SECOND, "syn_synack_ns": 10, "synack_ack_ns": 20, "handshake_ns": 30,
          "syn_finack_ns": 2 * SECOND, "outcome": "closed", "ended_by": "src", "conn_state": "SF", "history": "ShFf",
          "src_bytes": 100, "dst_bytes": 200, "seen": ["wire", "socket"], "complete": True, "gaps": [], "_arrived": 8}
RECORD["community_id"] = records.community_id(RECORD)

ABSENT = object()
# A key and a value that a right record of EXPECTED cannot have.
WRONG_VALUES = [
    ("v", 1), ("id", "0123"), ("time", "1970-01-01T00:00:07.000000001Z"), ("time", ABSENT), ("event", "exit"), ("role", "client"), ("family", "ipv6"), ("src_ip", "198.18.0.9"),
    ("src_port", 40001), ("dst_port", 81), ("community_id", "1:LQU9qZlK+B5F3KDmev6m5PMibrg="), ("netns", 8),
    ("pid", 12), ("pid", "11"), ("comm", "thread"), ("exe", "/bin/other"), ("uid", 0), ("owner_by", "listen"),
    ("owner_by", ABSENT), ("start", "1970-01-01T00:00:05.030000000Z"), ("start", "1970-01-01T00:00:05.0Z"),
    ("start", ABSENT), ("duration_ns", 2 * SECOND + 30_000_000), ("duration_ns", ABSENT), ("duration_ns", 2.5),
    ("first_fin_ns", SECOND - 30_000_000), ("handshake_ns", 31), ("syn_synack_ns", ABSENT), ("outcome", "reset"),
    ("ended_by", "dst"), ("ended_by", ABSENT), ("reason", "tcp_state"), ("state", "established"),
    ("conn_state", "RSTO"), ("conn_state", ABSENT), ("history", "ShfF"), ("src_bytes", 101), ("dst_bytes", ABSENT),
    ("dst_bytes", 0), ("src_bytes", 1 << 53), ("seen", ["socket"]), ("seen", ["socket", "wire"]),
    ("complete", False), ("gaps", ["owner"]), ("gaps", "none"), ("verdict", 1), ("_arrived", 5), ("_arrived", 11),
]


def problems_of(expectations, found):
    return harness.form_problems(found) + records.match(expectations, found, CLOCK)


def changed(key, value):
    record = copy.deepcopy(RECORD)
    if value is ABSENT:
        del record[key]
    else:
        record[key] = value
    return record


def reordered():
    record = copy.deepcopy(RECORD)
    record["id"] = record.pop("id")
    return record


def time_text(nanoseconds):
    return "1970-01-01T00:%02d:%02d.%09dZ" % (nanoseconds // (60 * SECOND), nanoseconds // SECOND % 60,
                                              nanoseconds % SECOND)


def second(seconds, longer=0):
    """Returns a later connection of the same tuple: the expected record and the record, which lasts longer than it."""
    lasted = 2 * SECOND + longer
    record = dict(copy.deepcopy(RECORD), id="%016x" % seconds, start=time_text(seconds * SECOND), duration_ns=lasted,
                  time=time_text(seconds * SECOND + lasted))
    expected = dict(EXPECTED, start=[seconds * SECOND] * 2, order=seconds * SECOND,
                    first_fin=[(seconds + 1) * SECOND] * 2, close=[(seconds + 2) * SECOND] * 2)
    return expected, record


def with_retransmits(record, count):
    """Returns the record with this number of the server's retransmissions, in its place."""
    return {key: value for one in record.items()
            for key, value in ((one, ("dst_retransmits", count)) if one[0] == "dst_bytes" else (one,))}


def cases():
    """Yields name, whether there must be problems, expected records, records."""
    yield "a right record", False, [EXPECTED], [RECORD]
    for key, value in WRONG_VALUES:
        yield "%s: %s" % (key, "absent" if value is ABSENT else repr(value)), True, [EXPECTED], [changed(key, value)]
    yield "keys out of order", True, [EXPECTED], [reordered()]
    yield "no record", True, [EXPECTED], []
    yield "one record too many", True, [EXPECTED], [RECORD, dict(RECORD, id="f" * 16)]
    yield "a record that nobody expects", True, [], [RECORD]
    later_expected, again = second(9)
    yield "the same tuple twice", False, [EXPECTED, later_expected], [again, RECORD]
    yield "one id for two", True, [EXPECTED, later_expected], [dict(again, id=RECORD["id"]), RECORD]
    yield "the second's bytes in the first", True, [EXPECTED, later_expected], [dict(again, src_bytes=1), RECORD]
    for name, is_problem, counted, sent_again, longer in (
            ("a FIN that was sent again", False, True, 1, 209_000_000),
            ("one that the kernel did not count", True, False, 1, 209_000_000),
            ("one that is not in the record", True, True, 0, 209_000_000),
            ("one that was sent again, too late", True, True, 1, 400_000_000)):
        expected, record = second(9, longer)
        yield name, is_problem, [dict(expected, retransmitted=counted)], [with_retransmits(record, sent_again)]
    for name, is_problem, off, count, milliseconds in (
            ("one time of many", False, 1, 40, 6), ("a tenth of the times", True, 12, 40, 6),
            ("one record of two", False, 1, 2, 6), ("both records of two", True, 2, 2, 6),
            ("one record of two", True, 1, 2, 21)):
        many = [second(10 + number, (number < off) * milliseconds * 1_000_000) for number in range(count)]
        yield "%s %d ms off" % (name, milliseconds), is_problem, [expected for expected, _ in many], [record for _, record in many]


def try_clock(tally):
    """The clock is set by an hour while connections begin: a start by either clock is right, another is not."""
    for name, hours, is_problem in (("before", 0, False), ("after", 1, False), ("neither", 2, True)):
        readings = iter((0, 3600 * SECOND))
        record = dict(RECORD, start="1970-01-01T0%d:00:05.000000000Z" % hours, time="1970-01-01T0%d:00:07.000000000Z" % hours)
        problems = records.match([EXPECTED], [record], records.Clock(lambda readings=readings: next(readings)))
        tally.judge("a start by the clock: " + name, [] if bool(problems) == is_problem else problems or ["no problem"])


def failed_case(name, problems, traffic_failed=False):
    one = harness.Case(None, name, None, {})
    one.problems, one.traffic_failed = problems, traffic_failed
    return one


def retry_cases():
    """Yields name, the tracker's stderr, the cases, and how many of them must run once more."""
    skipped = "netracker: 2 records: 2 written, 0 filtered, 0 open, 0 lost; the kernel skipped %d events\n"
    missing = failed_case("missing", ["close client netns 7 a:1 -> b:2: 0 records, should be 1"])
    wrong = failed_case("wrong", ["close client netns 7 a:1 -> b:2: outcome is 'reset', should be 'closed'"])
    yield "the tracker counted no skipped event", skipped.partition(";")[0] + "\n", [missing, wrong], 0
    yield "it counted one", skipped % 1, [missing, wrong], 2
    yield "the traffic failed", skipped % 9, [failed_case("traffic", ["traffic: x"], traffic_failed=True)], 0
    yield "nothing failed", skipped % 9, [failed_case("good", [])], 0


def try_retries(tally):
    for name, stderr, cases_of_arena, wanted in retry_cases():
        arena = harness.Arena("t", [])
        arena.cases, arena.stderr = list(cases_of_arena), stderr
        with contextlib.redirect_stdout(io.StringIO()) as output:
            again = arena.retry()
        found = len(again.cases) if again else 0
        right = found == wanted == output.getvalue().count(": the tracker counted ")
        tally.judge("once more: " + name, [] if right else ["%d cases, should be %d: %s" %
                                                            (found, wanted, output.getvalue())])


class FakeBench:
    """A bench whose trackers counted as many skipped events at each try as SKIPPED says."""
    SKIPPED = ()
    tries = 0

    def __init__(self, *_):
        FakeBench.tries += 1

    def stop(self):
        pass

    def accounts(self):
        return ["the kernel skipped %d events" % self.SKIPPED[self.tries - 1]]


def raise_error(_):
    raise KeyError("lost")


def try_checks(tally, directory):
    """Runs checks: how often, and what counts in the end."""
    run = types.SimpleNamespace(net=None, directory=directory, tally=None)
    for name, function, skipped, failed, tries in (
            ("no skipped event", lambda _: ["x"], (0,), 1, 1), ("skipped events", lambda _: ["x"], (3, 3), 1, 2),
            ("an error and skipped events", raise_error, (3,), 1, 1),
            ("it is right, skipped events", lambda _: [], (3,), 0, 1)):
        FakeBench.SKIPPED, FakeBench.tries, run.tally = skipped, 0, harness.Tally()
        with mock.patch.object(bench, "Bench", FakeBench), contextlib.redirect_stdout(io.StringIO()) as output:
            bench.run_check(run, 0, name, function)
        found = (run.tally.failed, FakeBench.tries, output.getvalue().count("again: %s: the tracker counted 3" % name) + 1)
        right = found == (failed, tries, tries)
        tally.judge("a check: " + name, [] if right else ["%s: %s" % (found, output.getvalue())])


def main():
    tally = harness.Tally()
    try_retries(tally)
    try_clock(tally)
    with tempfile.TemporaryDirectory() as directory:
        try_checks(tally, directory)
    for name, must_fail, expectations, found in cases():
        problems = problems_of(expectations, copy.deepcopy(found))
        if bool(problems) == must_fail:
            tally.passes(name)
        else:
            tally.fails(name, problems or ["no problem was reported"])
    return tally.finish()


if __name__ == "__main__":
    sys.exit(main())
