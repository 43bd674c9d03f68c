# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads and changes the BPF maps of another process through libbpf, to cause what the kernel does only by chance."""
import contextlib
import ctypes
import glob
import mmap
import os
import re
import sys

libbpf = ctypes.CDLL("libbpf.so.1", use_errno=True)
INFO_SIZE, NAME_OFFSET, NAME_SIZE = 256, 24, 16  # struct bpf_map_info


class Map:
    """One map of another process. The caller closes it."""

    def __init__(self, number):
        self.fd = libbpf.bpf_map_get_fd_by_id(number)
        if self.fd < 0:
            raise OSError(-self.fd, os.strerror(-self.fd))
        info, length = ctypes.create_string_buffer(INFO_SIZE), ctypes.c_uint32(INFO_SIZE)
        libbpf.bpf_obj_get_info_by_fd(self.fd, info, ctypes.byref(length))
        self.key_size, self.value_size, self.max_entries = (
            int.from_bytes(info.raw[at:at + 4], sys.byteorder) for at in (8, 12, 16))
        self.name = info.raw[NAME_OFFSET:NAME_OFFSET + NAME_SIZE].split(b"\0")[0].decode()

    def close(self):
        os.close(self.fd)

    def entries(self):
        """Returns {key: value}. Entries that come or go meanwhile may be missing."""
        found, key = {}, None
        following = ctypes.create_string_buffer(self.key_size)
        value = ctypes.create_string_buffer(self.value_size)
        while not libbpf.bpf_map_get_next_key(self.fd, key, following):
            key = ctypes.create_string_buffer(following.raw, self.key_size)
            if not libbpf.bpf_map_lookup_elem(self.fd, key, value):
                found[key.raw] = value.raw
        return found

    def memory(self):
        """Returns the first page of the map's memory; the map must have BPF_F_MMAPABLE."""
        return mmap.mmap(self.fd, mmap.PAGESIZE)


def map_of(pid, name):
    """Returns the map of a process that has this name, or as the only one a name that ends so. The caller closes it."""
    numbers = set()
    for path in glob.glob("/proc/%d/fdinfo/*" % pid):
        with contextlib.suppress(FileNotFoundError), open(path) as file:  # closed meanwhile
            numbers.update(int(number) for number in re.findall(r"^map_id:\t(\d+)", file.read(), re.MULTILINE))
    maps = [Map(number) for number in sorted(numbers)]
    wanted = [one for one in maps if one.name == name] or [one for one in maps if one.name.endswith(name)]
    for one in maps:
        if one not in wanted:
            one.close()
    if len(wanted) != 1:
        raise LookupError("%d maps named %s of %s" % (len(wanted), name, [one.name for one in maps]))
    return wanted[0]
