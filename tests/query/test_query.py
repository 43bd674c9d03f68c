#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netracker query: the answers are those that this program computes from the records that it put into the history."""
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import tempfile
import time

from made_history import (END, FAILED, FOLDER, HISTORY, HOUR, NETRACKER, NOW, RECORDS, SECOND, Answer, check, equal, in_ns, local_time,
                          newest, peer_of, rfc3339, run_tests, same_records, skip, write_history)


# ---- records ----

def all_records():
    answer = Answer("-f", "json")
    same_records(answer, newest(), "all")
    for shown, written in zip(answer.objects, newest()):
        known = {key: shown.get(key) for key in written}
        equal(known, written, "every value that was written, the machine's name too")
    equal(len(newest()), 3021, "an id counts once")


def spans():
    """Of the records in the span, the newest one of each id: an update, if the connection ended after it."""
    begin, end = END - 20 * HOUR, END - 19 * HOUR
    wanted = newest(begin, end)
    check(any(values["event"] != "close" for values in wanted), "some were still open")
    for arguments in (["-S", local_time(begin), "-U", local_time(end)],
                      ["--since", rfc3339(begin), "--until=" + rfc3339(end)],
                      ["-S", local_time(begin)[:16] + "Z", "-U", local_time(end)[:16] + "+00:00"]):
        same_records(Answer("-f", "json", *arguments), wanted, " ".join(arguments))
    hours = (NOW - begin) // HOUR
    later = Answer("-f", "json", "-S", "-%dh" % hours)
    check(0 <= len(newest(begin)) - len(later.ids) <= 200 and later.ids == [values["id"] for values in newest(begin)][-len(later.ids):],
          "hours ago")
    equal(Answer("-f", "json", "-S", "today").ids, [], "today")


def the_newest():
    wanted = newest()
    same_records(Answer("-f", "json", "-n", "7"), wanted[-7:], "-n: the newest last")
    same_records(Answer("-f", "json", "-n", "7", "-r"), wanted[:-8:-1], "-n -r: the newest first")
    same_records(Answer("-f", "json", "-r"), wanted[::-1], "-r")
    failed = [values for values in wanted if values["outcome"] in FAILED]
    same_records(Answer("-f", "json", "-n", "40", "-x"), failed[-40:], "-n with a filter")
    same_records(Answer("-f", "json", "-n", "99999", "-x"), failed, "-n: more than there are")


def filters():
    """The filters are those of live tracking: options and words. They see the newest record of an id alone."""
    for arguments, accepts in (
            (["-x"], lambda values: values["outcome"] in FAILED),
            (["-c", "nginx,psql"], lambda values: values.get("comm") in ("nginx", "psql")),
            (["-u", "33"], lambda values: values.get("uid") == 33),
            (["--cgroup", "/system.slice/curl.service"], lambda values: values.get("comm") == "curl"),
            (["-p", "101,102"], lambda values: values.get("pid") in (101, 102)),
            (["--net", "203.0.113.0/24"], lambda values: peer_of(values).startswith("203.0.113.")),
            (["-6"], lambda values: values["family"] == "ipv6"),
            (["--role", "observer"], lambda values: values["role"] == "observer"),
            (["-D", "5432", "--outcome", "refused"],
             lambda values: values["outcome"] == "refused" and values["role"] != "server" and values["dst_port"] == 5432),
            (["--min-duration", "30s"], lambda values: values["duration_ns"] >= 30 * SECOND),
            (["outcome", "open"], lambda values: values["outcome"] == "open"),
            (["event", "update"], lambda values: values["event"] == "update"),
            (["machine", "a"], lambda values: values["host"] == "a"),
            (["handshake", ">", "50ms"], lambda values: values.get("handshake_ns", 0) > 50 * 10**6),
            (["not", "handshake_ns"], lambda values: "handshake_ns" not in values),
            (["retrans", ">=", "4"], lambda values: values["src_retransmits"] + values["dst_retransmits"] >= 4),
            (["sent", ">", "5M"], lambda values: "src_bytes" in values and
             values["dst_bytes" if values["role"] == "server" else "src_bytes"] > 5 << 20),
            (["bytes", ">", "9M"], lambda values: "src_bytes" in values and values["src_bytes"] + values["dst_bytes"] > 9 << 20),
            (["remote", "10.3.0.0/16"],
             lambda values: (values["src_ip"] if values["role"] == "server" else values["dst_ip"]).startswith("10.3.")),
            (["local", "198.18.0.1"],
             lambda values: (values["dst_ip"] if values["role"] == "server" else values["src_ip"]) == "198.18.0.1"),
            (["port", "443", "and", "not", "comm", "curl"],
             lambda values: 443 in (values["src_port"], values["dst_port"]) and values.get("comm", "curl") != "curl"),
            (["reason", "~", "abort"], lambda values: "abort" in values.get("reason", "")),
            (["by", "src", "and", "outcome", "reset"],
             lambda values: values.get("ended_by") == "src" and values["outcome"] == "reset"),
            (["start", "<", rfc3339(END - 20 * HOUR)], lambda values: in_ns(values["start"]) < END - 20 * HOUR)):
        wanted = [values for values in newest() if accepts(values)]
        check(wanted, "%s: some match" % arguments)
        same_records(Answer("-f", "json", *arguments), wanted, " ".join(arguments))


