#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests completion in bash: the words that it offers against those that the program accepts, and at a real prompt."""
import os
import pty
import select
import shlex
import subprocess
import sys
import tempfile
import time

import manual
from manual import COMMANDS, COMPLETION

from replay_harness import check, equal, run, skip

FORMATS = ["text", "json", "csv", "tsv", "trace", "zeek"]
OUTCOMES = ["closed", "reset", "refused", "timeout", "unreachable", "expired", "open"]
OFFER = """
source "$1"
compopt() { printf 'option %s\\n' "$2"; }
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_netracker netracker "${!#}" || exit 3
for word in "${COMPREPLY[@]}"; do printf 'word %s\\n' "$word"; done
"""
PROMPT_SECONDS = 20
TYPED = {
    "rep\tmy\t": "<replay><my capture.pcap>",
    "--form\tj\t": "<--format><json>",
    "--format=js\t": "<--format=json>",
    "--outcome closed,tim\t": "<--outcome><closed,timeout>",
    "-o my\t-q": "<-o><my capture.pcap><-q>",
    "replay --lik\tz\t": "<replay><--like><zeek>",
}
HOSTILE = "$(touch hacked)"  # 15 bytes, the longest name that a process can have


def offered(*words, folder=None):
    """Returns (words, bash's options) for a command line whose last word is incomplete."""
    done = subprocess.run(["bash", "--norc", "-c", OFFER, "bash", COMPLETION, "netracker", *words], cwd=folder,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    equal((done.returncode, done.stderr), (0, ""), "completion of %r" % (words,))
    lines = [line.partition(" ") for line in done.stdout.splitlines()]
    return [text for kind, _, text in lines if kind == "word"], {text for kind, _, text in lines if kind == "option"}


def offers(words, *expected, options=()):
    found = offered(*words)
    equal((sorted(found[0]), found[1]), (sorted(expected), set(options)), repr(words))


def commands():
    offers([""], *COMMANDS[1:], "help", "version")
    offers(["help", ""], *COMMANDS[1:])
    offers(["help", "list", ""])
    offers(["version", ""])
    offers(["st"], "status", "state")
    offers(["x"])
    offers(["list", "li"], "limited")
    offers(["port", "443", "an"], "and")
    offers(["attach", "po"])


def options():
    """Offers all options of each command, and no other."""
    known = manual.options()
    for command in COMMANDS:
        own = {spelling for option in known if command in option.commands for spelling in option.spellings()}
        offers([*command.split(), "-"], *own)
    offers(["replay", "--no"], "--no-checksums", "--no-header")
    offers(["-q", "--inter"], "--interface", "--interval")


def values_are_taken():
    """After an option that takes a value no option is offered. The program accepts all that is offered."""
    for option in manual.options():
        for command in option.commands if option.takes_value else ():
            for spelling in option.spellings():
                equal([word for word in offered(*command.split(), spelling, "-")[0] if word.startswith("--")], [],
                      "%s %s" % (command, spelling))
            for word in offered(*command.split(), option.name, "")[0][:9]:
                done = manual.run(*command.split(), option.name, *shlex.split(word), "--help")
                # a network namespace or a user may have gone since it was offered
                if done.returncode and word not in offered(*command.split(), option.name, "")[0]:
                    continue
                check(done.returncode == 0, "%s %s %s: %s" % (command, option.name, word, done.stderr))


def words():
    offers(["-f", ""], *FORMATS)
    offers(["list", "-f", ""], *FORMATS[:4])
    offers(["status", "--format", ""], *FORMATS[:2])
    offers(["replay", "--like", ""], "zeek")
    offers(["-qxf", "t"], "text", "tsv", "trace")
    offers(["--format", "=", ""], *FORMATS)
    offers(["--format", "=", "j"], "json")
    offers(["--format", "="], *FORMATS)
    for free in ("-n", "-t", "-L", "--net", "--min-duration"):
        offers([free, ""])


def lists():
    last = {"options": ["nospace"]}
    offers(["--outcome", ""], *OUTCOMES, **last)
    offers(["--outcome", "re"], "reset", "refused", **last)
    offers(["--outcome", "closed,reset,re"], "closed,reset,refused", **last)
    offers(["replay", "--events", ""], "open", "close", "exit", "update", "listed", **last)
    offers(["--events", "close,"], "close,open", "close,update", "close,exit", **last)
    offers(["list", "--role", ""], "client", "server", **last)
    offers(["--role", "=", "client,o"], "client,observer", **last)
    offers(["--context", "socket,"], "socket,wire", **last)
    offers(["--columns", "pid,src_p"], "pid,src_port", "pid,src_packets", **last)
    offers(["list", "--columns", "hands"], "handshake", "handshake_ns", **last)


def of_the_system():
    interfaces = os.listdir("/sys/class/net")
    offers(["-i", ""], "none", *interfaces)
    offers(["attach", "-i", ""], *interfaces)
    offers(["detach", "--interface", "l"], *[name for name in interfaces if name.startswith("l")])
    check(str(os.getpid()) in offered("list", "-p", "")[0], "this process")
    check("root" in offered("-u", "ro")[0], "root")
    groups = [word for word in offered("--cgroup", "/")[0]]
    check(all(word.startswith("/") and not word.startswith("/sys/") for word in groups), groups)
    if os.path.isdir("/run/netns"):
        before = set(os.listdir("/run/netns"))  # other namespaces may come and go
        names = set(offered("--netns", "")[0])
        after = set(os.listdir("/run/netns"))
        equal((before & after) - names, set(), "network namespaces that are not offered")
        equal(names - (before | after), set(), "names offered that are no network namespaces")
    else:
        skip("names of network namespaces: there is no /run/netns")


def files():
    for line in (["replay", ""], ["explain", "re"], ["-o", ""], ["replay", "-f", "csv", "--output", "=", ""]):
        offers(line, options=["default"])
    offers(["list", "sta"], "state")


def hostile_names():
    """A process's name is offered quoted, and is never executed."""
    with tempfile.TemporaryDirectory(prefix="nt-manual-") as folder:
        source = "import sys; open('/proc/self/comm', 'w').write(sys.argv[1]); print(flush=True); sys.stdin.read()"
        process = subprocess.Popen([sys.executable, "-c", source, HOSTILE], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
        try:
            process.stdout.readline()
            words = offered("-c", "", folder=folder)[0]
            mine = [word for word in words if "touch" in word]
            equal(mine, ["\\$\\(touch\\ hacked\\)"], "its name")
            equal(offered("-c", "\\$\\(to", folder=folder)[0], mine, "its beginning")
            equal(os.listdir(folder), [], "files made")
        finally:
            process.communicate(timeout=20)


class Prompt:
    """bash on a terminal, with nothing loaded but the completion."""

    def __init__(self, folder):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.environ.update(TERM="dumb", PS1="> ", INPUTRC="/dev/null")
            os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
        self.output = b""
        self.send("source %s; netracker() { printf '<%%s>' \"$@\"; echo; }; echo rea''dy\n" % shlex.quote(COMPLETION))
        self.wait_for("ready")

    def send(self, keys):
        os.write(self.terminal, keys.encode())

    def wait_for(self, text):
        deadline = time.monotonic() + PROMPT_SECONDS
        while text.encode() not in self.output and time.monotonic() < deadline:
            if select.select([self.terminal], [], [], 0.1)[0]:
                self.output += os.read(self.terminal, 65536)
        check(text.encode() in self.output, "%r at the prompt: %r" % (text, self.output[-300:]))
        self.output = b""

    def close(self):
        self.send("\x03\nexit\n")
        os.close(self.terminal)
        os.waitpid(self.pid, 0)


def at_a_prompt():
    """Types Tab and Return. Checks the arguments that the command gets."""
    with tempfile.TemporaryDirectory(prefix="nt-manual-") as folder:
        open(os.path.join(folder, "my capture.pcap"), "w").close()
        prompt = Prompt(folder)
        for keys, given in TYPED.items():
            prompt.send("netracker %s\n" % keys)
            prompt.wait_for(given)
        prompt.close()


run([commands, options, values_are_taken, words, lists, of_the_system, files, hostile_names, at_a_prompt])
