#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netracker ship to collectors of IPFIX: one that this test has, Wireshark's dissector, and nfcapd."""
import collections
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests", "query"), os.path.join(ROOT, "tests", "replay")]
from ipfix_reader import Collector  # noqa: E402
from made_history import RECORDS, in_ns, new_folder, run_tests, write_history  # noqa: E402
from replay_harness import check, equal, skip  # noqa: E402
import test_redact  # noqa: E402
from ship_run import Ship, new_cursors  # noqa: E402

FIN, SYN, RST, ACK = 1, 2, 4, 16
# Zeek's letters, and the flags that they stand for.
HISTORIES = {"ShFf": (FIN | SYN, FIN | SYN | ACK), "Sr": (SYN, RST), "ShADadR": (SYN | ACK | RST, SYN | ACK), "S": (SYN, 0)}
FORCED, IDLE, DETECTED = 4, 1, 3


def varied(chance, values):
    values = dict(values, seen=chance.choice([["wire"], ["wire", "socket"]]))
    if chance.random() < 0.7:
        values.update(src_packets=chance.randrange(1, 2**33), dst_packets=chance.choice([0, 1, 77, 2**33]))
    if chance.random() < 0.7:
        values["history"] = chance.choice(list(HISTORIES))
    if chance.random() < 0.3:
        values["ifname"] = chance.choice(["eth0", "a-name-of-15-by"])
    if chance.random() < 0.2:
        values["vlan"] = chance.randrange(1, 4095)
    if values["role"] == "observer":
        values["seen"] = ["wire"]
    if chance.random() < 0.05:  # open before the tracker
        values.update(gaps=["start", "direction"], complete=False)
        del values["start"], values["duration_ns"]
    return values


MADE = [varied(random.Random(number), values) for number, values in enumerate(RECORDS)]


def is_exported(values):
    return values["event"] == "close" or (values["event"] == "exit" and "socket" not in values["seen"])


def end_reason(values):
    if values["event"] == "exit":
        return FORCED
    return IDLE if values["outcome"] == "expired" or (values["outcome"] == "timeout" and "handshake_ns" in values) else DETECTED


def flags(values, side):
    has_ack = values.get(("src", "dst")[side] + "_bytes")
    return HISTORIES[values["history"]][side] | (ACK if has_ack else 0)


def volume(values, side, prefix=""):
    name = ("src", "dst")[side]
    flow = {prefix + flow_name: values[name + key] for flow_name, key in (("octets", "_bytes"), ("packets", "_packets"))
            if name + key in values}
    if "history" in values:
        flow[prefix + "flags"] = flags(values, side)
    return flow


def flow_of(values, side):
    """One direction's flow: side 0 is from src to dst."""
    a, b = ("src", "dst") if side == 0 else ("dst", "src")
    flow = {"src_ip": values[a + "_ip"], "dst_ip": values[b + "_ip"], "src_port": values[a + "_port"],
            "dst_port": values[b + "_port"], "protocol": 6, "end_reason": end_reason(values)}
    end = in_ns(values["time"])
    if "start" in values:
        flow["start_ms"] = in_ns(values["start"]) // 10**6
        end = in_ns(values["start"]) + values["duration_ns"]
    flow["end_ms"] = end // 10**6
    if values["role"] != "observer":
        flow["direction"] = int((values["role"] == "client") == (side == 0))
    if "vlan" in values:
        flow["vlan"] = values["vlan"]
    if "ifname" in values:
        flow["interface"] = values["ifname"]
    return {**flow, **volume(values, side)}


def has_answered(values):
    if "dst_packets" in values:
        return values["dst_packets"] > 0
    return "handshake_ns" in values or values["outcome"] not in ("timeout", "unreachable", "unanswered")


def uniflows(records):
    for values in filter(is_exported, records):
        yield flow_of(values, 0)
        if has_answered(values):
            yield flow_of(values, 1)


def biflows(records):
    for values in filter(is_exported, records):
        yield {**flow_of(values, 0), "biflow_direction": int("direction" not in values["gaps"]),
               **volume(values, 1, "reverse_")}


FLOWS = list(uniflows(MADE))
HISTORY, SHORT_HISTORY = new_folder("flows"), new_folder("short")
# Over UDP no more than a collector's socket holds, however long another program has the processor.
SHORT = MADE[:1800]
VERY_SHORT = MADE[:700]
SHORT_FLOWS = list(uniflows(SHORT))


def same_flows(flows, expected, what):
    """The collector has these flows, in this order."""
    equal(len(flows), len(expected), what + ": flows")
    for number, (flow, wanted) in enumerate(zip(flows, expected)):
        if flow != wanted:
            check(False, "%s: flow %d is %s, expected %s" % (what, number, flow, wanted))
            return
    check(True, what)


