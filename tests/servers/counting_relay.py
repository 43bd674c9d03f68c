# SPDX-License-Identifier: GPL-2.0-or-later
"""A relay that counts: clients connect to it, it connects to the server and passes bytes on in both directions.

So the payload and the end of each connection to the server are known exactly, whichever program the client is.
"""
import json
import os
import select
import socket
import struct

from netns import enter
from peer import die_with_parent, set_name

LINGER_ZERO = struct.pack("ii", 1, 0)
CHUNK = 1 << 16
NAME = "nt-relay"


class Passage:
    """One client's connection and the one to the server. `facts` is the truth about the latter."""

    def __init__(self, client, address):
        self.server = socket.create_connection(address)
        self.client = client
        self.facts = {"port": self.server.getsockname()[1], "src_bytes": 0, "dst_bytes": 0, "outcome": "closed",
                      "ended_by": None}
        self.open = {client, self.server}

    def end(self, side):
        if self.facts["ended_by"] is None:
            self.facts["ended_by"] = side

    def abort(self, other):
        other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        self.open.clear()

    def move(self, source):
        """Passes on what has come from one side. Returns False when the connection is over."""
        other, key, side = ((self.server, "src_bytes", "src") if source is self.client else
                            (self.client, "dst_bytes", "dst"))
        try:
            data = source.recv(CHUNK)
            if data:
                other.sendall(data)
                self.facts[key] += len(data)
                return True
            self.end(side)
            other.shutdown(socket.SHUT_WR)
            self.open.discard(source)
        except ConnectionResetError:
            self.end(side)
            self.facts["outcome"] = "reset"
            self.abort(other)
        except (BrokenPipeError, OSError):
            self.open.clear()
        return bool(self.open)

    def close(self):
        self.client.close()
        self.server.close()


class Loop:
    def __init__(self, listener, address, control):
        self.listener, self.address, self.control = listener, address, control
        self.passages, self.done = [], []

    def run(self):
        while True:
            sockets = {one: passage for passage in self.passages for one in passage.open}
            for ready in select.select([*sockets, self.listener, self.control], [], [])[0]:
                if ready is self.control:
                    self.answer()
                elif ready is self.listener:
                    self.passages.append(Passage(self.listener.accept()[0], self.address))
                elif sockets[ready] in self.passages and not sockets[ready].move(ready):
                    self.finish(sockets[ready])

    def finish(self, passage):
        passage.close()
        self.passages.remove(passage)
        self.done.append(passage.facts)

    def answer(self):
        if not self.control.recv(16):
            os._exit(0)
        self.control.send(json.dumps({"done": self.done, "open": len(self.passages)}).encode())


class Relay:
    """Runs the loop in a child in the client's namespace. Clients connect to self.address."""

    def __init__(self, side, server, port):
        self.address = (side.address, port)
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if self.pid == 0:
            try:
                die_with_parent()
                set_name(NAME)
                enter(side.namespace.name)
                self.control.close()
                listener = socket.create_server(self.address, reuse_port=True)
                theirs.send(b"ready")
                Loop(listener, server, theirs).run()
            finally:
                os._exit(1)
        theirs.close()
        if self.control.recv(16) != b"ready":
            raise RuntimeError("the relay did not start")

    def truth(self):
        """Returns the facts of the connections that are over, and how many are not."""
        self.control.send(b"truth")
        answer = json.loads(self.control.recv(1 << 20))
        return answer["done"], answer["open"]

    def stop(self):
        self.control.close()
        os.waitpid(self.pid, 0)
