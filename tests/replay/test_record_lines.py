#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Replays records that -f json wrote: all formats, filters and tables are as those of the source that wrote them."""
import gzip
import json
import os
import subprocess
import tempfile

from replay_harness import NETRACKER, ROOT, check, equal, replay, run

CAPTURES = os.path.join(ROOT, "tests", "replay", "captures")
NAMES = sorted(name for name in os.listdir(CAPTURES) if name.endswith((".pcap", ".pcapng")))

# A server's record and a client's, as version 1 of the record had them: no `time`, `app` for `idle`.
SERVER = {"v": 1, "id": "00112233445566aa", "event": "close", "role": "server", "family": "ipv4", "src_ip": "198.18.0.1",
          "src_port": 34855, "dst_ip": "198.18.0.2", "dst_port": 80, "netns": 4026531840, "ifname": "eth0", "pid": 1234,
          "comm": "nginx", "exe": "/usr/sbin/nginx", "uid": 33, "owner_by": "io", "cgroup": "/system.slice/nginx.service",
          "start": "2023-11-14T22:13:20.001000000Z", "duration_ns": 1500000000, "handshake_ns": 50000, "outcome": "reset",
          "ended_by": "dst", "reason": "tcp_abort_on_close", "src_bytes": 77, "dst_bytes": 4294967297,
          "rtt_us": 45, "limited_by": "app", "seen": ["wire", "socket"], "complete": False, "gaps": ["owner_partial"]}
CLIENT = dict(SERVER, id="00112233445566ab", role="client", pid=77, comm="curl", exe="/usr/bin/curl",
              cgroup="/user.slice", uid=0, outcome="refused",
              gaps=["start", "direction"])
del CLIENT["start"], CLIENT["duration_ns"], CLIENT["reason"]


def lines_of(*records):
    return "".join(json.dumps(record, separators=(",", ":")) + "\n" for record in records).encode()


def from_capture(name, *arguments):
    return subprocess.run([NETRACKER, "replay", "-q", *arguments, os.path.join(CAPTURES, name)], capture_output=True,
                          timeout=60, check=False).stdout


def from_records(lines, *arguments):
    return subprocess.run([NETRACKER, "replay", "-q", *arguments, "-"], input=lines, capture_output=True, timeout=60,
                          check=False).stdout


def formats_and_filters():
    check(len(NAMES) > 10, "%d captures" % len(NAMES))
    for name in NAMES:
        lines = from_capture(name, "-f", "json")
        if not lines:
            continue
        for arguments in (["-f", "json"], ["-f", "csv"], ["-f", "tsv"], ["-f", "text"], ["-f", "trace"],
                          ["-f", "json", "-x"], ["-f", "json", "--where", "duration > 10ms and not outcome closed"],
                          ["-f", "json", "-n", "1"], ["--summary"], ["--summary", "--interval", "1"]):
            direct, again = from_capture(name, *arguments), from_records(lines, *arguments)
            if "--summary" in arguments:  # the tables' ends are the times of the last packet, and of the last record
                direct, again = (b"\n".join(line for line in text.splitlines() if not line.startswith(b"from "))
                                 for text in (direct, again))
            if "--interval" not in arguments:
                equal(again, direct, "%s %s" % (name, " ".join(arguments)))


def older_version():
    found = replay(lines_of(SERVER, CLIENT))
    equal(found.status, 0, found.errors)
    check("2 records: 2 written, 0 filtered, 0 open, 0 lost" in found.errors, found.errors)
    server, client = found.records
    equal(server.get("time"), "2023-11-14T22:13:21.501000000Z", "start and duration give the time")
    equal(client.get("time"), None, "the time is unknown")
    equal(server["limited_by"], "idle", "limited_by")
    text = from_records(lines_of(CLIENT), "-f", "text", "--no-header")
    check(text.startswith(b"- "), "an unknown time: %r" % text)
    equal(len(replay(lines_of(CLIENT), "--where", "time < 2000-01-01 or not time > 2025-01-01").records), 0, "unknown time")
    for record, written in ((server, SERVER), (client, CLIENT)):
        same = {key: value for key, value in written.items() if key not in ("v", "limited_by")}
        equal({key: record.get(key) for key in same}, same, "values")


