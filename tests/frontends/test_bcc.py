#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests the BCC version: its records of known connections, its error messages, and that it leaves nothing attached."""
import contextlib
import glob
import os
import signal
import socket
import struct
import subprocess
import tempfile
import time

import bcc_runner
import known
from bcc_runner import PROGRAM, PYTHON, Bcc, allow_for_clocks, documented_keys, need_packages
from eunomia import (LINE, ROOT, add_foreign, attached, check, ends_as_renamed, ends_with_interface, equal, lab,
                     matches, mount_tracefs, nothing_is_left, open_to_all, refuses, run_tests)

NOBODY = 65534
SHARED = os.path.join(ROOT, "frontends")
SCANNED, HELD = 3000, 40
UNANSWERED_SECONDS = 70 + 5 + 5  # the limit, the interval of the checks, and a margin


def test_known_connections():
    with lab() as here:
        runner = Bcc(here, "--format", "json")
        facts = allow_for_clocks(here.all_kinds())
        records = runner.records()
        matches(facts, [bcc_runner.event_of(record, here) for record in records])
        order = documented_keys()
        for record in records:
            equal(list(record), sorted(record, key=order.index), "order of keys")
            equal((record["v"], record["role"], record["event"], record["seen"], record["netns"], record["netns_name"]),
                  (2, "observer", "close", ["wire"], here.here.inode, here.here.name), "values of every record")
            equal(record["complete"], not record["gaps"], "complete")
            if record["outcome"] == "closed":
                equal((record["src_bytes"], record["dst_bytes"], record["history"][:2]), (8, 0, "Sh"),
                      "bytes and history")
        equal(len({record["id"] for record in records}), len(facts), "ids")
        nothing_is_left(here)


