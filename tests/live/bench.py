# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs checks. Unlike a case, a check starts trackers, namespaces and arguments of its own; it returns its problems."""
import collections
import tempfile
import traceback

from harness import Run, Skip, note_retransmissions, show_repetition, skipped_events
from places import outgoing
from tracker import Tracker, TrackerError, unavailable
from traffic import TrafficError, World


class Bench:
    """The namespaces and trackers of one check."""

    def __init__(self, net, directory, suffix):
        self.net, self.directory = net, directory
        self.here = net.namespace(suffix)
        self.suffix = suffix
        self.worlds, self.trackers = [], []

    def world(self, build=outgoing, name="bench"):
        place = build(self.net, self.here, "%sw%d" % (self.suffix, len(self.worlds)))
        self.worlds.append(World(name, place))
        return self.worlds[-1]

    def tracker(self, *arguments, **options):
        tracker = Tracker(self.here, *arguments, directory=self.directory, **options)
        self.trackers.append(tracker)
        return tracker

    def stop(self):
        for world in self.worlds:
            world.stop()
        for tracker in self.trackers:
            tracker.kill()

    def accounts(self):
        """Returns each tracker's stderr, with a summary of the records of this check that it wrote."""
        return [tracker.stderr() + self.count_kinds(tracker.records) for tracker in self.trackers]

    def note_retransmissions(self):
        for world in self.worlds:
            note_retransmissions(world.place, world.expectations)

    def count_kinds(self, records):
        kinds = collections.Counter("%s %s %s" % (record.get("event"), record.get("role"), record.get("outcome"))
                                    for record in self.own(records))
        counts = ", ".join("%d %s" % (count, kind) for kind, count in kinds.items())
        return "records of this check: " + (counts or "none")

    def owns(self, record):
        """Whether a record is about this check's addresses, in a namespace of this run."""
        if record.get("netns") not in self.net.inodes():
            return False
        subnets = [world.place.subnet for world in self.worlds]
        return any(subnet.owns(record[key]) for subnet in subnets for key in ("src_ip", "dst_ip"))

    def own(self, records):
        return [record for record in records if self.owns(record)]


CHECKS = []


def check(name):
    """Registers a function that takes a Bench and returns a list of problems, or raises Skip."""
    def register(function):
        CHECKS.append((name, function))
        return function
    return register


def try_check(run, directory, suffix, function):
    """Returns the check's problems, what its trackers wrote, and how many events the kernel skipped for its problems.

    A check that raises an error has a fault of its own, which no skipped event excuses.
    """
    bench = Bench(run.net, directory, suffix)
    problems, raised = [], []
    try:
        problems = function(bench)
    except Skip:
        raise
    except (AssertionError, TrafficError, TrackerError) as error:
        raised = ["%s: %s" % (type(error).__name__, error)]
    except Exception:  # a surprise in one check does not end the others
        raised = [traceback.format_exc()]
    finally:
        bench.stop()
    accounts = bench.accounts()
    return problems + raised, accounts, sum(map(skipped_events, accounts)) if problems else 0


def run_check(run, number, name, function):
    """Runs a check, and a failed one once more if its trackers counted events that the kernel skipped, as a case is."""
    try:
        problems, accounts, skipped = try_check(run, run.directory, "k%d" % number, function)
        if skipped:
            show_repetition(name, skipped, problems)
            problems, accounts, _ = try_check(run, tempfile.mkdtemp(dir=run.directory), "k%dr" % number, function)
        run.tally.judge(name, problems, accounts)
    except Skip as reason:
        run.tally.skips(name, reason)


def main_of_checks():
    """Runs the registered checks, one after the other."""
    run = Run()
    wanted = [(name, function) for name, function in CHECKS if run.wanted(name)]
    if run.options.list:
        print("\n".join(name for name, _ in wanted))
        return 0
    reason = unavailable()
    for name, _ in wanted if reason else ():
        run.tally.skips(name, reason)
    if not reason:
        run.set_up()
        for number, (name, function) in enumerate(wanted):
            run_check(run, number, name, function)
    return run.tally.finish()
