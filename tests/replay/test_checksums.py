#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every TCP drops a segment with a wrong checksum. Replay does so if earlier segments of the side had right ones, and if
the checksum was not left to the network card, as in captures on the sender (docs/captures.md, "Checksums").

A connection of known bytes and times, into which one segment is inserted that has exactly the next sequence number.
"""
import shutil
import struct
import subprocess

import sample_connection
from pcap import ACK, FIN, PSH, RST, SYN, capture, enhanced, ethernet, interface, ipv4, section
from replay_harness import check, equal, replay, run, skip
from sample_connection import ADDRESSES, CLIENT, CONNECTION, SERVER, segment

STATES = {"SYN_SENT": 1, "SYN_RECEIVED": 2, "ESTABLISHED": 3, "with data": 6, "HALF_CLOSED": 9, "both FINs": 11}
KINDS = {**sample_connection.KINDS, "much data": (ACK | PSH, 1400), "ACK": (ACK, 0)}
OTHER_IP_ID = 0x4321
COUNTS = ("src_packets", "dst_packets", "history", "id")


# ---- checksums of the frames of pcap.packet(): Ethernet, an IP header without options, TCP ----

def total(data):
    data += b"\0" * (len(data) % 2)
    value = sum(struct.unpack(f">{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xffff) + (value >> 16)
    return value


def place(frame):
    return 34 if frame[12:14] == b"\x08\0" else 54


def pseudo(frame, length):
    at = place(frame)
    addresses = frame[26:34] if at == 34 else frame[22:54]
    return total(addresses + struct.pack(">II", length, 6))


def put(frame, at, value):
    return frame[:at] + struct.pack(">H", value) + frame[at + 2:]


def right_header(frame):
    return put(frame, 24, 0xffff - total(put(frame, 24, 0)[14:34])) if place(frame) == 34 else frame


def right(frame):
    frame = right_header(frame)
    at = place(frame)
    frame = put(frame, at + 16, 0)
    return put(frame, at + 16, 0xffff - total(frame[at:] + struct.pack(">H", pseudo(frame, len(frame) - at))))


def wrong(frame):
    at = place(frame) + 16
    return put(right(frame), at, struct.unpack(">H", right(frame)[at:at + 2])[0] ^ 0x1234)


def zero(frame):
    """As a driver leaves it that computes nothing."""
    return put(right_header(frame), place(frame) + 16, 0)


def partial(frame):
    """As Linux leaves it to the network card (CHECKSUM_PARTIAL)."""
    return put(right_header(frame), place(frame) + 16, pseudo(frame, len(frame) - place(frame)))


def partial_without_length(frame):
    """As it is left for segmentation offload."""
    return put(right_header(frame), place(frame) + 16, pseudo(frame, 0))


def wrong_header(frame):
    return put(right(frame), 24, struct.unpack(">H", right(frame)[24:26])[0] ^ 0x1234)


# ---- connections ----

def record_of(frames, cut=None):
    """frames: each comes 10 ms after the one before; a tuple is (milliseconds later, frame)."""
    packets = []
    now = 1000
    for frame in frames:
        delay, frame = frame if isinstance(frame, tuple) else (10, frame)
        now += delay / 1000
        packets.append((now, frame, cut) if cut else (now, frame))
    found, = replay(capture(packets), "--tunnels").records
    return found


def record(sums=(right, right), family="IPv4", segments=CONNECTION, cut=None):
    return record_of([sums[each[0]](segment(each, family)) for each in segments], cut)


def with_inserted(at, inserted, family="IPv4", segments=CONNECTION):
    frames = [right(segment(each, family)) for each in segments]
    return record_of(frames[:at] + [(5, inserted), (5, frames[at])] + frames[at + 1:])


def next_numbers(at, sender):
    """The sequence number and acknowledgement of the side's next segment."""
    numbers = [0, 0]
    for by, flags, sequence, _, size in CONNECTION[:at]:
        numbers[by] = sequence + size + bool(flags & SYN) + bool(flags & FIN)
    return numbers[sender], numbers[1 - sender]


def differences(plain, changed, ignored=COUNTS):
    return sample_connection.differences(plain, changed, ignored)


def forged(at, sender, kind, family="IPv4"):
    """Has another IP id: with the same one within 10 ms it would be a copy (docs/record.md, "Packets that count once")."""
    flags, size = KINDS[kind]
    frame = segment((sender, flags, *next_numbers(at, sender), size), family)
    return put(frame, 18, OTHER_IP_ID) if family == "IPv4" else frame


