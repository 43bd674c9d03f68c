#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine of a fleet: machine.py NAMESPACE ADDRESS. It serves clients on a port. For each line on stdin, the JSON list
[[ADDRESS, BYTES], ...], it connects to these one after the other, sends so many bytes, reads twice as many, and prints the
connections as a JSON list."""
import json
import os
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "live"))
from netns import enter  # noqa: E402
from peer import die_with_parent  # noqa: E402

PORT = 8080


def serve(listener):
    while True:
        connection = listener.accept()[0]
        with connection:
            size = 0
            while data := connection.recv(65536):
                size += len(data)
            connection.sendall(b"y" * 2 * size)


def connect(address, size):
    with socket.create_connection((address, PORT)) as connection:
        connection.sendall(b"x" * size)
        connection.shutdown(socket.SHUT_WR)
        received = 0
        while data := connection.recv(65536):
            received += len(data)
        ip, port = connection.getsockname()
    return {"src_ip": ip, "src_port": port, "dst_ip": address, "dst_port": PORT, "src_bytes": size, "dst_bytes": received}


def main():
    die_with_parent()
    enter(sys.argv[1])
    listener = socket.create_server((sys.argv[2], PORT), backlog=1024)
    for _ in range(4):
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps([connect(address, size) for address, size in json.loads(line)]), flush=True)


main()
