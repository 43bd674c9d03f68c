#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""replay of captures that this program makes: ends, timeouts, reused ports, broken files, options, accounting."""
import fcntl
import os
import random
import signal
import struct
import subprocess
import tempfile
import termios
import time

import replay_harness
import pcap
from replay_harness import check, equal, holds, replay
from pcap import ACK, CLIENT, FIN, PSH, RST, SERVER, SYN, capture, connection, packet

MS = 1_000_000
S = 1_000_000_000


def one(result):
    equal(len(result.records), 1, "records")
    return result.records[0]


def accounting(result):
    """(records, written)"""
    check(replay_harness.balances(result.errors), "every record is accounted for: " + result.errors)
    counts = replay_harness.accounting_of(result.errors)
    return counts["records"], counts["written"]


def closed():
    result = replay(capture(connection()))
    equal(result.status, 0, "status")
    equal(accounting(result), (1, 1), "opened, written")
    holds(one(result), event="close", role="observer", family="ipv4", src_ip="198.18.0.9", src_port=40000,
          dst_ip="198.18.0.1", dst_port=80, netns=None, start="2023-11-14T22:13:20.000000000Z", duration_ns=50 * MS,
          first_fin_ns=40 * MS, wire_duration_ns=50 * MS, syn_synack_ns=10 * MS, synack_ack_ns=1 * MS,
          handshake_ns=11 * MS, syn_finack_ns=50 * MS, outcome="closed", ended_by="src", conn_state="SF",
          history="ShADdFf", src_bytes=10, dst_bytes=20, src_packets=5, dst_packets=3,
          src_retransmits=0, dst_retransmits=0, seen=["wire", "packets"], complete=True, gaps=[])


def ipv6():
    record = one(replay(capture(connection(("fd00::9", 40000), ("fd00::1", 80)))))
    holds(record, family="ipv6", src_ip="fd00::9", dst_ip="fd00::1", outcome="closed", src_bytes=10, dst_bytes=20)


def reset():
    packets = connection()[:5] + [(0.035, packet(SERVER, CLIENT, RST, 51021))]
    holds(one(replay(capture(packets))), event="close", outcome="reset", ended_by="dst", conn_state="RSTR",
          first_fin_ns=35 * MS, duration_ns=35 * MS, syn_finack_ns=None)


def refused():
    packets = [(0, packet(CLIENT, SERVER, SYN, 1)), (0.001, packet(SERVER, CLIENT, RST | ACK, 0, 2))]
    holds(one(replay(capture(packets))), outcome="refused", ended_by="dst", conn_state="REJ", src_bytes=0, dst_bytes=0)


def half_open_scan():
    packets = connection()[:2] + [(0.011, packet(CLIENT, SERVER, RST, 1001))]
    holds(one(replay(capture(packets))), outcome="reset", ended_by="src", conn_state="RSTO")


def refused_and_tried_again():
    """A SYN with the same sequence number within 70 s is the same attempt; the record says what it came to."""
    syn, rst = packet(CLIENT, SERVER, SYN, 1000), packet(SERVER, CLIENT, RST | ACK, 0, 1001)
    for times in (1, 3):
        tried = [(-1 + 0.1 * number + delay, frame) for number in range(times) for delay, frame in ((0, syn), (0.01, rst))]
        holds(one(replay(capture(tried + connection()))), outcome="closed", ended_by="src", src_packets=5 + times,
              dst_packets=3 + times, src_retransmits=times, dst_retransmits=0, handshake_ns=S + 11 * MS, conn_state="SF",
              syn_synack_ns=S + 10 * MS, first_fin_ns=S + 40 * MS, duration_ns=S + 50 * MS, gaps=[])
        holds(one(replay(capture(tried))), outcome="refused", ended_by="dst", src_packets=times, dst_packets=times,
              src_retransmits=times - 1, conn_state="REJ", duration_ns=round((0.1 * (times - 1) + 0.01) * S))
        holds(one(replay(capture(tried + [(0, syn)]))), outcome="unanswered", ended_by=None, first_fin_ns=None)
    other = connection(("198.18.0.8", 1), at=60)
    records = replay(capture([(0, syn), (0.01, rst)] + other + [(71, syn), (71.01, rst)])).records
    equal(sorted(r["outcome"] for r in records), ["closed", "refused", "refused"], "after 71 s: two attempts")
    records = replay(capture([(0, syn), (0.01, rst)] + connection(isn=5000, at=1))).records
    equal(sorted(r["outcome"] for r in records), ["closed", "refused"], "another sequence number: two attempts")


