#!/usr/bin/python3
"""TCP connections as they end: NeTracker's core, compiled and loaded by BCC."""
import argparse
import contextlib
import os
import signal
import sys
import time

import records
from sources import Failure, Sockets, Wire

PROGRAM = "netracker.py"
EXAMPLES = """examples
  netracker.py -i eth0                               the seed's line for each connection through eth0
  netracker.py -i eth0 -f json | jq -c 'select(.dst_port == 443)'
  netracker.py -i veth0 --netns blue -n 10           ten connections of an interface of namespace blue
  netracker.py --context socket -t 60                a minute of all of this machine's sockets
exit status: 0 done, 1 input or output broke, 2 usage, 3 not root, 4 kernel or packages, 5 interface"""
SWEEP_SECONDS = 5
POLL_MILLISECONDS = 100


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise Failure(2, "%s; see %s --help" % (message, PROGRAM))


def positive(kind):
    def convert(text):
        with contextlib.suppress(ValueError):
            if 0 < kind(text) < 1e9:
                return kind(text)
        raise argparse.ArgumentTypeError("'%s' is no number above 0" % text)
    return convert


def parse(arguments):
    parser = Parser(prog=PROGRAM, description=__doc__, epilog=EXAMPLES, allow_abbrev=False,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-i", "--interface", metavar="NAME", help="whose packets are watched (context wire)")
    parser.add_argument("--netns", metavar="NAME", help="network namespace of the interface, as `ip netns` names it")
    parser.add_argument("--context", choices=("wire", "socket"), default="wire",
                        help="wire: packets, by TC; socket: this machine's sockets, by tracepoint and kprobes")
    parser.add_argument("-t", "--time", type=positive(float), metavar="SECONDS", help="end after so long")
    parser.add_argument("-n", "--count", type=positive(int), help="end after so many lines")
    parser.add_argument("-f", "--format", choices=("trace", "json"), default="trace",
                        help="trace: the seed's line; json: one record a line")
    options = parser.parse_args(arguments)
    if options.context == "wire" and not options.interface:
        parser.error("no interface: name one with -i")
    if options.context == "socket" and (options.interface or options.netns):
        parser.error("-i, --netns: sockets are seen whatever their interface and namespace: leave them out")
    return options


def note(text):
    print("netracker: %s" % " ".join(map(records.printable, str(text).split(" "))), file=sys.stderr, flush=True)


class Output:
    def __init__(self, options):
        self.most, self.is_json = options.count or float("inf"), options.format == "json"
        self.written = self.silent = 0

    def is_full(self):
        return self.written >= self.most

    def write(self, found):
        for record in found:
            line = records.line_of(record, self.is_json)
            if line is None or self.is_full():
                self.silent += 1
            else:
                self.print(line)
                self.written += 1

    @staticmethod
    def print(line):
        try:
            print(line, flush=True)
        except BrokenPipeError:
            raise
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            raise Failure(1, "output: %s; make room for it" % error.strerror)

    def account(self, source):
        lost = source.counters()
        opened = lost.pop("opened")
        note("%d opened = %d written + %d without a line + %d still open + %d lost (%s)"
             % (opened, self.written, self.silent, sum(1 for _ in source.table), sum(lost.values()),
                ", ".join("%s %d" % cause for cause in lost.items())))


def track(options, stopped):
    output = Output(options)
    with contextlib.ExitStack() as cleanup:
        source = (Wire if options.context == "wire" else Sockets)(options, cleanup)
        if options.context == "socket" and not source.has_kprobes:
            note("kprobes: this kernel has none; who accepts a connection stays unknown")
        note("tracking %s" % (options.interface or "sockets"))
        end = time.monotonic() + (options.time or float("inf"))
        next_sweep = time.monotonic() + SWEEP_SECONDS
        try:
            while not stopped and not output.is_full() and time.monotonic() < end:
                output.write(source.take(POLL_MILLISECONDS))
                if time.monotonic() >= next_sweep:
                    output.write(source.sweep())
                    next_sweep = time.monotonic() + SWEEP_SECONDS
        finally:
            cleanup.close()
            output.write(source.take(0))
            output.account(source)


def main():
    stopped = []
    for number in signal.SIGINT, signal.SIGTERM:
        signal.signal(number, lambda *_: stopped.append(True))
    try:
        options = parse(sys.argv[1:])
        if os.geteuid():
            raise Failure(3, "loading programs into the kernel takes root; run it with sudo")
        track(options, stopped)
    except BrokenPipeError:  # the reader has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except Failure as failure:
        note(failure)
        return failure.status
    return 0


if __name__ == "__main__":
    sys.exit(main())
