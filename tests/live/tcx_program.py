# SPDX-License-Identifier: GPL-2.0-or-later
"""Attaches a tcx program of another's, which ends with one verdict, to both hooks of an interface.

It asks the kernel itself: Debian 12's bpftool and tc do not know tcx.
"""
import ctypes
import os
import platform
import socket
import struct
import sys

from attached import BPF_SYSCALL, HOOKS

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "frontends"))
import known  # noqa: E402

TCX_NEXT, TCX_PASS = -1, 0
BPF_PROG_LOAD, BPF_LINK_CREATE = 5, 28
BPF_PROG_TYPE_SCHED_CLS = 3
BPF_F_BEFORE = 8  # without another program: before all
ATTRIBUTES_SIZE = 128
MOVE, EXIT = 0xb7, 0x95  # of a constant to a register; both instructions are 8 bytes

libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attributes):
    buffer = ctypes.create_string_buffer(attributes, ATTRIBUTES_SIZE)
    fd = libc.syscall(BPF_SYSCALL[platform.machine()], command, buffer, ATTRIBUTES_SIZE)
    if fd < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return fd


def load(name, verdict):
    code = ctypes.create_string_buffer(struct.pack("=BBhiBBhi", MOVE, 0, 0, verdict, EXIT, 0, 0, 0))
    licence = ctypes.create_string_buffer(b"GPL")
    return bpf(BPF_PROG_LOAD, struct.pack("=IIQQIIQII16s", BPF_PROG_TYPE_SCHED_CLS, 2, ctypes.addressof(code),
                                          ctypes.addressof(licence), 0, 0, 0, 0, 0, name.encode()))


class TcxProgram:
    """It is attached from its creation to remove(). `first`: before all others; else after them."""

    def __init__(self, namespace, interface, name="other", verdict=TCX_PASS, first=False):
        program = load(name, verdict)
        flags = BPF_F_BEFORE if first else 0
        with known.inside(namespace):
            index = socket.if_nametoindex(interface)
            self.links = [bpf(BPF_LINK_CREATE, struct.pack("=IIII", program, index, hook, flags))
                          for hook in HOOKS.values()]
        os.close(program)

    def remove(self):
        while self.links:
            os.close(self.links.pop())
