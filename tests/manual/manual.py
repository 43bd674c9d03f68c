# SPDX-License-Identifier: GPL-2.0-or-later
"""Shared parts of the tests of the manual: the program's own options, the page, its examples."""
import os
import re
import struct
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests", "replay"), os.path.join(ROOT, "tests")]
import pcap  # noqa: E402

NETRACKER = os.path.join(ROOT, "build", "netracker")
PAGE = os.path.join(ROOT, "man", "netracker.8")
COMPLETION = os.path.join(ROOT, "completion", "netracker.bash")
COMMANDS = ["", "record", "list", "replay", "query", "ship", "explain", "attach", "status", "detach"]
TRACK = "track"  # the page's name of the command without a name
RULE = re.compile(r'^\t\t\.name = "([a-z0-9-]+)",(?: \.letter = \'(.)\',)?((?:.*\n)*?)\t\},', re.M)


class Option:
    def __init__(self, name, letter, rule):
        self.name, self.letter = "--" + name, "-" + letter if letter else None
        self.needs_value = ".optional" not in rule
        self.takes_value = "takes no value" not in run("%s=x" % self.name, "--help").stderr
        self.commands = {command for command in COMMANDS if self.belongs_to(command)}

    def belongs_to(self, command):
        """Whether the program accepts it for a command. --help or a wrong value keeps the command from running."""
        given = self.name + "=x" if self.takes_value else self.name
        return "not an option of" not in run(*command.split(), given, "--help").stderr

    def spellings(self):
        return {self.name, self.letter} - {None}

    def words(self):
        """Returns the valid words of its value, by the program's error message; empty if any value is allowed."""
        command, = sorted(self.commands)[:1]
        message = run(*command.split(), self.name + "=?", "--help").stderr if self.takes_value else ""
        match = re.search(r"; valid: ([a-z]+(?:, [a-z]+)*);", message)
        return match[1].split(", ") if match else []


def run(*arguments):
    return subprocess.run([NETRACKER, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=20)


def options():
    with open(os.path.join(ROOT, "src", "cli", "option_table.c")) as file:
        return [Option(*match) for match in RULE.findall(file.read())]


def spellings_in(text):
    """Returns the options that a text names."""
    return set(re.findall(r"(?<![\w/=:-])(--[a-z][a-z0-9-]*|-[A-Za-z46])(?![\w-])", text))


def page():
    """Returns the page as mandoc prints it on a wide terminal; None without mandoc."""
    try:
        done = subprocess.run(["mandoc", "-Tascii", "-Owidth=500", PAGE], capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return re.sub(".\b", "", done.stdout)


def section(text, name):
    """Returns the text of the page's section or sub-section `name`."""
    lines = text.split("\n")
    begin = next(number for number, line in enumerate(lines) if line.strip() == name)
    depth = len(lines[begin]) - len(lines[begin].lstrip())
    end = next((number for number, line in enumerate(lines) if number > begin and line.strip() and
                len(line) - len(line.lstrip()) <= depth), len(lines))
    return "\n".join(lines[begin + 1:end])


class Example:
    """A command of the page, and the output that the page shows; empty if none."""

    def __init__(self, prompt, command):
        self.needs_root, self.command, self.output = prompt == "#", command, ""


def examples():
    """Reads the page's examples: literal lines that begin with a prompt, and the lines that follow in a literal block."""
    found, literal = [], False
    with open(PAGE) as file:
        text = file.read()
    for line in text[text.index(".Sh EXAMPLES"):text.index(".Sh SEE ALSO")].split("\n"):
        match = re.match(r"(?:\.Dl )?([#$]) (.*)", line)
        literal = line.startswith(".Bd -literal") or (literal and line != ".Ed")
        if match:
            found.append(Example(*match.groups()))
        elif literal and not line.startswith("."):
            found[-1].output += line + "\n"
    return found


def help_examples(command):
    """Returns the command lines in its help text, without the further indented lines, which describe them."""
    lines = run(*command.split(), "--help").stdout.split("\nExamples:\n")[1].splitlines()
    return [re.split(r"  +", line.strip(), maxsplit=1)[0] for line in lines if not line.startswith("   ")]


def checksum(data):
    """Returns the checksum of RFC 1071."""
    total = sum(struct.unpack(">%dH" % (len(data) // 2 + len(data) % 2), data + b"\0" * (len(data) % 2)))
    total = (total & 0xffff) + (total >> 16)
    return struct.pack(">H", ~(total + (total >> 16)) & 0xffff)


def with_checksums(frame):
    """Sets the checksums of IPv4 and TCP in an Ethernet frame, which pcap.packet() leaves 0."""
    ethernet, ip, segment = frame[:14], frame[14:34], frame[34:]
    pseudo_header = ip[12:20] + struct.pack(">HH", 6, len(segment))
    return (ethernet + ip[:10] + checksum(ip) + ip[12:] + segment[:16] + checksum(pseudo_header + segment) +
            segment[18:])


def example_capture():
    """Returns the page's capture.pcap: a connection that is closed after 50 ms, and a refused one."""
    client, server = ("198.18.0.9", 40001), ("198.18.0.1", 443)
    refused = [(1, pcap.packet(client, server, pcap.SYN, 1)),
               (1.001, pcap.packet(server, client, pcap.RST | pcap.ACK, 0, 2))]
    return pcap.capture([(time, with_checksums(frame)) for time, frame in pcap.connection() + refused])
