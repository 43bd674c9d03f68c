#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""--resolve: names of the addresses of a capture and of its records, from an /etc/hosts of the test's own."""
import os
import subprocess
import sys
import tempfile
import time

import replay_harness
from pcap import capture, connection
from replay_harness import EMULATED, NETRACKER, check, equal, record_of, replay
import name_files  # replay_harness sets its path

USAGE = 2
HOSTS = """
198.18.0.1 web.test
198.18.0.2 198.18.0.77
198.18.0.3 198.18.0.77:80
198.18.0.4 a-very-long-name.of-a-department.of-a-company.example
198.18.0.5 odd\\bytes\x1b[2J
fd00::1 six.test
"""
SHOWN = {
    "198.18.0.1": "web.test:80", "198.18.0.2": "198.18.0.2:80", "198.18.0.3": "198.18.0.3:80",
    "198.18.0.4": "a-very-long-name.of~f-a-company.example:80", "198.18.0.5": "odd\\x5cbytes\\x1b\\x5b2J:80",
    "198.18.0.6": "198.18.0.6:80", "fd00::1": "six.test:80", "fd00::2": "[fd00::2]:80",
}
CLIENTS = [("fd00::c" if ":" in server else "198.18.1.1", 40000 + number) for number, server in enumerate(SHOWN)]
PACKETS = [packet for number, server in enumerate(SHOWN)
           for packet in connection(CLIENTS[number], (server, 80), number)]
# Runs a command in the network namespace of SILENT_SERVER, and prints what that printed.
BESIDE_SERVER = """
import subprocess, sys
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
server = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE)
server.stdout.readline()
done = subprocess.run(sys.argv[2:])
server.kill()
sys.stdout.buffer.write(server.stdout.read())
sys.exit(done.returncode)
"""


def run_with_names(*command, sources="files", namespaces="-m", given=capture(PACKETS)):
    """Runs the command with the test's own files for the system's resolver."""
    with tempfile.TemporaryDirectory() as directory:
        name_files.write_files(directory, HOSTS, sources)
        return subprocess.run(name_files.command_with_files(directory, *command, namespaces=namespaces),
                              input=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                              check=False)


def run_beside(server, *command, given=capture(PACKETS)):
    """Runs the command with names from this name server only."""
    return run_with_names(sys.executable, "-c", BESIDE_SERVER, server, *command, sources="dns", namespaces="-m -n",
                          given=given)


def lines_of(done):
    equal(done.returncode, 0, done.stderr.decode())
    return done.stdout.decode("ascii").splitlines()


def column(lines, heading):
    place = lines[0].split().index(heading)
    return [line.split()[place] for line in lines[1:] if not line.startswith("--")]


def endpoint(address, port):
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def records():
    lines = lines_of(run_with_names(NETRACKER, "replay", "--resolve", "-"))
    equal(column(lines, "DST"), list(SHOWN.values()), "names")
    equal(column(lines, "SRC"), [endpoint(*client) for client in CLIENTS], "without a name, the address")
    check({"HANDSHAKE", "RETRANS", "GAPS"} <= set(lines[0].split()), "no column is missing: " + lines[0])
    lines = lines_of(run_with_names(NETRACKER, "replay", "--resolve", "--columns", "dst,dst_ip", "-"))
    equal(column(lines, "DST"), list(SHOWN.values()), "chosen columns")
    equal(column(lines, "DST_IP"), list(SHOWN), "a key of the record keeps its value")


def off_by_default():
    lines = lines_of(run_with_names(NETRACKER, "replay", "-"))
    equal(column(lines, "DST"), [endpoint(address, 80) for address in SHOWN], "without --resolve")


def formats_for_programs():
    for form in ("json", "csv", "tsv"):
        done = run_with_names(NETRACKER, "replay", "-f", form, "--resolve", "-")
        equal(done.returncode, USAGE, form)
        check(b"--resolve is for -f text" in done.stderr, done.stderr.decode())


def rows_of(lines, heading):
    """Returns the first word of each row of a table of the summary."""
    begin = next(number for number, line in enumerate(lines) if line.startswith(heading))
    return [line.split()[0] for line in lines[begin + 1:lines.index("", begin)] if not line.startswith(" ")]


