# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the manual share: the program's options as it has them itself, the page, its examples."""
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
COMMANDS = ["", "list", "replay", "explain", "attach", "status", "detach"]
TRACK = "track"  # what the page calls the command without a name
RULE = re.compile(r'^\t\t\.name = "([a-z0-9-]+)",(?: \.letter = \'(.)\',)?', re.M)


class Option:
    def __init__(self, name, letter):
        self.name, self.letter = "--" + name, "-" + letter if letter else None
        self.takes_value = "takes no value" not in run("%s=x" % self.name, "--help").stderr
        self.commands = {command for command in COMMANDS if self.belongs_to(command)}

    def belongs_to(self, command):
        """By what the program says of it; it never runs, as --help follows, or the value is wrong."""
        given = self.name + "=x" if self.takes_value else self.name
        return "not an option of" not in run(*command.split(), given, "--help").stderr

    def spellings(self):
        return {self.name, self.letter} - {None}

    def words(self):
        """Where its value is of a few words: these, as the program says when it is given another."""
        command, = sorted(self.commands)[:1]
        said = run(*command.split(), self.name + "=?", "--help").stderr if self.takes_value else ""
        match = re.search(r"; valid: ([a-z]+(?:, [a-z]+)*);", said)
        return match[1].split(", ") if match else []


def run(*arguments):
    return subprocess.run([NETRACKER, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=20)


def options():
    with open(os.path.join(ROOT, "src", "cli", "option_table.c")) as file:
        return [Option(*match) for match in RULE.findall(file.read())]


def spellings_in(text):
    """The options that a text names."""
    return set(re.findall(r"(?<![\w/=:-])(--[a-z][a-z0-9-]*|-[A-Za-z46])(?![\w-])", text))


def page():
    """As mandoc prints it on a wide terminal; None where there is no mandoc."""
    try:
        done = subprocess.run(["mandoc", "-Tascii", "-Owidth=500", PAGE], capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return re.sub(".\b", "", done.stdout)


def section(text, name):
    """name: of the page's section or sub-section."""
    lines = text.split("\n")
    begin = next(number for number, line in enumerate(lines) if line.strip() == name)
    depth = len(lines[begin]) - len(lines[begin].lstrip())
    end = next((number for number, line in enumerate(lines) if number > begin and line.strip() and
                len(line) - len(line.lstrip()) <= depth), len(lines))
    return "\n".join(lines[begin + 1:end])


class Example:
    """A command of the page, and what it is said to print."""

    def __init__(self, prompt, command):
        self.needs_root, self.command, self.output = prompt == "#", command, ""


def examples():
    """From the page's source: literal lines that begin with a prompt, and those that follow in a literal block."""
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
    """The command lines in its help text. What is indented further says what the line above does."""
    lines = run(*command.split(), "--help").stdout.split("\nExamples:\n")[1].splitlines()
    return [re.split(r"  +", line.strip(), maxsplit=1)[0] for line in lines if not line.startswith("   ")]


def checksum(data):
    """RFC 1071."""
    total = sum(struct.unpack(">%dH" % (len(data) // 2 + len(data) % 2), data + b"\0" * (len(data) % 2)))
    total = (total & 0xffff) + (total >> 16)
    return struct.pack(">H", ~(total + (total >> 16)) & 0xffff)


def with_checksums(frame):
    """The same Ethernet frame with those of IPv4 and TCP, which pcap.packet() leaves 0."""
    ethernet, ip, segment = frame[:14], frame[14:34], frame[34:]
    pseudo_header = ip[12:20] + struct.pack(">HH", 6, len(segment))
    return (ethernet + ip[:10] + checksum(ip) + ip[12:] + segment[:16] + checksum(pseudo_header + segment) +
            segment[18:])


def example_capture():
    """What the page calls capture.pcap: a connection that is closed after 50 ms, and one refused."""
    client, server = ("198.18.0.9", 40001), ("198.18.0.1", 443)
    refused = [(1, pcap.packet(client, server, pcap.SYN, 1)),
               (1.001, pcap.packet(server, client, pcap.RST | pcap.ACK, 0, 2))]
    return pcap.capture([(time, with_checksums(frame)) for time, frame in pcap.connection() + refused])
