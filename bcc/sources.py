# SPDX-License-Identifier: GPL-2.0-or-later
"""Where connections come from: packets of one interface, by TC, or sockets of this machine, by tracepoints and kprobes.
Each is there, attached, for the time of a with statement."""
import contextlib
import ctypes
import importlib
import itertools
import os
import struct
import sysconfig
import time

from frontend_records import ENDS, KEYS, record
from interface import HOOKS, INTERFACE, KERNEL, Interface, Refusal

HERE = os.path.dirname(os.path.realpath(__file__))
SYSTEM_HEADERS = "/usr/include", "/usr/include/" + sysconfig.get_config_var("MULTIARCH")
PRIORITY, PROGRAM = 20217, "nt_packet_seen"  # of our filters
INGRESS, EGRESS = 0xfffffff2, 0xfffffff3
KEY_BYTES = 40  # core/key.h asserts it
CONNECTIONS = 65536
COUNTERS = "opened", "table full", "ring buffer full", "end missed"  # enum counter of netracker.c and socket.c
SWEEP_SECONDS = 5
LOOPBACK_OR_ETHERNET = 772, 1  # ARPHRD_*: what has an Ethernet header
OUTCOMES = "closed", "reset", "refused", "timeout", "unreachable", "expired"
ROLES = "client", "server"
MARK_SIMULTANEOUS = 8
NO_VLAN = 0xffff
SEQUENCE_NUMBERS = 1 << 32
ACCEPTS_AT_ONCE = 4096  # processes that wait in accept(); by itself the kernel follows 10 or so


def need_module(module, *names):
    try:
        found = importlib.import_module(module)
        return [getattr(found, name) for name in names]
    except (ImportError, OSError, AttributeError) as error:  # OSError: a shared library that BCC opens itself
        raise Refusal(KERNEL, "%s; apt-get install python3-bpfcc python3-pyroute2, and run it with /usr/bin/python3" % error)


def load(name, cflags=(), **defines):
    """BCC wants a kernel's headers; the few that its own need are in headers/."""
    os.environ.setdefault("BCC_KERNEL_SOURCE", os.path.join(HERE, "headers"))
    cflags = [*cflags, "-I" + os.path.dirname(HERE), "-Wno-macro-redefined", *("-idirafter" + path for path in SYSTEM_HEADERS),
              *("-D%s=%d" % define for define in defines.items())]
    BPF, = need_module("bcc", "BPF")
    try:
        return BPF(src_file=os.path.join(HERE, name), cflags=cflags)
    except Exception as error:  # BCC has no class of its own for it
        raise Refusal(KERNEL, "%s: cannot be loaded: %s; Linux 5.10 or newer is needed" % (name, error))


def record_of(summary, role, ends, gaps, **known):
    """known wins: a summary has what is not known as -1, which is absent then."""
    times = [name for name, _ in summary._fields_ if name in KEYS]
    return record(role, ends, summary.start_ns, gaps, **{
        **{name: getattr(summary, name) for name in times}, "first_fin_ns": summary.first_fin_ns,
        "outcome": OUTCOMES[summary.outcome] if summary.outcome >= 0 else None,
        "ended_by": ENDS[summary.ended_by] if summary.ended_by >= 0 else None, **known})


def of_observed(view, netns, ifname, carried):
    """carried(): bytes through the interface, by which no side of the connection can have sent more."""
    wire, summary, key = view.connection, view.summary, bytes(view.key)
    ends = [(key[16 * index:16 * index + 16], struct.unpack_from("=H", key, 32 + 2 * index)[0]) for index in summary.index]
    is_exact = summary.most_bytes < SEQUENCE_NUMBERS or carried() < SEQUENCE_NUMBERS
    gaps = ["direction"] * bool(wire.marks & MARK_SIMULTANEOUS)
    gaps += ["bytes_mod_4g"] * (any(sent >= 0 for sent in summary.bytes) and not is_exact)
    src_bytes, dst_bytes = summary.bytes if is_exact else (None, None)
    return record_of(summary, "observer", ends, gaps, netns=netns, ifname=ifname, src_bytes=src_bytes, dst_bytes=dst_bytes,
                     vlan=None if wire.vlan == NO_VLAN else wire.vlan, wire_duration_ns=summary.duration_ns,
                     history=wire.history[:wire.history_length].decode("ascii"), seen=["wire"])


