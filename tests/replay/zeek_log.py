# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads Zeek's logs by their own header lines, as zeek-cut does."""

TYPES = {"time", "interval", "count", "port", "addr", "string", "enum", "bool", "set[string]"}


class Log:
    """One log of a file: its header, its rows, and whether #close was written."""

    def __init__(self):
        self.header, self.fields, self.types, self.rows, self.closed = {}, [], [], [], False

    def take_header(self, line):
        if line.startswith("#separator "):
            self.separator = line.split(" ")[1].encode().decode("unicode_escape")
            return
        name, *values = line[1:].split(self.separator)
        if name == "fields":
            self.fields = values
        elif name == "types":
            self.types = values
        elif name == "close":
            self.closed = True
        else:
            self.header[name] = values[0]

    def take_row(self, line):
        values = line.split(self.separator)
        if len(values) != len(self.fields) or len(self.types) != len(self.fields):
            raise ValueError(f"{len(values)} values, {len(self.fields)} fields, {len(self.types)} types: {line}")
        unset = self.header["unset_field"]
        self.rows.append({name: None if value == unset else value for name, value in zip(self.fields, values)})


def logs(text):
    """The logs of a file, each of which begins with #separator."""
    found = []
    for line in text.splitlines():
        if line.startswith("#separator "):
            found.append(Log())
        if line.startswith("#"):
            found[-1].take_header(line)
        else:
            found[-1].take_row(line)
    return found
