#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad days: tracking continues while interfaces, namespaces, clocks, names, disks and terminals misbehave."""
import contextlib
import csv
import fcntl
import io
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

import records
from account import balances, known_lack
from bench import check, main_of_checks
from harness import Skip, read_clock, undated
from netns import add_addresses, link, run_ip
from places import elsewhere, outgoing
from tracker import PROGRAM, ROOT, TrackerError, prepare, record_of
from traffic import exchange_all, settle

BROKE = 1
EACH = 5
LAST_RECORD_SECONDS = 5
RETURN_SECONDS = 0.5
READY_TIMEOUT = 90
END_SECONDS = 30
READY = "netracker: tracking\n"
# Every tracker follows the whole machine; a run at the same time has another port.
PORT = 20000 + os.getpid() % 10000


def judge(bench, label, tracker, expectations, clock):
    """Ends a tracker; checks its records of this check, its exit status and its accounting."""
    tracker.wait(lambda got: len(bench.own(got)) >= len(expectations), LAST_RECORD_SECONDS)
    status = tracker.stop()
    bench.note_retransmissions()
    problems = records.match(expectations, bench.own(tracker.records), clock)
    problems += ["exit status %s: %s" % (status, tracker.stderr()[-300:])] * (status != 0)
    problems += ["no JSON: %r" % line for line in tracker.bad_lines[:1]]
    if not balances(tracker):
        problems.append("accounting: %s" % tracker.stderr()[-300:])
    return ["%s: %s" % (label, text) for text in problems]


def close_all(world, pairs, **facts):
    for client, server in pairs:
        client.close()
        server.receive_eof()
        server.close()
        world.expect(client, server, "closed", by=client, **facts)


def notes(tracker, word):
    return [line for line in tracker.stderr().splitlines() if word in line and "watching" not in line]


# Interfaces

def cut(world):
    """Deletes the link between the tracker's namespace and the other."""
    world.place.client.namespace.ip("link del %s" % world.place.client.interface)


def link_again(world, index=None):
    """Makes new devices with the same names and addresses; with `index` as the near one's interface index."""
    near, far, subnet = world.place.client, world.place.server, world.place.subnet
    if index:
        run_ip("link", "add", near.interface, "netns", near.namespace.name, "index", str(index), "type", "veth",
               "peer", "name", far.interface, "netns", far.namespace.name)
        near.namespace.ip("link set %s up" % near.interface)
        far.namespace.ip("link set %s up" % far.interface)
    else:
        link(near.namespace, near.interface, far.namespace, far.interface)
    add_addresses(near.namespace, near.interface, subnet, 1)
    add_addresses(far.namespace, far.interface, subnet, 2)


def index_of(side):
    return int(side.namespace.run("cat", "/proc/self/net/dev_snmp6/%s" % side.interface).stdout.split()[1])


@check("an interface is deleted and made again: its open connections and their tracking continue")
def interface_made_anew(bench):
    """Makes connections before and after; trackers have -i once, twice or not, or follow packets only."""
    world = bench.world(outgoing)
    name = world.place.client.interface
    trackers = {line: bench.tracker(*line.split()) for line in
                ("-i %s" % name, "-i lo -i %s" % name, "", "-i %s --context wire" % name)}
    clock = read_clock()
    client, listener = world.client(), world.listen(world.server())
    pairs = [world.pair(client, listener) for _ in range(EACH)]
    exchange_all(pairs)
    cut(world)
    settle(RETURN_SECONDS)
    problems = ["%s: ended: %s" % (line, tracker.stderr()[-200:]) for line, tracker in trackers.items()
                if tracker.process.poll() is not None]
    link_again(world)
    settle(RETURN_SECONDS)
    exchange_all(pairs)
    close_all(world, pairs)
    later = [world.pair(client, listener) for _ in range(EACH)]
    exchange_all(later)
    close_all(world, later)
    for line, tracker in trackers.items():
        if "wire" in line:
            problems += wire_problems(bench, tracker, pairs + later)
        else:
            problems += judge(bench, line, tracker, world.expectations, clock)
        counts = [len(notes(tracker, "interface %s %s" % (name, word))) for word in ("vanished: ", "is back")]
        if counts != ([1, 1] if line else [0, 0]):
            problems.append("%s: notes %s" % (line, notes(tracker, "interface")))
    return problems


