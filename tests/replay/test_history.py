#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What replay writes into a history is what it writes as JSON: read back, and by the view `record` with SQLite alone."""
import json
import os
import shutil
import sqlite3
import struct
import subprocess
import tempfile
import time

from replay_harness import NETRACKER, ROOT, check, equal, run, skip, wait_for_midnight

CAPTURES = os.path.join(ROOT, "tests", "replay", "captures")
NAMES = sorted(name for name in os.listdir(CAPTURES) if name.endswith((".pcap", ".pcapng")))
HISTORY_LINES = os.path.join(ROOT, "build", "tests", "replay", "history_lines")
ADDRESSES = ["fd00::1", "::1", "::", "fe80::", "2001:db8:0:1:0:0:0:1", "1:2:3:4:5:6:7:8", "0:0:1::", "a:0:b:0:c:0:d:e",
             "1:0:0:2:0:0:0:3", "::2:0:0:0:3", "fd00:0:0:1::abcd"]
# No two values of a record are equal; the text would break lines, terminals and quotes.
RECORD = {
    "v": 2, "id": "ffe1223344556677", "time": "2023-11-14T22:13:21.501000007Z", "event": "update", "host": "db-1",
    "role": "server", "family": "ipv6", "src_ip": "fd00::9", "src_port": 34855, "dst_ip": "fd00::1", "dst_port": 80,
    "netns": 4026531840, "netns_name": "blue", "wire_src_ip": "fd00::a", "wire_src_port": 34856, "wire_dst_ip": "fd00::b",
    "wire_dst_port": 8080, "ifname": "eth0", "vlan": 100, "pid": 1234, "comm": "a\u001b]0;b\n'\"\\c",
    "exe": "/usr/sbin/\u00e4 \\x41", "uid": 33, "owner_by": "io", "opener_pid": 1200, "cgroup": "/a.slice/\\xff",
    "container": "abcdef", "start": "2023-11-14T22:13:20.001000000Z", "duration_ns": 1500000001,
    "first_fin_ns": 1400000002, "wire_duration_ns": 1500000003, "syn_synack_ns": -20004, "synack_ack_ns": 30005,
    "handshake_ns": 50006, "syn_finack_ns": 1400000007, "request_ns": 60008, "response_ns": 90000009,
    "last_request_ns": 160018, "last_response_ns": 190019, "accept_wait_ns": 7010, "outcome": "open", "state": "fin_wait2", "state_age_ns": 9011, "recv_queue_bytes": 12,
    "send_queue_bytes": 13, "unacked_bytes": 14, "cwnd": 15, "last_sent_ns": 4000016, "last_received_ns": 8000017,
    "conn_state": "S1", "history": "ShADad", "src_bytes": 77, "dst_bytes": 4294967297, "src_packets": 6,
    "dst_packets": 5, "src_retransmits": 1, "dst_retransmits": 2, "rtt_us": 45, "min_rtt_us": 40,
    "limited_by": "sndbuf", "seen": ["wire", "socket"], "complete": False, "gaps": ["start", "events"],
    "last_request_ns": 800000018, "last_response_ns": 900000019}


def lines_of(*records):
    return "".join(json.dumps(record, separators=(",", ":")) + "\n" for record in records).encode()


def write_history(folder, *arguments, lines=b"", file="-"):
    """Returns the process, which wrote the records as JSON too: all of a capture, updates of records."""
    events = "open,close,exit" if file != "-" else "update"
    return subprocess.run([NETRACKER, "replay", "-q", "-f", "json", "--events", events, "--history=" + folder, *arguments,
                           file], input=lines, capture_output=True, timeout=60, check=False)


def read_back(folder):
    done = subprocess.run([HISTORY_LINES, folder], capture_output=True, timeout=60, check=False)
    equal((done.returncode, done.stderr), (0, b""), "reading the history")
    return done.stdout


def files_of(folder):
    return sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".db"))


def rows_of(folder, sql="SELECT * FROM record"):
    rows = []
    for path in files_of(folder):
        database = sqlite3.connect("file:%s?mode=ro&immutable=1" % path, uri=True)
        database.row_factory = sqlite3.Row
        found = [dict(row) for row in database.execute(sql)]
        database.close()
        if "*" in sql:
            equal([row.pop("seq") for row in found], list(range(1, len(found) + 1)), "seq: the order of writing")
        rows += found
    return rows


def expected_row(record):
    """A record of JSON as the view shows it: words of a list joined, true as 1, text of the system escaped."""
    row = dict(record)
    del row["community_id"]
    for key in ("seen", "gaps"):
        row[key] = "+".join(row[key])
    row["complete"] = int(row["complete"])
    return row


def known(row):
    return {key: value for key, value in row.items() if value is not None}


