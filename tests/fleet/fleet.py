# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines on one switch, each a network namespace with a tracker, a history and netracker ship of its own."""
import json
import os
import random
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "live"))
from netns import Net, link  # noqa: E402
from tracker import PROGRAM, READY_LINE, READY_TIMEOUT, prepare, prepare_child  # noqa: E402

NETWORK = "198.18.7."
SECONDS = 60


class Machine:
    def __init__(self, net, switch, number, folder):
        self.name, self.address = "n%d" % number, NETWORK + str(number)
        self.folder = os.path.join(folder, self.name)
        os.mkdir(self.folder)
        self.history, self.cursors = os.path.join(self.folder, "history"), os.path.join(self.folder, "cursors")
        self.namespace = net.namespace(self.name)
        link(self.namespace, "eth0", switch, "port%d" % number)
        switch.ip("link set port%d master bridge" % number)
        self.namespace.ip("addr add %s/24 dev eth0" % self.address)
        self.peer = subprocess.Popen([sys.executable, os.path.join(ROOT, "tests", "fleet", "machine.py"), self.namespace.name,
                                      self.address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ship = self.tracker = None

    def start_tracker(self):
        self.log = os.path.join(self.folder, "tracker.log")
        with open(self.log, "wb") as log:
            self.tracker = subprocess.Popen(
                [PROGRAM, "record", "-v", "--history=" + self.history, "--host", self.name, "--netns", self.namespace.name],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=lambda: prepare(self.namespace.name))

    def messages(self):
        with open(self.log, errors="replace") as file:
            return file.read()

    def wait_for_tracker(self):
        end = time.monotonic() + READY_TIMEOUT
        while READY_LINE not in self.messages():
            if self.tracker.poll() is not None or time.monotonic() > end:
                raise RuntimeError("%s: no tracker: %s" % (self.name, self.messages()[-500:]))
            time.sleep(0.05)

    def start_ship(self, *arguments):
        self.ship = subprocess.Popen([PROGRAM, "ship", "--from", self.history, "--cursors", self.cursors, "--interval", "0.5",
                                      *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                     stderr=subprocess.PIPE, text=True, preexec_fn=prepare_child)

    def kill_ship(self):
        if self.ship.returncode is None:
            self.ship.kill()
            self.ship.communicate()

    def end_ship(self):
        """Returns the status and the messages."""
        return self.ship.communicate(timeout=SECONDS)[1], self.ship.returncode

    def end_tracker(self):
        self.tracker.send_signal(signal.SIGTERM)

    def cpu_seconds(self, process):
        with open("/proc/%d/stat" % process.pid) as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return sum(int(ticks) for ticks in fields[11:13]) / os.sysconf("SC_CLK_TCK")

    def close(self):
        for process in (self.peer, self.tracker, self.ship):
            if process and process.poll() is None:
                process.kill()
                process.wait()


class Fleet:
    def __init__(self, count, folder):
        self.net, self.machines = Net(), []
        switch = self.net.namespace("switch")
        switch.ip("link add bridge type bridge", "link set bridge up")
        for number in range(1, count + 1):
            self.machines.append(Machine(self.net, switch, number, folder))
        for machine in self.machines:
            machine.peer.stdout.readline()

    def start(self, *arguments):
        """Starts the trackers and netracker ship with these arguments."""
        for machine in self.machines:
            machine.start_tracker()
        for machine in self.machines:
            machine.wait_for_tracker()
            machine.start_ship(*arguments)

    def exchange(self, rounds, chance=random.Random(7)):
        """Connects each machine with each other one. Returns the connections."""
        for machine in self.machines:
            others = [[other.address, chance.randrange(1, 100000)] for other in self.machines if other is not machine] * rounds
            machine.peer.stdin.write(json.dumps(others) + "\n")
            machine.peer.stdin.flush()
        return [connection for machine in self.machines for connection in json.loads(machine.peer.stdout.readline())]

    def end(self, *arguments):
        """Ends the trackers, and sends what is there. Returns what the last runs of netracker ship printed."""
        for machine in self.machines:
            machine.end_tracker()
        for machine in self.machines:
            machine.tracker.wait(SECONDS)
            machine.kill_ship()
            machine.start_ship("--once", *arguments)
        return [machine.end_ship() for machine in self.machines]

    def name_of(self, address):
        return next(machine.name for machine in self.machines if machine.address == address)

    def close(self):
        for machine in self.machines:
            machine.close()
        for namespace in self.net.namespaces:
            namespace.delete()