def reset_after_both_fins():
    packets = connection()[:-1] + [(0.06, packet(CLIENT, SERVER, RST, 1012))]
    holds(one(replay(capture(packets))), outcome="closed", ended_by="src", duration_ns=50 * MS, src_packets=5)


def unanswered():
    """Written 70 s after the last SYN; a later SYN with the same sequence number belongs to the same connection."""
    syn = packet(CLIENT, SERVER, SYN, 1)
    other = connection(("198.18.0.8", 1234), at=120)
    result = replay(capture([(0, syn), (1, syn), (64, syn)] + other))
    equal([r["outcome"] for r in result.records], ["closed", "unanswered"], "64 s + 70 s are not over at 120 s")
    result = replay(capture([(0, syn), (1, syn), (40, syn)] + other), "--outcome", "timeout")
    holds(one(result), event="close", outcome="timeout", ended_by=None, duration_ns=0, src_packets=3, src_retransmits=2,
          conn_state="S0", history="S", syn_synack_ns=None)


def unanswered_synack():
    packets = connection()[:2] + connection(("198.18.0.8", 1234), at=90)
    holds(replay(capture(packets)).records[0], outcome="timeout", src_ip="198.18.0.9", syn_synack_ns=10 * MS,
          handshake_ns=None)


def established_has_no_limit():
    packets = connection()[:5] + connection(("198.18.0.8", 1234), at=100_000)
    packets += [(100_001 + at, frame) for at, frame in connection()[5:]]
    records = replay(capture(packets)).records
    equal(sorted(r["outcome"] for r in records), ["closed", "closed"], "outcomes")


def still_open():
    packets = connection()[:5] + [(7, packet(CLIENT, SERVER, ACK, 1011, 51021))]
    result = replay(capture(packets))
    equal(accounting(result), (1, 0), "opened, written")
    holds(one(result), event="exit", outcome="open", ended_by=None, duration_ns=7 * S, wire_duration_ns=11 * MS,
          first_fin_ns=None, state=None)


def waiting_at_the_end():
    """Attempts that no SYN-ACK answered are failures: -x selects them. Those with a SYN-ACK are open."""
    asked = connection()[:1] + [(1, packet(CLIENT, SERVER, SYN, 1000))]
    answered = connection(("198.18.0.8", 1), at=2)[:2]
    packets = asked + answered + connection(("198.18.0.7", 1), at=3)
    for more in [], ["--like", "zeek", "-C"]:
        records = replay(capture(packets), *more).records
        equal(sorted((r["src_ip"], r["event"], r["outcome"]) for r in records),
              [("198.18.0.7", "close", "closed"), ("198.18.0.8", "exit", "open"), ("198.18.0.9", "exit", "unanswered")],
              f"records {more}")
        equal([r["src_ip"] for r in replay(capture(packets), "-x", *more).records], ["198.18.0.9"], f"-x {more}")
    equal(accounting(replay(capture(packets))), (3, 1), "opened, written")


def one_fin_only():
    holds(one(replay(capture(connection()[:6]))), event="exit", outcome="open", first_fin_ns=40 * MS, conn_state="S2")


def port_reused():
    """After a closed and after an open connection, each SYN with another sequence number begins a new one."""
    packets = connection() + connection(at=1, isn=777000, sent=5)[:5] + connection(at=2, isn=888000, sent=7)
    records = replay(capture(packets)).records
    equal([r["outcome"] for r in records], ["closed", "expired", "closed"], "outcomes")
    equal([r["src_bytes"] for r in records], [10, 5, 7], "bytes")
    equal(len({r["id"] for r in records}), 3, "ids")
    equal(len({r["community_id"] for r in records}), 1, "community ids")


