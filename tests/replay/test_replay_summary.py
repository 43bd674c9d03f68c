#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""--summary and --interval in replay: the tables against packets that this program makes, and against the records."""
import csv
import glob
import io
import json
import os
import re
import shlex
import subprocess
import tempfile

import replay_harness
import record_schema
from replay_harness import check, equal, replay
from pcap import ACK, CLIENT, RST, SERVER, SYN, capture, connection, packet

CAPTURES = sorted(glob.glob(os.path.join(replay_harness.ROOT, "tests", "replay", "captures", "*.pcap*")))


def run(capture_bytes, *arguments, file="-", stdout=subprocess.PIPE):
    process = subprocess.run([replay_harness.NETRACKER, "replay", *arguments, file], input=capture_bytes, stdout=stdout,
                             stderr=subprocess.PIPE, timeout=60, check=False)
    process.lines = process.stdout.decode("ascii").splitlines() if process.stdout is not None else []
    process.errors = process.stderr.decode("ascii")
    return process


def rows(lines, heading):
    """The table as {name: [numbers]}, all as text: connections, sent, received, retransmissions, their ratio, failures;
    of FAILURES BY PEER: reset, refused, timeout, unreachable, unanswered, expired. A long name has its own line."""
    found, name = {}, ""
    at = next((i for i, line in enumerate(lines) if line.startswith(heading + " ")), len(lines))
    for line in lines[at + 1:]:
        if not line:
            break
        numbers = re.match(r"(.*?)\s+((?:\S+\s+){5}\S+)$", line)
        name += numbers.group(1) if numbers else line
        if numbers:
            found[name] = numbers.group(2).split()
            name = ""
    return found


def totals(lines):
    """The lines from the number of connections on."""
    return lines[next(i for i, line in enumerate(lines) if re.match(r"\d+ connections?\b", line)):]


def problems(lines):
    """The sentences with their commands."""
    if "PROBLEMS" not in lines:
        equal(lines[0], "no problems found", "the first line")
        return []
    equal(lines[0], "PROBLEMS", "the first line")
    words = " ".join(lines[1:lines.index("")])
    return [(sentence, command) for sentence, command in re.findall(r"\s*(\S.*?):\s{5}(netracker .*? FILE)", words)]


def refused(client=CLIENT, server=SERVER, at=0):
    return [(at, packet(client, server, SYN, 1)), (at + 0.001, packet(server, client, RST | ACK, 0, 2))]


def tables():
    packets = connection() + connection(("198.18.0.8", 2), at=1) + refused(("198.18.0.7", 3), ("198.18.0.2", 443), at=2)
    packets += connection(("fd00::9", 4), ("fd00::1", 80), at=3)[:5]
    process = run(capture(packets), "--summary")
    equal(process.returncode, 0, "status")
    check("4 records: 3 written, 0 filtered, 1 open, 0 lost" in process.errors, process.errors)
    count = sum(len(part) for part in (connection(), connection(), refused(), connection()[:5]))
    equal(problems(process.lines), [], "problems")
    equal(totals(process.lines)[:4], ["4 connections: 2 closed, 1 refused, 1 open", "sent 30, received 60",
                              f"retransmitted 0 of {count} packets (0%)",
                              "3 handshakes: p50 11.0ms, p95 11.0ms, p99 11.0ms"], "totals")
    peers = {"198.18.0.1": ["2", "20", "40", "0", "0%", "0"], "fd00::1": ["1", "10", "20", "0", "0%", "0"],
             "198.18.0.2": ["1", "0", "0", "0", "0%", "1"]}
    equal(rows(process.lines, "PEER"), peers, "peers")
    services = {"198.18.0.1:80": "198.18.0.1", "[fd00::1]:80": "fd00::1", "198.18.0.2:443": "198.18.0.2"}
    equal(rows(process.lines, "SERVICE"), {name: peers[peer] for name, peer in services.items()}, "services")
    equal(rows(process.lines, "FAILURES BY PEER"), {"198.18.0.2": ["0", "1", "0", "0", "0", "0"]}, "failures")
    equal(rows(process.lines, "PROCESS"), {}, "a capture has no processes")
    at = process.lines.index("SLOWEST HANDSHAKES")
    equal(len(process.lines[at + 1:]), 3, "handshakes")
    equal(process.lines[at + 1], "11.0ms  198.18.0.9:40000 -> 198.18.0.1:80", "the first of equals")
    check(all(len(line) <= 80 for line in process.lines), process.lines)


