#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Three machines send their records to one server: each connection is there from both sides. `make test-fleet` does the same
with twenty, and real servers."""
import os
import sys
import tempfile

from isolation import isolate

isolate()

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests", name) for name in ("fleet", "ship", "replay")]
from fleet import Fleet  # noqa: E402
from insert_server import InsertServer  # noqa: E402
from replay_harness import equal, run, skip  # noqa: E402
from tracker import unavailable  # noqa: E402

TUPLE = ("src_ip", "src_port", "dst_ip", "dst_port")


def tuple_of(values):
    return tuple(values[name] for name in TUPLE)


def both_sides(fleet, server):
    url = "clickhouse://127.0.0.1:%d/nt" % server.port
    fleet.start("--to", url)
    connections = fleet.exchange(2)
    fleet.machines[0].kill_ship()
    fleet.machines[0].start_ship("--to", url)
    connections += fleet.exchange(2)
    equal([status for _, status in fleet.end("--to", url)], [0] * len(fleet.machines), "status of ship")
    rows = [row for row in server.rows.values() if row["event"] == "close" and row["dst_port"] == 8080]
    equal(len(rows), 2 * len(connections), "records")
    for role, side in (("client", "src_ip"), ("server", "dst_ip")):
        found = {tuple_of(row): row for row in rows if row["role"] == role}
        equal(sorted(found), sorted(map(tuple_of, connections)), "connections of a " + role)
        for connection in connections:
            row = found.get(tuple_of(connection), {})
            equal([row.get(name) for name in ("host", "src_bytes", "dst_bytes", "outcome")],
                  [fleet.name_of(connection[side]), connection["src_bytes"], connection["dst_bytes"], "closed"], role)


def three_machines():
    reason = unavailable()
    if reason:
        return skip("a fleet: " + reason)
    server = InsertServer()
    with tempfile.TemporaryDirectory(prefix="nt-fleet-") as folder:
        fleet = Fleet(3, folder)
        try:
            both_sides(fleet, server)
        finally:
            fleet.close()
            server.close()


run([three_machines])
