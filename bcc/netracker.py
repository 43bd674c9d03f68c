#!/usr/bin/python3
"""TCP connections as they end: NeTracker's core, compiled and loaded by BCC."""
import argparse
import contextlib
import ctypes
import errno
import os
import signal
import socket
import sys
import sysconfig
import time

import records

HERE = os.path.dirname(os.path.realpath(__file__))
PROGRAM = "netracker.py"
EXAMPLES = """examples
  netracker.py -i eth0                               the seed's line for each connection through eth0
  netracker.py -i eth0 -D 443 --format json          records, for jq
  netracker.py -i veth0 --netns blue -n 10           ten connections of an interface of namespace blue
  netracker.py --context socket -p 1234 -t 60        a minute of one process's connections
exit status: 0 done, 1 input or output broke, 2 usage, 3 not root, 4 kernel or packages, 5 interface"""
PRIORITY = 20217  # of our filters; the only ones of it that are touched
INGRESS, EGRESS = 0xfffffff2, 0xfffffff3
CONNECTIONS = 65536
HALF_OPEN_SECONDS, ESTABLISHED_SECONDS = 70, 7200
SWEEP_SECONDS = 5
POLL_MILLISECONDS = 100
LOOPBACK_OR_ETHERNET = 772, 1  # ARPHRD_*: what has an Ethernet header
COUNTERS = "opened", "table full", "ring buffer full"


class Failure(Exception):
    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise Failure(2, "%s; see %s --help" % (message, PROGRAM))


def ports(text):
    numbers = [int(part) if part.isascii() and part.isdigit() else 0 for part in text.split(",")]
    if not all(0 < number < 65536 for number in numbers):
        raise argparse.ArgumentTypeError("'%s' is no list of ports" % text)
    return set(numbers)


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
    parser.add_argument("-4", dest="family", action="store_const", const="ipv4", help="IPv4 only")
    parser.add_argument("-6", dest="family", action="store_const", const="ipv6", help="IPv6 only")
    parser.add_argument("-p", "--pid", type=positive(int), help="whose owner is this process (context socket)")
    parser.add_argument("-L", "--local-port", type=ports, metavar="PORT,..", help="local port; wire: the source's")
    parser.add_argument("-D", "--remote-port", type=ports, metavar="PORT,..", help="remote; wire: the destination's")
    parser.add_argument("-t", "--time", type=positive(float), metavar="SECONDS", help="end after so long")
    parser.add_argument("-n", "--count", type=positive(int), help="end after so many lines")
    parser.add_argument("-f", "--format", choices=("trace", "json"), default="trace",
                        help="trace: the seed's line; json: one record a line")
    options = parser.parse_args(arguments)
    if options.context == "wire" and not options.interface:
        parser.error("no interface: name one with -i")
    if options.context == "wire" and options.pid:
        parser.error("-p: packets have no owner: add --context socket")
    if options.context == "socket" and (options.interface or options.netns):
        parser.error("-i, --netns: sockets are seen whatever their interface and namespace: leave them out")
    return options


def load(name, defines, *flags):
    """BCC wants a kernel's headers; the few that its own need are in headers/."""
    os.environ.setdefault("BCC_KERNEL_SOURCE", os.path.join(HERE, "headers"))
    from bcc import BPF
    system = "/usr/include", "/usr/include/" + sysconfig.get_config_var("MULTIARCH")
    cflags = ["-I" + os.path.dirname(HERE), "-Wno-macro-redefined", *("-idirafter" + path for path in system), *flags]
    cflags += ["-D%s=%d" % define for define in defines.items()]
    try:
        return BPF(src_file=os.path.join(HERE, name), cflags=cflags)
    except Exception as error:
        raise Failure(4, "%s: BCC cannot load it: %s" % (name, error))


class Source:
    """A loaded program: its events, counters and table of connections."""

    def start(self, bpf, table, key, layout):
        self.bpf, self.layout, self.found = bpf, layout, []
        self.table = bpf.get_table(table, keytype=key, leaftype=layout)
        bpf["events"].open_ring_buffer(lambda _, data, size: self.found.append(ctypes.string_at(data, size)))

    def take(self, milliseconds=POLL_MILLISECONDS):
        self.bpf.ring_buffer_poll(milliseconds)
        found, self.found[:] = [self.layout.from_buffer_copy(event) for event in self.found], []
        return [self.record(view) for view in found]

    def counters(self):
        return {name: self.bpf["counters"][number].value for number, name in enumerate(COUNTERS)}


