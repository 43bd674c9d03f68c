#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""--redact: what it makes of addresses and names is computed here anew, by Python's hmac and from docs/redaction.md."""
import base64
import hashlib
import hmac
import ipaddress
import json
import os
import subprocess
import tempfile

import test_history
from replay_harness import NETRACKER, check, equal, run
from test_history import CAPTURES, NAMES, RECORD, lines_of, read_back

KEY = b"a key of the test, \xff and \x00 too"
ADDRESSES = ("src_ip", "dst_ip", "wire_src_ip", "wire_dst_ip")
WORDS = ("comm", "exe", "host", "netns_name")
ROUNDS = 8
MANY = 4096  # hosts of 16 networks


def digest(key, kind, data):
    return hmac.new(key, kind.encode() + b"\0" + data, hashlib.sha256).digest()


def permuted(key, kind, number, half_bits, tweak):
    mask = (1 << half_bits) - 1
    left, right = number >> half_bits, number & mask
    for turn in range(ROUNDS):
        data = tweak.to_bytes(3, "big") + bytes([turn]) + right.to_bytes(2, "big")
        left, right = right, left ^ int.from_bytes(digest(key, kind, data)[:2], "big") & mask
    return left << half_bits | right


def is_kept(address):
    return int(address) >> 24 in (0, 127) if address.version == 4 else address in (ipaddress.ip_address("::"),
                                                                                ipaddress.ip_address("::1"))


def redacted_ipv4(key, address):
    network, host = int(address) >> 8, int(address) & 0xff
    host = permuted(key, "ipv4-host", host, 4, network)
    network = permuted(key, "ipv4-network", network, 12, 0)
    while network >> 16 in (0, 127):
        network = permuted(key, "ipv4-network", network, 12, 0)
    return ipaddress.IPv4Address(network << 8 | host)


def redacted_ipv6(key, address):
    network, host = digest(key, "ipv6-network", address.packed[:8]), digest(key, "ipv6-address", address.packed)
    return ipaddress.IPv6Address(b"\x3f\xff" + bytes([network[0] & 0x0f]) + network[1:6] + host[:8])


def redacted_address(key, text):
    address = ipaddress.ip_address(text)
    if is_kept(address):
        return text
    return str((redacted_ipv4 if address.version == 4 else redacted_ipv6)(key, address))


def community_id(record):
    """Community ID v1 (https://github.com/corelight/community-id-spec), seed 0, TCP."""
    ends = sorted((ipaddress.ip_address(record[side + "_ip"]).packed, record[side + "_port"]) for side in ("src", "dst"))
    data = b"\0\0" + ends[0][0] + ends[1][0] + b"\x06\0" + b"".join(port.to_bytes(2, "big") for _, port in ends)
    return "1:" + base64.b64encode(hashlib.sha1(data).digest()).decode()


def name_digest(key, kind, name):
    """JSON has \\uNNNN for all but printable ASCII, and a backslash before quotes and backslashes only."""
    text = "".join("\\" + char if char in '"\\' else char if " " <= char <= "~" else
                   "".join("\\u%04x" % int.from_bytes(unit, "big") for unit in units(char)) for char in name)
    return digest(key, kind, ('"%s"' % text).encode()).hex()


def units(char):
    data = char.encode("utf-16-be")
    return [data[index:index + 2] for index in range(0, len(data), 2)]


def expected(key, record):
    new = dict(record)
    new["id"] = name_digest(key, "id", record["id"])[:16]
    for name in ADDRESSES:
        if name in record:
            new[name] = redacted_address(key, record[name])
    for name in WORDS:
        if name in record:
            new[name] = name_digest(key, name, record[name])[:12]
    if "cgroup" in record:
        new["cgroup"] = "/" + name_digest(key, "cgroup", record["cgroup"])[:12]
    if "container" in record:
        new["container"] = name_digest(key, "container", record["container"])
    new["community_id"] = community_id(new)
    return new