def owners():
    for arguments, wanted in ((["-u", "33"], ["nginx"]), (["-u", "root"], ["curl"]), (["--role", "client"], ["curl"]),
                              (["--cgroup", "/system.slice"], ["nginx"]), (["-c", "nginx,psql"], ["nginx"]),
                              (["--netns", "4026531840", "-p", "77"], ["curl"]), (["--where", "gap direction"], ["curl"]),
                              (["--where", "sent > 4G"], ["nginx"]), (["--where", "not start"], ["curl"])):
        found = replay(lines_of(SERVER, CLIENT), *arguments)
        equal([record["comm"] for record in found.records], wanted, " ".join(arguments))
    for option in (["-u", "root"], ["--role", "client"], ["--netns", "1"], ["--cgroup", "/"], ["--container", "a"],
                   ["--where", "port 80 and user root"], ["--where", "not state close-wait"]):
        found = replay(None, *option, file=os.path.join(CAPTURES, NAMES[0]))
        equal((found.status, found.output), (2, b""), "a capture and %s" % option)
        check("a capture cannot answer" in found.errors and found.errors.count("\n") == 1, found.errors)


def events():
    records = [dict(SERVER, event=event, outcome="open", state="established") for event in ("open", "update", "listed")]
    records.append(dict(SERVER, event="hello"))
    for record in records:
        record.pop("ended_by"), record.pop("reason")
    records.append({"v": 2, "id": "0" * 16, "time": "2026-11-30T00:00:00.000000000Z", "event": "listener", "family": "ipv4",
                    "dst_ip": "0.0.0.0", "dst_port": 80, "netns": 1, "backlog": 0, "backlog_max": 5})
    found = replay(lines_of(*records))
    equal([record["event"] for record in found.records], ["listed"], "by default")
    check("2 records of other events are left out; --events chooses them" in found.errors, found.errors)
    check("1 records are of listeners, and not of connections" in found.errors, found.errors)
    check("1 records are of events that this version does not know" in found.errors, found.errors)
    found = replay(lines_of(*records), "--events", "update,open")
    equal([record["event"] for record in found.records], ["open", "update"], "--events")
    found = replay(None, "--events", "update", file=os.path.join(CAPTURES, NAMES[0]))
    equal((found.status, found.output), (2, b""), "a capture and --events update")
    check("a capture gives no update records" in found.errors, found.errors)


def files():
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("records.json.1.gz", "records.json", "cut")]
        with gzip.open(paths[0], "wb") as file:
            file.write(lines_of(SERVER))
        with open(paths[1], "wb") as file:
            file.write(lines_of(CLIENT))
        with open(paths[2], "wb") as file:
            file.write(lines_of(CLIENT, SERVER)[:-9])
        found = replay(None, file=paths[:2])
        equal((found.status, [record["comm"] for record in found.records]), (0, ["nginx", "curl"]), "two files")
        found = replay(None, file=paths)
        equal((found.status, len(found.records)), (1, 3), "the last line is cut")
        check("cut: line 2 is not a record: invalid JSON" in found.errors, found.errors)
        found = replay(None, "-o", paths[1], file=paths[1])
        equal(found.status, 2, "the output is the input")
        paths.append(os.path.join(folder, "empty.json"))
        open(paths[-1], "wb").close()
        found = replay(None, file=[paths[-1], paths[1]])
        equal((found.status, [record["comm"] for record in found.records]), (0, ["curl"]), "an empty file beside others")
        check("the file is empty" in found.errors, found.errors)
        found = replay(None, "--summary", file=paths[-1])
        equal(found.status, 0, "an empty file of records alone")
        check(b'"connections":0,' in found.output, found.output.decode())
        os.mkdir(os.path.join(folder, "captures.json"))
        capture = os.path.join(folder, "captures.json", "a.pcap")
        open(capture, "wb").close()
        equal(replay(None, file=capture).status, 1, "an empty capture in a folder that is named as records")
        found = replay(None, file=[paths[1], os.path.join(CAPTURES, NAMES[0])])
        check(len(found.records) > 1, "records, then a capture")


