#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netracker ship: every record of a history is in the table once, whatever fails on the way."""
import contextlib
import fcntl
import json
import os
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests", "query"), os.path.join(ROOT, "tests", "replay")]
from insert_server import TABLE_VERSION, InsertServer  # noqa: E402
from made_history import HISTORY, NETRACKER, RECORDS, new_folder, run_tests, write_history  # noqa: E402
from replay_harness import check, equal, skip, wait_for_midnight  # noqa: E402
import test_redact  # noqa: E402
from otlp_server import OtlpServer  # noqa: E402
from real_servers import secret_file, start_clickhouse, start_current_engine  # noqa: E402
from ship_run import HttpShip, Ship, at_once, distinct, new_cursors, numbers, ship, wait_for, with_host  # noqa: E402

COUNT = len(RECORDS)
TWO_FILES, TWO_FILES_LOCK = new_folder("two"), threading.Lock()


@contextlib.contextmanager
def server(**options):
    made = InsertServer(**options)
    try:
        yield made
    finally:
        made.close()


def key_of(values):
    return values["host"], values["id"], values["event"], values["time"]


def all_are_there(rows, records, what):
    expected = {key_of(values): values for values in map(with_host, records)}
    equal(sorted(set(expected) - set(rows))[:3], [], what + ": missing")
    equal(sorted(set(rows) - set(expected))[:3], [], what + ": more than there were")
    for key, values in expected.items():
        row = rows.get(key, {})
        if any(row.get(name) != value for name, value in values.items()):
            check(False, "%s: %s is %s" % (what, values, row))
            return


def batches_are_whole(bodies, what):
    """What was sent again was the same batch, so without repetitions the batches are the history."""
    ids = [json.loads(line)["id"] for body in distinct(bodies) for line in body.splitlines()]
    equal(len(ids), COUNT, what + ": records in different batches")
    check(ids == [values["id"] for values in RECORDS], what + ": in the order of the history, without gaps")


# ---- without failures ----