def wire_problems(bench, tracker, pairs):
    """Expects one record of each connection: packets alone do not show two sockets."""
    tracker.wait(lambda got: len(bench.own(got)) >= len(pairs), LAST_RECORD_SECONDS)
    tracker.stop()
    found = sorted((record["src_port"], record["outcome"]) for record in bench.own(tracker.records))
    wanted = sorted((client.local[1], "closed") for client, _ in pairs)
    return ["packets only: %s, should be %s" % (found, wanted)] * (found != wanted)


@check("--packets: packets over a new interface of the same name count, and the record has a gap")
def packets_made_anew(bench):
    world = bench.world(outgoing)
    tracker = bench.tracker("--packets")
    client, listener = world.client(), world.listen(world.server())
    pairs = [world.pair(client, listener) for _ in range(EACH)]
    exchange_all(pairs)
    cut(world)
    link_again(world)
    exchange_all(pairs)
    close_all(world, pairs)
    tracker.wait(lambda got: len(bench.own(got)) >= 2 * EACH, LAST_RECORD_SECONDS)
    tracker.stop()
    found = sorted((record["src_port"], record["src_bytes"], record["dst_bytes"], record["gaps"])
                   for record in bench.own(tracker.records))
    wanted = sorted([(one.local[1], one.sent, other.sent, ["packets"]) for one, other in pairs] * 2)
    return ["%s, should be %s" % (found, wanted)] * (found != wanted)


@check("an interface is deleted and made again with the same index")
def interface_with_old_index(bench):
    """An interface that returns from a container has the same name and index, as if it never was away."""
    world = bench.world(outgoing)
    near = world.place.client
    trackers = [bench.tracker(*line.split()) for line in ("-i %s" % near.interface, "")]
    index = index_of(near)
    cut(world)
    link_again(world, index)
    settle(RETURN_SECONDS)
    if index_of(near) != index:
        raise Skip("this kernel gives the index %d" % index_of(near))
    clock = read_clock()
    close_all(world, world.pairs(EACH))
    return [text for tracker in trackers for text in judge(bench, "after", tracker, world.expectations, clock)]


@check("an interface is renamed: records have its new name; -i selects by name")
def interface_renamed(bench):
    world = bench.world(outgoing)
    near = world.place.client
    named, every = bench.tracker("-i", near.interface), bench.tracker()
    client, listener = world.client(), world.listen(world.server())
    ports = {}
    for name in ("ntrenamed", near.interface):
        now = "ntrenamed" if name != "ntrenamed" else near.interface
        near.namespace.ip("link set %s down" % now, "link set %s name %s" % (now, name), "link set %s up" % name)
        settle(RETURN_SECONDS)
        pairs = [world.pair(client, listener) for _ in range(EACH)]
        exchange_all(pairs)
        close_all(world, pairs)
        ports[name] = {one.local[1] for one, _ in pairs}
        every.wait(lambda got: len(bench.own(got)) >= 2 * EACH * len(ports), LAST_RECORD_SECONDS)
    problems = []
    for label, tracker, seen in (("no -i", every, ("ntrenamed", near.interface)), ("-i", named, (near.interface,))):
        tracker.wait(lambda got: len(bench.own(got)) >= 4 * EACH, LAST_RECORD_SECONDS)
        tracker.stop()
        for name in ports:
            names = [record.get("ifname") for record in bench.own(tracker.records) if record["src_port"] in ports[name]]
            wanted = [name if name in seen else None] * 2 * EACH
            problems += ["%s: interfaces are %s, should be %s" % (label, names, wanted)] * (names != wanted)
    return problems


# Network namespaces

