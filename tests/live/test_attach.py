#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests attach, status and detach, the lines in the kernel's trace, and that nothing is left behind.

It runs in mount, process and network namespaces of its own: the program under test mounts bpffs and tracefs there, and
its pins disappear with them.
"""
import ipaddress
import json
import os
import shutil
import socket
import sys
import tempfile
import time

from bench import check, main_of_checks
from attachments import (BROKE, INTERFACE, KERNEL, OK, PINS, PRIVILEGES, USAGE, Result, attach, clsact_filters, detach,
                     differ, flood, has_clsact, ipv6_segment, known, lab, left_behind, line_problems, on_interface,
                     only_status, raw_sender, refusal_problems, run, start, statuses, syn, tcx_programs, tracing)
from harness import Skip
from isolation import isolate
from kernel_trace import LINE
from netns import run_ip
from tcx_program import TcxProgram
from tracker import PROGRAM

NOBODY = "65534"
MALFORMED = 7
WAIT_SECONDS = 30
ORDER_SECONDS = 1  # a tracker reads the order of programs twice a second
FILTER = ("prio", "7", "protocol", "all", "bpf", "bytecode", "1,6 0 0 0")  # matches nothing


@check("trace lines and counters of known connections, IPv4 and IPv6, both directions; detach twice")
def known_connections(_):
    with lab() as here:
        attach(here.here)
        with tracing() as trace:
            facts = here.all_kinds()
            problems = line_problems(trace, facts)
        found = only_status(here.here)
        lines = sum(1 for fact in facts if "syn_finack_ns" in fact.times)
        for key, value in {"opened": len(facts), "ended": len(facts), "open": 0, "dropped": 0, "without_room": 0,
                           "lines_printed": lines, "lines_not_taken": 0, "packets_malformed": 0}.items():
            problems += differ(key, found.get(key), value)
        problems += detach(here.here, "-i", known.INTERFACE) + left_behind(here.here)
        again = run(here.here, "detach", "-i", known.INTERFACE)
        return problems + differ("detached again", (again.status, again.messages),
                                 (OK, "netracker: nothing is attached to %s\n" % known.INTERFACE))


@check("status: user, process, time, interface and programs")
def status_facts(_):
    with lab() as here:
        before = int(time.time())
        result = attach(here.here)
        found = only_status(here.here)
        programs = dict(on_interface(here.here))
        with open("/proc/self/comm") as file:
            own_comm = file.read().strip()
        wanted = {"state": "attached", "interface": known.INTERFACE, "netns": here.here.inode, "uid": os.getuid(),
                  "user": "root", "pid": result.pid, "comm": os.path.basename(PROGRAM), "parent_pid": os.getpid(),
                  "parent_comm": own_comm, "hook": "clsact" if tcx_programs(here.here) is None else "tcx",
                  "ingress_program": programs.get("ingress"), "egress_program": programs.get("egress")}
        problems = [line for key, value in wanted.items() for line in differ(key, found.get(key), value)]
        if not before <= time_of(found["time"]) <= time.time():
            problems.append("time: %s" % found["time"])
        text = run(here.here, "status").output
        for word in (known.INTERFACE + ": attached", "root", "pid %d" % result.pid, own_comm, "0 opened = 0 ended"):
            problems += [] if word in text else ["status does not say %r: %s" % (word, text)]
        return problems


def time_of(text):
    return time.mktime(time.strptime(text + " UTC", "%Y-%m-%dT%H:%M:%SZ %Z")) - time.timezone


@check("status and detach while nothing is attached")
def nothing_attached(_):
    with lab() as here:
        text, lines = run(here.here, "status"), run(here.here, "status", "-f", "json")
        return (differ("text", (text.status, "nothing is attached" in text.output, text.messages), (OK, True, "")) +
                differ("json", (lines.status, lines.output, lines.messages), (OK, "", "")) +
                detach(here.here) + detach(here.here, "-i", "nosuch0"))


@check("a second attach is an error, also at the same time and after a renaming")
def second_attach(_):
    with lab() as here:
        both = [start(here.here, "attach", "-i", known.INTERFACE) for _ in range(2)]
        results = sorted((Result(process) for process in both), key=lambda result: result.status)
        problems = differ("two at once", [result.status for result in results], [OK, INTERFACE])
        problems += refusal_problems("two at once", results[1], INTERFACE, "already")
        here.here.ip("link set %s down" % known.INTERFACE, "link set %s name renamed0" % known.INTERFACE,
                     "link set renamed0 up")
        problems += refusal_problems("renamed", run(here.here, "attach", "-i", "renamed0"), INTERFACE, "already")
        text = run(here.here, "status").output
        problems += [] if "now called renamed0" in text else ["status of the renamed one: %s" % text]
        problems += differ("programs", len(on_interface(here.here, "renamed0")), 2)
        return problems + detach(here.here, "-i", "renamed0") + left_behind(here.here, "renamed0")


@check("connections on loopback count once")
def loopback(_):
    with lab() as here:
        attach(here.here, "lo")
        with tracing() as trace:
            problems = line_problems(trace, [here.loopback(4), here.loopback(6)])
        problems += differ("opened", only_status(here.here)["opened"], 2)
        return problems + detach(here.here) + left_behind(here.here, "lo")


@check("foreign filters and a foreign clsact qdisc stay")
def strangers(_):
    with lab() as here:
        for command in (("qdisc", "add", "dev", known.INTERFACE, "clsact"),
                        ("filter", "add", "dev", known.INTERFACE, "ingress", *FILTER)):
            done = here.here.run("tc", *command)
            if done.returncode:
                raise Skip("tc %s: %s" % (" ".join(command), done.stderr.strip()))
        attach(here.here)
        with tracing() as trace:
            problems = line_problems(trace, [here.closed(4, "incoming"), here.closed(6, "outgoing")])
        problems += detach(here.here)
        problems += differ("filters", [one[:2] for one in clsact_filters(here.here)], [("ingress", 7)])
        here.here.run("tc", "filter", "del", "dev", known.INTERFACE, "ingress")
        attach(here.here)
        problems += detach(here.here)
        return problems + ([] if has_clsact(here.here) else ["the foreign qdisc is gone"])


@check("a qdisc that attach made stays while it has foreign filters")
def qdisc_in_use(_):
    with lab() as here:
        attach(here.here)
        if tcx_programs(here.here) is not None:
            raise Skip("this kernel has tcx, which needs no qdisc")
        here.here.run("tc", "filter", "add", "dev", known.INTERFACE, "egress", *FILTER)
        problems = detach(here.here)
        return problems + differ("filters", [one[:2] for one in clsact_filters(here.here)], [("egress", 7)])


@check("it is attached before other programs, which may hide packets")
def before_others(_):
    with lab() as here:
        if tcx_programs(here.here) is None:
            raise Skip("this kernel has no tcx")
        other = TcxProgram(here.here, known.INTERFACE)
        attach(here.here)
        with tracing() as trace:
            problems = line_problems(trace, [here.closed(4, "incoming"), here.closed(6, "outgoing")])
        other.remove()
        return problems + detach(here.here) + left_behind(here.here)


@check("beside a live tracker: both follow the same connections, neither detaches the other")
def beside_tracker(bench):
    with lab() as here:
        attach(here.here)
        bench.here = here.here
        tracker = bench.tracker("-i", known.INTERFACE, "--context", "wire")
        both = len(on_interface(here.here))
        with tracing() as trace:
            facts = [here.closed(4, "outgoing"), here.closed(6, "incoming")]
            problems = line_problems(trace, facts)
        problems += detach(here.here) + differ("programs", (both, len(on_interface(here.here))), (4, 2))
        attach(here.here)  # before the tracker's own programs, from which it hides nothing
        time.sleep(ORDER_SECONDS)
        problems += detach(here.here)
        tracker.stop()
        problems += differ("messages", [line for line in tracker.stderr().splitlines() if "hide" in line], [])
        ports = [record["src_port"] for record in tracker.records]
        problems += differ("the tracker's records", sorted(port for port in ports if port in {
            fact.values["src_port"] for fact in facts}), sorted(fact.values["src_port"] for fact in facts))
        return problems + left_behind(here.here)


@check("the interface is deleted and made again: status shows it, detach removes the rest")
def deleted_interface(_):
    with lab() as here:
        index = attach(here.here) and only_status(here.here)["ifindex"]
        here.here.ip("link del %s" % known.INTERFACE)
        run_ip("-n", here.here.name, "link", "add", known.INTERFACE, "index", str(index), "type", "veth",
               "peer", "name", "nt9")
        problems = differ("state", only_status(here.here)["state"], "gone")
        text = run(here.here, "status").output
        problems += [] if "left over" in text and "netracker detach" in text else ["status: %s" % text]
        problems += refusal_problems("attach", run(here.here, "attach", "-i", known.INTERFACE), INTERFACE, "detach")
        problems += detach(here.here, "-i", known.INTERFACE) + left_behind(here.here)
        attach(here.here)
        return problems + differ("state", only_status(here.here)["state"], "attached")


@check("a network namespace is deleted: status shows it, detach in another one removes the rest")
def deleted_namespace(_):
    with lab() as here:
        attach(here.here)
        here.here.delete()
        deadline = time.monotonic() + WAIT_SECONDS
        while only_status(here.there)["state"] != "gone" and time.monotonic() < deadline:
            time.sleep(0.1)
        problems = differ("state", only_status(here.there)["state"], "gone")
        return problems + detach(here.there) + differ("pins", os.path.exists(PINS), False)


@check("interfaces of the same name in two namespaces; detach without -i detaches from both")
def same_name(_):
    with lab() as here:
        attach(here.here, "lo")
        attach(here.there, "lo")
        attach(None, "lo")
        found = {one["netns"]: one["directory"] for one in statuses(here.here)}
        own = os.stat("/proc/self/ns/net").st_ino
        problems = differ("directories", found, {
            here.here.inode: "lo:%d" % here.here.inode, here.there.inode: "lo:%d" % here.there.inode, own: "lo"})
        problems += detach(here.here, "-i", "lo")
        problems += differ("left", len(statuses(here.here)), 2)
        problems += differ("programs there", len(on_interface(here.there, "lo")), 1)
        problems += detach(here.here) + left_behind(here.there, "lo")
        return problems + left_behind(here.here, "lo")


@check("in `ip netns exec`, whose own /sys ends with the command")
def netns_exec(_):
    with lab() as here:
        command = ["ip", "netns", "exec", here.here.name]
        result = run(None, "attach", "-i", known.INTERFACE, before=command)
        problems = differ("attach", (result.status, len(on_interface(here.here))), (OK, 2))
        inside = run(None, "status", "-f", "json", before=command)
        problems += differ("status there and here", inside.output.splitlines()[0][:20],
                           json.dumps(only_status(None), separators=(",", ":"))[:20])
        result = run(None, "detach", before=command)
        return problems + differ("detach", result.status, OK) + left_behind(here.here)


@check("interface names with dots, control characters and other special characters")
def odd_names(_):
    problems = []
    for name, directory in (("v.100", "v%2e100"), ("x\x1b[2J", "x\x1b[2J"), ("..x", "%2e%2ex"),
                            ("\xe9-'\"$;*", "\xe9-'\"$;*"), ("123456789.1234", "123456789%2e1234")):
        with lab() as here:
            here.here.run("ip", "link", "set", known.INTERFACE, "down")
            done = here.here.run("ip", "link", "set", known.INTERFACE, "name", name)
            if done.returncode:
                problems.append("no interface can be called %r: %s" % (name, done.stderr))
                continue
            attach(here.here, name)
            found, text = only_status(here.here), run(here.here, "status").output
            problems += differ("directory", found["directory"], "%s:%d" % (directory, here.here.inode))
            problems += differ("interface", found["interface"], name)
            problems += [] if "\x1b" not in text else ["a control character in: %r" % text]
            problems += detach(here.here, "-i", name) + differ("pins", os.path.exists(PINS), False)
    return problems


ADDRESSES = ("fd00::", "fd00::1", "fd00:0:0:1::", "fd00:1:0:0:1:0:0:1", "fd00:0:1:0:1:0:1:0", "fd00:1:1:1:1:1:0:0",
             "fd00:1:1:1:1:1:1:0", "fd00:1:1:1:1:1:1:1", "fd00:0:0:1:0:0:0:1",
             "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fd00:a:bc:def:1234:0:10:100", "fd00:0:0:0:1::")


@check("IPv6 addresses have the form of RFC 5952")
def address_forms(_):
    """Crafts the packets of each connection: a SYN and both FINs."""
    with lab() as here:
        attach(here.here)
        with tracing() as trace, raw_sender(here) as send:
            for number, address in enumerate(ADDRESSES):
                one, other = (socket.inet_pton(socket.AF_INET6, text) for text in (address, "fd00::ffff"))
                for source, destination, ports, flags in ((one, other, (1024 + number, 80), 2),
                                                          (other, one, (80, 1024 + number), 17),
                                                          (one, other, (1024 + number, 80), 17)):
                    send(0x86dd, ipv6_segment(source, destination, ports, flags))
            own = [line for line in trace.lines() if LINE.search(line)]
        wanted = ["for [%s]:%d -> [fd00::ffff]:80: " % (ipaddress.ip_address(address).compressed, 1024 + number)
                  for number, address in enumerate(ADDRESSES)]
        return ["no line has %r: %s" % (text, own) for text in wanted if not any(text in line for line in own)]


@check("more open connections than the table holds: the least recently used are evicted and counted")
def full_table(_):
    with lab() as here:
        attach(here.here)
        most = only_status(here.here)["open_at_most"]
        flood(here, most + most // 2)
        flooded = only_status(here.here)
        with tracing() as trace:
            problems = line_problems(trace, [here.closed(4, "outgoing")])
        found = only_status(here.here)
        if not most // 4 <= found["dropped"] or not found["open"] <= most:
            problems.append("open %d, dropped %d of %d" % (found["open"], found["dropped"], most))
        problems += differ("opened", flooded["opened"], most + most // 2)
        return problems + differ("sum", found["opened"], sum(found[key] for key in (
            "ended", "open", "dropped", "without_room")))


@check("malformed packets are counted")
def malformed(_):
    with lab() as here:
        attach(here.here)
        with raw_sender(here) as send:
            for data_offset in range(MALFORMED):
                send(0x0800, syn("198.18.255.1", 1024, data_offset + 6))
        found = only_status(here.here)
        return differ("malformed, opened", (found["packets_malformed"], found["opened"]), (MALFORMED, 0))


@check("an interrupted attach, and programs that others detached: status and detach handle the rest")
def damaged(_):
    with lab() as here:
        attach(here.here)
        directory = os.path.join(PINS, os.listdir(PINS)[0])
        if tcx_programs(here.here) is None:
            here.here.run("tc", "filter", "del", "dev", known.INTERFACE, "egress")
        else:
            os.unlink(os.path.join(directory, "egress"))
        deadline = time.monotonic() + WAIT_SECONDS
        while len(on_interface(here.here)) > 1 and time.monotonic() < deadline:
            time.sleep(0.05)
        problems = differ("state", only_status(here.here)["state"], "partly")
        problems += [] if "outgoing detached" in run(here.here, "status").output else ["status does not say which direction"]
        problems += detach(here.here) + left_behind(here.here)
        os.makedirs(directory)
        problems += differ("state", only_status(here.here)["state"], "unfinished")
        problems += refusal_problems("attach", run(here.here, "attach", "-i", known.INTERFACE), INTERFACE, "detach")
        return problems + detach(here.here, "-i", known.INTERFACE) + left_behind(here.here)


@check("wrong options, unknown interfaces, missing privileges")
def bad_input(_):
    problems = []
    with lab() as here:
        for line, status, word in (
                ("attach", USAGE, "-i is missing"), ("attach -i none", USAGE, "none"), ("attach eth0", USAGE, "eth0"),
                ("attach -i lo -p 1", USAGE, "--pid"), ("status -i lo", USAGE, "--interface"),
                ("status -f yaml", USAGE, "yaml"), ("detach -f json", USAGE, "--format"), ("detach x", USAGE, "x"),
                ("attach -i nosuch0", INTERFACE, "nosuch0"), ("attach -i " + "x" * 300, INTERFACE, "xxx"),
                ("attach -i ../..", INTERFACE, "../..")):
            problems += refusal_problems(line, run(here.here, *line.split()), status, word)
        for command in ("attach -i lo", "status", "detach"):
            problems += refusal_problems("nobody: " + command, as_nobody(here, command), PRIVILEGES, "root")
        return problems + left_behind(here.here)


def as_nobody(here, command):
    """Runs a copy of the program in a folder that is open to all users."""
    with tempfile.TemporaryDirectory(prefix="nt-live-") as directory:
        os.chmod(directory, 0o755)
        return run(here.here, *command.split(), program=shutil.copy(PROGRAM, directory),
                   before=["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"])


@check("bpffs cannot be mounted; standard output is full")
def broken_surroundings(_):
    with lab() as here:
        script = 'mount -t tmpfs none /sys/fs && exec "$0" "$@"'
        result = run(here.here, "attach", "-i", "lo", before=[
            "unshare", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-c", script])
        problems = refusal_problems("no bpffs", result, KERNEL, "mount -t bpf bpf /sys/fs/bpf")
        with open("/dev/full", "wb") as full:
            process = start(here.here, "status", stdout=full)
            messages = process.communicate(timeout=60)[1].decode()
        return problems + differ("/dev/full", (process.returncode, "space" in messages), (BROKE, True))


def has_foreign_attachments():
    """Reports attachments of others as a failure and returns True; False if there are none."""
    found = sorted(os.listdir(PINS)) if os.path.isdir(PINS) else []
    if found:
        print("FAIL  all: others have attached NeTracker to %s; remove that with: netracker detach\n"
              "0 passed, 1 failed, 0 skipped" % ", ".join(found))
    return bool(found)


if __name__ == "__main__":
    isolate()
    sys.exit(has_foreign_attachments() or main_of_checks())
