# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes captures packet by packet. Times are in seconds since START."""
import socket
import struct

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
CLIENT, SERVER = ("198.18.0.9", 40000), ("198.18.0.1", 80)
START = 1_700_000_000
ETHERNET = 1


def tcp(source, destination, flags, sequence, acknowledgement=0, payload=b""):
    return struct.pack(">HHIIBBHHH", source[1], destination[1], sequence & 0xffffffff, acknowledgement & 0xffffffff,
                       5 << 4, flags, 8192, 0, 0) + payload


def ipv4(source, destination, payload, protocol=6):
    return struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0x4000, 64, protocol, 0,
                       socket.inet_aton(source), socket.inet_aton(destination)) + payload


def ipv6(source, destination, payload, protocol=6):
    return struct.pack(">IHBB16s16s", 6 << 28, len(payload), protocol, 64,
                       socket.inet_pton(socket.AF_INET6, source),
                       socket.inet_pton(socket.AF_INET6, destination)) + payload


def ethernet(payload, ethertype=0x0800):
    return b"\x02\0\0\0\0\2\x02\0\0\0\0\1" + struct.pack(">H", ethertype) + payload


def packet(source, destination, *arguments, **more):
    """An Ethernet frame with a TCP segment between two (address, port)."""
    segment = tcp(source, destination, *arguments, **more)
    if ":" in source[0]:
        return ethernet(ipv6(source[0], destination[0], segment), 0x86dd)
    return ethernet(ipv4(source[0], destination[0], segment))


def capture(packets, link_type=ETHERNET):
    """The bytes of a pcap file with nanoseconds. packets: (time, frame) or (time, frame, captured bytes)."""
    out = [struct.pack("<IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, 262144, link_type)]
    for time, frame, *cut in packets:
        captured = frame[:cut[0]] if cut else frame
        nanoseconds = START * 1_000_000_000 + round(time * 1_000_000_000)
        out.append(struct.pack("<IIII", nanoseconds // 1_000_000_000, nanoseconds % 1_000_000_000, len(captured),
                               len(frame)))
        out.append(captured)
    return b"".join(out)


def connection(client=CLIENT, server=SERVER, at=0.0, isn=1000, sent=10, received=20):
    """The packets of a connection of 60 ms that the client closes first."""
    c, s = isn, isn + 50000
    return [
        (at + 0.000, packet(client, server, SYN, c)),
        (at + 0.010, packet(server, client, SYN | ACK, s, c + 1)),
        (at + 0.011, packet(client, server, ACK, c + 1, s + 1)),
        (at + 0.020, packet(client, server, ACK | PSH, c + 1, s + 1, b"q" * sent)),
        (at + 0.030, packet(server, client, ACK | PSH, s + 1, c + 1 + sent, b"a" * received)),
        (at + 0.040, packet(client, server, FIN | ACK, c + 1 + sent, s + 1 + received)),
        (at + 0.050, packet(server, client, FIN | ACK, s + 1 + received, c + 2 + sent)),
        (at + 0.060, packet(client, server, ACK, c + 2 + sent, s + 2 + received)),
    ]


# ---- blocks of pcapng; order: the byte order of the section, as in the module struct ----

def block(kind, body, order="<"):
    body += b"\0" * (-len(body) % 4)
    return struct.pack(order + "II", kind, 12 + len(body)) + body + struct.pack(order + "I", 12 + len(body))


def section(order="<"):
    return block(0x0a0d0d0a, struct.pack(order + "IHHq", 0x1a2b3c4d, 1, 0, -1), order)


def option(code, value, order="<"):
    return struct.pack(order + "HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


def interface(link_type=ETHERNET, snap_length=262144, options=b"", order="<"):
    return block(1, struct.pack(order + "HHI", link_type, 0, snap_length) + options, order)


def enhanced(ticks, frame, number=0, order="<", length=None, options=b""):
    return block(6, struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xffffffff, len(frame),
                                length or len(frame)) + frame + b"\0" * (-len(frame) % 4) + options, order)


def obsolete(ticks, frame, number=0, order="<", options=b""):
    return block(2, struct.pack(order + "HHIIII", number, 0, ticks >> 32, ticks & 0xffffffff, len(frame), len(frame)) +
                 frame + b"\0" * (-len(frame) % 4) + options, order)


def simple(frame, length=None, order="<"):
    return block(3, struct.pack(order + "I", length or len(frame)) + frame, order)


def microseconds(time):
    return START * 1_000_000 + round(time * 1_000_000)