@check("a network namespace is removed: first its name, then its processes")
def namespace_removed(bench):
    """Half of the connections are closed after the names are gone, half when their processes are killed."""
    world = bench.world(elsewhere)
    tracker = bench.tracker("--events", "close,exit")
    client, server = world.client(), world.server()
    listener = world.listen(server)
    pairs = [world.pair(client, listener) for _ in range(2 * EACH)]
    exchange_all(pairs)
    clock = read_clock()
    for side in (world.place.client, world.place.server):
        side.namespace.delete()
    settle(RETURN_SECONDS)
    close_all(world, pairs[:EACH])
    first = judge_running(bench, tracker, world.expectations, clock)
    client.kill()
    server.kill()
    tracker.wait(lambda got: len(bench.own(got)) >= 4 * EACH, LAST_RECORD_SECONDS)
    status = tracker.stop()
    rest = [record for record in bench.own(tracker.records) if record["src_port"] in
            {one.local[1] for one, _ in pairs[EACH:]}]
    found = sorted((record["src_port"], record["role"], record["pid"], record["src_bytes"], record["dst_bytes"])
                   for record in rest)
    wanted = sorted((one.local[1], endpoint.role, endpoint.peer.pid, one.sent, other.sent)
                    for one, other in pairs[EACH:] for endpoint in (one, other))
    problems = first + ["killed: %s, should be %s" % (found, wanted)] * (found != wanted)
    problems += ["killed: a %s record" % record["event"] for record in rest if record["event"] != "close"]
    if status or not balances(tracker):
        problems.append("status %s: %s" % (status, tracker.stderr()[-300:]))
    return problems


def judge_running(bench, tracker, expectations, clock):
    tracker.wait(lambda got: len(bench.own(got)) >= len(expectations), LAST_RECORD_SECONDS)
    return records.match(expectations, bench.own(tracker.records), clock)


@check("the name of the tracker's own network namespace is removed")
def own_namespace_removed(bench):
    world = bench.world(outgoing)
    tracker = bench.tracker()
    client, listener = world.client(), world.listen(world.server())
    bench.here.delete()
    clock = read_clock()
    pairs = [world.pair(client, listener) for _ in range(EACH)]
    exchange_all(pairs)
    close_all(world, pairs)
    return judge(bench, "without a name", tracker, world.expectations, clock)


# The wall clock

HOUR_NS = 3600 * 1_000_000_000


def step_clock(hours):
    time.clock_settime_ns(time.CLOCK_REALTIME, time.clock_gettime_ns(time.CLOCK_REALTIME) + hours * HOUR_NS)
    settle(RETURN_SECONDS)


@check("the wall clock is set: a start is by the clock at the time of the record; durations and ids do not change")
def clock_set(bench):
    if not os.environ.get("LIVE_MAY_SET_CLOCK"):
        raise Skip("it sets the machine's clock: only in a guest (make test-kernels)")
    world = bench.world(outgoing)
    client, listener = world.client(), world.listen(world.server())
    tracker = bench.tracker("--events", "open,close")
    pairs = [world.pair(client, listener) for _ in range(3 * EACH)]
    exchange_all(pairs)
    settle(RETURN_SECONDS)
    problems = []
    for number, hours in enumerate((0, 30, -50)):
        step_clock(hours)
        world.expectations = []
        close_all(world, pairs[number * EACH:(number + 1) * EACH])
        later = [world.pair(client, listener) for _ in range(EACH)]
        exchange_all(later)
        close_all(world, later)
        wanted = (number + 1) * 4 * EACH
        tracker.wait(lambda got: len(closes_of(bench, got)) >= wanted, LAST_RECORD_SECONDS)
        found = closes_of(bench, tracker.records)[-4 * EACH:]
        problems += ["%+d h: %s" % (hours, text) for text in records.match(world.expectations, found, read_clock())]
    ids = [{record["id"] for record in bench.own(tracker.records) if record["event"] == event}
           for event in ("open", "close")]
    status = tracker.stop()
    problems += ["ids of open and close records differ"] * (ids[0] != ids[1])
    return problems + ["status %s: %s" % (status, tracker.stderr()[-300:])] * (status != 0)


def closes_of(bench, found):
    return [record for record in bench.own(found) if record["event"] == "close"]


# Names and paths

NAMES = [b'q"b\\s\ne\x1b[2J', b"\xff\xfe\xc3(\x80ok", "\u00fc\u20ac\U0001f600x".encode(), b"=cmd|' /C'!A0",
         b"t\tc\x07\x7fd\x9b31m", b"a,b;c $(id)`x`", b"-"]
DIRECTORY = b'nt-\x1b]0;t\x07"\\\n\xff\xc3(\xe2\x82\xac, =\x9b'