def test_community_id():
    """Expects the value of the specification's own implementation (its baseline_deflt.json)."""
    program = ("import sys, socket; sys.path.insert(0, %r); import frontend_records as records; print(records.community_id(["
               "(socket.inet_aton('128.232.110.120'), 34855), (socket.inet_aton('66.35.250.204'), 80)]))" % SHARED)
    done = subprocess.run([PYTHON, "-B", "-c", program], capture_output=True, text=True)
    equal(done.stdout.strip(), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=", "Community ID " + done.stderr)


def test_addresses():
    """A record is IPv4 if both addresses are. A socket without an address of its own has one of each kind."""
    program = ("import sys; sys.path.insert(0, %r); import frontend_records as records; "
               "mapped = records.IPV4_MAPPED + bytes([198, 18, 0, 1]); [print(one['family'], one['src_ip'], one['dst_ip'], one.get('outcome')) for one in (records.record("
               "'client', [(first, 1), (mapped, 2)], 1, [], duration_ns=1, outcome=None) for first in (mapped, bytes(16)))]" % SHARED)
    done = subprocess.run([PYTHON, "-B", "-c", program], capture_output=True, text=True)
    equal(done.stdout.splitlines(), ["ipv4 198.18.0.1 198.18.0.1 None", "ipv6 :: ::ffff:198.18.0.1 None"], done.stderr)


def test_trace_line():
    with lab() as here:
        runner = Bcc(here)
        facts = here.all_kinds()
        found = [LINE.match(line) for line in runner.lines(signal.SIGTERM)]
        check(all(found), "every line is a [TC] line")
        events = [dict(zip(("src_ip", "src_port", "dst_ip", "dst_port", "syn_finack_ns"),
                           (one[1], int(one[2]), one[3], int(one[4]), int(one[5])))) for one in found if one]
        timed = [fact for fact in facts if "syn_finack_ns" in fact.times]
        for fact in timed:
            fact.values = {key: fact.values[key] for key in ("src_ip", "src_port", "dst_ip", "dst_port")}
            fact.times = {"syn_finack_ns": fact.times["syn_finack_ns"]}
        matches(timed, events)
        nothing_is_left(here)


def test_loopback_counts_once():
    with lab() as here:
        runner = Bcc(here, "--format", "json", interface="lo")
        facts = allow_for_clocks([here.loopback(4), here.loopback(6)])
        matches(facts, runner.events())
        nothing_is_left(here, "lo")


def test_unanswered():
    """A record comes 70 s after the last SYN; no host has the neighbour's MAC address."""
    with lab() as here:
        runner = Bcc(here, "--format", "json")
        wanted = set()
        for version in (4, 6):
            nobody = here.address(9, version)
            here.here.ip("neigh add %s lladdr 02:00:00:00:00:09 dev %s nud permanent" % (nobody, known.INTERFACE))
            client = known.socket_in(here.here, here.address(1, version))
            client.setblocking(False)
            client.connect_ex((nobody, 80))
            wanted.add((nobody, client.getsockname()[1]))
            client.close()
        with known.inside(here.there):
            wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            wire.bind(("eth0", 0))
        for port in range(20000, 20000 + SCANNED):
            syn = next(known.syn_and_rst("198.18.9.1", "198.18.9.2", port))
            wire.send(b"\xff" * 6 + b"\x02\0\0\0\0\1" + struct.pack("!H", 0x0800) + syn)
            wanted.add(("198.18.9.2", port))
        wire.close()
        time.sleep(UNANSWERED_SECONDS)
        records = runner.records()
        equal({(one["dst_ip"], one["src_port"]) for one in records}, wanted, "connections")
        for one in records:
            equal((one["outcome"], one.get("ended_by"), one["src_bytes"], one["history"], one["gaps"]),
                  ("timeout", None, 0, "S", []), "a SYN that nobody answered")
        equal(runner.still_open, 0, "left in the table")
        nothing_is_left(here)


def test_namespace():
    with lab() as here:
        runner = Bcc(here, "--format", "json", "--netns", here.here.name, namespace=here.here.name)
        facts = [here.closed(4, "outgoing", held=0), here.closed(6, "incoming", held=0)]
        matches(allow_for_clocks(facts), runner.events(signal.SIGHUP))
        nothing_is_left(here)


def test_refuses():
    need_packages()
    with lab() as here:
        interface = known.INTERFACE
        for arguments, status, word in (
                ((), 2, "-i"), (("--bogus",), 2, "--bogus"), (("-i", interface, "-f", "xml"), 2, "xml"),
                (("-i", "lo", "--context", "socket"), 2, "leave them out"), (("-i", "nt9"), 5, "no such interface"),
                (("-i", "x" * 300), 5, "no such interface"), (("-i", "lo", "--netns", "nt-none"), 5, "namespace"),
                (("-i", "lo", "--netns", "../x"), 5, "namespace"), (("-i", "lo", "--netns", "."), 5, "namespace"),
                (("-i", "lo", "--netns", ""), 5, "namespace"), (("-i", "nt9\x1b[2J"), 5, "no such interface")):
            done = bcc_runner.run(here, *arguments)
            refuses(done, status, word, " ".join(arguments))
            check("\x1b" not in done.stderr, "no escape sequence: %r" % done.stderr)
        with open_to_all(os.path.dirname(PROGRAM)) as folder:
            done = bcc_runner.run(here, "-i", interface, before=lambda: os.setuid(NOBODY),
                                  program=os.path.join(folder, os.path.basename(PROGRAM)))
        refuses(done, 3, "root", "no root")
        done = bcc_runner.run(here, "--help")
        check(done.returncode == 0 and "examples" in done.stdout, "help: %r" % done)
        nothing_is_left(here)


def test_missing_packages():
    """-S hides Debian's packages; a link makes one of them visible."""
    with lab() as here, tempfile.TemporaryDirectory() as folder:
        for module, hidden in ("pyroute2", True), ("bcc", False):
            done = subprocess.run([PYTHON, "-S", PROGRAM, "-i", known.INTERFACE], capture_output=True, text=True,
                                  env=dict(os.environ, PYTHONPATH=folder),
                                  preexec_fn=lambda: known.enter(here.here.name))
            refuses(done, 4, "'%s'; apt-get install" % module, module)
            if not hidden:
                break
            need_packages()
            for path in glob.glob("/usr/lib/python3/dist-packages/pyroute2*"):
                os.symlink(path, os.path.join(folder, os.path.basename(path)))
        nothing_is_left(here)


def test_second_instance():
    with lab() as here:
        runner = Bcc(here, "--format", "json")
        refuses(bcc_runner.run(here, "-i", known.INTERFACE), 1, "another", "second instance")
        facts = allow_for_clocks([here.closed(4, "outgoing")])
        matches(facts, runner.events())
        nothing_is_left(here)


def test_killed_instance_is_replaced():
    with lab() as here:
        killed = Bcc(here)
        killed.process.kill()
        killed.process.communicate()
        equal(len(attached(here)[1]), 2, "filters that a killed program leaves")
        runner = Bcc(here, "--format", "json")
        facts = allow_for_clocks([here.closed(6, "incoming")])
        matches(facts, runner.events())
        equal(attached(here)[1], [], "filters after the next one")


def test_others_stay():
    with lab() as here:
        add_foreign(here, priority=20217)
        refuses(bcc_runner.run(here, "-i", known.INTERFACE), 4, "another program", "a priority that is taken")
        equal(attached(here)[1], [("ingress", 20217)], "a filter of our priority and handle that is not ours")
    with lab() as here:
        add_foreign(here)
        Bcc(here).lines()
        equal(attached(here)[1], [("ingress", 7)], "a pre-existing filter")
    with lab() as here:
        runner = Bcc(here)
        add_foreign(here, qdisc=False)
        runner.lines()
        equal(attached(here)[1], [("ingress", 7)], "a filter that was added meanwhile")


def test_interface_goes():
    with lab() as here:
        ends_with_interface(here, Bcc(here).process)


def test_renamed():
    with lab() as here:
        ends_as_renamed(here, Bcc(here))


def test_impatience():
    """Sends SIGINT twice, the second while it cleans up, to the process group as a terminal does."""
    with lab() as here:
        for pause in 0.005, 0.02, 0.04, 0.08:
            runner = Bcc(here, start_new_session=True)
            os.killpg(runner.process.pid, signal.SIGINT)
            time.sleep(pause)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(runner.process.pid, signal.SIGINT)
            equal(runner.process.wait(timeout=20), 0, "status, after %g s" % pause)
            nothing_is_left(here)


def test_closes_while_it_ends():
    """A connection that closes while the filters are detached is reported or open, without an invented byte count."""
    with lab() as here:
        runner = Bcc(here, "--format", "json")
        listener = known.socket_in(here.there, here.address(2, 4))
        listener.listen(HELD)
        clients = [known.socket_in(here.here, here.address(1, 4)) for _ in range(HELD)]
        servers = []
        for client in clients:
            client.connect(listener.getsockname())
            servers.append(listener.accept()[0])
        time.sleep(0.1)
        runner.process.send_signal(signal.SIGINT)
        for pair in zip(clients, servers):
            for one in pair:
                one.close()
            time.sleep(0.002)
        listener.close()
        for record in runner.records():
            equal((record["outcome"], record.get("src_bytes"), record.get("dst_bytes")), ("closed", 0, 0), "a late one")
        nothing_is_left(here)


def test_output_breaks():
    with lab() as here:
        with open("/dev/full", "w") as full:
            runner = subprocess.Popen([PYTHON, PROGRAM, "-i", known.INTERFACE], stdout=full, stderr=subprocess.PIPE,
                                      text=True, preexec_fn=lambda: known.enter(here.here.name))
        wait_for_filters(here)
        here.closed(4, "outgoing", held=0)
        errors = runner.communicate(timeout=20)[1]
        check(runner.returncode == 1 and "No space" in errors and "Traceback" not in errors, "full: %r" % errors)
        check("1 record: 0 written" in errors and "1 lost (1 output)" in errors, "the record is lost: %r" % errors)
        refuses(here.here.run("sh", "-c", PROGRAM + " --help >/dev/full"), 1, "No space", "help")
        refuses(here.here.run("sh", "-c", PROGRAM + " -i lo >&-"), 1, "closed", "no output")
        runner = Bcc(here)
        runner.process.stdout.close()
        here.closed(4, "outgoing", held=0)
        status = runner.process.wait(timeout=20)
        errors = runner.process.stderr.read()
        check(status == 0 and "Traceback" not in errors, "closed pipe: %d %r" % (status, errors))
        nothing_is_left(here)


def wait_for_filters(here):
    deadline = time.monotonic() + bcc_runner.START_SECONDS
    while len(attached(here)[1]) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)


