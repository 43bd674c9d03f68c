#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests the man page, the help texts and `make install`; runs the examples of replay and explain."""
import os
import re
import shutil
import subprocess
import tempfile

import manual
from manual import COMMANDS, NETRACKER, PAGE, ROOT, TRACK

import replay_harness
from replay_harness import check, equal, skip

HELP_WIDTH = 80
LIST_ITEM = re.compile(r"^     (-.*) \[(.*)\]$", re.M)
ATTACH_COMMANDS = {"attach", "status", "detach"}
OPTIONS = manual.options()
WORDS = ["help", "version"]
INSTALLED = ["lib/systemd/system/netracker.service", "lib/systemd/system/netracker-ship.service",
             "lib/sysusers.d/netracker.conf", "sbin/netracker", "share/bash-completion/completions/netracker",
             "share/doc/netracker/record.schema.json", "share/doc/netracker/summary.schema.json",
             "share/man/man8/netracker.8", "share/netracker/netracker-dashboard.json",
             "share/netracker/netracker.rules.yml"]
PROGRAM = INSTALLED.index("sbin/netracker")
LOGROTATE = "etc/logrotate.d/netracker"


def lint():
    for command in (["mandoc", "-Tlint", "-Wwarning", PAGE], ["groff", "-mandoc", "-ww", "-z", "-Tutf8", PAGE]):
        if not shutil.which(command[0]):
            skip("%s: %s is not installed" % (os.path.relpath(PAGE, ROOT), command[0]))
            continue
        done = subprocess.run(command, capture_output=True, text=True)
        equal((done.returncode, done.stdout + done.stderr), (0, ""), command[0])


def table_is_read():
    """The program knows all options in its source, and refuses another."""
    check(len(OPTIONS) > 30, "%d options found" % len(OPTIONS))
    for option in OPTIONS:
        for spelling in option.spellings():
            rest = [] if option.takes_value and option.needs_value else ["--help"]
            check("no such option" not in manual.run(spelling, *rest).stderr, spelling)
        check(option.commands, "%s: no command has it" % option.name)
    check("no such option" in manual.run("--bogus", "--help").stderr, "an unknown option is refused")


def expected(commands):
    return {spelling for option in OPTIONS if option.commands & commands for spelling in option.spellings()}


def help_texts():
    """Each help text names all options of its command and no other; attach, status and detach share one."""
    for command in COMMANDS:
        done = manual.run(*command.split(), "--help")
        equal((done.returncode, done.stderr), (0, ""), command)
        entries = re.findall(r"^ {2,6}-.*", done.stdout, re.M)
        wanted = expected(ATTACH_COMMANDS if command in ATTACH_COMMANDS else {command})
        equal(sorted(manual.spellings_in("\n".join(entries))), sorted(wanted), "options in the help of %r" % command)
        longest = max(done.stdout.splitlines(), key=len)
        check(len(longest) <= HELP_WIDTH, "%r: %d columns: %s" % (command, len(longest), longest))
        check(done.stdout.isascii() and "\t" not in done.stdout, command)


def words_for_options():
    """`help [COMMAND]` and `version` print what --help and --version print, and refuse anything after these."""
    for command in COMMANDS:
        with_option, with_word = manual.run(*command.split(), "--help"), manual.run("help", *command.split())
        equal((with_word.returncode, with_word.stderr, with_word.stdout), (0, "", with_option.stdout), command)
    equal(manual.run("version").stdout, manual.run("--version").stdout, "version")
    for words, message in ((["help", "nothing"], "nothing: no such command"), (["help", "list", "x"], "x: unexpected"),
                           (["version", "x"], "x: unexpected"), (["help", "--help"], "--help: no such command")):
        done = manual.run(*words)
        equal((done.returncode, done.stdout, done.stderr.count("\n")), (2, "", 1), words)
        check(done.stderr.startswith("netracker: " + message), done.stderr)


def help_examples(folder):
    """The program accepts each command line; --help at its end keeps it from running. Those with a capture run."""
    for line in [line for command in COMMANDS for line in manual.help_examples(command)]:
        parts = [part.split() for part in line.split("|")]
        check(any(part[0] in ("netracker", "bpftool") for part in parts), line)
        for part in parts:
            done = manual.run(*part[1:], "--help") if part[0] == "netracker" else None
            check(done is None or (done.returncode, done.stderr) == (0, ""), line)
        if "capture.pcap" in line:
            done = run_example(line, folder)
            equal(done.returncode, 0, line)
            check(done.stdout or " -o " in line, "%s prints nothing" % line)