def as_json_has_it(name):
    """Returns a name as JSON has it: an invalid byte of UTF-8 becomes the four characters \\xNN (docs/record.md)."""
    return name.decode("utf-8", "surrogateescape").encode("utf-8", "surrogateescape") \
        .decode("utf-8", "backslashreplace")


def all_formats():
    """Returns the formats that the program names, without zeek, which only replay has."""
    message = subprocess.run([PROGRAM, "-f", "nosuch"], capture_output=True, text=True).stderr
    return [name for name in re.search(r"valid: ([a-z, ]+)", message)[1].split(", ") if name != "zeek"]


def serve_under_names(world, executable):
    """Makes a connection for each name, served by a process of that name. Returns {client's port: name}."""
    client, server = world.client(), world.server()
    listener = world.listen(server, port=PORT)
    served = []
    for name in NAMES:
        one, other = world.pair(client, listener)
        server.fork_exec(other, os.fsdecode(name), os.fsdecode(executable))
        other.send(100)
        one.receive(100)
        served.append((name, one, other))
    for _, one, other in served:
        other.close()
        one.receive_eof()
        one.close()
    return {one.local[1]: name for name, one, _ in served}


@check("names and paths of any bytes stay in their field in every format, and do not control the terminal")
def hostile_names(bench):
    world = bench.world(outgoing)
    top = os.fsencode(tempfile.mkdtemp(dir=bench.directory))
    directory = os.path.join(top, DIRECTORY)
    os.mkdir(directory)
    executable = shutil.copy(os.path.realpath(b"/usr/bin/python3"), os.path.join(directory, b"py\xfe\t"))
    files = {name: os.path.join(bench.directory, "hostile-" + name) for name in all_formats()}
    trackers = [bench.tracker("--role", "server", "-L", str(PORT), "-o", path, format=name)
                for name, path in files.items()]
    terminals = [Terminal(bench, columns, "--role", "server", "-L", str(PORT)) for columns in (40, 132)]
    names = serve_under_names(world, executable)
    settle(RETURN_SECONDS)
    problems = ["status %d: %s" % (tracker.process.returncode, tracker.stderr())
                for tracker in trackers if tracker.stop()]
    for name, path in files.items():
        with open(path, "rb") as file:
            problems += ["%s: %s" % (name, text) for text in format_problems(name, file.read(), names, executable)]
    for terminal in terminals:
        problems += terminal.problems(len(names))
    return problems


def format_problems(name, data, names, executable):
    problems = ["control bytes: %r" % byte for byte in sorted(set(re.findall(rb"[^\n\t\x20-\x7e]", data)))]
    lines = undated(data.decode("ascii", "replace")).splitlines()
    heading = name in ("text", "csv", "tsv")
    if len(lines) != len(names) + heading:
        problems.append("%d lines for %d records" % (len(lines), len(names)))
    if name == "json":
        problems += json_problems(lines, names, executable)
    if name in ("csv", "tsv"):
        rows = list(csv.DictReader(io.StringIO(data.decode("ascii", "replace")),
                                   **({"delimiter": "\t", "quoting": csv.QUOTE_NONE} if name == "tsv" else {})))
        wrong = [row for row in rows if None in row or None in row.values() or row["src_port"] not in map(str, names) or
                 row["dst_port"] != str(PORT) or row["outcome"] != "closed"]
        problems += ["a row that is torn: %r" % row for row in wrong]
        problems += ["a formula: %r" % row for row in rows if row["comm"][:1] in tuple("=+-@")]
    if name == "text":
        problems += ["%d words: %r" % (len(line.split()), line) for line in lines
                     if len(line.split()) != len(lines[0].split())]
    return problems


def json_problems(lines, names, executable):
    problems = []
    for line in lines:
        record = record_of(line)
        wanted = {"comm": as_json_has_it(names[record["src_port"]][:15]), "exe": as_json_has_it(executable)}
        problems += ["%s is %r, should be %r" % (key, record.get(key), value) for key, value in wanted.items()
                     if record.get(key) != value]
    return problems


