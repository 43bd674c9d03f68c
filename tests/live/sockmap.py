# SPDX-License-Identifier: GPL-2.0-or-later
"""A sockmap whose program hands what its sockets send to one of them, past TCP: made with bpf(2)."""
import ctypes
import os
import platform
import struct

BPF = {"x86_64": 321, "aarch64": 280, "s390x": 351}.get(platform.machine())
MAP_CREATE, MAP_UPDATE, PROG_LOAD, PROG_ATTACH = 0, 2, 5, 8
TYPE_SOCKMAP, TYPE_SK_MSG, ATTACH_MSG_VERDICT = 15, 16, 7
MSG_REDIRECT_MAP, INGRESS = 60, 1
ATTRIBUTE_SIZE = 128


def bpf(command, attribute):
    block = ctypes.create_string_buffer(attribute, ATTRIBUTE_SIZE)
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(BPF, command, ctypes.byref(block), ATTRIBUTE_SIZE)
    if result < 0:
        raise OSError(ctypes.get_errno(), "bpf(%d): %s" % (command, os.strerror(ctypes.get_errno())))
    return result


def instruction(code, registers, offset, immediate):
    return struct.pack("=BBhi", code, registers, offset, immediate)


def redirect_program(map_fd, key):
    """Returns the program: return bpf_msg_redirect_map(message, map, key, BPF_F_INGRESS)."""
    return (instruction(0x18, 2 | 1 << 4, 0, map_fd) + instruction(0, 0, 0, 0) +  # r2 = map
            instruction(0xb7, 3, 0, key) + instruction(0xb7, 4, 0, INGRESS) +
            instruction(0x85, 0, 0, MSG_REDIRECT_MAP) + instruction(0x95, 0, 0, 0))


class Sockmap:
    """Key 0 sends to key 1."""

    def __init__(self):
        self.fd = bpf(MAP_CREATE, struct.pack("=IIII", TYPE_SOCKMAP, 4, 4, 2))
        code = ctypes.create_string_buffer(redirect_program(self.fd, 1))
        licence = ctypes.create_string_buffer(b"GPL")
        program = bpf(PROG_LOAD, struct.pack("=IIQQ", TYPE_SK_MSG, 6, ctypes.addressof(code),
                                             ctypes.addressof(licence)))
        bpf(PROG_ATTACH, struct.pack("=III", self.fd, program, ATTACH_MSG_VERDICT))

    def put(self, key, sock):
        number, value = ctypes.c_uint32(key), ctypes.c_uint32(sock.fileno())
        bpf(MAP_UPDATE, struct.pack("=I4xQQQ", self.fd, ctypes.addressof(number), ctypes.addressof(value), 0))