def summary():
    lines = lines_of(run_with_names(NETRACKER, "replay", "--summary", "--top", "9", "--resolve", "-"))
    equal(sorted(rows_of(lines, "SERVICE")), sorted(SHOWN.values()), "services")
    equal(sorted(rows_of(lines, "PEER")), sorted(name[:-3].strip("[]") for name in SHOWN.values()), "peers")
    check(any(line.endswith("-> web.test:80") for line in lines), "busiest connections")
    with tempfile.NamedTemporaryFile() as file:
        lines = lines_of(run_with_names(NETRACKER, "replay", "--summary", "--top", "9", "--resolve",
                                       "-f", "json", "-o", file.name, "-"))
        written = [record_of(line) for line in file.read().splitlines()]
    check("web.test:80" in rows_of(lines, "SERVICE"), "tables beside records in JSON")
    equal([record["dst_ip"] for record in written], list(SHOWN), "the records have addresses")


def explained():
    """explain adds the names to the addresses."""
    lines = replay(capture(PACKETS)).output
    done = run_with_names(NETRACKER, "explain", "--resolve", given=lines)
    text = " ".join(done.stdout.decode("ascii").split())
    equal(done.returncode, 0, done.stderr.decode())
    for address, shown in SHOWN.items():
        name = shown.rpartition(":")[0]
        named = f"{address} ({name})." if name.strip("[]") != address else f"{address}."
        check(f"to the server {named}" in text, f"{named} is not in {text}")
    check("-> 198.18.0.1:80:" in text, "the heading has the addresses")
    done = run_with_names(NETRACKER, "explain", given=lines)
    check(b"web.test" not in done.stdout, "without --resolve")


def name_server_that_never_answers():
    """The look-ups would take minutes. Records and exit come within the bound of 2 s, with addresses."""
    for program in (NETRACKER, os.path.join(replay_harness.ROOT, "build", "sanitized", "netracker")):
        for arguments in ([], ["--summary", "--top", "9"]):
            began = time.monotonic()
            done = run_beside(name_files.SILENT_SERVER, program, "replay", *arguments, "--resolve", "-")
            took = time.monotonic() - began
            lines = lines_of(done)
            check(2 <= took < 10, f"{took:.1f} s")
            check(lines.pop() == "asked", "questions reached the name server")
            lines = [line for line in lines if line != "asked"]
            shown = rows_of(lines, "SERVICE") if arguments else column(lines, "DST")
            equal(sorted(shown), sorted(endpoint(address, 80) for address in SHOWN), "addresses")


def name_server_that_lies():
    """A name is shown only if it can be one. The C library refuses some of these names itself."""
    servers = [f"198.18.0.{number}" for number in range(1, 9)]
    packets = [packet for number, server in enumerate(servers)
               for packet in connection(("198.18.0.1", 40000 + number), (server, 80), number)]
    lines = lines_of(run_beside(name_files.LYING_SERVER, NETRACKER, "replay", "--resolve", "-", given=capture(packets)))
    expected = [endpoint(server, 80) for server in servers]
    expected[0] = "web.test:80"
    expected[3] = "xxxxxxxxxxxxxxxxxxx~xxxxxxxxxxxxxxxxxxx:80"
    equal(column(lines, "DST"), expected, "names from a name server")
    check(all(line.isprintable() for line in lines), "no control characters")


def main():
    if EMULATED:
        replay_harness.skip("names of addresses: the emulator has no /etc/hosts of its own")
        return replay_harness.run([])
    if name_files.lacking():
        replay_harness.skip(f"names of addresses: {name_files.lacking()} does not exist")
        return replay_harness.run([])
    if run_with_names("true").returncode:
        replay_harness.skip("names of addresses: unshare -m failed; run as root")
        return replay_harness.run([])
    return replay_harness.run([records, off_by_default, formats_for_programs, summary, explained,
                               name_server_that_never_answers, name_server_that_lies])


if __name__ == "__main__":
    main()
