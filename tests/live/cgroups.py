# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes control groups, in hierarchies that are mounted on this machine or that the test mounts."""
import atexit
import ctypes
import os
import shutil
import tempfile

CGROUP2, CGROUP1 = "cgroup2", "cgroup"
# A v1 cpuset takes no process before it has processors.
UNUSABLE = "cpuset"
NAME = b"nt-test"

libc = ctypes.CDLL(None, use_errno=True)


class Hierarchy:
    """`key` is the text between the colons of its line in /proc/PID/cgroup; empty for the unified hierarchy."""

    def __init__(self, key, root):
        self.key, self.root = key, os.fsencode(root)
        self.made = []

    def path_of(self, pid):
        """Returns the path of a process's cgroup by /proc/PID/cgroup; None if it is in none."""
        with open("/proc/%s/cgroup" % pid, "rb") as file:
            for line in file.read().split(b"\n"):
                parts = line.split(b":", 2)
                if len(parts) == 3 and parts[1] == os.fsencode(self.key):
                    return parts[2]
        return None

    def make(self, path):
        """Makes the cgroup and its missing parents."""
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
        """Removes all cgroups that were made. They must be empty."""
        while self.made:
            os.rmdir(self.made.pop())

    def clean_up(self):
        """Moves out all processes and removes all cgroups that were made; never fails."""
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
    """Returns the keys of a mounted hierarchy: its line lists all its controllers, in the kernel's order."""
    with open("/proc/self/cgroup") as file:
        keys = [line.split(":")[1] for line in file]
    return [key for key in keys if key and UNUSABLE not in key and set(key.split(",")) <= set(options)]


def mount(kind, options=""):
    """Mounts a hierarchy on a directory of its own until the program ends; None if this kernel cannot."""
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
    """Returns {key: hierarchy}, with the unified one and one of version 1 if the kernel has them."""
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