def one_id():
    values = newest()[1000]
    equal(Answer("-f", "json", "--id", values["id"]).ids, [values["id"]], "--id")
    line = Answer("-f", "json", "--id", values["id"]).output
    done = subprocess.run([NETRACKER, "explain"], input=line, capture_output=True, text=True, timeout=20, check=False)
    equal(done.returncode, 0, done.stderr)
    check(values["dst_ip"] in done.stdout, "explain: " + done.stdout)
    nothing = Answer("--id", "0123456789abcdef")
    equal((nothing.status, nothing.output.count("\n")), (0, 1), "no such id: only the heading")


def open_then():
    """--at: connections that were open at some time of the minute, by their records."""
    for moment in (END - 20 * HOUR, END - 5 * HOUR):
        last = moment + 60 * SECOND - 1
        alive = [values for values in RECORDS if in_ns(values["start"]) <= last and in_ns(values["time"]) >= moment]
        wanted = newest(records=alive)
        check(len(wanted) > 1, "%d were open" % len(wanted))
        same_records(Answer("-f", "json", "--at", local_time(moment)[:16]), wanted, "--at")


def formats():
    wanted = newest()[-5:]
    rows = Answer("-n", "5", "-f", "csv", "--columns", "id,dst_port").output.splitlines()
    equal(rows, ["id,dst_port"] + ["%s,%d" % (values["id"], values["dst_port"]) for values in wanted], "csv")
    rows = Answer("-n", "5", "-f", "tsv", "--no-header", "--columns", "id,outcome").output.splitlines()
    equal(rows, ["%s\t%s" % (values["id"], values["outcome"]) for values in wanted], "tsv")
    text = Answer("-n", "5").output.splitlines()
    check(text[0].startswith("TIME") and len(text) == 7, "text: the heading and a date: %r" % text)
    path = os.path.join(FOLDER, "out.json")
    answer = Answer("-n", "5", "-f", "json", "-o", path)
    with open(path, encoding="utf-8") as file:
        equal((answer.output, [json.loads(line)["id"] for line in file]), ("", [values["id"] for values in wanted]), "-o")
    equal(Answer("-x", "--fail-if-any").status, 6, "--fail-if-any")


# ---- coverage ----