def damaged_lines():
    wrong = [b"{", b"null", b"[]", b"{}", b'{"v":3,"event":"close"}', b"\xff\xfe", b'{"v":1', b"x" * 2_000_000,
             lines_of(dict(SERVER, reason="a\nb"))[:-1], lines_of(dict(SERVER, reason="x" * 99))[:-1],
             lines_of(dict(SERVER, reason="\x1b[31m"))[:-1], lines_of(dict(SERVER, comm="x" * 17))[:-1],
             lines_of(dict(SERVER, outcome="happy"))[:-1], lines_of(dict(SERVER, src_ip="198.18.0"))[:-1],
             lines_of(dict(SERVER, src_port=65536))[:-1], lines_of(dict(SERVER, pid=-1))[:-1],
             lines_of(dict(SERVER, pid=1 << 40))[:-1], lines_of(dict(SERVER, start="yesterday"))[:-1],
             lines_of(dict(SERVER, start="2024-02-31T00:00:00Z"))[:-1], lines_of(dict(SERVER, src_bytes=2 ** 53))[:-1],
             lines_of(dict(SERVER, start="9999-01-01T00:00:00Z"))[:-1], lines_of(dict(SERVER, dst_ip="fd00::1"))[:-1],
             lines_of(dict(SERVER, gaps=["none"]))[:-1], lines_of(dict(SERVER, gaps="start"))[:-1],
             lines_of(dict(SERVER, history="Sh\x00"))[:-1], lines_of(dict(SERVER, id='"'))[:-1]]
    found = replay(lines_of(SERVER) + b"\n".join(wrong) + b"\n\n" + lines_of(CLIENT))
    equal((found.status, [record["comm"] for record in found.records]), (1, ["nginx", "curl"]), "the rest is read")
    equal(found.errors.count(" is not a record: "), 20, found.errors)
    check("%d lines are not records" % len(wrong) in found.errors, found.errors[-300:])
    found = replay(b"\n \n" + lines_of(SERVER).replace(b'{"v"', b'{ "v"'))
    equal((found.status, len(found.records)), (0, 1), "blank lines come first")
    check(all(byte == "\n" or byte.isprintable() for byte in found.errors), "stderr is printable")