def test_sockets():
    """It tracks all sockets of the machine; ports and owner identify those of the lab."""
    need_packages()
    if not os.path.exists("/sys/kernel/tracing/events"):
        mount_tracefs()
    with lab() as here:
        runner = Bcc(here, "--context", "socket", "--format", "json", interface=None)
        facts = [here.closed(4, "outgoing"), here.closed(6, "incoming"), here.refused(6, "outgoing")]
        by_data = here.reset_by_data(4, "outgoing")
        records = runner.records()
        ended = known.now()
        for fact in facts:
            by_role = {one["role"]: one for one in records if fact.is_about(one)}
            refused = fact.values["outcome"] == "refused"
            equal(sorted(by_role), ["client"] if refused else ["client", "server"], "roles")
            for key in "src_ip", "dst_ip", "outcome", "ended_by":
                equal({one.get(key) for one in by_role.values()}, {fact.values[key]}, key)
            client = by_role["client"]
            equal((client["pid"], client["owner_by"], client["uid"]), (os.getpid(), "connect", 0), "owner")
            lowest = fact.times["start_ns"][0]
            allow_for_clocks([fact])
            check(fact.is_in_time(bcc_runner.event_of(client, here), "start_ns"), "start of the client")
            check(all("syn_finack_ns" not in one and one["seen"][0] == "socket" for one in by_role.values()), "seen")
            if not refused:
                check(int(known.HELD_SECONDS * 1e9) < client["duration_ns"] < ended - lowest, "duration: %s" % client)
        equal({one["role"]: (one["outcome"], one.get("ended_by")) for one in records if by_data.is_about(one)},
              {"client": ("reset", None), "server": ("reset", "src")}, "reset by data after its FIN")


run_tests([test_known_connections, test_community_id, test_addresses, test_trace_line, test_loopback_counts_once,
           test_unanswered, test_namespace, test_refuses, test_missing_packages, test_second_instance,
           test_killed_instance_is_replaced, test_others_stay, test_interface_goes, test_renamed, test_impatience,
           test_closes_while_it_ends, test_output_breaks, test_sockets])
