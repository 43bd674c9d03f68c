#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ClickHouse's HTTP interface over chdb, the engine as a Python module: chdb_server.py FOLDER PORT."""
import http.server
import sys
import threading
import urllib.parse

from chdb import session

from insert_server import unpack

SESSION, LOCK = session.Session(sys.argv[1]), threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        settings = dict(urllib.parse.parse_qsl(urllib.parse.urlparse(self.path).query))
        query = settings.pop("query", "")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = unpack(body, self.headers.get("Content-Encoding"))
        text = query + ("\n" if query and body else "") + body.decode()
        try:
            with LOCK:
                for name, value in settings.items():
                    SESSION.query(f"SET {name}='{value}'")
                result = SESSION.query(text, "TabSeparated")
            self.reply(200, result.bytes() if result is not None else b"")
        except Exception as error:  # of any type: the engine's own
            self.reply(400 if "CANNOT_PARSE" in str(error) else 500, str(error).encode())

    def reply(self, status, data):
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