@contextlib.contextmanager
def collector(**options):
    made = Collector(**options)
    try:
        yield made
    finally:
        made.close()
    equal(made.errors, [], "messages against RFC 7011")


def ship(url, *arguments, folder=None, cursors=None):
    return Ship(url, *arguments, folder=folder or HISTORY, cursors=cursors or new_cursors()).end()


def all_sent(done, what, count=len(MADE)):
    equal((done.status, done.accounting), (0, (count, 0, 0, 0)), what + ": " + done.errors)


# ---- this test's collector ----

def over_tcp():
    with collector() as taker:
        cursors = new_cursors()
        all_sent(ship("ipfix://127.0.0.1:%d/4000000000" % taker.port, "--batch", "500", cursors=cursors), "TCP")
        taker.wait_for_flows(len(FLOWS))
        same_flows(taker.flows, FLOWS, "TCP")
        equal([reader.domains for reader in taker.readers], [{4000000000}], "one connection, the domain of the URL")
        equal(taker.readers[0].template_count, len(taker.readers[0].templates), "templates are sent once")
        all_sent(ship("ipfix://127.0.0.1:%d/4000000000" % taker.port, cursors=cursors), "nothing new", 0)
    equal(len(taker.readers), 1, "no connection without records")


def over_udp():
    with collector(is_udp=True, family=socket.AF_INET6) as taker:
        all_sent(ship("ipfix+udp://[::1]:%d" % taker.port, folder=SHORT_HISTORY), "UDP over IPv6", len(SHORT))
        taker.wait_for_flows(len(SHORT_FLOWS))
        same_flows(taker.flows, SHORT_FLOWS, "UDP")
        reader = taker.readers[0]
        check(max(reader.sizes) <= 1400, "the largest datagram has %d bytes" % max(reader.sizes))
        equal(reader.domains, {0}, "the domain")
        check(reader.template_count > len(reader.templates), "templates are repeated: %d" % reader.template_count)


def as_biflows():
    with collector() as taker:
        all_sent(ship("ipfix://localhost:%d" % taker.port, "--biflow"), "biflows")
        expected = list(biflows(MADE))
        taker.wait_for_flows(len(expected))
        same_flows(taker.flows, expected, "RFC 5103")


def redacted():
    """The addresses, which are numbers here, are those that test_redact computes; the reverse flow has the same."""
    folder = new_folder("key")
    os.mkdir(folder)
    path, records = test_redact.key_file(folder), list(map(test_redact.shipped, SHORT))
    for arguments, expected in (([], uniflows(records)), (["--biflow"], biflows(records))):
        with collector() as taker:
            all_sent(ship("ipfix://127.0.0.1:%d" % taker.port, "--redact", path, *arguments, folder=SHORT_HISTORY), "redacted", len(SHORT))
            expected = list(expected)
            taker.wait_for_flows(len(expected))
            same_flows(taker.flows, expected, "redacted")


# ---- failures ----

def nobody_listens():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    for scheme in ("ipfix", "ipfix+udp"):
        done = ship("%s://127.0.0.1:%d" % (scheme, port), "-t", "2")
        equal((done.status, done.accounting), (1, (0, 0, len(MADE), 0)), scheme + ": nobody listens")
        check("Connection refused" in done.errors, done.errors)


def collector_that_comes_back():
    folder, cursors = new_folder("collector"), new_cursors()
    write_history(folder, MADE[:50])
    with collector() as taker:
        running = Ship("ipfix://127.0.0.1:%d" % taker.port, "--interval", "0.1", folder=folder, cursors=cursors, once=False)
        first = list(uniflows(MADE[:50]))
        taker.wait_for_flows(len(first))
        taker.end_connection()
        write_history(folder, MADE[50:100])
        everything = first + list(uniflows(MADE[50:100]))
        taker.wait_for_flows(len(everything))
        running.process.send_signal(signal.SIGTERM)
        running.end(timeout=10)
        equal((running.status, running.accounting), (0, (100, 0, 0, 0)), running.errors)
        same_flows(taker.flows, everything, "over two connections")
        equal(len(taker.readers), 2, "a connection after the other")


def collector_that_is_killed():
    """What it had not read is lost to it; the batch is sent again as a whole."""
    with collector() as taker:
        taker.bytes_until_reset = 1000
        all_sent(ship("ipfix://127.0.0.1:%d" % taker.port, "--batch", "5000"), "a connection that is reset")
        taker.wait_for_flows(len(FLOWS))
        same_flows(taker.readers[1].flows, FLOWS, "after a reset")
        equal(taker.readers[0].flows, [], "before it")


