# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes network namespaces, links and addresses for the live tests, all in 198.18.0.0/15 and fd00::/8."""
import ctypes
import os
import re
import subprocess

CLONE_NEWNET = 0x40000000
NAME_FORMAT = "nt-%d-%s"
NAME_PATTERN = re.compile(r"nt-(\d+)-\w+$")
RUN_DIRECTORY = "/run/netns"

libc = ctypes.CDLL(None, use_errno=True)


def enter_file(path):
    """Moves the calling thread into the network namespace of a file."""
    fd = os.open(path, os.O_RDONLY)
    if libc.setns(fd, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns " + path)
    os.close(fd)


def enter(name):
    """Moves the calling thread. `ip netns exec` would also mount another /sys and hide bpffs and tracefs."""
    enter_file(os.path.join(RUN_DIRECTORY, name))


def run_ip(*arguments, batch=None):
    command = ["ip", *arguments]
    done = subprocess.run(command, input=batch, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError("%s: %s (batch: %s)" % (" ".join(command), done.stderr.strip(), batch))
    return done.stdout


class Namespace:
    def __init__(self, name):
        self.name = name
        if os.path.exists(os.path.join(RUN_DIRECTORY, name)):  # of a run that was killed and had this process's id
            self.delete()
        run_ip("netns", "add", name)
        self.inode = os.stat(os.path.join(RUN_DIRECTORY, name)).st_ino
        self.ip("link set lo up")

    def ip(self, *lines):
        run_ip("-n", self.name, "-force", "-batch", "-", batch="\n".join(lines) + "\n")

    def inside(self, function, *arguments):
        """Runs a function in a child in this namespace; raises RuntimeError if it raises anything."""
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                enter(self.name)
                function(*arguments)
                status = 0
            finally:
                os._exit(status)
        if os.waitpid(pid, 0)[1]:
            raise RuntimeError("%s%r failed in %s" % (function.__name__, arguments, self.name))

    def run(self, *command):
        """Runs a command in this namespace; returns a CompletedProcess with its output as text."""
        return subprocess.run(command, preexec_fn=lambda: enter(self.name), capture_output=True, text=True)

    def sysctl(self, settings):
        self.inside(write_sysctls, settings)

    def retransmitted_segments(self):
        """Returns how many segments the kernel has sent again from this namespace; None if its name is gone."""
        if not os.path.exists(os.path.join(RUN_DIRECTORY, self.name)):
            return None
        names, values = [line.split() for line in self.run("cat", "/proc/self/net/snmp").stdout.splitlines()
                         if line.startswith("Tcp:")]
        return int(values[names.index("RetransSegs")])

    def delete(self):
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True)


def write_sysctls(settings):
    """Skips settings that this kernel does not have: it does not have their effect either."""
    for key, value in settings.items():
        path = "/proc/sys/" + key.replace(".", "/")
        if os.path.exists(path):
            with open(path, "w") as file:
                file.write(str(value))


def remove_leftovers():
    """Removes the namespaces of runs that were killed."""
    names = os.listdir(RUN_DIRECTORY) if os.path.isdir(RUN_DIRECTORY) else []
    for name in names:
        match = NAME_PATTERN.match(name)
        if match and not os.path.exists("/proc/" + match.group(1)):
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def link(left, left_name, right, right_name):
    run_ip("link", "add", left_name, "netns", left.name, "type", "veth",
           "peer", "name", right_name, "netns", right.name)
    left.ip("link set %s up" % left_name)
    right.ip("link set %s up" % right_name)


def add_addresses(namespace, interface, subnet, host):
    namespace.ip("addr add %s/24 dev %s" % (subnet.ipv4(host), interface),
                 "addr add %s/64 dev %s nodad" % (subnet.ipv6(host), interface))


class Net:
    """The namespaces and links of one run."""

    def __init__(self):
        self.namespaces = []
        self.subnets = 0
        remove_leftovers()

    def namespace(self, suffix, sysctls=None):
        namespace = Namespace(NAME_FORMAT % (os.getpid(), suffix))
        self.namespaces.append(namespace)
        namespace.sysctl(dict({"net.ipv4.tcp_syn_retries": 1, "net.ipv4.tcp_syn_linear_timeouts": 0,
                               "net.ipv4.tcp_synack_retries": 1, "net.ipv4.tcp_fastopen": 3}, **(sysctls or {})))
        return namespace

    def inodes(self):
        return {namespace.inode for namespace in self.namespaces}

    def subnet(self):
        self.subnets += 1
        return Subnet(self.subnets)

    def delete(self):
        for namespace in self.namespaces:
            namespace.delete()
        self.namespaces = []


class Subnet:
    def __init__(self, number):
        self.number = number

    def ipv4(self, host):
        return "198.%d.%d.%d" % (18 + self.number // 256, self.number % 256, host)

    def ipv6(self, host):
        return "fd00:0:0:%x::%x" % (self.number, host)

    def loopback(self):
        return "127.18.%d.1" % self.number

    def owns(self, address):
        return address.startswith((self.ipv4(0)[:-1], self.ipv6(0)[:-1])) or address == self.loopback()
