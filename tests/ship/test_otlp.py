#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netracker ship --to otlp://...: each record is a log record by OpenTelemetry's conventions."""
import base64
import contextlib
import json
import os
import shutil
import subprocess

from otlp_server import OtlpServer
from ship_run import at_once, free_port, new_cursors, ship, with_host
from made_history import FAILED, NETRACKER, RECORDS, in_ns, new_folder, run_tests, write_history
from replay_harness import check, equal, skip
import test_redact

COUNT, FEW = len(RECORDS), 300
CONVENTIONS = {"family": "network.type", "src_ip": "client.address", "src_port": "client.port", "dst_ip": "server.address",
               "dst_port": "server.port", "ifname": "network.interface.name", "pid": "process.pid",
               "exe": "process.executable.path", "uid": "process.user.id", "cgroup": "process.linux.cgroup",
               "container": "container.id"}


@contextlib.contextmanager
def collector(**options):
    made = OtlpServer(**options)
    try:
        yield made
    finally:
        made.close()


def small_history():
    """Returns a folder with the first records, for tests that are not about records."""
    folder = new_folder("few")
    if not os.path.exists(folder):
        write_history(folder, RECORDS[:FEW])
    return folder


def send(port, *arguments, **options):
    return ship(port, *arguments, **dict({"scheme": "otlp", "path": ""}, **options))


def has_failed(values):
    return values["event"] == "close" and values["outcome"] in FAILED


def expected_attributes(values):
    attributes = {CONVENTIONS.get(key, "netracker." + key): value for key, value in values.items()
                  if key not in ("host", "time", "event")}
    attributes["network.transport"] = "tcp"
    if "exe" in values:
        attributes["process.executable.name"] = os.path.basename(values["exe"]) if "/" in values["exe"] else values["comm"]
    if has_failed(values):
        attributes["error.type"] = values["outcome"]
    return attributes


def endpoint(ip, port):
    return ("[%s]:%d" if ":" in ip else "%s:%d") % (ip, port)


def same_logs(rows, records, what):
    expected = {(values["host"], values["id"], "netracker.connection." + values["event"], in_ns(values["time"])): values
                for values in map(with_host, records)}
    equal(sorted(set(expected) ^ set(rows))[:3], [], what + ": missing, or more than there were")
    for key, values in expected.items():
        row = rows.get(key)
        attributes = dict(row["attributes"])
        attributes.pop("netracker.community_id")
        severity = (13, "WARN") if has_failed(values) else (9, "INFO")
        body = "%s > %s %s" % (endpoint(values["src_ip"], values["src_port"]), endpoint(values["dst_ip"], values["dst_port"]),
                               values["outcome"])
        if "comm" in values:
            body += ", " + values["comm"]
        found = (attributes, (row["log"]["severityNumber"], row["log"]["severityText"]), row["log"]["body"],
                 row["log"]["observedTimeUnixNano"], row["resource"], row["scope"]["name"])
        wanted = (expected_attributes(values), severity, {"stringValue": body}, str(in_ns(values["time"])),
                  {"host.name": values["host"], "service.name": "netracker", "os.type": "linux"}, "netracker")
        if found != wanted:
            equal(found, wanted, what)
            return


