#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests the eunomia-bpf version without ecc and ecli: its package, its events of known connections, its scripts.

package_runner.py runs the package through libbpf as ecli does; `make test-ecli` uses ecli itself.
"""
import base64
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import zlib

import known
from bcc_runner import allow_for_clocks, documented_keys, event_of
from eunomia import (LINE, PACKAGE, RELOAD, ROOT, RUN, STAND_IN, Runner, Skip, Trace, add_foreign, attached, check,
                     ends_as_renamed, ends_with_interface, equal, lab, matches, nothing_is_left, open_to_all, refuses,
                     run_tests)

# Types of which bpf-loader-lib makes options (arg_builder).
OPTION_TYPES = {"bool", "int", "short", "long", "long long", "unsigned int", "unsigned short", "unsigned long long",
                "float", "double"}
NOBODY = 65534
PRIORITY = 49162
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454ca, 0x0001, 0x1000


def package():
    with open(PACKAGE) as file:
        return json.load(file)


def object_of(one, path):
    with open(path, "wb") as file:
        file.write(zlib.decompress(base64.b64decode(one["bpf_object"])))


def test_package_object():
    one = package()
    image = zlib.decompress(base64.b64decode(one["bpf_object"]))
    equal(len(image), one["bpf_object_size"], "bpf_object_size")
    equal(image[:4], b"\x7fELF", "the object's beginning")
    # bpf-loader passes the name to libbpf without a NUL; libbpf reads eight characters of it.
    check(len(one["meta"]["bpf_skel"]["obj_name"]) >= 8, "obj_name is long enough")


def test_package_sections():
    skeleton = package()["meta"]["bpf_skel"]
    equal([one["name"] for one in skeleton["data_sections"]], [".rodata", ".bss"], "sections that bpf-loader knows")
    variables = [one for section in skeleton["data_sections"] for one in section["variables"]]
    options = [one for one in variables if not one["name"].startswith("__eunomia_dummy")]
    check({one["type"] for one in options} <= OPTION_TYPES, "types of options: %s" % options)
    check(all(one["description"] and one["cmdarg"]["long"] for one in options), "options have their help: %s" % options)
    equal({one["cmdarg"]["long"] for one in options}, {"min-us", "port", "no-incoming", "no-outgoing"}, "options")
    equal([one["ident"] for one in skeleton["maps"] if one.get("mmaped")], ["rodata", "bss"], "maps in memory")
    check(all(one["name"].count(".") < 2 for one in skeleton["maps"]), "no .rodata.str: %s" % skeleton["maps"])


def test_package_programs():
    programs = package()["meta"]["bpf_skel"]["progs"]
    equal([(one["attach"], one["link"], one["tchook"]["attach_point"]) for one in programs],
          [("tc", True, "BPF_TC_INGRESS"), ("tc", True, "BPF_TC_EGRESS")], "programs")
    check(all(set(one["tcopts"]) == {"handle", "priority"} for one in programs), "tcopts: %s" % programs)


def test_package_export():
    """The exported structure is the one that bpftool finds in the object."""
    if not shutil.which("bpftool"):
        raise Skip("no bpftool")
    one = package()
    exported, = one["meta"]["export_types"]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "object.o")
        object_of(one, path)
        dump = subprocess.run(["bpftool", "-j", "btf", "dump", "file", path], capture_output=True, text=True,
                              check=True)
    types = {each["id"]: each for each in json.loads(dump.stdout)["types"]}
    seen = types[exported["type_id"]]
    equal((seen["kind"], seen["name"], seen["size"]), ("STRUCT", "event", exported["size"]), "export_types")
    equal([each["name"] for each in exported["members"]], [each["name"] for each in seen["members"]], "members")


def test_package_as_ecc_compiles():
    """The flags of ecc, another folder and ecc's addition to the source give the same package."""
    with tempfile.TemporaryDirectory() as folder, open(ROOT + "/eunomia/netracker.bpf.c") as source, \
            open(ROOT + "/eunomia/event.h") as header:
        structures = re.findall(r"struct\s+(\w+)\s*\{", header.read())
        equal(structures, ["event"], "structures in event.h, comments included")
        with open(folder + "/temp.c", "w") as file:
            file.write(source.read() + "\nconst volatile struct event * __eunomia_dummy_event_ptr "
                       "__attribute__((unused));\n")
        triplet = subprocess.run(["gcc", "-print-multiarch"], capture_output=True, text=True).stdout.strip()
        subprocess.run(["clang", "-g", "-O2", "-target", "bpf", "-Wno-unknown-attributes", "-D__TARGET_ARCH_x86",
                        "-idirafter", "/usr/include/" + triplet, "-I", ROOT + "/eunomia", "-c", "temp.c", "-o",
                        "temp.o"], cwd=folder, check=True)
        subprocess.run(["llvm-strip", "-g", "temp.o"], cwd=folder, check=True)
        make = [ROOT + "/eunomia/make-package"]
        with open(folder + "/package.json", "w") as file:
            subprocess.run(make + [folder + "/temp.o", ROOT + "/eunomia/netracker.bpf.c", ROOT + "/eunomia/event.h"],
                           stdout=file, check=True)
        done = subprocess.run(make + ["--compare", PACKAGE, folder + "/package.json"], capture_output=True, text=True)
        equal((done.returncode, done.stderr), (0, ""), "package of ecc's object")


