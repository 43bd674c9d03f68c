# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks records against docs/record.md, and against the records that a test expects."""
import base64
import hashlib
import ipaddress
import os
import platform
import re
import struct
import sys
from datetime import datetime, timezone

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from record_schema import SCHEMA, problem_of  # noqa: E402

# The environment variable LIVE_SLACK_MS widens every tolerance, for emulated machines; a program prints that first.
SLACK_NS = int(os.environ.get("LIVE_SLACK_MS", 0)) * 1_000_000
TOLERANCE_NS = 5_000_000 + SLACK_NS
# A peer reads its clock before and after a call, but on a busy machine a softirq can come later: a time may be off by
# STRAGGLER_NS if 95 % of a case's times, or those of all records but one, keep the tolerance.
STRAGGLER_NS = 20_000_000 + SLACK_NS
STRAGGLER_SHARE = 0.05
# The kernel can lose a FIN that reaches a socket while another processor turns that socket into one in TIME_WAIT. It is
# sent again after TCP_RTO_MIN (200 ms), the deviation of the round trip and a tick, so the connection ends that late.
LOST_FIN_NS = 300_000_000

KERNEL = tuple(int(part) for part in re.findall(r"\d+", platform.release())[:2])
CONN_STATES = SCHEMA["properties"]["conn_state"]["enum"]
# They are negative only in a capture whose packets are out of order.
WIRE_TIMES = ("syn_synack_ns", "synack_ack_ns", "handshake_ns", "syn_finack_ns")
# The tracepoint tcp_send_reset has a reason since Linux 6.10.
KERNEL_NAMES_REASONS = KERNEL >= (6, 10)
# Tracing programs can generate a socket's cookie since Linux 5.12; before, they only read it.
KERNEL_MAKES_COOKIES = KERNEL >= (5, 12)

COUNTS = ("src_bytes", "dst_bytes", "src_retransmits", "dst_retransmits")


def community_id(record):
    ends = sorted((ipaddress.ip_address(record[side + "_ip"]).packed, record[side + "_port"])
                  for side in ("src", "dst"))
    digest = hashlib.sha1(struct.pack("!H", 0) + ends[0][0] + ends[1][0] + b"\x06\x00" +
                          struct.pack("!HH", ends[0][1], ends[1][1])).digest()
    return "1:" + base64.b64encode(digest).decode()


def form_problems(record):
    """Returns the problems of a record that do not depend on its connection."""
    record = {key: value for key, value in record.items() if key != "_arrived"}
    problem = problem_of(record)
    if problem:
        return [problem]
    problems = ["%s is %d" % (key, record[key]) for key in WIRE_TIMES if record.get(key, 0) < 0]
    if record["community_id"] != community_id(record):
        problems.append("community_id is %s, not %s" % (record["community_id"], community_id(record)))
    return problems


def key_of(record):
    return (record["event"], record["role"], record.get("netns"), record["src_ip"], record["src_port"],
            record["dst_ip"], record["dst_port"])


def expected_key(expected):
    return (expected["event"], expected["role"], expected["netns"], *expected["src"], *expected["dst"])


def describe_key(key):
    return "%s %s netns %s %s:%s -> %s:%s" % key


