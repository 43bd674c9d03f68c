"""Where connections come from: packets of one interface, by TC, or sockets of this machine, by tracepoints and kprobes.

All that is attached goes with the ExitStack that a source is given.
"""
import contextlib
import ctypes
import errno
import importlib
import os
import socket
import sysconfig
import time

import records

HERE = os.path.dirname(os.path.realpath(__file__))
SYSTEM_HEADERS = "/usr/include", "/usr/include/" + sysconfig.get_config_var("MULTIARCH")
PRIORITY = 20217  # of our filters; the only ones of it that are touched
INGRESS, EGRESS = 0xfffffff2, 0xfffffff3
KEY_BYTES = 40  # core/key.h asserts it
CONNECTIONS = 65536
HALF_OPEN_SECONDS, ESTABLISHED_SECONDS = 70, 7200
LOOPBACK_OR_ETHERNET = 772, 1  # ARPHRD_*: what has an Ethernet header
ACCEPTS_AT_ONCE = 4096  # processes that wait in accept(); by itself the kernel follows 10 or so


class Failure(Exception):
    """One clear line, and the status to leave with."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


def need(module, *names):
    try:
        found = importlib.import_module(module)
        return [getattr(found, name) for name in names]
    except (ImportError, OSError, AttributeError) as error:  # OSError: a shared library that BCC opens itself
        raise Failure(4, "%s; apt-get install python3-bpfcc python3-pyroute2, and run it with /usr/bin/python3" % error)


def load(name, *cflags, **defines):
    """BCC wants a kernel's headers; the few that its own need are in headers/."""
    os.environ.setdefault("BCC_KERNEL_SOURCE", os.path.join(HERE, "headers"))
    cflags += "-I" + os.path.dirname(HERE), "-Wno-macro-redefined", *("-idirafter" + path for path in SYSTEM_HEADERS)
    cflags += tuple("-D%s=%d" % define for define in defines.items())
    BPF, = need("bcc", "BPF")
    try:
        return BPF(src_file=os.path.join(HERE, name), cflags=list(cflags))
    except Exception as error:  # BCC has no class of its own for it
        raise Failure(4, "%s: BCC cannot load it: %s" % (name, error))


class Source:
    """A loaded program: its events, counters and table of connections."""
    counted = "opened", "table full", "ring buffer full"

    def start(self, bpf, table, key):
        self.bpf, self.found = bpf, []
        self.table = bpf.get_table(table, keytype=key)
        bpf["events"].open_ring_buffer(lambda _, data, size: self.found.append(ctypes.string_at(data, size)))

    def take(self, milliseconds):
        self.bpf.ring_buffer_poll(milliseconds)
        found, self.found[:] = [self.table.Leaf.from_buffer_copy(event) for event in self.found], []
        return [self.record(view) for view in found]

    def counters(self):
        return {name: self.bpf["counters"][number].value for number, name in enumerate(self.counted)}


class Wire(Source):
    def __init__(self, options, cleanup):
        IPRoute, self.netlink_error, netns = need("pyroute2", "IPRoute", "NetlinkError", "netns")
        self.name = options.interface
        if options.netns:
            if "/" in options.netns or not os.path.exists("/run/netns/" + options.netns):
                raise Failure(5, "%s: no such network namespace; `ip netns` lists them" % options.netns)
            netns.setns(options.netns, flags=0)
        self.netns = os.stat("/proc/thread-self/ns/net").st_ino
        self.route = cleanup.enter_context(IPRoute())
        found = self.route.link_lookup(ifname=self.name)
        if not found:
            raise Failure(5, "%s: no such interface%s; `ip link` lists them"
                          % (self.name, " in namespace " + options.netns if options.netns else ""))
        self.index = found[0]
        self.claim(cleanup)
        try:
            self.carried_before = self.carried()
            has_link_header = self.link()["ifi_type"] in LOOPBACK_OR_ETHERNET
            bpf = load("netracker.c", NT_NETNS=self.netns, NT_LINK_HEADER=14 * has_link_header,
                       NT_CONNECTIONS=CONNECTIONS)
            self.start(bpf, "connections", ctypes.c_ubyte * KEY_BYTES)
            self.attach(bpf, cleanup)
        except self.netlink_error as error:
            raise Failure(4, "%s: the kernel refuses the filters: %s" % (self.name, error))

    def claim(self, cleanup):
        """The name vanishes with the process, which a filter does not; each network namespace has its own."""
        lock = cleanup.enter_context(socket.socket(socket.AF_UNIX))
        try:
            lock.bind("\0netracker.py %s" % self.name)
        except OSError:
            raise Failure(1, "%s: another netracker.py watches it; end that one first" % self.name)

    def attach(self, bpf, cleanup):
        try:
            step, program = (bpf.load_func(name, bpf.SCHED_CLS) for name in ("nt_step", "nt_packet_seen"))
        except Exception as error:
            raise Failure(4, "%s; Linux 5.10 or later is needed" % error)
        bpf["steps"][ctypes.c_int(0)] = ctypes.c_int(step.fd)
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
        """Bytes, by which no side of a connection can have sent more."""
        with contextlib.suppress(self.netlink_error):
            counts = self.link().get_attr("IFLA_STATS64")
            return counts["rx_bytes"] + counts["tx_bytes"]
        return 1 << 64

    def record(self, view):
        return records.of_observed(view, self.netns, self.name, lambda: self.carried() - self.carried_before)

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
                limit = HALF_OPEN_SECONDS if records.is_half_open(view) else ESTABLISHED_SECONDS
                if now - view.connection.last_seen_ns > limit * 10**9:
                    del self.table[key]
                    found.append(self.record(view))
        return found


class Sockets(Source):
    counted = (*Source.counted, "end missed")

    def __init__(self, _, cleanup):
        if not any(map(os.path.exists, ("/sys/kernel/tracing/events", "/sys/kernel/debug/tracing/events"))):
            raise Failure(4, "tracefs: not mounted; mount -t tracefs tracefs /sys/kernel/tracing")
        self.has_kprobes = os.path.exists("/sys/bus/event_source/devices/kprobe")
        bpf = load("socket.c", *["-DNT_CALLS"] * self.has_kprobes, NT_CONNECTIONS=CONNECTIONS)
        for tracepoint in b"sock:inet_sock_set_state", b"tcp:tcp_receive_reset":
            cleanup.callback(bpf.detach_tracepoint, tracepoint)
        self.start(bpf, "sockets", ctypes.c_uint64)
        if self.has_kprobes:
            self.attach_kprobes(bpf, cleanup)

    @staticmethod
    def attach_kprobes(bpf, cleanup):
        with open("/proc/kallsyms", "rb") as symbols:  # without IPv6 one is missing
            connects = {line.split()[2] for line in symbols} & {b"tcp_v4_connect", b"tcp_v6_connect"}
        try:
            for name in connects:
                bpf.attach_kprobe(event=name, fn_name="note_connect")
                cleanup.callback(bpf.detach_kprobe, name)
            bpf.attach_kretprobe(event="inet_csk_accept", fn_name="note_accepted", maxactive=ACCEPTS_AT_ONCE)
            cleanup.callback(bpf.detach_kretprobe, b"inet_csk_accept")
        except Exception as error:
            raise Failure(4, "kprobes: the kernel refuses them: %s" % error)

    @staticmethod
    def record(view):
        return records.of_socket(view)

    @staticmethod
    def sweep():
        """A socket's end is never silent."""
        return []
