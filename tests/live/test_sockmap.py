#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Bytes that a sockmap's program moves past TCP: the counts of TCP are wrong, so they are absent."""
import socket
import sys
import time

from bench import check, main_of_checks
from harness import Skip
from places import loopback
from sockmap import Sockmap

BYTES = 1000


def connect(address):
    with socket.socket() as listener:
        listener.bind((address, 0))
        listener.listen()
        client = socket.create_connection(listener.getsockname())
        return client, listener.accept()[0]


def move_past_tcp(address, client_closes_first):
    """What the client sends is in the server's queue at once; no packet carries it."""
    client, server = connect(address)
    sockmap = Sockmap()
    sockmap.put(0, client)
    sockmap.put(1, server)
    client.sendall(bytes(BYTES))
    received = server.recv(2 * BYTES)
    first, second = (client, server) if client_closes_first else (server, client)
    first.close()
    second.recv(1)
    second.close()
    return len(received)


def run_redirected(address):
    for client_closes_first in (True, False):
        moved = move_past_tcp(address, client_closes_first)
        assert moved == BYTES, "%d bytes arrived" % moved


def records_of(bench, function):
    address = bench.world(loopback).place.server.address
    tracker = bench.tracker("--events", "close")
    bench.here.inside(function, address)
    tracker.wait(lambda records: len(bench.own(records)) >= 4, 5)
    time.sleep(0.2)
    tracker.stop()
    return bench.own(tracker.records)


@check("bytes moved by a sockmap's program are absent, gap bypass")
def redirected(bench):
    try:
        Sockmap()
    except OSError as error:
        raise Skip("no sockmap: %s" % error)
    records = records_of(bench, run_redirected)
    problems = ["%d records, should be 4" % len(records)] * (len(records) != 4)
    for record in records:
        if record["gaps"] != ["bypass"] or "src_bytes" in record or "dst_bytes" in record:
            problems.append("%s: gaps %s, bytes %s, %s" % (record["role"], record["gaps"], record.get("src_bytes"),
                                                           record.get("dst_bytes")))
    return problems


def run_plain(address):
    for _ in range(2):
        client, server = connect(address)
        client.sendall(bytes(BYTES))
        client.close()
        while server.recv(2 * BYTES):
            pass
        server.close()


@check("sockets outside a sockmap have bytes")
def plain(bench):
    return ["%s: gaps %s, bytes %s" % (record["role"], record["gaps"], record.get("src_bytes"))
            for record in records_of(bench, run_plain) if record["gaps"] or record.get("src_bytes") != BYTES]


if __name__ == "__main__":
    sys.exit(main_of_checks())
