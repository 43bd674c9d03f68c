#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad input and abnormal ends: the exit status, one clear message, and nothing left attached."""
import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from account import known_lack
from attached import attached, tcx_programs
from bench import check, main_of_checks
from harness import Skip
from places import outgoing
from tracker import PROGRAM, TrackerError, prepare
from traffic import settle

OK, BROKE, USAGE, PRIVILEGES, KERNEL, INTERFACE = range(6)
NOBODY_UID = "65534"
END_SECONDS = 60
FEW, MANY = 20, 600
FEW_FILES, FILES_FOR_PROGRAMS, PAIRS = 64, 140, 30
# Every tracker follows the whole machine; a run at the same time has another port.
PORT = str(20000 + os.getpid() % 10000)
TIMED_OUT = "does not end"
ACCOUNT_LINES = re.compile(r"netracker: (\d+ records?: |watching|tracking)")


def finish(process):
    """Returns exit status and messages; kills a program that does not end, with the status TIMED_OUT."""
    try:
        output, messages = process.communicate(timeout=END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        output, messages = process.communicate()
        return TIMED_OUT, messages.decode(errors="replace")
    return process.returncode, messages.decode(errors="replace")


def start(bench, *arguments, stdout=subprocess.DEVNULL, before=()):
    return subprocess.Popen([*before, PROGRAM, *arguments], stdin=subprocess.DEVNULL, stdout=stdout,
                            stderr=subprocess.PIPE, preexec_fn=lambda: prepare(bench.here.name))


def complaints(messages):
    """Returns the messages without the accounting and those at the start."""
    return [line for line in messages.splitlines() if not ACCOUNT_LINES.match(line)]


def one_line_problems(label, result, status, word):
    """Expects the status, and exactly one message, which has `word` and gives the remedy."""
    got, messages = result
    lines = complaints(messages)
    problems = [] if got == status else ["%s: exit status %s, should be %d" % (label, got, status)]
    if len(lines) != 1:
        problems.append("%s: %d lines: %r" % (label, len(lines), lines))
    elif not re.match(r"netracker: .+; .+", lines[0]) or word not in lines[0]:
        problems.append("%s: gives no remedy for %r: %r" % (label, word, lines[0]))
    return problems


WRONG_USAGE = [
    ("--bogus", "--bogus"), ("-f yaml", "yaml"), ("-p none", "none"), ("-p 0", "0"), ("-p -1", "-1"), ("-n 0", "0"),
    ("-n many", "many"), ("-t soon", "soon"), ("-t -5", "-5"), ("-L 80-", "80-"), ("-L 65536", "65536"), ("-L 80,", "80,"),
    ("-D no-such", "no-such"), ("--role boss", "boss"), ("--outcome lost", "lost"), ("--events death", "death"),
    ("--context air", "air"), ("--min-duration 5parsecs", "5parsecs"), ("--min-duration -1s", "-1s"), ("-i", "-i"),
    ("-o", "-o"), ("nonsense", "nonsense"), ("--context wire -i none", "none"),
    ("-n 99999999999999999999999", "99999999999999999999999"),
]


@check("wrong options and values")
def wrong_usage(bench):
    problems = []
    for line, word in WRONG_USAGE:
        result = finish(start(bench, *line.split()))
        problems += one_line_problems(line, result, USAGE, word)
    return problems


@check("not root")
def not_root(bench):
    """Runs a copy of the program in a folder that is open to all users: a clone in /root is not."""
    with tempfile.TemporaryDirectory(prefix="nt-live-") as directory:
        os.chmod(directory, 0o755)
        program = shutil.copy(PROGRAM, directory)
        process = subprocess.Popen(["setpriv", "--reuid", NOBODY_UID, "--regid", NOBODY_UID, "--clear-groups", "sh",
                                    "-c", "exec \"$0\"", program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        return one_line_problems("as nobody", finish(process), PRIVILEGES, "root")


@check("root without capabilities")
def no_capabilities(bench):
    before = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"]
    return one_line_problems("without capabilities", finish(start(bench, before=before)), PRIVILEGES, "")


@check("unknown interface")
def unknown_interface(bench):
    problems = one_line_problems("-i nosuch0", finish(start(bench, "-i", "nosuch0")), INTERFACE, "nosuch0")
    problems += one_line_problems("a known and an unknown one", finish(start(bench, "-i", "lo", "-i", "nosuch1")),
                                  INTERFACE, "nosuch1")
    long_name = "x" * 200
    return problems + one_line_problems("too long a name", finish(start(bench, "-i", long_name)), INTERFACE, "xxx")


@check("an interface vanishes for good: the last one ends the run, one of two does not")
def vanishing_interface(bench):
    world = bench.world(outgoing)
    interface = world.place.client.interface
    only = bench.tracker("-i", interface)
    both = bench.tracker("-i", "lo", "-i", interface)
    every = bench.tracker()
    bench.here.ip("link del %s" % interface)
    status = only.collect(END_SECONDS)
    problems = one_line_problems("the last one", (status, only.stderr()), INTERFACE, interface)
    for label, tracker in (("one of two", both), ("of all", every)):
        if tracker.process.poll() is not None:
            problems.append("%s: ended with %d: %s" % (label, tracker.process.returncode, tracker.stderr()[-200:]))
        elif tracker.stop() != OK:
            problems.append("%s: exit status %d" % (label, tracker.process.returncode))
    return problems


@contextlib.contextmanager
def soft_limit(files):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def add_interfaces(bench):
    """Adds as many interfaces as take more descriptors than FEW_FILES: two each."""
    bench.here.ip(*("link add nt%dp type veth peer name nt%dq" % (number, number) for number in range(PAIRS)),
                  *("link set nt%d%s up" % (number, side) for number in range(PAIRS) for side in "pq"))


@check("few open files are allowed, many interfaces: the limit is raised, and all are watched")
def few_files_allowed(bench):
    world = bench.world(outgoing)
    add_interfaces(bench)
    with soft_limit(FEW_FILES):
        tracker = bench.tracker("-L", PORT)
    hooks = attached(bench.here)
    connections(world, FEW)
    settle(0.5)
    status = tracker.stop()
    own = [record for record in bench.own(tracker.records) if record["seen"] == ["wire", "socket"]]
    problems = one_hook_each(hooks) if tcx_programs(bench.here) is not None else []
    problems += ["messages: %r" % complaints(tracker.stderr())] * bool(complaints(tracker.stderr()))
    return problems + ["status %s, %d records with wire" % (status, len(own))] * ((status, len(own)) != (OK, FEW))


def one_hook_each(hooks):
    watched = {line.split()[0] for line in hooks}
    wanted = {"nt%d%s" % (number, side) for number in range(PAIRS) for side in "pq"}
    return ["not watched: %s" % sorted(wanted - watched)] * bool(wanted - watched)


@check("too few open files are allowed")
def too_few_files(bench):
    problems = []
    for files in (16, 52, 60, 100):
        result = finish(start(bench, "-t", "1", before=["prlimit", "--nofile=%d:%d" % (files, files)]))
        problems += one_line_problems("%d files" % files, result, BROKE, "the limit is %d;" % files)
    if tcx_programs(bench.here) is not None:
        add_interfaces(bench)
        before = ["prlimit", "--nofile=%d:%d" % (FILES_FOR_PROGRAMS, FILES_FOR_PROGRAMS)]
        problems += one_line_problems("all interfaces", finish(start(bench, "-t", "1", before=before)), BROKE,
                                      "the limit is %d;" % FILES_FOR_PROGRAMS)
        status, messages = finish(start(bench, "-t", "1", "-i", "nt0q", before=before))
        problems += ["one interface: %s %s" % (status, messages)] * (status != OK)
    return problems + ["still attached: %s" % line for line in attached(bench.here)]


@check("output that cannot be written")
def unwritable(bench):
    problems = []
    for path in ("/nonexistent/file", "/dev/null/file", bench.directory):
        problems += one_line_problems("-o " + path, finish(start(bench, "-o", path)), BROKE, path)
    return problems


def connections(world, count):
    for client, server in world.pairs_at(int(PORT), count):
        client.close()
        server.receive_eof()
        server.close()


@check("standard output is full from the start (/dev/full)")
def full_output(bench):
    """The tracker may continue, as there may be room later; then it counts the lost records."""
    world = bench.world(outgoing)
    with open("/dev/full", "wb") as full:
        tracker = bench.tracker("-L", PORT, stdout=full)
        connections(world, FEW)
        settle(1.5)
        status = tracker.stop()
    lost = re.search(r"(\d+) lost", tracker.stderr())
    problems = one_line_problems("/dev/full", (status, tracker.stderr()), BROKE, "space")
    if not lost or int(lost[1]) != FEW:
        problems.append("%d records lost, but: %s" % (FEW, tracker.stderr()))
    return problems


@check("the disk fills up: whole lines only, the loss is counted")
def full_disk(bench):
    world = bench.world(outgoing)
    mount = os.path.join(bench.directory, "small")
    os.mkdir(mount)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "nt-live", mount], capture_output=True, text=True)
    if done.returncode:
        raise Skip("no small file system: %s" % done.stderr.strip())
    try:
        return fill(bench, world, os.path.join(mount, "records"))
    finally:
        subprocess.run(["umount", "-l", mount])


def fill(bench, world, path):
    tracker = bench.tracker("-L", PORT, "-o", path)
    peer = world.client("nt-storm")
    listener = peer.listen(world.place.family, world.place.client.address, port=int(PORT))
    peer.do("storm", handle=listener.handle, address=listener.address, port=listener.port, count=MANY)
    settle(0.5)
    status = tracker.stop()
    with open(path, "rb") as file:
        data = file.read()
    lines = data.count(b"\n")
    counts = {name: int(count) for count, name in re.findall(r"(\d+) (written|open|lost)\b", tracker.stderr())}
    problems = [] if status == BROKE else ["exit status %d" % status]
    if not data.endswith(b"\n") or not 0 < lines < MANY:
        problems.append("the file ends in %r after %d lines" % (data[-20:], lines))
    if counts.get("written") != lines or counts["written"] + counts["lost"] + known_lack(counts, MANY) < MANY:
        problems.append("%d lines: %s" % (lines, tracker.stderr()))
    if len(complaints(tracker.stderr())) != 1:
        problems.append("messages: %r" % complaints(tracker.stderr()))
    return problems


@check("a reader that goes away (| head -n 3)")
def closed_pipe(bench):
    world = bench.world(outgoing)
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as file:
        tracker = bench.tracker("-L", PORT, stdout=file)
    head = subprocess.Popen(["head", "-n", "3"], stdin=reader, stdout=subprocess.PIPE)
    os.close(reader)
    connections(world, FEW)
    lines = head.communicate(timeout=END_SECONDS)[0].count(b"\n")
    next_world = bench.world(outgoing)
    connections(next_world, FEW)
    try:
        status = tracker.collect(END_SECONDS)
    except TrackerError:
        return ["does not end after its reader went away"]
    problems = [] if status == OK and lines == 3 else ["exit status %s, %d lines" % (status, lines)]
    return problems + ["message: %s" % line for line in complaints(tracker.stderr())]


def end_problems(bench, label, number, status):
    """Ends a tracker by a signal. Expects its exit records and status, and nothing attached to the interface."""
    world = bench.world(outgoing)
    pairs = world.pairs_at(int(PORT), FEW)
    tracker = bench.tracker("--events", "close,exit")
    if not attached(bench.here):
        return ["%s: nothing was attached: %s" % (label, tracker.stderr())]
    got = tracker.stop(number)
    problems = [] if got == status else ["%s: exit status %s" % (label, got)]
    exits = [record for record in bench.own(tracker.records) if record["event"] == "exit"]
    wanted = 0 if number == signal.SIGKILL else 2 * FEW
    if len(exits) != wanted:
        problems.append("%s: %d exit records, should be %d" % (label, len(exits), wanted))
    settle(0.3)
    left = attached(bench.here)
    if number == signal.SIGKILL and tcx_programs(bench.here) is None:
        # clsact filters stay when their process ends: docs/kernels.md.
        left = []
    for client, server in pairs:
        client.close()
        server.close()
    return problems + ["%s: still attached: %s" % (label, line) for line in left]


@check("SIGINT: exit records, a clean detach")
def interrupted(bench):
    return end_problems(bench, "SIGINT", signal.SIGINT, OK)


@check("SIGTERM: exit records, a clean detach")
def terminated(bench):
    return end_problems(bench, "SIGTERM", signal.SIGTERM, OK)


@check("kill -9 leaves nothing attached; without tcx, the next start removes what is left")
def killed(bench):
    problems = end_problems(bench, "SIGKILL", signal.SIGKILL, -signal.SIGKILL)
    tracker = bench.tracker()
    problems += [] if tracker.stop() == OK else ["the next start: %s" % tracker.stderr()]
    return problems + ["after the next: %s" % line for line in attached(bench.here)]


@check("a foreign clsact qdisc stays")
def stranger(bench):
    """Compares a foreign qdisc and its filter on a tracked interface before and after tracking.

    Without tcx a filter with a verdict hides packets from later filters, including the tracker's: docs/kernels.md.
    """
    world = bench.world(outgoing)
    verdict = "ok" if tcx_programs(bench.here) is not None else "continue"
    interface = world.place.client.interface
    done = bench.here.run("tc", "qdisc", "add", "dev", interface, "clsact")
    if done.returncode:
        raise Skip("no clsact: %s" % done.stderr.strip())
    bench.here.run("tc", "filter", "add", "dev", interface, "ingress", "prio", "7", "protocol", "ip", "matchall",
                   "action", verdict)
    before = strangers(bench, interface)
    tracker = bench.tracker("-L", PORT)
    connections(world, FEW)
    settle(0.5)
    status = tracker.stop()
    own = [record for record in bench.own(tracker.records) if record["seen"] == ["wire", "socket"]]
    problems = [] if status == OK and len(own) == FEW else ["status %d, %d records with wire" % (status, len(own))]
    after = strangers(bench, interface)
    return problems + ([] if before == after else ["before: %s; after: %s" % (before, after)])


def strangers(bench, interface):
    return (bench.here.run("tc", "qdisc", "show", "dev", interface).stdout,
            bench.here.run("tc", "filter", "show", "dev", interface, "ingress").stdout)


@check("SIGINT during the start")
def interrupted_early(bench):
    problems = []
    for milliseconds in (5, 50, 200, 400, 600):
        process = start(bench)
        time.sleep(milliseconds / 1000)
        process.send_signal(signal.SIGINT)
        status, messages = finish(process)
        # Until it has set up its handlers, the signal kills the program.
        if status not in (OK, -signal.SIGINT):
            problems.append("after %d ms: exit status %s: %s" % (milliseconds, status, messages))
    return problems + ["still attached: %s" % line for line in attached(bench.here)]


@check("no BTF")
def no_btf(bench):
    """Runs the tracker in a mount namespace where /sys has no BTF."""
    command = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /sys/kernel/btf 2>/dev/null || '
               'mount -t tmpfs none /sys/kernel || exit 99; exec "$0" -t 1', PROGRAM]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               preexec_fn=lambda: prepare(bench.here.name))
    result = finish(process)
    if result[0] == 99:
        raise Skip("nothing can be mounted over /sys/kernel/btf")
    return one_line_problems("no BTF", result, KERNEL, "BTF")


