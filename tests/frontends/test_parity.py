#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the native tracker, the BCC version and the eunomia-bpf package on the same traffic at once: they must report the
same connections, outcomes and times from SYN to FIN-ACK."""
import os
import tempfile

import known
from bcc_runner import Bcc, event_of
from harness import show_accounting  # of tests/live, as known.py says
from tracker import PROGRAM, Tracker
from eunomia import PACKAGE, Runner, Skip, check, equal, lab, nothing_is_left, run_tests

MOST_APART_NS = 10 ** 6
STOPPED_NS = 30 * 10 ** 6  # a virtual machine's processor may stop between two programs' readings
LAST_RECORD_SECONDS = 4
SAME = "src_ip", "src_port", "dst_ip", "dst_port", "outcome", "ended_by"
NEAR = "syn_finack_ns", "handshake_ns"


def native_tracker(lab, folder):
    return Tracker(lab.here, "-i", known.INTERFACE, directory=folder)


def native_events(tracker, lab, facts):
    """Returns one event of each connection. The tracker follows the whole machine, so a connection may have two records:
    take the one in the lab's own namespace, or the client's if there is none (an incoming one that was refused).
    """
    def own_records(found):
        own = [one for one in found if one.get("netns") in lab.net.inodes()]
        return {one["community_id"]: one for one in sorted(own, key=lambda one: one["netns"] == lab.here.inode)}
    tracker.wait(lambda found: len(own_records(found)) >= len(facts), LAST_RECORD_SECONDS)
    equal(tracker.stop(), 0, "the native tracker: %r" % tracker.stderr()[-300:])
    if len(own_records(tracker.records)) != len(facts):
        show_accounting(tracker.stderr())
    return [event_of(one, lab) for one in own_records(tracker.records).values()]


def may_have_stopped(fact, keys, one, two):
    """Whether these times differ by no more than a stop, and both are right by what the test knows."""
    return keys and all(abs(one[key] - two[key]) <= STOPPED_NS and key in fact.times and
                        fact.is_in_time(one, key) and fact.is_in_time(two, key) for key in keys)


def compare(name, facts, native, other):
    """Compares two front-ends by the connections that were made."""
    equal((len(native), len(other)), (len(facts), len(facts)), "connections, native and %s" % name)
    stopped = []
    for fact in facts:
        one, two = ([event for event in events if fact.is_about(event)] for events in (native, other))
        if (len(one), len(two)) != (1, 1):
            check(False, "%s: %d and %d of %s" % (name, len(one), len(two), fact.values))
            continue
        differences = [key for key in SAME if one[0][key] != two[0][key] or one[0][key] != fact.values[key]]
        differences += [key for key in NEAR if (one[0][key] < 0) != (two[0][key] < 0)]
        apart = [key for key in NEAR if abs(one[0][key] - two[0][key]) > MOST_APART_NS]
        if may_have_stopped(fact, apart, one[0], two[0]) and not stopped:
            stopped = apart
            print("note: %s: one processor stopped: %s, %s" % (name, one[0], two[0]))
        else:
            differences += apart
        check(not differences, "%s: %s differ: %s, %s" % (name, differences, one[0], two[0]))


def need_native():
    if not os.path.exists(PROGRAM):
        raise Skip("build/netracker is not built")


def test_bcc():
    need_native()
    with lab() as here, tempfile.TemporaryDirectory() as folder:
        bcc = Bcc(here, "--format", "json")
        native = native_tracker(here, folder)
        facts = here.all_kinds()
        compare("BCC", facts, native_events(native, here, facts), bcc.events())
        nothing_is_left(here)


def test_eunomia():
    need_native()
    if not os.path.exists(PACKAGE):
        raise Skip("build/eunomia/package.json is not built")
    with lab() as here, tempfile.TemporaryDirectory() as folder:
        eunomia = Runner(here)
        native = native_tracker(here, folder)
        facts = here.all_kinds()
        compare("eunomia", facts, native_events(native, here, facts), eunomia.stop())
        nothing_is_left(here)


def test_all_at_once():
    """eunomia starts first and ends last: it refuses foreign filters, and ecli removes them when it ends."""
    need_native()
    if not os.path.exists(PACKAGE):
        raise Skip("build/eunomia/package.json is not built")
    with lab() as here, tempfile.TemporaryDirectory() as folder:
        eunomia = Runner(here)
        bcc = Bcc(here, "--format", "json")
        native = native_tracker(here, folder)
        facts = here.all_kinds()
        of_native, of_bcc = native_events(native, here, facts), bcc.events()
        compare("BCC", facts, of_native, of_bcc)
        compare("eunomia", facts, of_native, eunomia.stop())
        nothing_is_left(here)


run_tests([test_bcc, test_eunomia, test_all_at_once])