def udp_collector_that_comes_late():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    running = Ship("ipfix+udp://127.0.0.1:%d" % port, "-t", "20", folder=SHORT_HISTORY, cursors=new_cursors())
    check("Connection refused" in running.process.stderr.readline(), "it is said that nobody listens")
    with collector(is_udp=True, port=port) as taker:
        taker.readers[0].sequence = None
        all_sent(running.end(), "a collector that comes late", len(SHORT))
        taker.wait_for_flows(len(SHORT_FLOWS))
        same_flows(taker.flows, SHORT_FLOWS, "UDP after refusals")


def collector_that_does_not_read():
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        began = time.monotonic()
        done = ship("ipfix://127.0.0.1:%d" % listener.getsockname()[1], "-t", "2", "--timeout", "0.5")
        equal((done.status, done.accounting), (1, (0, 0, len(MADE), 0)), done.errors)
        check("no answer in time" in done.errors and time.monotonic() - began < 30, done.errors)


def collector_that_talks():
    """What it sends without end is not read without end."""
    def talk(connection):
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(b"x" * 65536)

    folder, cursors = new_folder("talk"), new_cursors()
    write_history(folder, MADE[:50])
    taker = Collector()
    with contextlib.closing(taker):
        running = Ship("ipfix://127.0.0.1:%d" % taker.port, "--interval", "0.1", folder=folder, cursors=cursors, once=False)
        taker.wait_for_flows(len(list(uniflows(MADE[:50]))))
        for _ in range(4):
            threading.Thread(target=talk, args=(taker.connection,), daemon=True).start()
        write_history(folder, MADE[50:100])
        taker.wait_for_flows(len(list(uniflows(MADE[:100]))))
        running.process.send_signal(signal.SIGTERM)
        running.end(timeout=10)
        equal((running.status, running.accounting), (0, (100, 0, 0, 0)), running.errors)
        same_flows(taker.flows, list(uniflows(MADE[:100])), "beside what it sends")
    # The end of a connection with bytes that were not read is a reset.
    equal([error for error in taker.errors if "ConnectionResetError" not in error], [], "messages against RFC 7011")


def wrong_urls():
    for url, text in (("ipfix://h/x", "observation domain"), ("ipfix://h/4294967296", "observation domain"),
                      ("ipfix://user@h", "no users"), ("ipfix+tcp://h", "ipfix")):
        done = ship(url)
        equal(done.status, 2, url)
        check(text in done.errors, done.errors)


# ---- Wireshark ----

