# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads messages of IPFIX as RFC 7011 describes them, and takes them as a collector over TCP or UDP."""
import ipaddress
import socket
import struct
import threading
import time

VERSION, HEADER, TEMPLATE_SET, FIRST_DATA_SET, VARIABLE = 10, 16, 2, 256, 65535
REVERSE = 29305  # RFC 5103
# IANA's "IPFIX Information Elements".
NAMES = {1: "octets", 2: "packets", 4: "protocol", 6: "flags", 7: "src_port", 8: "src_ip", 11: "dst_port", 12: "dst_ip",
         27: "src_ip", 28: "dst_ip", 58: "vlan", 61: "direction", 82: "interface", 136: "end_reason", 152: "start_ms",
         153: "end_ms", 239: "biflow_direction"}


class Reader:
    """One exporter's messages, in the order in which it sent them. `flows` are dictionaries. `sequence` is the next one, None
    if the exporter began before."""

    def __init__(self):
        self.flows, self.templates, self.sequence, self.sizes, self.domains = [], {}, 0, [], set()
        self.template_count, self.exported = 0, []

    def read(self, message):
        version, size, exported, sequence, domain = struct.unpack_from(">HHIII", message)
        assert (version, size) == (VERSION, len(message)), "version %d, %d of %d bytes" % (version, size, len(message))
        if self.sequence is None:
            self.sequence = sequence
        assert sequence == self.sequence % 2**32, "sequence %d instead of %d" % (sequence, self.sequence)
        self.exported.append(exported)
        self.domains.add(domain)
        self.sizes.append(size)
        begin = HEADER
        while begin < size:
            number, length = struct.unpack_from(">HH", message, begin)
            assert 4 < length <= size - begin, "a set of %d bytes" % length
            content = message[begin + 4:begin + length]
            if number == TEMPLATE_SET:
                self.read_templates(content)
            else:
                assert number >= FIRST_DATA_SET, "set %d" % number
                self.read_flows(content, self.templates[number])
            begin += length

    def read_templates(self, content):
        while content:
            number, count = struct.unpack_from(">HH", content)
            content, fields = content[4:], []
            assert number >= FIRST_DATA_SET and count
            for _ in range(count):
                element, size = struct.unpack_from(">HH", content)
                content = content[4:]
                enterprise = 0
                if element & 0x8000:
                    enterprise, = struct.unpack_from(">I", content)
                    content = content[4:]
                fields.append((enterprise, element & 0x7FFF, size))
            assert self.templates.setdefault(number, fields) == fields, "template %d is another one now" % number
            assert len(set(fields)) == len(fields), "an element is there twice"
            self.template_count += 1

    def read_flows(self, content, fields):
        while content:
            flow = {}
            for enterprise, element, size in fields:
                if size == VARIABLE:
                    size, content = content[0], content[1:]
                value, content = content[:size], content[size:]
                assert len(value) == size, "a flow is cut off"
                assert enterprise in (0, REVERSE)
                name = ("reverse_" if enterprise else "") + NAMES[element]
                if element in (8, 12, 27, 28):
                    assert size == (4 if element < 20 else 16)
                    value = str(ipaddress.ip_address(value))
                elif element == 82:
                    value = value.decode()
                else:
                    value = int.from_bytes(value, "big")
                flow[name] = value
            self.flows.append(flow)
            self.sequence += 1


class Collector:
    """Takes connections of TCP one after the other, or datagrams. `readers` has one for each connection; with UDP one for
    all datagrams, which is None while nobody listens."""

    def __init__(self, is_udp=False, family=socket.AF_INET, port=0):
        self.is_udp, self.readers, self.errors, self.messages = is_udp, [], [], []
        self.connection, self.bytes_until_reset = None, None
        self.socket = socket.socket(family, socket.SOCK_DGRAM if is_udp else socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_udp:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)  # what the kernel allows of it
        self.socket.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", port))
        self.port = self.socket.getsockname()[1]
        if not is_udp:
            self.socket.listen()
        if is_udp:
            self.readers.append(Reader())
        self.thread = threading.Thread(target=self.take_datagrams if is_udp else self.take_connections, daemon=True)
        self.thread.start()

    @property
    def flows(self):
        return [flow for reader in self.readers for flow in reader.flows]

    def read(self, reader, message):
        self.messages.append(message)
        try:
            reader.read(message)
        except (AssertionError, KeyError, struct.error) as error:
            self.errors.append(repr(error))

    def take_datagrams(self):
        while True:
            message = self.socket.recv(65536)
            if not message:
                return
            self.read(self.readers[0], message)

    def take_connections(self):
        while True:
            try:
                self.connection, _ = self.socket.accept()
            except OSError:
                return
            self.readers.append(Reader())
            try:
                self.take_messages(self.connection, self.readers[-1])
            except OSError as error:
                self.errors.append(repr(error))

    def take_messages(self, connection, reader):
        waiting = b""
        while True:
            part = connection.recv(65536)
            if not part:
                return
            if self.bytes_until_reset is not None and len(waiting) + len(part) > self.bytes_until_reset:
                self.bytes_until_reset = None
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()
                return
            waiting += part
            while len(waiting) >= 4 and len(waiting) >= int.from_bytes(waiting[2:4], "big"):
                size = int.from_bytes(waiting[2:4], "big")
                self.read(reader, waiting[:size])
                waiting = waiting[size:]

    def wait_for_flows(self, count, seconds=20):
        end = time.monotonic() + seconds
        while len(self.flows) < count and time.monotonic() < end:
            time.sleep(0.01)
        return len(self.flows)

    def end_connection(self):
        """As a collector that is restarted: its port is free at once."""
        self.connection.shutdown(socket.SHUT_RDWR)

    def close(self):
        if self.is_udp:
            with socket.socket(self.socket.family, socket.SOCK_DGRAM) as last:
                last.sendto(b"", self.socket.getsockname())
            self.thread.join(10)
        else:
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
