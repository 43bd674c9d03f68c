#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""explain describes records of replay, and made-up ones with the values that only live tracking has."""
import glob
import json
import os
import random
import re
import subprocess

import replay_harness
import pcap
from replay_harness import check, equal, replay
from pcap import ACK, CLIENT, RST, SERVER, SYN, capture, connection, packet

LIVE = {
    "v": 2, "id": "0011223344556677", "time": "2023-11-14T22:13:21.501000000Z", "event": "close", "role": "server", "family": "ipv4",
    "src_ip": "198.18.0.9", "src_port": 40000, "dst_ip": "198.18.0.1", "dst_port": 80,
    "community_id": "1:x", "netns": 4026531840, "ifname": "eth0", "vlan": 7, "pid": 1234, "comm": "nginx",
    "exe": "/usr/sbin/nginx", "uid": 33, "owner_by": "io", "cgroup": "/system.slice/nginx.service",
    "container": "ab" * 32, "start": "2023-11-14T22:13:20.001000000Z", "duration_ns": 1_500_000_000,
    "first_fin_ns": 1_400_000_000, "syn_synack_ns": 20_000, "synack_ack_ns": 30_000_000, "handshake_ns": 30_020_000,
    "outcome": "reset", "ended_by": "dst", "reason": "tcp_abort_on_close", "src_bytes": 77, "dst_bytes": 5_000_000,
    "src_packets": 6, "dst_packets": 50, "dst_retransmits": 3, "rtt_us": 45_000, "min_rtt_us": 40_000,
    "limited_by": "receiver", "seen": ["wire", "socket"], "complete": True, "gaps": [],
}


def made_up(**changes):
    record = {**LIVE, **changes}
    return {key: value for key, value in record.items() if value is not None}


def lines(*records):
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def explain(given, *arguments):
    process = subprocess.run([replay_harness.NETRACKER, "explain", *arguments], input=given, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, timeout=60, check=False)
    process.output = process.stdout.decode("ascii")
    process.errors = process.stderr.decode("ascii")
    return process


def entries(process):
    """One dictionary for each record: its paragraphs by label, each as one line, and its heading as "heading"."""
    found = []
    for block in process.output.split("\n\n"):
        entry, label = {}, "heading"
        for line in block.rstrip("\n").split("\n"):
            if line.startswith("  "):
                label = line[2:13].strip() or label
                entry[label] = (entry.get(label, "") + " " + line[13:]).strip()
            else:
                entry["heading"] = line
        found.append(entry)
    return found


def entry(**changes):
    process = explain(lines(made_up(**changes)))
    equal((process.returncode, process.errors), (0, ""), "status and errors")
    return entries(process)[0]


def shows(text, *wanted):
    for part in wanted:
        check(part in text, f"{part!r} is shown: {text!r}")


def served_here():
    text = entry()
    shows(text["heading"], "198.18.0.9:40000 -> 198.18.0.1:80", "reset by the server after 1.50s", "0011223344556677")
    shows(text["Who"], "The client 198.18.0.9 opened it to the server 198.18.0.1.", "The server is on this machine",
          "nginx (process 1234, /usr/sbin/nginx, user 33)", "read from it", "container " + "ab" * 32,
          "/system.slice/nginx.service", "interface eth0, VLAN 7", "namespace 4026531840")
    shows(entry(netns_name="web")["Who"], "Network namespace web (4026531840).")
    shows(text["Steps"], "2023-11-14T22:13:20.001000000Z", "answered the SYN after 20.0us (this machine's own delay)",
          "ACK came 30.0ms later (the path to the client and back", "whole handshake took 30.0ms",
          "1.40s after the start", "It lasted 1.50s", "round-trip time of 45.0ms, with a minimum of 40.0ms")
    shows(text["Data"], "The client sent 77 bytes in 6 packets.", "The server sent 5000000 bytes (4.77M) in 50 packets",
          "3 had to be retransmitted", "A socket does not know")
    shows(text["Limited by"], "the other side's receive window")
    shows(text["End"], "The server reset it with a RST", "tcp_abort_on_close", "received data unread")
    shows(text["Unknown"], "Nothing that should be known is missing")


