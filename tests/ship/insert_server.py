# SPDX-License-Identifier: GPL-2.0-or-later
"""A server that takes INSERTs as ClickHouse's HTTP interface does, and fails as the test wants."""
import contextlib
import gzip
import http.server
import json
import socket
import subprocess
import threading
import time


TABLE_VERSION = 1


def unpack(data, encoding):
    if encoding == "gzip":
        return gzip.decompress(data)
    if encoding == "zstd":
        return subprocess.run(["zstd", "-dc"], input=data, stdout=subprocess.PIPE, check=True).stdout
    return data


class InsertServer:
    """`rows` is what SELECT ... FINAL would return, `bodies` each request's data. `answer(number, rows)` is called for
    each request and returns the status, with headers (and "body") or without, or one of "drop" (no answer, nothing inserted) and "lose"
    (inserted, no answer) and "endless" (an answer without end); `delay(number)` is the time until it answers, in seconds.
    `ask(sql)` answers other statements, with a status and a text."""

    def __init__(self, tls=None):
        self.rows, self.bodies, self.times, self.headers, self.paths = {}, [], [], [], []
        self.questions, self.ask = [], lambda sql: (200, b"CAST(%d, \\'UInt16\\')\n" % TABLE_VERSION)
        self.answer, self.delay = lambda number, rows: 200, lambda number: 0
        self.lock = threading.Lock()
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version, disable_nagle_algorithm = "HTTP/1.1", True

            def log_message(self, *_):
                pass

            def do_POST(self):
                owner.handle(self)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # the client was killed
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    success = b""
    failure = b"Code: 1, e.displayText() = DB::Exception: made by the test\nsecond line"

    @staticmethod
    def parse(data):
        return [json.loads(line) for line in data.splitlines()]

    @staticmethod
    def is_question(request):
        return "?query=INSERT" not in request.path

    def handle(self, request):
        data = request.rfile.read(int(request.headers["Content-Length"]))
        if self.is_question(request):
            self.questions.append(data.decode())
            self.reply(request, *self.ask(data.decode()))
            return
        data = unpack(data, request.headers.get("Content-Encoding"))
        rows = self.parse(data)
        with self.lock:
            number = len(self.bodies)
            self.bodies.append(data)
            self.times.append(time.monotonic())
            self.headers.append(request.headers)
            self.paths.append(request.path)
        answer = self.answer(number, rows)
        if answer in (200, "lose"):
            with self.lock:
                self.rows.update(((row["host"], row["id"], row["event"], row["time"]), row) for row in rows)
        time.sleep(self.delay(number))
        if answer in ("drop", "lose"):
            request.close_connection = True
            request.connection.shutdown(socket.SHUT_RDWR)
            return
        if answer == "endless":
            request.close_connection = True
            request.send_response(500)
            request.end_headers()
            with contextlib.suppress(OSError):
                while True:
                    request.wfile.write(b"x" * 65536)
            return
        status, headers = answer if isinstance(answer, tuple) else (answer, {})
        text = headers.get("body", self.success if status == 200 else self.failure)
        self.reply(request, status, text, {name: value for name, value in headers.items() if name != "body"})

    @staticmethod
    def reply(request, status, text, headers=()):
        request.send_response(status)
        for name, value in dict(headers).items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        request.wfile.write(text)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
