#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netracker query --by: the groups are those that this program computes from the records that it put into the history."""
import csv
import io
import json

import made_history as made
from made_groups import groups_of, net_of, percentile, rows_in, user_of, value_of
from made_history import END, FAILED, HOUR, SECOND, Answer, check, equal, local_time, newest, peer_of


def compare(keys, records, *arguments):
    answer = Answer("-f", "json", "--by", ",".join(keys), *arguments)
    rows = rows_in(answer, keys)
    equal(answer.status, 0, answer.errors)
    equal(dict(rows), groups_of(keys, records), "--by %s %s" % (keys, arguments))
    equal(len(rows), len(dict(rows)), "each group once")
    check(rows, "%s: groups" % keys)
    return rows


def keys_one_by_one():
    for key in ("comm", "exe", "pid", "user", "uid", "cgroup", "container", "peer", "net/24", "net/16", "net/0", "net/48", "net/128",
                "port", "service", "role", "outcome", "reason", "ended_by", "host", "event", "family", "src_ip", "dst_ip",
                "complete", "start", "10m", "1h", "seen", "handshake_ns"):
        records = newest()
        if key == "seen":
            answer = Answer("-f", "json", "--by", key)
            equal([row["seen"] for row in answer.objects], ["wire"], key)
            continue
        compare([key], records)


def several_keys():
    compare(["comm", "port", "outcome"], newest())
    compare(["host", "exe", "user"], [values for values in newest() if "203.0.113.9" in (values["src_ip"], values["dst_ip"])],
            "--net", "203.0.113.9")
    begin, end = END - 20 * HOUR, END - 19 * HOUR
    compare(["peer", "role"], newest(begin, end), "-S", local_time(begin), "-U", local_time(end))


def orders():
    records = newest()
    expected = groups_of(["peer"], records)
    for column in ("conns", "failed", "sent", "received", "retrans"):
        for arguments, sign in (([], -1), (["-r"], 1)):
            rows = compare(["peer"], records, "--sort", column, *arguments)
            numbers = [row[column] for _, row in rows]
            equal(numbers, sorted(numbers, key=lambda number: sign * number), "--sort %s %s" % (column, arguments))
    equal(Answer("-f", "json", "--by", "peer", "--sort", "recv").output,
          Answer("-f", "json", "--by", "peer", "--sort", "received").output, "recv, as in filters")
    numbers = [row["conns"] for _, row in compare(["peer"], records)]
    equal(numbers, sorted(numbers, reverse=True), "the default: most connections first")
    times = [key for key, _ in compare(["1h"], records)]
    equal(times, sorted(times), "the default of times: their order")
    top = rows_in(Answer("-f", "json", "--by", "peer", "--sort", "sent", "--top", "3"), ["peer"])
    equal([key for key, _ in top], sorted(expected, key=lambda key: -expected[key]["sent"])[:3], "--top")
    answer = Answer("--by", "peer", "--top", "3")
    check("netracker: %d more groups; --top shows the first 3\n" % (len(expected) - 3) in answer.errors, answer.errors)


def percentiles():
    records = newest()
    for name, key, value in (("p95:handshake_ns", "1h", lambda values: values.get("handshake_ns")),
                             ("p50:duration", "comm", lambda values: values["duration_ns"]),
                             ("p99:sent", "peer", lambda values: values.get(
                                 "dst_bytes" if values["role"] == "server" else "src_bytes")),
                             ("p100:retrans", "comm", lambda values: values["src_retransmits"] + values["dst_retransmits"]),
                             ("p95:rtt_us", "comm", lambda values: values.get("rtt_us")),
                             ("p1:handshake_ns", "outcome", lambda values: values.get("handshake_ns"))):
        numbers = {}
        for values in records:
            if value(values) is not None:
                numbers.setdefault((value_of(key, values),), []).append(value(values))
        rows = rows_in(Answer("-f", "json", "--by", key, "--sort", name), [key])
        percent = int(name[1:].split(":")[0])
        equal({group: row.get(name) for group, row in rows},
              {group: percentile(numbers.get(group), percent) for group in groups_of([key], records)}, name)
        shown = [row[name] for _, row in rows]
        equal(shown, sorted(shown, reverse=True), name + ": the highest first")