def everything_arrives():
    cursors = new_cursors()
    with server() as taker:
        done = ship(taker.port, "--batch", "1000", cursors=cursors)
        equal((done.status, done.accounting, done.output), (0, (COUNT, 0, 0, 0), ""), done.errors)
        equal(len(taker.bodies), -(-COUNT // 1000), "requests of 1000 records")
        batches_are_whole(taker.bodies, "one run")
        all_are_there(taker.rows, RECORDS, "one run")
        check("INSERT%20INTO%20nt.conn%20FORMAT%20JSONEachRow" in taker.paths[0], taker.paths[0])
        again = ship(taker.port, cursors=cursors)
        equal((again.status, again.accounting, len(taker.bodies)), (0, (0, 0, 0, 0), -(-COUNT // 1000)), "nothing new")


def redacted():
    """The server and the file of rejected records get no original: the values are those that test_redact computes."""
    cursors, folder = new_cursors(), new_folder("key")
    os.mkdir(folder)
    path = test_redact.key_file(folder)
    wanted = [test_redact.expected(test_redact.KEY, with_host(values)) for values in RECORDS]
    bad = wanted[COUNT // 2]["id"]
    with server() as taker:
        taker.answer = lambda number, rows: 400 if any(row["id"] == bad for row in rows) else 200
        done = ship(taker.port, "--redact", path, cursors=cursors)
        equal((done.status, done.accounting), (7, (COUNT - 1, 1, 0, 0)), done.errors)
        rows = list(taker.rows.values())
    for name in os.listdir(cursors):
        if name.endswith(".rejected"):
            with open(os.path.join(cursors, name)) as file:
                rows += map(json.loads, file)
    found = {key_of(row): row for row in rows}
    for values in wanted:
        del values["community_id"]  # is not sent
        row = found.get(key_of(values), {})
        if any(row.get(name) != value for name, value in values.items()):
            check(False, "redacted: %s is %s" % (values, row))
            return
    equal(len(found), COUNT, "records")


def what_comes_later():
    folder, cursors = new_folder("growing"), new_cursors()
    write_history(folder, RECORDS[:10])
    with server() as taker:
        running = HttpShip(taker.port, "--interval", "0.2", cursors=cursors, folder=folder, once=False)
        wait_for(lambda: len(taker.rows) == 10, "the first records")
        second = ship(taker.port, cursors=cursors, folder=folder)
        equal(second.status, 1, "a second one for the same destination")
        check("another netracker ship" in second.errors, second.errors)
        write_history(folder, RECORDS[10:30])
        wait_for(lambda: len(taker.rows) == 30, "records that came later")
        running.process.send_signal(signal.SIGTERM)
        running.end(timeout=10)
        equal((running.status, running.accounting), (0, (30, 0, 0, 0)), running.errors)
        all_are_there(taker.rows, RECORDS[:30], "a history that grows")


def an_emptied_history():
    """Its first file has the name of the one that was sent, and more records."""
    wait_for_midnight(60)
    folder, cursors = new_folder("emptied"), new_cursors()
    write_history(folder, RECORDS[:5])
    with server() as taker:
        equal(ship(taker.port, cursors=cursors, folder=folder).accounting, (5, 0, 0, 0), "the first five")
        shutil.rmtree(folder)
        write_history(folder, RECORDS[10:18])
        done = ship(taker.port, cursors=cursors, folder=folder)
        equal((done.status, done.accounting), (0, (8, 0, 0, 0)), done.errors)
        check("another file" in done.errors, done.errors)
        all_are_there(taker.rows, RECORDS[:5] + RECORDS[10:18], "an emptied history")


def few_records_and_a_server_that_refuses_all():
    """A batch of one record says nothing about that record, unless the answer does."""
    folder, cursors = new_folder("few"), new_cursors()
    write_history(folder, RECORDS[:1])
    with server() as taker:
        taker.answer = lambda number, rows: 400
        done = ship(taker.port, cursors=cursors, folder=folder)
        equal((done.status, done.accounting), (1, (0, 0, 1, 0)), done.errors)
        check("none of the records is taken" in done.errors, done.errors)
        taker.answer = lambda number, rows: (400, {"body": b"Code: 27. DB::Exception: Cannot parse: (at row 1)"})
        done = ship(taker.port, cursors=cursors, folder=folder)
        equal((done.status, done.accounting), (7, (0, 1, 0, 0)), done.errors)


def an_unreadable_file():
    """One that is later does not keep the others from being sent."""
    folder, cursors = new_folder("unreadable"), new_cursors()
    write_history(folder, RECORDS[:5])
    os.mkdir(os.path.join(folder, "2099-01-01-0001.db"))
    with server() as taker:
        done = ship(taker.port, cursors=cursors, folder=folder)
        equal((done.status, done.accounting), (1, (5, 0, 0, 0)), done.errors)
        all_are_there(taker.rows, RECORDS[:5], "beside a file that cannot be read")


def without_root():
    if os.geteuid():
        return skip("another user: only root can become one")
    cursors = new_cursors()
    os.mkdir(cursors, 0o700)
    os.chown(cursors, 65534, 65534)
    os.chmod(os.path.dirname(HISTORY), 0o711)
    with server() as taker:
        group = os.stat(HISTORY).st_gid
        done = HttpShip(taker.port, cursors=cursors, preexec_fn=lambda: (os.setgroups([]), os.setgid(group), os.setuid(65534))).end()
        equal((done.status, done.accounting), (0, (COUNT, 0, 0, 0)), done.errors)


# ---- servers that fail ----

def failing_server():
    past = "Sun, 06 Nov 1994 08:49:37 GMT"
    failures = {1: 500, 3: (429, {"Retry-After": "2"}), 5: "drop", 7: "lose", 9: (503, {"Retry-After": past}), 11: "endless"}
    with server() as taker:
        taker.answer = lambda number, rows: failures.get(number, 200)
        done = ship(taker.port, "--batch", "400", cursors=new_cursors())
        equal((done.status, done.accounting), (0, (COUNT, 0, 0, 0)), done.errors)
        all_are_there(taker.rows, RECORDS, "a server that fails")
        batches_are_whole(taker.bodies, "a server that fails")
        for number in failures:
            check(taker.bodies[number] == taker.bodies[number + 1], "request %d is repeated as it was" % number)
            # libcurl itself repeats a request on a connection that the server has closed.
            check(failures[number] in ("drop", "lose") or taker.times[number + 1] - taker.times[number] >= 0.5, "request %d is not repeated at once" % number)
        check(taker.times[4] - taker.times[3] >= 2, "Retry-After is respected")
        for text in ("made by the test; it is tried again", "the server's answer does not end"):
            check(text in done.errors, done.errors)


def longer_and_longer():
    with server() as taker:
        taker.answer = lambda number, rows: 503
        done = ship(taker.port, "-t", "4", cursors=new_cursors())
        gaps = [later - earlier for earlier, later in zip(taker.times, taker.times[1:])]
        # The machine may add to the waits, never take from them.
        check(gaps and all(gap >= least for gap, least in zip(gaps, (0.5, 1, 2))), "gaps of the repetitions: %s" % gaps)
        equal((done.status, done.accounting), (1, (0, 0, COUNT, 0)), "after the time limit: " + done.errors)


def slow_server():
    with server() as taker:
        taker.delay = lambda number: 3 if number == 1 else 0
        done = ship(taker.port, "--batch", "2000", "--timeout", "0.5", cursors=new_cursors())
        equal((done.status, done.accounting), (0, (COUNT, 0, 0, 0)), done.errors)
        check(taker.bodies[1] == taker.bodies[2], "a request that was not answered in time is repeated as it was")
        batches_are_whole(taker.bodies, "a slow server")


def no_server():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        done = ship(unused.getsockname()[1], "-t", "5", cursors=new_cursors())
    equal((done.status, done.accounting), (1, (0, 0, COUNT, 0)), done.errors)
    check("no answer: " in done.errors, done.errors)


def bad_records():
    bad = {RECORDS[index]["id"] for index in (7, 8, 2500)}
    rejected = [values for values in RECORDS if values["id"] in bad]
    cursors = new_cursors()
    with server() as taker:
        taker.answer = lambda number, rows: 400 if any(row["id"] in bad for row in rows) else 200
        done = ship(taker.port, "--batch", "1000", cursors=cursors)
        equal((done.status, done.accounting), (7, (COUNT - len(rejected), len(rejected), 0, 0)), done.errors)
        all_are_there(taker.rows, [values for values in RECORDS if values["id"] not in bad], "the good ones")
    names = [name for name in os.listdir(cursors) if name.endswith(".rejected")]
    with open(os.path.join(cursors, names[0])) as file:
        lines = [json.loads(line) for line in file]
    equal([line["id"] for line in lines], [values["id"] for values in rejected], "the file of bad ones")
    equal(lines, [dict(line, **with_host(values)) for line, values in zip(lines, rejected)], "their values")


def refusing_servers():
    folder = two_files()
    for status, word in ((403, "password"), (401, "password"), (404, "--setup"), (301, "another one"),
                         ((200, {"body": b"<html>"}), "no ClickHouse server"), (400, "none of the records is taken")):
        cursors = new_cursors()
        with server() as taker:
            taker.answer = lambda number, rows, status=status: status
            done = ship(taker.port, cursors=cursors, folder=folder)
            equal((done.status, done.accounting), (1, (0, 0, 300, 0)), "%s: %s" % (status, done.errors))
            check(word in done.errors, "%s: %s" % (status, done.errors))
            check(len(taker.bodies) <= (1 if status != 400 else 250), "%s is not repeated" % (status,))
            taker.answer = lambda number, rows: 200
            equal(ship(taker.port, cursors=cursors, folder=folder).accounting, (300, 0, 0, 0), "when it takes them again")
            all_are_there(taker.rows, RECORDS[:300], "after status %s" % (status,))


def table_that_changes():
    """It takes records, then none: the rest is not rejected."""
    cursors = new_cursors()
    with server() as taker:
        taker.answer = lambda number, rows: 200 if number == 0 else 400
        done = ship(taker.port, "--batch", "1000", cursors=cursors)
        equal((done.status, done.accounting), (1, (1000, 0, COUNT - 1000, 0)), done.errors)
        taker.answer = lambda number, rows: 200
        ship(taker.port, cursors=cursors)
        all_are_there(taker.rows, RECORDS, "a table that was changed back")


def compressions():
    """Whichever is chosen, the same records arrive. A server that does not know it says so: 18.16 with these words."""
    folder, sizes = two_files(), {}
    for name in ("gzip", "zstd", "none"):
        if name == "zstd" and not shutil.which(name):
            skip("--compress zstd: the program zstd is not installed")
            continue
        with server() as taker:
            done = ship(taker.port, "--compress", name, cursors=new_cursors(), folder=folder)
            equal((done.status, done.accounting), (0, (300, 0, 0, 0)), done.errors)
            all_are_there(taker.rows, RECORDS[:300], name)
            equal({headers["Content-Encoding"] for headers in taker.headers}, {None if name == "none" else name}, name)
            sizes[name] = sum(int(headers["Content-Length"]) for headers in taker.headers)
    check(sizes.get("zstd", 0) < sizes["gzip"] < sizes["none"] / 3, "bytes: %s" % sizes)
    with server() as taker:
        words = b"Code: 89, e.displayText() = DB::Exception: Unknown Content-Encoding of HTTP request: zstd"
        taker.answer = lambda number, rows: (500, {"body": words})
        done = ship(taker.port, cursors=new_cursors(), folder=folder)
        equal((done.status, done.accounting), (1, (0, 0, 300, 0)), done.errors)
        equal((len(taker.bodies), done.errors.count("does not take this compression; see --compress")), (1, 1), done.errors)
    wrong = subprocess.run([NETRACKER, "ship", "--to", "ipfix://localhost", "--compress", "gzip"], capture_output=True, text=True,
                           check=False)
    equal((wrong.returncode, "--compress: a destination ipfix" in wrong.stderr), (2, True), wrong.stderr)


def collected_inserts():
    """The server may collect inserts of few records, and always answers when they are written. 18.16 does not know these words."""
    def settings(path):
        query = urllib.parse.parse_qs(path.split("?")[1])
        return query.get("async_insert"), query.get("wait_for_async_insert")

    folder = two_files()
    with server() as taker:
        ship(taker.port, "--batch", "2000", cursors=new_cursors())
        equal([settings(path) for path in taker.paths], [(["0"], ["1"])] * 2, "many records")
        del taker.paths[:]
        ship(taker.port, cursors=new_cursors(), folder=folder)
        equal([settings(path) for path in taker.paths], [(["1"], ["1"])] * 2, "few records")
    with server() as taker:
        words = b"Code: 115, e.displayText() = DB::Exception: Unknown setting async_insert, e.what() = DB::Exception"
        taker.answer = lambda number, rows: (404, {"body": words}) if number == 0 else 200
        done = ship(taker.port, cursors=new_cursors(), folder=folder)
        equal((done.status, done.accounting), (0, (300, 0, 0, 0)), done.errors)
        equal([settings(path) for path in taker.paths], [(["1"], ["1"]), (None, None), (None, None)], "an old server")
    with server() as taker:
        words = b"Code: 452. DB::Exception: Setting wait_for_async_insert should not be changed. (SETTING_CONSTRAINT_VIOLATION)"
        taker.answer = lambda number, rows: (500, {"body": words})
        done = ship(taker.port, "-t", "1", cursors=new_cursors(), folder=folder)
        equal([settings(path) for path in taker.paths], [(["1"], ["1"])] * len(taker.paths), "a server that forbids it")


def versions_of_the_table():
    """Keys that an older table has no column for are not sent into it; --setup adds what it lacks."""
    folder, table = two_files(), {"version": b"0", "type": b"DateTime64(9, \\'UTC\\')"}

    def ask(sql):
        if sql.startswith("ALTER"):
            table["version"] = b"%d" % TABLE_VERSION
        for word, answer in (("version()", b"26.9.2.1"), ("SELECT default_expression", table["version"]),
                             ("SELECT type", table["type"]), ("groupArray", b"v,id,src_port,src_retransmits,time,schema_version")):
            if word in sql:
                return 200, answer + b"\n"
        return 200, b""

    for time_type, column in ((b"DateTime64(9, \\'UTC\\')", "ADD COLUMN `wire_src_ip` Nullable(IPv6), "),
                              (b"String", "ADD COLUMN `wire_src_ip` String, ")):
        table.update(version=b"0", type=time_type)
        cursors = new_cursors()
        with server() as taker:
            taker.ask = ask
            done = ship(taker.port, cursors=cursors, folder=folder)
            equal((done.status, done.accounting, len(taker.bodies)), (1, (0, 0, 300, 0), 0), done.errors)
            check("has version 0 and lacks keys of version %d; netracker ship --setup" % TABLE_VERSION in done.errors, done.errors)
            done = ship(taker.port, "--setup", cursors=cursors, folder=folder)
            equal((done.status, "had version 0" in done.errors), (0, True), done.errors)
            change, = [sql for sql in taker.questions if sql.startswith("ALTER")]
            check(column in change and "`src_port`" not in change and "`v`" not in change and "`dst_retransmits`" in change and
                  change.endswith("MODIFY COLUMN schema_version UInt16 MATERIALIZED %d" % TABLE_VERSION), change)
            equal(ship(taker.port, cursors=cursors, folder=folder).accounting, (300, 0, 0, 0), "a table of this version")
            equal(sum("default_expression" in sql for sql in taker.questions[-1:]), 1, "asked once")
    for answer, note in (((403, b"Code: 497. DB::Exception: Not enough privileges"), 0), ((200, b""), 1), ((200, b"99"), 0)):
        with server() as taker:
            taker.ask = lambda sql, answer=answer: answer
            done = ship(taker.port, "--batch", "50", cursors=new_cursors(), folder=folder)
            equal((done.status, done.accounting), (0, (300, 0, 0, 0)), done.errors)
            equal((done.errors.count("not made by --setup"), len(taker.questions)), (note, 1), "%s: %s" % (answer, done.errors))


def both_modes(taker, secret):
    for mode in (0o640, 0o644):
        os.chmod(secret, mode)
        yield ship(taker.port, "--token-file", secret, cursors=new_cursors())


def passwords():
    secret = new_folder("secret")
    with open(secret, "w") as file:
        file.write("pass word\nnot this\n")
    with server() as taker:
        taker.delay = lambda number: 0.3
        running = HttpShip(taker.port, "--password-file", secret, cursors=new_cursors(), user="tracker@")
        wait_for(lambda: taker.bodies, "a request")
        with open("/proc/%d/cmdline" % running.process.pid, "rb") as file:
            check(b"pass word" not in file.read(), "the password is on no command line")
        equal(running.end().status, 0, running.errors)
        equal((taker.headers[0]["X-ClickHouse-User"], taker.headers[0]["X-ClickHouse-Key"]), ("tracker", "pass word"),
              "credentials")
        wrong = ship(taker.port, cursors=new_cursors(), user="tracker:secret@")
        equal((wrong.status, "--password-file" in wrong.errors), (2, True), wrong.errors)
        wrong = ship(taker.port, "--password-file", "/nonexistent", cursors=new_cursors())
        equal((wrong.status, "cannot read the secret" in wrong.errors), (1, True), wrong.errors)
        ship(taker.port, "--token-file", secret, cursors=new_cursors())
        equal(taker.headers[-1]["Authorization"], "Bearer pass word", "a token")
        equal([done.errors.count("every user of this machine may read it") for done in both_modes(taker, secret)], [0, 1], "its mode")
        with open(secret, "w") as file:
            file.write("\nsecond line\n")
        wrong = ship(taker.port, "--password-file", secret, cursors=new_cursors())
        equal((wrong.status, "the first line is empty" in wrong.errors), (1, True), wrong.errors)
        with open(secret, "w") as file:
            file.write("x" * 2000)
        wrong = ship(taker.port, "--password-file", secret, cursors=new_cursors())
        equal((wrong.status, "too long" in wrong.errors), (1, True), wrong.errors)


class Certificates:
    """A certificate authority of the test's own. Each file has a certificate, and NAME.key its key."""

    def __init__(self):
        self.folder = new_folder("ca%d" % next(numbers))
        os.mkdir(self.folder)
        self.ca = self.make("ca", "/CN=ca")

    def path(self, name):
        return os.path.join(self.folder, name)

    def make(self, name, subject, *arguments):
        path = self.path(name)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                        "2", "-keyout", path + ".key", "-out", path, "-subj", subject, *arguments], check=True,
                       capture_output=True)
        return path

    def sign(self, name, alternative):
        return self.make(name, "/CN=" + name, "-CA", self.ca, "-CAkey", self.ca + ".key", "-addext",
                         "subjectAltName=DNS:" + alternative, "-addext", "basicConstraints=CA:FALSE")

    def context(self, path, client_ca=None):
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(path, path + ".key")
        if client_ca:
            made.verify_mode = ssl.CERT_REQUIRED
            made.load_verify_locations(client_ca)
        return made


def certificates():
    if not shutil.which("openssl"):
        return skip("TLS: openssl is not installed")
    ours, other = Certificates(), Certificates()
    good, elsewhere = ours.sign("server", "localhost"), ours.sign("elsewhere", "example.org")
    folder = two_files()

    def send(port, *arguments, seconds="20"):
        return ship(port, *arguments, "-t", seconds, cursors=new_cursors(), folder=folder, scheme="clickhouses")

    for path, arguments in ((good, []), (good, ["--ca-file", other.ca]), (elsewhere, ["--ca-file", ours.ca])):
        with server(tls=ours.context(path)) as taker:
            done = send(taker.port, *arguments)
            equal((done.status, done.accounting), (1, (0, 0, 300, 0)), done.errors)
            equal((done.errors.count("certificate does not fit"), done.errors.count("again")), (1, 0), done.errors)
            equal(len(taker.bodies), 0, "nothing was sent")
    with server(tls=ours.context(good)) as taker:
        equal(send(taker.port, "--ca-file", ours.ca).accounting, (300, 0, 0, 0), "a certificate that fits")
    client, stranger = ours.sign("client", "client"), other.sign("stranger", "stranger")
    with open(ours.path("both"), "w") as file:
        file.write(text_of(client) + text_of(client + ".key"))
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = ours.context(good, client_ca=ours.ca)
        context.maximum_version = version
        with server(tls=context) as taker:
            for arguments in ([], ["--cert-file", stranger, "--key-file", stranger + ".key"]):
                done = send(taker.port, "--ca-file", ours.ca, *arguments, seconds="1")  # it may try until then
                equal((done.status, done.accounting), (1, (0, 0, 300, 0)), "a client that is not known: " + done.errors)
                check("see --cert-file" in done.errors, "%s: %s" % (version, done.errors))
            equal(len(taker.bodies), 0, "nothing was sent")
    with server(tls=ours.context(good, client_ca=ours.ca)) as taker:
        done = send(taker.port, "--ca-file", ours.ca, "--cert-file", client, "--key-file", stranger + ".key")
        equal((done.status, "certificate and key cannot be used" in done.errors, "again" in done.errors), (1, True, False),
              "another one's key: " + done.errors)
        for name in ("--cert-file", "--ca-file"):
            done = send(taker.port, name, "/nonexistent")
            equal((done.status, "/nonexistent: cannot read it" in done.errors), (1, True), done.errors)
        equal(len(taker.bodies), 0, "nothing was sent")
        for arguments in (["--cert-file", client, "--key-file", client + ".key"], ["--cert-file", ours.path("both")]):
            done = send(taker.port, "--ca-file", ours.ca, *arguments)
            equal((done.status, done.accounting), (0, (300, 0, 0, 0)), done.errors)


def text_of(path):
    with open(path) as file:
        return file.read()


# ---- the end at any moment ----

def killed_at_random():
    chance, cursors, kills = random.Random(3), new_cursors(), 0
    with server() as taker:
        taker.delay = lambda number: 0.01
        taker.answer = lambda number, rows: "lose" if number % 40 == 39 else 200
        while kills < 25:
            running = HttpShip(taker.port, "--batch", "40", cursors=cursors)
            try:
                running.process.wait(chance.uniform(0.02, 0.3))
                running.end()
                break
            except subprocess.TimeoutExpired:
                running.process.kill()
                running.end()
                kills += 1
        done = ship(taker.port, "--batch", "60", cursors=cursors)
        equal(done.status, 0, done.errors)
        check(kills >= 5, "killed %d times" % kills)
        wait_for(lambda: len(taker.rows) == COUNT, "all rows", seconds=5)
        all_are_there(taker.rows, RECORDS, "killed %d times" % kills)
        batches_are_whole(taker.bodies, "killed %d times" % kills)


def ended_by_signal():
    for hangs in (False, True):
        cursors = new_cursors()
        with server() as taker:
            taker.delay = lambda number, hangs=hangs: 15 if hangs else 1
            running = HttpShip(taker.port, "--batch", "100", cursors=cursors)
            wait_for(lambda taker=taker: taker.bodies, "a request")
            began = time.monotonic()
            running.process.send_signal(signal.SIGTERM)
            running.end(timeout=20)
            took = time.monotonic() - began
            check(took < 14, "ended after %.1f s" % took)
            sent = 0 if hangs else 100
            equal((running.status, running.accounting), (1, (sent, 0, COUNT - sent, 0)), running.errors)
            taker.delay = lambda number: 0
            ship(taker.port, cursors=cursors)
            all_are_there(taker.rows, RECORDS, "after a signal")
            batches_are_whole(taker.bodies, "after a signal")


def ended_by_time_limit():
    """It ends as by a signal: also a request that is not answered, and the search for bad records."""
    with server() as taker:
        taker.delay = lambda number: 30
        began = time.monotonic()
        done = ship(taker.port, "-t", "1", cursors=new_cursors())
        took = time.monotonic() - began
        check(took < 25, "a request that is not answered: ended after %.1f s" % took)
        equal((done.status, done.accounting), (1, (0, 0, COUNT, 0)), done.errors)
    cursors = new_cursors()
    with server() as taker:
        taker.delay, taker.answer = lambda number: 0.1, lambda number, rows: 400 if len(rows) > 4 else 200
        began = time.monotonic()
        done = ship(taker.port, "-t", "1", cursors=cursors)
        took = time.monotonic() - began
        check(took < 20, "the search for bad records: ended after %.1f s" % took)
        equal((done.status, done.accounting), (1, (0, 0, COUNT, 0)), done.errors)


# ---- the cursor's disk ----

@contextlib.contextmanager
def small_disk():
    """Yields the folder of a disk of 64 KiB, and the name of a file there that may fill it."""
    folder = new_cursors()
    os.mkdir(folder)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "nt-ship", folder], check=True)
    try:
        yield folder, os.path.join(folder, "filler")
    finally:
        subprocess.run(["umount", folder], check=True)


def fill(path):
    with contextlib.suppress(OSError), open(path, "wb", buffering=0) as file:
        while file.write(b"x" * 1024):
            pass


def full_disk():
    """Ship goes on when there is room again, and says once that there was none; with --once it ends."""
    if os.geteuid():
        return skip("a full disk under --cursors: only root can mount one")
    history = new_folder("full")
    write_history(history, RECORDS[:10])
    with small_disk() as (folder, filler), server() as taker:
        running = HttpShip(taker.port, "--interval", "0.2", cursors=folder, folder=history, once=False)
        wait_for(lambda: len(taker.rows) == 10, "the first records")
        fill(filler)
        write_history(history, RECORDS[10:30])
        done = HttpShip(taker.port, cursors=folder, folder=history, path="/other").end()
        equal((done.status, "No space left on device" in done.errors), (1, True), "--once: " + done.errors)
        time.sleep(2.5)
        equal(len(taker.rows), 10, "rows while the cursor cannot be written")
        os.unlink(filler)
        wait_for(lambda: len(taker.rows) == 30, "the rest")
        running.process.send_signal(signal.SIGTERM)
        running.end()
        equal((running.status, running.accounting), (0, (30, 0, 0, 0)), running.errors)
        equal((running.errors.count("No space left on device"), running.errors.count("can be written again")), (1, 1),
              running.errors)
        equal(ship(taker.port, cursors=folder, folder=history).accounting, (0, 0, 0, 0), "the cursor of then")


# ---- the cursor's name ----

def cursor_of_each():
    """Two users of one server, and two paths that differ by a character, are destinations of their own."""
    folder, cursors = two_files(), new_cursors()
    with server() as taker:
        for user in ("", "a@", "b@"):
            equal(ship(taker.port, cursors=cursors, folder=folder, user=user).accounting, (300, 0, 0, 0), "user " + user)
            equal(ship(taker.port, cursors=cursors, folder=folder, user=user).accounting, (0, 0, 0, 0), "again " + user)
    taker = OtlpServer()
    try:
        for path in ("/a-b", "/a/b"):
            equal(ship(taker.port, cursors=cursors, folder=folder, scheme="otlp", path=path).accounting, (300, 0, 0, 0), path)
        done = ship(taker.port, cursors=cursors, folder=folder, scheme="otlp", path="/" + 240 * "a")
        equal((done.status, "the URL is too long" in done.errors), (1, True), done.errors)
    finally:
        taker.close()


def cursor_of_former_name():
    """It is taken over, unless a process of that version uses it."""
    folder, cursors = two_files(), new_cursors()
    with server() as taker:
        refuse_one(taker, RECORDS[7])
        equal(ship(taker.port, cursors=cursors, folder=folder).accounting, (299, 1, 0, 0), "the first ones")
        former = os.path.join(cursors, "clickhouse-localhost-%d-nt-conn" % taker.port)
        for end in (".cursor", ".rejected"):
            os.rename(os.path.join(cursors, "clickhouse,localhost,%d,nt,conn%s" % (taker.port, end)), former + end)
        write_history(folder, RECORDS[300:310])
        with open(former + ".cursor.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = ship(taker.port, cursors=cursors, folder=folder)
            equal((done.status, done.accounting, "another netracker ship" in done.errors), (1, None, True), done.errors)
        done = ship(taker.port, cursors=cursors, folder=folder)
        equal((done.status, done.accounting), (0, (10, 0, 0, 0)), done.errors)
        equal([name for name in os.listdir(cursors) if name.startswith("clickhouse-")], [], "files of the former name")
        equal(len(text_of(rejected_file(cursors)).splitlines()), 1, "rejected records")


# ---- the file of rejected records ----

def refuse_one(taker, bad, also=lambda: None):
    """The server takes all but this record; when it comes first, something else happens too."""
    happened = []

    def answer(number, rows):
        if not any(row["id"] == bad["id"] for row in rows):
            return 200
        if not happened:
            happened.append(also())
        return 400
    taker.answer = answer


def rejected_file(cursors):
    """Returns the path; None if there is no such file yet."""
    return next((os.path.join(cursors, name) for name in os.listdir(cursors) if name.endswith(".rejected")), None)


def answer_names_the_row():
    """It needs few requests then, also if the place is wrong."""
    for shift in (0, 3):
        bad = {(RECORDS[index]["id"], RECORDS[index]["time"]) for index in (40, 41, 170)}
        folder = new_folder("named%d" % shift)
        write_history(folder, RECORDS[:250])
        with server() as taker:
            def answer(number, rows, shift=shift, bad=bad):
                wrong = [place for place, row in enumerate(rows, 1) if (row["id"], row["time"]) in bad]
                text = "Code: 27. DB::Exception: Cannot parse input: (at row %d)" % (wrong[0] + shift if wrong else 0)
                return (400, {"body": text.encode()}) if wrong else 200
            taker.answer = answer
            done = ship(taker.port, cursors=new_cursors(), folder=folder)
            equal((done.status, done.accounting), (7, (247, 3, 0, 0)), done.errors)
            all_are_there(taker.rows, [row for row in RECORDS[:250] if (row["id"], row["time"]) not in bad], "the good ones")
            check(shift or len(taker.bodies) <= 10, "%d requests" % len(taker.bodies))


def too_many_bad_records():
    """Some records of each machine, as of a table that was changed: they stay in the history."""
    with server() as taker:
        taker.answer = lambda number, rows: 400 if any(int(row["id"], 16) >> 20 & 1 for row in rows) else 200
        cursors = new_cursors()
        done = ship(taker.port, cursors=cursors)
        equal((done.status, done.accounting), (1, (0, 0, COUNT, 0)), done.errors)
        check("more than 1000 records of %d are not taken" % COUNT in done.errors, done.errors)
        check(not any(name.endswith(".rejected") for name in os.listdir(cursors)), "nothing is rejected")


def too_large_requests():
    """What was too large once is not sent again in that size."""
    with server() as taker:
        taker.answer = lambda number, rows: 413 if len(rows) > 300 else 200
        done = ship(taker.port, "--batch", "1000", cursors=new_cursors())
        equal((done.status, done.accounting), (0, (COUNT, 0, 0, 0)), done.errors)
        all_are_there(taker.rows, RECORDS, "smaller requests")
        check(sum(body.count(b"\n") > 300 for body in taker.bodies) <= 4, "requests that were too large")


def reasons_that_change():
    """Each reason is said, and how often it was tried."""
    folder = two_files()
    reasons = [b"one", b"one", b"two"]
    with server() as taker:
        taker.answer = lambda number, rows: (503, {"body": reasons[number]}) if number < len(reasons) else 200
        done = ship(taker.port, cursors=new_cursors(), folder=folder)
        equal((done.status, done.accounting), (0, (300, 0, 0, 0)), done.errors)
        equal([done.errors.count(word) for word in (": one; it is tried again", ": two; it is tried again (attempt 3)")], [1, 1],
              done.errors)


def removed_while_halving():
    """The bad record cannot be set aside any more; the others of its batch have arrived and count as sent."""
    folder, cursors = two_files(), new_cursors()
    with server() as taker:
        refuse_one(taker, RECORDS[7], lambda: os.unlink(os.path.join(folder, "2026-11-01-0001.db")))
        done = ship(taker.port, "--batch", "30", cursors=cursors, folder=folder)
        equal((done.status, done.accounting), (7, (229, 0, 0, 71)), done.errors)
        check("before 1 bad records could be set aside" in done.errors, done.errors)
        all_are_there(taker.rows, RECORDS[:7] + RECORDS[8:30] + RECORDS[100:300], "the others")


def rejected_file_that_is_large():
    folder = two_files()
    cursors = new_cursors()
    with server() as taker:
        refuse_one(taker, RECORDS[7])
        equal(ship(taker.port, "--batch", "30", cursors=cursors, folder=folder).status, 7, "a bad record")
        path = rejected_file(cursors)
        os.truncate(path, 1 << 30)
        write_history(folder, RECORDS[300:340])
        refuse_one(taker, RECORDS[310])
        done = ship(taker.port, cursors=cursors, folder=folder)
        equal((done.status, done.accounting), (1, (0, 0, 40, 0)), done.errors)
        check("larger than 1 GiB" in done.errors, done.errors)
        with open(path, "w") as file:
            file.write("a part of a line")
        done = ship(taker.port, cursors=cursors, folder=folder)
        equal((done.status, done.accounting), (7, (39, 1, 0, 0)), done.errors)
        with open(path) as file:
            lines = file.read().splitlines()
        equal((len(lines), lines[0], json.loads(lines[1])["id"]), (2, "a part of a line", RECORDS[310]["id"]), "the lines")


def full_disk_while_halving():
    if os.geteuid():
        return skip("a full disk under the file of rejected records: only root can mount one")
    history = new_folder("fullhalving")
    write_history(history, RECORDS[:40])
    with small_disk() as (folder, filler), server() as taker:
        refuse_one(taker, RECORDS[20], lambda: fill(filler))
        running = HttpShip(taker.port, cursors=folder, folder=history, once=False)
        wait_for(lambda: len(taker.rows) == 39, "the good ones")
        time.sleep(3)
        os.unlink(filler)
        wait_for(lambda: rejected_file(folder) and os.path.getsize(rejected_file(folder)), "the bad one")
        running.process.send_signal(signal.SIGTERM)
        running.end()
        equal((running.status, running.accounting), (7, (39, 1, 0, 0)), running.errors)
        equal(running.errors.count("cannot write rejected records: No space left"), 1, running.errors)


# ---- the history ----

def write_two_files(folder):
    os.mkdir(folder)
    for day, records in (("2026-11-01", RECORDS[:100]), ("2026-11-02", RECORDS[100:300])):
        one = new_folder("one%d" % next(numbers))
        write_history(one, records)
        names = [name for name in os.listdir(one) if name.endswith(".db")]
        os.rename(os.path.join(one, names[0]), os.path.join(folder, day + "-0001.db"))


def two_files():
    """Returns a folder with two files, of the first 100 records and the next 200."""
    folder = new_folder("files%d" % next(numbers))
    with TWO_FILES_LOCK:
        if not os.path.exists(TWO_FILES):
            write_two_files(TWO_FILES)
    shutil.copytree(TWO_FILES, folder)
    return folder


def removed_by_retention():
    folder, cursors = two_files(), new_cursors()
    with server() as taker:
        taker.answer = lambda number, rows: 200 if number == 0 else 503
        running = HttpShip(taker.port, "--batch", "30", cursors=cursors, folder=folder)
        wait_for(lambda: len(taker.bodies) > 1, "the first batch, and one that is refused")
        running.process.send_signal(signal.SIGTERM)
        first = running.end()
        equal((first.status, first.accounting), (1, (30, 0, 270, 0)), first.errors)
        os.unlink(os.path.join(folder, "2026-11-01-0001.db"))
        taker.answer = lambda number, rows: 200
        second = ship(taker.port, cursors=cursors, folder=folder)
        equal((second.status, second.accounting), (7, (200, 0, 0, 70)), second.errors)
        check("2026-11-01-0001.db: retention removed it before 70 records" in second.errors, second.errors)
        all_are_there(taker.rows, RECORDS[:30] + RECORDS[100:300], "what was there")


def removed_meanwhile():
    """The file goes while a batch of it is on its way: only what was behind it is lost."""
    folder = two_files()
    first = os.path.join(folder, "2026-11-01-0001.db")
    with server() as taker:
        taker.answer = lambda number, rows: 503 if number == 1 and not os.unlink(first) else 200
        done = ship(taker.port, "--batch", "30", cursors=new_cursors(), folder=folder)
        equal((done.status, done.accounting), (7, (260, 0, 0, 40)), done.errors)
        all_are_there(taker.rows, RECORDS[:60] + RECORDS[100:300], "what was there")


def damaged_file():
    folder = two_files()
    with open(os.path.join(folder, "2026-11-01-0001.db"), "r+b") as file:
        file.write(b"no database at all" * 300)
    with server() as taker:
        done = ship(taker.port, cursors=new_cursors(), folder=folder)
        equal((done.status, done.accounting), (1, (200, 0, 0, 0)), done.errors)
        check("2026-11-01-0001.db" in done.errors, done.errors)
        all_are_there(taker.rows, RECORDS[100:300], "the other file")


def unreadable_rows():
    """A page within the file is damaged: what was before it is sent, and how many records are behind it is said."""
    folder = new_folder("page")
    shutil.copytree(HISTORY, folder)
    path, = [os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".db")]
    with open(path, "r+b") as file:
        data = file.read()
        leaves = [place for place in range(0, len(data), 4096) if data[place] == 13]  # of tables, by SQLite's format
        file.seek(leaves[len(leaves) // 2])
        file.write(bytes(4096))
    with server() as taker:
        done = ship(taker.port, "--batch", "100", cursors=new_cursors(), folder=folder)
        found = re.search(r"up to (\d+) records of it cannot be read", done.errors)
        check(found and done.status == 1, done.errors)
        equal(found and int(found.group(1)) + done.accounting[0], COUNT, done.errors)
        check(len(taker.rows) > 1000, "%d records were before it" % len(taker.rows))


def folder_with_a_line_break():
    folder = new_folder("line\nbreak")
    shutil.copytree(two_files(), folder)
    with server() as taker:
        done = ship(taker.port, cursors=new_cursors(), folder=folder)
        equal((done.status, "line break" in done.errors), (1, True), done.errors)


def removal_is_said_once():
    folder, cursors = two_files(), new_cursors()
    with server() as taker:
        taker.answer = lambda number, rows: 200 if number == 0 else 503
        equal(ship(taker.port, "--batch", "30", "-t", "1", cursors=cursors, folder=folder).accounting, (30, 0, 270, 0), "some")
        for name in os.listdir(folder):
            if name.endswith(".db"):
                os.unlink(os.path.join(folder, name))
        done = ship(taker.port, cursors=cursors, folder=folder)
        equal((done.status, done.accounting), (7, (0, 0, 0, 270)), done.errors)
        done = ship(taker.port, cursors=cursors, folder=folder)
        equal((done.status, done.accounting), (0, (0, 0, 0, 0)), done.errors)


def clear_text():
    """Only where others can read it, and TLS is possible."""
    folder = two_files()
    with server() as taker:
        for url, is_said in (("clickhouse://0.0.0.0:%d/nt", True), ("clickhouse://127.0.0.1:%d/nt", False)):
            done = Ship(url % taker.port, cursors=new_cursors(), folder=folder).end()
            equal((done.accounting, "can be read on the way; clickhouses://" in done.errors), ((300, 0, 0, 0), is_said), done.errors)
    with server() as taker:
        done = Ship("ipfix://0.0.0.0:%d" % taker.port, "-t", "1", cursors=new_cursors(), folder=folder).end()
        check("on the way" not in done.errors, done.errors)


def wrong_usage():
    for arguments, word in ((["--to", "ftp://a/b"], "clickhouse://"), (["--to", "clickhouse://a/b", "--key-file", "k"], "--cert-file"), (["--to", "clickhouse://a"], "database"),
                            (["--to", "clickhouse://a:0/b"], "port"), (["--to", "clickhouse://[::1/b"], "brackets"), (["--to", "clickhouse://[::z]/b"], "brackets"),
                            (["--to", "clickhouse://[:::1]/b"], "brackets"), (["--to", "clickhouse://a/b", "--timeout", "2h"], "--timeout"), (["--to", "clickhouse://a/b;c"], "letters"),
                            ([], "--to"), (["--to", "clickhouse://a/b", "--batch", "0"], "--batch")):
        done = subprocess.run([NETRACKER, "ship", *arguments], capture_output=True, text=True, timeout=10, check=False)
        equal((done.returncode, word in done.stderr), (2, True), "%s: %s" % (arguments, done.stderr))
    done = ship(1, cursors=new_cursors(), folder="/nonexistent")
    equal(done.status, 1, "no history: " + done.errors)


# ---- real servers ----

def compare_real(real, time_text, compression):
    """Set up, send while the server is killed and comes again, send all again in other batches: each record is there once."""
    options, secret = {"cursors": new_cursors(), "user": "default@"}, secret_file(new_folder("secret%d" % next(numbers)))
    for _ in range(2):
        done = ship(real.port, "--setup", "--password-file", secret, **options)
        equal((done.status, "nt.conn is there" in done.errors), (0, True), done.errors)
    real.ask("ALTER TABLE nt.conn DROP COLUMN dst_bytes, MODIFY COLUMN schema_version UInt16 MATERIALIZED 0")
    done = ship(real.port, "--password-file", secret, **options)
    equal((done.status, "lacks keys" in done.errors), (1, True), done.errors)
    done = ship(real.port, "--setup", "--password-file", secret, **options)
    equal((done.status, "had version 0" in done.errors), (0, True), done.errors)
    running = HttpShip(real.port, "--batch", "20", "--password-file", secret, **options)
    wait_for(lambda: int(real.ask("SELECT count() FROM nt.conn") or 0) > 100, "the first records")
    real.kill()
    real.start()
    equal((running.end().status, running.accounting), (0, (COUNT, 0, 0, 0)), running.errors)
    again = ship(real.port, "--batch", "700", "--compress", compression, "--password-file", secret, **dict(options, cursors=new_cursors()))
    equal(again.accounting, (COUNT, 0, 0, 0), again.errors)
    equal(real.ask("SELECT count() FROM nt.conn FINAL"), str(COUNT), "records")
    equal(real.ask("SELECT sum(duration_ns), sum(dst_bytes) FROM nt.conn FINAL"),
          "%d\t%d" % (sum(values["duration_ns"] for values in RECORDS), sum(values.get("dst_bytes", 0) for values in RECORDS)),
          "sums")
    some = RECORDS[1234]
    equal(real.ask("SELECT %s, comm, dst_port FROM nt.conn FINAL WHERE id='%s' AND event='%s'" % (time_text, some["id"],
                                                                                                some["event"])),
          "%s\t%s\t%d" % (some["time"], some.get("comm", ""), some["dst_port"]), "one record")


def clickhouse_18():
    real = start_clickhouse(new_folder("clickhouse"))
    if isinstance(real, str):
        return skip(real)
    try:
        wrong = new_folder("wrong")
        with open(wrong, "w") as file:
            file.write("wrong\n")
        done = ship(real.port, "--password-file", wrong, cursors=new_cursors(), user="default@")
        equal((done.status, "password" in done.errors), (1, True), "wrong password: " + done.errors)
        done = ship(real.port, "--password-file", secret_file(new_folder("secret18")), cursors=new_cursors(), user="default@")
        equal((done.status, "--setup" in done.errors), (1, True), "no table: " + done.errors)
        done = ship(real.port, "--password-file", secret_file(new_folder("secretz")), "--compress", "zstd", cursors=new_cursors(),
                    user="default@")
        equal((done.status, "see --compress" in done.errors), (1, True), "zstd: " + done.errors)
        compare_real(real, "time", "gzip")
    finally:
        real.kill()


def current_engine():
    real = start_current_engine(new_folder("chdb"))
    if isinstance(real, str):
        return skip(real)
    try:
        compare_real(real, "concat(replaceOne(toString(time), ' ', 'T'), 'Z')", "zstd" if shutil.which("zstd") else "gzip")
    finally:
        real.kill()


run_tests([everything_arrives, redacted, without_root, bad_records, table_that_changes, too_many_bad_records, killed_at_random,
           wrong_usage,
           at_once(an_emptied_history, few_records_and_a_server_that_refuses_all, an_unreadable_file, refusing_servers,
                   too_large_requests, compressions, collected_inserts, versions_of_the_table, passwords, damaged_file,
                   what_comes_later, certificates, failing_server, longer_and_longer, slow_server, no_server, ended_by_signal,
                   ended_by_time_limit, full_disk, cursor_of_each, cursor_of_former_name, removed_by_retention,
                   removed_meanwhile, answer_names_the_row, reasons_that_change, removed_while_halving,
                   rejected_file_that_is_large, full_disk_while_halving, unreadable_rows,
                   folder_with_a_line_break, removal_is_said_once, clear_text),
           clickhouse_18, current_engine])
