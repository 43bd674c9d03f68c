#!/usr/bin/python3
"""The same traffic, seen at once by the native tracker, the BCC version and the eunomia-bpf package: the same connections,
outcomes and SYN-to-FIN-ACK figures."""
import json
import os
import select
import signal
import subprocess
import time

import known
from bcc_runner import PRINTED_SECONDS, Bcc, event_of
from eunomia import PACKAGE, ROOT, Runner, Skip, check, equal, lab, nothing_is_left, run_tests

NATIVE = os.path.join(ROOT, "build/netracker")
MOST_APART_NS = 10 ** 6
SAME = "src_ip", "src_port", "dst_ip", "dst_port", "outcome", "ended_by"
NEAR = "syn_finack_ns", "handshake_ns"


class Native:
    """The tracker sees the whole machine; of the lab's namespace there is one view of each connection."""

    def __init__(self, lab):
        self.lab = lab
        self.process = subprocess.Popen([NATIVE, "-f", "json", "-i", known.INTERFACE], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True,
                                        preexec_fn=lambda: known.enter(lab.here.name))
        if not select.select([self.process.stderr], [], [], 30)[0]:
            self.process.kill()
            raise AssertionError("the native tracker did not start")
        line = self.process.stderr.readline()
        check("tracking" in line, "the native tracker starts: %r" % line)

    def events(self):
        time.sleep(PRINTED_SECONDS)
        self.process.send_signal(signal.SIGINT)
        output, errors = self.process.communicate(timeout=30)
        equal(self.process.returncode, 0, "native: %r" % errors)
        found = [json.loads(line) for line in output.splitlines()]
        return [event_of(one, self.lab) for one in found if one["netns"] == self.lab.here.inode]


def compare(name, facts, native, other):
    """By the connections that were made, not by what either says."""
    equal((len(native), len(other)), (len(facts), len(facts)), "connections, native and %s" % name)
    for fact in facts:
        one, two = ([event for event in events if fact.is_about(event)] for events in (native, other))
        if (len(one), len(two)) != (1, 1):
            check(False, "%s: %d and %d of %s" % (name, len(one), len(two), fact.values))
            continue
        differences = [key for key in SAME if one[0][key] != two[0][key] or one[0][key] != fact.values[key]]
        differences += [key for key in NEAR if abs(one[0][key] - two[0][key]) > MOST_APART_NS or
                        (one[0][key] < 0) != (two[0][key] < 0)]
        check(not differences, "%s: %s differ: %s, %s" % (name, differences, one[0], two[0]))


def need_native():
    if not os.path.exists(NATIVE):
        raise Skip("build/netracker is not built")


def test_bcc():
    need_native()
    with lab() as here:
        bcc = Bcc(here, "--format", "json")
        native = Native(here)
        facts = here.all_kinds()
        compare("BCC", facts, native.events(), bcc.events())
        nothing_is_left(here)


def test_eunomia():
    need_native()
    if not os.path.exists(PACKAGE):
        raise Skip("build/eunomia/package.json is not built")
    with lab() as here:
        eunomia = Runner(here)
        native = Native(here)
        facts = here.all_kinds()
        compare("eunomia", facts, native.events(), with_short_addresses(eunomia.stop()))
        nothing_is_left(here)


def with_short_addresses(events):
    return [dict(event, **{key: str(known.ipaddress.ip_address(event[key])) for key in ("src_ip", "dst_ip")})
            for event in events]


def test_all_at_once():
    """eunomia comes first and goes last: it refuses where others' filters are, and ecli removes them as it ends."""
    need_native()
    if not os.path.exists(PACKAGE):
        raise Skip("build/eunomia/package.json is not built")
    with lab() as here:
        eunomia = Runner(here)
        bcc = Bcc(here, "--format", "json")
        native = Native(here)
        facts = here.all_kinds()
        of_native, of_bcc = native.events(), bcc.events()
        compare("BCC", facts, of_native, of_bcc)
        compare("eunomia", facts, of_native, with_short_addresses(eunomia.stop()))
        nothing_is_left(here)


run_tests([test_bcc, test_eunomia, test_all_at_once])