def microseconds():
    """A number is in the unit of its name; text has a unit."""
    records = [values for values in newest() if values.get("comm") == "curl" and "rtt_us" in values]
    wanted = percentile([values["rtt_us"] for values in records], 50)
    arguments = ["--by", "comm", "-c", "curl", "--sort", "p50:rtt_us"]
    equal(Answer(*arguments, "-f", "csv").output.splitlines()[1].split(",")[-1], str(wanted), "csv")
    text = Answer(*arguments).output.splitlines()[1].split()[-1]
    equal(text.endswith("ms") and float(text[:-2]), float("%.3g" % (wanted / 1000)), "text: %s" % text)


def unknown_comes_last():
    """Without handshakes no percentile is known; such groups are last in both directions."""
    for arguments in ([], ["-r"]):
        rows = Answer("-f", "json", "--by", "id", "--sort", "p50:handshake_ns", "-c", "nginx", *arguments).objects
        known = ["p50:handshake_ns" in row for row in rows]
        equal(known, sorted(known, reverse=True), "known first")
        check(0 < sum(known) < len(known), "some are unknown")


def only_new():
    """Groups that no record before the span has, of those that the filter accepts."""
    begin = END - HOUR
    for keys, arguments, accepts in ((["exe", "peer"], [], lambda values: True),
                                     (["pid", "peer"], ["--role", "client"], lambda values: values["role"] == "client"),
                                     (["src_port"], ["-x"], lambda values: values["outcome"] in FAILED)):
        before = {tuple(value_of(key, values) for key in keys) for values in made.RECORDS
                  if made.in_ns(values["time"]) < begin and accepts(values)}
        wanted = {key: row for key, row in groups_of(keys, filter(accepts, newest(begin))).items() if key not in before}
        rows = rows_in(Answer("-f", "json", "-S", local_time(begin), "--by", ",".join(keys), "--new", *arguments), keys)
        equal(dict(rows), wanted, "--new %s" % keys)


def formats():
    keys = ["comm", "net/24"]
    expected = groups_of(keys, newest())
    names = keys + ["conns", "failed", "sent", "received", "retrans"]
    for name, separator in (("csv", ","), ("tsv", "\t")):
        answer = Answer("-f", name, "--by", ",".join(keys))
        rows = list(csv.reader(io.StringIO(answer.output), delimiter=separator))
        equal(rows[0], names, name)
        equal({tuple(row[:2]): row[2:] for row in rows[1:]},
              {tuple(key or "" for key in group): [str(row[column]) for column in names[2:]] for group, row in expected.items()},
              name)
        equal(Answer("-f", name, "--by", ",".join(keys), "--no-header").output, answer.output.split("\n", 1)[1], "--no-header")
    lines = Answer("--by", ",".join(keys), "--sort", "p50:handshake").output.splitlines()
    equal(lines[0].split(), [heading.upper() for heading in names + ["p50:handshake"]], "text")
    equal({len(line) for line in lines}, {len(lines[0])}, "the columns are aligned")
    equal(sorted(int(line.split()[2]) for line in lines[1:]), sorted(row["conns"] for row in expected.values()), "numbers")
    check(any(line.startswith("- ") for line in lines), "unknown is a minus sign: %s" % lines)


def hostile_names():
    """Names of any bytes break neither lines nor cells nor the terminal."""
    folder = made.new_folder("hostile")
    name = "a\u001b]0;\n\",\\"
    made.write_history(folder, [dict(newest()[0], comm=name)])
    equal(Answer("-f", "json", "--by", "comm", folder=folder).objects[0]["comm"], name, "json")
    for arguments in (["-f", "csv"], ["-f", "tsv"], []):
        output = Answer("--by", "comm", *arguments, folder=folder).output
        check(output.count("\n") == 2 and output.isascii() and "\u001b" not in output, "%s: %r" % (arguments, output))


def wrong_usage():
    for arguments, reason in ((["--by", "nosuch"], "'nosuch' is no key"), (["--by", "com"], "nearest: comm"),
                              (["--by", "comm,,pid"], "'' is no key"), (["--by", "net/129"], "'net/129' is no key"),
                              (["--by", "0m"], "'0m' is no key"), (["--by", ",".join(["comm"] * 9)], "more than 8 keys"),
                              (["--by", "comm", "--sort", "weight"], "'weight' is not valid with --by"),
                              (["--by", "comm", "--sort", "p95:comm"], "is not valid with --by"),
                              (["--by", "comm", "--sort", "p101:handshake_ns"], "is not valid with --by"),
                              (["--by", "comm", "--sort", "p0:handshake_ns"], "is not valid with --by"),
                              (["--by", "comm", "-n", "5"], "--top limits"), (["--by", "comm", "--columns", "pid"], "--columns"),
                              (["--by", "comm", "--new"], "--new needs -S"), (["--new", "-S", "today"], "--new is for"),
                              (["--sort", "sent"], "--sort is for"), (["--top", "3"], "--top is for"),
                              (["--by", "backlog"], "'backlog' is no key; valid: ")):
        answer = Answer(*arguments)
        equal((answer.status, answer.output, len(answer.errors.splitlines())), (2, "", 1), " ".join(arguments))
        check(reason in answer.errors, "%s: %s" % (arguments, answer.errors))


