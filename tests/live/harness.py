# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs cases: one tracker follows the traffic of many cases, each in namespaces of its own.

A program registers cases with @case and ends with sys.exit(main()). A case is a function of a World; it makes traffic
and names the records that it expects by World.expect(). It fails if a record is missing, wrong, or one too many.

Options of a program: --list, --only WORD (cases whose name holds the word), --traffic (no tracker: the traffic is
compared with what a sniffer captures), --keep (the tracker's output stays), --jobs N, and after `--` more arguments for
the tracker.
"""
import argparse
import atexit
import inspect
import json
import os
import re
import select
import shutil
import signal
import socket
import sys
import tempfile
import traceback

import records
import sniffer
from netns import Net
from peer import now, realtime_minus_boottime
from places import WIRE_AND_SOCKET, incoming, outgoing
from tracker import READY_LINE, Tracker, TrackerError, unavailable
from traffic import TrafficError, World

COUNT = 20
JOBS = 3
# The join waits at most 2 s for packets that have not ended the connection; the rest allows for polling.
LAST_RECORD_SECONDS = 3.5
SHOWN_PROBLEMS = 4
SHOWN_RECORDS = 40
SHOWN_STDERR_LINES = 12
YIELDED = b"y"
COUNT_DIFFERS = re.compile(r": (\d+) records, should be (\d+)$")
DATE_LINE = re.compile(r"^-- \d{4}-\d\d-\d\d --\n", re.MULTILINE)
SKIPPED_EVENTS = re.compile(r"the kernel skipped (\d+) events")


class Skip(Exception):
    """This machine cannot run the case or check; the text is the reason."""


class Case:
    def __init__(self, function, name, build, sysctls):
        self.function, self.name, self.build, self.sysctls = function, name, build, sysctls
        self.place = None
        self.process = None
        self.expectations = []
        self.problems = []
        self.traffic_failed = False
        self.skipped = None

    def copy(self, label):
        return Case(self.function, self.name + label, self.build, self.sysctls)


REGISTERED = []


def case(name, *places, **sysctls):
    """Registers a function as one case for each place (default: outgoing and incoming)."""
    def register(function):
        for build in places or (outgoing, incoming):
            label = name if len(places) == 1 else "%s, %s" % (name, build.__name__.replace("_", " "))
            REGISTERED.append(Case(function, label, build,
                                   {key.replace("__", "."): value for key, value in sysctls.items()}))
        return function
    return register


class CaseProcess:
    """Makes a case's traffic in a child, which returns the expected records, or the reason for none, through a socket.

    A generator function stops at its `yield` until proceed() is called.
    """

    def __init__(self, case):
        self.case = case
        self.data = b""
        self.socket, theirs = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            self.socket.close()
            report_traffic(theirs, case)
        theirs.close()

    def fileno(self):
        return self.socket.fileno()

    def wait_for_yield(self):
        self.data = self.socket.recv(len(YIELDED))

    def proceed(self):
        """Lets the case continue after its yield; does nothing if it failed before."""
        if self.data == YIELDED:
            self.data = b""
            self.socket.send(YIELDED)

    def read(self):
        """Returns False at the end of the child's data."""
        data = self.socket.recv(1 << 20)
        self.data += data
        return bool(data)

    def finish(self):
        self.socket.close()
        os.waitpid(self.pid, 0)
        result = json.loads(self.data) if self.data else {"problems": ["the process that makes the traffic died"]}
        self.case.expectations = result.get("expectations", [])
        self.case.skipped = result.get("skipped")
        self.case.problems = result.get("problems", [])
        self.case.traffic_failed = bool(self.case.problems)


def report_traffic(control, case):
    try:
        control.sendall(json.dumps(make_traffic(control, case)).encode())
    finally:
        os._exit(0)


def make_traffic(control, case):
    world = World(case.name, case.place)
    try:
        for _ in case.function(world) or ():
            control.send(YIELDED)
            control.recv(len(YIELDED))
        return {"expectations": world.expectations}
    except Skip as reason:
        return {"expectations": [], "skipped": str(reason)}
    except TrafficError as error:
        where = traceback.extract_tb(error.__traceback__)[1]
        return {"problems": ["traffic: %s (line %d of %s)" % (error, where.lineno, where.name)]}
    except Exception:
        return {"problems": ["traffic: " + traceback.format_exc()]}
    finally:
        world.stop()


def run_cases(cases, jobs, tracker):
    """Makes all traffic, `jobs` cases at a time, and meanwhile reads the tracker's records to record their arrival."""
    waiting, running = list(cases), []
    while waiting or running:
        while waiting and len(running) < jobs:
            running.append(CaseProcess(waiting.pop(0)))
        collect(running, tracker)


def collect(running, tracker):
    """Reads once from the running cases and from the tracker; removes the cases that have ended."""
    for process in select.select(running, [], [], 0.02)[0]:
        if not process.read():
            running.remove(process)
            process.finish()
    if tracker:
        tracker.poll()


def begin_cases(cases):
    """Runs generator cases up to their yield."""
    running = [CaseProcess(one) for one in cases]
    for process in running:
        process.wait_for_yield()
    return running


def finish_cases(running, tracker):
    for process in running:
        process.proceed()
    while running:
        collect(running, tracker)


class Arena:
    """One tracker, its namespace, and the cases whose traffic it follows."""

    def __init__(self, name, cases, arguments=(), sysctls=None, seen=WIRE_AND_SOCKET):
        self.name, self.arguments, self.sysctls, self.seen = name, list(arguments), sysctls or {}, seen
        self.cases = [one.copy(self.label()) for one in cases]
        self.begins_before = any(inspect.isgeneratorfunction(one.function) for one in self.cases)
        self.extra = []
        self.stderr = ""

    def label(self):
        return " (%s)" % " ".join(self.arguments) if self.arguments else ""

    def retry(self):
        """Returns an arena that repeats the failed cases; None unless the tracker counted events skipped by the kernel.

        The tracker cannot follow an event for which the kernel did not run its program (docs/kernels.md), but counts
        such events. Without that count the fault is the tracker's.
        """
        skipped = skipped_events(self.stderr)
        failed = [one for one in self.cases if one.problems and not one.traffic_failed]
        if not failed or not skipped:
            return None
        again = Arena(self.name + "r", [], self.arguments, self.sysctls, self.seen)
        again.cases = [one.copy("") for one in failed]
        again.begins_before = self.begins_before
        self.cases = [one for one in self.cases if one not in failed]
        for one in failed:
            show_repetition(one.name, skipped, one.problems)
        return again

    def run(self, net, options, directory):
        here = net.namespace(self.name, self.sysctls)
        self.net = net
        for number, one in enumerate(self.cases):
            one.place = one.build(net, here, "%s%d" % (self.name, number), **one.sysctls)
            if one.place.wire:
                one.place.seen = self.seen
        if options.traffic:
            self.run_with_sniffer(here, options)
        else:
            self.run_with_tracker(here, options, directory)

    def run_with_sniffer(self, here, options):
        watch = sniffer.Sniffer(here)
        if self.begins_before:
            finish_cases(begin_cases(self.cases), None)
        else:
            run_cases(self.cases, options.jobs, None)
        packets = watch.stop()
        for one in self.cases:
            one.problems += sniffer.problems(one.expectations, packets)

    def run_with_tracker(self, here, options, directory):
        begun = begin_cases(self.cases) if self.begins_before else []
        try:
            tracker = Tracker(here, "--events", "close", *self.arguments, *options.arguments, directory=directory)
        except TrackerError as error:
            for one in self.cases:
                one.problems.append("tracker: %s" % error)
                one.traffic_failed = True
            finish_cases(begun, None)
            return
        clock = read_clock()
        if self.begins_before:
            finish_cases(begun, tracker)
        else:
            run_cases(self.cases, options.jobs, tracker)
        wanted = sum(len(one.expectations) for one in self.cases)
        tracker.wait(lambda got: sum(1 for record in got if self.case_of(record)) >= wanted, self.patience())
        # A record too many may come as late as the last right one.
        tracker.wait(lambda got: False, 0.3)
        self.judge(tracker, clock)

    def patience(self):
        """Returns the seconds until the last record must have come."""
        last = max((expected.get("out_by", 0) for one in self.cases for expected in one.expectations), default=0)
        return max(LAST_RECORD_SECONDS, (last - now()) / 1e9)

    def judge(self, tracker, clock):
        try:
            status = tracker.stop()
        except TrackerError as error:
            status = str(error)
        if status != 0:
            self.extra.append("the tracker ended with %s: %s" % (status, tracker.stderr().strip()[-300:]))
        if tracker.bad_lines:
            self.extra.append("no JSON: %r" % tracker.bad_lines[0])
        self.stderr = tracker.stderr()
        self.extra += form_problems(tracker.records)
        for one in self.cases:
            note_retransmissions(one.place, one.expectations)
        for one in self.cases:
            own = [record for record in tracker.records if self.case_of(record) is one]
            one.problems += records.match(one.expectations, own, clock)

    def case_of(self, record):
        """Returns the case of a record's addresses; None if the record is from a namespace of another run.

        The tracker follows the whole machine, on which other tests may run with the same addresses.
        """
        if record.get("netns") not in self.net.inodes():
            return None
        for one in self.cases:
            if one.place.subnet.owns(record.get("src_ip", "")) or one.place.subnet.owns(record.get("dst_ip", "")):
                return one
        return None


def undated(text):
    """Returns a tracker's text without the date that comes before the first record after midnight."""
    return DATE_LINE.sub("", text)


def note_retransmissions(place, expectations):
    """Tells the expected records of a place in whose namespaces the kernel has sent segments again."""
    if any(namespace.retransmitted_segments() for namespace in {place.client.namespace, place.server.namespace}):
        for expected in expectations:
            expected["retransmitted"] = True


def skipped_events(stderr):
    """Returns the number of skipped events in a tracker's accounting; 0 if it names none."""
    skipped = SKIPPED_EVENTS.search(stderr)
    return int(skipped[1]) if skipped else 0


def show_problems(problems, lead):
    """Prints all missing and extra records, and the first few of the other problems."""
    counts = [text for text in problems if COUNT_DIFFERS.search(text)]
    others = [text for text in problems if text not in counts]
    for text in counts[:SHOWN_RECORDS] + others[:SHOWN_PROBLEMS]:
        print(lead + text)
    left_out = len(counts[SHOWN_RECORDS:] + others[SHOWN_PROBLEMS:])
    if left_out:
        print("%sand %d more" % (lead, left_out))


def show_repetition(name, skipped, problems):
    """Prints why a case or check runs once more."""
    print("again: %s: the tracker counted %d skipped events; %d problems:" % (name, skipped, len(problems)))
    show_problems(problems, "again:    ")


def show_accounting(stderr):
    """Prints the last lines that a tracker wrote on stderr after its start: its accounting, by cause."""
    for line in stderr.split(READY_LINE)[-1].splitlines()[-SHOWN_STDERR_LINES:]:
        print("      tracker: " + line.strip())


def form_problems(found):
    """Checks the form of all records, and that no two close records have the same id."""
    problems = []
    identities = {}
    for record in found:
        problems += ["%s: %s" % (record.get("id"), problem) for problem in records.form_problems(record)]
        if record.get("event") == "close" and identities.setdefault(record.get("id"), record) is not record:
            problems.append("two records have the id %s" % record.get("id"))
    return problems


def read_clock():
    return records.Clock(realtime_minus_boottime)


class Tally:
    """Prints a line for each case, and the last line, which tests/run reads."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def passes(self, name):
        self.passed += 1
        print("ok    %s" % name, flush=True)

    def skips(self, name, reason):
        self.skipped += 1
        print("skip  %s: %s" % (name, reason), flush=True)

    def fails(self, name, problems, stderrs=()):
        """stderrs: what the trackers that took part wrote."""
        self.failed += 1
        print("FAIL  %s: %d problems" % (name, len(problems)))
        show_problems(problems, "      ")
        for stderr in stderrs:
            show_accounting(stderr)
        sys.stdout.flush()

    def judge(self, name, problems, stderrs=()):
        if problems:
            self.fails(name, problems, stderrs)
        else:
            self.passes(name)

    def finish(self):
        print("%d passed, %d failed, %d skipped" % (self.passed, self.failed, self.skipped), flush=True)
        return 1 if self.failed else 0


def parse_arguments():
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--list", action="store_true", help="print the names of the cases")
    parser.add_argument("--only", metavar="WORD", help="run only the cases whose name contains WORD")
    parser.add_argument("--traffic", action="store_true", help="check the traffic itself, without a tracker")
    parser.add_argument("--keep", action="store_true", help="keep the tracker's output and print where it is")
    parser.add_argument("--jobs", type=int, default=JOBS, help="cases at a time (default %(default)s)")
    parser.add_argument("arguments", nargs="*", help="more arguments for the tracker, after --")
    return parser.parse_args()


def on_signal(number, _):
    sys.exit(128 + number)


class Run:
    """A test program's options, namespaces and output directory, which are removed however it ends."""

    def __init__(self):
        self.options = parse_arguments()
        self.tally = Tally()
        self.pid = os.getpid()
        self.net = None
        self.directory = None

    def wanted(self, name):
        return not self.options.only or self.options.only.lower() in name.lower()

    def reason_to_skip(self):
        if self.options.traffic:
            return None if os.geteuid() == 0 else "needs root"
        return unavailable()

    def set_up(self):
        self.net = Net()
        self.directory = tempfile.mkdtemp(prefix="nt-live-")
        atexit.register(self.clean_up)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, on_signal)

    def clean_up(self):
        if os.getpid() != self.pid:
            return
        self.net.delete()
        if self.options.keep:
            print("# output is in %s" % self.directory)
        else:
            shutil.rmtree(self.directory, ignore_errors=True)