def test_make_package_refuses():
    make = ROOT + "/eunomia/make-package"
    for arguments, status in (([], 2), (["/nonexistent"] * 3, 1), ([make] * 3, 1)):
        done = subprocess.run([make, *arguments], capture_output=True, text=True)
        check(done.returncode == status and "Traceback" not in done.stderr and done.stderr and not done.stdout,
              "make-package %s: %r" % (arguments, done))


def test_known_connections():
    with lab() as here:
        runner = Runner(here)
        facts = here.all_kinds()
        events = runner.stop()
        matches(facts, events)
        for event in events:
            for key in "src_ip", "dst_ip":
                equal(event[key], str(known.ipaddress.ip_address(event[key])), "an address in its short form")
        nothing_is_left(here)


def test_records():
    """-f json prints records; -f trace prints [TC] lines."""
    with lab() as here:
        runner = Runner(here, output=("-f", "json"))
        facts = allow_for_clocks(here.all_kinds())
        records = runner.records()
        matches(facts, [event_of(record, here) for record in records])
        order = documented_keys()
        for record in records:
            equal(list(record), sorted(record, key=order.index), "order of keys")
            equal((record["v"], record["role"], record["event"], record["seen"], record["netns"], record["netns_name"],
                   record["ifname"],
                   record["complete"], record["gaps"]),
                  (2, "observer", "close", ["wire"], here.here.inode, here.here.name, known.INTERFACE, True, []),
                  "values of every record")
        equal(len({record["id"] for record in records}), len(facts), "ids")
        runner = Runner(here, output=("-f", "trace"))
        facts = here.all_kinds()
        check_lines(runner.lines(signal.SIGTERM), facts)
        nothing_is_left(here)


def test_loopback_counts_once():
    with lab() as here:
        runner = Runner(here, interface="lo")
        facts = [here.loopback(4), here.loopback(6)]
        matches(facts, runner.stop(signal.SIGTERM))
        nothing_is_left(here, "lo")


def test_vlan():
    """The frame has its tag, as no device removed it."""
    with lab() as here:
        runner = Runner(here)
        with known.inside(here.there):
            wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            wire.bind(("eth0", 0))
        for packet in known.syn_and_rst("198.18.9.1", "198.18.9.2", 50123):
            wire.send(b"\xff" * 6 + b"\x02\0\0\0\0\1" + struct.pack("!HHH", 0x8100, 5, 0x0800) + packet)
        wire.close()
        matches([known.crafted("198.18.9.1", "198.18.9.2", 50123)], runner.stop())


def test_without_link_layer():
    with lab() as here:
        if here.here.run("ip", "tuntap", "add", "dev", "tun0", "mode", "tun").returncode:
            raise Skip("no tun devices")
        here.here.ip("addr add 198.18.8.1/24 dev tun0", "link set tun0 up")
        with known.inside(here.here):
            tun = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"tun0", IFF_TUN | IFF_NO_PI))
        runner = Runner(here, interface="tun0")
        for packet in known.syn_and_rst("198.18.8.2", "198.18.9.2", 50124):
            os.write(tun, packet)
        matches([known.crafted("198.18.8.2", "198.18.9.2", 50124)], runner.stop())
        os.close(tun)


def test_options():
    """Each option selects the right connections and drops the others."""
    with lab() as here:
        runner = Runner(here, "--no-incoming", "--min-us", "40000")
        facts = [here.closed(4, "outgoing")]
        here.closed(4, "incoming")
        here.closed(6, "outgoing", held=0)
        matches(facts, runner.stop())
        runner = Runner(here, "--no-outgoing", "--port", "50999")
        here.closed(4, "outgoing")
        here.closed(4, "incoming")
        equal(runner.stop(), [], "connections to port 50999")
        nothing_is_left(here)