def every_kind_in_every_state():
    for family in ADDRESSES:
        plain = record(family=family)
        equal((plain["outcome"], plain["src_bytes"], plain["dst_bytes"]), ("closed", 4000, 700), "the connection")
        for state, at in STATES.items():
            for kind in KINDS:
                for sender in (CLIENT, SERVER):
                    for damage in (wrong, zero):
                        where = f"{family}: {damage.__name__} {kind} from {'dst' if sender else 'src'} in {state}"
                        changed = with_inserted(at, damage(forged(at, sender, kind, family)), family)
                        equal(differences(plain, changed), [], where)
                        name = "dst_packets" if sender else "src_packets"
                        equal(changed[name], plain[name] + 1, f"{where}: {name}")


def midstream_and_in_layers():
    """The beginning was not captured; the segments are in a VLAN, in a tunnel."""
    layers = {"none": lambda frame: frame,
              "VLAN": lambda frame: frame[:12] + b"\x81\0\0\5" + frame[12:],
              "IPIP": lambda frame: ethernet(ipv4("198.18.1.1", "198.18.1.2", frame[14:], 4))}
    segments = CONNECTION[2:]
    for name, layer in layers.items():
        frames = [layer(right(segment(each))) for each in segments]
        plain = record_of(frames)
        for kind in ("RST", "RST and ACK", "FIN and ACK", "SYN", "data"):
            for sender in (CLIENT, SERVER):
                inserted = layer(wrong(forged(6, sender, kind)))
                changed = record_of(frames[:4] + [(5, inserted), (5, frames[4])] + frames[5:])
                equal(differences(plain, changed), [], f"{kind} from {sender}, layer {name}")


def a_wrong_ip_header():
    plain = record()
    for kind in ("RST", "FIN and ACK", "SYN", "data"):
        changed = with_inserted(6, wrong_header(forged(6, SERVER, kind)))
        equal(differences(plain, changed), [], f"{kind} with a wrong IPv4 checksum")


def the_same_with_right_checksums():
    """An inserted segment would have changed the record. Numbers of later packets disprove a RST and a FIN."""
    check(differences(record(), with_inserted(6, right(forged(6, SERVER, "data")))), "data changes nothing")


def confirmed_by_tshark():
    """The test's checksums are what it says they are."""
    if not shutil.which("tshark"):
        skip("tshark: not installed; the checksums of the frames are not confirmed")
        return
    frames = [damage(segment(CONNECTION[3], family)) for family in ADDRESSES for damage in (right, wrong, zero, partial)]
    said = subprocess.run(["tshark", "-r", "-", "-o", "tcp.check_checksum:TRUE", "-T", "fields", "-e",
                           "tcp.checksum.status"], input=capture([(at, frame) for at, frame in enumerate(frames)]),
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60, check=False).stdout.decode()
    equal(said.split(), ["1", "0", "0", "0"] * 2, "tshark's tcp.checksum.status")


def offloaded_sides():
    """All checksums of a side, or of both, are wrong: the record is that of right ones."""
    for family in ADDRESSES:
        for segments in (CONNECTION, CONNECTION[:8] + [(SERVER, RST, 501, 0, 0)], CONNECTION[:1] +
                         [(SERVER, RST | ACK, 0, 1, 0)], CONNECTION[3:], CONNECTION[3:8] + [(CLIENT, RST, 4001, 0, 0)]):
            plain = record(family=family, segments=segments)
            for sum_of in (wrong, zero, partial, partial_without_length):
                for sums in ((sum_of, right), (right, sum_of), (sum_of, sum_of)):
                    equal(record(sums, family, segments), plain, f"{family}: {[each.__name__ for each in sums]}")


def a_side_that_turns_right():
    """The kernel computes the checksums of some segments itself."""
    for segments in (CONNECTION, CONNECTION[:10] + [(SERVER, RST, 701, 0, 0)]):
        plain = record(segments=segments)
        for sum_of in (wrong, zero, partial):
            for side in (CLIENT, SERVER):
                for end in range(2, len(segments)):
                    frames = [(sum_of if each[0] == side and at < end else right)(segment(each))
                              for at, each in enumerate(segments)]
                    equal(record_of(frames), plain, f"{sum_of.__name__} from {side} before {end}")


def many_forged_answers():
    """Forged answers to a SYN that is sent again after each."""
    syn, reset = right(segment(CONNECTION[0])), wrong(segment((SERVER, RST | ACK, 0, 1, 0)))
    rest = [right(segment(each)) for each in CONNECTION[1:]]
    for count in (1, 2):
        found = record_of([syn, (20, reset), (1000, syn)] * count + rest)
        equal((found["outcome"], found["history"], found["src_packets"], found["src_retransmits"], found["src_bytes"]),
              ("closed", "SrhADdaFf", 7 + 2 * count - 1, 2 * count - 1, 4000), f"{count} forged answers")