def opened_here():
    text = entry(role="client", comm="curl", owner_by="connect", limited_by="idle", ended_by="dst", reason=None)
    shows(text["Who"], "The client is on this machine", "curl (process 1234", "called connect()")
    shows(text["Steps"], "answered the SYN after 20.0us (the path to the server and back",
          "ACK came 30.0ms later (this machine's own delay)")
    shows(text["Limited by"], "the application here", "nothing to send")
    shows(text["End"], "Only that machine knows the reason")


def attempts_without_times():
    """Nothing was measured, and nothing is invented: the handshake and the data never were."""
    times = dict(handshake_ns=None, syn_synack_ns=None, synack_ack_ns=None, syn_finack_ns=None, first_fin_ns=None,
                 rtt_us=None, min_rtt_us=None, limited_by=None, ended_by=None)
    for facts in (dict(outcome="refused", reason=None, ended_by="dst"), dict(outcome="timeout", reason="gave_up"),
                  dict(event="exit", outcome="unanswered", reason=None, state="syn_sent")):
        for seen in (["socket"], ["wire", "socket"]):
            text = entry(role="client", seen=seen, **dict(times, **facts))
            shows(text["Steps"], "There was no handshake.")
            shows(text["Limited by"], "never established")
    text = entry(role="client", event="open", outcome="open", reason=None, state="established", start=None,
                 duration_ns=None, seen=["socket"], gaps=["start", "direction"], **times)
    equal(text["Steps"], "The handshake was not seen.", "the times of a listed connection")


def owners():
    shows(entry(owner_by="listen")["Who"], "listens on the port", "no process here")
    shows(entry(owner_by="scan")["Who"], "held it open when its socket was looked up")
    shows(entry(owner_by="dowsing")["Who"], "found by dowsing")
    shows(entry(comm=None, exe=None, uid=None)["Who"], "It belongs to process 1234, which was")
    shows(entry(comm=None, pid=None)["Who"], "Its process is unknown")
    shows(entry(host="db1")["Who"], "host db1")


def limits():
    shows(entry(limited_by="sndbuf")["Limited by"], "send buffer")
    shows(entry(limited_by="network")["Limited by"], "the network")
    shows(entry(limited_by="gremlins")["Limited by"], "gremlins")
    shows(entry(limited_by=None)["Limited by"], "less than a tick")
    refused = entry(outcome="refused", handshake_ns=None, syn_synack_ns=None, synack_ack_ns=None, rtt_us=None,
                    min_rtt_us=None, limited_by=None)
    shows(refused["Limited by"], "Nothing: it was never established")
    shows(refused["Steps"], "There was no handshake")


