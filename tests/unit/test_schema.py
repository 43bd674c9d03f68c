#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The schema of the record, and the checker of tests/record_schema.py against python3-jsonschema.

Good records come from this file and from replay of the project's captures; bad ones are changed good ones.
"""
import copy
import glob
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests"), os.path.join(ROOT, "tests", "replay")]
import replay_harness  # noqa: E402
import record_schema  # noqa: E402
from replay_harness import check, equal, skip  # noqa: E402

try:
    import jsonschema
except ImportError:
    jsonschema = None

SOCKET = {
    "v": 2, "id": "8357c8fabae31427", "time": "2026-11-23T23:47:23.092755750Z", "event": "close", "host": "db1", "role": "server", "family": "ipv6",
    "src_ip": "fd00::2", "src_port": 39268, "dst_ip": "fd00::1", "dst_port": 80,
    "community_id": "1:kx2bXTUoKL9cLgZCIS9BqVFRQvM=", "netns": 4026533512, "netns_name": "blue", "ifname": "veth0", "vlan": 7, "pid": 14243,
    "comm": "nginx", "exe": "/usr/sbin/nginx", "uid": 65534, "owner_by": "io", "cgroup": "/docker/" + "0a" * 32,
    "container": "0a" * 32, "start": "2026-11-23T23:47:23.066951399Z", "duration_ns": 25804351,
    "first_fin_ns": 25687429, "wire_duration_ns": 25756843, "syn_synack_ns": 35356, "synack_ack_ns": 31088,
    "handshake_ns": 66444, "syn_finack_ns": -1, "request_ns": 70000, "response_ns": 90000, "outcome": "reset", "ended_by": "dst",
    "reason": "tcp_abort_on_close", "conn_state": "RSTR",
    "history": "ShADadr", "src_bytes": 75, "dst_bytes": 240, "src_packets": 6, "dst_packets": 3, "src_retransmits": 1,
    "dst_retransmits": 0, "rtt_us": 88, "min_rtt_us": 46, "limited_by": "receiver",
    "seen": ["wire", "packets", "socket"], "complete": False, "gaps": ["packets", "events"],
    "last_request_ns": 75000, "last_response_ns": 95000,
}
LISTENER = {
    "v": 2, "id": "8357c8fabae31427", "time": "2026-11-23T23:47:23.092755750Z", "event": "listener", "host": "db1",
    "family": "ipv6", "dst_ip": "::", "dst_port": 80, "netns": 4026533512, "netns_name": "blue", "ifname": "veth0",
    "pid": 14243, "comm": "nginx", "exe": "/usr/sbin/nginx", "uid": 65534, "cgroup": "/docker/" + "0a" * 32,
    "container": "0a" * 32, "backlog": 512, "backlog_max": 511, "drops": 3, "dual_stack": True,
}
HOSTILE = [None, True, False, -1, 0, 1, 2**53, 2**64, 1.5, "", "x", "-", "close", "open", "src", "dst", [], {}, ["x"],
           ["socket"], ["wire"], ["start"], ["events", "start"], ["start", "start"], "198.18.0.1", "198.18.0.256",
           "fd00::1"]
ABSENT = object()


def with_values(record, **values):
    """A copy with these values in the order of the schema; ABSENT removes a key."""
    changed = {**record, **values}
    return {key: changed[key] for key in record_schema.KEYS if changed.get(key, ABSENT) is not ABSENT}


def open_record():
    return with_values(SOCKET, event="update", outcome="open", ended_by=ABSENT, reason=ABSENT, state="close_wait",
                       state_age_ns=62, recv_queue_bytes=0, send_queue_bytes=1, unacked_bytes=2, cwnd=10, last_sent_ns=4,
                       last_received_ns=8)


def states_only_record():
    """The BCC version's record of a socket whose states do not show how it ended."""
    unknown = ("host", "ifname", "vlan", "exe", "cgroup", "container", "wire_duration_ns", "syn_synack_ns",
               "handshake_ns", "synack_ack_ns", "syn_finack_ns", "request_ns", "response_ns", "last_request_ns",
               "last_response_ns", "outcome", "ended_by", "reason", "conn_state", "history",
               "src_retransmits")
    return with_values(SOCKET, seen=["socket"], **{key: ABSENT for key in unknown})


