#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Twenty machines send their records to one ClickHouse server, which is killed meanwhile: each connection is there twice, and
one query joins both sides. Two servers are shards of one table. V=1 shows the answers."""
import atexit
import os
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests", name) for name in ("live", "fleet", "ship", "query", "replay")]
from isolation import isolate  # noqa: E402

isolate()

from fleet import Fleet  # noqa: E402
from made_history import FOLDER, RECORDS, write_history  # noqa: E402
from real_servers import cluster_of, secret_file, start_clickhouse, start_current_engine  # noqa: E402
from replay_harness import check, equal, run, skip  # noqa: E402
from ship_run import free_port  # noqa: E402
from tracker import PROGRAM, unavailable  # noqa: E402

MACHINES, ROUNDS = 20, 3
# docs/fleet.md shows it.
BOTH_SIDES = """
SELECT anyIf(host, role = 'client') AS client, anyIf(host, role = 'server') AS server, src_port,
       anyIf(src_bytes, role = 'client') AS sent, anyIf(src_bytes, role = 'server') AS arrived,
       round(anyIf(handshake_ns, role = 'client') / 1000) AS client_us
FROM nt.conn FINAL
WHERE event = 'close' AND dst_port = 8080
GROUP BY src_ip, src_port, dst_ip, dst_port
HAVING uniqExact(role) = 2 AND count() = 2
ORDER BY client, server, src_port
"""
MATRIX = """
SELECT host, count(), uniqExact(dst_ip), sum(src_bytes), sum(dst_bytes) FROM nt.conn FINAL
WHERE event = 'close' AND role = 'client' AND dst_port = 8080 GROUP BY host ORDER BY host
"""


def rows_of(answer):
    return [line.split("\t") for line in (answer or "").splitlines()]


def compare_answers(fleet, real, connections):
    rows = rows_of(real.ask(BOTH_SIDES))
    expected = sorted([fleet.name_of(one["src_ip"]), fleet.name_of(one["dst_ip"]), str(one["src_port"]), str(one["src_bytes"]),
                       str(one["src_bytes"])] for one in connections)
    equal(len(rows), len(connections), "connections with both sides")
    equal(sorted(row[:5] for row in rows) == expected, True, "their names, ports and bytes")
    equal(real.ask("SELECT count() FROM nt.conn FINAL WHERE event = 'close' AND dst_port = 8080"), str(2 * len(connections)),
          "records")
    equal([row[1:3] for row in rows_of(real.ask(MATRIX))], [[str(2 * ROUNDS * (MACHINES - 1)), str(MACHINES - 1)]] * MACHINES,
          "connections and peers of each machine")
    if os.environ.get("V"):
        print(BOTH_SIDES, *("\t".join(row) for row in rows[:8]), sep="\n")


def follow(fleet, real, secret):
    arguments = ("--to", "clickhouse://default@127.0.0.1:%d/nt" % real.port, "--password-file", secret)
    equal(os.spawnv(os.P_WAIT, PROGRAM, [PROGRAM, "ship", "-q", "--setup", *arguments]), 0, "--setup")
    began = time.monotonic()
    fleet.start(*arguments)
    print("%d trackers: %.0f s" % (MACHINES, time.monotonic() - began))
    connections = fleet.exchange(ROUNDS)
    real.kill()
    for machine in fleet.machines[::3]:
        machine.kill_ship()
    connections += fleet.exchange(ROUNDS)
    real.start()
    equal([status for _, status in fleet.end(*arguments)], [0] * MACHINES, "status of ship")
    for machine in fleet.machines:
        check(" 0 lost" in machine.messages(), "%s: %s" % (machine.name, machine.messages()[-300:]))
    compare_answers(fleet, real, connections)


def test_server(start):
    reason = unavailable()
    with tempfile.TemporaryDirectory(prefix="nt-fleet-") as folder:
        real = reason or start(os.path.join(folder, "server"))
        if isinstance(real, str):
            return skip(real)
        fleet = Fleet(MACHINES, folder)
        try:
            follow(fleet, real, secret_file(os.path.join(folder, "password")))
        finally:
            fleet.close()
            real.kill()


def send_shard(folder, port, number, records):
    """Sends the records, and again in other batches."""
    history = os.path.join(folder, "history%d" % number)
    write_history(history, records)
    for batch in ("700", "333"):
        done = subprocess.run([PROGRAM, "ship", "--once", "-q", "--batch", batch, "--from", history, "--cursors",
                               os.path.join(folder, "cursors%d-%s" % (number, batch)), "--to",
                               "clickhouse://default@127.0.0.1:%d/nt" % port, "--password-file",
                               secret_file(os.path.join(folder, "password"))], check=False)
        equal(done.returncode, 0, "sending to shard %d" % number)


def ask_all_shards(folder, servers, hosts):
    for number, (real, host) in enumerate(zip(servers, hosts)):
        os.spawnv(os.P_WAIT, PROGRAM, [PROGRAM, "ship", "-q", "--setup", "--to", "clickhouse://default@127.0.0.1:%d/nt" % real.port,
                                       "--password-file", secret_file(os.path.join(folder, "password"))])
        send_shard(folder, real.port, number, [values for values in RECORDS if values["host"] == host])
    equal(servers[0].ask("CREATE TABLE nt.fleet AS nt.conn ENGINE = Distributed(fleet, nt, conn)"), "", "the table of all")
    check(int(servers[0].ask("SELECT count() FROM nt.fleet")) > len(RECORDS), "some are there twice")
    equal(rows_of(servers[0].ask("SELECT host, count() FROM nt.fleet FINAL GROUP BY host ORDER BY host")),
          [[host, str(sum(values["host"] == host for values in RECORDS))] for host in hosts], "records of each host, once")


def two_shards():
    """docs/fleet.md: each host has its shard, and one table answers for both."""
    ports, servers, hosts = [(free_port(), free_port()) for _ in "ab"], [], ["a", "b"]
    with tempfile.TemporaryDirectory(prefix="nt-shards-") as folder:
        try:
            for number, pair in enumerate(ports):
                servers.append(start_clickhouse(os.path.join(folder, "server%d" % number), pair, cluster_of(ports)))
            if isinstance(servers[0], str):
                return skip("two shards: " + servers.pop(0))
            ask_all_shards(folder, servers, hosts)
        finally:
            for real in servers:
                if not isinstance(real, str):
                    real.kill()


def clickhouse_18():
    test_server(start_clickhouse)


def current_engine():
    test_server(start_current_engine)


atexit.register(shutil.rmtree, FOLDER)
run([two_shards, clickhouse_18, current_engine])
