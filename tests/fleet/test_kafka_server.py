#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netracker ship to a real Kafka server, which is killed and started again: test_kafka_server.py [FOLDER OF JARS]."""
import os
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests", folder) for folder in ("query", "replay", "ship")]
from kafka_cluster import LIBRARY, holds_all, read_topic  # noqa: E402
from kafka_server import KafkaServer, fetch_jars  # noqa: E402
from made_history import HISTORY, RECORDS, new_folder, run_tests  # noqa: E402
from replay_harness import check, equal, skip  # noqa: E402
from ship_run import Ship, new_cursors  # noqa: E402

COUNT, PARTITIONS = len(RECORDS), 3
# Older ones send a nonce that Kafka 3.9.1 and later refuse (librdkafka pull request 4895).
SCRAM_WORKS = 0x020601FF
server = None


def ship(port, topic, *arguments, cursors=None, secure=False, user="", **options):
    url = "kafka%s://%s127.0.0.1:%d/%s" % ("s" if secure else "", user and user + "@", port, topic)
    return Ship(url, *arguments, folder=HISTORY, cursors=cursors or new_cursors(), **options)


def holds(topic, what, once=True):
    holds_all(read_topic("127.0.0.1:%d" % server.port, topic, PARTITIONS), RECORDS, what, once)


def arrived(run, what):
    run.end()
    equal((run.status, run.accounting), (0, (COUNT, 0, 0, 0)), what + ": " + run.errors)


def refused(run, text, what):
    run.end()
    equal((run.status, run.accounting), (1, (0, 0, COUNT, 0)), what + ": " + run.errors)
    check(text in run.errors, what + ": " + run.errors)


def secret(name, text):
    path = new_folder(name)
    with open(path, "w", encoding="ascii") as file:
        file.write(text + "\n")
    return path


def plain():
    server.make_topic("plain", PARTITIONS)
    arrived(ship(server.port, "plain", "--batch", "500"), "plain")
    holds("plain", "plain")
    refused(ship(server.port, "nowhere"), "Unknown topic or partition", "a topic that is not there")


def over_tls():
    server.make_topic("tls", PARTITIONS)
    right, wrong = secret("right", "secret"), secret("wrong", "guess")
    files = ("--ca-file", server.certificate, "--password-file")
    arrived(ship(server.tls_port, "tls", *files, right, secure=True, user="tracker"), "TLS")
    holds("tls", "TLS")
    refused(ship(server.tls_port, "tls", *files, wrong, secure=True, user="tracker"), "Invalid username or password", "password")
    refused(ship(server.tls_port, "tls", "--password-file", right, secure=True, user="tracker"), "certificate verify failed",
            "a certificate that nobody vouches for")
    refused(ship(server.tls_port, "tls", "-t", "2"), "security.protocol", "without TLS")


def by_scram():
    server.make_topic("scram", PARTITIONS)
    run = ship(server.scram_port, "scram", "--password-file", secret("scram", "secret"), user="tracker")
    if LIBRARY.rd_kafka_version() < SCRAM_WORKS:
        refused(run, "SCRAM-SHA-512", "SCRAM with this librdkafka")
        return skip("SCRAM: librdkafka is older than 2.6.1")
    arrived(run, "SCRAM")
    return holds("scram", "SCRAM")


def server_that_is_killed():
    server.make_topic("killed", PARTITIONS)
    cursors = new_cursors()
    for pause in (0.5, 0.8):
        running = ship(server.port, "killed", "--batch", "50", cursors=cursors)
        time.sleep(pause)
        server.kill()
        time.sleep(0.5)
        running.process.kill()
        running.end()
        server.start()
    running = ship(server.port, "killed", "--batch", "50", cursors=cursors)
    time.sleep(0.7)
    server.kill()
    server.start()
    running.end(timeout=120)
    equal((running.status, running.accounting[1:]), (0, (0, 0, 0)), running.errors)
    holds("killed", "kill -9 of both", once=False)


def main(jars):
    global server
    reason = "librdkafka is not installed" if not LIBRARY else fetch_jars(jars)
    if reason:
        return run_tests([lambda: skip("Kafka: " + reason)])
    server = KafkaServer(jars, new_folder("kafka"))
    server.start()
    try:
        return run_tests([plain, over_tls, by_scram, server_that_is_killed])
    finally:
        server.kill()


main(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build", "fleet"))
