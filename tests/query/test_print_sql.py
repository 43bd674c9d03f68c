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
    ["--by", "outcome", "--sort", "p1:handshake_ns"], ["--by", "id", "--sort", "p99:sent", "-c", "curl"]]


def ask_sqlite(sql):
    path, = glob.glob(made.HISTORY + "/*.db")
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
        one, other = [sorted(json.dumps(row, sort_keys=True) for row in answer) for answer in (rows, wanted)]
        equal(one, other, "%s" % arguments)
        if "--sort" in arguments:
            column = arguments[arguments.index("--sort") + 1]
            equal([row.get(column) for row in rows], [row.get(column) for row in wanted], "%s: the order" % arguments)


def what_sql_cannot_say():
    for arguments, reason in ((["reason", "~", "abort"], "a regular expression of reason"), (["comm", "[np]*"], "a set of characters"),
                              (["retrans", ">", "1%"], "a ratio of retrans"), (["--by", "community_id"], "community_id"),
                              (["--by", "1500ms"], "whole seconds"), (["--summary"], "leave out --follow and --summary")):
        answer = Answer("--print-sql", *arguments)
        equal((answer.status, answer.output, len(answer.errors.splitlines())), (2, "", 1), " ".join(arguments))
        check(reason in answer.errors, answer.errors)


if shutil.which("sqlite3"):
    made.run_tests([records, filters, groups, what_sql_cannot_say])
else:
    made.skip("--print-sql: sqlite3 is not installed")
    made.run_tests([what_sql_cannot_say])