def page_options():
    """The page has each option with its letter, its value if it takes one, and the commands that have it."""
    text = manual.page()
    if text is None:
        skip("options of the page: mandoc is not installed")
        return
    found = {}
    for names, commands in LIST_ITEM.findall(manual.section(text, "OPTIONS")):
        spellings = frozenset(manual.spellings_in(names))
        last = max(spellings, key=len)
        found[spellings] = (names.partition(last)[2].strip() != "", commands_of(commands))
    equal(sorted(map(sorted, found)), sorted(sorted(option.spellings()) for option in OPTIONS), "options")
    for option in OPTIONS:
        equal(found.get(frozenset(option.spellings())), (option.takes_value, option.commands), option.name)


def words_of_values():
    """The page and the help texts have all words of a value that is one of a few words."""
    text = manual.page()
    help_text = "".join(manual.run(*command, "--help").stdout for command in ([], ["replay"], ["ship"]))
    found = {option.name: option.words() for option in OPTIONS if option.words()}
    equal(set(found), {"--role", "--outcome", "--format", "--events", "--context", "--like", "--compress"}, "such options")
    for name, words in found.items():
        in_help = re.search(r"^ .*%s .*\n(?:        .*\n)*" % name, help_text, re.M)[0]
        in_page = re.search(r"%s .*\[.*\n(.*)" % name, text)[0] if text else in_help
        for label, place in (("help", in_help), ("page", in_page)):
            equal([word for word in words if not re.search(r"\b%s\b" % word, place)], [], "%s: %s" % (name, label))


def commands_of(text):
    everything, _, without = text.partition(" but ")
    if everything == "all":
        return set(COMMANDS) - set(without.split())
    return {"" if word == TRACK else word for word in everything.split(", ")}


def page_facts(folder):
    """The page has the commands, the keys of a record in their order, and the exit statuses."""
    text = manual.page()
    if text is None:
        skip("commands and keys of the page: mandoc is not installed")
        return
    usages = set(re.findall(r"^     netracker (\w*)", manual.section(text, "SYNOPSIS"), re.M))
    equal(usages, set(COMMANDS + WORDS), "SYNOPSIS")
    named = re.findall(r"^     (\w+|\(none\))(?: |$)", manual.section(text, "COMMANDS"), re.M)
    equal(named[1:], ["(none)"] + COMMANDS[1:] + WORDS, "COMMANDS")
    heading = run_example("netracker replay -q -f csv capture.pcap", folder).stdout.splitlines()[0]
    keys = re.search(r"known: ([^.]*)\.", manual.section(text, "OUTPUT")).group(1)
    with open(os.path.join(ROOT, "docs", "record.md")) as file:
        no_record_has = re.findall(r"`(\w+)`", file.read().split("### Not yet\n")[1].split("\n\n")[0])
    equal(re.split(r",\s+", keys), [key for key in heading.split(",") if key not in no_record_has], "keys")
    with open(os.path.join(ROOT, "README.md")) as file:
        statuses = re.findall(r"^\| (\d) \|", file.read(), re.M)
    equal(re.findall(r"^     (\d) ", manual.section(text, "EXIT STATUS"), re.M), statuses, "exit statuses")


def run_example(command, folder):
    path = os.path.dirname(NETRACKER) + ":" + os.environ["PATH"]
    return subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=folder, env=dict(os.environ, PATH=path),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)


def page_examples(folder):
    """The examples without root, in the page's order, print exactly the output that the page shows."""
    ran = []
    for example in manual.examples():
        if example.needs_root or "nginx.json" in example.command:  # test_live_examples.py makes nginx.json
            continue
        done = run_example(example.command, folder)
        equal(done.returncode, 0, example.command)
        if example.output:
            equal(done.stdout, example.output, example.command)
        ran.append((example.command, done.stdout))
    failed = "\n".join(output for command, output in ran if " -x " in command)
    check("refused" in failed and "closed" not in failed, "failed connections: %s" % failed)
    with open(os.path.join(folder, "conn.log")) as file:
        rows = [line.split("\t") for line in file if not line.startswith("#")]
    equal([row[11] for row in rows], ["SF", "REJ"], "conn.log: conn_state")
    equal(len(ran), 5, "examples")


def make(*arguments):
    return subprocess.run(["make", "-s", "-C", ROOT, *arguments], capture_output=True, text=True, timeout=120)


def files_in(folder):
    return sorted(os.path.relpath(os.path.join(where, name), folder)
                  for where, _, names in os.walk(folder) for name in names)


