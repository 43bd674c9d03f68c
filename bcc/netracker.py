#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Prints TCP connections as they end. NeTracker's core, compiled and loaded by BCC."""
import contextlib
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "frontends"))
from interface import ENDING_SIGNALS, PRIVILEGES, Parser, Refusal, main, report  # noqa: E402
import frontend_records  # noqa: E402
import sources  # noqa: E402

EXAMPLES = """examples
  netracker.py -i eth0                               the [TC] line of each connection through eth0
  netracker.py -i eth0 -f json | jq -c 'select(.dst_port == 443)'
  netracker.py -i veth0 --netns blue | head          ten connections of an interface of namespace blue
  timeout -s INT 60 netracker.py --context socket    all sockets of this machine, for a minute
exit status: 0 done, 1 input or output broke, 2 usage, 3 not root, 4 kernel or packages, 5 interface"""
POLL_MILLISECONDS = 100


def parse(arguments):
    parser = Parser(prog="netracker.py", description=__doc__, epilog=EXAMPLES)
    parser.add_argument("-i", "--interface", metavar="NAME", help="interface whose packets are tracked (context wire)")
    parser.add_argument("--netns", metavar="NAME", help="network namespace of the interface, as `ip netns` names it")
    parser.add_argument("--context", choices=("wire", "socket"), default="wire",
                        help="wire: packets, by TC; socket: this machine's sockets, by tracepoint and kprobes")
    parser.add_argument("-f", "--format", choices=("trace", "json"), default="trace",
                        help="trace: the [TC] line; json: one record a line")
    options = parser.parse_args(arguments)
    if options.context == "wire" and not options.interface:
        parser.error("which interface? name it with -i")
    if options.context == "socket" and (options.interface or options.netns):
        parser.error("-i, --netns: --context socket covers all interfaces and namespaces; leave them out")
    return options


class Output:
    def __init__(self, is_json):
        self.is_json, self.written, self.filtered, self.unwritten = is_json, 0, 0, 0

    def write(self, found):
        self.unwritten += len(found)
        for line in (frontend_records.format_record(record, self.is_json) for record in found):
            if line is None:
                self.filtered += 1
            else:
                print(line, flush=True)
                self.written += 1
            self.unwritten -= 1

    def finish(self, source):
        try:
            self.write(source.poll(0))
        finally:
            self.report_accounting(source)

    def report_accounting(self, source):
        lost = {**source.counters(), "output": self.unwritten}
        opened = lost.pop("opened")
        causes = ", ".join("%d %s" % (count, cause) for cause, count in lost.items() if count)
        report("%d record%s: %d written, %d filtered%s, %d open, %d lost%s"
               % (opened, "" if opened == 1 else "s", self.written, self.filtered,
                  " (no [TC] line)" if self.filtered else "",
                  sum(1 for _ in source.table), sum(lost.values()), " (%s)" % causes if causes else ""))


def open_source(options):
    if options.context == "wire":
        return sources.track_wire(options.interface, options.netns)
    has_kprobes = os.path.exists("/sys/bus/event_source/devices/kprobe")
    if not has_kprobes:
        report("this kernel has no kprobes; the process that accepts a connection stays unknown")
    return sources.track_sockets(has_kprobes)


def track(arguments):
    options, stopped = parse(arguments), []
    if os.geteuid():
        raise Refusal(PRIVILEGES, "not permitted to load BPF programs; run it as root (sudo)")
    for number in ENDING_SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # keep SIGHUP ignored under nohup
            signal.signal(number, lambda *_: stopped.append(True))
    output = Output(options.format == "json")
    with contextlib.ExitStack() as cleanup:
        source = cleanup.enter_context(open_source(options))
        report("tracking " + (options.interface or "sockets"))
        try:
            while not stopped:
                output.write(source.poll(POLL_MILLISECONDS))
        finally:
            try:
                cleanup.close()
            finally:
                output.finish(source)


main(track)
