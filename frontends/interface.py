# SPDX-License-Identifier: GPL-2.0-or-later
"""An interface's traffic control hooks (clsact), by way of tc, and how a front-end refuses: what eunomia/ and bcc/ share."""
import argparse
import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys

DONE, BROKEN, USAGE, PRIVILEGES, KERNEL, INTERFACE = range(6)  # exit statuses, as the native tracker's
HOOKS = "ingress", "egress"
HANDLE_CLSACT_FOUND, HANDLE_CLSACT_MADE = 1, 2
ENDING_SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP


class Refusal(Exception):
    """One clear line, and the status to leave with."""

    def __init__(self, status, line):
        super().__init__(line)
        self.status = status


def printable(text):
    """Names of interfaces may hold what moves a terminal's cursor."""
    return text.encode("ascii", "backslashreplace").decode().translate({i: "\\x%02x" % i for i in (*range(32), 127)})


def say(text):
    print("netracker: " + printable(text), file=sys.stderr, flush=True)


def status_of(function):
    """Whatever goes wrong with files, output among them, is a line like any other refusal."""
    try:
        status = function(sys.argv[1:])
        sys.stdout.flush()
        return status
    except Refusal as refusal:
        say(str(refusal))
        return refusal.status
    except BrokenPipeError:  # the reader has had enough
        return DONE
    except OSError as error:
        say("%s: %s" % (error.filename or "output", error.strerror))
        return BROKEN
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def main(function):
    sys.stderr = sys.stderr or open(os.devnull, "w")
    if sys.stdout is None:  # what is opened next would take its place
        say("output: standard output is closed; give it a file or a pipe")
        sys.exit(BROKEN)
    status = status_of(function)
    for number in ENDING_SIGNALS:  # too late
        signal.signal(number, signal.SIG_IGN)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what could not be written shall not be tried again
    sys.exit(status)


@contextlib.contextmanager
def signals_held():
    """Until what must not stay half done is done."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Parser(argparse.ArgumentParser):
    def __init__(self, **more):
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **more)

    def print_help(self, file=None):
        print(self.format_help(), end="", flush=True)

    def error(self, message):
        raise Refusal(USAGE, "%s; see %s --help" % (message, self.prog))


def need(command, package):
    if not shutil.which(command):
        raise Refusal(KERNEL, "%s: not found; install the package %s" % (command, package))


def check(interface):
    """Refuses where nothing can be attached; gives the interface's number."""
    try:
        ifindex = socket.if_nametoindex(interface)
    except (OSError, ValueError):
        raise Refusal(INTERFACE, "%s: no such interface; `ip -brief link` shows those there are" % interface)
    if os.geteuid():
        raise Refusal(PRIVILEGES, "no privileges to attach to %s; run this as root" % interface)
    need("tc", "iproute2")
    return ifindex


def tc(*arguments):
    """In a session of its own: Ctrl-C is for us, who may be cleaning up."""
    done = subprocess.run(["tc", *arguments], capture_output=True, text=True, errors="surrogateescape",
                          start_new_session=True)
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["no reason given"]
        raise Refusal(KERNEL, "tc %s: %s" % (" ".join(arguments), said[0]))
    return done.stdout


def tc_list(*arguments):
    try:
        return json.loads(tc("-j", *arguments) or "[]", strict=False)
    except ValueError as error:
        raise Refusal(KERNEL, "tc -j %s: cannot be read: %s" % (" ".join(arguments), error))


class Interface:
    """front_end: who works on it. Filters of its priority that run its programs, named by hook, are its own."""

    def __init__(self, name, front_end, priority, programs):
        self.name, self.front_end, self.priority, self.programs = name, front_end, priority, programs
        self.ifindex = check(name)

    def device(self):
        """Its name by now."""
        try:
            return socket.if_indextoname(self.ifindex)
        except OSError:
            raise Refusal(INTERFACE, "%s: the interface is gone; start again where it comes back" % self.name)

    def qdiscs(self):
        return {one["kind"] for one in tc_list("qdisc", "show", "dev", self.device())}

    def filters(self):
        """(hook, filter) of all filters on both hooks."""
        if "clsact" not in self.qdiscs():
            return []
        return [(hook, one) for hook in HOOKS for one in tc_list("filter", "show", "dev", self.device(), hook)
                if "options" in one]

    def own(self):
        return [(hook, one) for hook, one in self.filters() if self.is_own(hook, one)]

    def foreign(self):
        return [(hook, one) for hook, one in self.filters() if not self.is_own(hook, one)]

    def is_own(self, hook, one):
        return one["pref"] == self.priority and one["kind"] == "bpf" and \
            one["options"].get("prog", {}).get("name") == self.programs[hook]

    def remove_own(self):
        found = self.own()
        for hook, one in found:
            handle = one["options"]["handle"]
            tc("filter", "del", "dev", self.device(), hook, "prio", str(self.priority), "handle", handle, "bpf")
        return found

    def claim_clsact(self):
        """Adds it if it is not there. The handle for our filters: it says whether the qdisc goes with them."""
        return HANDLE_CLSACT_MADE if self.add_clsact() or self.made_clsact(self.own()) else HANDLE_CLSACT_FOUND

    @staticmethod
    def made_clsact(filters):
        return any(int(one["options"]["handle"], 16) == HANDLE_CLSACT_MADE for _, one in filters)

    def add_clsact(self):
        """True if it was not there."""
        kinds = self.qdiscs()
        if "ingress" in kinds:
            raise Refusal(BROKEN, "%s: has an ingress qdisc, which leaves no place for clsact; "
                          "remove it with `tc qdisc del dev %s ingress` if nothing needs it" % (self.name, self.name))
        if "clsact" in kinds:
            return False
        tc("qdisc", "add", "dev", self.device(), "clsact")
        return True

    def remove_empty_clsact(self):
        if "clsact" in self.qdiscs() and not self.filters():
            tc("qdisc", "del", "dev", self.device(), "clsact")

    def is_gone(self):
        try:
            return not self.device()
        except Refusal:
            return True

    def refused(self, reason):
        return Refusal(KERNEL, "%s: the filters could not be attached: %s; priority %d may be somebody else's there (`tc filter "
                       "show dev %s ingress`), or the kernel older than 5.10" % (self.name, reason, self.priority, self.name))

    def leave(self, handle):
        self.remove_own()
        if handle == HANDLE_CLSACT_MADE:
            self.remove_empty_clsact()

    @contextlib.contextmanager
    def in_use(self):
        """The clsact qdisc is there; nothing of ours is, afterwards."""
        handle = self.claim_clsact()
        try:
            yield handle
        finally:
            with signals_held():
                if not self.is_gone():
                    self.leave(handle)

    @contextlib.contextmanager
    def locked(self):
        """Nobody else of us works on the interface meanwhile."""
        path = "/run/netracker-%d-%d-%d.lock" % (self.priority, os.stat("/proc/thread-self/ns/net").st_ino, self.ifindex)
        with open(path, "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(file.fileno()).st_ino != os.stat(path).st_ino:
                    raise BlockingIOError
            except (BlockingIOError, FileNotFoundError):
                raise Refusal(BROKEN, "%s: another %s works on it; end that one first" % (self.name, self.front_end))
            try:
                yield
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
