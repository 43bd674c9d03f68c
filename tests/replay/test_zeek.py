#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""replay --like zeek and --format zeek against the answers by Zeek's rules for captures/, and against Zeek's own logs.

NAME.zeekish.jsonl has the answers with checksums ignored, one line for each connection, and NAME.zeekish-cksum.jsonl
those with checksums validated, if they differ. Zeek's own logs are in ../shared/traces, if that is present.
"""
import glob
import importlib.util
import json
import os
import tempfile
from decimal import Decimal

import replay_harness
import zeek_log
from replay_harness import check, equal, holds
from pcap import ACK, CLIENT, SERVER, SYN, capture, connection, packet

CAPTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "captures")
CHECKER = os.path.join(os.path.dirname(replay_harness.ROOT), "shared", "traces", "check.py")
COLUMNS = ["id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "duration", "orig_bytes", "resp_bytes", "conn_state",
           "missed_bytes", "history", "orig_pkts", "orig_ip_bytes", "resp_pkts", "resp_ip_bytes"]


def run(data, *arguments, file="-"):
    return replay_harness.replay(data, "--format", "zeek", *arguments, file=file)


def log_of(result):
    found = zeek_log.logs(result.output.decode())
    equal(len(found), 1, "logs")
    return found[0]


def answer_of(row):
    """The columns to compare, as text; the duration in whole microseconds, Zeek's unit."""
    answer = {name: None if row.get(name) is None else str(row[name]) for name in COLUMNS}
    if answer["duration"]:
        answer["duration"] = str(round(Decimal(answer["duration"]) * 1_000_000))
    return answer


def compare(path, answers, *arguments):
    name = " ".join([os.path.basename(path), *arguments])
    result = run(None, "--like", "zeek", *arguments, file=path)
    equal(result.status, 0, name)
    with open(answers, encoding="utf-8") as file:
        expected = [answer_of(json.loads(line)) for line in file if line.strip()]
    actual = [answer_of(row) for row in log_of(result).rows]
    for answer in expected:
        if answer in actual:
            actual.remove(answer)
            check(True, name)
            continue
        near = min(actual, key=lambda row: sum(row[c] != answer[c] for c in COLUMNS), default=dict.fromkeys(COLUMNS))
        check(False, f"{name}: is, expected: {[(c, near[c], answer[c]) for c in COLUMNS if answer[c] != near[c]]}")
        if near in actual:
            actual.remove(near)
    equal(actual, [], f"{name}: unexpected connections")


def golden():
    for answers in sorted(glob.glob(os.path.join(CAPTURES, "*.zeekish*.jsonl"))):
        stem, kind = os.path.basename(answers).split(".")[:2]
        path = glob.glob(os.path.join(CAPTURES, stem + ".pcap*"))[0]
        compare(path, answers, *([] if kind == "zeekish-cksum" else ["-C"]))


def header():
    """The header that zeek-cut and RITA need, with a type for every field."""
    log = log_of(run(capture(connection()), "--like", "zeek", "-C"))
    equal(log.header | {"open": ""}, {"set_separator": ",", "empty_field": "(empty)", "unset_field": "-",
                                      "path": "conn", "open": ""}, "header")
    equal(log.fields[:7], ["ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto"], "first fields")
    equal(len(set(log.fields)), len(log.fields), "each field once")
    check(set(log.types) <= zeek_log.TYPES, "types")
    check(log.closed, "the log ends with #close")
    holds(log.rows[0], ts="1700000000.000000", proto="tcp", duration="0.050000", orig_bytes="10", resp_bytes="20",
          conn_state="SF", local_orig="T", history="ShADdFf", orig_pkts="5", orig_ip_bytes="210", resp_pkts="3",
          missed_bytes="0", service=None, tunnel_parents=None)
    check(len(log.rows[0]["uid"]) == 18 and log.rows[0]["uid"].isalnum(), "uid")


def same_uid_in_every_run():
    data = capture(connection() + connection(("198.18.0.9", 40001), at=1))
    first, second = (log_of(run(data, "--like", "zeek", "-C")).rows for _ in range(2))
    equal(first, second, "rows")
    check(first[0]["uid"] != first[1]["uid"], "uids differ")


def own_rules():
    """Without --like zeek the values are those of NeTracker's record, and others are unset."""
    row = log_of(run(capture(connection()))).rows[0]
    holds(row, duration="0.050000", orig_bytes="10", history="ShADdFf", orig_pkts="5", orig_ip_bytes=None,
          missed_bytes=None)


