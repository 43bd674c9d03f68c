# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes records of what the front-ends' programs report. Keys, their order and meaning are those of docs/record.md."""
import base64
import functools
import hashlib
import json
import os
import socket
import struct
import time

from interface import printable

KEYS = """v id time event role family src_ip src_port dst_ip dst_port community_id netns netns_name ifname vlan pid comm uid
owner_by start duration_ns first_fin_ns wire_duration_ns syn_synack_ns synack_ack_ns handshake_ns syn_finack_ns accept_wait_ns outcome
ended_by history src_bytes dst_bytes seen complete gaps""".split()
SIDES = "src", "dst"
IPV4_MAPPED = bytes(10) + b"\xff\xff"  # RFC 4291 2.5.5.2
CLOCK_TRIES = 4
ABSENT = None, -1  # -1: an unknown value in struct nt_result, an unknown time in eunomia's events


def community_id(endpoints):
    first, second = sorted(endpoints)
    hashed = b"\0\0" + first[0] + second[0] + struct.pack("!BBHH", socket.IPPROTO_TCP, 0, first[1], second[1])
    return "1:" + base64.b64encode(hashlib.sha1(hashed).digest()).decode()


def boot_to_utc():
    """Returns CLOCK_REALTIME minus CLOCK_BOOTTIME, in ns. An interrupt between the readings makes the difference wrong
    by its duration, so the tightest of several readings counts."""
    readings = []
    for _ in range(CLOCK_TRIES):
        before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        utc = time.clock_gettime_ns(time.CLOCK_REALTIME)
        apart = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - before
        readings.append((apart, utc - before - apart // 2))
    return min(readings)[1]


@functools.lru_cache(maxsize=1)
def read_namespace_names(second):
    """Returns the names of network namespaces by their inode numbers. The same second gives the names read first."""
    del second
    names = {}
    for entry in os.scandir(b"/run/netns") if os.path.isdir("/run/netns") else ():
        try:
            inode = entry.stat().st_ino
        except OSError:
            continue  # it was removed meanwhile
        names[inode] = min(entry.name, names.get(inode, entry.name))
    return {inode: name.decode("utf-8", "backslashreplace") for inode, name in names.items()}


def time_text(utc):
    """Formats a time of CLOCK_REALTIME, in ns, as RFC 3339."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(utc // 10**9)) + ".%09dZ" % (utc % 10**9)


def record(role, endpoints, start_ns, gaps, **known):
    """Makes a record. endpoints: address (16 bytes, IPv4 mapped) and port of src and dst. start_ns: CLOCK_BOOTTIME.
    known: other keys with their values, among them duration_ns; absent ones are None or -1."""
    is_ipv4 = all(bytes(address).startswith(IPV4_MAPPED) for address, _ in endpoints)
    endpoints = [(bytes(address)[12 * is_ipv4:], port) for address, port in endpoints]
    family, text = ("ipv4", socket.AF_INET) if is_ipv4 else ("ipv6", socket.AF_INET6)
    identity = repr((role, endpoints, start_ns, known.get("netns"))).encode()
    for side, (address, port) in zip(SIDES, endpoints):
        known.update({side + "_ip": socket.inet_ntop(text, address), side + "_port": port})
    start = start_ns + boot_to_utc()
    known.update(v=2, id=hashlib.sha1(identity).hexdigest()[:16], event="close", role=role, family=family,
                 community_id=community_id(endpoints), start=time_text(start), time=time_text(start + known["duration_ns"]),
                 netns_name=read_namespace_names(int(time.monotonic())).get(known.get("netns")), complete=not gaps,
                 gaps=gaps)
    return {key: known[key] for key in KEYS if known.get(key) not in ABSENT}


def escape_word(name):
    """Escapes a name without ambiguity: backslashes and spaces, too."""
    return printable(name.replace("\\", "\\x5c")).replace(" ", "\\x20")


def format_record(found, is_json):
    """Returns the record as a line of JSON, or as a trace line. None if there is no trace line for it."""
    if is_json:
        return json.dumps(found, separators=(",", ":"))
    formats = ["[%s]:%d" if ":" in found[side + "_ip"] else "%s:%d" for side in SIDES]
    endpoints = " -> ".join(text % (found[side + "_ip"], found[side + "_port"]) for text, side in zip(formats, SIDES))
    if found["role"] != "observer":
        return "[SOCK] Duration (%s) for %s: %d ns, pid %s %s" % (
            found["role"], endpoints, found["duration_ns"], found.get("pid", "-"), escape_word(found.get("comm", "-")))
    if "syn_finack_ns" not in found:
        return None
    return "[TC] Total RTT (SYN - FIN-ACK) for %s: %d ns" % (endpoints, found["syn_finack_ns"])