class Run:
    """A program whose stderr can be read while it runs."""

    def __init__(self, bench, command, stdout=subprocess.DEVNULL):
        self.messages = tempfile.TemporaryFile(dir=bench.directory)
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=self.messages,
                                        env=dict(os.environ, TERM="xterm-256color"),
                                        preexec_fn=lambda: prepare(bench.here.name))

    def read_messages(self):
        return os.pread(self.messages.fileno(), 1 << 20, 0).decode(errors="replace")

    def wait_for(self, text):
        deadline = time.monotonic() + READY_TIMEOUT
        while text not in self.read_messages():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise TrackerError("no message has %r: %s" % (text, self.read_messages()))
            time.sleep(0.05)

    def finish(self):
        """Ends the program. Returns its exit status, and the written, open and lost records of its accounting."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGINT)
        status = self.process.wait(END_SECONDS)
        return status, {name: int(count) for count, name in re.findall(r"(\d+) (written|open|lost)\b", self.read_messages())}


# Terminals

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Terminal(Run):
    """Runs live tracking, or another command to its end, on a terminal of `columns` columns."""

    def __init__(self, bench, columns, *arguments):
        self.columns, self.text = columns, ""
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        lives = arguments[0].startswith("-")
        super().__init__(bench, [PROGRAM, *arguments, *(["-v"] if lives else [])], slave)
        os.close(slave)
        if lives:
            self.wait_for(READY)
        else:
            self.process.wait(END_SECONDS)

    def lines(self):
        """Returns the lines that it printed until its end, without colours; self.text has the colours."""
        if not self.text:
            self.finish()
            os.set_blocking(self.master, False)
            output = b""
            with contextlib.suppress(OSError):
                while data := os.read(self.master, 65536):
                    output += data
            os.close(self.master)
            self.text = undated(output.decode("utf-8", "backslashreplace").replace("\r\n", "\n"))
        return COLOUR.sub("", self.text).splitlines()

    def problems(self, count):
        """Expects lines no wider than the terminal, in printable ASCII; two a record on a narrow one."""
        lines = self.lines()
        each = 2 if self.columns < 71 else 1
        problems = ["%d columns: a line of %d: %r" % (self.columns, len(line), line) for line in lines
                    if len(line) > self.columns]
        problems += ["control bytes: %r" % line for line in lines if not (line.isprintable() and line.isascii())]
        if len(lines) != each * (1 + count):
            problems.append("%d columns: %d lines for %d records: %s" % (self.columns, len(lines), count, lines[:4]))
        return problems


@check("40 columns: live, list and replay write two lines a record, not truncated")
def narrow_terminal(bench):
    world = bench.world(outgoing)
    client, listener = world.client(), world.listen(world.server(), port=PORT)
    live = Terminal(bench, 40, "-L", str(PORT))
    pairs = [world.pair(client, listener) for _ in range(EACH)]
    exchange_all(pairs)
    listing = Terminal(bench, 40, "list", "-L", str(PORT))
    close_all(world, pairs)
    settle(RETURN_SECONDS)
    replay = Terminal(bench, 40, "replay", os.path.join(ROOT, "tests", "replay", "captures", "fmt_pcap_nsec.pcap"))
    problems = []
    for label, terminal in (("live", live), ("list", listing)):
        problems += ["%s: %s" % (label, text) for text in terminal.problems(EACH)]
        for one, _ in pairs:
            shown = re.search(r"^%s:%d +(\S+) +\S+\n  %s:%d +nt-server$" % (*one.local, *one.remote),
                              COLOUR.sub("", terminal.text), re.MULTILINE)
            if not shown or shown[1] != {"live": "closed:src", "list": "established"}[label]:
                problems.append("%s: %s:%d is not shown: %r" % (label, *one.local, terminal.text))
    replay.lines()
    written = re.search(r"(\d+) written", replay.read_messages())
    return problems + ["replay: %s" % text for text in replay.problems(int(written[1]))]


@check("nobody reads the terminal: tracking continues, ends on a signal, and counts lost records")
def stalled_terminal(bench):
    """Writes far more than a terminal buffers, as over an SSH connection that hangs."""
    world = bench.world(outgoing)
    terminal = Terminal(bench, 132, "-L", str(PORT))
    storm(world, 3 * STORM)
    settle(1)
    status, account = terminal.finish()
    terminal.lines()
    whole = terminal.text.count("\n") - 1
    problems = ["exit status %d" % status] * (status != BROKE)
    if not has_all(account, 3 * STORM) or not account["lost"] or whole != account["written"]:
        problems.append("%d records, %d lines: %s" % (3 * STORM, whole, terminal.read_messages()))
    return problems


# Disks

STORM = 1500


def has_all(account, wanted):
    """Whether each connection of a storm is written or lost, or one of the few whose end the kernel did not show."""
    lack = known_lack(account, wanted)
    if lack:
        print("note: %d of %d connections are open in the accounting" % (lack, wanted))
    return account["written"] + account["lost"] + lack == wanted


def storm(world, count):
    """Makes `count` connections one after the other over loopback; with -L each has one record."""
    peer = world.client("nt-storm")
    listener = peer.listen(world.place.family, world.place.client.address, port=PORT)
    peer.do("storm", handle=listener.handle, address=listener.address, port=listener.port, count=count)
    peer.stop()


class SmallDisk(Run):
    """A tracker in a mount namespace of its own, which writes to a file system of 256 KiB."""

    def __init__(self, bench):
        script = 'mount -t tmpfs -o size=256k nt-live "$1" || exit 99; exec "$0" -f json -v -L "$2" -o "$1/records"'
        mount = os.path.join(bench.directory, "disk")
        os.makedirs(mount, exist_ok=True)
        super().__init__(bench, ["unshare", "--mount", "sh", "-c", script, PROGRAM, mount, str(PORT)])
        self.directory = "/proc/%d/root%s" % (self.process.pid, mount)
        try:
            self.wait_for(READY)
        except TrackerError:
            if self.process.poll() == 99:
                raise Skip("no small file system: %s" % self.read_messages().strip())
            raise

    def fill(self):
        """Fills the file system. Returns the path of the file that takes the room."""
        path = os.path.join(self.directory, "balloon")
        with contextlib.suppress(OSError), open(path, "wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        return path

    def records(self):
        with open(os.path.join(self.directory, "records"), "rb") as file:
            data = file.read()
        if not data.endswith(b"\n"):
            raise TrackerError("the file ends with an incomplete line: %r" % data[-80:])
        return [record_of(line) for line in data.splitlines()]

    def stop(self):
        """Ends the tracker. Returns its records, exit status and accounting; the file system ends with it."""
        held = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        status, account = self.finish()
        self.directory = "/proc/self/fd/%d" % held
        found = self.records()
        os.close(held)
        return found, status, account


@check("a full disk gets room: the buffered records are written, none is lost")
def disk_recovers(bench):
    world = bench.world(outgoing)
    disk = SmallDisk(bench)
    balloon = disk.fill()
    storm(world, 4 * EACH)
    disk.wait_for("cannot write")
    os.unlink(balloon)
    disk.wait_for("can be written again")
    storm(world, 4 * EACH)
    settle(RETURN_SECONDS)
    found, status, account = disk.stop()
    wanted = 8 * EACH
    problems = ["%d records, should be %d" % (len(found), wanted)] * (len(found) != account["written"])
    problems += ["a record was written twice"] * (len({record["id"] for record in found}) != len(found))
    if status or account["lost"] or not has_all(account, wanted):
        problems.append("status %d: %s" % (status, disk.read_messages()))
    return problems


@check("a disk stays full: lost records are counted, later ones are written once there is room, exit status 1")
def disk_recovers_late(bench):
    world = bench.world(outgoing)
    disk = SmallDisk(bench)
    balloon = disk.fill()
    storm(world, STORM)
    disk.wait_for("cannot write")
    settle(1)
    subprocess.run(["nsenter", "--mount", "--target", str(disk.process.pid), "mount", "-o", "remount,size=16m",
                    os.path.join(bench.directory, "disk")], check=True)
    os.unlink(balloon)
    disk.wait_for("can be written again")
    storm(world, EACH)
    settle(RETURN_SECONDS)
    found, status, account = disk.stop()
    problems = ["%d records: %s" % (len(found), disk.read_messages())] * (len(found) != account["written"])
    problems += ["status %d" % status] * (status != BROKE)
    if not account["lost"] or not has_all(account, STORM + EACH):
        problems.append("%d records: %s" % (STORM + EACH, disk.read_messages()))
    return problems + ["messages: %s" % disk.read_messages()] * (disk.read_messages().count("cannot write") != 1)

if __name__ == "__main__":
    sys.exit(main_of_checks())