class Wire(Source):
    def __init__(self, options, cleanup):
        from pyroute2 import IPRoute, NetlinkError, netns
        self.netlink_error, self.name = NetlinkError, options.interface
        if options.netns:
            self.enter(options.netns, netns)
        self.route = cleanup.enter_context(IPRoute())
        found = self.route.link_lookup(ifname=self.name)
        if not found:
            raise Failure(5, "%s: no such interface%s; `ip link` lists them"
                          % (self.name, " in namespace " + options.netns if options.netns else ""))
        self.index = found[0]
        self.claim(cleanup)
        try:
            self.load(cleanup)
        except NetlinkError as error:
            raise Failure(4, "%s: the kernel refuses the filters: %s" % (self.name, error))

    def load(self, cleanup):
        self.carried_before = self.carried()
        has_link_header = self.link()["ifi_type"] in LOOPBACK_OR_ETHERNET
        bpf = load("netracker.c", {"NT_NETNS": os.stat("/proc/thread-self/ns/net").st_ino,
                                   "NT_LINK_HEADER": 14 * has_link_header, "NT_CONNECTIONS": CONNECTIONS,
                                   "NT_OBSERVED_SIZE": ctypes.sizeof(records.Observed)})
        self.start(bpf, "connections", records.Key, records.Observed)
        self.attach(cleanup)

    @staticmethod
    def enter(name, netns):
        if "/" in name or not os.path.exists("/run/netns/" + name):
            raise Failure(5, "%s: no such network namespace; `ip netns` lists them" % name)
        netns.setns(name, flags=0)

    def claim(self, cleanup):
        """The name vanishes with the process, which a filter does not; each network namespace has its own."""
        lock = cleanup.enter_context(socket.socket(socket.AF_UNIX))
        try:
            lock.bind("\0%s %s" % (PROGRAM, self.name))
        except OSError:
            raise Failure(1, "%s: another %s watches it; end that one first" % (self.name, PROGRAM))

    def attach(self, cleanup):
        from bcc import BPF
        try:
            step, program = (self.bpf.load_func(name, BPF.SCHED_CLS) for name in ("nt_step", "nt_packet_seen"))
        except Exception as error:
            raise Failure(4, "%s; Linux 5.10 or later is needed" % error)
        steps = self.bpf["steps"]
        steps[ctypes.c_int(0)] = ctypes.c_int(step.fd)
        try:
            self.route.tc("add", "clsact", self.index)
            cleanup.callback(self.remove_clsact)
        except self.netlink_error as error:
            if error.code != errno.EEXIST:
                raise
        for parent in INGRESS, EGRESS:
            # What is there of this priority a killed instance left behind: nobody claims the interface.
            cleanup.callback(self.quietly, "del-filter", "bpf", handle=":1", parent=parent, prio=PRIORITY)
            self.route.tc("replace-filter", "bpf", self.index, ":1", fd=program.fd, name=program.name, parent=parent,
                          prio=PRIORITY, classid=1, direct_action=True)

    def quietly(self, command, kind, **arguments):
        """The interface may be gone, and with it all that was attached."""
        with contextlib.suppress(self.netlink_error):
            self.route.tc(command, kind, self.index, **arguments)

    def remove_clsact(self):
        """Unless somebody else uses it by now."""
        with contextlib.suppress(self.netlink_error):
            if not any(self.route.get_filters(self.index, parent=parent) for parent in (INGRESS, EGRESS)):
                self.quietly("del", "clsact")

    def link(self):
        return self.route.get_links(self.index)[0]

    def carried(self):
        with contextlib.suppress(self.netlink_error):
            counts = self.link().get_attr("IFLA_STATS64")
            return counts["rx_bytes"] + counts["tx_bytes"]
        return 1 << 64

    def record(self, view):
        return records.of_observed(view, self.name, lambda: self.carried() - self.carried_before)

    def sweep(self):
        """Those of which nothing more is expected; KeyError: it ended meanwhile."""
        try:
            socket.if_indextoname(self.index)
        except OSError:
            raise Failure(5, "%s: the interface is gone; start again where it comes back" % self.name)
        now, found = time.clock_gettime_ns(time.CLOCK_BOOTTIME), []
        for key in self.table:
            with contextlib.suppress(KeyError):
                view = self.table[key]
                limit = ESTABLISHED_SECONDS if view.is_established else HALF_OPEN_SECONDS
                if now - view.connection.last_seen_ns > limit * 10**9:
                    del self.table[key]
                    found.append(self.record(view))
        return found