def test_run_refuses():
    with lab() as here:
        environment = {**os.environ, "ECLI": STAND_IN}

        def run(*arguments, **more):
            done = subprocess.run([RUN, *arguments], capture_output=True, text=True, timeout=30,
                                  env={**environment, **more}, preexec_fn=lambda: known.enter(here.here.name))
            return done

        refuses(run(), 2, "required: IF", "no interface")
        refuses(run("--off", "lo"), 2, "--off", "unknown option")
        refuses(run("-j", "-f", "json", "lo"), 2, "not allowed", "two formats")
        refuses(run("-f", "xml", "lo"), 2, "xml", "unknown format")
        refuses(run("nt9\x1b[2J"), 5, "no such interface", "missing interface")
        refuses(run("x" * 300), 5, "no such interface", "endless name")
        refuses(run(known.INTERFACE, ECLI="/nonexistent/ecli"), 4, "cargo install ecli-rs", "missing ecli")
        refuses(run(known.INTERFACE, PATH="/nonexistent"), 4, "iproute2", "missing tc")
        add_foreign(here, "egress")
        refuses(run(known.INTERFACE), 1, "another program", "foreign filter")
        equal(attached(here)[1], [("egress", 7)], "the foreign filter")


def test_run_needs_root():
    with lab() as here, open_to_all(os.path.dirname(RUN)) as folder:
        for script in ("run", "reload"):
            done = subprocess.run([os.path.join(folder, script), known.INTERFACE], capture_output=True, text=True,
                                  timeout=30, preexec_fn=lambda: (known.enter(here.here.name), os.setuid(NOBODY)))
            refuses(done, 3, "root", script)


def test_second_instance():
    with lab() as here:
        runner = Runner(here)
        for command in ([RUN, known.INTERFACE], [RELOAD, known.INTERFACE], [RELOAD, "--off", known.INTERFACE]):
            done = subprocess.run(command, capture_output=True, text=True, timeout=30,
                                  env=dict(os.environ, ECLI=STAND_IN), preexec_fn=lambda: known.enter(here.here.name))
            refuses(done, 1, "end that one first", " ".join(command))
        facts = [here.closed(4, "outgoing")]
        matches(facts, runner.stop())
        nothing_is_left(here)


def test_filters_added_meanwhile_stay():
    with lab() as here:
        runner = Runner(here)
        add_foreign(here, qdisc=False)
        runner.stop()
        equal(attached(here)[1], [("ingress", 7)], "filters after the end")


def test_reader_goes_away():
    """The output ends as in `eunomia/run IF | head`."""
    with lab() as here:
        runner = Runner(here)
        runner.process.stdout.close()
        equal(runner.process.wait(10), 0, "status")
        nothing_is_left(here)


def test_ecli_dies():
    """ecli is killed, or the wrapper: nothing stays attached."""
    with lab() as here:
        runner = Runner(here)
        children = "/proc/%d/task/%d/children" % (runner.process.pid, runner.process.pid)
        with open(children) as file:
            ecli = int(file.read().split()[0])
        os.kill(ecli, signal.SIGKILL)
        errors = runner.process.communicate(timeout=20)[1].decode()
        check(runner.process.returncode == 1 and "status -9" in errors, "ecli was killed: %r" % errors)
        nothing_is_left(here)
        runner = Runner(here)
        runner.process.kill()
        runner.process.communicate(timeout=20)
        deadline = time.monotonic() + 10
        while attached(here)[1] and time.monotonic() < deadline:
            time.sleep(0.05)
        equal(attached(here)[1], [], "filters after the wrapper was killed")
        # Filters that a killed run left do not stop the next run.
        runner = Runner(here)
        facts = [here.closed(6, "incoming")]
        matches(facts, runner.stop())


def test_interface_changes():
    """It detaches from a renamed interface, and ends when the interface is deleted."""
    with lab() as here:
        ends_as_renamed(here, Runner(here))
    with lab() as here:
        ends_with_interface(here, Runner(here).process)


def test_output_breaks():
    with lab() as here:
        done = here.here.run("sh", "-c", "ECLI=%s %s %s >&-" % (STAND_IN, RUN, known.INTERFACE))
        refuses(done, 1, "closed", "run without an output")
        nothing_is_left(here)
        for command in RUN + " --help", RELOAD + " --help", "%s --off %s" % (RELOAD, known.INTERFACE):
            refuses(here.here.run("sh", "-c", command + " >/dev/full"), 1, "No space", command)