def in_a_folder(test):
    def with_folder():
        with tempfile.TemporaryDirectory() as folder:
            test(os.path.join(folder, "history"))
    with_folder.__name__ = test.__name__
    return with_folder


def captures():
    """All captures: the same lines after reading back, and the view has their values."""
    read = 0
    for name in NAMES:
        with tempfile.TemporaryDirectory() as folder:
            done = write_history(folder, file=os.path.join(CAPTURES, name))
            equal((done.returncode, done.stderr), (0, b""), name)
            equal(read_back(folder), done.stdout, name)
            records = [json.loads(line) for line in done.stdout.splitlines()]
            equal([known(row) for row in rows_of(folder)], [expected_row(record) for record in records], name)
            read += len(records)
    check(read > 50, "%d records" % read)


@in_a_folder
def every_key(folder):
    done = write_history(folder, "--host", RECORD["host"], lines=lines_of(RECORD))
    equal(read_back(folder), done.stdout, "read back")
    row, = rows_of(folder)
    shown = expected_row(json.loads(done.stdout))
    shown["comm"] = "a\\x1b]0;b\\x0a'\"\\\\c"
    shown["exe"] = "/usr/sbin/\u00e4 \\\\x41"
    shown["cgroup"] = "/a.slice/\\\\xff"
    equal(known(row), shown, "the view")
    with open(os.path.join(ROOT, "docs", "record.schema.json"), encoding="utf-8") as file:
        keys = json.load(file)["properties"]
    of_listeners = ["backlog", "backlog_max", "drops", "dual_stack"]
    equal(sorted(set(keys) - set(row)), sorted(["community_id"] + of_listeners), "keys that the view lacks")
    equal(sorted(key for key, value in row.items() if value is None), ["ended_by", "reason"], "without a value")


@in_a_folder
def addresses(folder):
    """The view writes IPv6 addresses as RFC 5952 requires, which Python does too."""
    import ipaddress
    write_history(folder, lines=lines_of(*(dict(RECORD, src_ip=address) for address in ADDRESSES)))
    equal([row["src_ip"] for row in rows_of(folder)],
          [str(ipaddress.ip_address(address)) for address in ADDRESSES], "addresses")


@in_a_folder
def by_the_program_sqlite3(folder):
    if not shutil.which("sqlite3"):
        skip("the program sqlite3: not installed")
        return
    write_history(folder, lines=lines_of(RECORD))
    done = subprocess.run(["sqlite3", files_of(folder)[0], "select time, comm, dst_ip, dst_port, outcome from record"],
                          capture_output=True, text=True, timeout=20, check=False)
    equal((done.returncode, done.stdout, done.stderr),
          (0, "2023-11-14T22:13:21.501000007Z|a\\x1b]0;b\\x0a'\"\\\\c|fd00::1|80|open\n", ""), "sqlite3")


@in_a_folder
def several_replays(folder):
    """Each adds its records and a run with the times of its records."""
    wait_for_midnight(30)
    for second in (20, 30):
        write_history(folder, lines=lines_of(dict(RECORD, time="2023-11-14T22:13:%d.000000000Z" % second,
                                                  start="2023-11-14T22:13:10.000000000Z")))
    equal(len(read_back(folder).splitlines()), 2, "records")
    equal(len(files_of(folder)), 1, "files")
    runs = rows_of(folder, "SELECT (end_ns - begin_ns) / 1000000000 AS seconds, finished, command FROM run")
    equal(runs, [{"seconds": 10, "finished": 1, "command": "replay"}, {"seconds": 20, "finished": 1, "command": "replay"}],
          "runs")


def shift_capture(name, path, seconds):
    """Writes a capture (pcap) whose packets come so much later."""
    with open(os.path.join(CAPTURES, name), "rb") as file:
        data = bytearray(file.read())
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    at = 24
    while at < len(data):
        second, _, size = struct.unpack_from(order + "III", data, at)
        struct.pack_into(order + "I", data, at, second + seconds)
        at += 16 + size
    with open(path, "wb") as file:
        file.write(data)


