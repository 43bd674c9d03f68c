#!/usr/bin/python3
"""The package through the real ecli, on known connections: `make test-ecli`. ECLI in the environment names it."""
import os
import shutil
import signal

import known
from eunomia import Runner, Skip, add_foreign, attached, equal, lab, matches, nothing_is_left, run_tests


def find():
    path = os.pathsep.join([os.environ.get("PATH", ""), os.path.expanduser("~/.cargo/bin")])
    ecli = os.environ.get("ECLI") or shutil.which("ecli-rs", path=path) or shutil.which("ecli", path=path)
    if not ecli:
        raise Skip("no ecli; get it with `cargo install ecli-rs`")
    return ecli


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


run_tests([test_known_connections, test_options, test_filters_added_meanwhile_stay])