def last_packets_after_the_end():
    """A retransmitted FIN and ACKs after the close belong to the connection, and do not change its end or duration."""
    packets = connection() + [(1, packet(SERVER, CLIENT, FIN | ACK, 51021, 1012)),
                              (1.001, packet(CLIENT, SERVER, ACK, 1012, 51022))]
    holds(one(replay(capture(packets))), duration_ns=50 * MS, src_packets=6, dst_packets=4, dst_retransmits=1)


def begins_in_the_middle():
    packets = [(at, frame) for at, frame in connection()[3:]]
    holds(one(replay(capture(packets))), outcome="closed", start="2023-11-14T22:13:20.020000000Z", src_port=40000,
          src_bytes=10, dst_bytes=20, handshake_ns=None, complete=False, gaps=["start", "direction"])


def socket_connected_to_itself():
    me = ("127.0.0.1", 5000)
    packets = [(0, packet(me, me, SYN, 1)), (0.001, packet(me, me, SYN | ACK, 1, 2)),
               (0.002, packet(me, me, ACK | PSH, 2, 2, b"hello")), (0.003, packet(me, me, FIN | ACK, 7, 7))]
    holds(one(replay(capture(packets))), outcome="closed", src_ip="127.0.0.1", dst_ip="127.0.0.1", src_port=5000,
          dst_port=5000, src_bytes=5, dst_bytes=5)


def capture_with_gaps():
    """A segment was not captured: only bytes that were seen count, and the record has a gap."""
    packets = connection(received=20)
    del packets[4]
    holds(one(replay(capture(packets))), dst_bytes=0, gaps=["packets"], complete=False, outcome="closed")


