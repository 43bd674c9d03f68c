#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A traffic peer: a process that makes the socket calls that a test orders, and reports the time of each.

Orders and answers are JSON messages over a SOCK_SEQPACKET socket. The sockets are in blocking mode and every order is
one plain system call, so that the order determines the events in the kernel. An answer has CLOCK_BOOTTIME before and
after the call: the events that the call causes at once lie between the two.

As a program it is the executed part of an inetd-style server: its connection is descriptor 0.
"""
import contextlib
import ctypes
import errno
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
import threading
import time

MESSAGE_SIZE = 65536
CHUNK = bytes(1 << 20)
ALL = socket.MSG_WAITALL
MSG_FASTOPEN = 0x20000000
TCP_FASTOPEN = 23
AF_UNSPEC_ADDRESS = struct.pack("@H14x", socket.AF_UNSPEC)
ETH_P_ALL = 3
SO_TIMESTAMPNS = 35
CLOCK_TRIES = 8
LOOK_INTERVAL = 0.001  # seconds
IS_EMULATED = "LIVE_SLACK_MS" in os.environ
TAKE_NS = 2_000_000_000
PORTS_IN_ANSWER = 1000
# TCP_REPAIR and its queues (linux/tcp.h)
TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ = 19, 20, 21
TCP_RECV_QUEUE, TCP_SEND_QUEUE = 1, 2

libc = ctypes.CDLL(None, use_errno=True)


def now():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def realtime_minus_boottime():
    """Returns the best of several tries: an interruption between the readings adds to the error."""
    readings = []
    for _ in range(CLOCK_TRIES):
        before = now()
        realtime = time.clock_gettime_ns(time.CLOCK_REALTIME)
        apart = now() - before
        readings.append((apart, realtime - before - apart // 2))
    return min(readings)[1]


def raise_file_limit():
    hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))


def kernel_receive_time(ancillary):
    """Returns a packet's SO_TIMESTAMPNS in nanoseconds of CLOCK_BOOTTIME."""
    seconds, nanoseconds = struct.unpack("@qq", ancillary[0][2][:16])
    return seconds * 1_000_000_000 + nanoseconds - realtime_minus_boottime()


def set_name(name):
    """Names the calling thread; the main thread's name is the process's comm."""
    pr_set_name = 15
    libc.prctl(pr_set_name, ctypes.c_char_p(os.fsencode(name)), 0, 0, 0)


def die_with_parent():
    pr_set_pdeathsig = 1
    libc.prctl(pr_set_pdeathsig, signal.SIGKILL, 0, 0, 0)


def unmapped(address):
    return address[7:] if address.startswith("::ffff:") and "." in address else address


def with_scope(address, port):
    """Returns the socket address; a link-local one is written with its interface: fe80::1%eth0."""
    address, _, interface = address.partition("%")
    return (address, port, 0, socket.if_nametoindex(interface)) if interface else (address, port)


@contextlib.contextmanager
def ahead_of_others():
    """Runs the caller before other processes, so that it reads the time of an event when it happens."""
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