def coverage():
    """The resolved range, when nobody tracked, and that nothing was lost. The runs of a replay are those of its records."""
    first, last = in_ns(RECORDS[0]["time"]), in_ns(RECORDS[-1]["time"])
    begin, end = first - 2 * HOUR, last + HOUR
    answer = Answer("-n", "1", "-S", local_time(begin), "-U", local_time(end))
    line = answer.errors.splitlines()[-1]
    check(line.startswith("netracker: searched %s to %s; not tracking %s to " % (local_time(begin), local_time(end),
                                                                                  local_time(begin))), line)
    check(", %s to %s; nothing lost" % (local_time(last), local_time(end)) in line, line)
    inside = Answer("-n", "1", "-S", local_time(END - 10 * HOUR), "-U", local_time(END - 9 * HOUR))
    equal(inside.errors, "netracker: searched %s to %s; tracked all the time; nothing lost\n" % (
        local_time(END - 10 * HOUR), local_time(END - 9 * HOUR)), "within a run")
    equal(Answer("-q", "-n", "1").errors, "", "-q")


def losses_and_gaps():
    """Two runs with a gap; losses, as the table has them."""
    import sqlite3
    folder = os.path.join(FOLDER, "gap")
    for offset in (0, 600):
        write_history(folder, [dict(RECORDS[0], id="%016x" % (offset + second), time=rfc3339(END + (offset + second) * SECOND),
                                    start=rfc3339(END + offset * SECOND)) for second in range(1, 11)])
    path = os.path.join(folder, sorted(name for name in os.listdir(folder) if name.endswith(".db"))[0])
    with sqlite3.connect(path) as database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(loss)")]
        check(set(columns) >= {"time_ns", "records", "cause"}, "the table loss: %s" % columns)
        for records, cause, after in ((30, "ring buffer full", 605), (1, "history too slow", 606), (50, "other", 9000)):
            database.execute("INSERT INTO loss(time_ns,records,cause) VALUES(?,?,?)", (END + after * SECOND, records, cause))
    database.close()
    answer = Answer("-S", local_time(END + 5 * SECOND), "-U", local_time(END + 608 * SECOND), folder=folder)
    equal(answer.errors.splitlines()[-1],
          "netracker: searched %s to %s; not tracking %s to %s; 31 records lost (ring buffer full: 30, history too slow: 1)" % (
              local_time(END + 5 * SECOND), local_time(END + 608 * SECOND), local_time(END + 10 * SECOND),
              local_time(END + 600 * SECOND)), "coverage")
    for second, words in ((5, "tracked all the time"), (300, "not tracking then"), (-300, "not tracking then")):
        answer = Answer("--at", local_time(END + second * SECOND), folder=folder)
        check("; %s; " % words in answer.errors, "--at %d s: %s" % (second, answer.errors))


def read_slowly(output, terminal, seconds):
    """Keeps a query from ending, until the terminal shows its progress or the seconds are over. Returns what was read of both."""
    data, shown, end = b"", b"", time.monotonic() + seconds
    while b" million records" not in shown and time.monotonic() < end:
        data += os.read(output.fileno(), 16384)
        if select.select([terminal], [], [], 0.05)[0]:
            shown += os.read(terminal, 65536)
    return data + output.read(), shown


def progress_line():
    """On a terminal alone, after a second."""
    for arguments, shown in (([], True), (["-q"], False)):
        ours, theirs = pty.openpty()
        process = subprocess.Popen([NETRACKER, "query", "--from", HISTORY, "-f", "json", *arguments], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=theirs)
        os.close(theirs)
        output, errors = read_slowly(process.stdout, ours, 20 if shown else 2.5)
        equal(output.count(b"\n"), len(newest()), "records")
        equal(process.wait(timeout=20), 0, "status")
        try:
            while not errors.endswith(b"lost\r\n"):
                errors += os.read(ours, 65536)
        except OSError:  # the other side is closed
            pass
        os.close(ours)
        equal(b" million records" in errors, shown, "%s: %r" % (arguments, errors))
        check(not shown or b"\r\x1b[Knetracker: searched" in errors, "erased: %r" % errors)


