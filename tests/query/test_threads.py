#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netracker query with several threads: every answer has the same bytes as with one, and the numbers are right.

The history has 8 files, in each of which the made connections are five times, with other ids. The ids of every two files
are the same, so that of each connection the newest record is in the second of them.
"""
import os
import shutil
import sqlite3

import made_history as made
from made_groups import groups_of, rows_in
from made_history import END, HOUR, Answer, check, equal, local_time, newest, run

FILES, TIMES = 8, 5
FOLDER = made.new_folder("copies")
QUESTIONS = [
    ["--net", "203.0.113.9", "-S", local_time(END - HOUR)], ["--net", "203.0.113.9", "--by", "host,exe,user"], ["--at", local_time(END - 5 * HOUR)[:16]],
    ["--by", "peer", "--sort", "sent", "--top", "20"], ["-S", local_time(END - 3 * HOUR), "-x", "--by", "comm,port,outcome"],
    ["--outcome", "reset", "--by", "ended_by,reason,peer"], ["-D", "5432", "--outcome", "refused", "--by", "10m"],
    ["--net", "10.3.0.0/16", "--by", "1h", "--sort", "p95:handshake_ns"],
    ["-S", local_time(END - HOUR), "--role", "client", "--by", "exe,pid", "--new"],
    ["--role", "client", "--by", "exe,peer", "--sort", "conns", "--top", "20"], ["--role", "observer", "--by", "net/24"],
    ["--by", "net/24", "--sort", "retrans", "-r"], ["--id", "1" + newest()[1000]["id"][1:]],
    ["-x", "comm", "~", "^(curl|p)", "--by", "comm,src_port"], ["-x", "-c", "psql", "-r", "machine", "a"], ["--summary", "-x", "-c", "curl", "machine", "a"],
    ["--by", "id", "--sort", "received", "--top", "50"], ["--by", "comm", "--sort", "p50:duration", "-f", "csv"]]


def make_files():
    made.write_history(FOLDER, [dict(values, id="%x%s" % (number + 1, values["id"][1:]))
                                for values in made.RECORDS for number in range(TIMES)])
    name, = [name for name in os.listdir(FOLDER) if name.endswith(".db")]
    first = os.path.join(FOLDER, name)
    for number in range(FILES):
        path = os.path.join(FOLDER, "2020-01-01-%04d.db" % (number + 1))
        shutil.copy(first, path)
        database = sqlite3.connect(path, isolation_level=None)
        database.execute("PRAGMA synchronous=OFF")
        database.execute("UPDATE conn SET id=id+%d" % (number // 2))
        database.close()
    os.unlink(first)


def answers(arguments, threads):
    answer = Answer(*arguments, "--threads", str(threads), "-U", local_time(made.NOW), folder=FOLDER)
    equal(answer.status, 0, "%s, %d threads: %s" % (arguments, threads, answer.errors))
    return answer


def the_same_bytes():
    for arguments in QUESTIONS:
        if "--at" in arguments:
            one, other = [Answer(*arguments, "--threads", threads, folder=FOLDER) for threads in ("1", "4")]
        else:
            one, other = answers(arguments, 1), answers(arguments, 4)
        equal(other.output == one.output, True, "%s" % arguments)
        equal(other.errors, one.errors, "%s: stderr" % arguments)
        check(one.output.count("\n") > 1, "%s: an answer" % arguments)


def right_numbers():
    for keys in (["comm"], ["peer", "outcome"]):
        expected = {key: {name: value * TIMES * FILES // 2 for name, value in row.items()}
                    for key, row in groups_of(keys, newest()).items()}
        for threads in (2, 3):
            rows = rows_in(answers(["-f", "json", "--by", ",".join(keys)], threads), keys)
            equal(dict(rows), expected, "%s, %d threads" % (keys, threads))


def main():
    made.write_history(made.HISTORY, made.RECORDS)
    make_files()
    try:
        run([the_same_bytes, right_numbers])
    finally:
        shutil.rmtree(made.FOLDER)


main()