def install(folder):
    """Installs exactly these files, readable by all; uninstalling leaves a foreign file."""
    for prefix, variables in (("usr/local", []), ("opt/net tracker", ["PREFIX=/opt/net tracker"])):
        target = os.path.join(folder, "target")
        equal(make("install", "DESTDIR=" + target, *variables).returncode, 0, "install")
        installed = sorted([os.path.join(prefix, name) for name in INSTALLED] + [LOGROTATE])
        equal(files_in(target), installed, "installed")
        for name in installed:
            mode = 0o755 if name.endswith("sbin/netracker") else 0o644
            equal(os.stat(os.path.join(target, name)).st_mode & 0o777, mode, name)
        program = os.path.join(target, prefix, INSTALLED[PROGRAM])
        version = subprocess.run([program, "--version"], capture_output=True).stdout
        check(version.startswith(b"netracker "), version)
        foreign = os.path.join(target, prefix, "share", "man", "man8", "other.8")
        open(foreign, "w").close()
        for _ in range(2):
            equal(make("uninstall", "DESTDIR=" + target, *variables).returncode, 0, "uninstall")
            equal(files_in(target), [os.path.relpath(foreign, target)], "left")
        shutil.rmtree(target)


def changed_configuration(folder):
    """An administrator's changes of the logrotate file survive another installation, and its removal."""
    target = os.path.join(folder, "changed")
    equal(make("install", "DESTDIR=" + target).returncode, 0, "install")
    with open(os.path.join(target, LOGROTATE), "a") as file:
        file.write("# changed\n")
    for goal in ("install", "uninstall"):
        equal(make(goal, "DESTDIR=" + target).returncode, 0, goal)
        with open(os.path.join(target, LOGROTATE)) as file:
            check(file.read().endswith("# changed\n"), "the logrotate file after " + goal)


def run_system_tool(*command):
    if not shutil.which(command[0]):
        skip("packaging: %s is not installed" % command[0])
        return None
    return subprocess.run(command, capture_output=True, text=True)


def packaging(folder):
    """systemd and logrotate accept the installed files. The unit's program is in the folder that it is installed in."""
    target = os.path.join(folder, "of packages")
    equal(make("install", "DESTDIR=", "PREFIX=" + target, "SYSCONFDIR=" + os.path.join(target, "etc")).returncode, 0,
          "install")
    unit, ship_unit, sysusers = (os.path.join(target, name) for name in INSTALLED[:3])
    done = run_system_tool("systemd-analyze", "verify", "--man=no", unit, ship_unit)
    check(done is None or (done.returncode, done.stderr) == (0, ""), done and done.stderr)
    os.makedirs(os.path.join(folder, "root", "etc"))
    done = run_system_tool("systemd-sysusers", "--root=" + os.path.join(folder, "root"), sysusers)
    if done is not None:
        with open(os.path.join(folder, "root", "etc", "group")) as file:
            groups = dict(line.rstrip().split(":", 1) for line in file)
        equal((done.returncode, groups.get("netracker", "").endswith(":netracker-ship"), "netracker-ship" in groups),
              (0, True, True), "%s: %s" % (groups, done.stderr))
    done = run_system_tool("logrotate", "--debug", "--state", os.path.join(folder, "state"),
                           os.path.join(target, LOGROTATE))
    check(done is None or (done.returncode == 0 and "error:" not in done.stderr), done and done.stderr)


def option_docs():
    """The page's and the completion's lists of options agree with the option table."""
    done = subprocess.run([os.path.join(ROOT, "scripts", "update-option-docs"), "--check"], capture_output=True,
                          text=True)
    equal((done.returncode, done.stderr), (0, ""), "option docs")


# Targets that are parts of others, or that a line of another names.
PARTS = {"all", "help", "fuzz-targets", "unit-tests", "analyzed-objects", "format-check", "check-analyzer",
         "check-headers", "check-scan", "check-tidy"}


def make_help():
    """`make help` names existing targets only, and all but those in PARTS."""
    text = make("help").stdout
    with open(os.path.join(ROOT, "Makefile")) as file:
        targets = set(re.findall(r"^([a-z][a-z-]*):", file.read(), re.M))
    named = set(re.findall(r"^make ([a-z-]+)", text, re.M))
    equal(named - targets, set(), "names that are no targets")
    equal(targets - named, PARTS, "targets not named")


def in_folder(test):
    def with_capture():
        with tempfile.TemporaryDirectory(prefix="nt-manual-") as folder:
            with open(os.path.join(folder, "capture.pcap"), "wb") as file:
                file.write(manual.example_capture())
            test(folder)
    return with_capture


replay_harness.run([lint, table_is_read, help_texts, words_for_options, in_folder(help_examples), page_options, words_of_values,
                    in_folder(page_facts), in_folder(page_examples), in_folder(install),
                    in_folder(changed_configuration), in_folder(packaging), option_docs, make_help])