def checksum(data):
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def capture_of(messages, is_udp):
    """A pcap file of raw IPv4 packets to port 4739."""
    packets, sequence = [struct.pack(">IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)], 1
    for number, message in enumerate(messages):
        ports = struct.pack(">HH", 40000, 4739)
        if is_udp:
            segment = ports + struct.pack(">HH", 8 + len(message), 0) + message
        else:
            segment = ports + struct.pack(">IIBBHHH", sequence, 1, 0x50, 0x18, 65535, 0, 0) + message
            sequence += len(message)
        header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(segment), number & 0xFFFF, 0, 64, 17 if is_udp else 6, 0,
                             b"\x7f\0\0\1", b"\x7f\0\0\1")
        header = header[:10] + struct.pack(">H", checksum(header)) + header[12:]
        packets.append(struct.pack(">IIII", number, 0, len(header + segment), len(header + segment)) + header + segment)
    return b"".join(packets)


FIELDS = {"cflow.srcport": "src_port", "cflow.dstport": "dst_port", "cflow.octets": "octets", "cflow.packets": "packets",
          "cflow.direction": "direction", "cflow.flow_end_reason": "end_reason", "cflow.vlanid": "vlan",
          "cflow.if_name": "interface", "cflow.biflow_direction": "biflow_direction"}
COMPLAINTS = ["_ws.malformed", "cflow.unexpected_sequence_number", "cflow.no_template_found"]


def values_of(flows, name):
    """Wireshark shows those of the reverse direction (RFC 5103) under the same name."""
    return collections.Counter(str(flow[key]) for flow in flows for key in (name, "reverse_" + name) if key in flow)


def wireshark_reads(messages, is_udp, expected, what):
    path = new_folder("messages.pcap")
    with open(path, "wb") as file:
        file.write(capture_of(messages, is_udp))
    fields = [word for field in [*FIELDS, *COMPLAINTS] for word in ("-e", field)]
    done = subprocess.run(["tshark", "-r", path, "-T", "fields", "-E", "separator=;", *fields], capture_output=True, text=True,
                          timeout=60, check=False)
    equal(done.returncode, 0, what + ": " + done.stderr)
    lines = [line.split(";") for line in done.stdout.splitlines()]
    equal([line[len(FIELDS):] for line in lines if any(line[len(FIELDS):])], [], what + ": Wireshark's complaints")
    for column, (field, name) in enumerate(FIELDS.items()):
        read = [value for line in lines for value in line[column].split(",") if value]
        wanted = values_of(expected, name)
        check(collections.Counter(read) == wanted, "%s: %s: %d values, expected %d" % (what, field, len(read), wanted.total()))


def by_wireshark():
    if not shutil.which("tshark"):
        return skip("Wireshark: tshark is not installed")
    with collector(is_udp=True) as taker:
        ship("ipfix+udp://127.0.0.1:%d" % taker.port, folder=SHORT_HISTORY)
        taker.wait_for_flows(len(SHORT_FLOWS))
        wireshark_reads(taker.messages, True, SHORT_FLOWS, "UDP")
    with collector() as taker:
        ship("ipfix://127.0.0.1:%d" % taker.port, "--biflow")
        expected = list(biflows(MADE))
        taker.wait_for_flows(len(expected))
        wireshark_reads(taker.messages, False, expected, "TCP")


# ---- nfdump ----

def free_udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        return unused.getsockname()[1]


def wait_until_bound(port, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with open("/proc/net/udp", encoding="ascii") as file:
            if any(line.split()[1].endswith(":%04X" % port) for line in file.readlines()[1:]):
                return True
        time.sleep(0.02)
    return check(False, "nfcapd listens")


def nfdump_reads(history, *arguments):
    folder, port = new_folder("nfcapd%d" % len(arguments)), free_udp_port()
    os.mkdir(folder)
    capturing = subprocess.Popen(["nfcapd", "-b", "127.0.0.1", "-p", str(port), "-w", folder, "-t", "3600"],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        wait_until_bound(port)
        all_sent(ship("ipfix+udp://127.0.0.1:%d" % port, *arguments, folder=history), "nfcapd", len(VERY_SHORT))
    finally:
        # It reads what its socket holds before it ends.
        capturing.terminate()
        errors = capturing.communicate(timeout=20)[1]
    check("Sequence Errors: 0, Bad Packets: 0" in errors, errors[-300:])
    done = subprocess.run(["nfdump", "-R", folder, "-o", "json"], capture_output=True, text=True, timeout=60, check=False,
                          env=dict(os.environ, TZ="UTC"))
    return json.loads(done.stdout)


def in_nfdump(flow):
    """It shows 0 for what it does not know."""
    suffix = "6" if ":" in flow["src_ip"] else "4"
    start, end = flow.get("start_ms", 0), flow["end_ms"]
    return (flow["src_ip"], flow["dst_ip"], suffix, flow["src_port"], flow["dst_port"], 6, start, end, flow.get("octets", 0),
            flow.get("packets", 0), flow.get("reverse_octets", 0), flow.get("reverse_packets", 0))


def from_nfdump(flow):
    suffix = "6" if "src6_addr" in flow else "4"

    def ms(name):
        return in_ns(flow[name] + "000000") // 10**6

    return (flow["src%s_addr" % suffix], flow["dst%s_addr" % suffix], suffix, flow["src_port"], flow["dst_port"], flow["proto"],
            ms("first"), ms("last"), flow["in_bytes"], flow["in_packets"], flow.get("out_bytes", 0), flow.get("out_packets", 0))


def by_nfdump():
    if not shutil.which("nfcapd"):
        return skip("nfdump: it is not installed")
    history = new_folder("very-short")
    write_history(history, VERY_SHORT)
    for arguments, expected in (((), list(uniflows(VERY_SHORT))), (("--biflow",), list(biflows(VERY_SHORT)))):
        found = collections.Counter(map(from_nfdump, nfdump_reads(history, *arguments)))
        wanted = collections.Counter(map(in_nfdump, expected))
        equal((list((found - wanted).items())[:2], list((wanted - found).items())[:2]), ([], []), "nfdump %s" % (arguments,))


def main():
    write_history(HISTORY, MADE)
    write_history(SHORT_HISTORY, SHORT)
    run_tests([over_tcp, over_udp, as_biflows, redacted, nobody_listens, collector_that_comes_back, collector_that_is_killed,
               udp_collector_that_comes_late, collector_that_does_not_read, collector_that_talks,
               wrong_urls, by_wireshark, by_nfdump])


main()