class Clock:
    """Converts a record's wall-clock start to CLOCK_BOOTTIME."""

    def __init__(self, realtime_minus_boottime):
        """Takes the function that reads the difference. It is read again when records are compared: the clock may be set."""
        self.read, self.offsets = realtime_minus_boottime, [realtime_minus_boottime()]

    def read_again(self):
        self.offsets.append(self.read())

    def boottime(self, start, low=0, high=0):
        """Returns the time by one of the readings: the time that is nearest to these bounds."""
        seconds = datetime.strptime(start[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc).timestamp()
        utc = int(seconds) * 1_000_000_000 + int(start[20:29])
        return min((utc - offset for offset in self.offsets), key=lambda time: max(low - time, time - high))


class Times:
    """Collects the differences between the times in a case's records and on the applications' clocks."""

    def __init__(self):
        self.differences, self.missing = [], []

    def compare(self, record, what, value, low, high):
        difference = value - high if value > high else value - low if value < low else 0
        self.differences.append((abs(difference), what, difference, record))

    def miss(self, what):
        self.missing.append(what)

    def problems(self):
        if self.missing:
            return ["%s is missing (%d of %d times)" % (self.missing[0], len(self.missing), len(self.differences))]
        late = [difference for difference in self.differences if difference[0] > TOLERANCE_NS]
        worst = [difference for difference in late if difference[0] > STRAGGLER_NS]
        one_record = len({record for *_, record in late}) == 1
        if worst or len(late) > STRAGGLER_SHARE * len(self.differences) and not one_record:
            return ["%s is off by %.3f ms (%d of %d times off by over %d ms)" %
                    (what, difference / 1e6, len(late), len(self.differences), TOLERANCE_NS // 1_000_000)
                    for _, what, difference, _ in sorted(worst or late, reverse=True)[:3]]
        return []


def match(expectations, records, clock):
    """Compares the expected records with those written. Returns a list of problems, empty if they agree."""
    malformed = [problem for record in records for problem in form_problems(record)]
    if malformed:
        return malformed
    problems, pairs = pair_up(expectations, records)
    times = Times()
    clock.read_again()
    for expected, record in pairs:
        found = [problem for check in CHECKS for problem in check(expected, record)]
        problems += ["%s: %s" % (describe_key(expected_key(expected)), problem) for problem in found]
        compare_times(expected, record, clock, times)
    return problems + times.problems()


def pair_up(expectations, records):
    """Pairs expected and written records of each tuple, in the order in which the connections began."""
    problems, pairs = [], []
    groups, found = group(expectations, expected_key), group(records, key_of)
    for key in {**groups, **found}:
        wanted = sorted(groups.get(key, []), key=lambda expected: expected["order"])
        got = sorted(found.get(key, []), key=lambda record: record.get("start", ""))
        if len(wanted) != len(got):
            problems.append("%s: %d records, should be %d" % (describe_key(key), len(got), len(wanted)))
        else:
            pairs += zip(wanted, got)
    return problems, pairs


def group(items, key):
    groups = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def check_owner(expected, record):
    if expected["owner"] is None:
        return ["%s is %r, should be absent" % (key, record[key]) for key in ("pid", "comm", "exe", "uid", "owner_by")
                if key in record]
    problems = ["%s is %r, should be %r" % (key, record.get(key), value) for key, value in expected["owner"].items()
                if record.get(key) != value]
    if record.get("owner_by") not in expected["owner_by"]:
        problems.append("owner_by is %r, should be in %s" % (record.get("owner_by"), expected["owner_by"]))
    return problems


def check_counts(expected, record):
    problems = []
    for key in (key for key in COUNTS if key in expected):
        allowed = expected[key] if isinstance(expected[key], list) else [expected[key]]
        if record.get(key) not in allowed:
            problems.append("%s is %r, should be %r" % (key, record.get(key), expected[key]))
    return problems


def check_outcome(expected, record):
    problems = ["%s is %r, should be %r" % (key, record.get(key), expected[key])
                for key in ("outcome", "ended_by", "state") if key in expected and record.get(key) != expected[key]]
    reason, wanted = record.get("reason"), expected["reason"]
    if wanted == "sent":
        wrong = (reason is None) == KERNEL_NAMES_REASONS
    else:
        wrong = reason is not None if wanted is None else reason not in wanted
    if wrong:
        problems.append("reason is %r, should be %s" % (reason, wanted or "absent"))
    return problems


def check_gaps(expected, record):
    gaps = [gap for gap in record["gaps"] if gap not in expected["gaps_allowed"]]
    return [] if gaps == expected["gaps"] else ["gaps are %s, should be %s" % (record["gaps"], expected["gaps"])]


def check_seen(expected, record):
    if expected["seen"] in (None, record["seen"]):
        return []
    return ["seen is %s, should be %s" % (record["seen"], expected["seen"])]


def check_wire(expected, record):
    """Checks Zeek's keys and the handshake's times if packets were seen from the SYN to the end."""
    if "wire" not in record["seen"] or record["gaps"] or record["event"] != "close" or expected.get("any_wire"):
        return []
    problems = []
    established = record["outcome"] in ("closed", "reset") and expected["role"] != "observer"
    states = {"closed": ("SF",), "refused": ("REJ",), "reset": ("RSTO", "RSTR", "RSTOS0", "RSTRH"),
              "timeout": ("S0", "S1"), "unreachable": ("S0",)}.get(record["outcome"], CONN_STATES)
    if "conn_state" in expected:
        states = expected["conn_state"]
    if record.get("conn_state") not in states:
        problems.append("conn_state is %r, should be in %s" % (record.get("conn_state"), states))
    if established and not all(key in record for key in ("syn_synack_ns", "synack_ack_ns", "handshake_ns")):
        problems.append("no handshake times: %s" % record)
    elif established and record["syn_synack_ns"] + record["synack_ack_ns"] != record["handshake_ns"]:
        problems.append("handshake_ns is not the sum of its parts")
    # The history has the letters of forged segments too.
    if established and not expected.get("forged") and record.get("ended_by") != ending_side(record.get("history", "")):
        problems.append("history %s with ended_by %s" % (record.get("history"), record.get("ended_by")))
    return problems


def ending_side(history):
    """Returns the side of the history's first FIN, or of its RST if not both sides' FINs came before it."""
    both_fins = "F" in history and "f" in history
    kind = "r" if "r" in history.lower() and not both_fins else "f"
    letters = [letter for letter in history if letter.lower() == kind]
    return None if not letters else "src" if letters[0].isupper() else "dst"


def lost_fin(expected, record):
    """Whether the record has a retransmission, and the kernel's own count agrees."""
    return expected.get("retransmitted") and record.get("src_retransmits", 0) + record.get("dst_retransmits", 0) > 0


def compare_times(expected, record, clock, times):
    start = expected.get("start")
    if start is None:
        return
    if "start" not in record:
        times.miss("start")
        return
    times.compare(record["id"], "start", clock.boottime(record["start"], *start), *start)
    durations = dict(expected.get("wire_times", {}))
    for key, span in (("first_fin_ns", expected.get("first_fin")), ("duration_ns", expected.get("close"))):
        if span:
            durations[key] = (span[0] - start[1], span[1] - start[0])
    if "duration_ns" in durations and lost_fin(expected, record):
        low, high = durations["duration_ns"]
        durations["duration_ns"] = (low, high + LOST_FIN_NS)
    for key, (low, high) in durations.items():
        if key in record:
            times.compare(record["id"], key, record[key], low, high)
        else:
            times.miss(key)


def check_deadline(expected, record):
    """Checks that the record became readable between the times out_from and out_by."""
    if record["_arrived"] > expected.get("out_by", record["_arrived"]) + SLACK_NS:
        return ["came %.0f ms late" % ((record["_arrived"] - expected["out_by"]) / 1e6)]
    if record["_arrived"] < expected.get("out_from", 0):
        return ["came %.0f ms early" % ((expected["out_from"] - record["_arrived"]) / 1e6)]
    return []


def check_absent(expected, record):
    return ["%s is %r, should be absent" % (key, record[key]) for key in expected.get("absent", []) if key in record]


def check_wire_tuple(expected, record):
    """Compares wire_src, wire_dst: address and port of the packets, absent where they are those of the socket."""
    problems = []
    for side in ("src", "dst"):
        found = [record.get("wire_%s_%s" % (side, key)) for key in ("ip", "port")]
        wanted = list(expected.get("wire_" + side) or (None, None))
        if found != wanted:
            problems.append("wire_%s is %s, should be %s" % (side, found, wanted))
    return problems


CHECKS = (check_owner, check_wire_tuple, check_counts, check_outcome, check_gaps, check_seen, check_wire,
          check_deadline, check_absent)
