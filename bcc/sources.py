"""Where connections come from: packets of one interface, by TC, or sockets of this machine, by tracepoints and kprobes.
Each is there, attached, for the time of a with statement."""
import contextlib
import ctypes
import importlib
import os
import sysconfig
import time

import records
from interface import HOOKS, INTERFACE, KERNEL, Interface, Refusal

HERE = os.path.dirname(os.path.realpath(__file__))
SYSTEM_HEADERS = "/usr/include", "/usr/include/" + sysconfig.get_config_var("MULTIARCH")
PRIORITY = 20217  # of our filters
INGRESS, EGRESS = 0xfffffff2, 0xfffffff3
KEY_BYTES = 40  # core/key.h asserts it
CONNECTIONS = 65536
COUNTERS = "opened", "table full", "ring buffer full", "end missed"  # enum counter of netracker.c and socket.c
SWEEP_SECONDS = 5
LOOPBACK_OR_ETHERNET = 772, 1  # ARPHRD_*: what has an Ethernet header
ACCEPTS_AT_ONCE = 4096  # processes that wait in accept(); by itself the kernel follows 10 or so


def need(module, *names):
    try:
        found = importlib.import_module(module)
        return [getattr(found, name) for name in names]
    except (ImportError, OSError, AttributeError) as error:  # OSError: a shared library that BCC opens itself
        raise Refusal(KERNEL, "%s; apt-get install python3-bpfcc python3-pyroute2, and run it with /usr/bin/python3" % error)


def load(name, tc_programs=(), cflags=(), **defines):
    """BCC wants a kernel's headers; the few that its own need are in headers/."""
    os.environ.setdefault("BCC_KERNEL_SOURCE", os.path.join(HERE, "headers"))
    cflags = [*cflags, "-I" + os.path.dirname(HERE), "-Wno-macro-redefined", *("-idirafter" + path for path in SYSTEM_HEADERS),
              *("-D%s=%d" % define for define in defines.items())]
    BPF, = need("bcc", "BPF")
    try:
        bpf = BPF(src_file=os.path.join(HERE, name), cflags=cflags)
        return bpf, {program: bpf.load_func(program, bpf.SCHED_CLS) for program in tc_programs}
    except Exception as error:  # BCC has no class of its own for it
        raise Refusal(KERNEL, "%s: cannot be loaded: %s; Linux 5.10 or newer is needed" % (name, error))


class Source:
    """A loaded program: its events, counters and table of connections."""

    def __init__(self, bpf, table, key, record_of):
        self.bpf, self.record_of, self.found = bpf, record_of, []
        self.table = bpf.get_table(table, keytype=key)
        bpf["events"].open_ring_buffer(lambda _, data, size: self.found.append(ctypes.string_at(data, size)))

    def take(self, milliseconds):
        self.bpf.ring_buffer_poll(milliseconds)
        found, self.found[:] = [self.table.Leaf.from_buffer_copy(event) for event in self.found], []
        return [self.record_of(view) for view in found]

    def counters(self):
        return dict(zip(COUNTERS, (count.value for count in self.bpf["counters"].values())))


class Packets(Source):
    def __init__(self, bpf, interface, record_of):
        super().__init__(bpf, "connections", ctypes.c_ubyte * KEY_BYTES, record_of)
        self.interface, self.next_sweep = interface, time.monotonic() + SWEEP_SECONDS

    def take(self, milliseconds):
        found = super().take(milliseconds)
        if time.monotonic() >= self.next_sweep:
            self.next_sweep = time.monotonic() + SWEEP_SECONDS
            found += self.silent()
            self.interface.device()  # is still there
        return found

    def silent(self):
        """Those of which nothing more is expected."""
        now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        for key in self.table:
            with contextlib.suppress(KeyError):  # it ended meanwhile
                view = self.table[key]
                if now > view.connection.last_seen_ns + view.summary.idle_limit_ns:
                    del self.table[key]
                    yield self.record_of(view)


@contextlib.contextmanager
def wire(name, namespace):
    IPRoute, NetlinkError, netns = need("pyroute2", "IPRoute", "NetlinkError", "netns")

    def carried():
        """Bytes, by which no side of a connection can have sent more."""
        with contextlib.suppress(NetlinkError):
            counts = route.get_links(interface.ifindex)[0].get_attr("IFLA_STATS64")
            return counts["rx_bytes"] + counts["tx_bytes"]
        return 1 << 64

    if namespace is not None:
        try:
            if "/" in namespace:
                raise FileNotFoundError
            netns.setns("/run/netns/" + namespace, flags=0)
        except OSError:
            raise Refusal(INTERFACE, "%s: no such network namespace; `ip netns` lists them" % namespace)
    inode = os.stat("/proc/thread-self/ns/net").st_ino
    interface = Interface(name, "netracker.py", PRIORITY, dict.fromkeys(HOOKS, "nt_packet_seen"))
    with IPRoute() as route, interface.locked(), interface.in_use():
        before = carried()
        has_link_header = route.get_links(interface.ifindex)[0]["ifi_type"] in LOOPBACK_OR_ETHERNET
        bpf, programs = load("netracker.c", ("nt_step", "nt_packet_seen"), NT_NETNS=inode,
                             NT_LINK_HEADER=14 * has_link_header, NT_CONNECTIONS=CONNECTIONS)
        bpf["steps"][ctypes.c_int(0)] = ctypes.c_int(programs["nt_step"].fd)
        interface.remove_own()  # what a killed instance left
        try:
            for parent in INGRESS, EGRESS:
                route.tc("add-filter", "bpf", interface.ifindex, ":1", fd=programs["nt_packet_seen"].fd,
                         name="nt_packet_seen", parent=parent, prio=PRIORITY, classid=1, direct_action=True)
        except NetlinkError as error:
            raise interface.refused(error)
        yield Packets(bpf, interface, lambda view: records.of_observed(
            view, inode, interface.name, lambda: carried() - before))


def attach_calls(bpf):
    with open("/proc/kallsyms", "rb") as symbols:  # without IPv6 one is missing
        connects = {line.split()[2] for line in symbols} & {b"tcp_v4_connect", b"tcp_v6_connect"}
    try:
        for name in connects:
            bpf.attach_kprobe(event=name, fn_name="note_connect")
        bpf.attach_kretprobe(event="inet_csk_accept", fn_name="note_accepted", maxactive=ACCEPTS_AT_ONCE)
    except Exception as error:  # BCC has no class of its own for it
        raise Refusal(KERNEL, "kprobes: the kernel refuses them: %s" % error)


@contextlib.contextmanager
def sockets(has_kprobes):
    if not any(map(os.path.exists, ("/sys/kernel/tracing/events", "/sys/kernel/debug/tracing/events"))):
        raise Refusal(KERNEL, "tracefs: not mounted; mount -t tracefs tracefs /sys/kernel/tracing")
    bpf, _ = load("socket.c", cflags=["-DNT_CALLS"] * has_kprobes, NT_CONNECTIONS=CONNECTIONS)
    try:
        if has_kprobes:
            attach_calls(bpf)
        yield Source(bpf, "sockets", ctypes.c_uint64, records.of_socket)
    finally:  # BCC does it too, when Python ends
        for name in list(bpf.kprobe_fds):
            bpf.detach_kprobe_event(name)
        for name in list(bpf.tracepoint_fds):
            bpf.detach_tracepoint(name)
