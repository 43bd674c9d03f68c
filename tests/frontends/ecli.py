#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The package through the real ecli, which ECLI names, on known connections: `make test-ecli`."""
import os
import signal
import subprocess

import known
from bcc_runner import allow_for_clocks, event_of
from eunomia import RUN, Runner, Skip, add_foreign, attached, check, equal, lab, matches, nothing_is_left, run_tests


def find():
    if not os.environ.get("ECLI"):
        raise Skip("no ecli is named; make test-ecli finds or builds one")
    return os.environ["ECLI"]


def test_known_connections():
    ecli = find()
    with lab() as here:
        runner = Runner(here, ecli=ecli)
        facts = here.all_kinds()
        matches(facts, runner.stop())
        nothing_is_left(here)


def test_options():
    ecli = find()
    with lab() as here:
        runner = Runner(here, "--no-incoming", "--min-us", "40000", ecli=ecli)
        facts = [here.closed(4, "outgoing")]
        here.closed(4, "incoming")
        here.closed(6, "outgoing", held=0)
        matches(facts, runner.stop(signal.SIGTERM))
        nothing_is_left(here)


def test_filters_added_meanwhile_stay():
    ecli = find()
    with lab() as here:
        runner = Runner(here, ecli=ecli)
        add_foreign(here, qdisc=False)
        runner.stop()
        equal(attached(here)[1], [("ingress", 7)], "filters after the end")


def test_records():
    with lab() as here:
        runner = Runner(here, ecli=find(), output=("-f", "json"))
        facts = allow_for_clocks(here.all_kinds())
        matches(facts, [event_of(record, here) for record in runner.records()])
        nothing_is_left(here)


def test_help():
    with lab() as here:
        done = subprocess.run([RUN, known.INTERFACE, "--", "--help"], capture_output=True, text=True, timeout=30,
                              env=dict(os.environ, ECLI=find()), preexec_fn=lambda: known.enter(here.here.name))
        equal((done.returncode, done.stderr), (0, ""), "help")
        check(all(one in done.stdout for one in ("--min-us", "--port", "--no-incoming", "--no-outgoing")), done.stdout)


run_tests([test_known_connections, test_options, test_records, test_help, test_filters_added_meanwhile_stay])
