# SPDX-License-Identifier: GPL-2.0-or-later
"""The sources of connections: packets of one interface, by TC, and sockets of this machine, by tracepoints and kprobes.
Both are context managers, which attach their programs on entry and detach them on exit."""
import contextlib
import ctypes
import importlib
import itertools
import os
import struct
import sysconfig
import time

from frontend_records import KEYS, SIDES, record
from interface import HOOKS, INTERFACE, KERNEL, Interface, Refusal

HERE = os.path.dirname(os.path.realpath(__file__))
SYSTEM_HEADERS = "/usr/include", "/usr/include/" + sysconfig.get_config_var("MULTIARCH")
PRIORITY, PROGRAM = 20217, "nt_packet_seen"  # of our filters
INGRESS, EGRESS = 0xfffffff2, 0xfffffff3
KEY_BYTES = 40  # core/key.h asserts it
CONNECTIONS = 65536
COUNTERS = "opened", "table full", "ring buffer full", "end missed"  # enum counter of netracker.c and socket.c
SWEEP_SECONDS = 5
LOOPBACK_OR_ETHERNET = 772, 1  # ARPHRD_*: devices with an Ethernet header
OUTCOMES = "closed", "reset", "refused", "timeout", "unreachable", "expired"
ROLES = "client", "server"
MARK_SIMULTANEOUS = 8
NO_VLAN = 0xffff
SEQUENCE_NUMBERS = 1 << 32
ACCEPTS_AT_ONCE = 4096  # processes that wait in accept(); the kernel's default is about 10


def require_module(module, *names):
    try:
        found = importlib.import_module(module)
        return [getattr(found, name) for name in names]
    except (ImportError, OSError, AttributeError) as error:  # OSError: a shared library that BCC opens itself
        raise Refusal(KERNEL, "%s; apt-get install python3-bpfcc python3-pyroute2, and run it with /usr/bin/python3" % error)


def load_programs(name, cflags=(), **defines):
    """Compiles and loads a C file. headers/ replaces the kernel headers, of which BCC's own headers need only a few."""
    os.environ.setdefault("BCC_KERNEL_SOURCE", os.path.join(HERE, "headers"))
    cflags = [*cflags, "-I" + os.path.dirname(HERE), "-Wno-macro-redefined", *("-idirafter" + path for path in SYSTEM_HEADERS),
              *("-D%s=%d" % define for define in defines.items())]
    BPF, = require_module("bcc", "BPF")
    try:
        return BPF(src_file=os.path.join(HERE, name), cflags=cflags)
    except Exception as error:  # BCC raises plain Exception
        raise Refusal(KERNEL, "%s: cannot be loaded: %s; it needs Linux 5.10 or newer" % (name, error))


def make_record(summary, role, endpoints, gaps, **known):
    """Makes a record of a summary (struct nt_result), in which -1 is unknown. Values in known take precedence."""
    times = [name for name, _ in summary._fields_ if name in KEYS]
    return record(role, endpoints, summary.start_ns, gaps, **{
        **{name: getattr(summary, name) for name in times}, "first_fin_ns": summary.first_fin_ns,
        "outcome": OUTCOMES[summary.outcome] if summary.outcome >= 0 else None,
        "ended_by": SIDES[summary.ended_by] if summary.ended_by >= 0 else None, **known})