def cut_at_the_begin():
    """A file that was rotated or cut, or has messages before: all whole records are read, and the rest is named."""
    whole = lines_of(SERVER, CLIENT)
    for cut in (1, 2, 5, 15, 16, 17, 63, 64, 65, 100, len(lines_of(SERVER)) - 2):
        found = replay(whole[cut:])
        equal((found.status, [record["comm"] for record in found.records]), (1, ["curl"]), "from byte %d" % cut)
        check("line 1 is not a record" in found.errors, found.errors)
    found = replay(whole[len(lines_of(SERVER)) - 1:])
    equal((found.status, len(found.records)), (0, 1), "from the end of a line")
    for before in (1, 40, 300):
        found = replay(b"netracker: watching interface lo\r\n" * before + whole)
        equal((found.status, len(found.records)), (1, 2), "%d messages before" % before)
    for garbage in (b"x\n" * 9000 + whole, b"12345\n", b"time,src\n1,2\n", b"\0" * 16 + b"\n" + whole, b"[1,2]\n{}\n"):
        found = replay(garbage)
        equal((found.status, found.output), (1, b""), "no records")
        check("unknown file format" in found.errors or "bad dump file format" in found.errors, found.errors)
    with subprocess.Popen([NETRACKER, "replay", "-f", "json", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as process:
        process.stdin.write(b"cut\n" + whole)
        process.stdin.flush()
        check(process.stdout.readline(), "a record of a pipe that stays open")
        process.stdin.close()


def names_of_any_bytes():
    """A byte that is not UTF-8 is written as the characters \\xNN, and again so."""
    for comm, exe in (("a b\u00e9\"\\", "/\u20ac\n"), ("\\xff\\xfe\\x80xxxxxxxxxxx", "/\\xff"), ("\u001b[31m", "\t")):
        found = replay(lines_of(dict(SERVER, comm=comm, exe=exe)))
        equal([(record["comm"], record["exe"]) for record in found.records], [(comm, exe)], found.errors)


def explain():
    def explained(*arguments):
        done = subprocess.run([NETRACKER, "explain", *arguments], input=lines_of(SERVER, CLIENT), capture_output=True,
                              timeout=20, check=False)
        equal(done.returncode, 0, done.stderr.decode())
        return [name for name in ("nginx", "curl") if name.encode() in done.stdout]

    equal(explained(), ["nginx", "curl"], "all")
    done = subprocess.run([NETRACKER, "explain"], input=gzip.compress(lines_of(SERVER)), capture_output=True, timeout=20,
                          check=False)
    check(done.returncode == 0 and b"nginx" in done.stdout, done.stderr.decode())
    done = subprocess.run([NETRACKER, "explain"], input=gzip.compress(lines_of(SERVER, CLIENT))[:-20], timeout=20,
                          capture_output=True, check=False)
    check(done.returncode == 1 and b"standard input: cannot read: " in done.stderr, done.stderr.decode())
    equal(explained("-x", "--where", "not comm nginx"), ["curl"], "--where")
    equal(explained("-u", "33"), ["nginx"], "-u")
    equal(explained("--outcome", "closed"), [], "--outcome")
    done = subprocess.run([NETRACKER, "explain", "--outcome", "closed"], input=lines_of(SERVER), capture_output=True,
                          timeout=20, check=False)
    check(b"no record matches the filter" in done.stderr, done.stderr.decode())


def explain_files():
    """Rotated files are described in their order; one that cannot be read is named, and the others are described."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("records.json.1.gz", "absent", "cut", "records.json")]
        with gzip.open(paths[0], "wb") as file:
            file.write(lines_of(SERVER))
        with open(paths[2], "wb") as file:
            file.write(lines_of(SERVER)[9:])
        with open(paths[3], "wb") as file:
            file.write(lines_of(CLIENT))
        for given, status, names, errors in (
                ((paths[0], paths[3]), 0, [b"nginx", b"curl"], []),
                ((paths[3], "-", paths[0]), 0, [b"curl", b"curl", b"nginx"], []),
                (paths, 1, [b"nginx", b"curl"], [b"absent: cannot read: No such file", b"cut: line 1 is not a record"]),
                (("-c", "nginx", paths[0], paths[3]), 0, [b"nginx"], []),
                (("-c", "nobody", paths[0], paths[3]), 0, [], [b"all files: no record matches the filter"]),
                (("--id", "0" * 16, paths[0], paths[3]), 1, [], [b"all files: no record has the id 0000000000000000"])):
            done = subprocess.run([NETRACKER, "explain", *given], input=lines_of(CLIENT), capture_output=True,
                                  timeout=20, check=False)
            described = [b"nginx" if b"nginx" in text else b"curl" for text in done.stdout.split(b"\n\n") if text]
            equal((done.returncode, described), (status, names), given)
            equal([error for error in errors if error not in done.stderr], [], done.stderr)


def like_zeek():
    found = replay(lines_of(SERVER), "--like", "zeek")
    equal((found.status, found.output), (1, b""), "--like zeek")
    check("--like zeek needs packets" in found.errors, found.errors)


run([formats_and_filters, older_version, owners, events, files, damaged_lines, cut_at_the_begin, names_of_any_bytes, explain, explain_files,
     like_zeek])
