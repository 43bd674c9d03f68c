#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netracker query --from clickhouse://: a server's answers are those of the history that was shipped to it, byte by byte."""
import contextlib
import http.server
import json
import os
import re
import socket
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests", "ship"), os.path.join(ROOT, "tests", "replay")]
import made_history as made  # noqa: E402
from made_history import END, HISTORY, HOUR, Answer, check, equal, local_time, new_folder, newest, skip  # noqa: E402
from real_servers import PASSWORD, secret_file, start_clickhouse, start_current_engine  # noqa: E402
from ship_run import free_port, new_cursors, ship  # noqa: E402

FROM = re.compile(r"--from \S+")  # in the commands of --summary
FORMS = ["json", "json", "text", "json", "csv", "json", "tsv"]
LOCAL = {}  # the answers of the history by their arguments
UNKNOWN_COVERAGE = "a server does not know when nobody tracked, nor what was lost"


def questions():
    """The thirteen questions of docs/history.md, and what else an answer depends on."""
    hour, moment = local_time(END - HOUR), local_time(END - 5 * HOUR)[:16]
    last = newest()[-1]
    return [
        ["-S", "-7d", "--net", "203.0.113.9"],
        ["-S", "-7d", "--net", "203.0.113.9", "--by", "host,exe,user"],
        ["--at", moment],
        ["-S", hour, "--by", "peer", "--sort", "sent", "--top", "20"],
        ["-S", hour, "-x", "--by", "comm,port,outcome"],
        ["-S", "-7d", "--outcome", "reset", "--by", "ended_by,reason,peer"],
        ["-S", "-7d", "-D", "5432", "--outcome", "refused", "--by", "10m"],
        ["-S", "-7d", "--net", "10.3.0.0/16", "--by", "1h", "--sort", "p95:handshake_ns"],
        ["-S", hour, "--role", "client", "--by", "exe,net/24", "--new"],
        ["-S", "-7d", "--role", "client", "--by", "exe,peer", "--sort", "conns", "--top", "20"],
        ["-S", "-7d", "--role", "observer", "--by", "net/24", "--sort", "conns"],
        ["-S", hour, "--by", "net/24", "--sort", "retrans"],
        ["--id", last["id"]],
        [], ["-r"], ["-n", "20"], ["-n", "20", "-r"], ["-n", "20", "-c", "curl"], ["-n", "7", "-x", "-r"],
        ["-S", local_time(END - 20 * HOUR), "-U", local_time(END - 10 * HOUR)],
        ["-U", local_time(END - 20 * HOUR), "--by", "event,outcome"],
        ["--net", "fd00::/64", "--by", "peer"], ["local 198.18.0.1", "--by", "service"],
        ["host 203.0.113.9 and (comm curl or dst_port = 80) and not outcome refused"], ["port 443 or comm nginx"],
        ["host 192.0.2.0/25 or comm psql"], ["exe /opt/backup", "--by", "user,cgroup"], ["-4", "--by", "family,complete,seen"],
        # Earlier records of an id match, and its newest one does not.
        ["--outcome", "open"], ["--outcome", "open", "--by", "peer"], ["--where", "event update or event open", "--by", "event"],
        ["--outcome", "open", "-n", "9"],
        # The keys, and what a filter tests, need the same columns.
        ["--by", "role,peer,net/16"], ["--by", "peer,service"], ["--by", "family,net/8,1d"], ["--by", "90s,time"],
        ["--by", "1500ms", "--top", "9"], ["duration > 30s and handshake < 50ms", "--by", "comm"], ["remote 10.3.0.0/16", "--by", "1h"],
        ["lport > 30000 and rport 80,443", "--by", "comm,30s", "--top", "20"], ["not comm curl", "--by", "peer,1m"],
        ["age > 20s", "--by", "10m"], ["retrans > 2", "--by", "host,seen", "--sort", "retrans"], ["machine a", "--by", "host,complete"],
        ["sent > 5K", "--by", "comm", "--sort", "p90:sent"], ["--by", "comm", "--sort", "p99:age"], ["--by", "community_id", "--top", "5"],
        ["--by", "id", "--sort", "p50:duration", "--top", "50"], ["--summary"], ["-c", "nothing"],
        # A network of IPv6 has no IPv4 address.
        ["--net", "::/0", "--by", "peer"], ["--net", "::/0", "-n", "20"],
    ]