def statuses():
    equal(Answer("--by", "comm", "-x", "--fail-if-any").status, 6, "--fail-if-any")
    nothing = Answer("--by", "comm", "-c", "nothing", "--fail-if-any")
    equal((nothing.status, nothing.output.split()[0]), (0, "COMM"), "no group")


# The questions 1 to 12 that users ask of such data, as they would type them.
def questions():
    week, begin = newest(), END - HOUR

    def among(accepts, records=None):
        return list(filter(accepts, week if records is None else records))

    def of_client(values):
        return values["role"] == "client"

    equal(Answer("-f", "json", "-S", "-7d", "--net", "203.0.113.9").ids,
          [values["id"] for values in among(lambda values: peer_of(values) == "203.0.113.9")], "what talked to this address")
    compare(["host", "exe", "user"], among(lambda values: peer_of(values) == "203.0.113.9"), "-S", "-7d", "--net", "203.0.113.9")
    moment = END - 5 * HOUR
    alive = [values for values in made.RECORDS
             if made.in_ns(values["start"]) < moment + 60 * SECOND and made.in_ns(values["time"]) >= moment]
    equal(Answer("-f", "json", "--at", local_time(moment)[:16]).ids, [values["id"] for values in newest(records=alive)],
          "what was open at this time")
    hour = newest(begin)
    talkers = rows_in(Answer("-f", "json", "-S", local_time(begin), "--by", "peer", "--sort", "sent", "--top", "2"), ["peer"])
    sums = groups_of(["peer"], hour)
    equal(talkers, sorted(sums.items(), key=lambda item: -item[1].get("sent", 0))[:2], "top talkers")
    compare(["comm", "port", "outcome"], among(lambda values: values["outcome"] in FAILED, hour), "-S", local_time(begin), "-x")
    compare(["ended_by", "reason", "peer"], among(lambda values: values["outcome"] == "reset"), "-S", "-7d", "--outcome", "reset")
    refusals = among(lambda values: values["outcome"] == "refused" and values["dst_port"] == 5432 and values["role"] != "server")
    rows = compare(["10m"], refusals, "-S", "-7d", "-D", "5432", "--outcome", "refused")
    equal(rows[0][0][0], value_of("10m", refusals[0]), "when the refusals began")
    in_zone = among(lambda values: peer_of(values).startswith("10.3."))
    rows = rows_in(Answer("-f", "json", "--net", "10.3.0.0/16", "--by", "1h", "--sort", "p95:handshake_ns"), ["1h"])
    slowest = {}
    for values in in_zone:
        slowest.setdefault(value_of("1h", values), []).append(values.get("handshake_ns"))
    found = {hour: percentile([number for number in numbers if number is not None], 95) for hour, numbers in slowest.items()}
    equal({key[0]: row.get("p95:handshake_ns") for key, row in rows}, found, "is the handshake slower")
    seen = {(values.get("exe"), net_of(peer_of(values), 24)) for values in made.RECORDS
            if made.in_ns(values["time"]) < begin and of_client(values)}
    new = groups_of(["exe", "net/24"], among(of_client, hour))
    rows = rows_in(Answer("-f", "json", "-S", local_time(begin), "--role", "client", "--by", "exe,net/24", "--new"),
                   ["exe", "net/24"])
    equal(dict(rows), {key: row for key, row in new.items() if key not in seen}, "destinations never seen before")
    check("fd00:0:0:99::/64" in [key[1] for key, _ in rows], "one is new: %s" % rows)
    compare(["exe", "peer"], among(of_client), "-S", "-7d", "--role", "client", "--sort", "conns")
    rows = compare(["net/24"], among(lambda values: values["role"] == "observer"), "-S", "-7d", "--role", "observer")
    check("203.0.113.0/24" in [key[0] for key, _ in rows], "who scanned us: the side that opened it")
    compare(["net/24"], hour, "-S", local_time(begin), "--sort", "retrans")


made.run_tests([keys_one_by_one, several_keys, orders, percentiles, microseconds, unknown_comes_last, only_new, formats, hostile_names,
                wrong_usage, statuses, questions])
