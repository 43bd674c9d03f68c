#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs an eunomia-bpf package through libbpf.so.1 as ecli does, with the same calls, options and output.

package_runner.py run [-j] package.json [-- --OPTION [VALUE]...]

Like ecli, it ends on SIGINT only, and then destroys both hooks with all filters, including foreign ones.
"""
import base64
import ctypes
import json
import signal
import struct
import subprocess
import sys
import tempfile
import zlib
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint32, c_void_p

EEXIST = 17
ATTACH_POINTS = {"BPF_TC_INGRESS": 1, "BPF_TC_EGRESS": 2}
FORMATS = {"unsigned int": "I", "long long": "q", "unsigned long long": "Q", "bool": "?"}
EVENT_CALLBACK = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_size_t)


class OpenOptions(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("object_name", c_char_p)]


class Hook(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("ifindex", c_int), ("attach_point", c_int), ("parent", c_uint32),
                ("padding", c_uint32)]


class Filter(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("program_fd", c_int), ("flags", c_uint32), ("program_id", c_uint32),
                ("handle", c_uint32), ("priority", c_uint32), ("padding", c_uint32)]


def load_libbpf():
    library = ctypes.CDLL("libbpf.so.1")
    results = {"bpf_object__open_mem": c_void_p, "bpf_object__find_map_by_name": c_void_p,
               "bpf_object__find_program_by_name": c_void_p, "bpf_map__initial_value": c_void_p,
               "ring_buffer__new": c_void_p}
    arguments = {"bpf_object__open_mem": [c_char_p, c_size_t, c_void_p], "bpf_object__load": [c_void_p],
                 "bpf_object__find_map_by_name": [c_void_p, c_char_p],
                 "bpf_object__find_program_by_name": [c_void_p, c_char_p],
                 "bpf_map__initial_value": [c_void_p, POINTER(c_size_t)], "bpf_map__fd": [c_void_p],
                 "bpf_program__fd": [c_void_p], "ring_buffer__poll": [c_void_p, c_int],
                 "ring_buffer__consume": [c_void_p],
                 "ring_buffer__new": [c_int, EVENT_CALLBACK, c_void_p, c_void_p]}
    for name, types in arguments.items():
        getattr(library, name).argtypes = types
        getattr(library, name).restype = results.get(name, c_int)
    return library


libbpf = load_libbpf()


def checked(result, what):
    if not result or ctypes.c_int(result).value < 0 and not what.startswith("pointer"):
        sys.exit("package_runner: %s failed" % what)
    return result


def variable_offsets(image):
    """Returns the offsets of the object's symbols in their sections, by nm."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(image)
        file.flush()
        lines = subprocess.run(["nm", file.name], capture_output=True, text=True, check=True).stdout.splitlines()
    return {line.split()[2]: int(line.split()[0], 16) for line in lines if len(line.split()) == 3}


class Package:
    def __init__(self, path):
        with open(path) as file:
            package = json.load(file)
        self.image = zlib.decompress(base64.b64decode(package["bpf_object"]))
        if len(self.image) != package["bpf_object_size"]:
            sys.exit("package_runner: the object has another size than the package says")
        self.skeleton = package["meta"]["bpf_skel"]
        self.exported = package["meta"]["export_types"][0]
        options = OpenOptions(ctypes.sizeof(OpenOptions), self.skeleton["obj_name"].encode())
        self.object = checked(libbpf.bpf_object__open_mem(self.image, len(self.image), byref(options)), "pointer: open")
        for one in self.skeleton["maps"]:
            self.map(one["name"])

    def map(self, name):
        return checked(libbpf.bpf_object__find_map_by_name(self.object, name.encode()), "pointer: map " + name)

    def set_options(self, arguments):
        section = next(one for one in self.skeleton["data_sections"] if one["name"] == ".rodata")
        name = next(one["name"] for one in self.skeleton["maps"] if one["ident"] == "rodata")
        size = c_size_t()
        base = checked(libbpf.bpf_map__initial_value(self.map(name), byref(size)), "pointer: initial value")
        offsets, arguments = variable_offsets(self.image), list(arguments)
        known = {"--" + one["cmdarg"]["long"]: one for one in section["variables"]}
        while arguments:
            variable = known[arguments.pop(0)]
            value = True if variable["type"] == "bool" else int(arguments.pop(0))
            data = struct.pack(FORMATS[variable["type"]], value)
            ctypes.memmove(base + offsets[variable["name"]], data, len(data))

    def attach(self):
        hooks = []
        for program in self.skeleton["progs"]:
            found = checked(libbpf.bpf_object__find_program_by_name(self.object, program["name"].encode()),
                            "pointer: program")
            hook = Hook(ctypes.sizeof(Hook), program["tchook"]["ifindex"],
                        ATTACH_POINTS[program["tchook"]["attach_point"]])
            options = Filter(ctypes.sizeof(Filter), libbpf.bpf_program__fd(found), 0, 0, program["tcopts"]["handle"],
                             program["tcopts"]["priority"])
            if libbpf.bpf_tc_hook_create(byref(hook)) not in (0, -EEXIST) or \
                    libbpf.bpf_tc_attach(byref(hook), byref(options)) not in (0, -EEXIST):
                sys.exit("package_runner: could not attach %s" % program["name"])
            hooks.append(hook)
        return hooks

    def print_event(self, data):
        members = self.exported["members"]
        texts = [member["type"][5:-1] + "s" if member["type"].startswith("char[") else FORMATS[member["type"]]
                 for member in members]
        values = struct.unpack("".join(texts) + "0q", data[:self.exported["size"]])
        print(json.dumps({member["name"]: value.split(b"\0")[0].decode() if isinstance(value, bytes) else value
                          for member, value in zip(members, values)}), flush=True)


def main(arguments):
    options = arguments[arguments.index("--") + 1:] if "--" in arguments else []
    package = Package(next(one for one in arguments[1:] if one.endswith(".json")))
    stopped = []
    signal.signal(signal.SIGINT, lambda *_: stopped.append(True))
    package.set_options(options)
    if libbpf.bpf_object__load(package.object):
        sys.exit("package_runner: the kernel did not take the programs")
    hooks = package.attach()
    callback = EVENT_CALLBACK(lambda _, data, size: package.print_event(ctypes.string_at(data, size)) or 0)
    ring = checked(libbpf.ring_buffer__new(libbpf.bpf_map__fd(package.map("events")), callback, None, None),
                   "pointer: ring buffer")
    print("Running", file=sys.stderr, flush=True)
    while not stopped:
        libbpf.ring_buffer__poll(ring, 100)
    libbpf.ring_buffer__consume(ring)
    for hook in hooks:
        libbpf.bpf_tc_hook_destroy(byref(hook))


main(sys.argv[1:])