def main(arenas=None):
    """Runs the registered cases with one tracker, or in the arenas that arenas() returns."""
    run = Run()
    groups = arenas() if arenas else [Arena("t", REGISTERED)]
    for arena in groups:
        arena.cases = [one for one in arena.cases if run.wanted(one.name)]
    if run.options.list:
        print("\n".join(one.name for arena in groups for one in arena.cases))
        return 0
    reason = run.reason_to_skip()
    if reason:
        for one in (one for arena in groups for one in arena.cases):
            run.tally.skips(one.name, reason)
        return run.tally.finish()
    run.set_up()
    if records.SLACK_NS:
        print("# tolerances are %d ms wider than on a real machine" % (records.SLACK_NS // 1_000_000))
    for arena in groups:
        if arena.cases:
            arena.run(run.net, run.options, run.directory)
            again = arena.retry()
            report(arena, run)
            if again:
                again.run(run.net, run.options, run.directory)
                report(again, run)
    return run.tally.finish()


def report(arena, run):
    for one in arena.cases:
        if one.skipped:
            run.tally.skips(one.name, one.skipped)
        else:
            run.tally.judge(one.name, one.problems, [arena.stderr])
    if not run.options.traffic:
        run.tally.judge("form of every record, tracker ends well (%s)" % arena.name, arena.extra, [arena.stderr])
