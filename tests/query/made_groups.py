# SPDX-License-Identifier: GPL-2.0-or-later
"""The groups that netracker query --by must answer, computed from the records of the made history."""
import ipaddress
import pwd

import made_history as made
from made_history import FAILED, SECOND, peer_of

TIME_KEYS = {"10m": 600, "1h": 3600}


def net_of(address, bits):
    is_ipv4 = "." in address
    length = min(bits, 32) if is_ipv4 else 64 if bits <= 32 else bits
    return str(ipaddress.ip_network("%s/%d" % (address, length), strict=False))


def user_of(uid):
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return uid


def value_of(key, values):
    """Of one record; None is unknown."""
    if key in TIME_KEYS:
        end = made.in_ns(values["time"])
        return made.rfc3339(end - end % (TIME_KEYS[key] * SECOND))[:23] + "Z"
    if key.startswith("net/"):
        return net_of(peer_of(values), int(key[4:]))
    if key == "peer":
        return peer_of(values)
    if key == "service":
        return ("%s:%d" if "." in values["dst_ip"] else "[%s]:%d") % (values["dst_ip"], values["dst_port"])
    if key == "user":
        return user_of(values["uid"]) if "uid" in values else None
    value = values.get({"port": "dst_port"}.get(key, key))
    return {True: "true", False: "false"}.get(value, value) if isinstance(value, bool) else value


def groups_of(keys, records):
    """Returns the rows by the tuple of their keys' values."""
    rows = {}
    for values in records:
        row = rows.setdefault(tuple(value_of(key, values) for key in keys), {"conns": 0, "failed": 0})
        row["conns"] += 1
        row["failed"] += values["outcome"] in FAILED
        local, other = ("dst", "src") if values["role"] == "server" else ("src", "dst")
        for column, names in (("sent", [local + "_bytes"]), ("received", [other + "_bytes"]),
                              ("retrans", ["src_retransmits", "dst_retransmits"])):
            for name in names:
                if name in values:
                    row[column] = row.get(column, 0) + values[name]
    return rows


def percentile(numbers, percent):
    """Nearest rank."""
    return sorted(numbers)[(len(numbers) * percent + 99) // 100 - 1] if numbers else None


def name_of(key):
    return "time" if key in TIME_KEYS else key


def rows_in(answer, keys):
    """The JSON rows as groups_of() has them, in their order."""
    rows = []
    for row in answer.objects:
        found = tuple(row.pop(name_of(key), None) for key in keys)
        rows.append((found, row))
    return rows