def kernel_listener():
    """One without a process, bound to an address."""
    return with_values(LISTENER, dst_ip="fd00::1", dual_stack=ABSENT,
                       **{key: ABSENT for key in ("pid", "comm", "exe", "uid", "cgroup", "container", "ifname", "drops")})


def replayed():
    for path in sorted(glob.glob(os.path.join(ROOT, "tests", "replay", "captures", "*.pcap*"))):
        for options in ([], ["--like", "zeek"]):
            yield from replay_harness.replay(b"", "-q", *options, file=path).records


def good_records():
    return [SOCKET, open_record(), states_only_record(), LISTENER, kernel_listener(), *replayed()]


# Values that break one rule of docs/record.md each.
BROKEN = {
    "another version": {"v": 1},
    "an id too short": {"id": "8357c8fabae3142"},
    "closed, and open": {"outcome": "open", "ended_by": ABSENT, "reason": ABSENT},
    "update, and closed": {"event": "update", "outcome": "closed"},
    "an end without an outcome": {"outcome": ABSENT, "ended_by": ABSENT, "reason": ABSENT},
    "a reset without ended_by": {"ended_by": ABSENT},
    "a timeout by the client": {"outcome": "timeout", "reason": "etimedout"},
    "refused by the client": {"outcome": "refused", "ended_by": "src", "reason": ABSENT},
    "a reason of closed": {"outcome": "closed"},
    "an unknown reason of a timeout": {"outcome": "timeout", "ended_by": ABSENT, "reason": "bored"},
    "a state after the end": {"state": "close"},
    "the age of a state, without the state": {"state_age_ns": 1},
    "queues after the end": {"recv_queue_bytes": 0, "send_queue_bytes": 0, "unacked_bytes": 0, "cwnd": 10},
    "a name of no namespace": {"netns": ABSENT},
    "when it last sent, after the end": {"last_sent_ns": 1},
    "a socket that expires": {"outcome": "expired", "reason": ABSENT},
    "an observer with a socket": {"role": "observer"},
    "an address of another family": {"family": "ipv4"},
    "a process without a name": {"comm": ABSENT},
    "an unknown owner, and no gap": {key: ABSENT for key in ("pid", "comm", "exe", "uid", "owner_by", "cgroup",
                                                                  "container")},
    "the listener's owner, and no gap": {"owner_by": "listen"},
    "a gap owner, with an owner": {"gaps": ["owner"]},
    "a duration without a start": {"start": ABSENT, "first_fin_ns": ABSENT, "gaps": ["start"]},
    "a start, and the gap": {"gaps": ["start"]},
    "complete, with gaps": {"complete": True},
    "not complete, without gaps": {"gaps": []},
    "an unknown gap": {"gaps": ["weather"]},
    "a gap twice": {"gaps": ["packets", "packets"]},
    "wire values unseen": {"seen": ["socket"]},
    "the peer's retransmits, unseen": {"seen": ["wire", "socket"]},
    "bytes modulo 4 GiB of a socket": {"gaps": ["bytes_mod_4g"]},
    "an open socket without a state": {"event": "exit", "outcome": "open", "ended_by": ABSENT, "reason": ABSENT},
    "a port above 65535": {"dst_port": 65536},
    "a duration that ends at another time": {"duration_ns": 25804350},
    "a time without nanoseconds": {"start": "2026-11-23T23:47:23Z"},
    "a container's name": {"container": "web"},
    "the backlog of a connection": {"backlog": 0, "backlog_max": 5},
    "drops of a connection": {"drops": 0},
    "a listener that is a connection": {"event": "listener"},
}
# The same of a listener's record.
BROKEN_LISTENER = {
    "a role": {"role": "server"},
    "a peer": {"src_ip": "fd00::2", "src_port": 1},
    "an outcome": {"outcome": "open"},
    "gaps": {"gaps": []},
    "no limit": {"backlog_max": ABSENT},
    "a process without a name": {"comm": ABSENT},
    "an address of another family": {"family": "ipv4"},
    "bound to ::, and not known whether IPv4 comes": {"dual_stack": ABSENT},
    "bound to one address, and IPv4 comes": {"dst_ip": "fd00::1"},
    "a connection's event": {"event": "listed"},
}


