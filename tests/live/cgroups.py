# SPDX-License-Identifier: GPL-2.0-or-later
"""Made-up control groups, in the hierarchies that this machine has mounted, or that are mounted for the test."""
import atexit
import ctypes
import os
import shutil
import tempfile

CGROUP2, CGROUP1 = "cgroup2", "cgroup"
# Those of a v1 cpuset take no process before they have processors.
UNUSABLE = "cpuset"
NAME = b"nt-test"

libc = ctypes.CDLL(None, use_errno=True)


class Hierarchy:
    """`key` is what its line in /proc/PID/cgroup has between the colons: nothing where it is the unified one."""

    def __init__(self, key, root):
        self.key, self.root = key, os.fsencode(root)
        self.made = []

    def path_of(self, pid):
        """The kernel's own word on where a process is."""
        with open("/proc/%s/cgroup" % pid, "rb") as file:
            for line in file.read().split(b"\n"):
                parts = line.split(b":", 2)
                if len(parts) == 3 and parts[1] == os.fsencode(self.key):
                    return parts[2]
        return None

    def make(self, path):
        """Makes the cgroup, and those above it that are not there."""
        whole = self.root
        for component in path.split(b"/")[1:]:
            whole += b"/" + component
            if not os.path.isdir(whole):
                os.mkdir(whole)
                self.made.append(whole)

    def move(self, pid, path=b"/"):
        with open(self.root + path + b"/cgroup.procs", "wb") as file:
            file.write(b"%d" % pid)

    def remove(self):
        """What was made. Nobody may be in it."""
        while self.made:
            os.rmdir(self.made.pop())

    def clean_up(self):
        """Whatever state a test left."""
        for path in self.made:
            with open(path + b"/cgroup.procs") as file:
                pids = file.read().split()
            for pid in pids:
                try:
                    self.move(int(pid))
                except OSError:
                    pass
        try:
            self.remove()
        except OSError:
            pass


def mounted():
    found = []
    with open("/proc/self/mounts") as file:
        for line in file:
            _, root, kind, options = line.split()[:4]
            if kind == CGROUP2:
                found.append(Hierarchy("", root))
            elif kind == CGROUP1:
                found += [Hierarchy(key, root) for key in keys_of(options.split(","))]
    return [one for one in found if os.path.exists(one.root + b"/cgroup.procs")]


def keys_of(options):
    """A hierarchy of several controllers has them all in its line, in the kernel's order."""
    with open("/proc/self/cgroup") as file:
        keys = [line.split(":")[1] for line in file]
    return [key for key in keys if key and UNUSABLE not in key and set(key.split(",")) <= set(options)]


def mount(kind, options=""):
    """One of the test's own, on a directory of its own; None where this kernel has no such thing."""
    directory = tempfile.mkdtemp(prefix="nt-cgroup-")
    if libc.mount(b"none", os.fsencode(directory), os.fsencode(kind), 0, os.fsencode(options)):
        os.rmdir(directory)
        return None
    pid = os.getpid()

    def unmount():
        if os.getpid() == pid:
            libc.umount2(os.fsencode(directory), 0)
            shutil.rmtree(directory, ignore_errors=True)
    atexit.register(unmount)
    return directory


def hierarchies():
    """By key; at least the unified one and one of version 1, where the kernel has them."""
    found = {one.key: one for one in mounted()}
    if "" not in found:
        root = mount(CGROUP2)
        if root:
            found[""] = Hierarchy("", root)
    if len(found) == ("" in found):
        root = mount(CGROUP1, "none,name=" + os.fsdecode(NAME))
        if root:
            found["name=" + os.fsdecode(NAME)] = Hierarchy("name=" + os.fsdecode(NAME), root)
    return found
