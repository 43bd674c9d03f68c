# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a command with a failing allocation, once for each allocation site that it reaches, and reports wrong behaviour.

build/tests/netracker_alloc (alloc_fault.c) writes the call stack of each of its allocations. A call stack that no
previous command had is a new site. Three runs test it: its first allocation fails, its first and all later allocations
fail, its last allocation fails.
"""
import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests"))
import accounting_line  # noqa: E402

PROGRAM = os.path.join(ROOT, "build", "tests", "netracker_alloc")
WORKERS = 2
SECONDS = 60
SANITIZER_STATUS = 99
OPTIONS = "exitcode=%d:halt_on_error=1" % SANITIZER_STATUS
SANITIZER = re.compile(r"Sanitizer|runtime error:")
# The accounting; the note on the order of captures, which depends on the packets that were read; the note on the PID
# namespace, which a test makes.
IGNORED = re.compile(r"netracker: \d+ records?: \d+ written|netracker: the accounting is wrong: |"
                     r"netracker: \S+: begins [0-9.]+ s before|netracker: netracker runs in a PID namespace of its own: ")
# A loss is announced when it begins and when it ends.
LOSS_BEGINS = re.compile(r"records are (being )?lost|no memory for more connections")
LOSS_ENDED = re.compile(r"can be written again; \d+ record.* for lack of memory|records are no longer lost: out of memory")


def fixed_addresses():
    """The sanitizers of older compilers crash at random if address randomisation uses more than 28 bits."""
    works = subprocess.run(["setarch", "-R", "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0
    return ["setarch", "-R"] if works else []


PREFIX = fixed_addresses()


class Outcome:
    """The result of one run: status, output, accounting, and the other messages."""

    def __init__(self, status, output, errors, all_failed):
        self.status, self.output, self.errors, self.all_failed = status, output, errors, all_failed
        lines = errors.splitlines()
        self.messages = [line for line in lines if not IGNORED.match(line)]
        self.accounting = accounting_line.parse(errors)
        self.balances = self.accounting is None or accounting_line.balances(errors)

    def crash(self):
        """A description, if a signal ended the program or a sanitizer reported an error; else None."""
        if self.status < 0 or self.status == SANITIZER_STATUS or SANITIZER.search(self.errors):
            return "status %d: %s" % (self.status, "; ".join(self.errors.splitlines()[:8]))
        return None

    def says_memory(self):
        """Whether all messages differ and report lack of memory; exactly one message if one allocation failed, besides
        the one that a loss has ended.
        """
        begins = [line for line in self.messages if not LOSS_ENDED.search(line)]
        return begins and all("memory" in line for line in begins) and \
            len(set(self.messages)) == len(self.messages) and (self.all_failed or len(begins) == 1)

    def announces_loss(self):
        """An interim record that is lost is announced, though the accounting counts connections."""
        return any(LOSS_BEGINS.search(line) for line in self.messages)


class Command:
    """judge(base, outcome) describes the fault of a run with a failed allocation, or is None; base is a normal run."""

    def __init__(self, name, arguments, judge, standard_input=b"", output_file=False, prefix=()):
        self.name, self.arguments, self.judge = name, arguments, judge
        self.standard_input, self.output_file, self.prefix = standard_input, output_file, list(prefix)

    def run(self, **environment):
        with tempfile.TemporaryDirectory(prefix="nt-alloc-") as directory:
            path = os.path.join(directory, "out")
            options = ["-o", path] if self.output_file else []
            done = subprocess.run([*self.prefix, *PREFIX, PROGRAM, *self.arguments[:1], *options, *self.arguments[1:]],
                                  input=self.standard_input, capture_output=True, timeout=SECONDS, check=False,
                                  env=dict(os.environ, ASAN_OPTIONS=OPTIONS, UBSAN_OPTIONS=OPTIONS, **environment))
            output = done.stdout
            if os.path.exists(path):
                with open(path, "rb") as file:
                    output += file.read()
        return Outcome(done.returncode, output, done.stderr.decode(errors="backslashreplace"),
                       environment.get("ALLOC_FAIL", "").endswith("+"))

    def sites(self):
        """A normal run, and the call stacks of its allocations in order."""
        with tempfile.NamedTemporaryFile(prefix="nt-alloc-") as trace:
            base = self.run(ALLOC_TRACE=trace.name)
            lines = trace.read().decode().splitlines()
        return base, [line.split(" ", 1)[1] for line in lines]


def new_failures(stacks, known):
    """(value of ALLOC_FAIL, call stack) for each run that tests a new call stack."""
    first, last = {}, {}
    for number, stack in enumerate(stacks, 1):
        first.setdefault(stack, number)
        last[stack] = number
    found = []
    for stack in first.keys() - known:
        found += [(str(first[stack]), stack), ("%d+" % first[stack], stack)]
        found += [(str(last[stack]), stack)] * (last[stack] != first[stack])
    known.update(first)
    return sorted(found, key=lambda one: int(one[0].rstrip("+")))


def function_names(stack):
    """The functions of a call stack, innermost first."""
    done = subprocess.run(["addr2line", "-fse", PROGRAM, *("%#x" % (int(frame, 16) - 0x555555554000 - 1)
                                                           for frame in stack.split())],
                          capture_output=True, text=True, check=False)
    names = done.stdout.split()[::2]
    return " < ".join(name for name in names if name != "??")


def try_command(command, known, workers=WORKERS):
    """The number of runs, and (failed allocation, description of the fault) of the wrong ones."""
    base, stacks = command.sites()
    if base.crash() or not stacks:
        return 1, [(command.name, base.crash() or "no allocation was traced: %s" % base.errors)]
    jobs = new_failures(stacks, known)
    wrong = []
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        for (fail, stack), outcome in zip(jobs, pool.map(lambda job: command.run(ALLOC_FAIL=job[0]), jobs)):
            why = outcome.crash() or command.judge(base, outcome)
            if why:
                wrong.append(("%s: allocation %s fails (%s)" % (command.name, fail, function_names(stack)), why))
    return len(jobs), wrong