def shipped(record, key=KEY):
    """What `netracker ship --redact` sends of a record: without the Community ID, which a history has not."""
    new = expected(key, record)
    del new["community_id"]
    return new


def key_file(folder, key=KEY, mode=0o600, name="key"):
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        file.write(key)
    os.chmod(path, mode)
    return path


def netracker(*arguments, lines=b""):
    return subprocess.run([NETRACKER, *arguments], input=lines, capture_output=True, timeout=60, check=False)


def records(*arguments, lines=b""):
    events = ("--events", "update") if lines else ()
    done = netracker("replay", "-q", "-f", "json", *events, *arguments, lines=lines)
    equal((done.returncode, done.stderr), (0, b""), arguments)
    return [json.loads(line) for line in done.stdout.splitlines()]


def captures(folder):
    """Each record of each capture, with all that is in it, and nothing but what the document names is changed."""
    path, count = key_file(folder), 0
    for name in NAMES:
        capture = os.path.join(CAPTURES, name)
        plain = netracker("replay", "-q", "-f", "json", capture)
        found = netracker("replay", "-q", "-f", "json", "--redact", path, capture)
        equal(found.returncode, plain.returncode, name)
        plain, found = ([json.loads(line) for line in done.stdout.splitlines()] for done in (plain, found))
        equal(found, [expected(KEY, record) for record in plain], name)
        count += len(found)
    check(count > 50, "%d records" % count)


def every_key(folder):
    """A record with every key, whose names have bytes of every kind; stable within a key, another one with another."""
    path, other = key_file(folder), key_file(folder, KEY + b"2", name="other")
    plain, = records("-", lines=lines_of(RECORD))
    for key in ("host", "netns_name", "wire_src_ip", "comm", "exe", "cgroup", "container"):
        check(key in plain, "the record has no %s" % key)
    first, = records("--redact", path, "-", lines=lines_of(RECORD))
    equal(first, expected(KEY, plain), "every key")
    equal(records("--redact", path, "-", lines=lines_of(RECORD)), [first], "again")
    second, = records("--redact", other, "-", lines=lines_of(RECORD))
    equal(second, expected(KEY + b"2", plain), "another key")
    changed = {key for key in plain if first[key] != plain[key]}
    equal(changed, {"id", "community_id", "cgroup", "container", *ADDRESSES, *WORDS}, "what is replaced")
    equal({key for key in first if first[key] != second[key]}, changed, "what depends on the key")
    text = json.dumps(first)
    for key in changed:
        check(str(plain[key]) not in text, "%s is still there" % key)


def addresses(folder):
    """No two addresses become one, those of one /24 stay together, and addresses that name nobody stay as they are."""
    path = key_file(folder)
    sources = ["10.%d.%d.%d" % (index >> 11, index >> 8 & 7, index & 0xff) for index in range(MANY)]
    lines = lines_of(*(dict(RECORD, id="%016x" % index, family="ipv4", src_ip=source, dst_ip="127.0.0.1")
                       for index, source in enumerate(sources)))
    found = records("--redact", path, "-", lines=lines)
    equal([record["src_ip"] for record in found], [redacted_address(KEY, source) for source in sources], "addresses")
    equal(len({record["src_ip"] for record in found}), MANY, "different ones")
    networks = {}
    for source, record in zip(sources, found):
        networks.setdefault(source.rpartition(".")[0], set()).add(record["src_ip"].rpartition(".")[0])
    equal(sorted(map(len, networks.values())), [1] * 16, "networks of one network")
    equal(len(set.union(*networks.values())), 16, "different networks")
    equal({record["dst_ip"] for record in found}, {"127.0.0.1"}, "the loopback address")
    lines = lines_of(*(dict(RECORD, id="%016x" % index, src_ip=source, dst_ip="::1")
                       for index, source in enumerate(["fe80::1", "fe80::2", "2001:db8::1", "::"])))
    found = [record["src_ip"] for record in records("--redact", path, "-", lines=lines)]
    equal(found, [redacted_address(KEY, text) for text in ("fe80::1", "fe80::2", "2001:db8::1", "::")], "IPv6")
    equal((found[0][:19], found[3]), (found[1][:19], "::"), "one network; the unspecified address")
    check(all(text.startswith("3fff:") for text in found[:3]), found)