def make_packet_record(entry, netns, ifname, count_bytes):
    """count_bytes(): bytes that the interface carried, an upper limit of what each side of the connection sent."""
    wire, summary, key = entry.connection, entry.summary, bytes(entry.key)
    endpoints = [(key[16 * index:16 * index + 16], struct.unpack_from("=H", key, 32 + 2 * index)[0])
                 for index in summary.index]
    is_exact = summary.most_bytes < SEQUENCE_NUMBERS or count_bytes() < SEQUENCE_NUMBERS
    gaps = ["direction"] * bool(wire.marks & MARK_SIMULTANEOUS)
    gaps += ["bytes_mod_4g"] * (any(sent >= 0 for sent in summary.bytes) and not is_exact)
    src_bytes, dst_bytes = summary.bytes if is_exact else (None, None)
    return make_record(summary, "observer", endpoints, gaps, netns=netns, ifname=ifname, src_bytes=src_bytes,
                       dst_bytes=dst_bytes, vlan=None if wire.vlan == NO_VLAN else wire.vlan,
                       wire_duration_ns=summary.duration_ns,
                       history=wire.history[:wire.history_length].decode("ascii"), seen=["wire"])


def make_socket_record(entry):
    one, owner, role = entry.socket, entry.socket.owner, ROLES[entry.socket.role]
    endpoints = (one.local, one.local_port), (one.remote, one.remote_port)
    known = {"seen": ["socket"] + ["calls"] * entry.calls}
    if owner.process.pid:
        known.update(pid=owner.process.pid, comm=owner.comm.decode("utf-8", "backslashreplace"), uid=owner.uid,
                     owner_by={"client": "connect", "server": "accept"}[role])
    if one.established_ns and entry.accepted_ns >= one.established_ns:
        known.update(accept_wait_ns=entry.accepted_ns - one.established_ns)
    return make_record(entry.summary, role, endpoints if role == "client" else endpoints[::-1],
                       ["owner"] * (not owner.process.pid), **known)


class Source:
    """The loaded programs of a context: their events, counters and table of connections."""

    def __init__(self, bpf, table, key, make_record):
        self.bpf, self.make_record, self.events = bpf, make_record, []
        self.table = bpf.get_table(table, keytype=key)
        bpf["events"].open_ring_buffer(lambda _, data, size: self.events.append(ctypes.string_at(data, size)))

    def poll(self, milliseconds):
        """Waits at most so long for events. Returns the records of the connections that ended."""
        self.bpf.ring_buffer_poll(milliseconds)
        ended, self.events[:] = [self.table.Leaf.from_buffer_copy(event) for event in self.events], []
        return [self.make_record(entry) for entry in ended]

    def counters(self):
        return dict(zip(COUNTERS, (count.value for count in self.bpf["counters"].values())))


class Packets(Source):
    def __init__(self, bpf, interface, make_record):
        super().__init__(bpf, "connections", ctypes.c_ubyte * KEY_BYTES, make_record)
        self.interface, self.next_sweep = interface, time.monotonic() + SWEEP_SECONDS

    def poll(self, milliseconds):
        if milliseconds and time.monotonic() >= self.next_sweep:
            self.next_sweep = time.monotonic() + SWEEP_SECONDS
            self.interface.device()  # raises Refusal if the interface is gone
            return [*self.expire(), *super().poll(0)]
        return super().poll(milliseconds)

    def expire(self):
        """Removes idle connections from the table, and yields their records."""
        now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        # Read all keys first: if the current key was deleted, the kernel restarts at the first one.
        for key in list(itertools.islice(self.table, CONNECTIONS)):
            with contextlib.suppress(KeyError):  # it ended meanwhile
                entry = self.table[key]
                if now > entry.connection.last_seen_ns + entry.summary.idle_limit_ns:
                    del self.table[key]
                    yield self.make_record(entry)


def enter_netns(namespace):
    """Enters a network namespace by its name in `ip netns`."""
    netns, = require_module("pyroute2", "netns")
    try:
        if "/" in namespace:
            raise FileNotFoundError
        netns.setns("/run/netns/" + namespace, flags=0)
    except OSError:
        raise Refusal(INTERFACE, "no such network namespace: %s; `ip netns` lists them" % namespace)