def from_server(port, *arguments, **options):
    return Answer(*arguments, folder="clickhouse://default@localhost:%d/nt" % port, **options)


def same_answer(port, secret, arguments):
    if arguments not in LOCAL:
        LOCAL[arguments] = Answer(*arguments)
    local, remote = LOCAL[arguments], from_server(port, "--password-file", secret, *arguments)
    equal((remote.status, local.status), (0, 0), "%s: %s" % (arguments, remote.errors))
    outputs = [FROM.sub("", answer.output) for answer in (local, remote)]
    if outputs[0] != outputs[1]:
        lines = zip(*(output.splitlines() + [""] for output in outputs))
        check(False, "%s: %d lines are %d: %s" % (arguments, outputs[0].count("\n"), outputs[1].count("\n"),
                                                  [pair for pair in lines if pair[0] != pair[1]][:1]))
    check(UNKNOWN_COVERAGE in remote.errors, "coverage: " + remote.errors)


def same_answers(port, secret):
    for number, question in enumerate(questions()):
        form = FORMS[number % len(FORMS)] if question else "json"
        same_answer(port, secret, tuple(question if question == ["--summary"] else ["-f", form, *question]))
    equal(from_server(port, "--password-file", secret, "-x", "--fail-if-any", "-n", "1").status, 6, "--fail-if-any")


def statements(real, secret):
    """What --print-sql prints is what the server answers: of the newest record of each id."""
    begin, end = END - 20 * HOUR, END - 10 * HOUR
    answer = from_server(real.port, "--password-file", secret, "-S", local_time(begin), "-U", local_time(end), "--print-sql")
    equal((answer.status, answer.errors), (0, ""), "--print-sql")
    rows = [json.loads(row) for row in real.ask(answer.output.rstrip().rstrip(";")).splitlines()]
    equal([row["id"] for row in rows], [values["id"] for values in newest(begin, end)], "the server's own answer")
    answer = from_server(real.port, "--password-file", secret, "-S", local_time(begin), "--by", "exe", "--new", "--net",
                         "203.0.113.9", "--outcome", "reset", "--print-sql")
    equal(answer.output.count(";\n"), 2, answer.output)
    check("src_ip" in answer.output and "outcome IN ('reset')" in answer.output and "handshake_ns" not in answer.output,
          "the server tests what it can, and sends what is needed: " + answer.output)


def refusals(real, secret):
    wrong = secret_file(new_folder("wrong%d" % real.port), "wrong")
    for arguments, url, word in ((["--password-file", secret], "clickhouse://default@localhost:%d/nt/nosuch", "--setup makes it"),
                                 (["--password-file", wrong], "clickhouse://default@localhost:%d/nt", "password")):
        answer = Answer(*arguments, folder=url % real.port)
        equal((answer.status, answer.output, answer.errors.count("\n")), (1, "", 1), answer.errors)
        check(word in answer.errors, answer.errors)


def compare_real(real, checks_password):
    secret = secret_file(new_folder("secret%d" % real.port))
    options = {"cursors": new_cursors(), "user": "default@"}
    ship(real.port, "--setup", "--password-file", secret, **options)
    # Everything is there twice, so that only FINAL has it once.
    for batch in ("700", "1100"):
        done = ship(real.port, "--batch", batch, "--password-file", secret, **dict(options, cursors=new_cursors()))
        equal(done.status, 0, done.errors)
    same_answers(real.port, secret)
    statements(real, secret)
    if checks_password:
        refusals(real, secret)


def clickhouse_18():
    real = start_clickhouse(new_folder("clickhouse"))
    if isinstance(real, str):
        return skip(real)
    try:
        compare_real(real, True)
    finally:
        real.kill()


def current_engine():
    real = start_current_engine(new_folder("chdb"))
    if isinstance(real, str):
        return skip(real)
    try:
        compare_real(real, False)
    finally:
        real.kill()


# ---- servers that fail ----

