#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netracker query --print-sql: what the program sqlite3 answers to the SQL is what query answers to the question."""
import glob
import json
import shutil
import subprocess

import made_history as made
from made_history import END, HOUR, Answer, check, equal, local_time, newest, rfc3339

SINCE = local_time(END - 3 * HOUR)
UNTIL = local_time(END + HOUR)
FILTERS = [["-x"], ["-c", "nginx,psql"], ["-u", "33"], ["--cgroup", "/system.slice/curl.service"], ["--cgroup", "/system.slice"],
           ["--cgroup", "curl.service"], ["-p", "101,102"], ["--net", "203.0.113.0/24"], ["-6"], ["--role", "observer"],
           ["-D", "5432", "--outcome", "refused"], ["--min-duration", "30s"], ["outcome", "open"], ["event", "update"],
           ["machine", "a"], ["handshake", ">", "50ms"], ["not", "handshake_ns"], ["retrans", ">=", "4"], ["sent", ">", "5M"],
           ["recv", "<=", "5M"], ["bytes", ">", "9M"], ["remote", "10.3.0.0/16"], ["local", "198.18.0.1"], ["src", "fd00::/16"],
           ["dst", "10.3.0.0/15"], ["port", "443", "and", "not", "comm", "curl"], ["by", "src", "and", "outcome", "reset"],
           ["start", "<", rfc3339(END - 20 * HOUR)], ["comm", "ng*", "or", "exe", "contains", "opt"], ["seen", "wire"], ["not", "gaps"],
           ["complete"], ["age", ">", "30s"], ["comm", "!=", "curl"], ["lport", "443"], ["rport", "443,5432"], ["dport", "80-443"],
           ["reason", "contains", '"it\'s"'], ["not", "reason"], ["--id", newest()[7]["id"]], ["not", "sent", ">", "1M"]]
QUESTIONS = [
    ["--net", "203.0.113.9", "--by", "host,exe,uid"], ["--by", "peer", "--sort", "sent"], ["-x", "--by", "comm,port,outcome"],
    ["--outcome", "reset", "--by", "ended_by,reason,peer"], ["-D", "5432", "--outcome", "refused", "--by", "10m"],
    ["--net", "10.3.0.0/16", "--by", "1h", "--sort", "p95:handshake_ns"],
    ["-S", SINCE, "--role", "client", "--by", "exe,net/24", "--new"], ["-S", SINCE, "--by", "src_port", "--new", "-x"],
    ["--role", "client", "--by", "exe,peer", "--sort", "conns", "--top", "100"], ["--role", "observer", "--by", "net/24"],
    ["--by", "net/24", "--sort", "retrans"], ["--by", "net/22"], ["--by", "net/0"], ["--by", "net/61"], ["--by", "net/128"],
    ["--by", "service"], ["--by", "complete,seen"], ["--by", "comm", "--sort", "p50:duration"],
    ["--by", "outcome", "--sort", "p1:handshake_ns"], ["--by", "id", "--sort", "p99:sent", "-c", "curl"],
    ["--by", "comm", "--sort", "p95:rtt_us"], ["--by", "peer", "--sort", "failed", "--top", "3"], ["--by", "10m,service", "-r"],
    ["--by", "service", "--sort", "retrans", "-r", "--top", "7"], ["--by", "src_ip,src_port", "--top", "50"], ["rtt_us", ">", "20ms", "--by", "comm"]]
# Names that a history must escape, and such that are like a part of an escape.
NAMES = ["zz", "bbb", "aaaa", "Z", "\x1bx", "x1b", "\\x1b", "\\\\x1b", "a\nb", "a b", "caf\u00e9", "cafe", "caf", "c\u0085d", "b", "it's", "\u65e5\u672c", "1b",
         "\U0001f600", "\x7f", "[a]", "a\\", "a\\b", "\\"]
NAME_FILTERS = [["comm", "contains", name] for name in ("x1b", "1b", "b", "5c", "\\x", "\u00e9", "\x1b", "\"'\"", "\\\\", "'\n'")] + [
    ["comm", "caf?"], ["comm", "caf??"], ["comm", "*1b"], ["comm", "?x"], ["comm", "*\u00e9"], ["comm", "?b"], ["comm", "????"], ["comm", "*x1*"]] + [
    ["comm", "=", json.dumps(name, ensure_ascii=False)] for name in ("x1b", "zz", "caf\u00e9")] + [["-c", "it's"], ["comm", "!=", "b"]]


def ask_sqlite(sql, folder=made.HISTORY):
    path, = glob.glob(folder + "/*.db")
    done = subprocess.run(["sqlite3", "-readonly", "-json", path], input=sql, capture_output=True, text=True, timeout=60, check=False)
    equal((done.returncode, done.stderr), (0, ""), sql)
    return json.loads(done.stdout or "[]")