class ByteCounter:
    """Counts the bytes through an interface from now on. Returns the last count after the interface is gone."""

    def __init__(self, route, ifindex, error):
        self.route, self.ifindex, self.error, self.baseline, self.last = route, ifindex, error, 0, 1 << 64
        self.baseline = self()

    def __call__(self):
        with contextlib.suppress(self.error, OSError):
            counts = self.route.get_links(self.ifindex)[0].get_attr("IFLA_STATS64")
            self.last = counts["rx_bytes"] + counts["tx_bytes"] - self.baseline
        return self.last


def attach_filters(route, interface, handle, bpf, error):
    try:
        step, seen = (bpf.load_func(name, bpf.SCHED_CLS) for name in ("nt_step", PROGRAM))
    except Exception as reason:  # BCC raises plain Exception
        raise Refusal(KERNEL, "cannot load the programs: %s; they need Linux 5.10 or newer" % reason)
    bpf["steps"][ctypes.c_int(0)] = ctypes.c_int(step.fd)
    interface.remove_own()  # filters that a killed instance left
    try:
        for parent in INGRESS, EGRESS:
            route.tc("add-filter", "bpf", interface.ifindex, ":%d" % handle, fd=seen.fd, name=PROGRAM, parent=parent,
                     prio=PRIORITY, classid=1, direct_action=True)
    except error as reason:
        raise interface.attach_refusal(reason)


@contextlib.contextmanager
def track_wire(name, namespace):
    IPRoute, NetlinkError = require_module("pyroute2", "IPRoute", "NetlinkError")
    if namespace is not None:
        enter_netns(namespace)
    inode = os.stat("/proc/thread-self/ns/net").st_ino
    interface = Interface(name, "netracker.py", PRIORITY, dict.fromkeys(HOOKS, PROGRAM))
    printed = os.fsencode(name).decode("utf-8", "backslashreplace")
    with IPRoute() as route, interface.locked(), interface.in_use() as handle:
        count_bytes = ByteCounter(route, interface.ifindex, NetlinkError)
        has_link_header = route.get_links(interface.ifindex)[0]["ifi_type"] in LOOPBACK_OR_ETHERNET
        bpf = load_programs("netracker.c", NT_NETNS=inode, NT_LINK_HEADER=14 * has_link_header,
                            NT_CONNECTIONS=CONNECTIONS)
        attach_filters(route, interface, handle, bpf, NetlinkError)
        try:
            yield Packets(bpf, interface, lambda entry: make_packet_record(entry, inode, printed, count_bytes))
        finally:
            count_bytes()  # the last count, before the netlink socket is closed


def attach_kprobes(bpf):
    with open("/proc/kallsyms", "rb") as symbols:  # a kernel without IPv6 has one of the two
        connects = {line.split()[2] for line in symbols} & {b"tcp_v4_connect", b"tcp_v6_connect"}
    try:
        for name in connects:
            bpf.attach_kprobe(event=name, fn_name="record_connect")
        bpf.attach_kretprobe(event="inet_csk_accept", fn_name="record_accepted", maxactive=ACCEPTS_AT_ONCE)
    except Exception as error:  # BCC raises plain Exception
        raise Refusal(KERNEL, "the kernel refuses the kprobes: %s" % error)


@contextlib.contextmanager
def track_sockets(has_kprobes):
    if not any(map(os.path.exists, ("/sys/kernel/tracing/events", "/sys/kernel/debug/tracing/events"))):
        raise Refusal(KERNEL, "tracefs is not mounted; mount -t tracefs tracefs /sys/kernel/tracing")
    bpf = load_programs("socket.c", cflags=["-DNT_CALLS"] * has_kprobes, NT_CONNECTIONS=CONNECTIONS)
    try:
        if has_kprobes:
            attach_kprobes(bpf)
        yield Source(bpf, "sockets", ctypes.c_uint64, make_socket_record)
    finally:  # BCC itself does so only when Python ends
        for name in list(bpf.kprobe_fds):
            bpf.detach_kprobe_event(name)
        for name in list(bpf.tracepoint_fds):
            bpf.detach_tracepoint(name)
