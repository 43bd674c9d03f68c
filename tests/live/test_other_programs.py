#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Other tcx programs on a watched interface: they hide no packet, or a message and the gap `hidden` say that they may."""
import sys
import time

from attached import tcx_programs
from bench import check, main_of_checks
from harness import Skip
from tcx_program import TCX_NEXT, TcxProgram
from traffic import settle

CHECK_SECONDS = 1  # the order is read twice a second
RECORD_SECONDS = 5
CHANGE_SECONDS = 10
NOTICE_SECONDS = 0.5
COMPLETE = (["wire", "socket"], [])
HIDDEN = (["socket"], ["hidden"])


class Watched:
    """A link of the tracker's namespace, and connections over it that begin there."""

    def __init__(self, bench):
        if tcx_programs(bench.here) is None:
            raise Skip("this kernel has no tcx")
        self.bench, self.world = bench, bench.world()
        self.client = self.world.client()
        self.listener = self.world.listen(self.world.server())
        self.problems = []

    def put(self, **arguments):
        side = self.world.place.client
        return TcxProgram(side.namespace, side.interface, **arguments)

    def connect(self, tracker):
        """Makes a connection. Returns what its client's record has seen, and its gaps; None without a record."""
        client, server = self.world.pair(self.client, self.listener)
        client.close()
        server.receive_eof()
        server.close()

        def find(records):
            return [(record["seen"], record["gaps"]) for record in self.bench.own(records)
                    if record["role"] == "client" and record["src_port"] == client.local[1]]
        tracker.wait(find, RECORD_SECONDS)
        return (find(tracker.records) or [None])[0]

    def expect(self, label, tracker, wanted):
        got = self.connect(tracker)
        self.problems += ["%s: %s, should be %s" % (label, got, wanted)] * (got != wanted)

    def expect_soon(self, label, tracker, wanted):
        """Expects it of a connection that begins after the tracker has read the order again."""
        deadline = time.monotonic() + CHANGE_SECONDS
        while (got := self.connect(tracker)) != wanted and time.monotonic() < deadline:
            pass
        self.problems += ["%s: still %s" % (label, got)] * (got != wanted)

    def expect_notes(self, label, tracker, *words):
        """Expects one message about hidden packets that has the words; none without words."""
        notes = [line for line in tracker.stderr().splitlines() if "hide" in line]
        if len(notes) != bool(words) or not all(word in note for note in notes for word in words):
            self.problems.append("%s: messages: %s" % (label, notes))


@check("it passes packets: before the tracker, then last, then first; it goes and comes back")
def passing(bench):
    watched = Watched(bench)
    early = watched.put(name="early")
    tracker = bench.tracker()
    watched.expect("it was there before", tracker, COMPLETE)
    late = watched.put(name="late")
    watched.expect("another one comes last", tracker, COMPLETE)
    settle(CHECK_SECONDS)
    watched.expect_notes("before one is first", tracker)
    first = watched.put(name="nt_foremost", first=True)
    settle(NOTICE_SECONDS)
    watched.expect("one comes first", tracker, HIDDEN)
    settle(CHECK_SECONDS)
    watched.expect_notes("one is first", tracker, "nt_foremost", watched.world.place.client.interface)
    first.remove()
    watched.expect_soon("it is gone", tracker, COMPLETE)
    again = watched.put(name="nt_foremost", first=True)
    settle(NOTICE_SECONDS)
    watched.expect("it is back", tracker, HIDDEN)
    tracker.stop()
    watched.expect_notes("at the end", tracker, "nt_foremost")
    for program in (early, late, again):
        program.remove()
    return watched.problems


@check("one with the name of a tracker's program is another one all the same")
def same_name(bench):
    watched = Watched(bench)
    tracker = bench.tracker()
    program = watched.put(name="wire_ingress", first=True)
    settle(NOTICE_SECONDS)
    watched.expect("it is first", tracker, HIDDEN)
    settle(CHECK_SECONDS)
    tracker.stop()
    watched.expect_notes("it is first", tracker, "wire_ingress")
    program.remove()
    return watched.problems


@check("one that passes packets on may hide some: the records have all values, and the gap")
def passing_on(bench):
    watched = Watched(bench)
    tracker = bench.tracker()
    program = watched.put(verdict=TCX_NEXT, first=True)
    watched.expect_soon("it is first", tracker, (["wire", "socket"], ["hidden"]))
    tracker.stop()
    program.remove()
    return watched.problems


@check("trackers hide nothing from each other")
def trackers(bench):
    watched = Watched(bench)
    both = [bench.tracker(), bench.tracker("--context", "wire,socket")]
    settle(CHECK_SECONDS)
    for tracker in both:
        watched.expect("beside another", tracker, COMPLETE)
    settle(CHECK_SECONDS)
    for tracker in both:
        tracker.stop()
        watched.expect_notes("beside another", tracker)
    return watched.problems


if __name__ == "__main__":
    sys.exit(main_of_checks())