def appended():
    """Two logs in one file, each with its header, as zeek-cut reads them."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "conn.log")
        for _ in range(2):
            equal(run(capture(connection()), "-o", path).status, 0, "status")
        with open(path, encoding="utf-8") as file:
            found = zeek_log.logs(file.read())
    equal([(len(log.rows), log.closed) for log in found], [(1, True), (1, True)], "logs")


def no_connection():
    log = log_of(run(capture([])))
    equal((log.rows, log.closed), ([], True), "rows, closed")


def checksums():
    """Frames of pcap.py have wrong checksums, and by default Zeek ignores such packets."""
    equal(log_of(run(capture(connection()), "--like", "zeek")).rows, [], "rows")


def record_of_zeek():
    """The other formats have the same values, and every record is accounted for."""
    result = replay_harness.replay(capture(connection()), "--like", "zeek", "-C")
    holds(result.records[0], event="close", outcome="closed", ended_by="src", conn_state="SF", src_bytes=10,
          duration_ns=50_000_000, handshake_ns=None)
    check(replay_harness.balances(result.errors), "accounting")
    scan = [(i, packet(CLIENT, (SERVER[0], 1000 + i), SYN, 1)) for i in range(20)]
    result = replay_harness.replay(capture(scan), "--like", "zeek", "-C")
    equal([r["outcome"] for r in result.records].count("timeout"), 15, "attempts given up after 5 s")
    equal([r["event"] for r in result.records].count("exit"), 5, "still open")
    result = replay_harness.replay(capture(scan), "--like", "zeek", "-C", "--outcome", "timeout",
                                   "-D", "1000-1003,no-such-service")
    equal(result.status, 2, "no such ports")
    result = replay_harness.replay(capture(scan), "--like", "zeek", "-C", "--outcome", "timeout",
                                   "-D", "1000,1004,1019")
    equal(len(result.records), 2, "filters")


def long_history():
    """A history longer than the limit of NeTracker's own rules."""
    packets = connection()[:3] + [(1 + i / 1000, packet(CLIENT, SERVER, 4 | ACK, 1001 + i)) for i in range(200)]
    equal(log_of(run(capture(packets), "--like", "zeek", "-C")).rows[0]["history"], "ShA" + "R" * 200, "history")


def usage():
    for arguments in (["--like", "suricata"], ["-C"], ["--like", "zeek", "--events", "open"]):
        result = run(b"", *arguments)
        equal(result.status, 2, arguments)
        equal(result.errors.count("\n"), 1, arguments)


def logs_of_zeek():
    """Compares with Zeek's logs of its own traces and others, by the checker that belongs to them."""
    if not os.path.exists(CHECKER):
        replay_harness.skip("Zeek's own logs: ../shared/traces does not exist")
        return
    spec = importlib.util.spec_from_file_location("check", CHECKER)
    checker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(checker)
    folder = os.path.dirname(CHECKER)
    with open(os.path.join(folder, "index.json"), encoding="utf-8") as file:
        captures = json.load(file)
    for cap in captures:
        if cap["set"] == "zeek" and cap["stem"] in checker.BARE:
            replay_harness.skip(f"{cap['stem']}: Zeek used another list of server ports")
        else:
            of_capture(checker, folder, cap)


def of_capture(checker, folder, cap):
    path = os.path.join(folder, cap["set"], cap["pcap"])
    for answers, extra in checker.zeek_expected(folder, cap):
        wants = [(checker.zeek_norm(row), checker.zeek_columns(row)) for row in checker.lines(answers)]
        full = all(set(columns) == set(checker.ZEEK) for _, columns in wants)
        wants = [want for want in wants if want[1]]
        result = run(None, "--like", "zeek", *extra, file=path)
        if "different from the snapshot length of the first interface" in result.errors:
            replay_harness.skip(f"{cap['stem']}: libpcap does not read interfaces with different snapshot lengths")
            continue
        check(result.status in (0, 1), f"{cap['pcap']}: {result.errors}")
        rows = checker.conn_log(result.output.decode())
        _, different = checker.pair_up(wants, rows, lambda want, row: checker.zeek_differs(want[0], row, want[1]))
        different = [d for d in different if full or d[2] != ["extra"]]
        check(not different, f"{cap['set']}/{cap['pcap']} {extra}: {shown(different)}")


def shown(different):
    """The first connection that differs: (column, expected, actual)."""
    want, row, columns = different[0] if different else (None, None, [])
    return [(c, want[0].get(c) if want else None, row.get(c) if row else None) for c in columns]


def main():
    replay_harness.run([golden, header, same_uid_in_every_run, own_rules, appended, no_connection, checksums,
                        record_of_zeek, long_history, usage, logs_of_zeek])


if __name__ == "__main__":
    main()
