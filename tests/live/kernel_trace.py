# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads what BPF programs print to the kernel's trace, in an instance of its own, which no other reader empties."""
import os
import re
import select

TRACEFS = "/sys/kernel/tracing"
QUIET_SECONDS = 0.5
LINE = re.compile(r"\[TC\] Total RTT \(SYN - FIN-ACK\) for (\S+):(\d+) -> (\S+):(\d+): (\d+) ns$")


class Trace:
    """One instance of the trace; tracefs must be mounted."""

    def __init__(self):
        self.path = os.path.join(TRACEFS, "instances", "nt-attach-%s" % os.urandom(4).hex())
        os.mkdir(self.path)
        with open(self.path + "/events/bpf_trace/bpf_trace_printk/enable", "w") as file:
            file.write("1")
        self.file = os.open(self.path + "/trace_pipe", os.O_RDONLY | os.O_NONBLOCK)

    def lines(self):
        """Returns the lines printed since the last call, once no more come for QUIET_SECONDS."""
        text = b""
        while select.select([self.file], [], [], QUIET_SECONDS)[0]:
            try:
                text += os.read(self.file, 65536)
            except BlockingIOError:
                break
        return text.decode(errors="backslashreplace").splitlines()

    def close(self):
        os.close(self.file)
        os.rmdir(self.path)


def connections_of(lines):
    """Returns the connections in [TC] lines; skips all other lines."""
    found = [LINE.search(line) for line in lines]
    return [dict(src_ip=bare(match[1]), src_port=int(match[2]), dst_ip=bare(match[3]), dst_port=int(match[4]),
                 syn_finack_ns=int(match[5])) for match in found if match]


def bare(address):
    return address[1:-1] if address.startswith("[") else address