def reload_in(here, *arguments, status=0):
    done = here.here.run(RELOAD, *arguments)
    equal(done.returncode, status, "reload %s: %s" % (" ".join(arguments), done.stderr))
    return done


def test_reload_traces():
    trace = Trace()
    try:
        with lab() as here:
            reload_in(here, known.INTERFACE)
            check("bpftool prog tracelog" in reload_in(here, known.INTERFACE).stdout, "reload says how to read")
            equal(len(attached(here)[1]), 2, "filters after the second reload")
            trace.lines()
            facts = here.all_kinds()
            check_lines(trace.lines(), facts)
            reload_in(here, "--off", known.INTERFACE)
            nothing_is_left(here)
            check("nothing" in reload_in(here, "--off", known.INTERFACE).stdout, "--off twice")
    finally:
        trace.close()


def check_lines(lines, facts):
    found = [LINE.search(line).groups() for line in lines if LINE.search(line)]
    events = [dict(src_ip=src, src_port=int(sport), dst_ip=dst, dst_port=int(dport), syn_finack_ns=int(ns))
              for src, sport, dst, dport, ns in found]
    timed = [fact for fact in facts if "syn_finack_ns" in fact.times]
    for fact in timed:
        fact.values = {key: fact.values[key] for key in ("src_ip", "src_port", "dst_ip", "dst_port")}
        fact.times = {"syn_finack_ns": fact.times["syn_finack_ns"]}
    # Other programs may print such lines, too, with other ports.
    ports = {fact.values["src_port"] for fact in facts}
    matches(timed, [event for event in events if event["src_port"] in ports])


def test_reload_leaves_others():
    with lab() as here:
        add_foreign(here)
        reload_in(here, known.INTERFACE)
        equal(len(attached(here)[1]), 3, "filters: two of its own, and the foreign one")
        reload_in(here, "--off", known.INTERFACE)
        equal(attached(here)[1], [("ingress", 7)], "filters after --off")
        here.here.run("tc", "filter", "del", "dev", known.INTERFACE, "ingress")
        add_foreign(here, qdisc=False, priority=PRIORITY)
        refuses(here.here.run(RELOAD, known.INTERFACE), 4, "another program", "a priority that is taken")
        reload_in(here, "--off", known.INTERFACE)
        equal(attached(here)[1], [("ingress", PRIORITY)], "a filter of our priority and handle that is not ours")
        here.here.run("tc", "filter", "del", "dev", known.INTERFACE, "ingress")
        reload_in(here, known.INTERFACE)
        reload_in(here, "--off", known.INTERFACE)
        check("clsact" in attached(here)[0], "a foreign clsact qdisc stays")


def test_reload_refuses():
    with lab() as here:
        refuses(here.here.run(RELOAD, "nt9"), 5, "no such interface", "missing interface")
        refuses(here.here.run(RELOAD, "--off"), 2, "usage", "off of nothing")
        refuses(here.here.run(RELOAD, "--of", "lo"), 2, "usage", "unknown option")
        refuses(here.here.run("sh", "-c", RELOAD + " </dev/null"), 2, "lo nt0", "no interface and no terminal")
        here.here.run("tc", "qdisc", "add", "dev", known.INTERFACE, "ingress")
        refuses(here.here.run(RELOAD, known.INTERFACE), 1, "ingress qdisc", "no place for clsact")
        equal(attached(here), (["noqueue", "ingress"], []), "the ingress qdisc")


def test_reload_asks():
    """On a terminal it asks for the number of an interface."""
    if not shutil.which("script"):
        raise Skip("no script (bsdutils)")
    with lab() as here:
        here.here.run("sh", "-c", "echo 2 | script -qec %s /dev/null" % RELOAD)
        equal(len(attached(here)[1]), 2, "filters on the second interface")
        reload_in(here, "--off", known.INTERFACE)
        nothing_is_left(here)


run_tests([test_package_object, test_package_sections, test_package_programs, test_package_export,
           test_package_as_ecc_compiles, test_make_package_refuses, test_known_connections, test_records,
           test_loopback_counts_once, test_vlan, test_without_link_layer, test_options, test_run_refuses, test_run_needs_root,
           test_second_instance, test_filters_added_meanwhile_stay, test_reader_goes_away, test_ecli_dies,
           test_interface_changes, test_output_breaks, test_reload_traces, test_reload_leaves_others,
           test_reload_refuses, test_reload_asks])