def partial_after_right():
    """Some of a side's segments are offloaded, as on a router that sees them on two interfaces."""
    reset = CONNECTION[:8] + [(SERVER, RST, 501, 0, 0)]
    frames = [right(segment(each)) for each in reset]
    for sum_of in (partial, partial_without_length):
        changed = record_of(frames[:-1] + [sum_of(segment(reset[-1]))])
        equal(changed, record(segments=reset), sum_of.__name__)


def cut_segments():
    """The checksum of a segment that was not captured whole is unknown."""
    for sum_of in (right, wrong, zero):
        frames = [sum_of(segment(each)) if each[4] else right(segment(each)) for each in CONNECTION]
        equal(record_of(frames, 60), record(cut=60), sum_of.__name__)


def a_side_that_turns_wrong():
    """Offload is switched on: what the peer acknowledges was right on the wire, and later segments are believed."""
    endings = {"closed": CONNECTION, "reset": CONNECTION[:10] + [(SERVER, RST, 701, 0, 0)]}
    for outcome, segments in endings.items():
        plain = record(segments=segments)
        equal(plain["outcome"], outcome, "the connection")
        for sum_of in (wrong, zero):
            for side, begin in ((CLIENT, 3), (CLIENT, 6), (CLIENT, 8), (SERVER, 4)):
                frames = [(sum_of if each[0] == side and at >= begin else right)(segment(each))
                          for at, each in enumerate(segments)]
                equal(record_of(frames), plain, f"{outcome}: {sum_of.__name__} from {side} as of {begin}")


def damaged_on_the_way():
    """A segment arrives damaged and is sent again: one retransmission, no byte more."""
    plain = record()
    frames = [right(segment(each)) for each in CONNECTION]
    changed = record_of(frames[:6] + [wrong(segment(CONNECTION[6])), frames[6]] + frames[7:])
    equal((changed["src_bytes"], changed["src_retransmits"], changed["src_packets"], changed["gaps"]),
          (plain["src_bytes"], 1, plain["src_packets"] + 1, []), "a damaged segment")


def damaged_at_the_end():
    """Nothing follows that would show whether the last segment was forged: its bytes were sent."""
    segments = CONNECTION[:8] + [(SERVER, ACK | PSH, 501, 4001, 200)]
    frames = [right(segment(each)) for each in segments]
    changed = record_of(frames[:-1] + [wrong(segment(segments[-1]))])
    equal((changed["dst_bytes"], changed["dst_packets"]), (700, 4), "the last segment is damaged")


def a_port_used_again():
    """The next connection of the same ports begins with a SYN whose checksum is offloaded."""
    again = [(CLIENT, SYN, 900_000, 0, 0), (SERVER, SYN | ACK, 900_000, 900_001, 0), (CLIENT, ACK, 900_001, 900_001, 0)]
    for sum_of in (right, wrong, zero):
        frames = [right(segment(each)) for each in CONNECTION]
        frames += [(sum_of if each[0] == CLIENT else right)(segment(each)) for each in again]
        packets = [(1000 + index * 0.01, frame) for index, frame in enumerate(frames)]
        records = sorted(replay(capture(packets)).records, key=lambda each: each["start"])
        equal([(each["outcome"], each["history"], each["src_packets"]) for each in records],
              [("closed", "ShADdaFf", 7), ("open", "ShA", 2)], sum_of.__name__)


def a_flood_of_forged_segments():
    """More of them than are kept. Of those that no longer are, data counts, unless other bytes came in its place."""
    frames = [right(segment(each)) for each in CONNECTION]
    plain = record_of(frames[:7] + [(1110, frames[7])] + frames[8:])
    for flags, size in KINDS.values():
        flood = [(11, wrong(segment((SERVER, flags, 501, 1001, size and 1 + index)))) for index in range(100)]
        changed = record_of(frames[:7] + flood + [frames[7]] + frames[8:])
        ignored = COUNTS + ("dst_retransmits", "last_request_ns", "last_response_ns")
        equal(differences(plain, changed, ignored), [], f"a flood of segments with flags {flags}")
        equal(changed["dst_packets"], plain["dst_packets"] + 100, "dst_packets")


def copies_with_other_checksums():
    """The copy on one interface has no checksum yet, or has it already. Long enough that not all are verified."""
    long = CONNECTION[:3]
    for number in range(1200):
        long += [(CLIENT, ACK | PSH, 1 + number * 1000, 1, 1000), (SERVER, ACK, 1, 1001 + number * 1000, 0)]
    for sums in ((zero, right), (right, zero), (zero, zero), (right, right)):
        for interfaces in ((0, 1), (0, 0)):
            blocks = [section(), interface(1), interface(1)]
            for number, each in enumerate(long):
                frame = put(segment(each), 18, number + 1)
                blocks += [enhanced(number * 20_000 + later * 50, sums[later](frame), interfaces[later])
                           for later in (0, 1)]
            result = replay(b"".join(blocks))
            found, = result.records
            where = f"{sums[0].__name__}, {sums[1].__name__} on the interfaces {interfaces}"
            check(f"{len(long)} duplicates" in result.errors, f"{where}: {result.errors}")
            equal([found[key] for key in ("src_packets", "dst_packets", "src_bytes", "src_retransmits")],
                  [1202, 1201, 1_200_000, 0], where)