# ---- bad input ----

def wrong_usage():
    for arguments, reason in ((["-S", "soon"], "'soon' is not valid"), (["-S", "2199-01-01"], "yet to come"), (["-S", "10:00", "-U", "09:00"], "-U is before -S"),
                              (["--at", "10:00", "-S", "09:00"], "--at is a time of its own"),
                              (["-f", "trace"], "query writes text, json, csv, tsv"),
                              (["nosuchfield", "1"], "nosuchfield"), (["--id", "xyz"], "16 hexadecimal digits"),
                              (["-i", "lo"], "not an option of query: it reads the records of a history"),
                              (["--packets"], "not an option of query: it reads the records of a history"), (["-n", "0"], "not valid")):
        answer = Answer(*arguments)
        equal((answer.status, answer.output), (2, ""), " ".join(arguments))
        check(reason in answer.errors and len(answer.errors.splitlines()) <= 3, "%s: %s" % (arguments, answer.errors))


def no_history():
    empty = os.path.join(FOLDER, "empty")
    os.mkdir(empty)
    for folder in (os.path.join(FOLDER, "nothing"), empty):
        answer = Answer(folder=folder)
        equal((answer.status, answer.output, answer.errors),
              (1, "", "netracker: history: %s: there is no history; netracker record begins one, or name its folder with "
               "--from\n" % folder), "no history")
    path = os.path.join(FOLDER, "a file")
    open(path, "w").close()
    answer = Answer(folder=path)
    equal((answer.status, len(answer.errors.splitlines())), (1, 1), answer.errors)


def no_permission():
    if os.geteuid() or not shutil.which("setpriv"):
        skip("another user: needs root and setpriv")
        return
    with tempfile.TemporaryDirectory() as open_folder:
        closed, program = os.path.join(open_folder, "history"), os.path.join(open_folder, "netracker")
        shutil.copytree(HISTORY, closed)
        shutil.copy(NETRACKER, program)
        os.chmod(open_folder, 0o755)
        os.chmod(closed, 0o750)
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "query", "--from",
                               closed], capture_output=True, text=True, timeout=20, check=False)
        equal((done.returncode, done.stdout), (1, ""), done.stderr)
        check("ermission denied" in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr)


def files_of(folder):
    return sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".db"))


def with_another_file(name, change):
    """A copy of the history with another file, which `change` makes unreadable. Returns the folder and the file."""
    folder = os.path.join(FOLDER, name)
    shutil.copytree(HISTORY, folder)
    other = os.path.join(folder, "2020-01-01-0001.db")
    shutil.copy(files_of(HISTORY)[0], other)
    change(other)
    return folder, other


def unreadable_files():
    """It is named, the others are read, and the status says that the answer is not whole."""
    def damage(path):
        with open(path, "r+b") as file:
            file.write(b"no database at all, but 100 bytes of text that are as long as the header of a file of SQLite is\n")

    def later(path):
        import sqlite3
        database = sqlite3.connect(path)
        database.execute("PRAGMA user_version=99")
        database.close()

    def far(path):
        """A number of a record that no file can have would be work without end."""
        import sqlite3
        database = sqlite3.connect(path)
        database.execute("UPDATE conn SET seq=seq+(1<<41) WHERE seq=(SELECT max(seq) FROM conn)")
        database.execute("UPDATE mark SET last_seq=last_seq+(1<<41) WHERE last_seq=(SELECT max(last_seq) FROM mark)")
        database.commit()
        database.close()

    def cut(path):
        os.truncate(path, 8192)

    for name, change, reason in (("damaged", damage, "2020-01-01-0001.db"), ("later", later, "later netracker (schema 99"),
                                 ("cut", cut, "2020-01-01-0001.db"), ("far", far, "2020-01-01-0001.db")):
        folder, other = with_another_file(name, change)
        answer = Answer("-f", "json", folder=folder)
        equal(answer.ids, [values["id"] for values in newest()], name)
        equal(answer.status, 1, name)
        check(other in answer.errors and reason in answer.errors, "%s: %s" % (name, answer.errors))
        check("searched" in answer.errors.splitlines()[-1], "%s: %s" % (name, answer.errors))
        check(len(answer.errors.splitlines()) == 2, "%s: said once: %s" % (name, answer.errors))