def endings():
    shows(entry(outcome="closed", ended_by="src", reason=None)["End"], "in order", "The client closed first")
    shows(entry(outcome="refused", reason=None)["End"], "answered the SYN with a RST", "port 80")
    shows(entry(outcome="timeout", ended_by=None, reason="gave_up")["End"], "never established",
          "closed the socket while it was still connecting", "gave_up")
    shows(entry(outcome="timeout", ended_by=None, reason="keepalive_timeout")["End"], "keep-alive probes were not")
    shows(entry(outcome="unreachable", ended_by=None, reason="ehostunreach")["End"], "no route to the host")
    for reason in ("eacces", "enoprotoopt", "ehostdown", "enonet", "eopnotsupp", "eproto"):
        shows(entry(outcome="unreachable", ended_by=None, reason=reason)["End"], "error was " + reason + ": an ICMP")
        shows(entry(role="observer", outcome="unreachable", ended_by=None, reason=reason)["End"],
              "An ICMP message answered the SYN", "a socket of Linux gets from it is " + reason + ": an ICMP")
    shows(entry(role="observer", outcome="unreachable", ended_by=None, reason="ehostunreach")["End"],
          "An ICMP message answered the SYN", "passed too many routers")
    shows(entry(outcome="expired", role="observer", reason=None)["End"], "Its end was not seen", "The server had sent")
    shows(entry(outcome="reset", ended_by="dst", reason="tcp_new_thing")["End"], "reason is tcp_new_thing.")
    shows(entry(outcome="reset", ended_by="dst", reason=None)["End"], "gave no reason", "6.10")
    shows(entry(outcome="vanished")["End"], "does not know: vanished")
    text = entry(event="exit", outcome="open", ended_by=None, reason=None, state="close_wait", state_age_ns=62_000_000_000)
    shows(text["End"], "It had been in this state for 1m02s.")
    shows(text["End"], "still open when tracking, or the capture, ended", "close_wait", "forgot to close")
    shows(text["heading"], "open for 1.50s")
    shows(entry(event="exit", outcome="open", ended_by=None, reason="repair", state="established")["End"],
          "a process dumped it in TCP_REPAIR mode", "established")
    shows(entry(event="exit", outcome="unanswered", ended_by=None, reason=None, state="syn_sent")["End"],
          "No SYN-ACK had answered it")
    shows(entry(event="open", outcome="open", ended_by=None)["End"], "It was open when this record was written")


def last_exchange():
    times = {"request_ns": 1_000_000, "response_ns": 2_000_000, "last_request_ns": 5_000_000_000}
    shows(str(entry(**times)), "last request came 5.00s after the start and had no answer")
    shows(str(entry(**times, last_response_ns=7_000_000_000)), "its answer 2.00s later")
    check("last request" not in str(entry(**times, last_response_ns=4_000_000_000)), "an answer before its request")


def gaps():
    """Each gap of docs/record.md has its own sentence."""
    with open(os.path.join(replay_harness.ROOT, "docs", "record.md")) as page:
        section = page.read().split("## Gaps")[1].split("## ")[0]
    names = re.findall(r"^\| `(\w+)` \|", section, re.M)
    check(len(names) >= 7, f"gaps in record.md: {names}")
    sentences = {entry(gaps=[name], complete=False)["Unknown"] for name in names}
    equal(len(sentences), len(names), "different sentences")
    check(not any("does not know" in text for text in sentences), "all are known")
    shows(entry(gaps=["gremlins"])["Unknown"], "does not know: gremlins")
    shows(entry(gaps=["direction"])["Who"], "Probably the client 198.18.0.9")


def records_of_replay():
    """Each record that replay writes is described once, in order."""
    refused = [(0, packet(CLIENT, SERVER, SYN, 1)), (0.001, packet(SERVER, CLIENT, RST | ACK, 0, 2))]
    text = entries(explain(replay(capture(refused)).output))[0]
    shows(text["heading"], "refused by the server after 1.00ms")
    shows(text["Steps"], "There was no handshake")
    slow = [(at + (1.5 if at else 0), frame) for at, frame in connection()]
    shows(entries(explain(replay(capture(slow)).output))[0]["Steps"], "after 1.51s", "probably lost")
    text = entries(explain(replay(capture(connection(("fd00::9", 40000), ("fd00::1", 80)))).output))[0]
    shows(text["heading"], "[fd00::9]:40000 -> [fd00::1]:80: closed by the client after 50.0ms")
    shows(text["Who"], "Only packets were seen")
    shows(text["Limited by"], "only a socket")
    captures = sorted(glob.glob(os.path.join(replay_harness.ROOT, "tests", "replay", "captures", "*.pcap*")))
    check(captures, "captures")
    for path in captures:
        result = replay(None, "--tunnels", "-q", "--events", "open,close,exit", file=path)
        process = explain(result.output)
        equal((process.returncode, process.errors), (0, ""), path)
        ids = re.findall(r"^\S.*, id ([0-9a-f]{16})$", process.output, re.M)
        equal(ids, [record["id"] for record in result.records], path)


