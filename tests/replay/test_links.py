#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""One connection in every link type, layer and tunnel that replay reads gives the same record."""
import collections
import re
import shutil
import struct
import subprocess
import tempfile

import replay_harness
import pcap
from replay_harness import check, equal, holds, replay
from pcap import ETHERNET, SERVER, connection, ethernet, ipv4, ipv6

IPV4, IPV6 = (("198.18.0.9", 40000), SERVER), (("fd00::9", 40000), ("fd00::1", 80))
MACS = b"\x02\0\0\0\0\1\x02\0\0\0\0\2"
SNAP = b"\xaa\xaa\x03\0\0\0"
CONTENTS = {"outcome": "closed", "conn_state": "SF", "src_bytes": 10, "dst_bytes": 20, "src_packets": 5,
            "dst_packets": 3, "handshake_ns": 11_000_000, "duration_ns": 50_000_000, "gaps": []}


def is_ipv6(packet):
    return packet[0] >> 4 == 6


def typed(packet):
    """The packet after its EtherType."""
    return (b"\x86\xdd" if is_ipv6(packet) else b"\x08\0") + packet


def bridged(packet):
    return MACS + typed(packet)


def ppp(packet):
    return (b"\0\x57" if is_ipv6(packet) else b"\0\x21") + packet


def family(packet, ipv6_number):
    return ipv6_number if is_ipv6(packet) else 2


def pppoe(packet):
    return b"\x11\0\0\1" + struct.pack(">H", len(packet) + 2) + ppp(packet)