def filters_hold():
    packets = connection() + refused(("198.18.0.7", 3), ("198.18.0.2", 443), at=2)
    process = run(capture(packets), "--summary", "--outcome", "refused")
    equal(totals(process.lines)[0], "1 connection: 1 refused", "totals")
    check("1 written, 1 filtered (1 by options)," in process.errors, process.errors)


FAILURES = ("reset", "refused", "timeout", "unreachable", "unanswered", "expired")


def nearest_rank(values, percent):
    return sorted(values)[-(-len(values) * percent // 100) - 1]


def read_duration(text):
    number, unit = re.match(r"([\d.]+)(ns|us|ms|s)$", text).groups()
    return float(number) * {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}[unit]


def totals_are_right(path, lines, records):
    """Percentiles and retransmissions, of all records, by the record's own rules."""
    handshakes = [record["handshake_ns"] for record in records if record.get("handshake_ns", -1) >= 0]
    line = next((line for line in lines if re.match(r"\d+ handshakes?:", line)), None)
    equal(bool(line), bool(handshakes), f"{path}: a line of handshakes")
    if line and max(handshakes) < 60e9:
        equal(int(line.split()[0]), len(handshakes), f"{path}: handshakes")
        for percent, text in re.findall(r"p(\d+) ([^,]+)", line):
            wanted = nearest_rank(handshakes, int(percent))
            check(abs(read_duration(text) - wanted) <= wanted * 0.01, f"{path}: p{percent} {text}, {wanted} ns")
    known = [(record.get(f"{side}_packets"), record.get(f"{side}_retransmits"))
             for record in records for side in ("src", "dst")]
    known = [pair for pair in known if None not in pair]
    packets, retransmits = (sum(pair[i] for pair in known) for i in (0, 1))
    found = [line for line in lines if line.startswith(f"retransmitted {retransmits} of {packets} packets (")]
    equal(len(found), 1 if packets else 0, f"{path}: retransmissions")


def same_as_records():
    """For all captures: connections, outcomes, bytes and retransmissions by peer and service equal the records'."""
    check(CAPTURES, "captures")
    for path in CAPTURES:
        records = replay(None, "--tunnels", file=path).records
        lines = run(None, "--tunnels", "--summary", file=path).lines
        equal(int(totals(lines)[0].split()[0]), len(records), f"{path}: connections")
        totals_are_right(path, lines, records)
        failures = rows(lines, "FAILURES BY PEER")
        for heading in ("PEER", "SERVICE"):
            table = rows(lines, heading)
            equal(sum(int(numbers[0]) for numbers in table.values()), len(records), f"{path}: {heading}")
            for name, numbers in table.items():
                if name != "others":
                    row_is_right(f"{path}: {name}", numbers, [record for record in records if has_name(record, name)])
        for peer, numbers in failures.items():
            if peer != "others":
                outcomes = [record["outcome"] for record in records if record["dst_ip"] == peer]
                equal(numbers, [str(outcomes.count(word)) for word in FAILURES], f"{path}: failures of {peer}")


def has_name(record, name):
    address = f"[{record['dst_ip']}]" if ":" in record["dst_ip"] else record["dst_ip"]
    return name in (record["dst_ip"], f"{address}:{record['dst_port']}")


def row_is_right(name, numbers, records):
    failed = sum(record["outcome"] in FAILURES for record in records)
    equal((int(numbers[0]), int(numbers[5])), (len(records), failed), f"{name}: connections, failures")
    if all("src_packets" in record for record in records) and numbers[3] != "-":
        sent_again = sum(record.get("src_retransmits", 0) + record.get("dst_retransmits", 0) for record in records)
        equal(int(numbers[3]), sent_again, f"{name}: retransmissions")
    sent = sum(record.get("src_bytes", 0) for record in records)
    if sent < 1000 and all("src_bytes" in record for record in records):
        equal(numbers[1], str(sent), f"{name}: sent")


def command_shows(command, packets, count):
    """Runs a problem's command on the capture: it shows so many records."""
    words = shlex.split(command)
    equal((words[:2], words[-1]), (["netracker", "replay"], "FILE"), "the command")
    process = run(capture(packets), "-f", "json", *words[2:-1])
    equal((process.returncode, len(process.lines)), (0, count), command)


def problem_refused():
    """Five refusals of one address by one service are a problem, four are none."""
    others = connection() + refused(("198.18.0.7", 999), ("198.18.0.2", 444), at=1)
    attempts = [refused(("198.18.0.7", 1000 + number), ("198.18.0.2", 443), at=2 + number) for number in range(5)]
    equal(problems(run(capture(others + sum(attempts[:4], [])), "--summary").lines), [], "four")
    packets = others + sum(attempts, [])
    found = problems(run(capture(packets), "--summary").lines)
    equal(found, [("198.18.0.7 was refused 5 times by 198.18.0.2:443",
                   "netracker replay --where 'outcome refused and dst 198.18.0.2 and dport 443' FILE")], "five")
    command_shows(found[0][1], packets, 5)


def problem_timeouts():
    """Three attempts without an answer for 70 s, at different ports of one address; ten, a count of another width."""
    syns = [(number, packet(("198.18.0.7", 1000 + number), ("198.18.0.2", 443 + number), SYN, 1)) for number in range(10)]
    later = connection(at=200)
    ten = problems(run(capture(syns + later), "--summary").lines)
    equal([sentence for sentence, _ in ten], ["10 connections with 198.18.0.2 timed out or had no answer for 3 s"], "ten")
    syns = syns[:3]
    equal(problems(run(capture(syns[:2] + later), "--summary").lines), [], "two")
    found = problems(run(capture(syns + later), "--summary").lines)
    equal(found, [("3 connections with 198.18.0.2 timed out or had no answer for 3 s",
                   "netracker replay --where 'outcome timeout,unanswered and host 198.18.0.2' FILE")], "three")
    command_shows(found[0][1], syns + later, 3)


def lossy(again, count=300, server=SERVER):
    """A connection in which the client sends `count` segments, and the first `again` of them twice."""
    packets = connection(server=server)[:3]
    for number in range(count):
        segment = packet(CLIENT, server, ACK, 1001 + 10 * number, 5001, payload=b"x" * 10)
        packets += [(0.1 + number * 0.01 + copy * 0.2, segment) for copy in range(2 if number < again else 1)]
    return sorted(packets, key=lambda timed: timed[0])


def problem_retransmissions():
    """More than 2 % of the packets, by the records' own counts."""
    for again, wanted in ((6, 0), (7, 1)):
        packets = lossy(again)
        record = replay(capture(packets)).records[0]
        packet_count = record["src_packets"] + record["dst_packets"]
        equal((record["src_retransmits"], again / packet_count > 0.02), (again, bool(wanted)), "the capture")
        found = problems(run(capture(packets), "--summary").lines)
        equal(len(found), wanted, f"{again} retransmissions")
        for sentence, command in found:
            check(sentence.endswith(f"were retransmissions: {again} of {packet_count}"), sentence)
            command_shows(command, packets, 1)


def top_rows():
    """--top COUNT: at most so many rows of each table, beside others."""
    packets = sum((refused(("198.18.0.7", 1000 + i), (f"198.18.1.{i}", 443), at=i / 100) for i in range(9)), [])
    process = run(capture(packets), "--summary", "--top", "2")
    for heading in ("PEER", "SERVICE", "FAILURES BY PEER"):
        table = rows(process.lines, heading)
        check(len(table) == 3 and "others" in table, f"{heading}: {table}")
    equal(rows(process.lines, "PEER")["others"][0], "7", "connections of the others")
    equal(rows(process.lines, "FAILURES BY PEER")["others"][1], "7", "failures of the others")


def records_into_a_file():
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "records")
        process = run(capture(connection() + refused(("198.18.0.7", 3), at=2)), "--summary", "-f", "json", "-o", path)
        equal((process.returncode, totals(process.lines)[0]), (0, "2 connections: 1 closed, 1 refused"), "tables")
        with open(path) as file:
            equal([replay_harness.record_of(line)["outcome"] for line in file], ["closed", "refused"], "records")


def intervals():
    """Intervals follow the capture's clock. Each connection is in one of them; an empty interval has no tables."""
    packets = [refused(("198.18.0.7", 1000 + number), at=number * 0.4) for number in range(10)]
    packets += [refused(("198.18.0.7", 9), at=5000)]
    for rules in ([], ["--like", "zeek", "-C"]):
        process = run(capture(sum(packets, [])), "--summary", "--interval", "1s", *rules)
        starts = [line for line in process.lines if line.startswith("from ")]
        check(1 < len(starts) < 10, f"{rules}: {len(starts)} tables")
        equal(starts[0], "from 2023-11-14T22:13:20.000Z to 2023-11-14T22:13:21.000Z", f"{rules}: the first")
        counts = [int(line.split()[0]) for line in process.lines if re.match(r"\d+ connections?\b", line)]
        equal((len(counts), sum(counts)), (len(starts), 11), f"{rules}: connections in all")


def refusals():
    for arguments, word in ((["--interval", "1s"], "--summary"), (["--summary", "-f", "zeek"], "-o"), (["--summary", "-f", "trace"], "-o"),
                            (["--summary", "--host", "a"], "-o"), (["--summary", "--interval", "0"], "at least 0.1s"),
                            (["--summary", "--interval", "x"], "at least 0.1s"), (["--top", "3"], "--summary"),
                            (["--summary", "--top", "0"], "from 1 to 1000")):
        process = run(b"", *arguments)
        equal((process.returncode, process.lines, len(process.errors.splitlines())), (2, [], 1), f"{arguments}")
        check(word in process.errors, process.errors)


SUMMARY_SCHEMA, summary_error = record_schema.load_schema(os.path.join(record_schema.DOCS, "summary.schema.json"))
LISTS = {"problem": "problems", "process": "processes", "service": "services", "peer": "peers",
         "busiest": "busiest", "slowest": "slowest"}


def summary_of(capture_bytes, *arguments, file="-"):
    """Returns the summary's objects, one a line, after checking each."""
    process = run(capture_bytes, "--summary", "-f", "json", *arguments, file=file)
    objects = [json.loads(line) for line in process.lines]
    for found in objects:
        equal(summary_error(found), None, "the schema")
        equal([key for key in SUMMARY_SCHEMA["properties"] if key in found], list(found), "the order of keys")
    return objects


def json_equals_records():
    """For all captures: every number equals what the records add up to."""
    for path in CAPTURES:
        records = replay(None, "--tunnels", file=path).records
        found, = summary_of(None, "--tunnels", "--top", "1000", file=path)
        rows_equal(path, found, records)
        handshakes = [record["handshake_ns"] for record in records if record.get("handshake_ns", -1) >= 0]
        equal(found["handshakes"], len(handshakes), f"{path}: handshakes")
        for percent in (50, 95, 99) if handshakes else ():
            equal(found[f"handshake_p{percent}_ns"], nearest_rank(handshakes, percent), f"{path}: p{percent}")
        equal([row["handshake_ns"] for row in found["slowest"]], sorted(handshakes, reverse=True)[:1000],
              f"{path}: slowest")
        for peer in found["peers"]:
            rows_equal(f"{path}: {peer['ip']}", peer, [record for record in records if record["dst_ip"] == peer["ip"]])
        for service in found["services"]:
            rows_equal(f"{path}: {service['ip']}, {service['port']}", service,
                       [record for record in records
                        if (record["dst_ip"], record["dst_port"]) == (service["ip"], service["port"])])


def rows_equal(name, row, records):
    outcomes = [record["outcome"] for record in records]
    for word in (*FAILURES, "closed", "open"):
        equal(row[word], outcomes.count(word), f"{name}: {word}")
    equal(row["connections"], len(records), f"{name}: connections")
    for key, side in (("sent", "src"), ("received", "dst")):
        known = [record[f"{side}_bytes"] for record in records if f"{side}_bytes" in record]
        equal((row.get(f"{key}_bytes"), row[f"{key}_unknown"]), (sum(known) if known else None,
                                                                 len(records) - len(known)), f"{name}: {key}")


def csv_equals_json():
    """The same values, a line for each row, whose table is its list."""
    packets = connection() + sum((refused(("198.18.0.7", 1000 + i), ("198.18.0.2", 443), at=1 + i) for i in range(9)), [])
    wanted, = summary_of(capture(packets), "--host", "db1")
    for format, delimiter in (("csv", ","), ("tsv", "\t")):
        process = run(capture(packets), "--summary", "--host", "db1", "-f", format)
        lines = list(csv.DictReader(io.StringIO(process.stdout.decode("ascii")), delimiter=delimiter))
        found = {name: [] for name in LISTS.values()}
        for line in lines:
            table = line.pop("table")
            values = {key: value for key, value in line.items() if value}
            own = {key: values.pop(key) for key in ("v", "to", "host")}
            equal(own, {"v": "1", "to": wanted["to"], "host": "db1"}, f"{format}: the interval")
            (found.update({"total": values}) if table == "total" else found[LISTS[table]].append(values))
        for name in LISTS.values():
            equal(found[name], [{key: str(value) for key, value in row.items()} for row in wanted[name]],
                  f"{format}: {name}")
        equal(found["total"], {key: str(value) for key, value in wanted.items()
                               if not isinstance(value, list) and key not in ("v", "to", "host")}, f"{format}: total")


def machine_intervals():
    """An object for each interval; one header. The intervals follow each other."""
    packets = sum((refused(("198.18.0.7", 1000 + number), at=number * 0.4) for number in range(10)), [])
    found = summary_of(capture(packets), "--interval", "1s")
    equal(sum(interval["connections"] for interval in found), 10, "connections")
    check(len(found) > 1, f"{len(found)} intervals")
    equal([one["to"] for one in found[:-1]], [one["from"] for one in found[1:]], "begin and end")
    lines = run(capture(packets), "--summary", "--interval", "1s", "-f", "csv").lines
    equal(sum(line.startswith("v,from,") for line in lines), 1, "headers")
    equal(sum(",total," in line for line in lines), len(found), "totals")


def unanswered_at_the_end():
    """Attempts without an answer in the last interval are in its tables; those that are 3 s old are a problem."""
    syns = [(4 + number / 10, packet(("198.18.0.7", 1000 + number), ("198.18.0.2", 443), SYN, 1)) for number in range(3)]
    packets = connection() + syns
    equal(summary_of(capture(packets))[0]["problems"], [], "new attempts")
    found = summary_of(capture(packets + connection(at=8)), "--interval", "1s")
    equal(sum(one["unanswered"] for one in found), 3, "attempts")
    equal([one["count"] for one in found[-1]["problems"]], [3], "old attempts")


def bad_outputs():
    with open("/dev/full", "w") as full:
        process = run(capture(connection()), "--summary", stdout=full)
    equal(process.returncode, 1, "a full disk")
    check("cannot write" in process.errors and "0 written" in process.errors, process.errors)
    check(replay_harness.balances(process.errors), process.errors)


if __name__ == "__main__":
    replay_harness.run([tables, filters_hold, same_as_records, problem_refused, problem_timeouts,
                    problem_retransmissions, top_rows, records_into_a_file, intervals,
                    json_equals_records, csv_equals_json, machine_intervals, unanswered_at_the_end, refusals, bad_outputs])
