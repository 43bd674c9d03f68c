"""What the programs tell, as records: the keys and their order are those of docs/record.md."""
import base64
import datetime
import hashlib
import json
import socket
import struct
import time

OUTCOMES = "closed", "reset", "refused", "timeout", "unreachable", "expired", "open"
ENDS = "src", "dst"
ROLES = "client", "server", "observer"
MARK_SIMULTANEOUS = 8
NO_VLAN = 0xffff
ABSENT = -1  # of struct nt_summary
MOST_BYTES_PER_NS = 100  # no link carries more: where that fits into 32 bits, sequence numbers did not go round
SYN_SENT, FIN_WAIT2, LAST_ACK, CLOSING = 2, 5, 9, 11  # include/net/tcp_states.h


def span(start, end):
    """Where both moments were seen."""
    return end - start if start and end and end >= start else None


def unmapped(address):
    return address[12:] if address[:12] == bytes(10) + b"\xff\xff" else address


def community_id(*endpoints):
    first, second = sorted((unmapped(address), port) for address, port in endpoints)
    hashed = b"\0\0" + first[0] + second[0] + struct.pack("!BBHH", socket.IPPROTO_TCP, 0, first[1], second[1])
    return "1:" + base64.b64encode(hashlib.sha1(hashed).digest()).decode()


def identity(*parts):
    """FNV-1a, 64 bits."""
    digest = 0xcbf29ce484222325
    for byte in b"".join(parts):
        digest = (digest ^ byte) * 0x100000001b3 & (1 << 64) - 1
    return "%016x" % digest


def start_text(start_ns):
    """RFC 3339 of a moment of CLOCK_BOOTTIME."""
    utc = start_ns + time.clock_gettime_ns(time.CLOCK_REALTIME) - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    second = datetime.datetime.fromtimestamp(utc // 10**9, datetime.timezone.utc)
    return second.strftime("%Y-%m-%dT%H:%M:%S") + ".%09dZ" % (utc % 10**9)


def beginning(role, src, dst, start, *context):
    """The keys up to community_id. src, dst: address, port."""
    ends = b"".join(address + struct.pack("=H", port) for address, port in (src, dst))
    names = [socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)
             for address in (unmapped(src[0]), unmapped(dst[0]))]
    return {"v": 1, "id": identity(*context, ends, struct.pack("=Q", start)), "event": "close", "role": role,
            "family": "ipv4" if len(unmapped(src[0])) == 4 else "ipv6", "src_ip": names[0], "src_port": src[1],
            "dst_ip": names[1], "dst_port": dst[1], "community_id": community_id(src, dst)}


def known(record):
    return {key: value for key, value in record.items() if value not in (None, ABSENT)}


def is_half_open(view):
    return OUTCOMES[view.summary.outcome] == "timeout"


def of_observed(view, netns, ifname, most_bytes):
    """most_bytes(): what the interface carried, no side of the connection can have sent more."""
    wire, summary = view.connection, view.summary
    is_exact = (wire.last_seen_ns - wire.syn_ns) * MOST_BYTES_PER_NS < 1 << 32 or most_bytes() < 1 << 32
    gaps = ["direction"] * bool(wire.marks & MARK_SIMULTANEOUS)
    gaps += ["bytes_mod_4g"] * (any(sent >= 0 for sent in summary.bytes) and not is_exact)
    values = {
        "netns": netns, "ifname": ifname, "vlan": None if wire.vlan == NO_VLAN else wire.vlan,
        "start": start_text(summary.start_ns), "duration_ns": summary.duration_ns,
        "first_fin_ns": summary.first_end_ns, "wire_duration_ns": summary.duration_ns,
        "syn_synack_ns": summary.syn_synack_ns, "synack_ack_ns": summary.synack_ack_ns,
        "handshake_ns": summary.handshake_ns, "syn_finack_ns": summary.syn_finack_ns,
        "outcome": OUTCOMES[summary.outcome], "ended_by": ENDS[summary.ended_by] if summary.ended_by >= 0 else None,
        "history": wire.history[:wire.history_length].decode("ascii"),
        "src_bytes": summary.bytes[0] if is_exact else None, "dst_bytes": summary.bytes[1] if is_exact else None}
    src, dst = (bytes(view.src), view.src_port), (bytes(view.dst), view.dst_port)
    return known({**beginning("observer", src, dst, summary.start_ns, struct.pack("=I", netns)), **values,
                  "seen": ["wire"], "complete": not gaps, "gaps": gaps})


def ending(view):
    """Outcome, ended_by, as far as the socket's states tell; whether it was a time-out or a RST sent, they do not."""
    remote = "dst" if ROLES[view.role] == "client" else "src"
    if view.reset_received and view.old_state not in (LAST_ACK, CLOSING):
        return "refused" if view.old_state == SYN_SENT else "reset", remote
    if view.old_state in (FIN_WAIT2, LAST_ACK, CLOSING):
        return "closed", {"src": "dst", "dst": "src"}[remote] if view.local_fin_first else remote
    return None, None


def of_socket(view):
    role = ROLES[view.role]
    ends = (bytes(view.local), view.local_port), (bytes(view.remote), view.remote_port)
    src, dst = ends if role == "client" else ends[::-1]
    outcome, ended_by = ending(view)
    owner = {"pid": view.owner.pid, "comm": view.owner.comm.decode("utf-8", "backslashreplace"), "uid": view.owner.uid,
             "owner_by": {"client": "connect", "server": "accept"}[role]} if view.owner.pid else {}
    gaps = [] if owner else ["owner"]
    return known({
        **beginning(role, src, dst, view.start_ns), **owner,
        "start": start_text(view.start_ns), "duration_ns": span(view.start_ns, view.close_ns),
        "first_fin_ns": span(view.start_ns, view.first_fin_ns),
        "handshake_ns": span(view.start_ns, view.established_ns) if role == "client" else None,
        "accept_wait_ns": span(view.established_ns, view.accepted_ns),
        "outcome": outcome, "ended_by": ended_by,
        "seen": ["socket"] + ["calls"] * view.calls, "complete": not gaps, "gaps": gaps})


def endpoint(record, end):
    address = record[end + "_ip"]
    return "%s:%d" % ("[%s]" % address if ":" in address else address, record[end + "_port"])


def printable(name):
    return "".join(letter if "!" <= letter <= "~" and letter != "\\" else
                   "".join("\\x%02x" % byte for byte in letter.encode()) for letter in name)


def line_of(record, is_json):
    """None: the seed's line has nothing to say of it."""
    if is_json:
        return json.dumps(record, separators=(",", ":"))
    tuple_text = "%s -> %s" % (endpoint(record, "src"), endpoint(record, "dst"))
    if record["role"] == "observer":
        figure = record.get("syn_finack_ns")
        return None if figure is None else "[TC] Total RTT (SYN - FIN-ACK) for %s: %d ns" % (tuple_text, figure)
    return "[SOCK] Duration (%s) for %s: %d ns, pid %s %s" % (
        record["role"], tuple_text, record["duration_ns"], record.get("pid", "-"), printable(record.get("comm", "-")))