def repeated(each, step):
    """The segment again, `step` places ahead in the sender's numbers."""
    sender, flags, sequence, acknowledgement, size = each
    return sender, flags, sequence + step, acknowledgement, size


def damaged_elsewhere():
    """Damaged segments on a second interface, which look like copies there, are acknowledged: all bytes count."""
    data = (CLIENT, ACK | PSH, 1, 1, 10)
    frames = [(0, right(segment(each))) for each in CONNECTION[:3] + [repeated(data, 100)]]
    frames += [(1, put(wrong(segment(repeated(data, 10 * number))), 18, 0)) for number in range(10)]
    frames = [(at, right_header(frame)) for at, frame in frames]
    frames.append((0, right(segment((SERVER, ACK, 1, 111, 0)))))
    blocks = [section(), interface(1), interface(1)]
    blocks += [enhanced(1000 + number, frame, at) for number, (at, frame) in enumerate(frames)]
    found, = replay(b"".join(blocks)).records
    equal((found["src_bytes"], found["dst_packets"]), (110, 2), "bytes of segments that were acknowledged")
    check(3 <= found["src_packets"] <= 13, f"src_packets is {found['src_packets']}")


def bytes_missing_before_a_forged_answer():
    """The client's data has a hole. That the SYN-ACK before the true one is taken back does not fill it."""
    syn, answer = CONNECTION[:2]
    data = [(CLIENT, ACK | PSH, 1, 1, 10), (CLIENT, ACK | PSH, 1001, 1, 10)]
    for forged_first in (False, True):
        frames = [right(segment(each)) for each in [syn] + data]
        frames += [wrong(put(segment(answer), 18, OTHER_IP_ID))] * forged_first
        found = record_of(frames + [right(segment(answer)), right(segment(CONNECTION[2]))])
        equal(found["gaps"], ["packets"], f"forged first: {forged_first}")


def damaged_and_taken_again():
    """A segment that was damaged and sent twice more is retransmitted twice, also where the packets before the SYN, or
    after a forged answer, are taken again."""
    syn, answer = CONNECTION[:2]
    data = [(CLIENT, ACK | PSH, 1 + 10 * number, 1, 10) for number in range(3)]
    damaged = wrong(segment(data[1]))
    once = [right(segment(data[0])), damaged, right(segment(data[2]))]
    again = [(60, right(segment(data[1]))), (20, right(segment(data[1]))), right(segment((SERVER, ACK, 1, 31, 0)))]
    forged_answer = wrong(put(segment((SERVER, SYN | ACK, 77, 1, 0)), 18, OTHER_IP_ID))
    for name, begin in {"in order": [right(segment(syn))] + once,
                        "SYN late": once + [(-35, right(segment(syn)))],
                        "forged answer": [right(segment(syn)), forged_answer] + once + [right(segment(answer))]}.items():
        found = record_of(begin + again)
        equal((found["src_retransmits"], found["src_bytes"]), (2, 30), name)


def one_open_record():
    """A forged answer that the client acknowledges beyond its SYN does not establish the connection twice."""
    frames = [right(segment(CONNECTION[0])), wrong(segment(CONNECTION[1])),
              wrong(segment((SERVER, ACK | PSH, 1, 1, 10))), right(segment((CLIENT, ACK, 1, 11, 0))),
              right(segment((SERVER, ACK | PSH, 11, 1, 10))), right(segment((CLIENT, ACK, 1, 21, 0)))]
    found = replay(capture([(1000 + at * 0.01, frame) for at, frame in enumerate(frames)]), "--events", "open,exit")
    equal([each["event"] for each in found.records], ["open", "exit"], "events")


if __name__ == "__main__":
    run([every_kind_in_every_state, midstream_and_in_layers, a_wrong_ip_header, the_same_with_right_checksums,
         confirmed_by_tshark, offloaded_sides, a_side_that_turns_right, many_forged_answers, partial_after_right,
         cut_segments, a_side_that_turns_wrong, damaged_on_the_way, damaged_at_the_end, a_port_used_again,
         a_flood_of_forged_segments, copies_with_other_checksums, damaged_elsewhere,
         bytes_missing_before_a_forged_answer, damaged_and_taken_again, one_open_record])