def printed(*arguments):
    answer = Answer("--print-sql", *arguments)
    equal((answer.status, answer.errors), (0, ""), "%s" % (arguments,))
    return answer.output


def in_span(arguments):
    return arguments if "--at" in arguments else ["-U", UNTIL, *arguments]


def compare_records(*arguments):
    rows, expected = ask_sqlite(printed(*arguments)), Answer("-f", "json", *arguments).objects
    equal([row["id"] for row in rows], [values["id"] for values in expected], "%s" % (arguments,))
    check(rows or "contains" in arguments, "%s: records" % (arguments,))
    return rows, expected


def records():
    for arguments in (["--at", local_time(END - 5 * HOUR)[:16]], ["-S", SINCE, "-n", "7"], ["-S", SINCE, "-r", "-n", "9"],
                      ["-S", SINCE, "-r", "-x"], ["-S", local_time(END - 600 * 10**9)]):
        rows, expected = compare_records(*in_span(arguments))
    for row, values in zip(rows, expected):
        for key in ("time", "src_ip", "dst_ip", "dst_port", "comm", "outcome", "duration_ns", "event", "role"):
            equal(row[key], values.get(key), key)


def filters():
    for arguments in FILTERS:
        compare_records("-S", local_time(END - 26 * HOUR), *in_span(arguments))


def groups():
    for arguments in QUESTIONS:
        arguments = in_span(arguments)
        rows = ask_sqlite(printed(*arguments))
        wanted = Answer("-f", "json", *arguments).objects
        rows = [{key: value for key, value in row.items() if value is not None} for row in rows]
        check(rows, "%s: groups" % arguments)
        equal(rows, wanted, "%s" % arguments)


def escaped(name):
    """As docs/history.md says that text is written in a history."""
    return "".join("\\\\" if char == "\\" else char if char.isprintable() else "".join("\\x%02x" % byte for byte in char.encode())
                   for char in name)


def names():
    """The escapes of the tables are seen in what SQL shows, but not by filters, groups and orders."""
    folder, span = made.new_folder("names"), ["-U", UNTIL]
    records = [dict(values, comm=name, exe=None, cgroup="/" + name) for values, name in zip(newest(), NAMES + NAMES[:5])]
    made.write_history(folder, [{key: value for key, value in values.items() if value is not None} for values in records])
    for arguments in NAME_FILTERS:
        wanted = Answer("-f", "json", *span, *arguments, folder=folder).objects
        rows = ask_sqlite(printed(*span, *arguments), folder)
        equal([row["comm"] for row in rows], [escaped(values["comm"]) for values in wanted], "%s" % arguments)
    for arguments in (["--by", "comm", "--sort", "conns"], ["--by", "comm", "--sort", "conns", "-r"], ["--by", "cgroup", "--top", "9"]):
        wanted = Answer("-f", "json", *span, *arguments, folder=folder).objects
        key = arguments[1]
        equal([(row[key], row["conns"]) for row in ask_sqlite(printed(*span, *arguments), folder)],
              [(escaped(row[key]), row["conns"]) for row in wanted], "%s" % arguments)
    texts = [row["comm"].encode() for row in wanted_names(folder) if row["conns"] == 1]
    equal(texts, sorted(texts), "equal rows in the order of their text")


def wanted_names(folder):
    return Answer("-f", "json", "--by", "comm", folder=folder).objects


def ids_that_are_empty():
    """Each record without an id is a connection of its own."""
    folder = made.new_folder("empty")
    made.write_history(folder, [dict(values, id=identifier) for values, identifier in
                                zip(newest(), ["", "", "0000000000000000", "0000000000000000", "0000000000000001", "other", "other"])])
    wanted = Answer("-f", "json", "-U", UNTIL, "--by", "host", folder=folder).objects
    equal(sum(row["conns"] for row in wanted), 6, "query")
    equal(ask_sqlite(printed("-U", UNTIL, "--by", "host"), folder), [{key: row[key] for key in row} for row in wanted], "SQL")


def what_sql_cannot_say():
    for arguments, reason in ((["reason", "~", "abort"], "a regular expression of reason"), (["comm", "[np]*"], "a set of characters"),
                              (["retrans", ">", "1%"], "a ratio of retrans"), (["--by", "community_id"], "community_id"),
                              (["--by", "1500ms"], "whole seconds"), (["--summary"], "leave out --follow and --summary")):
        answer = Answer("--print-sql", *arguments)
        equal((answer.status, answer.output, len(answer.errors.splitlines())), (2, "", 1), " ".join(arguments))
        check(reason in answer.errors, answer.errors)


if shutil.which("sqlite3"):
    made.run_tests([records, filters, groups, names, ids_that_are_empty, what_sql_cannot_say])
else:
    made.skip("--print-sql: sqlite3 is not installed")
    made.run_tests([what_sql_cannot_say])