def good_are_valid():
    for record in good_records():
        equal(record_schema.problem_of(record), None, record["id"])


def each_broken_rule_is_found():
    for name, values in BROKEN.items():
        check(record_schema.problem_of(with_values(SOCKET, **values)), name)
    for name, values in BROKEN_LISTENER.items():
        check(record_schema.problem_of(with_values(LISTENER, **values)), "listener: " + name)
    for kind, record in (("connection", SOCKET), ("listener", LISTENER)):
        for key in record_schema.SCHEMA["required"] + record_schema.SCHEMA["$defs"][kind]["required"]:
            check(record_schema.problem_of(with_values(record, **{key: ABSENT})), "%s without %s" % (kind, key))
    check(record_schema.problem_of({**SOCKET, "mood": "good"}), "an unknown key")


def order_is_checked():
    check("order" in record_schema.problem_of(dict(reversed(SOCKET.items()))), "keys")
    check("order" in record_schema.problem_of({**SOCKET, "gaps": ["events", "packets"]}), "gaps")
    for line in ('{"v":1,"v":1}', "[1", "[]", "1"):
        try:
            record_schema.record_of(line)
            check(False, line)
        except ValueError:
            check(True, line)


def changed_records():
    """One good record of each kind, with each key removed or set to each value of HOSTILE."""
    for record in [SOCKET, open_record(), states_only_record(), LISTENER, next(replayed())]:
        for key in [*record_schema.KEYS, "mood"]:
            yield {name: value for name, value in record.items() if name != key}
            for value in HOSTILE:
                yield {**copy.deepcopy(record), key: value}
    for values in BROKEN.values():
        yield with_values(SOCKET, **values)
    for values in BROKEN_LISTENER.values():
        yield with_values(LISTENER, **values)
    yield from (None, True, 1, "x", [])


def same_as_jsonschema():
    if not jsonschema:
        skip("comparison with another checker: python3-jsonschema is not installed")
        return
    validator = jsonschema.Draft202012Validator(record_schema.SCHEMA)
    validator.check_schema(record_schema.SCHEMA)
    for record in [*good_records(), *changed_records()]:
        equal(record_schema.check_schema(record) is None, validator.is_valid(record), record)


def as_documented():
    """The keys are those of docs/record.md and of the CSV header, in the same order, except for reserved names."""
    with open(os.path.join(ROOT, "docs", "record.md"), encoding="utf-8") as file:
        text = file.read()
    table = text.split("## Keys, in order\n\n")[1].split("\n\n")[0]
    documented = [key for line in table.splitlines()[2:] for key in re.findall(r"`(\w+)`", line.split("|")[1])]
    equal(documented, record_schema.KEYS, "keys of docs/record.md")
    for line in re.findall(r"^\{.*", text, re.M):
        equal(record_schema.problem_of(record_schema.json.loads(line)), None, "the example of docs/record.md")
    reserved = set(re.findall(r"`(\w+)`", text.split("### Not yet\n")[1].split("\n\n")[0]))
    heading = replay_harness.replay(b"", "-q", "-f", "csv", file=glob.glob(
        os.path.join(ROOT, "tests", "replay", "captures", "*.pcap"))[0]).output.decode().splitlines()[0]
    equal([key for key in heading.split(",") if key not in reserved],
          record_schema.KEYS, "keys of the CSV header")
    properties = record_schema.SCHEMA["properties"]
    for heading, names in (("`outcome`", properties["outcome"]["enum"]), ("gap", list(record_schema.GAP_PLACES)),
                           ("`owner_by`", properties["owner_by"]["enum"])):
        rows = re.search(r"^\| %s \|.*\n\|[-|]*\n((?:\|.*\n)+)" % heading, text, re.M)[1]
        equal(re.findall(r"^\| `(\w+)`", rows, re.M), names, "the table of each " + heading)


if __name__ == "__main__":
    replay_harness.run([good_are_valid, each_broken_rule_is_found, order_is_checked, same_as_jsonschema, as_documented])
