# SPDX-License-Identifier: GPL-2.0-or-later
"""Parts of the tests of `netracker attach`: its commands, a lab, attached programs, trace lines, crafted packets."""
import contextlib
import ipaddress
import json
import os
import re
import socket
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "frontends"))
import known  # noqa: E402
from kernel_trace import LINE, Trace, connections_of  # noqa: E402
from tracker import PROGRAM, prepare  # noqa: E402

OK, BROKE, USAGE, PRIVILEGES, KERNEL, INTERFACE = range(6)
PINS = "/sys/fs/bpf/netracker"
ATTACHED = os.path.join(HERE, "attached.py")
UNANSWERED_PORT = 81


class Result:
    def __init__(self, process):
        self.pid = process.pid
        texts = process.communicate(timeout=60)
        self.output, self.messages = (text.decode(errors="backslashreplace") for text in texts)
        self.status = process.returncode


def start(space, *arguments, before=(), program=PROGRAM, stdout=subprocess.PIPE):
    return subprocess.Popen([*before, program, *arguments], stdin=subprocess.DEVNULL, stdout=stdout,
                            stderr=subprocess.PIPE, preexec_fn=(lambda: prepare(space.name)) if space else None)


def run(space, *arguments, **more):
    return Result(start(space, *arguments, **more))


def attach(space, interface=known.INTERFACE):
    result = run(space, "attach", "-i", interface)
    if result.status != OK:
        raise AssertionError("attach: status %s: %s" % (result.status, result.messages))
    return result


def detach(space, *arguments):
    result = run(space, "detach", *arguments)
    return [] if result.status == OK else ["detach: status %s: %s" % (result.status, result.messages)]


def statuses(space):
    result = run(space, "status", "-f", "json")
    if result.status != OK:
        raise AssertionError("status: %s: %s" % (result.status, result.messages))
    found = [json.loads(line) for line in result.output.splitlines()]
    return [one for one in found if one["state"] != "tracking"]


def only_status(space):
    found = statuses(space)
    if len(found) != 1:
        raise AssertionError("%d attachments, should be 1: %s" % (len(found), found))
    return found[0]


@contextlib.contextmanager
def lab():
    one = known.Lab()
    try:
        yield one
    finally:
        run(None, "detach", "-q")
        one.close()


@contextlib.contextmanager
def tracing():
    """Follows the trace. Use it after something was attached: only then is tracefs mounted."""
    trace = Trace()
    trace.lines()
    try:
        yield trace
    finally:
        trace.close()


def differ(what, got, wanted):
    return [] if got == wanted else ["%s: %r, should be %r" % (what, got, wanted)]


def refusal_problems(label, result, status, word):
    lines = result.messages.splitlines()
    problems = differ(label + ": exit status", result.status, status)
    if len(lines) != 1 or not re.match(r"netracker: .+; .+", lines[0]) or word not in lines[0]:
        problems.append("%s: no one line about %r that says what to do: %r" % (label, word, result.messages))
    return problems


def tcx_programs(space, interface=known.INTERFACE):
    """Returns [(hook, program)]; None before Linux 6.6."""
    done = space.run(sys.executable, ATTACHED)
    if done.returncode:
        return None
    rows = [line.rsplit(" ", 3) for line in done.stdout.splitlines()]
    return [(hook, int(program)) for name, _, hook, program in rows if name == interface]


def clsact_filters(space, interface=known.INTERFACE):
    """Returns [(hook, priority, program)]; program is None for a filter without one."""
    found = []
    for hook in ("ingress", "egress"):
        shown = json.loads(space.run("tc", "-j", "filter", "show", "dev", interface, hook).stdout or "[]")
        found += [(hook, one["pref"], one["options"].get("prog", {}).get("id")) for one in shown if "options" in one]
    return found


def has_clsact(space, interface=known.INTERFACE):
    return "clsact" in space.run("tc", "qdisc", "show", "dev", interface).stdout


def on_interface(space, interface=known.INTERFACE):
    """Returns [(hook, program)] of tcx and of clsact, without other programs' filters."""
    return (tcx_programs(space, interface) or []) + \
        [(hook, program) for hook, _, program in clsact_filters(space, interface) if program]


def left_behind(space, interface=known.INTERFACE):
    problems = ["still attached: %s" % (one,) for one in on_interface(space, interface)]
    if has_clsact(space, interface):
        problems.append("the clsact qdisc is still there")
    if os.path.exists(PINS):
        problems.append("pins are still there: %s" % os.listdir(PINS))
    return problems


def line_problems(trace, facts):
    """Expects one line for each connection whose destination sent a FIN, and no other line."""
    ports = {fact.values["src_port"] for fact in facts}
    wanted = [known.Fact({key: fact.values[key] for key in ("src_ip", "src_port", "dst_ip", "dst_port")},
                         {"syn_finack_ns": fact.times["syn_finack_ns"]})
              for fact in facts if "syn_finack_ns" in fact.times]
    own = [line for line in trace.lines() if LINE.search(line)]
    events = [event for event in connections_of(own) if event["src_port"] in ports]
    return known.compare(wanted, events) + form_problems(own, facts)


def form_problems(lines, facts):
    """Expects addresses in the form of RFC 5952, IPv6 in brackets."""
    problems = []
    for fact in facts:
        if "syn_finack_ns" not in fact.times:
            continue
        texts = []
        for side in ("src", "dst"):
            address = ipaddress.ip_address(fact.values[side + "_ip"])
            form = "[%s]:%d" if address.version == 6 else "%s:%d"
            texts.append(form % (address.compressed, fact.values[side + "_port"]))
        text = "for %s -> %s: " % tuple(texts)
        if not any(text in line for line in lines):
            problems.append("no line has %r: %s" % (text, lines[:2]))
    return problems


def ipv6_segment(source, destination, ports, flags):
    tcp = struct.pack("!HHIIBBHHH", *ports, 1000, 1001, 5 << 4, flags, 1024, 0, 0)
    return struct.pack("!IHBB", 6 << 28, len(tcp), socket.IPPROTO_TCP, 64) + source + destination + tcp


@contextlib.contextmanager
def raw_sender(here):
    """Provides a function that sends a packet of an EtherType from the other namespace to this one."""
    with known.inside(here.there):
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind(("eth0", 0))
    addresses = b"\xff" * 6 + b"\x02\0\0\0\0\1"
    try:
        yield lambda ethertype, packet: wire.send(addresses + struct.pack("!H", ethertype) + packet)
    finally:
        wire.close()


def flood(here, count):
    """Sends the SYNs of `count` connections. Nobody answers: no namespace has their addresses."""
    with raw_sender(here) as send:
        for number in range(count):
            send(0x0800, syn("198.18.255.%d" % (number >> 15), 1024 + (number & 32767)))


def syn(source, port, data_offset=5):
    tcp = struct.pack("!HHIIBBHHH", port, UNANSWERED_PORT, 1000, 0, data_offset << 4, 2, 1024, 0, 0)
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, socket.IPPROTO_TCP, 0,
                       socket.inet_aton(source), socket.inet_aton("198.18.254.1")) + tcp