def damage_of_many_records():
    """One line says it, however many records cannot be read. The others are part of the answer."""
    import sqlite3
    folder = os.path.join(FOLDER, "many-damaged")
    records = [dict(values, wire_src_ip="10.9.9.9") if number % 2 else values for number, values in enumerate(newest()[:200])]
    write_history(folder, records)
    database = sqlite3.connect(files_of(folder)[0])
    database.execute("UPDATE more SET wire_src_ip=x'0102'")
    equal(database.execute("SELECT count(*) FROM more").fetchone()[0], 100, "rows of `more`")
    database.commit()
    database.close()
    for arguments in ([], ["-r"], ["-n", "150"], ["--by", "wire_src_ip"], ["wire_src_ip", "10.0.0.0/8"], ["--summary"]):
        answer = Answer(*arguments, folder=folder)
        equal((answer.status, answer.errors.count("cannot read"), len(answer.errors.splitlines())), (1, 1, 2),
              "%s: %s" % (arguments, answer.errors))
    equal(Answer("-f", "json", folder=folder).ids, [values["id"] for values in records[::2]], "the others")


def has_open(pid, folder):
    """Whether the process has a file of the folder open. It handles signals by then."""
    for number in os.listdir("/proc/%d/fd" % pid):
        try:
            if os.readlink("/proc/%d/fd/%s" % (pid, number)).startswith(folder):
                return True
        except FileNotFoundError:  # closed meanwhile
            pass
    return False


def interrupted():
    """It says so, and prints no table of what it had read. A lock on the file makes it wait until the signal came."""
    import sqlite3
    folder = os.path.join(FOLDER, "interrupted")
    shutil.copytree(HISTORY, folder)
    held = sqlite3.connect(files_of(folder)[0], isolation_level=None)
    held.execute("BEGIN EXCLUSIVE")
    with subprocess.Popen([NETRACKER, "query", "--from", folder, "--by", "comm"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as program:
        end = time.monotonic() + 20
        while not has_open(program.pid, folder) and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(0.2)
        program.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        held.execute("ROLLBACK")
        output, errors = program.communicate(timeout=20)
    held.close()
    equal((program.returncode, output), (1, ""), errors)
    check("interrupted" in errors and "searched" not in errors, errors)


def many_files():
    """The descriptors and the memory that an answer needs do not grow with the files of the history."""
    folder = os.path.join(FOLDER, "many")
    write_history(folder, RECORDS[:3])
    one = os.path.join(folder, files_of(folder)[0])
    for number in range(1, 301):
        shutil.copy(one, os.path.join(folder, "2020-01-01-%04d.db" % number))
    for arguments in (["-f", "json"], ["-f", "json", "-n", "2"], ["--by", "peer"]):
        command = ["prlimit", "--nofile=32", "--", NETRACKER, "query", "--from", folder, *arguments]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as program:
            errors = program.stderr.read()
            _, status, usage = os.wait4(program.pid, 0)
            program.returncode = os.waitstatus_to_exitcode(status)
        equal((program.returncode, len(errors.splitlines())), (0, 1), "%s: %s" % (arguments, errors[:300]))
        if "sanitize" not in NETRACKER:
            check(usage.ru_maxrss < 64 * 1024, "%s: %d KiB" % (arguments, usage.ru_maxrss))


run_tests([all_records, spans, the_newest, filters, one_id, open_then, formats, coverage, losses_and_gaps, progress_line, wrong_usage, no_history,
           no_permission, unreadable_files, damage_of_many_records, interrupted, many_files])
