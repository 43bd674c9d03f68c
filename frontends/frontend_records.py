# SPDX-License-Identifier: GPL-2.0-or-later
"""What the front-ends' programs tell, as records: keys, their order and meanings are those of docs/record.md."""
import base64
import hashlib
import json
import socket
import struct
import time

from interface import printable

KEYS = """v id event role family src_ip src_port dst_ip dst_port community_id netns ifname vlan pid comm uid owner_by start
duration_ns first_fin_ns wire_duration_ns syn_synack_ns synack_ack_ns handshake_ns syn_finack_ns accept_wait_ns outcome
ended_by history src_bytes dst_bytes seen complete gaps""".split()
ENDS = "src", "dst"
IPV4_MAPPED = bytes(10) + b"\xff\xff"  # RFC 4291 2.5.5.2
CLOCK_TRIES = 4
ABSENT = None, -1  # -1: of struct nt_result, and of times in eunomia's events


def community_id(ends):
    first, second = sorted(ends)
    hashed = b"\0\0" + first[0] + second[0] + struct.pack("!BBHH", socket.IPPROTO_TCP, 0, first[1], second[1])
    return "1:" + base64.b64encode(hashlib.sha1(hashed).digest()).decode()


def boot_to_utc():
    """CLOCK_REALTIME less CLOCK_BOOTTIME. Who is interrupted between the readings is off by as long: the best of some."""
    readings = []
    for _ in range(CLOCK_TRIES):
        before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        utc = time.clock_gettime_ns(time.CLOCK_REALTIME)
        apart = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - before
        readings.append((apart, utc - before - apart // 2))
    return min(readings)[1]


def start_text(start_ns):
    """RFC 3339 of a moment of CLOCK_BOOTTIME."""
    utc = start_ns + boot_to_utc()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(utc // 10**9)) + ".%09dZ" % (utc % 10**9)


def record(role, ends, start_ns, gaps, **known):
    """ends: address (16 bytes, IPv4 mapped) and port of src and dst. start_ns: CLOCK_BOOTTIME."""
    is_ipv4 = all(bytes(address).startswith(IPV4_MAPPED) for address, _ in ends)
    ends = [(bytes(address)[12 * is_ipv4:], port) for address, port in ends]
    family, text = ("ipv4", socket.AF_INET) if is_ipv4 else ("ipv6", socket.AF_INET6)
    identity = repr((role, ends, start_ns, known.get("netns"))).encode()
    for end, (address, port) in zip(ENDS, ends):
        known.update({end + "_ip": socket.inet_ntop(text, address), end + "_port": port})
    known.update(v=1, id=hashlib.sha1(identity).hexdigest()[:16], event="close", role=role, family=family,
                 community_id=community_id(ends), start=start_text(start_ns), complete=not gaps, gaps=gaps)
    return {key: known[key] for key in KEYS if known.get(key) not in ABSENT}


def word(name):
    """No byte of it can be taken for another."""
    return printable(name.replace("\\", "\\x5c")).replace(" ", "\\x20")


def line_of(found, is_json):
    """None: the seed's line has nothing to say of it."""
    if is_json:
        return json.dumps(found, separators=(",", ":"))
    names = ["[%s]:%d" if ":" in found[end + "_ip"] else "%s:%d" for end in ENDS]
    ends = " -> ".join(name % (found[end + "_ip"], found[end + "_port"]) for name, end in zip(names, ENDS))
    if found["role"] != "observer":
        return "[SOCK] Duration (%s) for %s: %d ns, pid %s %s" % (
            found["role"], ends, found["duration_ns"], found.get("pid", "-"), word(found.get("comm", "-")))
    if "syn_finack_ns" not in found:
        return None
    return "[TC] Total RTT (SYN - FIN-ACK) for %s: %d ns" % (ends, found["syn_finack_ns"])