class Server:
    """Answers the requests one after another: (status, body), or (status, body, "cut") to end before the body's end, or
    "silent"."""

    def __init__(self, *answers):
        self.asked, self.users, self.release = [], [], threading.Event()
        owner, waiting = self, list(answers)

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                owner.asked.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
                owner.users.append((self.headers.get("X-ClickHouse-User"), self.headers.get("X-ClickHouse-Key")))
                answer = waiting.pop(0)
                if answer == "silent":
                    owner.release.wait(30)
                    self.close_connection = True
                    return
                status, body, *how = answer
                self.send_response(status)
                self.send_header("Content-Length", str(len(body) + len(how)))
                self.end_headers()
                self.wfile.write(body)
                if how:
                    self.close_connection = True
                    self.wfile.flush()
                    self.connection.shutdown(socket.SHUT_RDWR)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads, self.server.handle_error = True, lambda *_: None
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()


@contextlib.contextmanager
def server(*answers):
    made_server = Server(*answers)
    try:
        yield made_server
    finally:
        made_server.close()


TABLE = [(200, b"DateTime64(9, \\'UTC\\')\n"), (200, b"1\n")]


def row_of(values):
    """As a current server writes it: with NULL, and integers in quotes as servers before 25.8 do."""
    row = dict(values, time=values["time"][:-1].replace("T", " "), duration_ns=str(values["duration_ns"]), vlan=None, reason="",
               complete=int(values["complete"]))
    return json.dumps(row).encode() + b"\n"


def rows_as_they_come():
    records = made.RECORDS[:3]
    with server(*TABLE, (200, b"".join(map(row_of, records)))) as taker:
        answer = from_server(taker.port, "-f", "json", "--password-file", secret_file(new_folder("secret")))
        equal((answer.status, answer.ids), (0, [values["id"] for values in records]), answer.errors)
        for found, values in zip(answer.objects, records):
            equal({key: found.get(key) for key in ("time", "duration_ns", "comm", "src_ip", "vlan", "complete")},
                  {key: values.get(key) for key in ("time", "duration_ns", "comm", "src_ip", "vlan", "complete")}, "values")
        equal(taker.users, [("default", PASSWORD)] * 3, "user and password")
        check("nt.conn FINAL" in taker.asked[2], taker.asked[2])


def failures():
    rows = b"".join(map(row_of, newest()[:2]))
    for answers, status, records, word in (
            ([(403, b"Code: 516. DB::Exception: made by the test\nsecond line")], 1, 0, "password"),
            ([(500, b"Code: 1. DB::Exception: made by the test\nsecond line")], 1, 0, "made by the test"),
            ([(200, b"")], 1, 0, "netracker ship --setup makes it"),
            ([(200, b"<html>\n")], 1, 0, "no ClickHouse server"),
            ([TABLE[0], (200, b"2\n")], 1, 0, "not the table of this version"),
            ([TABLE[0], (200, b"")], 1, 0, "not the table of this version"),
            ([*TABLE, (500, b"Code: 241. DB::Exception: Memory limit\n")], 1, 0, "Memory limit"),
            ([*TABLE, (200, rows + b"Code: 241. DB::Exception: Memory limit\n")], 1, 2, "Memory limit"),
            ([*TABLE, (200, rows + b"{\"exception\": \"Code: 241. Memory limit\"}\n")], 1, 2, "Memory limit"),
            ([*TABLE, (200, rows + b"__exception__\nabcdefghijklmnop\nCode: 241. Memory limit\n")], 1, 2, "Memory limit"),
            ([*TABLE, (200, rows + b"{\"v\":2,", "cut")], 1, 2, "not complete"),
            ([*TABLE, (200, rows + b"{\"v\":2")], 1, 2, "before its end"),
            ([*TABLE, (200, rows + b"{\"v\":9}\n" + rows)], 1, 4, "not a record"),
            ([*TABLE, (200, b"<html>\x1b]0;\n")], 1, 0, "<html>"),
            ([*TABLE, (200, rows + b"{" + b"x" * 1100000)], 1, 2, "does not end")):
        with server(*answers) as taker:
            answer = from_server(taker.port, "-f", "json")
            equal((answer.status, len(answer.output.splitlines())), (status, records), answer.errors)
            errors = [line for line in answer.errors.splitlines() if UNKNOWN_COVERAGE not in line]
            check(len(errors) == 1 and word in errors[0] and "\x1b" not in errors[0], "%s: %s" % (word, answer.errors))
            equal(len(taker.asked), len(answers), "requests")
    with server(*TABLE, (200, rows + b"{}\n" * 3)) as taker:
        errors = from_server(taker.port, "-f", "json").errors
        check("3 rows of the server are no records and are left out\n" in errors, "bad rows are counted: " + errors)


