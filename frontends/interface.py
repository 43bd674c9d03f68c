# SPDX-License-Identifier: GPL-2.0-or-later
"""Shared by eunomia/ and bcc/: the traffic control hooks (clsact) of an interface, by tc; error reports; exit."""
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

DONE, BROKEN, USAGE, PRIVILEGES, KERNEL, INTERFACE = range(6)  # exit statuses, the same as the native tracker's
HOOKS = "ingress", "egress"
HANDLE_CLSACT_EXISTED, HANDLE_CLSACT_CREATED = 1, 2
ENDING_SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP


class Refusal(Exception):
    """An error: one line for the user, and the exit status."""

    def __init__(self, status, line):
        super().__init__(line)
        self.status = status


def printable(text):
    """Escapes control characters, which interface names may contain."""
    return text.encode("ascii", "backslashreplace").decode().translate({i: "\\x%02x" % i for i in (*range(32), 127)})


def report(text):
    print("netracker: " + printable(text), file=sys.stderr, flush=True)


def run_and_report(function):
    """Runs a front-end. Reports errors in one line, also those of files and standard output. Returns the exit status."""
    try:
        status = function(sys.argv[1:])
        sys.stdout.flush()
        return status
    except Refusal as refusal:
        report(str(refusal))
        return refusal.status
    except BrokenPipeError:  # the reader of the output has ended
        return DONE
    except OSError as error:
        report("%s: %s" % (error.filename or "output", error.strerror))
        return BROKEN
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def main(function):
    sys.stderr = sys.stderr or open(os.devnull, "w")
    if sys.stdout is None:  # the next file opened would get its descriptor
        report("output: standard output is closed; give it a file or a pipe")
        sys.exit(BROKEN)
    status = run_and_report(function)
    for number in ENDING_SIGNALS:  # the cleanup is done; keep the status
        signal.signal(number, signal.SIG_IGN)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # keeps Python from writing unwritten output once more
    sys.exit(status)


@contextlib.contextmanager
def blocked_signals():
    """Blocks the ending signals around work that must not stop half-way."""
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


class Parser(argparse.ArgumentParser):
    def __init__(self, **more):
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **more)

    def print_help(self, file=None):
        print(self.format_help(), end="", flush=True)

    def error(self, message):
        raise Refusal(USAGE, "%s; see %s --help" % (message, self.prog))


def require_command(command, package):
    if not shutil.which(command):
        raise Refusal(KERNEL, "%s: not found; install the package %s" % (command, package))


def check_interface(interface):
    """Checks that programs can be attached to the interface. Returns its index."""
    try:
        ifindex = socket.if_nametoindex(interface)
    except (OSError, ValueError):
        raise Refusal(INTERFACE, "no such interface: %s; `ip -brief link` lists the interfaces" % interface)
    if os.geteuid():
        raise Refusal(PRIVILEGES, "not permitted to attach to %s; run it as root (sudo)" % interface)
    require_command("tc", "iproute2")
    return ifindex


def tc(*arguments):
    """Runs tc and returns its output. It has a session of its own, so that Ctrl-C cannot end it during cleanup."""
    done = subprocess.run(["tc", *arguments], capture_output=True, text=True, errors="surrogateescape",
                          start_new_session=True)
    if done.returncode:
        errors = done.stderr.strip().splitlines() or ["no reason given"]
        raise Refusal(KERNEL, "tc %s: %s" % (" ".join(arguments), errors[0]))
    return done.stdout


def tc_list(*arguments):
    try:
        return json.loads(tc("-j", *arguments) or "[]", strict=False)
    except ValueError as error:
        raise Refusal(KERNEL, "cannot parse the output of tc -j %s: %s" % (" ".join(arguments), error))


class Interface:
    """front_end: the program's name, for messages. programs: names by hook. A filter is our own if it has our priority
    and runs our program."""

    def __init__(self, name, front_end, priority, programs):
        self.name, self.front_end, self.priority, self.programs = name, front_end, priority, programs
        self.ifindex = check_interface(name)

    def device(self):
        """Returns the interface's current name."""
        try:
            return socket.if_indextoname(self.ifindex)
        except OSError:
            raise Refusal(INTERFACE, "%s: the interface is gone; start again when it is back" % self.name)

    def qdiscs(self):
        return {one["kind"] for one in tc_list("qdisc", "show", "dev", self.device())}

    def filters(self):
        """Returns (hook, filter) for all filters on both hooks."""
        if "clsact" not in self.qdiscs():
            return []
        return [(hook, one) for hook in HOOKS for one in tc_list("filter", "show", "dev", self.device(), hook)
                if "options" in one]

    def own_filters(self):
        return [(hook, one) for hook, one in self.filters() if self.is_own(hook, one)]

    def foreign_filters(self):
        return [(hook, one) for hook, one in self.filters() if not self.is_own(hook, one)]

    def is_own(self, hook, one):
        return one["pref"] == self.priority and one["kind"] == "bpf" and \
            one["options"].get("prog", {}).get("name") == self.programs[hook]

    def remove_own(self):
        found = self.own_filters()
        for hook, one in found:
            handle = one["options"]["handle"]
            tc("filter", "del", "dev", self.device(), hook, "prio", str(self.priority), "handle", handle, "bpf")
        return found

    def claim_clsact(self):
        """Creates the clsact qdisc unless it exists. Returns the handle for our filters, which records whether we
        created the qdisc and remove it with them."""
        is_created = self.add_clsact() or self.has_created_clsact(self.own_filters())
        return HANDLE_CLSACT_CREATED if is_created else HANDLE_CLSACT_EXISTED

    @staticmethod
    def has_created_clsact(filters):
        return any(int(one["options"]["handle"], 16) == HANDLE_CLSACT_CREATED for _, one in filters)

    def add_clsact(self):
        """Returns whether it created the qdisc."""
        kinds = self.qdiscs()
        if "ingress" in kinds:
            raise Refusal(BROKEN, "%s: an ingress qdisc is in the place of clsact; "
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

    def attach_refusal(self, reason):
        return Refusal(KERNEL, "%s: cannot attach the filters: %s; another program may use priority %d (`tc filter "
                       "show dev %s ingress`), or the kernel is older than 5.10" %
                       (self.name, reason, self.priority, self.name))

    def detach(self, handle):
        self.remove_own()
        if handle == HANDLE_CLSACT_CREATED:
            self.remove_empty_clsact()

    @contextlib.contextmanager
    def in_use(self):
        """Ensures a clsact qdisc, and removes our filters and our qdisc afterwards."""
        handle = self.claim_clsact()
        try:
            yield handle
        finally:
            with blocked_signals():
                if not self.is_gone():
                    self.detach(handle)

    @contextlib.contextmanager
    def locked(self):
        """Locks the interface against other instances of this front-end."""
        path = "/run/netracker-%d-%d-%d.lock" % (self.priority, os.stat("/proc/thread-self/ns/net").st_ino, self.ifindex)
        with open(path, "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(file.fileno()).st_ino != os.stat(path).st_ino:
                    raise BlockingIOError
            except (BlockingIOError, FileNotFoundError):
                raise Refusal(BROKEN, "%s: another %s is running on it; end that one first" %
                              (self.name, self.front_end))
            try:
                yield
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