def everything_arrives():
    cursors = new_cursors()
    with collector() as taker:
        done = send(taker.port, "--batch", "1000", cursors=cursors)
        equal((done.status, done.accounting, done.output), (0, (COUNT, 0, 0, 0), ""), done.errors)
        equal((len(taker.bodies), set(taker.paths)), (-(-COUNT // 1000), {"/v1/logs"}), "requests")
        equal({headers["Content-Type"] for headers in taker.headers}, {"application/json"}, "type of content")
        same_logs(taker.rows, RECORDS, "one run")
        equal(send(taker.port, cursors=cursors).accounting, (0, 0, 0, 0), "nothing new")
        done = send(taker.port, "--setup", cursors=cursors)
        equal((done.status, "needs nothing" in done.errors), (0, True), done.errors)


def redacted():
    """Attributes, body and resource have the values that test_redact computes, and no original is anywhere."""
    folder = new_folder("key")
    os.mkdir(folder)
    records = [with_host(values) for values in RECORDS[:FEW]]
    with collector() as taker:
        done = send(taker.port, "--redact", test_redact.key_file(folder), folder=small_history(), cursors=new_cursors())
        equal((done.status, done.accounting), (0, (FEW, 0, 0, 0)), done.errors)
        same_logs(taker.rows, list(map(test_redact.shipped, records)), "redacted")
        sent = json.dumps(taker.bodies, default=repr)
        for values in records:
            for key in ("id", "src_ip", "dst_ip", "exe", "cgroup"):
                if key in values and values[key] in sent:
                    check(False, "%s %s was sent" % (key, values[key]))
                    return


def other_urls():
    with collector() as taker:
        for scheme, path, target in (("http", "/v1/logs", "/v1/logs"), ("otlp", "/otlp", "/otlp/v1/logs"),
                                     ("otlp", "/a/v1/logs", "/a/v1/logs"), ("http", "/b/v1/logs", "/b/v1/logs")):
            done = send(taker.port, scheme=scheme, path=path, cursors=new_cursors(), folder=small_history())
            equal((done.status, taker.paths[-1]), (0, target), done.errors)
    for url, word in (("http://a/b", "/v1/logs"), ("https://a", "/v1/logs"), ("otlp://a?x=y", "host"), ("otlp://a:x", "port"),
                      ("otlp://u:p@a", "--password-file")):
        done = subprocess.run([NETRACKER, "ship", "--to", url], capture_output=True, text=True, timeout=10, check=False)
        equal((done.returncode, word in done.stderr), (2, True), "%s: %s" % (url, done.stderr))


def failing_collector():
    failures = {1: 502, 3: (429, {"Retry-After": "2"}), 5: "drop", 7: "lose", 9: 503, 11: 504}
    with collector() as taker:
        taker.answer = lambda number, rows: failures.get(number, 200)
        done = send(taker.port, "--batch", "400", cursors=new_cursors())
        equal((done.status, done.accounting), (0, (COUNT, 0, 0, 0)), done.errors)
        same_logs(taker.rows, RECORDS, "a collector that fails")
        for number in failures:
            check(taker.bodies[number] == taker.bodies[number + 1], "request %d is repeated as it was" % number)
        check(taker.times[4] - taker.times[3] >= 2, "Retry-After is respected")
        check("now (status 502): made by the test; it is tried again" in done.errors, done.errors)


def bad_records():
    """By the protocol every other status forbids to send the same again."""
    for status in (400, 500):
        bad, cursors = RECORDS[1500]["id"], new_cursors()
        with collector() as taker:
            taker.answer = lambda number, rows, status=status: status if any(row["id"] == bad for row in rows) else 200
            done = send(taker.port, "--batch", "500", cursors=cursors)
            rejected = [values for values in RECORDS if values["id"] == bad]
            equal((done.status, done.accounting), (7, (COUNT - len(rejected), len(rejected), 0, 0)), done.errors)
            same_logs(taker.rows, [values for values in RECORDS if values["id"] != bad], "status %d" % status)
        names = [name for name in os.listdir(cursors) if name.endswith(".rejected")]
        with open(os.path.join(cursors, names[0])) as file:
            equal([json.loads(line)["id"] for line in file], [bad] * len(rejected), "the file of bad ones")


def partial_success():
    for count in ("3", 3):
        body = json.dumps({"partialSuccess": {"rejectedLogRecords": count, "errorMessage": "too old"}}).encode()
        with collector() as taker:
            taker.answer = lambda number, rows, body=body: (200, {"body": body}) if number == 0 else 200
            done = send(taker.port, "--batch", "100", cursors=new_cursors(), folder=small_history())
            equal((done.status, done.accounting), (7, (FEW - 3, 3, 0, 0)), done.errors)
            check("dropped 3 records: too old" in done.errors, done.errors)
            equal(len(taker.bodies), FEW // 100, "nothing is repeated")
    for text, word in (("slow down", "says: slow down"), ("x" * 10000, "says: xxx"), ("x" * 100000, "that cannot be read")):
        with collector() as taker:
            body = json.dumps({"partialSuccess": {"errorMessage": text, "rejectedLogRecords": 0}}).encode()
            taker.answer = lambda number, rows, body=body: (200, {"body": body})
            done = send(taker.port, "--batch", "100", cursors=new_cursors(), folder=small_history())
            equal((done.status, done.errors.count(word)), (0, 1), "a warning: " + done.errors)
    with collector() as taker:
        body = json.dumps({"partialSuccess": {"errorMessage": "x" * 10000, "rejectedLogRecords": 2}}).encode()
        taker.answer = lambda number, rows: (200, {"body": body})
        done = send(taker.port, cursors=new_cursors(), folder=small_history())
        equal((done.status, done.accounting), (7, (FEW - 2, 2, 0, 0)), "a long answer: " + done.errors)


def other_servers():
    for answer, word in (((200, {"body": b"<html>"}), "no OTLP server"), (404, "/v1/logs"), (401, "password"), (403, "password")):
        with collector() as taker:
            taker.answer = lambda number, rows, answer=answer: answer
            done = send(taker.port, cursors=new_cursors(), folder=small_history())
            equal((done.status, done.accounting, word in done.errors), (1, (0, 0, FEW, 0), True), done.errors)
            equal(len(taker.bodies), 1, "requests")
    with collector() as taker:
        taker.answer = lambda number, rows: (200, {"body": b""})  # some servers have no body
        equal(send(taker.port, cursors=new_cursors(), folder=small_history()).accounting, (FEW, 0, 0, 0), "an empty answer")


def logins():
    secret = new_folder("secret")
    with open(secret, "w") as file:
        file.write("pass word\nnot this\n")
    with collector() as taker:
        done = send(taker.port, "--password-file", secret, user="tracker@", cursors=new_cursors(), folder=small_history())
        basic = "Basic " + base64.b64encode(b"tracker:pass word").decode()
        equal((done.status, taker.headers[-1]["Authorization"]), (0, basic), done.errors)
        done = send(taker.port, "--token-file", secret, cursors=new_cursors(), folder=small_history())
        equal((done.status, taker.headers[-1]["Authorization"]), (0, "Bearer pass word"), done.errors)
        done = send(taker.port, "--password-file", secret, cursors=new_cursors(), folder=small_history())
        equal((done.status, "needs a user" in done.errors), (1, True), done.errors)
        done = send(taker.port, "--password-file", secret, "--token-file", secret, cursors=new_cursors(), folder=small_history())
        equal((done.status, "exclude" in done.errors), (2, True), done.errors)


CONFIG = """receivers:
  otlp:
    protocols:
      http:
        endpoint: 127.0.0.1:%d
exporters:
  debug:
    verbosity: detailed
    output_paths: [%s]
    use_internal_logger: false
service:
  telemetry:
    metrics:
      level: none
  pipelines:
    logs:
      receivers: [otlp]
      exporters: [debug]
"""


def real_collector():
    program = os.environ.get("OTELCOL") or shutil.which("otelcol")
    if not program:
        return skip("an OpenTelemetry collector: otelcol is not installed, and OTELCOL names none")
    config, output, port = new_folder("otelcol.yaml"), new_folder("otelcol.out"), free_port()
    with open(config, "w") as file:
        file.write(CONFIG % (port, output))
    running = subprocess.Popen([program, "--config", config], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        done = send(port, "-t", "30", cursors=new_cursors())
        equal((done.status, done.accounting), (0, (COUNT, 0, 0, 0)), done.errors)
        text = read_text(output)
        equal(text.count("\nLogRecord #"), COUNT, "log records")
        some = next(values for values in RECORDS if "exe" in values and has_failed(values))
        log = next(log for log in text.split("\nLogRecord #") if "netracker.id: Str(%s)" % some["id"] in log)
        for line in ("EventName: netracker.connection.close", "SeverityNumber: Warn(13)",
                     "-> client.address: Str(%s)" % some["src_ip"], "-> server.port: Int(%d)" % some["dst_port"],
                     "-> process.executable.path: Str(%s)" % some["exe"], "-> error.type: Str(%s)" % some["outcome"],
                     "-> netracker.complete: Bool(true)", '-> netracker.seen: Slice(["wire"])'):
            check(line in log, "%s is not in %s" % (line, log))
        done = send(port, "-t", "30", "--compress", "zstd", cursors=new_cursors())
        equal((done.status, done.accounting), (0, (COUNT, 0, 0, 0)), done.errors)
        equal(read_text(output).count("\nLogRecord #"), 2 * COUNT, "log records, with those compressed by zstd")
    finally:
        running.kill()
        running.wait()


def read_text(path):
    with open(path) as file:
        return file.read()


run_tests([everything_arrives, redacted, other_urls, partial_success, other_servers, logins,
           at_once(bad_records, failing_collector), real_collector])