def one_id():
    given = lines(made_up(), made_up(id="8899aabbccddeeff", dst_port=81), made_up(event="open", outcome="open"))
    process = explain(given, "--id", "8899aabbccddeeff")
    equal((process.returncode, len(entries(process))), (0, 1), "one of three")
    shows(process.output, "198.18.0.1:81")
    equal(len(entries(explain(given, "--id", "0011223344556677"))), 2, "both records of one connection")
    process = explain(given, "--id", "0000000000000000")
    equal((process.returncode, process.output), (1, ""), "no such record")
    shows(process.errors, "no record has the id 0000000000000000")
    equal(explain(given, "--id", "xyz").returncode, 2, "no id")


def version_1():
    """Records of the version before: other words for what limited it and for a listed one, and no `time`."""
    old = made_up(v=1, time=None, limited_by="app")
    equal(explain(lines(old)).output, explain(lines(made_up(limited_by="idle"))).output, "a closed one")
    listed = {"outcome": "open", "ended_by": None, "reason": None, "state": "close_wait", "first_fin_ns": None}
    equal(explain(lines(made_up(v=1, time=None, event="open", **listed))).output,
          explain(lines(made_up(event="listed", **listed))).output, "a listed one")


def unknown_names():
    process = explain(lines(made_up(colour="blue", nested={"a": [1, {}]}), {"v": 1, "event": "flood", "count": 5}))
    equal((process.returncode, process.errors), (0, ""), "unknown keys are ignored")
    check("blue" not in process.output, "an unknown key")
    shows(process.output, "A record of the event flood, which this version does not know")


def invalid_lines():
    """Each invalid line gives one error with its number, and status 1; the records around it are described."""
    good = lines(made_up())
    bad = [b"{", b"hello", b"[]", b"5", b"{}", b'"x"', b"\xff\xfe", b'{"v":1}', b'{"v":1,"v":1}', b"{} {}",
           lines(made_up(v=3)).strip(), lines(made_up(v=0)).strip(), lines(made_up(pid="1")).strip(), lines(made_up(pid=-1)).strip(),
           lines(made_up(pid=1.5)).strip(), lines(made_up(gaps="start")).strip(), lines(made_up(gaps=[1])).strip(),
           lines(made_up(comm=7)).strip(), lines(made_up(complete="yes")).strip(),
           lines(made_up(src_port=70000)).strip(), lines(made_up(src_ip=None)).strip(),
           lines(made_up(pid=2**70)).strip(), b'{"v":1,"event":"clo\0se"}', b"[" * 100000, b'{"a":' * 5000]
    for line in bad:
        process = explain(good + b"\n" + line + b"\n" + good)
        equal((process.returncode, len(entries(process))), (1, 2), f"status, records: {line[:60]}")
        equal(len(process.errors.splitlines()), 1, f"one line: {process.errors}")
        check(process.errors.startswith("netracker: standard input: line 3 is not a record: "), process.errors)
    process = explain(b"x\n" * 50 + good)
    equal((process.returncode, len(entries(process)), len(process.errors.splitlines())), (1, 1, 21), "many")
    shows(process.errors, "30 more lines are not records")


def huge_lines():
    process = explain(b"x" * 3_000_000 + b"\n" + lines(made_up(exe="/" + "y" * 500_000)))
    equal((process.returncode, len(entries(process))), (1, 1), "status, records")
    shows(process.errors, "line 1 is not a record: longer than 1048576 bytes")


def last_line_without_newline():
    equal(len(entries(explain(lines(made_up()).strip()))), 1, "records")
    process = explain(lines(made_up())[:200])
    equal((process.returncode, len(process.errors.splitlines())), (1, 1), "cut off")
    process = explain(b"")
    equal((process.returncode, process.output, process.errors), (0, "", ""), "nothing at all")