@in_a_folder
def runs_of_captures(folder):
    """Each capture is a run from its first packet to the last, although one process reads both; without packets there is none."""
    first, second = os.path.join(CAPTURES, "tcp_urgent.pcap"), folder + "-later.pcap"
    shift_capture("tcp_urgent.pcap", second, 300 * 24 * 3600)
    done = subprocess.run([NETRACKER, "replay", "-q", "-o", "/dev/null", "--history=" + folder, first, second],
                          capture_output=True, timeout=60, check=False)
    equal((done.returncode, done.stderr), (0, b""), "two captures")
    (begin, end), (later_begin, later_end) = [(row["begin_ns"], row["end_ns"]) for row in rows_of(
        folder, "SELECT begin_ns, end_ns FROM run WHERE finished ORDER BY begin_ns")]
    equal((later_begin - begin, later_end - end), (300 * 24 * 3600 * 10**9,) * 2, "the same, 300 days later")
    check(0 < end - begin < 3600 * 10**9, "a run lasts as its capture: %d ns" % (end - begin))
    done = subprocess.run([NETRACKER, "query", "--from", folder], capture_output=True, timeout=60, check=False, text=True)
    equal(done.stderr.count("not tracking"), 1, "the time between: " + done.stderr)
    empty = folder + "-empty"
    with open(first, "rb") as file:
        header = file.read(24)
    done = subprocess.run([NETRACKER, "replay", "-q", "-o", "/dev/null", "--history=" + empty, "-"], input=header,
                          capture_output=True, timeout=60, check=False)
    equal(done.returncode, 0, "no packets: %r" % done.stderr)
    equal(rows_of(empty, "SELECT begin_ns FROM run"), [], "no run")


@in_a_folder
def plain_files(folder):
    """After the end there is a file without a log, which needs no permission to write: immutable=1 has found all."""
    write_history(folder, lines=lines_of(RECORD))
    equal(sorted(os.listdir(folder)), [os.path.basename(files_of(folder)[0]), "lock"], "files")
    modes = [os.stat(path).st_mode & 0o7777 for path in (folder, files_of(folder)[0])]
    equal(modes, [0o750, 0o640], "modes")
    database = sqlite3.connect(files_of(folder)[0])
    for pragma, value in (("journal_mode", "delete"), ("application_id", 0x4e544b48), ("user_version", 1),
                          ("integrity_check", "ok")):
        equal(database.execute("PRAGMA " + pragma).fetchone()[0], value, pragma)
    database.close()


def one_line(done, status, *words):
    text = done.stderr.decode()
    equal((done.returncode, text.count("\n")), (status, 1), text)
    check(text.startswith("netracker: ") and all(word in text for word in words), text)


@in_a_folder
def wrong_folders(folder):
    one_line(write_history(folder + "/a/b", lines=lines_of(RECORD)), 1, "cannot make this folder: No such file")
    with open(folder, "w", encoding="utf-8"):
        pass
    one_line(write_history(folder, lines=lines_of(RECORD)), 1, "it is no folder")
    one_line(write_history("", lines=lines_of(RECORD)), 2, "a folder's name")


@in_a_folder
def two_writers(folder):
    """The second is refused, and the first goes on."""
    first = subprocess.Popen([NETRACKER, "replay", "-q", "-f", "json", "--history=" + folder, "--events", "update", "-"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    line = lines_of(RECORD)
    first.stdin.write(line)
    first.stdin.flush()
    first.stdout.readline()  # it has opened the history
    one_line(write_history(folder, lines=line), 1, "process %d writes it already" % first.pid)
    first.stdin.write(line)
    first.communicate(timeout=30)
    equal(first.returncode, 0, "status of the first")
    equal(len(read_back(folder).splitlines()), 2, "records")


@in_a_folder
def killed(folder):
    """What was committed is there, and the next run puts it into the file."""
    process = subprocess.Popen([NETRACKER, "replay", "-q", "-f", "json", "--history=" + folder, "--events", "update", "-"],
                               stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    process.stdin.write(lines_of(RECORD) * 100)
    process.stdin.flush()
    deadline = time.monotonic() + 20
    while not committed(folder) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.communicate()
    check(any(name.endswith("-wal") for name in os.listdir(folder)), os.listdir(folder))
    write_history(folder, lines=lines_of(RECORD))
    equal(len(read_back(folder).splitlines()), 101, "records")
    runs = rows_of(folder, "SELECT finished FROM run ORDER BY id")
    equal([row["finished"] for row in runs], [0, 1], "runs that ended in order")


def committed(folder):
    """Whether the first file has the 100 records."""
    if not os.path.isdir(folder) or not files_of(folder):
        return False
    database = sqlite3.connect("file:%s?mode=ro" % files_of(folder)[0], uri=True)
    try:
        return database.execute("SELECT count(*) FROM conn").fetchone()[0] == 100
    except sqlite3.OperationalError:
        return False
    finally:
        database.close()


@in_a_folder
def filters(folder):
    """Only what passes the filters is written, whatever the format of the other output."""
    lines = lines_of(RECORD, dict(RECORD, dst_port=443, id="0" * 16))
    subprocess.run([NETRACKER, "replay", "-q", "-f", "text", "--events", "update", "-D", "34855", "--where",
                    "dst_port = 443", "--history=" + folder, "-"], input=lines, capture_output=True, timeout=30,
                   check=True)
    equal([row["dst_port"] for row in rows_of(folder)], [443], "ports")


if __name__ == "__main__":
    run([captures, every_key, addresses, by_the_program_sqlite3, several_replays, runs_of_captures, plain_files,
         wrong_folders, two_writers, killed, filters])
