#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Text, and the columns of text, CSV and TSV: widths, headings, dates, --columns and --no-header, against docs/text.md."""
import fcntl
import glob
import os
import pty
import struct
import subprocess
import termios

import replay_harness
from pcap import capture, connection
from replay_harness import NETRACKER, check, equal, replay

USAGE = 2
CAPTURES = sorted(glob.glob(os.path.join(os.path.dirname(__file__), "captures", "*.pcap*")))[::4]
LONG_IPV6 = [("2001:db8:1111:2222:3333:4444:5555:%x" % (0x6666 + number), 65000) for number in range(2)]
MIDNIGHT = 6400  # seconds after the captures' clock begins, 2023-11-14T22:13:20Z
SHOWN_AT = {100: {"TIME", "PID", "COMM", "ROLE", "SRC", "DST", "OUTCOME", "LASTED"},
            132: {"HANDSHAKE", "SENT", "RECEIVED", "RETRANS", "GAPS"},
            200: {"RTT", "REASON", "NETNS", "CONTAINER"}}


def text(data, *arguments, file="-", zone="UTC"):
    """Returns the lines of text."""
    done = subprocess.run([NETRACKER, "replay", "-q", *arguments, file], input=data, stdout=subprocess.PIPE,
                          env=dict(os.environ, TZ=zone), timeout=60, check=True)
    return done.stdout.decode("ascii").splitlines()


def on_terminal(path, columns):
    """Returns the lines on a terminal."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    done = subprocess.Popen([NETRACKER, "replay", "-q", path], stdout=slave, env=dict(os.environ, TERM="dumb", TZ="UTC"))
    os.close(slave)
    output = b""
    while True:
        try:
            output += os.read(master, 65536)
        except OSError:
            break
    os.close(master)
    equal(done.wait(), 0, path)
    return output.decode("ascii").splitlines()


def fits_the_width():
    for path in CAPTURES:
        for width in (40, 64, 80, 91, 100, 120, 132, 151, 200):
            lines = text(None, "--width", str(width), file=path)
            check(max(map(len, lines)) <= width, f"{path}: {max(map(len, lines))} characters, {width} asked for")
            check(lines[0].split()[0] in ("TIME", "SRC"), lines[0])
    lines = text(capture(connection()))
    check(max(map(len, lines)) <= 132, "into a pipe 132")


def pipe_and_terminal():
    """Into a pipe, text is what a terminal of 132 characters shows."""
    for path in CAPTURES[:6]:
        equal(text(None, file=path), on_terminal(path, 132), path)


def headings():
    for width, wanted in SHOWN_AT.items():
        found = set(text(capture(connection()), "--width", str(width))[0].split())
        check(wanted <= found, f"{width}: {wanted - found} missing")
    line = text(capture(connection()), "--width", "100")[-1].split()
    check("packets" in line, line)


def long_addresses():
    """A record in a pipe is one line; with --width it continues in the next."""
    data = capture(connection(LONG_IPV6[0], LONG_IPV6[1]))
    lines = text(data)
    equal(len(lines), 3, lines)  # heading, date, record
    for address, _ in LONG_IPV6:
        check("[%s]:65000" % address in lines[-1], lines[-1])
    check(max(map(len, text(data, "--width", "132"))) <= 132, "--width 132")


def dates():
    packets = connection(("198.18.0.9", 40000)) + connection(("198.18.0.9", 40001), at=1)
    packets += connection(("198.18.0.9", 40002), at=MIDNIGHT + 1) + connection(("198.18.0.9", 40003), at=MIDNIGHT + 2)
    lines = text(capture(packets))
    equal([line for line in lines if not line[0].isdigit()][1:], ["-- 2023-11-14 --", "-- 2023-11-15 --"], "UTC")
    equal([line[0].isdigit() for line in lines], [False, False, True, True, False, True, True], lines)
    check(lines[2].startswith("22:13:20 ") and lines[5].startswith("00:00:01 "), lines)
    lines = text(capture(packets), zone="UTC-3")  # three hours east: the day changes earlier
    equal([line for line in lines if line.startswith("--")], ["-- 2023-11-15 --"], "another time zone")
    check(lines[2].startswith("01:13:20 "), lines)
    equal(len(text(capture(packets), "--no-header")), 4, "--no-header leaves out dates")


def chosen_columns():
    data = capture(connection(("198.18.0.9", 40000), ("198.18.0.1", 80)))
    record = replay(data).records[0]
    equal(text(data, "--columns", "src,dst_port,src_bytes,sent", "--columns", "outcome", "--no-header")[0].split(),
          ["198.18.0.9:40000", "80", "10", "10", "closed:src"], "text")
    equal(text(data, "--columns", "duration_ns,lasted,pid")[0].split(), ["DURATION_NS", "LASTED", "PID"], "headings")
    equal(text(data, "--columns", "duration_ns,pid,complete,gaps,seen", "--no-header")[0].split(),
          [str(record["duration_ns"]), "-", "true", "-", "wire+packets"], "values")
    for form, separator in (("csv", ","), ("tsv", "\t")):
        lines = text(data, "-f", form, "--columns", "dst_port,src_ip,pid,seen,id")
        equal(lines, [separator.join(("dst_port", "src_ip", "pid", "seen", "id")),
                      separator.join(("80", "198.18.0.9", "", "wire+packets", record["id"]))], form)
        equal(text(data, "-f", form, "--no-header", "--columns", "dst_port"), ["80"], form)
        whole = text(data, "-f", form)
        equal(text(data, "-f", form, "--no-header"), whole[1:], f"{form}: every column without heading")
        names = whole[0].split(separator)
        equal(text(data, "-f", form, "--columns", ",".join(names)), whole, f"{form}: all columns by name")


def every_key_is_a_column():
    data = capture(connection())
    keys = [name for record in replay(data).records for name in record]
    lines = text(data, "--columns", ",".join(keys), "--no-header")
    equal((len(lines), len(lines[0].split())), (1, len(keys)), "one line with a word for each key")


def refused(*arguments):
    done = subprocess.run([NETRACKER, "replay", *arguments, "x.pcap"], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=20)
    equal((done.returncode, done.stdout, done.stderr.count("\n")), (USAGE, "", 1), arguments)
    return done.stderr


def wrong_options():
    for arguments, word in ((("--columns", "pdi"), "'pdi'; nearest: pid;"),
                            (("--columns", "pid,outcom,x"), "'outcom'; nearest: outcome;"),
                            (("-f", "csv", "--columns", "duration"), "csv has no column 'duration'; "),
                            (("--columns", "src_byte", "-f", "tsv"), "nearest: src_bytes;"),
                            (("-f", "json", "--columns", "pid"), "--columns is for -f text, csv and tsv"),
                            (("-f", "trace", "--no-header"), "--no-header is for"),
                            (("-f", "csv", "--width", "100"), "--width is for -f text"),
                            (("--width", "39"), "a number from 40"), (("--width", "x"), "a number from 40"),
                            (("--columns", "pid,,comm"), "has no column ''"),
                            (("--summary", "--columns", "pid"), "with -o")):
        check(word in refused(*arguments), f"{arguments}: {refused(*arguments)}")


if __name__ == "__main__":
    replay_harness.run([fits_the_width, pipe_and_terminal, headings, long_addresses, dates, chosen_columns,
                        every_key_is_a_column, wrong_options])