def group_rows():
    """Rows as the server groups them. The keys are of the record; a sum is unknown if no value of it is known."""
    row = {"v": 2, "event": "close", "role": "client", "src_ip": "::ffff:192.0.2.1", "dst_ip": "::ffff:192.0.2.1", "src_port": 0,
           "dst_port": 0, "outcome": "closed", "time": "2026-11-27 10:01:00", "conns": "3", "failed": 1, "sent": "9007199254740993",
           "received": None, "src_retrans": 2, "dst_retrans": None}
    other = dict(row, time="2026-11-27 10:59:00", conns=4, sent=None, received=7)
    return b"".join(json.dumps(line).encode() + b"\n" for line in (row, other, dict(other, time="2026-11-27 11:00:00")))


def groups_as_they_come():
    with server(*TABLE, (200, group_rows())) as taker:
        answer = from_server(taker.port, "-f", "json", "--by", "1h,peer")
        first = {"time": "2026-11-27T10:00:00.000Z", "peer": "192.0.2.1", "conns": 7, "failed": 2, "sent": 9007199254740993,
                 "received": 7, "retrans": 4}
        second = {"time": "2026-11-27T11:00:00.000Z", "peer": "192.0.2.1", "conns": 4, "failed": 1, "received": 7, "retrans": 2}
        equal((answer.status, answer.objects), (0, [first, second]), answer.errors)


def no_partial_sums():
    """What would look like the whole is not written."""
    rows = b"".join(map(row_of, newest()[:2]))
    for body, arguments in ((group_rows(), ["--by", "comm"]), (rows, ["--summary"]), (rows, ["-f", "json", "-n", "5"])):
        for broken in ((200, body, "cut"), (200, body + b"Code: 241. made by the test\n"), (200, body + b"{\"v\":9}\n")):
            with server(*TABLE, broken) as taker:
                answer = from_server(taker.port, *arguments)
                equal((answer.status, answer.output), (1, ""), "%s: %s" % (arguments, answer.errors))


def no_server():
    answer = from_server(free_port(), "--by", "comm")
    equal((answer.status, answer.output, answer.errors.count("\n")), (1, "", 1), answer.errors)
    check("no answer" in answer.errors, answer.errors)
    for answers in (["silent"], [*TABLE, "silent"]):
        with server(*answers) as taker:
            begin = time.monotonic()
            answer = from_server(taker.port, "-f", "json", "--timeout", "1")
            equal((answer.status, answer.output), (1, ""), answer.errors)
            check(time.monotonic() - begin < 10, "it ends after --timeout")


def wrong_usage():
    secret = secret_file(new_folder("usage"))
    for folder, arguments, word in (("clickhouse://h", [], "needs a database"), ("clickhouse://h/a/b/c", [], "the table"),
                                    ("clickhouse://h:0/nt", [], "port"), ("clickhouse://u:hidden@h/nt", [], "--password-file"),
                                    ("clickhouse://h/nt", ["--follow"], "--follow"), ("clickhouse://h/nt", ["--threads", "2"], "--threads"),
                                    ("clickhouse://h/nt", ["--key-file", secret], "--cert-file"),
                                    (HISTORY, ["--password-file", secret], "--from clickhouse://"),
                                    (HISTORY, ["--timeout", "5"], "--from clickhouse://")):
        answer = Answer(*arguments, folder=folder)
        equal((answer.status, answer.output, answer.errors.count("\n")), (2, "", 1), answer.errors)
        check(word in answer.errors and "hidden" not in answer.errors, answer.errors)
    answer = Answer("--password-file", new_folder("absent"), folder="clickhouse://default@localhost:1/nt")
    equal((answer.status, answer.errors.count("\n")), (1, 1), answer.errors)
    check("cannot read the secret" in answer.errors, answer.errors)


made.run_tests([rows_as_they_come, groups_as_they_come, failures, no_partial_sums, no_server, wrong_usage, clickhouse_18, current_engine])