class Peer:
    """The command loop of one process. Every method order_* is an order."""

    def __init__(self, control, channel=None):
        self.control = control
        self.channel = channel
        self.sockets = {}
        self.held = []
        self.next_handle = 1
        self.fds_to_send = []

    def run(self):
        self.answer(self.introduction())
        while True:
            message = self.control.recv(MESSAGE_SIZE)
            if not message:
                return
            order = json.loads(message)
            self.answer(self.obey(order["order"], order["arguments"]))

    def introduction(self):
        return {"pid": os.getpid(), "uid": os.getuid(), "exe": os.readlink("/proc/self/exe"),
                "comm": open("/proc/self/comm", errors="replace").read().rstrip("\n")}

    def answer(self, result):
        message = [json.dumps(result).encode()]
        if self.fds_to_send:
            socket.send_fds(self.control, message, self.fds_to_send)
            for fd in self.fds_to_send:
                os.close(fd)
            self.fds_to_send = []
        else:
            self.control.send(message[0])

    def obey(self, name, arguments):
        try:
            return getattr(self, "order_" + name)(**arguments)
        except OSError as error:
            return {"errno": error.errno, "error": str(error), "order": name}

    def timed(self, call, *arguments):
        before = now()
        code, value = 0, None
        try:
            value = call(*arguments)
        except OSError as error:
            code = error.errno
        return value, {"before": before, "after": now(), "errno": code}

    def keep(self, sock):
        handle = self.next_handle
        self.next_handle += 1
        self.sockets[handle] = sock
        return handle

    @staticmethod
    def addresses(sock):
        result = {}
        for key, call in (("local", sock.getsockname), ("remote", sock.getpeername)):
            try:
                result[key] = [unmapped(call()[0]), call()[1]]
            except OSError:
                result[key] = None
        return result

    # Sockets

    def order_listen(self, family, address, port, backlog, protocol, options):
        sock = socket.socket(family, socket.SOCK_STREAM, protocol)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        for level, option, value in options:
            sock.setsockopt(level, option, value)
        sock.bind((address, port))
        sock.listen(backlog)
        return {"handle": self.keep(sock), "port": sock.getsockname()[1]}

    def order_accept(self, handle):
        accepted, result = self.timed(self.sockets[handle].accept)
        if accepted:
            result["handle"] = self.keep(accepted[0])
            result.update(self.addresses(accepted[0]))
        return result

    def order_socket(self, family, protocol, options):
        sock = socket.socket(family, socket.SOCK_STREAM, protocol)
        for level, option, value in options:
            sock.setsockopt(level, option, value)
        return {"handle": self.keep(sock)}

    def order_bind(self, handle, address, port):
        sock = self.sockets[handle]
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        return self.addresses(sock)

    def order_connect(self, handle, address, port, blocking):
        sock = self.sockets[handle]
        sock.setblocking(blocking)
        result = self.timed(sock.connect, with_scope(address, port))[1]
        sock.setblocking(True)
        if result["errno"] == errno.EINPROGRESS:
            result["errno"] = 0
        result.update(self.addresses(sock))
        return result

    def order_await_failures(self, handles):
        """Waits until each connection has failed; answers with the times and SO_ERROR of each.

        A failure is POLLHUP, the state CLOSE. POLLERR alone can be an ICMP message that the kernel does not report
        before the SYN's retransmission has failed too.
        """
        with ahead_of_others():
            failures = self.wait_for_hangups(handles)
        return {"failures": [dict(failures[handle], errno=self.error_of(handle)) for handle in handles]}

    def order_attempt_until_failure(self, handles, address, port):
        """Calls connect() on each without blocking, and waits: an attempt may fail before the next begins."""
        with ahead_of_others():
            attempts = [self.order_connect(handle, address, port, False) for handle in handles]
            failures = self.wait_for_hangups(handles)
        return {"attempts": attempts,
                "failures": [dict(failures[handle], errno=self.error_of(handle)) for handle in handles]}

    def wait_for_hangups(self, handles):
        """Returns, for each, a time before it failed and one after.

        Many fail in one soft interrupt, and a virtual machine's CPU can stop for some milliseconds: the last look that
        found no failure shows how late the peer may be. An emulated guest has wider tolerances, and waits: there the
        looks delay TCP's timers by a minute (Linux 6.1).
        """
        poll = select.poll()
        waiting = {self.sockets[handle].fileno(): handle for handle in handles}
        for fd in waiting:
            poll.register(fd, 0)
        failures, looked = {}, None
        while waiting:
            began = now()
            found = poll.poll(None if IS_EMULATED else 0)
            moment = now()
            for fd in [fd for fd, events in found if events & select.POLLHUP]:
                failures[waiting.pop(fd)] = {"before": moment if looked is None or IS_EMULATED else looked,
                                             "after": moment}
                poll.unregister(fd)
            looked = began
            time.sleep(LOOK_INTERVAL)
        return failures

    def order_poll_hangup(self, handle):
        """Answers whether the connection has ended."""
        poll = select.poll()
        poll.register(self.sockets[handle], 0)
        return {"hangup": any(events & select.POLLHUP for _, events in poll.poll(0))}

    def order_connect_and_take(self, handle, address, port):
        """Calls connect() without blocking, and SO_ERROR until there is one."""
        result = self.order_connect(handle, address, port, False)
        result["code"], until = 0, now() + TAKE_NS
        while not result["code"] and now() < until:
            result["code"] = self.error_of(handle)
        return result

    def order_await_connection(self, handle):
        select.select([], [self.sockets[handle]], [])
        return {"code": self.error_of(handle)}

    def error_of(self, handle):
        return self.sockets[handle].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def order_connect_fastopen(self, handle, address, port, count):
        sock = self.sockets[handle]
        result = self.timed(sock.sendto, CHUNK[:count], MSG_FASTOPEN, (address, port))[1]
        result.update(self.addresses(sock))
        return result

    def order_restore(self, handle, local, remote):
        """Moves the connection into a new socket by TCP_REPAIR, without a packet."""
        old, sequences = self.sockets[handle], {}
        old.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        for queue in (TCP_RECV_QUEUE, TCP_SEND_QUEUE):
            old.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, queue)
            sequences[queue] = struct.unpack("I", old.getsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ, 4))[0]
        dumped = self.timed(old.close)[1]
        new = socket.socket(old.family)
        new.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        new.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        for queue, sequence in sequences.items():
            new.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, queue)
            new.setsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ, struct.pack("I", sequence))
        new.bind(tuple(local))
        new.connect(tuple(remote))
        new.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 0)
        self.sockets[handle] = new
        return dumped

    def order_disconnect(self, handle):
        """Calls connect() with AF_UNSPEC, which Python's own connect() cannot."""
        fd = self.sockets[handle].fileno()

        def disconnect():
            if libc.connect(fd, AF_UNSPEC_ADDRESS, len(AF_UNSPEC_ADDRESS)):
                raise OSError(ctypes.get_errno(), "connect(AF_UNSPEC)")
        return self.timed(disconnect)[1]

    def order_send(self, handle, count):
        return self.timed(self.sockets[handle].sendall, CHUNK[:count])[1]

    def order_receive(self, handle, count):
        """Reads until `count` bytes have come, or until the end of the stream or an error."""
        received = 0
        data, result = b"", {}
        while received < count:
            data, result = self.timed(self.sockets[handle].recv, count - received, ALL)
            if not data:
                break
            received += len(data)
        return dict(result, received=received, eof=data == b"")

    def order_set_option(self, handle, level, option, value):
        self.sockets[handle].setsockopt(level, option, value)
        return {}

    def order_set_linger_zero(self, handle):
        self.sockets[handle].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return {}

    def order_shutdown(self, handle):
        return self.timed(self.sockets[handle].shutdown, socket.SHUT_WR)[1]

    def order_close(self, handle):
        return self.timed(os.close, self.sockets.pop(handle).detach())[1]

    # Volumes past 4 GiB, without touching each byte

    def order_pour(self, handle, total):
        sock = self.sockets[handle]
        file = os.memfd_create("payload")
        os.write(file, CHUNK * 16)
        size = os.fstat(file).st_size
        sent = 0
        while sent < total:
            offset = sent % size
            sent += os.sendfile(sock.fileno(), file, offset, min(size - offset, total - sent))
        os.close(file)
        return {"sent": sent}

    def order_drain(self, handle, total):
        fd = self.sockets[handle].fileno()
        received = 0
        while received < total:
            # MSG_TRUNC on TCP discards the payload in the kernel, so no buffer is needed.
            count = libc.recv(fd, None, ctypes.c_size_t(min(total - received, 1 << 24)), socket.MSG_TRUNC)
            if count <= 0:
                raise OSError(ctypes.get_errno(), "recv(MSG_TRUNC)")
            received += count
        return {"received": received}

    def order_storm(self, handle, address, port, count):
        """Makes connections to its own listener, one after the other, as fast as it can."""
        listener = self.sockets[handle]
        for _ in range(count):
            client = socket.socket(listener.family, socket.SOCK_STREAM)
            client.connect((address, port))
            server = listener.accept()[0]
            client.close()
            server.close()
        return {}

    def order_connect_many(self, family, address, port, count, seconds):
        """Starts `count` connections without waiting for them, evenly over `seconds`."""
        raise_file_limit()
        begun = time.monotonic()
        for number in range(count):
            time.sleep(max(0, begun + seconds * number / count - time.monotonic()))
            sock = socket.socket(family, socket.SOCK_STREAM)
            sock.setblocking(False)
            sock.connect_ex((address, port))
            self.keep(sock)
        return {}

    def order_hold(self, handle, address, port, count):
        """Makes connections to its own listener and keeps both sides. Answers with the clients' ports."""
        raise_file_limit()
        listener, ports = self.sockets[handle], []
        for _ in range(count):
            client = socket.socket(listener.family, socket.SOCK_STREAM)
            client.connect((address, port))
            self.held += [client, listener.accept()[0]]
            ports.append(client.getsockname()[1])
        return {"ports": ports if count <= PORTS_IN_ANSWER else []}

    def order_release(self):
        """Closes the connections that it keeps."""
        for sock in self.held:
            sock.close()
        self.held = []
        return {}

    def order_counter(self, group, name):
        """Answers with a counter of this network namespace from /proc/net/snmp or /proc/net/netstat; 0 if absent."""
        for path in ("/proc/self/net/snmp", "/proc/self/net/netstat"):
            with open(path) as file:
                lines = [line.split() for line in file if line.startswith(group + ":")]
            if lines and name in lines[0]:
                return {"value": int(lines[1][lines[0].index(name)])}
        return {"value": 0}

    # Processes and threads

    def order_in_thread(self, name, inner, arguments):
        result = {}

        def work():
            set_name(name)
            result.update(self.obey(inner, arguments))
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return result

    def order_fork(self, name, uid):
        """Forks a child that inherits every socket and takes orders of its own."""
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid == 0:
            self.control.close()
            mine.close()
            self.become_child(theirs, name, uid)
        theirs.close()
        self.fds_to_send = [mine.detach()]
        return {"pid": pid}

    def become_child(self, control, name, uid):
        die_with_parent()
        set_name(name)
        if uid is not None:
            os.setuid(uid)
        self.control = control
        run_and_exit(self)

    def order_rename(self, name, uid):
        """Changes the process's name and, unless None, its user."""
        set_name(name)
        if uid is not None:
            os.setuid(uid)
        return self.introduction()

    def order_exec(self, handle, name, executable):
        """Runs another program in this process; its connection becomes the program's descriptor 0."""
        os.dup2(self.sockets[handle].fileno(), 0)
        os.set_inheritable(self.control.fileno(), True)
        os.execv(executable, [executable, "-I", "-S", __file__, str(self.control.fileno()), name])

    def order_fork_exec(self, handle, name, executable):
        """Does as inetd: the connection becomes a child's standard input and output, and the child runs a program."""
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid == 0:
            try:
                connection = self.sockets[handle].fileno()
                os.dup2(connection, 0)
                os.dup2(connection, 1)
                os.set_inheritable(theirs.fileno(), True)
                os.execv(executable, [executable, "-I", "-S", __file__, str(theirs.fileno()), name])
            finally:
                os._exit(127)
        theirs.close()
        self.fds_to_send = [mine.detach()]
        return {"pid": pid}

    def order_send_descriptor(self, handle):
        socket.send_fds(self.channel, [b"d"], [self.sockets[handle].fileno()])
        return {}

    def order_receive_descriptor(self):
        fds = socket.recv_fds(self.channel, 1, 1)[1]
        return {"handle": self.keep(socket.socket(fileno=fds[0]))}

    def order_exit(self):
        self.answer({"before": now()})
        os._exit(0)

    # Frames of a host without sockets

    def order_packet_socket(self, ifname):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        sock.bind((ifname, ETH_P_ALL))
        return {"handle": self.keep(sock)}

    def order_send_frame(self, handle, frame):
        return self.timed(self.sockets[handle].send, bytes.fromhex(frame))[1]

    def order_receive_frame(self, handle, prefix_offset, prefix, timeout):
        """Answers with the next incoming frame that has `prefix` at the offset; None after `timeout` seconds."""
        sock, wanted = self.sockets[handle], bytes.fromhex(prefix)
        deadline = time.monotonic() + timeout
        while True:
            sock.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                frame, ancillary, _, origin = sock.recvmsg(MESSAGE_SIZE, 64)
            except socket.timeout:
                return {"frame": None}
            outgoing = origin[2] == socket.PACKET_OUTGOING
            if not outgoing and frame[prefix_offset:prefix_offset + len(wanted)] == wanted:
                return {"frame": frame.hex(), "at": kernel_receive_time(ancillary)}


def run_and_exit(peer):
    status = 1
    try:
        peer.run()
        status = 0
    except (OSError, KeyboardInterrupt):
        pass
    finally:
        os._exit(status)


def main():
    """Takes descriptor 0 as connection 1, and replaces its copies, which does not end the connection."""
    control = socket.socket(fileno=int(sys.argv[1]))
    set_name(sys.argv[2])
    die_with_parent()
    peer = Peer(control)
    peer.keep(socket.socket(fileno=os.dup(0)))
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    run_and_exit(peer)


if __name__ == "__main__":
    main()