def more_than_four_gigabytes():
    """Sequence numbers wrap around: 70000 packets of 64000 bytes, of which only the headers were captured."""
    count, size = 70000, 64000
    frame = bytearray(packet(CLIENT, SERVER, ACK, 0, 51001))
    struct.pack_into(">H", frame, 16, 40 + size)
    header = struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 54, 1)
    out = [header]

    def add(captured, length, index):
        out.append(struct.pack("<IIII", pcap.START + index // 100000, index % 100000, len(captured), length))
        out.append(bytes(captured))

    for index, (_, whole) in enumerate(connection()[:3]):
        add(whole[:54], len(whole), index)
    for index in range(count):
        struct.pack_into(">I", frame, 38, (1001 + index * size) & 0xffffffff)
        add(frame, 54 + size, 10 + index)
    fin = packet(CLIENT, SERVER, FIN | ACK, (1001 + count * size) & 0xffffffff, 51001)
    add(fin, len(fin), count + 20)
    holds(one(replay(b"".join(out))), src_bytes=count * size, src_packets=count + 3, src_retransmits=0, gaps=[])


def vlan_tags():
    plain = connection()
    tagged = [(at, frame[:12] + struct.pack(">HHHHH", 0x88a8, 0xe00a, 0x8100, 20, 0x0800) + frame[14:])
              for at, frame in plain]
    holds(one(replay(capture(tagged))), vlan=10, outcome="closed", src_bytes=10)
    mixed = [tagged[i] if i % 2 else plain[i] for i in range(len(plain))]
    holds(one(replay(capture(mixed))), vlan=None, outcome="closed")


def tunnels():
    def wrap(frame):
        return frame[:14] + pcap.ipv4("198.19.0.1", "198.19.0.2", frame[14:], protocol=4)

    packets = [(at, wrap(frame)) for at, frame in connection()]
    equal(replay(capture(packets)).records, [], "without --tunnels")
    holds(one(replay(capture(packets), "--tunnels")), src_ip="198.18.0.9", outcome="closed", src_bytes=10, dst_bytes=20)


def fragments():
    def cut(frame, size):
        header, payload = bytearray(frame[14:34]), frame[34:]
        pieces = []
        for at in range(0, len(payload), size):
            piece = payload[at:at + size]
            more = 0x2000 if at + size < len(payload) else 0
            struct.pack_into(">HHH", header, 2, 20 + len(piece), 99, at // 8 | more)
            pieces.append(frame[:14] + bytes(header) + piece)
        return pieces

    for order in (1, -1):
        packets = []
        for at, frame in connection(sent=100, received=200):
            packets += [(at, piece) for piece in cut(frame, 8)[::order]]
        holds(one(replay(capture(packets))), src_bytes=100, dst_bytes=200, src_packets=5, dst_packets=3,
              outcome="closed", gaps=[])


def events():
    packets = connection() + connection(("198.18.0.8", 1), at=1)[:5]
    equal([r["event"] for r in replay(capture(packets)).records], ["close", "exit"], "by default")
    result = replay(capture(packets), "--events", "open,close,exit")
    equal([r["event"] for r in result.records], ["open", "open", "close", "exit"], "all")
    holds(result.records[0], outcome="open", handshake_ns=11 * MS, duration_ns=11 * MS)
    equal(result.records[0]["id"], result.records[2]["id"], "id of both records of one connection")
    equal([r["event"] for r in replay(capture(packets), "--events", "exit").records], ["exit"], "exit only")


def host_on_request():
    """`host` follows `event` (docs/record.md), is absent without --host, and is escaped."""
    record = one(replay(capture(connection()), "--host", "db1.example"))
    equal(list(record)[3:6], ["event", "host", "role"], "keys")
    holds(record, host="db1.example")
    holds(one(replay(capture(connection()))), host=None)
    holds(one(replay(capture(connection()), "--host", 'a"b\n\x1b')), host='a"b\n\x1b')
    for name in ("", "x" * 254):
        equal(replay(capture(connection()), "--host", name).status, 2, f"{len(name)} bytes are no name")


def filters_and_counts():
    packets = connection() + connection(("198.18.0.8", 1), ("198.18.0.1", 443), at=1)
    result = replay(capture(packets), "-D", "443")
    equal([r["dst_port"] for r in result.records], [443], "ports")
    check("1 written" in result.errors and "1 filtered" in result.errors, "accounting: " + result.errors)
    for networks, count in (("198.18.0.8", 1), ("198.18.0.1/32", 2), ("fd00::/8,198.18.0.8/31", 2), ("198.19.0.0/16", 0)):
        equal(len(replay(capture(packets), "--net", networks).records), count, "--net " + networks)
    client = ("198.18.0.7", 7)
    packets += connection(client, at=2)[:1] + [(2, packet(SERVER, client, RST | ACK, 0, 1001))]
    equal([r["outcome"] for r in replay(capture(packets), "-x").records], ["refused"], "-x")
    equal(len(replay(capture(packets), "-x", "--outcome", "reset,timeout").records), 0, "-x and --outcome")
    equal(len(replay(capture(packets), "-n", "1").records), 1, "-n 1")
    equal(replay(capture(packets), "-q").errors, "", "-q")


def fails_if_any():
    """Status 6 if a record matched, unless the input broke (1)."""
    whole = capture(connection())
    for arguments, status in ((["--fail-if-any"], 6), (["-x", "--fail-if-any"], 0), (["-D", "80", "--fail-if-any"], 6),
                              (["--events", "open", "--fail-if-any"], 6), (["-D", "81", "--fail-if-any"], 0),
                              (["-n", "1", "--fail-if-any"], 6)):
        equal(replay(whole, *arguments).status, status, f"status with {arguments}")
    equal(replay(whole[:-1], "--fail-if-any").status, 1, "status of a broken file with a record")
    for arguments, status in (([], 6), (["-x"], 0)):
        command = [replay_harness.NETRACKER, "replay", "--summary", "--fail-if-any", *arguments, "-"]
        equal(subprocess.run(command, input=whole, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             check=False).returncode, status, f"status of the summary with {arguments}")


def broken_files():
    """A file that is cut anywhere gives the records up to the cut, one line with the error, and status 1."""
    whole = capture(connection())
    for length in range(len(whole)):
        result = replay(whole[:length])
        at_boundary = result.status == 0
        equal(result.status, 0 if at_boundary else 1, f"status when cut at {length}")
        lines = [line for line in result.errors.splitlines() if "cannot read" in line or "broken after" in line]
        equal(len(lines), 0 if at_boundary else 1, f"lines when cut at {length}: {result.errors}")
        if length >= 24 + 16 + 54:
            equal(len(result.records), 1, f"records when cut at {length}")
            check(replay_harness.balances(result.errors), "accounting")


def not_a_capture():
    for content in (b"", b"hello, world\n" * 10, b"\0" * 100):
        result = replay(content)
        equal((result.status, result.records, len(result.errors.splitlines())), (1, [], 1), "not a capture")
        check(result.errors.startswith("netracker: "), result.errors)
    result = replay(None, file="/nonexistent.pcap")
    equal((result.status, len(result.errors.splitlines())), (1, 1), "no such file")
    check("/nonexistent.pcap" in result.errors and "No such file" in result.errors, result.errors)
    result = replay(capture([], link_type=189))
    equal((result.status, len(result.errors.splitlines())), (1, 1), "a link type that is not read")
    check("USB_LINUX" in result.errors, result.errors)
    result = replay(b"")
    check("the file is empty" in result.errors, result.errors)


def random_bytes():
    """Random bytes never cause a crash, and every record is accounted for."""
    generator = random.Random(5)
    whole = capture(connection() + connection(("fd00::9", 1), ("fd00::1", 2), at=1))
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(generator.choice((1, 4, 20))):
            data[generator.randrange(24, len(data))] = generator.randrange(256)
        result = replay(bytes(data), "--tunnels")
        check(result.status in (0, 1), f"status {result.status}")
        check(replay_harness.balances(result.errors), "accounting: " + result.errors)


def hangups(terminal=False, file=True, ignored=False):
    """Replays a stream that has one connection, then a SIGHUP, then another. Returns the status and records by file."""
    with tempfile.TemporaryDirectory() as directory:
        out, moved = os.path.join(directory, "out"), os.path.join(directory, "moved")
        controller, follower = os.openpty() if terminal else (None, None)

        def prepare():
            os.setsid()
            signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
            if terminal:
                fcntl.ioctl(follower, termios.TIOCSCTTY, 0)

        target = ["-o", out] if file else []
        process = subprocess.Popen([replay_harness.NETRACKER, "replay", "-f", "json", "--events", "open", *target, "-"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   preexec_fn=prepare, pass_fds=[follower] if terminal else [])
        whole = capture(connection() + connection(("198.18.0.8", 1234), at=1))
        first, rest = len(capture(connection()[:4])), len(capture(connection()[:5]))
        process.stdin.write(whole[:first])
        process.stdin.flush()
        wait_until_asleep(process.pid)
        if os.path.exists(out):
            os.rename(out, moved)
        if terminal:
            os.close(follower)
            os.close(controller)
        else:
            process.send_signal(signal.SIGHUP)
        wait_until_asleep(process.pid)
        try:
            process.stdin.write(whole[first:rest])
            process.stdin.write(whole[rest:])
            process.stdin.close()
        except BrokenPipeError:
            pass
        process.stdin = None
        output = process.communicate(timeout=60)[0]
        found = [count_lines(path) for path in (moved, out)] if file else [len(output.splitlines())]
        return process.returncode, found


def wait_until_asleep(pid):
    """Waits until the process has read all input and sleeps in read()."""
    def asleep():
        with open(f"/proc/{pid}/stat") as file:
            state = file.read().rpartition(")")[2].split()[0]
        with open(f"/proc/{pid}/wchan") as file:
            where = file.read()
        return state == "Z" or (state == "S" and ("pipe" in where or "partner" in where))

    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not asleep():
        time.sleep(0.01)


def count_lines(path):
    if not os.path.exists(path):
        return None
    with open(path, "rb") as file:
        data = file.read()
    check(not data or data.endswith(b"}\n"), "whole lines")
    return len([replay_harness.record_of(line) for line in data.splitlines()])


def hung_up():
    """SIGHUP: with -o the file is opened again, and no record is lost. Without -o or its terminal replay ends."""
    equal(hangups(), (0, [1, 1]), "-o: one record in each file")
    if replay_harness.EMULATED:
        replay_harness.skip("nohup: under qemu-user even a signal that is ignored breaks off read()")
    else:
        equal(hangups(file=False, ignored=True), (0, [2]), "nohup: it continues")
    equal(hangups(ignored=True), (0, [1, 1]), "nohup and -o")
    equal(hangups(terminal=True), (0, [1, None]), "-o, without its terminal: it ends")


class Files:
    """Captures in files of a temporary folder."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()

    def add(self, name, data):
        path = os.path.join(self.folder.name, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.cleanup()


def several_files():
    """Pieces of one capture, as tcpdump -C writes them, give the same as the whole, wherever it is cut."""
    packets = connection() + connection(("198.18.0.8", 2), at=0.0005) + connection(("fd00::9", 1), ("fd00::1", 2), at=3)
    packets.sort(key=lambda pair: pair[0])
    for rules in ([], ["--like", "zeek", "-C"], ["--events", "open,close,exit"]):
        whole = replay(capture(packets), *rules)
        for cut in range(len(packets) + 1):
            with Files() as files:
                pieces = [files.add("1", capture(packets[:cut])), files.add("2", capture(packets[cut:]))]
                result = replay(b"", *rules, file=pieces)
                equal((result.status, result.output, result.errors), (0, whole.output, whole.errors), f"{rules} at {cut}")
                result = replay(capture(packets[cut:]), *rules, file=[pieces[0], "-"])
                equal((result.status, result.output, result.errors), (0, whole.output, whole.errors), f"{rules} at {cut}, -")


def several_files_of_different_kinds():
    """Each file has another link type and format."""
    ethernet = connection()
    raw = [(at, data[14:]) for at, data in ethernet]
    with Files() as files:
        result = replay(None, file=[files.add("1", capture(ethernet[:4])), files.add("2", capture(raw[4:], link_type=101))])
    equal((result.status, len(result.records)), (0, 1), "one connection")
    holds(result.records[0], outcome="closed", src_bytes=10, dst_bytes=20)


def several_files_broken():
    """A broken file gives one error, the other files are read, and the status is 1."""
    first, second = connection(), connection(("198.18.0.8", 2), at=5)
    with Files() as files:
        good, cut = files.add("good", capture(second)), files.add("cut", capture(first)[:-1])
        for bad, count, words in ((cut, 2, "broken after packet"), (files.add("empty", b""), 1, "the file is empty"),
                                  (files.add("text", b"hello, world\n"), 1, "unknown file format"),
                                  (files.add("usb", capture([], link_type=189)), 1, "USB_LINUX"),
                                  (files.folder.name, 1, "Is a directory"), (good + "x", 1, "No such file")):
            result = replay(None, "-q", file=[bad, good])
            equal((result.status, len(result.records)), (1, count), words)
            equal(len(result.errors.splitlines()), 1, result.errors)
            check(bad in result.errors and words in result.errors, result.errors)
        result = replay(None, file=[good + "x", good + "y"])
        equal((result.status, result.output, len(result.errors.splitlines())), (1, b"", 2), "none can be read")
        out = os.path.join(files.folder.name, "out")
        replay(None, "-o", out, file=[good + "x"])
        check(not os.path.exists(out), "no output without input")


def several_files_in_a_wrong_order():
    first, second = connection(), connection(("198.18.0.8", 2), at=5)
    with Files() as files:
        one, two = files.add("one", capture(first)), files.add("two", capture(second))
        equal(len(replay(None, file=[two, one]).records), 2, "records")
        for rules in ([], ["--like", "zeek", "-C"]):
            result = replay(None, *rules, file=[two, one])
            equal((result.status, len(result.errors.splitlines())), (0, 2), result.errors)
            check(f"{one}: begins 5.0" in result.errors and "order" in result.errors, result.errors)
            equal(replay(None, "-q", *rules, file=[two, one]).errors, "", "-q")


def several_files_with_a_count():
    """Files after the last record of -n are not opened."""
    with Files() as files:
        one = files.add("one", capture(connection() + connection(("198.18.0.8", 2), at=500)))
        result = replay(None, "-n", "1", file=[one, one + "x"])
    equal((result.status, len(result.records)), (0, 1), "-n 1")


def times_at_the_limits():
    """Seconds are unsigned, so the limit is 2106, not 2038. A fraction of any size gives no time before 1970."""
    def of(seconds, fraction, magic=0xa1b23c4d):
        frame = packet(CLIENT, SERVER, SYN, 1)
        header = struct.pack("<IHHiIII", magic, 2, 4, 0, 0, 262144, pcap.ETHERNET)
        return replay(header + struct.pack("<IIII", seconds, fraction, len(frame), len(frame)) + frame)

    equal(one(of(0x7fffffff, 5))["start"], "2038-01-19T03:14:07.000000005Z", "the last second of 31 bits")
    equal(one(of(0x80000000, 5))["start"], "2038-01-19T03:14:08.000000005Z", "the next one")
    equal(one(of(0xffffffff, 999999999))["start"], "2106-02-07T06:28:15.999999999Z", "the last of all")
    for fraction in (0x80000000, 0xffffffff):
        for magic in (0xa1b23c4d, 0xa1b2c3d4):
            record = one(of(0, fraction, magic))
            check(record["start"] < "1970-01-01T02", f"{fraction}: {record['start']}")
            equal(record.get("duration_ns", 0), 0, f"{fraction}: duration")


def interrupted(data, signal_number, *arguments):
    """Replays a pipe with these bytes, sends a signal while replay waits for more, and returns the result."""
    process = subprocess.Popen([replay_harness.NETRACKER, "replay", "-f", "json", *arguments, "-"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(data)
    process.stdin.flush()
    wait_until_asleep(process.pid)
    process.send_signal(signal_number)
    process.wait(timeout=60)
    process.stdout, process.stderr = process.stdout.read(), process.stderr.read()
    return replay_harness.Result(process)


def stopped_while_waiting():
    """SIGINT and SIGTERM end replay with status 0 and the records so far, wherever the bytes stop."""
    header, whole = len(capture([])), capture(connection()[:5])
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        for rules in ([], ["--like", "zeek", "-C"]):
            result = interrupted(whole, signal_number, *rules)
            equal((result.status, [r["outcome"] for r in result.records]), (0, ["open"]), f"{signal_number} {rules}")
            equal(accounting(result), (1, 0), "opened, written")
    for length in (0, 1, header - 1, header, header + 1, header + 16, header + 17, len(whole) - 1):
        result = interrupted(whole[:length], signal.SIGTERM)
        check(result.status == 0 and "broken" not in result.errors and "cannot read" not in result.errors,
              f"{length} bytes: {result.status} {result.errors}")
    with open(os.path.join(replay_harness.ROOT, "tests", "replay", "captures", "fmt_pcapng_nsec.pcapng"), "rb") as file:
        pcapng = file.read()
    for length in (3, 12, 30, 200, len(pcapng) - 3):
        result = interrupted(pcapng[:length], signal.SIGINT)
        check(result.status == 0 and "broken" not in result.errors and "cannot read" not in result.errors,
              f"pcapng, {length} bytes: {result.status} {result.errors}")


def stopped_before_the_first_byte():
    """open() of a named pipe waits for a writer."""
    with tempfile.TemporaryDirectory() as directory:
        fifo = os.path.join(directory, "fifo")
        os.mkfifo(fifo)
        process = subprocess.Popen([replay_harness.NETRACKER, "replay", fifo], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        wait_until_asleep(process.pid)
        process.terminate()
        equal((process.communicate(timeout=60), process.returncode), ((b"", b""), 0), "SIGTERM")


def many_connections():
    packets = []
    for port in range(20000, 25000):
        packets += connection(("198.18.0.9", port), at=port / 1000)
    result = replay(capture(sorted(packets, key=lambda pair: pair[0])))
    equal(accounting(result), (5000, 5000), "opened, written")
    check(all(r["outcome"] == "closed" and r["src_bytes"] == 10 for r in result.records), "records")
    equal(len({r["src_port"] for r in result.records}), 5000, "ports")


if __name__ == "__main__":
    replay_harness.run([closed, ipv6, reset, refused, refused_and_tried_again, half_open_scan, reset_after_both_fins, unanswered,
                        unanswered_synack, established_has_no_limit, still_open, waiting_at_the_end, one_fin_only, port_reused,
                        last_packets_after_the_end, begins_in_the_middle, socket_connected_to_itself,
                        capture_with_gaps, more_than_four_gigabytes, vlan_tags, tunnels, fragments, events,
                        host_on_request, filters_and_counts, fails_if_any, broken_files, not_a_capture, random_bytes, hung_up,
                        several_files, several_files_of_different_kinds, several_files_broken,
                        several_files_in_a_wrong_order, several_files_with_a_count, times_at_the_limits,
                        stopped_while_waiting, stopped_before_the_first_byte, many_connections])
