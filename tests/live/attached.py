#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Prints each tcx program attached in this network namespace, one a line: interface, hook, program id.

It asks the kernel itself: Debian 12's bpftool does not know tcx.
"""
import ctypes
import os
import platform
import re
import socket
import sys

BPF_SYSCALL = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "ppc64le": 361, "s390x": 351}
BPF_PROG_QUERY = 16
HOOKS = {"ingress": 46, "egress": 47}
MOST = 64


class QueryAttributes(ctypes.Structure):
    """The members of union bpf_attr that BPF_PROG_QUERY uses."""
    _fields_ = [("target_ifindex", ctypes.c_uint32), ("attach_type", ctypes.c_uint32),
                ("query_flags", ctypes.c_uint32), ("attach_flags", ctypes.c_uint32),
                ("prog_ids", ctypes.c_uint64), ("prog_cnt", ctypes.c_uint32), ("padding", ctypes.c_uint32),
                ("prog_attach_flags", ctypes.c_uint64), ("link_ids", ctypes.c_uint64),
                ("link_attach_flags", ctypes.c_uint64), ("revision", ctypes.c_uint64)]


def programs(ifindex, hook):
    libc = ctypes.CDLL(None, use_errno=True)
    identities = (ctypes.c_uint32 * MOST)()
    attributes = QueryAttributes(target_ifindex=ifindex, attach_type=hook, prog_cnt=MOST,
                                 prog_ids=ctypes.addressof(identities))
    if libc.syscall(BPF_SYSCALL[platform.machine()], BPF_PROG_QUERY, ctypes.byref(attributes),
                    ctypes.sizeof(attributes)):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return list(identities[:attributes.prog_cnt])


def tcx_programs(namespace):
    """Returns the lines that this program prints in a namespace; None before Linux 6.6, which has no tcx."""
    done = namespace.run(sys.executable, os.path.abspath(__file__))
    return None if done.returncode else done.stdout.splitlines()


def attached(namespace):
    """Lists the tcx programs and clsact filters on the namespace's interfaces."""
    found = tcx_programs(namespace) or []
    links = namespace.run("ip", "-o", "link").stdout
    for name in re.findall(r"^\d+: ([^:@]+)", links, re.MULTILINE):
        if "clsact" in namespace.run("tc", "qdisc", "show", "dev", name).stdout:
            found.append("%s clsact" % name)
    return found


def main():
    for ifindex, name in socket.if_nameindex():
        for hook, number in HOOKS.items():
            for identity in programs(ifindex, number):
                print(name, "tcx", hook, identity)


if __name__ == "__main__":
    main()