def nflog(packet, order):
    attributes = b"".join(struct.pack(order + "HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)
                          for kind, value in ((1, b"\x08\0\3\0"), (10, b"prefix\0"), (9, packet)))
    return bytes([family(packet, 10), 0, 0, 7]) + attributes


def radio(packet, control=b"\x08\1", more=b""):
    return control + b"\0\0" + MACS + b"\2\0\0\0\0\3\x10\0" + more + SNAP + typed(packet)


def radiotap(frame):
    return struct.pack("<BBHI", 0, 0, 13, 1 << 1 | 1 << 2) + b"\0\x0c\0\0\0" + frame


def nsh(packet, kind=None, metadata=b"\0" * 16):
    length = (8 + len(metadata)) // 4
    return bytes([0x0f, 0xc0 | length, 1 if metadata else 2, kind or (2 if is_ipv6(packet) else 1), 0, 0, 1, 0xff]) + metadata + packet


def nlpid(packet):
    return (b"\x8e" if is_ipv6(packet) else b"\xcc") + packet


def juniper(frame):
    return b"MGC\1" + frame


def pflog(packet, length, ipv6_number, name=b"em0", direction=1):
    header = bytearray((length + 3) & ~3)
    header[:2] = length, family(packet, ipv6_number)
    header[4:4 + len(name)] = name
    header[60 if length > 60 else 44] = direction
    return bytes(header) + packet


LINKS = {
    "Ethernet": (1, bridged),
    "LLC and SNAP": (1, lambda p: MACS + struct.pack(">H", 8 + len(p)) + SNAP + typed(p)),
    "802.1Q": (1, lambda p: MACS + b"\x81\0\0\7" + typed(p)),
    "802.1ad": (1, lambda p: MACS + b"\x88\xa8\0\7\x81\0\0\x08" + typed(p)),
    "PBB": (1, lambda p: MACS + b"\x88\xa8\0\7\x88\xe7\0\0\0\1" + bridged(p)),
    "VN-tag": (1, lambda p: MACS + b"\x89\x26\x80\1\0\0" + typed(p)),
    "VN-tag, then a VLAN": (1, lambda p: MACS + b"\x89\x26\x80\1\0\0\x81\0\0\7" + typed(p)),
    "E-tag": (1, lambda p: MACS + b"\x89\x3f\0\0\0\1\0\0" + typed(p)),
    "FabricPath": (1, lambda p: MACS + b"\x89\3\0\x40" + bridged(p)),
    "PPPoE": (1, lambda p: MACS + b"\x88\x64" + pppoe(p) + b"padding"),
    "MPLS": (1, lambda p: MACS + b"\x88\x47\0\0\x10\x40\0\0\x21\x40" + p),
    "MPLS, upstream labels": (1, lambda p: MACS + b"\x88\x48\0\0\x11\x40" + p),
    "Ethernet over MPLS": (1, lambda p: MACS + b"\x88\x47\0\0\x11\x40" + bridged(p)),
    "Ethernet over MPLS, control word": (1, lambda p: MACS + b"\x88\x47\0\0\x11\x40\0\0\0\0" + bridged(p)),
    "NSH": (1, lambda p: MACS + b"\x89\x4f" + nsh(p)),
    "NSH, Ethernet, no metadata": (1, lambda p: MACS + b"\x89\x4f" + nsh(bridged(p), 3, b"")),
    "Ethernet bridged with SNAP": (1, lambda p: MACS + b"\0\x40\xaa\xaa\3\0\x80\xc2\0\7\0\0" + bridged(p)),
    "DSA with an EtherType": (1, lambda p: MACS + b"\xda\xda\0\0\x40\0\0\7" + typed(p)),
    "DSA": (284, lambda p: MACS + b"\xc0\x10\0\7" + typed(p)),
    "EDSA": (285, lambda p: MACS + b"\xda\xda\0\0\x40\0\0\7" + typed(p)),
    "Broadcom's tag": (281, lambda p: MACS + b"\0\0\0\1" + typed(p)),
    "Broadcom's tag before": (282, lambda p: b"\0\0\0\1" + bridged(p)),
    "frame relay": (107, lambda p: b"\x18\x41\3" + nlpid(p)),
    "frame relay, padding, SNAP": (107, lambda p: b"\x18\x41\3\0\x80\0\0\0" + typed(p)),
    "frame relay, address of 3": (107, lambda p: b"\x18\x40\1\3" + nlpid(p)),
    "frame relay, address of 4": (107, lambda p: b"\x18\x40\0\1\3" + nlpid(p)),
    "frame relay, bridged": (107, lambda p: b"\x18\x41\3\0\x80\0\x80\xc2\0\7" + bridged(p)),
    "frame relay, PPP": (107, lambda p: b"\x18\x41\3\xcf" + ppp(p)),
    "frame relay, Cisco's": (107, lambda p: b"\x18\x41" + typed(p)),
    "frame relay, FRF.12": (107, lambda p: b"\x18\x41\3\xb1\xc0\1\3" + nlpid(p)),
    "frame relay with direction": (206, lambda p: b"\1\x18\x41\3" + nlpid(p)),
    "multilink frame relay": (182, lambda p: b"\xc0\7\x18\x41\3" + nlpid(p)),
    "SLIP": (8, lambda p: b"\1\x40" + b"\0" * 14 + p),
    "SLIP, bare": (8, lambda p: p),
    "SLIP of BSD/OS": (102, lambda p: b"\1" + b"\0" * 15 + p),
    "SLIP of BSD/OS, longer header": (102, lambda p: b"\1" + b"\0" * 23 + p),
    "PFLOG of OpenBSD": (117, lambda p: pflog(p, 100, 24)),
    "PFLOG of FreeBSD": (117, lambda p: pflog(p, 61, 28)),
    "PFLOG of FreeBSD 14": (117, lambda p: pflog(p, 69, 28)),
    "PFLOG of old": (117, lambda p: pflog(p, 45, 24)),
    "IP over Infiniband": (242, lambda p: b"\0" * 40 + typed(p)[:2] + b"\0\0" + p),
    "Juniper, Ethernet": (178, lambda p: juniper(bridged(p))),
    "Juniper, extensions": (178, lambda p: b"MGC\x80\0\x0a\3\1\1\4\1\1\5\2\1\0" + bridged(p)),
    "Juniper, no link layer": (178, lambda p: b"MGC\3\2\0\0\0" + p),
    "Juniper, PPP": (179, lambda p: juniper(b"\xff\3" + ppp(p))),
    "Juniper, frame relay": (180, lambda p: juniper(b"\x18\x41\3" + nlpid(p))),
    "Juniper, HDLC": (181, lambda p: juniper(b"\x0f\0" + typed(p))),
    "Juniper, PPPoE": (167, lambda p: juniper(MACS + b"\x88\x64" + pppoe(p))),
    "Juniper, PPPoE over ATM": (168, lambda p: juniper(b"\x88\x64" + pppoe(p))),
    "Juniper, multilink PPP": (130, lambda p: juniper(b"\0\7" + ppp(p))),
    "Juniper, multilink PPP, a link's": (130, lambda p: juniper(b"\xff\3" + ppp(p))),
    "Juniper, multilink PPP, services": (130, lambda p: juniper(b"\x47\0\0\0\0\0\0\0" + p)),
    "Juniper, multilink frame relay": (131, lambda p: juniper(b"\0\7\3" + nlpid(p))),
    "Juniper, multilink frame relay, padding": (131, lambda p: juniper(b"\0\7\0\3" + nlpid(p))),
    "Juniper, MFR": (134, lambda p: juniper(b"\0\0\0\7\3" + nlpid(p))),
    "Juniper, MFR, a link's": (134, lambda p: juniper(b"\xc0\7\x18\x41\3" + nlpid(p))),
    "Juniper, ATM1": (137, lambda p: juniper(b"\1\0\0\7" + SNAP + typed(p))),
    "Juniper, ATM1, NLPID": (137, lambda p: juniper(b"\1\0\0\7\xfe\xfe\3" + nlpid(p))),
    "Juniper, ATM2": (135, lambda p: juniper(b"\0\0\0\7\0\0\0\0" + SNAP + typed(p))),
    "Juniper, ATM2, IP": (135, lambda p: juniper(b"\0\0\0\7\0\0\0\0" + p)),
    "Juniper, ATM2, PPP": (135, lambda p: juniper(b"\0\0\0\7\0\0\0\0" + ppp(p))),
    "Juniper, GGSN": (133, lambda p: juniper(b"\1\0" + (b"\6" if is_ipv6(p) else b"\2") + b"\0" * 5 + p)),
    "Juniper, ES": (132, lambda p: juniper(b"\0\1\x40\3" + b"\0" * 12 + p)),
    "Juniper, services": (136, lambda p: juniper(b"\x80\0\0\1\0\0\0\7" + p)),
    "Juniper, monitor": (164, lambda p: juniper(b"\1\0\0\1\0\0\0\7" + p)),
    "null": (0, lambda p: struct.pack("<I", family(p, 24)) + p),
    "null, big-endian": (0, lambda p: struct.pack(">I", family(p, 28)) + p),
    "loop": (108, lambda p: struct.pack(">I", family(p, 30)) + p),
    "raw 12": (12, lambda p: p),
    "raw 14": (14, lambda p: p),
    "raw 101": (101, lambda p: p),
    "raw 228, 229": (None, lambda p: p),
    "Linux cooked": (113, lambda p: b"\0\0\0\1\0\6\2\0\0\0\0\1\0\0" + typed(p)),
    "Linux cooked v2": (276, lambda p: typed(p)[:2] + b"\0\0\0\0\0\2\0\1\0\6\2\0\0\0\0\1\0\0" + p),
    "PPP": (9, ppp),
    "PPP, protocol of a byte": (9, lambda p: ppp(p)[1:]),
    "PPP, framed": (9, lambda p: b"\xff\3" + ppp(p)),
    "PPP serial": (50, lambda p: b"\xff\3" + ppp(p)),
    "PPPoE alone": (51, pppoe),
    "PPP of pppd": (166, lambda p: b"\1\3" + ppp(p)),
    "PPP with direction": (204, lambda p: b"\0\xff\3" + ppp(p)),
    "Cisco HDLC": (104, lambda p: b"\x0f\0" + typed(p)),
    "Cisco HDLC with direction": (205, lambda p: b"\0\x0f\0" + typed(p)),
    "FDDI": (10, lambda p: b"\x50" + MACS + SNAP + typed(p)),
    "MPLS alone": (219, lambda p: b"\0\0\x11\x40" + p),
    "NFLOG": (239, lambda p: nflog(p, "<")),
    "802.11": (105, radio),
    "802.11, QoS": (105, lambda p: radio(p, b"\x88\1", b"\0\0")),
    "802.11, four addresses, HT control": (105, lambda p: radio(p, b"\x88\x83", b"\2\0\0\0\0\4" + b"\0" * 6)),
    "802.11 with radiotap": (127, lambda p: radiotap(radio(p)) + b"FCS!"),
    "802.11 with AVS": (163, lambda p: struct.pack(">II", 0x80211001, 64) + b"\0" * 56 + radio(p)),
    "802.11 with Prism": (119, lambda p: struct.pack("<II", 0x44, 144) + b"\0" * 136 + radio(p)),
    "802.11 with PPI": (192, lambda p: struct.pack("<BBHI", 0, 0, 8, 105) + radio(p)),
}


def udp(port, payload, source=50000):
    return struct.pack(">HHHH", source, port, 8 + len(payload), 0) + payload


def gtp(packet, flags=0x30, more=b""):
    return struct.pack(">BBHI", flags, 255, len(more) + len(packet), 77) + more + packet


def gre(packet, flags=0, fields=b"", kind=None):
    return struct.pack(">HH", flags, kind or (0x86dd if is_ipv6(packet) else 0x0800)) + fields + packet


def gpe(packet):
    return bytes([0x0c, 0, 0, 2 if is_ipv6(packet) else 1, 0, 0, 7, 0]) + packet


def l2tp_v2(frame):
    return struct.pack(">HHHHHHH", 0x4a02, 16 + len(frame), 5, 6, 1, 0, 2) + b"pd" + frame


AYIYA = b"\x11\0\0\0\0" + b"identity-of-host" + b"s" * 20

TUNNELS = {
    "IP in IP": (None, lambda p: p),
    "GRE": (47, gre),
    "GRE, key": (47, lambda p: gre(p, 0x2000, b"key!")),
    "GRE, checksum, key, sequence": (47, lambda p: gre(p, 0xb000, b"ck\0\0key!seq!")),
    "GRE, Ethernet": (47, lambda p: gre(bridged(p), kind=0x6558)),
    "PPTP": (47, lambda p: gre(b"\xff\3" + ppp(p), 0x3001, struct.pack(">HHI", len(p) + 4, 1, 9), 0x880b)),
    "PPTP, acknowledging": (47, lambda p: gre(ppp(p), 0x3081, struct.pack(">HHII", len(p) + 2, 1, 9, 8), 0x880b)),
    "ERSPAN II": (47, lambda p: gre(b"\x10\1\0\1\0\0\0\0" + bridged(p), 0x1000, b"\0\0\0\1", 0x88be)),
    "GRE in UDP": (17, lambda p: udp(4754, gre(p))),
    "VXLAN": (17, lambda p: udp(4789, b"\x08\0\0\0\0\0\7\0" + bridged(p))),
    "VXLAN-GPE": (17, lambda p: udp(4790, gpe(p))),
    "Geneve": (17, lambda p: udp(6081, b"\1\0\x65\x58\0\0\7\0\1\1\1\0" + bridged(p))),
    "AYIYA": (17, lambda p: udp(5072, b"\x45\x52" + AYIYA[:1] + (b"\x29" if is_ipv6(p) else b"\4") + AYIYA[1:] + p)),
    "GTP-U": (17, lambda p: udp(2152, gtp(p), 2152)),
    "GTP-U, extension": (17, lambda p: udp(2152, gtp(p, 0x34, b"\0\1\0\x85\1\0\0\0"), 2152)),
    "L2TP": (17, lambda p: udp(1701, b"\0\2\0\5\0\6\xff\3" + ppp(p), 1701)),
    "L2TP, all fields": (17, lambda p: udp(1701, l2tp_v2(b"\xff\3" + ppp(p)), 1701)),
    "L2TPv3, Ethernet": (115, lambda p: b"\0\0\0\x09" + bridged(p)),
    "L2TPv3, cookie of 4": (115, lambda p: b"\0\0\0\x09cook" + bridged(p)),
    "L2TPv3, cookie of 8, sublayer": (115, lambda p: b"\0\0\0\x09cookie-8\x40\0\0\1" + bridged(p)),
    "L2TPv3, VLAN": (115, lambda p: b"\0\0\0\x09\0\0\0\0" + MACS + b"\x81\0\0\7" + typed(p)),
    "L2TPv3, PPP": (115, lambda p: b"\0\0\0\x09cookie-8\xff\3" + ppp(p)),
    "L2TPv3, HDLC": (115, lambda p: b"\0\0\0\x09cook\x0f\0" + typed(p)),
    "L2TPv3, IP": (115, lambda p: b"\0\0\0\x09" + p),
    "L2TPv3 in UDP": (17, lambda p: udp(1701, b"\0\3\0\0\0\0\0\x09cook" + bridged(p), 1701)),
    "CAPWAP, 802.3": (17, lambda p: udp(5247, b"\0\x10\2\0\0\0\0\0" + bridged(p))),
    "CAPWAP, 802.11": (17, lambda p: udp(5247, b"\0\x10\3\0\0\0\0\0" + radio(p))),
    "CAPWAP, 802.11, swapped": (17, lambda p: udp(5247, b"\0\x10\3\0\0\0\0\0" + radio(p, b"\1\x08"))),
    "CAPWAP, radio's address": (17, lambda p: udp(5247, b"\0\x20\3\x10\0\0\0\0\6\2\0\0\0\0\1\0" + radio(p))),
    "TZSP": (17, lambda p: udp(37008, b"\1\0\0\1\1" + bridged(p))),
    "TZSP, 802.11, fields": (17, lambda p: udp(37008, b"\1\0\0\x12\x0a\1\xc9\0\x12\1\6\1" + radio(p))),
    "MPLS in UDP": (17, lambda p: udp(6635, b"\0\0\x10\x40\0\0\x21\x40" + p)),
    "NSH in VXLAN-GPE": (17, lambda p: udp(4790, b"\x0c\0\0\4\0\0\7\0" + nsh(p))),
    "NSH in GRE": (47, lambda p: gre(nsh(p), kind=0x894f)),
    "WCCP": (47, lambda p: gre(p, kind=0x883e)),
    "WCCP, redirect header": (47, lambda p: gre(b"\x80\0\0\5" + p, kind=0x883e)),
    "EtherIP": (97, lambda p: b"\x30\0" + bridged(p)),
    "MPLS in IP": (137, lambda p: b"\0\0\x11\x40" + p),
}
OUTER = ("198.19.0.1", "198.19.0.2"), ("fd01::1", "fd01::2")


def ip_packets(endpoints):
    return [(at, frame[14:]) for at, frame in connection(*endpoints)]


def check_record(result, endpoints, name):
    if len(result.records) != 1:
        check(False, f"{name}: {len(result.records)} records: {result.errors}")
        return
    holds(result.records[0], src_ip=endpoints[0][0], dst_ip=endpoints[1][0], **CONTENTS)


def links():
    for name, (link_type, wrap) in LINKS.items():
        for endpoints in (IPV4, IPV6):
            number = link_type if link_type is not None else 228 if endpoints is IPV4 else 229
            packets = [(at, wrap(packet)) for at, packet in ip_packets(endpoints)]
            check_record(replay(pcap.capture(packets, number)), endpoints, name)


def enclose(protocol, inner, outer):
    return ipv6(*outer, inner, protocol) if ":" in outer[0] else ipv4(*outer, inner, protocol)


def tunnelled(packet, name, outer):
    protocol, wrap = TUNNELS[name]
    if protocol is None:
        protocol = 41 if is_ipv6(packet) else 4
    return enclose(protocol, wrap(packet), outer)


def tunnels():
    """Only with --tunnels; in IPv4 and in IPv6."""
    for name in TUNNELS:
        for outer in OUTER:
            for endpoints in (IPV4, IPV6):
                packets = [(at, bridged(tunnelled(packet, name, outer))) for at, packet in ip_packets(endpoints)]
                check_record(replay(pcap.capture(packets), "--tunnels"), endpoints, name)
        equal(replay(pcap.capture(packets)).records, [], f"{name}: without --tunnels")


def tunnels_in_tunnels():
    for first, second, third in (("GRE", "VXLAN", "IP in IP"), ("GTP-U", "Geneve", "PPTP")):
        packets = [(at, bridged(tunnelled(tunnelled(tunnelled(packet, third, OUTER[0]), second, OUTER[1]), first,
                                          OUTER[0]))) for at, packet in ip_packets(IPV4)]
        check_record(replay(pcap.capture(packets), "--tunnels"), IPV4, f"{first}, {second}, {third}")


def teredo():
    """Teredo is recognised by its addresses, on any port."""
    endpoints = (("2001:0:4137:9e50:8000:f12a:b9c8:2815", 1286), ("fd00::1", 80))
    for before in (b"", b"\0\0\x12\x34\1\2\3\4", b"\0\1\0\0nonce678\0\0\0\x12\x34\1\2\3\4"):
        packets = [(at, bridged(ipv4(*OUTER[0], udp(32900, before + packet, 3797), 17)))
                   for at, packet in ip_packets(endpoints)]
        check_record(replay(pcap.capture(packets), "--tunnels"), endpoints, "Teredo")
    packets = [(at, bridged(ipv4(*OUTER[0], udp(32900, packet, 3797), 17))) for at, packet in ip_packets(IPV6)]
    equal(replay(pcap.capture(packets), "--tunnels").records, [], "IPv6 in UDP that is not Teredo")


# Neither tshark nor tcpdump finds the segments in these.
UNCONFIRMED = {
    "L2TPv3": "the contents are known from the control connection only",
    "Cisco HDLC with direction": "tshark 4.0 does not read the link type",
    "frame relay with direction": "tshark 4.0 does not read the link type",
    "frame relay, FRF.12": "both stop at the fragmentation header",
    "MPLS alone": "tshark 4.0 does not read the link type",
    "Ethernet over MPLS": "tshark guesses another pseudowire",
    "DSA with an EtherType": "both know it by its link type EDSA only",
    "Juniper, MFR": "tcpdump skips two bytes too many",
    "SLIP, bare": "both expect the BSDs' header",
    "SLIP of BSD/OS, longer header": "tcpdump has the short header only, libpcap's filters the long one",
}


def is_unconfirmed(name):
    return any(name.startswith(known) for known in UNCONFIRMED)


def ports_seen_by_tshark(frames, *options):
    """The number of TCP segments that tshark finds by port. frames: [(link type, frame)]."""
    numbers = sorted({link_type for link_type, _ in frames})
    blocks = [pcap.section()] + [pcap.interface(number) for number in numbers]
    blocks += [pcap.enhanced(pcap.microseconds(at / 1000), frame, numbers.index(link_type))
               for at, (link_type, frame) in enumerate(frames)]
    with tempfile.NamedTemporaryFile(suffix=".pcapng") as file:
        file.write(b"".join(blocks))
        file.flush()
        lines = subprocess.run(["tshark", "-n", "-r", file.name, *options, "-Y", "tcp", "-T", "fields", "-e",
                                "tcp.port"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True,
                               timeout=120).stdout
    return collections.Counter(int(port) for line in lines.decode().splitlines() for port in line.split(","))


def ports_seen_by_tcpdump(frames):
    ports = collections.Counter()
    for link_type in {link_type for link_type, _ in frames}:
        packets = [(at / 1000, frame) for at, (kind, frame) in enumerate(frames) if kind == link_type]
        lines = subprocess.run(["tcpdump", "-n", "-r", "-"], input=pcap.capture(packets, link_type),
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False, timeout=120).stdout
        for line in lines.decode().splitlines():
            found = re.search(r"198\.18\.0\.9\.(\d+)(: Flags| > 198\.18\.0\.1\.80: Flags)", line)
            ports[int(found.group(1)) if found else 0] += 1
    return ports


def confirmed_by_others():
    """Other programs find the same segments in the frames that the tests make."""
    if not shutil.which("tshark") or not shutil.which("tcpdump"):
        replay_harness.skip("tshark, tcpdump: not installed; the frames of links and tunnels are not confirmed")
        return
    frames, names = [], {}
    for number, (name, (kind, wrap)) in enumerate([*LINKS.items(), *TUNNELS.items()]):
        client = ("198.18.0.9", 41000 + number)
        names[client[1]] = name
        for _, packet in ip_packets((client, SERVER)):
            if name in LINKS:
                frames.append((228 if kind is None else kind, wrap(packet)))
            else:
                frames.append((1, bridged(tunnelled(packet, name, OUTER[0]))))
    seen = [ports_seen_by_tshark(frames), ports_seen_by_tshark(frames, "-o", "capwap.swap_fc:FALSE"),
            ports_seen_by_tcpdump(frames)]
    for port, name in names.items():
        check(is_unconfirmed(name) or any(ports[port] == 8 for ports in seen), f"{name}: not found by others")


def inside_and_outside():
    """Packets that are alternately inside and outside of a tunnel make one connection."""
    packets = [(at, bridged(tunnelled(packet, "GRE", OUTER[0]) if index % 2 else packet))
               for index, (at, packet) in enumerate(ip_packets(IPV4))]
    check_record(replay(pcap.capture(packets), "--tunnels"), IPV4, "inside and outside")


def subframes():
    """An A-MSDU is one frame with several packets of one side."""
    def subframe(packet):
        body = SNAP + typed(packet)
        return MACS + struct.pack(">H", len(body)) + body

    def amsdu(packets):
        parts = [subframe(packet) for packet in packets]
        body = b"".join(part + b"\0" * (-len(part) % 4) for part in parts[:-1]) + parts[-1]
        return b"\x88\1\0\0" + MACS + b"\2\0\0\0\0\3\x10\0" + b"\x80\0" + body

    packets = ip_packets(IPV4)
    frames = [(packets[0][0], amsdu([packets[0][1]])), (packets[1][0], amsdu([packets[1][1]])),
              (packets[2][0], amsdu([packets[2][1], packets[3][1]])), (packets[4][0], amsdu([packets[4][1]])),
              (packets[5][0], amsdu([packets[5][1]])), (packets[6][0], amsdu([packets[6][1]])),
              (packets[7][0], amsdu([packets[7][1]]))]
    check_record(replay(pcap.capture(frames, 105)), IPV4, "A-MSDU")


def fragments_of(packet, size, identification):
    header, payload = bytearray(packet[:20]), packet[20:]
    for at in range(0, len(payload), size):
        piece = payload[at:at + size]
        struct.pack_into(">HHH", header, 2, 20 + len(piece), identification,
                         at // 8 | (0x2000 if at + size < len(payload) else 0))
        yield bytes(header) + piece


def fragments_and_tunnels():
    """Fragments of the tunnel's packets, of the packets inside, and both."""
    def gre_of(packet):
        return tunnelled(packet, "GRE", OUTER[0])

    def wrap(packet, number):
        for inner in fragments_of(packet, 16, number):
            yield from fragments_of(gre_of(inner), 24, number * 100 + inner[7])

    variants = {
        "around": lambda packet, number: fragments_of(gre_of(packet), 24, number),
        "inside": lambda packet, number: (gre_of(piece) for piece in fragments_of(packet, 16, number)),
        "both": wrap,
    }
    for name, split in variants.items():
        packets = [(at, bridged(piece)) for number, (at, packet) in enumerate(ip_packets(IPV4), 1)
                   for piece in split(packet, number)]
        check(len(packets) > 16, "there are fragments")
        check_record(replay(pcap.capture(packets), "--tunnels"), IPV4, f"fragments {name}")


def capwap_fragments():
    """CAPWAP has fragments of its own, of Ethernet and of 802.11, also out of order."""
    def pieces(frame, native, number):
        for at in range(0, len(frame), 24):
            last = at + 24 >= len(frame)
            yield bytes([0, 0x10, 2 | native, 0xc0 if last else 0x80]) + struct.pack(">HH", number, at) + frame[at:at + 24]

    for native, wrap in ((0, bridged), (1, radio)):
        for order in (1, -1):
            packets = [(at, bridged(ipv4(*OUTER[0], udp(5247, piece), 17)))
                       for number, (at, packet) in enumerate(ip_packets(IPV4))
                       for piece in list(pieces(wrap(packet), native, number))[::order]]
            check(len(packets) > 16, "there are fragments")
            check_record(replay(pcap.capture(packets), "--tunnels"), IPV4, "fragments of CAPWAP")


def fragments_cut_short():
    """Fragments that were not captured whole are not reassembled: only the first fragment counts."""
    def records(snap_length):
        out = [struct.pack("<IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, snap_length, ETHERNET)]
        for index, (_, packet) in enumerate(ip_packets(IPV4)):
            for piece in fragments_of(packet, 24, index):
                frame = ethernet(piece)
                out.append(struct.pack("<IIII", pcap.START, index, min(len(frame), snap_length), len(frame)))
                out.append(frame[:snap_length])
        return replay(b"".join(out)).records

    holds(records(100)[0], src_packets=5, dst_packets=3, src_bytes=10, dst_bytes=20, gaps=[])
    holds(records(14 + 20 + 20)[0], src_packets=5, dst_packets=3, src_bytes=4, dst_bytes=4, gaps=["packets"])


def truncated_headers():
    """A packet counts if its TCP header was captured; the options need not be."""
    packets = connection()
    syn = bytearray(packets[0][1] + b"\2\4\5\xb4")
    struct.pack_into(">H", syn, 16, 44)
    syn[46] = 6 << 4
    for captured, count in ((14 + 20 + 19, 4), (14 + 20 + 20, 5), (len(syn) - 1, 5), (len(syn), 5)):
        out = [struct.pack("<IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, 100, ETHERNET),
               struct.pack("<IIII", pcap.START, 0, captured, len(syn)), bytes(syn)[:captured]]
        for index, (_, frame) in enumerate(packets[1:], 1):
            out.append(struct.pack("<IIII", pcap.START, index, len(frame), len(frame)) + frame)
        holds(replay(b"".join(out)).records[0], src_packets=count)


def wrong_lengths():
    """Where the frame's length or a tunnel's is wrong, the length in the IP header counts."""
    def with_length(frames, change):
        out = [struct.pack("<IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, 262144, ETHERNET)]
        for at, frame in frames:
            captured = frame[:60]
            out.append(struct.pack("<IIII", pcap.START, round(at * 1e9), len(captured), change(len(captured))) + captured)
        return b"".join(out)

    def shorter(packet, by):
        """The packet in a tunnel whose outer length is too short."""
        outer = bytearray(tunnelled(packet, "GRE", OUTER[0]))
        struct.pack_into(">H", outer, 2, len(outer) - by)
        return bytes(outer)

    def udp_length(packet):
        datagram = bytearray(udp(4789, b"\x08\0\0\0\0\0\7\0" + bridged(packet)))
        struct.pack_into(">H", datagram, 4, 9)
        return ipv4(*OUTER[0], bytes(datagram), 17)

    frames = connection(received=200)
    for change in (lambda length: length, lambda length: length - 1, lambda length: 1, lambda length: 0):
        check_lengths(replay(with_length(frames, change)).records, 200)
    for by in (1, 30, 44):
        check_lengths(replay(pcap.capture([(at, bridged(shorter(frame[14:], by))) for at, frame in frames]),
                             "--tunnels").records, 200)
    check_lengths(replay(pcap.capture([(at, bridged(udp_length(frame[14:]))) for at, frame in frames]),
                         "--tunnels").records, 200)
    for length in (0, 1, 42, 65535):
        packets = [(at, MACS + b"\x88\x64\x11\0\0\1" + struct.pack(">H", length) + ppp(frame[14:]))
                   for at, frame in frames]
        check_lengths(replay(pcap.capture(packets)).records, 200)


def check_lengths(records, received):
    equal(len(records), 1, "records")
    holds(records[0], **{**CONTENTS, "dst_bytes": received})


def snap_lengths():
    """Snap lengths that leave out the TCP options or the payload; Zeek needs the options."""
    def options(frame):
        segment = bytearray(frame + b"\1" * 12) if len(frame) == 54 else bytearray(frame[:54] + b"\1" * 12 + frame[54:])
        struct.pack_into(">H", segment, 16, len(segment) - 14)
        segment[46] = 8 << 4
        return bytes(segment)

    for length in (54, 60, 68, 96):
        packets = [(at, options(frame), length) for at, frame in connection()]
        check_record(replay(pcap.capture(packets)), IPV4, f"snap length {length}")
        packets = [(at, frame, length) for at, frame in connection()]
        check_record(replay(pcap.capture(packets)), IPV4, f"snap length {length}, no options")
        holds(replay(pcap.capture(packets), "--like", "zeek", "-C").records[0], src_packets=5, dst_packets=3, conn_state="SF")


def fragments_used_again():
    """The IP identification comes round: after a minute it belongs to another packet."""
    def pieces(packet):
        return list(fragments_of(packet, 24, 7))

    late = ip_packets(IPV4)
    other = ip_packets((("198.18.0.9", 40001), SERVER))
    packets = [(0, bridged(pieces(other[3][1])[0]))]
    packets += [(100 + at, bridged(piece)) for at, packet in late for piece in pieces(packet)]
    result = replay(pcap.capture(packets))
    check_record(result, IPV4, "an identification used again")


def pflog_interface():
    """The name of the interface in PFLOG's header is that of the record."""
    packets = [(at, pflog(packet, 61, 28, b"vtnet0")) for at, packet in ip_packets(IPV4)]
    holds(replay(pcap.capture(packets, 117)).records[0], ifname="vtnet0")


def not_read():
    """Frames that contain no TCP that replay reads."""
    packet = ip_packets(IPV4)[3][1]
    hidden = {
        "ARP": (1, MACS + b"\x08\6" + packet),
        "LLC of another kind": (1, MACS + b"\0\x40\x42\x42\3" + packet),
        "PPPoE discovery": (1, MACS + b"\x88\x63" + pppoe(packet)),
        "an MPLS channel": (1, MACS + b"\x88\x47\0\0\x11\x40\x10\0\0\x21" + packet),
        "LCP": (9, b"\xff\3\xc0\x21" + packet),
        "802.11, encrypted": (105, radio(packet, b"\x08\x41")),
        "802.11, a beacon": (105, radio(packet, b"\x80\0")),
        "802.11 without data": (105, radio(packet, b"\xc8\1", b"\0\0")),
        "another family": (0, struct.pack("<I", 7) + packet),
        "SCTP": (1, bridged(ipv4(*OUTER[0], packet[20:], 132))),
        "GRE with routes": (1, bridged(ipv4(*OUTER[0], gre(packet, 0x4000, b"\0" * 4), 47))),
        "VXLAN without its flag": (1, bridged(ipv4(*OUTER[0], udp(4789, b"\0" * 8 + bridged(packet)), 17))),
        "another port": (1, bridged(ipv4(*OUTER[0], udp(4788, b"\x08\0\0\0\0\0\7\0" + bridged(packet)), 17))),
    }
    for name, (link_type, frame) in hidden.items():
        result = replay(pcap.capture([(0, frame)], link_type), "--tunnels")
        equal((result.status, result.records), (0, []), name)


def said_of(frames, *arguments):
    """What replay says of the packets that it passes over."""
    result = replay(b"".join(frames) if isinstance(frames, list) else frames, *arguments)
    equal(result.status, 0, result.errors)
    lines = [line for line in result.errors.splitlines() if "passed over" in line]
    check(len(lines) <= 1, result.errors)
    return lines[0].split(": ", 2)[2] if lines else ""


def passed_over():
    """Packets that may hold TCP and are not read are counted by kind; other traffic and -q are silent."""
    packet = ip_packets(IPV4)[3][1]
    tunnel = dict(vxlan=udp(4789, b"\0" * 8 + bridged(packet)), source=udp(53, b"\0" * 30, 4789),
                  gre=gre(packet, 0x4000, b"\0" * 4), geneve=udp(6081, b"\0" * 8 + bridged(packet)))
    later = bytearray(bridged(ipv4(*OUTER[0], b"\0" * 24, 6)))
    later[20:22] = b"\0\3"
    kinds = {
        "1 of EtherType 0x88b5": (1, MACS + b"\x88\xb5" + packet),
        "1 encrypted by MACsec": (1, MACS + b"\x88\xe5" + packet),
        "1 of address family 7": (0, struct.pack("<I", 7) + packet),
        "1 of PPP protocol 0x002d": (9, b"\0\x2d" + packet),
        "1 of PPP protocol 0x003d": (9, b"\0\x3d\x80\0\0\1" + ppp(packet)),
        "1 in encrypted 802.11 frames": (105, radio(packet, b"\x08\x41")),
        "1 in 802.11 fragments": (105, radio(packet, b"\x08\x05")),
        "1 fragmented with missing fragments": (1, bytes(later)),
        "1 malformed": (1, bridged(packet[:20] + b"\0" * 20)),
        "1 of unknown format at tunnel port 4789": (1, bridged(ipv4(*OUTER[0], tunnel["vxlan"], 17))),
        "1 of unknown format at tunnel port 6081": (1, bridged(ipv4(*OUTER[0], tunnel["geneve"], 17))),
        "1 of GRE with unknown flags 0x4000": (1, bridged(ipv4(*OUTER[0], tunnel["gre"], 47))),
        "1 encrypted by ESP": (1, bridged(ipv4(*OUTER[0], packet, 50))),
    }
    for text, (link_type, frame) in kinds.items():
        equal(said_of(pcap.capture([(0, frame)], link_type), "--tunnels"), text, text)
        equal(said_of(pcap.capture([(0, frame)], link_type), "--tunnels", "-q"), "", "-q")
    equal(said_of(pcap.capture([(0, bridged(packet), 14 + 20 + 19)])), "1 captured too short", "cut")
    frames = [(0, MACS + struct.pack(">H", 0x9100 + number) + packet) for number in range(1, 20)] * 2
    text = said_of(pcap.capture(frames))
    check(text.startswith("2 of EtherType 0x9101, ") and text.endswith(", 6 of other kinds"), text)


def ordinary_traffic():
    """Traffic other than TCP is not said to be passed over."""
    packet = ip_packets(IPV4)[3][1]
    datagram = ipv4(*OUTER[0], udp(53, b"\0" * 30, 4789), 17)
    later = bytearray(bridged(datagram))
    later[20:22] = b"\0\3"
    discovery = ipv6("fe80::1", "ff02::1", b"\x88" + b"\0" * 23, 58)
    ordinary = [(1, bridged(datagram)), (1, bridged(ipv4(*OUTER[0], b"\x08" + b"\0" * 30, 1))), (1, bridged(discovery)),
                (1, MACS + b"\x08\6" + b"\0" * 46), (1, MACS + b"\x88\xcc" + b"\0" * 46),
                (1, MACS + b"\0\x26\x42\x42\3" + b"\0" * 43), (1, MACS + b"\x88\x63" + pppoe(packet)),
                (1, bytes(later)), (1, bridged(ipv4(*OUTER[0], packet[20:], 132))), (9, b"\xff\3\xc0\x21" + packet),
                (105, radio(packet, b"\x80\0")), (105, radio(packet, b"\xc8\1", b"\0\0"))]
    for link_type, frame in ordinary:
        equal(said_of(pcap.capture([(0, frame)], link_type)), "", frame[:40])
    equal(said_of(pcap.capture([(0, bridged(datagram))]), "--tunnels"), "", "a sender with a tunnel's port")
    equal(said_of(pcap.capture(connection())), "", "TCP")


def mapped_addresses():
    """IPv4-mapped addresses have the Community ID of IPv4. The vectors come from the specification."""
    endpoints = ("128.232.110.120", 34855), ("66.35.250.204", 80)
    six = ("2001:470:e5bf:dead:4957:2174:e82c:4887", 63943), ("2607:f8b0:400c:c03::1a", 25)
    mapped = tuple((f"::ffff:{address}", port) for address, port in endpoints)
    for pair, expected, kind in ((endpoints, "1:LQU9qZlK+B5F3KDmev6m5PMibrg=", "ipv4"),
                                 (mapped, "1:LQU9qZlK+B5F3KDmev6m5PMibrg=", "ipv4"),
                                 (six, "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=", "ipv6")):
        holds(replay(pcap.capture(connection(*pair))).records[0], community_id=expected, family=kind)


if __name__ == "__main__":
    replay_harness.run([links, tunnels, confirmed_by_others, tunnels_in_tunnels, teredo, inside_and_outside, subframes,
                        fragments_and_tunnels, capwap_fragments, fragments_cut_short, fragments_used_again, truncated_headers,
                        wrong_lengths, snap_lengths, pflog_interface, not_read, passed_over, ordinary_traffic, mapped_addresses])
