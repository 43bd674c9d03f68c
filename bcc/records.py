"""What the programs tell, as records: keys, their order and meanings are those of docs/record.md."""
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
OUTCOMES = "closed", "reset", "refused", "timeout", "unreachable", "expired", "open"
ENDS = "src", "dst"
ROLES = "client", "server", "observer"
MARK_SIMULTANEOUS = 8
NO_VLAN = 0xffff
IPV4_MAPPED = bytes(10) + b"\xff\xff"  # RFC 4291 2.5.5.2
ABSENT = None, -1  # -1: of struct nt_summary
SEQUENCE_NUMBERS = 1 << 32


def community_id(ends):
    first, second = sorted(ends)
    hashed = b"\0\0" + first[0] + second[0] + struct.pack("!BBHH", socket.IPPROTO_TCP, 0, first[1], second[1])
    return "1:" + base64.b64encode(hashlib.sha1(hashed).digest()).decode()


def start_text(start_ns):
    """RFC 3339 of a moment of CLOCK_BOOTTIME."""
    utc = start_ns + time.clock_gettime_ns(time.CLOCK_REALTIME) - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(utc // 10**9)) + ".%09dZ" % (utc % 10**9)


def record(summary, role, ends, gaps, **known):
    """ends: address and port of src and dst."""
    is_ipv4 = all(bytes(address).startswith(IPV4_MAPPED) for address, _ in ends)
    ends = [(bytes(address)[12 * is_ipv4:], port) for address, port in ends]
    family, text = ("ipv4", socket.AF_INET) if is_ipv4 else ("ipv6", socket.AF_INET6)
    identity = repr((role, ends, summary.start_ns, known.get("netns"))).encode()
    for end, (address, port) in zip(ENDS, ends):
        known.update({end + "_ip": socket.inet_ntop(text, address), end + "_port": port})
    known.update(
        v=1, id=hashlib.sha1(identity).hexdigest()[:16], event="close", role=role, family=family,
        community_id=community_id(ends), start=start_text(summary.start_ns), first_fin_ns=summary.first_end_ns,
        outcome=OUTCOMES[summary.outcome] if summary.outcome >= 0 else None,
        ended_by=ENDS[summary.ended_by] if summary.ended_by >= 0 else None, complete=not gaps, gaps=gaps)
    return {key: value for key in KEYS if (value := known.get(key, getattr(summary, key, None))) not in ABSENT}


def of_observed(view, netns, ifname, most_bytes):
    """most_bytes(): what the interface carried, no side of the connection can have sent more."""
    wire, summary, key = view.connection, view.summary, bytes(view.key)
    ends = [(key[16 * index:16 * index + 16], struct.unpack_from("=H", key, 32 + 2 * index)[0]) for index in summary.index]
    is_exact = summary.most_bytes < SEQUENCE_NUMBERS or most_bytes() < SEQUENCE_NUMBERS
    gaps = ["direction"] * bool(wire.marks & MARK_SIMULTANEOUS)
    gaps += ["bytes_mod_4g"] * (any(sent >= 0 for sent in summary.bytes) and not is_exact)
    src_bytes, dst_bytes = summary.bytes if is_exact else ABSENT
    return record(summary, "observer", ends, gaps, netns=netns, ifname=ifname, src_bytes=src_bytes, dst_bytes=dst_bytes,
                  vlan=None if wire.vlan == NO_VLAN else wire.vlan, wire_duration_ns=summary.duration_ns,
                  history=wire.history[:wire.history_length].decode("ascii"), seen=["wire"])


def of_socket(view):
    one, owner, role = view.socket, view.socket.owner, ROLES[view.socket.role]
    ends = (one.local, one.local_port), (one.remote, one.remote_port)
    known = {"seen": ["socket"] + ["calls"] * view.calls}
    if owner.process.pid:
        known.update(pid=owner.process.pid, comm=owner.comm.decode("utf-8", "backslashreplace"), uid=owner.uid,
                     owner_by={"client": "connect", "server": "accept"}[role])
    if one.established_ns and view.accepted_ns >= one.established_ns:
        known.update(accept_wait_ns=view.accepted_ns - one.established_ns)
    return record(view.summary, role, ends if role == "client" else ends[::-1], [] if owner.process.pid else ["owner"], **known)


def line_of(found, is_json):
    """None: the seed's line has nothing to say of it."""
    if is_json:
        return json.dumps(found, separators=(",", ":"))
    names = ["[%s]:%d" if ":" in found[end + "_ip"] else "%s:%d" for end in ENDS]
    ends = " -> ".join(name % (found[end + "_ip"], found[end + "_port"]) for name, end in zip(names, ENDS))
    if found["role"] != "observer":
        return "[SOCK] Duration (%s) for %s: %d ns, pid %s %s" % (
            found["role"], ends, found["duration_ns"], found.get("pid", "-"), printable(found.get("comm", "-")))
    if "syn_finack_ns" not in found:
        return None
    return "[TC] Total RTT (SYN - FIN-ACK) for %s: %d ns" % (ends, found["syn_finack_ns"])