@check("no /proc")
def no_proc(bench):
    """Runs commands in a mount namespace whose /proc is empty: all that need namespaces refuse, the others work."""
    problems = []
    for command, status in (("-t 1", KERNEL), ("list", KERNEL), ("attach -i lo", KERNEL), ("status", OK)):
        script = 'mount -t tmpfs none /proc && exec "$0" %s' % command
        process = subprocess.Popen(["unshare", "--mount", "sh", "-c", script, PROGRAM], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                   preexec_fn=lambda: prepare(bench.here.name))
        result = finish(process)
        if status == OK:
            problems += ["%s: %s %s" % (command, *result)] * (result[0] != OK)
        else:
            problems += one_line_problems(command, result, status, "/proc")
    return problems


END_ASKED_SECONDS = 20  # without the bound it never ends
BLOCKED_SECONDS = 6  # enough for the connections to begin, on a busy machine too


def blocked_output_problems(bench, label, arguments, *, has_reader, by_time):
    """A FIFO that nobody reads, or that nobody has opened: an end asked for comes all the same, and losses are reported."""
    world = bench.world(outgoing)
    path = os.path.join(bench.directory, "fifo")
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK) if has_reader else None
    tracker = bench.tracker("-L", PORT, "-o", path, *arguments, *(["-t", str(BLOCKED_SECONDS)] if by_time else []))
    began = time.monotonic()
    connections(world, MANY)
    if not by_time:
        settle(0.5)
        began = time.monotonic()
        tracker.process.terminate()
    try:
        status = tracker.collect(END_SECONDS)
    except TrackerError:
        return ["%s: does not end" % label]
    finally:
        if has_reader:
            os.close(reader)
        os.unlink(path)
    seconds = time.monotonic() - began - (BLOCKED_SECONDS if by_time else 0)
    lost = re.search(r"(\d+) lost \(\1 output failed\)", tracker.stderr())
    reason = "its reader takes nothing" if has_reader else "nobody has opened this FIFO"
    problems = ["%s: exit status %d" % (label, status)] * (status != BROKE)
    problems += ["%s: ended after %.1f s" % (label, seconds)] * (seconds > END_ASKED_SECONDS)
    if not lost or reason not in tracker.stderr():
        problems.append("%s: %s" % (label, tracker.stderr()[-300:]))
    return problems


@check("an end asked for comes though the output takes nothing")
def blocked_output(bench):
    problems = blocked_output_problems(bench, "no reader", ["-f", "json"], has_reader=False, by_time=False)
    problems += blocked_output_problems(bench, "no reader, -t", ["-f", "text"], has_reader=False, by_time=True)
    problems += blocked_output_problems(bench, "a reader that sleeps, -t", ["-f", "json"], has_reader=True,
                                        by_time=True)
    return problems


@check("the reader of a FIFO comes late: it gets all records")
def late_reader(bench):
    world = bench.world(outgoing)
    path = os.path.join(bench.directory, "late-fifo")
    os.mkfifo(path)
    tracker = bench.tracker("-L", PORT, "-f", "json", "-o", path)
    connections(world, FEW)
    settle(0.5)
    reader = subprocess.Popen(["cat", path], stdout=subprocess.PIPE)
    settle(0.5)
    status = tracker.stop()
    lines = reader.communicate(timeout=END_SECONDS)[0].count(b"\n")
    return ["exit status %d, %d lines: %s" % (status, lines, tracker.stderr())] * ((status, lines) != (OK, FEW))


if __name__ == "__main__":
    sys.exit(main_of_checks())
