#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netracker ship to Kafka: librdkafka's own mock cluster, which fails as the test wants."""
import contextlib
import json
import os
import random
import signal
import socket
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests", "query"), os.path.join(ROOT, "tests", "replay")]
from kafka_cluster import LIBRARY, KafkaCluster, holds_all  # noqa: E402
from made_history import HISTORY, RECORDS, new_folder, run_tests, write_history  # noqa: E402
from replay_harness import check, equal, skip  # noqa: E402
import test_redact  # noqa: E402
from ship_run import Ship, new_cursors  # noqa: E402

COUNT, TOPIC, PARTITIONS = len(RECORDS), "connections", 3
# Errors of the protocol.
MSG_SIZE_TOO_LARGE, NOT_ENOUGH_REPLICAS, REQUEST_TIMED_OUT, TOPIC_AUTHORIZATION_FAILED = 10, 19, 7, 29


@contextlib.contextmanager
def cluster():
    made = KafkaCluster(TOPIC, PARTITIONS)
    try:
        yield made
    finally:
        made.close()


def ship(port, *arguments, folder=HISTORY, cursors=None, **options):
    return Ship("kafka://127.0.0.1:%d/%s" % (port, TOPIC), *arguments, folder=folder, cursors=cursors or new_cursors(), **options)


def written_file(name, text):
    path = new_folder(name)
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    return path


def everything_arrives():
    with cluster() as made:
        cursors = new_cursors()
        done = ship(made.port, "--batch", "700", cursors=cursors).end()
        equal((done.status, done.accounting, done.output), (0, (COUNT, 0, 0, 0), ""), done.errors)
        holds_all(made.messages(), RECORDS, "one run")
        again = ship(made.port, cursors=cursors).end()
        equal((again.status, again.accounting), (0, (0, 0, 0, 0)), "nothing new")


def redacted():
    """The value, and the key of the message, which is the machine."""
    folder, key = new_folder("redacted"), new_folder("key")
    write_history(folder, RECORDS[:100])
    os.mkdir(key)
    with cluster() as made:
        done = ship(made.port, "--redact", test_redact.key_file(key), folder=folder).end()
        equal((done.status, done.accounting), (0, (100, 0, 0, 0)), done.errors)
        holds_all(made.messages(), list(map(test_redact.shipped, RECORDS[:100])), "redacted")


def requests_that_fail():
    with cluster() as made:
        made.fail_requests(NOT_ENOUGH_REPLICAS, REQUEST_TIMED_OUT, NOT_ENOUGH_REPLICAS)
        done = ship(made.port).end()
        equal((done.status, done.accounting), (0, (COUNT, 0, 0, 0)), done.errors)
        holds_all(made.messages(), RECORDS, "errors that pass")


def records_that_are_too_large():
    folder, config = new_folder("large"), written_file("small.conf", "# a limit\n\nmessage.max.bytes = 1000\n")
    large = dict(RECORDS[5], exe="/" + "x" * 900)
    records = RECORDS[:5] + [large] + RECORDS[6:20]
    write_history(folder, records)
    with cluster() as made:
        cursors = new_cursors()
        done = ship(made.port, "--kafka-config", config, folder=folder, cursors=cursors).end()
        equal((done.status, done.accounting), (7, (19, 1, 0, 0)), done.errors)
        holds_all(made.messages(), RECORDS[:5] + RECORDS[6:20], "the others")
        rejected, = [name for name in os.listdir(cursors) if name.endswith(".rejected")]
        with open(os.path.join(cursors, rejected), encoding="ascii") as file:
            equal(json.loads(file.read())["id"], large["id"], "the rejected one")