class Sockets(Source):
    def __init__(self, _, cleanup):
        from bcc import BPF
        has_kprobes = os.path.exists("/sys/bus/event_source/devices/kprobe")
        if not os.path.exists("/sys/kernel/tracing/events") and not os.path.exists("/sys/kernel/debug/tracing/events"):
            raise Failure(4, "tracefs: not mounted; mount -t tracefs tracefs /sys/kernel/tracing")
        if not has_kprobes:
            note("kprobes: this kernel has none; who accepts a connection stays unknown")
        bpf = load("socket.c", {"NT_CONNECTIONS": CONNECTIONS, "NT_SOCKET_SIZE": ctypes.sizeof(records.Socket)},
                   *["-DNT_CALLS"] * has_kprobes)
        for tracepoint in b"sock:inet_sock_set_state", b"tcp:tcp_receive_reset":
            cleanup.callback(bpf.detach_tracepoint, tracepoint)
        self.start(bpf, "sockets", ctypes.c_uint64, records.Socket)
        for name in ("tcp_v4_connect", "tcp_v6_connect") * has_kprobes:
            if BPF.get_kprobe_functions(name.encode()):
                bpf.attach_kprobe(event=name, fn_name="note_connect")
                cleanup.callback(bpf.detach_kprobe, name.encode())
        if has_kprobes:
            bpf.attach_kretprobe(event="inet_csk_accept", fn_name="note_accepted")
            cleanup.callback(bpf.detach_kretprobe, b"inet_csk_accept")

    @staticmethod
    def record(view):
        return records.of_socket(view)

    @staticmethod
    def sweep():
        """A socket's end is never silent."""
        return []


def note(text):
    print("netracker: %s" % " ".join(map(records.printable, str(text).split(" "))), file=sys.stderr, flush=True)


def accepts(options, record):
    local, remote = ("dst_port", "src_port") if record["role"] == "server" else ("src_port", "dst_port")
    return ((not options.family or record["family"] == options.family) and
            (not options.pid or record.get("pid") == options.pid) and
            (not options.local_port or record[local] in options.local_port) and
            (not options.remote_port or record[remote] in options.remote_port))


class Output:
    def __init__(self, options):
        self.options, self.written, self.filtered, self.silent = options, 0, 0, 0

    def is_full(self):
        return self.options.count is not None and self.written >= self.options.count

    def write(self, found):
        for record in found:
            line = records.line_of(record, self.options.format == "json")
            if not accepts(self.options, record):
                self.filtered += 1
            elif line is None or self.is_full():
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
        counts = source.counters()
        still_open = sum(1 for _ in source.table)
        lost = counts["table full"] + counts["ring buffer full"]
        note("%d opened = %d written + %d filtered + %d without a line + %d still open + %d lost (table full %d, ring "
             "buffer full %d)" % (counts["opened"], self.written, self.filtered, self.silent, still_open, lost,
                                  counts["table full"], counts["ring buffer full"]))


def track(options, stopped):
    output = Output(options)
    with contextlib.ExitStack() as cleanup:
        source = (Wire if options.context == "wire" else Sockets)(options, cleanup)
        note("tracking %s" % (options.interface or "sockets"))
        end = time.monotonic() + (options.time or float("inf"))
        next_sweep = time.monotonic() + SWEEP_SECONDS
        try:
            while not stopped and not output.is_full() and time.monotonic() < end:
                output.write(source.take())
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
    except ImportError as error:
        note("%s; apt-get install python3-bpfcc python3-pyroute2, and run it with /usr/bin/python3" % error)
        return 4
    except BrokenPipeError:  # the reader has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except Failure as failure:
        note(failure)
        return failure.status
    return 0


if __name__ == "__main__":
    sys.exit(main())
