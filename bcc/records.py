"""What the programs tell, as records: the keys and their order are those of docs/record.md."""
import base64
import ctypes
import datetime
import hashlib
import json
import socket
import struct
import time

OUTCOMES = "closed", "reset", "refused", "timeout", "unreachable", "expired", "open"
ENDS = "src", "dst"
ROLES = "client", "server", "observer"
MARK_SELF, MARK_SIMULTANEOUS = 4, 8
NO_VLAN = 0xffff
MOST_BYTES_PER_NS = 100  # no link carries more: where that fits into 32 bits, sequence numbers did not go round
SYN_SENT, FIN_WAIT2, LAST_ACK, CLOSING = 2, 5, 9, 11  # include/net/tcp_states.h


class Key(ctypes.Structure):  # core/key.h
    _fields_ = [("address", (ctypes.c_ubyte * 16) * 2), ("port", ctypes.c_uint16 * 2), ("netns", ctypes.c_uint32)]


class Connection(ctypes.Structure):  # core/connection.h
    _fields_ = [*((name, ctypes.c_uint64) for name in ("first_ns", "last_change_ns", "last_seen_ns", "syn_ns",
                                                       "synack_ns", "ack_ns")),
                ("fin_ns", ctypes.c_uint64 * 2), ("rst_ns", ctypes.c_uint64), ("sequences", ctypes.c_uint32 * 6),
                ("vlan", ctypes.c_uint16), ("side", ctypes.c_uint8 * 2), ("src_index", ctypes.c_uint8),
                ("marks", ctypes.c_uint8), ("first_end", ctypes.c_uint8), ("history_length", ctypes.c_uint8),
                ("letters", ctypes.c_uint8 * 2), ("history", ctypes.c_ubyte * 30)]


class Observed(ctypes.Structure):  # netracker.c
    _fields_ = [("key", Key), ("connection", Connection), ("bytes", ctypes.c_uint32 * 2),
                ("bytes_known", ctypes.c_uint8 * 2), ("outcome", ctypes.c_uint8), ("ended_by", ctypes.c_int8),
                ("padding", ctypes.c_uint32)]

    is_established = property(lambda self: OUTCOMES[self.outcome] != "timeout")


class Socket(ctypes.Structure):  # socket.c
    _fields_ = [*((name, ctypes.c_uint64) for name in ("start_ns", "established_ns", "accepted_ns", "first_fin_ns",
                                                       "close_ns")),
                ("local", ctypes.c_ubyte * 16), ("remote", ctypes.c_ubyte * 16), ("local_port", ctypes.c_uint16),
                ("remote_port", ctypes.c_uint16), ("pid", ctypes.c_uint32), ("uid", ctypes.c_uint32),
                ("comm", ctypes.c_char * 16), ("role", ctypes.c_uint8), ("old_state", ctypes.c_uint8),
                ("local_fin_first", ctypes.c_uint8), ("calls", ctypes.c_uint8), ("reset_received", ctypes.c_uint8)]


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
    return {key: value for key, value in record.items() if value is not None}


def of_observed(view, ifname, most_bytes):
    """most_bytes(): what the interface carried, no side of the connection can have sent more."""
    wire, key = view.connection, view.key
    source = wire.src_index
    answerer = source if wire.marks & MARK_SELF else 1 - source
    src, dst = ((bytes(key.address[index]), key.port[index]) for index in (source, answerer))
    duration = span(wire.syn_ns, wire.last_change_ns)
    ends = [moment for moment in (*wire.fin_ns, wire.rst_ns) if moment]
    is_exact = (wire.last_seen_ns - wire.syn_ns) * MOST_BYTES_PER_NS < 1 << 32 or most_bytes() < 1 << 32
    sent = [view.bytes[end] if view.bytes_known[end] and is_exact else None for end in (0, 1)]
    gaps = ["direction"] * bool(wire.marks & MARK_SIMULTANEOUS)
    gaps += ["bytes_mod_4g"] * (any(view.bytes_known) and not is_exact)
    one_ack = wire.marks & (MARK_SELF | MARK_SIMULTANEOUS)
    return known({
        **beginning("observer", src, dst, wire.syn_ns, struct.pack("=I", key.netns)),
        "netns": key.netns, "ifname": ifname, "vlan": None if wire.vlan == NO_VLAN else wire.vlan,
        "start": start_text(wire.syn_ns), "duration_ns": duration,
        "first_fin_ns": span(wire.syn_ns, min(ends, default=0)), "wire_duration_ns": duration,
        "syn_synack_ns": span(wire.syn_ns, wire.synack_ns),
        "synack_ack_ns": None if one_ack else span(wire.synack_ns, wire.ack_ns),
        "handshake_ns": span(wire.syn_ns, wire.ack_ns), "syn_finack_ns": span(wire.syn_ns, wire.fin_ns[answerer]),
        "outcome": OUTCOMES[view.outcome], "ended_by": None if view.ended_by < 0 else ENDS[view.ended_by],
        "history": bytes(wire.history[:wire.history_length]).decode("ascii"),
        "src_bytes": sent[0], "dst_bytes": sent[1], "seen": ["wire"], "complete": not gaps, "gaps": gaps})


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
    gaps = [] if view.pid else ["owner"]
    return known({
        **beginning(role, src, dst, view.start_ns), "pid": view.pid or None,
        "comm": view.comm.decode("utf-8", "backslashreplace") if view.pid else None,
        "uid": view.uid if view.pid else None,
        "owner_by": {"client": "connect", "server": "accept"}[role] if view.pid else None,
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