def cluster_that_comes_back():
    folder, cursors = new_folder("back"), new_cursors()
    write_history(folder, RECORDS[:100])
    with cluster() as made:
        running = ship(made.port, "--interval", "0.1", folder=folder, cursors=cursors, once=False)
        wait_until(lambda: made.count() == 100, "the first records")
        made.stop()
        write_history(folder, RECORDS[100:200])
        time.sleep(1)  # so that it tries
        made.start()
        wait_until(lambda: made.count() == 200, "those after the cluster came back")
        running.process.send_signal(signal.SIGTERM)
        running.end(timeout=10)
        equal((running.status, running.accounting), (0, (200, 0, 0, 0)), running.errors)
        holds_all(made.messages(), RECORDS[:200], "a cluster that comes back")


def wait_until(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    check(condition(), what)


def killed_at_any_moment():
    chance, cursors = random.Random(9), new_cursors()
    with cluster() as made:
        for _ in range(6):
            running = ship(made.port, "--batch", "300", cursors=cursors)
            time.sleep(chance.uniform(0.02, 0.3))
            running.process.kill()
            running.end()
        done = ship(made.port, "--batch", "300", cursors=cursors).end()
        equal((done.status, done.accounting[1:]), (0, (0, 0, 0)), done.errors)
        holds_all(made.messages(), RECORDS, "kill -9", once=False)


def refusals():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        began = time.monotonic()
        done = ship(unused.getsockname()[1], "-t", "4").end()
        equal((done.status, done.accounting), (1, (0, 0, COUNT, 0)), "nobody listens")
        check("Connection refused" in done.errors and time.monotonic() - began < 30, done.errors)
    with cluster() as made:
        made.refuse_topic(TOPIC_AUTHORIZATION_FAILED)
        done = ship(made.port).end()
        equal((done.status, done.accounting), (1, (0, 0, COUNT, 0)), "no permission for the topic")
        check("Topic authorization failed" in done.errors, done.errors)


def wrong_configurations():
    cases = [(["--to", "kafka://h"], 2, "topic"), (["--to", "kafka://h/a/b"], 2, "topic"),
             (["--to", "kafka://user@h/t"], 1, "--password-file"),
             (["--to", "kafka://h/t", "--kafka-config", "/nowhere"], 1, "/nowhere: No such file"),
             (["--to", "kafka://h/t", "--kafka-config", written_file("a.conf", "\nlinger.ms\n")], 1, ":2: 'linger.ms' is not NAME=VALUE"),
             (["--to", "kafka://h/t", "--kafka-config", written_file("b.conf", "no.such=1\n")], 1, ":1: No such configuration property"),
             (["--to", "kafkas://h/t", "--ca-file", "/nowhere"], 1, "ssl.ca.location"),
             (["--to", "kafka://h/t", "--token-file", "x"], 2, "--token-file: a destination kafka:// has no use for it"),
             (["--to", "ipfix://h", "--password-file", "x"], 2, "--password-file: a destination ipfix://"),
             (["--to", "clickhouse://h/d", "--biflow"], 2, "--biflow: a destination clickhouse://")]
    for arguments, status, text in cases:
        done = Ship(*arguments[1:], folder=HISTORY, cursors=new_cursors()).end()
        equal(done.status, status, "%s: %s" % (arguments, done.errors))
        check(text in done.errors and done.errors.count("\n") <= 2, done.errors)


def without_library():
    folder = new_folder("empty")
    os.mkdir(folder)
    with open(os.path.join(folder, "librdkafka.so.1"), "wb"):
        pass
    done = Ship("kafka://h/t", folder=HISTORY, cursors=new_cursors(), env=dict(os.environ, LD_LIBRARY_PATH=folder)).end()
    equal(done.status, 1, done.errors)
    check("Kafka needs librdkafka 2.0 or later: apt install librdkafka1" in done.errors and done.errors.count("\n") == 1, done.errors)


def main():
    if not LIBRARY:
        return run_tests([lambda: skip("Kafka: librdkafka is not installed")])
    run_tests([everything_arrives, redacted, requests_that_fail, records_that_are_too_large, cluster_that_comes_back, killed_at_any_moment,
               refusals, wrong_configurations, without_library])


main()