def histories(folder):
    """The history has what the output has, and no original; a history that has the originals can be exported redacted."""
    path = key_file(folder)
    redacted, plain = os.path.join(folder, "redacted"), os.path.join(folder, "plain")
    done = test_history.write_history(redacted, "--redact", path, lines=lines_of(RECORD))
    equal((done.returncode, done.stderr), (0, b""), "replay")
    equal(read_back(redacted), done.stdout, "the history")
    for name in os.listdir(redacted):
        with open(os.path.join(redacted, name), "rb") as file:
            data = file.read()
        for original in (ipaddress.ip_address(RECORD["src_ip"]).packed, b"sbin", b"a.slice", b"db-1", b"blue"):
            check(original not in data, "%r is in %s" % (original, name))
    test_history.write_history(plain, lines=lines_of(RECORD))
    exported = netracker("query", "-q", "-f", "json", "-S", "2023-01-01", "--redact", path, "--from", plain, "--comm",
                         RECORD["comm"])
    equal((exported.returncode, exported.stdout), (0, done.stdout), exported.stderr)


def filters(folder):
    """The filter sees the originals."""
    path, capture = key_file(folder), os.path.join(CAPTURES, NAMES[0])
    plain = records(capture)
    source = plain[0]["src_ip"]
    found = records("--redact", path, "--net", source, capture)
    equal(found, [expected(KEY, record) for record in plain if source in (record["src_ip"], record["dst_ip"])], source)
    equal(records("--redact", path, "--net", redacted_address(KEY, source), capture), [], "the redacted address")


def keys(folder):
    """The key is the file without the end of its line; a file that is no key is one line, and status 1."""
    capture = os.path.join(CAPTURES, NAMES[0])
    equal(records("--redact", key_file(folder, KEY + b"\r\n"), capture), records("--redact", key_file(folder), capture),
          "the end of a line")
    key_file(folder, b"k" * 16)
    equal(len(records("--redact", os.path.join(folder, "key"), capture)), len(records(capture)), "16 bytes")
    for path, words in ((os.path.join(folder, "none"), "No such file"), (folder, "no regular file"),
                        (key_file(folder, b"k" * 15 + b"\n\n", name="short"), "at least 16 bytes"),
                        (key_file(folder, b"", name="empty"), "at least 16 bytes"),
                        (key_file(folder, b"k" * 4097, name="long"), "at most 4096 bytes"),
                        (key_file(folder, mode=0o604, name="open"), "others may read it")):
        done = netracker("replay", "--redact", path, capture)
        equal((done.returncode, done.stdout, done.stderr.count(b"\n")), (1, b"", 1), path)
        check(words.encode() in done.stderr, done.stderr)


def refused(folder):
    """What would show originals, or values that depend on them."""
    path = key_file(folder)
    for arguments in (("replay", "--summary", "-"), ("replay", "--resolve", "-"), ("replay", "-f", "zeek", "-"),
                      ("query", "--by", "comm"), ("query", "--summary"), ("list", "--resolve"), ("--summary",),
                      *(("list", "--sort", key) for key in ("comm", "exe", "src", "local", "cgroup", "id"))):
        done = netracker(*arguments, "--redact", path)
        equal((done.returncode, done.stdout, done.stderr.count(b"\n")), (2, b"", 1), arguments)
        check(b"--redact" in done.stderr, done.stderr)


def within(test):
    def in_folder():
        with tempfile.TemporaryDirectory() as folder:
            test(folder)
    in_folder.__name__ = test.__name__
    return in_folder


if __name__ == "__main__":
    run([within(test) for test in (captures, every_key, addresses, histories, filters, keys, refused)])