def hostile_strings():
    """The output is printable ASCII and newlines only, and no string can imitate a line of its own."""
    nasty = "\x1b[2J\r\n\t\x07\x7f\u009b\u202eabc\u0000"[:-1] + "é\U0001f600\"\\ (process 1)"
    strings = [key for key, value in LIVE.items() if isinstance(value, str)]
    for key in strings:
        process = explain(lines(made_up(**{key: nasty})))
        equal((process.returncode, process.errors), (0, ""), key)
        check(re.fullmatch(r"[ -~\n]+", process.output), f"{key}: {process.output!r}")
        words = " ".join(process.output.split())
        check("(process 1)" not in words.replace('\\ (process 1)"', ""), f"{key} ends in quotes: {words}")
    process = explain(lines(made_up(seen=[nasty], gaps=[nasty])) + b'{"\x1b[2J' + b"\n")
    equal(process.returncode, 1, "status")
    check(re.fullmatch(r"[ -~\n]+", process.output), process.output)
    check(re.fullmatch(r"[ -~\n]+", process.errors), process.errors)


def random_bytes():
    """Random bytes never cause a crash, and the output stays printable."""
    generator = random.Random(6)
    whole = lines(made_up())
    for _ in range(200):
        data = bytearray(whole)
        for _ in range(generator.choice((1, 3, 30))):
            data[generator.randrange(len(data))] = generator.randrange(256)
        process = explain(bytes(data))
        check(process.returncode in (0, 1), f"status {process.returncode}")
        check(re.fullmatch(r"[ -~\n]*", process.output + process.errors), process.output + process.errors)


def lines_fit():
    process = explain(lines(made_up(), made_up(role="client"), made_up(gaps=["start", "owner", "events"])))
    for line in process.output.splitlines():
        check(line.startswith("198.") or len(line) <= 80 or " " not in line[13:], f"{len(line)} characters: {line}")


def inputs_and_outputs():
    process = explain(None, "/nonexistent")
    equal((process.returncode, process.output, len(process.errors.splitlines())), (1, "", 1), "no such file")
    shows(process.errors, "/nonexistent", "No such file")
    process = explain(None, "/")
    equal((process.returncode, len(process.errors.splitlines())), (1, 1), "a directory")
    equal(explain(None, "-t", "1").returncode, 2, "no option of explain")
    equal(explain(lines(made_up()), "-").returncode, 0, "-")
    with open("/dev/full", "w") as full:
        process = subprocess.run([replay_harness.NETRACKER, "explain"], input=lines(made_up()), stdout=full,
                                 stderr=subprocess.PIPE, check=False)
    equal((process.returncode, len(process.stderr.splitlines())), (1, 1), "a full disk")
    process = subprocess.run(f"'{replay_harness.NETRACKER}' explain | head -n 1; echo ${{PIPESTATUS[0]}}", shell=True,
                             executable="/bin/bash", input=lines(*[made_up()] * 3000), stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, check=False)
    equal((process.stdout.splitlines()[-1], process.stderr), (b"0", b""), "a reader that went away")


def described_at_once():
    """A record from a pipe is described before the next one is written."""
    process = subprocess.Popen([replay_harness.NETRACKER, "explain"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write(lines(made_up()))
    process.stdin.flush()
    shows(process.stdout.readline().decode(), "198.18.0.9:40000")
    process.stdin.close()
    process.stdout.read()
    equal(process.wait(), 0, "status")


if __name__ == "__main__":
    replay_harness.run([served_here, opened_here, attempts_without_times, owners, limits, endings, last_exchange, gaps,
                 records_of_replay, one_id, version_1, unknown_names, invalid_lines, huge_lines, last_line_without_newline, hostile_strings, random_bytes, lines_fit,
                 inputs_and_outputs, described_at_once])