def of_socket(view):
    one, owner, role = view.socket, view.socket.owner, ROLES[view.socket.role]
    ends = (one.local, one.local_port), (one.remote, one.remote_port)
    known = {"seen": ["socket"] + ["calls"] * view.calls}
    if owner.process.pid:
        known.update(pid=owner.process.pid, comm=owner.comm.decode("utf-8", "backslashreplace"), uid=owner.uid,
                     owner_by={"client": "connect", "server": "accept"}[role])
    if one.established_ns and view.accepted_ns >= one.established_ns:
        known.update(accept_wait_ns=view.accepted_ns - one.established_ns)
    return record_of(view.summary, role, ends if role == "client" else ends[::-1], ["owner"] * (not owner.process.pid), **known)


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
        if milliseconds and time.monotonic() >= self.next_sweep:
            self.next_sweep = time.monotonic() + SWEEP_SECONDS
            self.interface.device()  # is still there
            return [*self.silent(), *super().take(0)]
        return super().take(milliseconds)

    def silent(self):
        """Those of which nothing more is expected."""
        now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        # The keys first: after one that is gone the kernel begins again at the first.
        for key in list(itertools.islice(self.table, CONNECTIONS)):
            with contextlib.suppress(KeyError):  # it ended meanwhile
                view = self.table[key]
                if now > view.connection.last_seen_ns + view.summary.idle_limit_ns:
                    del self.table[key]
                    yield self.record_of(view)


def enter(namespace):
    """A network namespace, by the name that `ip netns` has for it."""
    netns, = need_module("pyroute2", "netns")
    try:
        if "/" in namespace:
            raise FileNotFoundError
        netns.setns("/run/netns/" + namespace, flags=0)
    except OSError:
        raise Refusal(INTERFACE, "%s: no such network namespace; `ip netns` lists them" % namespace)


class Carried:
    """Bytes through an interface since now; once it cannot be asked any more, what it said last."""

    def __init__(self, route, ifindex, error):
        self.route, self.ifindex, self.error, self.before, self.last = route, ifindex, error, 0, 1 << 64
        self.before = self()

    def __call__(self):
        with contextlib.suppress(self.error, OSError):
            counts = self.route.get_links(self.ifindex)[0].get_attr("IFLA_STATS64")
            self.last = counts["rx_bytes"] + counts["tx_bytes"] - self.before
        return self.last


def attach(route, interface, handle, bpf, error):
    try:
        step, seen = (bpf.load_func(name, bpf.SCHED_CLS) for name in ("nt_step", PROGRAM))
    except Exception as reason:  # BCC has no class of its own for it
        raise Refusal(KERNEL, "%s; Linux 5.10 or newer is needed" % reason)
    bpf["steps"][ctypes.c_int(0)] = ctypes.c_int(step.fd)
    interface.remove_own()  # what a killed instance left
    try:
        for parent in INGRESS, EGRESS:
            route.tc("add-filter", "bpf", interface.ifindex, ":%d" % handle, fd=seen.fd, name=PROGRAM, parent=parent,
                     prio=PRIORITY, classid=1, direct_action=True)
    except error as reason:
        raise interface.refused(reason)


@contextlib.contextmanager
def wire(name, namespace):
    IPRoute, NetlinkError = need_module("pyroute2", "IPRoute", "NetlinkError")
    if namespace is not None:
        enter(namespace)
    inode = os.stat("/proc/thread-self/ns/net").st_ino
    interface = Interface(name, "netracker.py", PRIORITY, dict.fromkeys(HOOKS, PROGRAM))
    printed = os.fsencode(name).decode("utf-8", "backslashreplace")
    with IPRoute() as route, interface.locked(), interface.in_use() as handle:
        carried = Carried(route, interface.ifindex, NetlinkError)
        has_link_header = route.get_links(interface.ifindex)[0]["ifi_type"] in LOOPBACK_OR_ETHERNET
        bpf = load("netracker.c", NT_NETNS=inode, NT_LINK_HEADER=14 * has_link_header, NT_CONNECTIONS=CONNECTIONS)
        attach(route, interface, handle, bpf, NetlinkError)
        try:
            yield Packets(bpf, interface, lambda view: of_observed(view, inode, printed, carried))
        finally:
            carried()


def attach_calls(bpf):
    with open("/proc/kallsyms", "rb") as symbols:  # without IPv6 one is missing
        connects = {line.split()[2] for line in symbols} & {b"tcp_v4_connect", b"tcp_v6_connect"}
    try:
        for name in connects:
            bpf.attach_kprobe(event=name, fn_name="record_connect")
        bpf.attach_kretprobe(event="inet_csk_accept", fn_name="record_accepted", maxactive=ACCEPTS_AT_ONCE)
    except Exception as error:  # BCC has no class of its own for it
        raise Refusal(KERNEL, "kprobes: the kernel refuses them: %s" % error)


@contextlib.contextmanager
def sockets(has_kprobes):
    if not any(map(os.path.exists, ("/sys/kernel/tracing/events", "/sys/kernel/debug/tracing/events"))):
        raise Refusal(KERNEL, "tracefs: not mounted; mount -t tracefs tracefs /sys/kernel/tracing")
    bpf = load("socket.c", cflags=["-DNT_CALLS"] * has_kprobes, NT_CONNECTIONS=CONNECTIONS)
    try:
        if has_kprobes:
            attach_calls(bpf)
        yield Source(bpf, "sockets", ctypes.c_uint64, of_socket)
    finally:  # BCC does it too, when Python ends
        for name in list(bpf.kprobe_fds):
            bpf.detach_kprobe_event(name)
        for name in list(bpf.tracepoint_fds):
            bpf.detach_tracepoint(name)
