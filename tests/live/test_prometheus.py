#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests the metrics with Prometheus itself: promtool, and a server that scrapes them and is asked all that the dashboard
and the alert rules of packaging/ ask. PROMETHEUS names the folder of both programs, if they are not in PATH."""
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from bench import check, main_of_checks
from harness import Skip
from metrics_page import PORT, SECONDS, close_all, fetch, own_net, parse, within
from places import outgoing
from tracker import POLL_SECONDS, prepare
from traffic import exchange_all, require

PACKAGING = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "packaging")
RULES = os.path.join(PACKAGING, "netracker.rules.yml")
DASHBOARD = os.path.join(PACKAGING, "netracker-dashboard.json")
ALERT_CASES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "alert_cases.yml")
SERVER_PORT = PORT + 1
EACH = 4
CLOSED_PORT = 9  # discard
CONFIGURATION = """global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
- job_name: netracker
  static_configs:
  - targets: ['127.0.0.1:%d']
""" % PORT
VARIABLES = {"$__rate_interval": "10s", "$instance": ".*", "$program": ".*"}
LABEL_VALUES = re.compile(r"label_values\((.*), (\w+)\)$")
THRESHOLD = re.compile(r" (?:==|>) [0-9.e]+")  # of an alert, whose condition is not met here


def find(program):
    found = shutil.which(program, path=os.environ.get("PROMETHEUS", os.environ["PATH"]))
    if not found:
        raise Skip("%s: not installed (package prometheus), and not in the folder that PROMETHEUS names" % program)
    return found


def promtool(*arguments, **options):
    """Returns problems: what it says, unless all is well."""
    done = subprocess.run([find("promtool"), *arguments], capture_output=True, text=True, timeout=60, **options)
    return [] if done.returncode == 0 and not done.stderr else [str(done)]


class Server:
    """A Prometheus server in the tracker's namespace."""

    def __init__(self, bench):
        self.bench = bench
        path = os.path.join(bench.directory, "prometheus.yml")
        with open(path, "w") as file:
            file.write(CONFIGURATION)
        with open(os.path.join(bench.directory, "prometheus.log"), "wb") as log:
            self.process = subprocess.Popen(
                [find("prometheus"), "--config.file=" + path, "--storage.tsdb.path=" + path + ".d",
                 "--web.listen-address=127.0.0.1:%d" % SERVER_PORT], stdout=log, stderr=log,
                preexec_fn=lambda: prepare(bench.here.name))

    def stop(self):
        self.process.kill()
        self.process.wait()

    def ask(self, path, **arguments):
        """Returns the answer's data; None before the server listens, or while it loads its database."""
        url = "http://127.0.0.1:%d/api/v1/%s?%s" % (SERVER_PORT, path, urllib.parse.urlencode(arguments))
        try:
            with within(self.bench.here), urllib.request.urlopen(url, timeout=SECONDS) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            with error:
                require(error.code == 503, "%s: %s" % (arguments, error.read()))
        except OSError:
            pass
        return None

    def query(self, query):
        data = self.ask("query", query=query)
        return data["result"] if data else []

    def number(self, query):
        result = self.query(query)
        return float(result[0]["value"][1]) if result else None

    def await_answer(self, query, is_wanted):
        deadline = time.monotonic() + 3 * SECONDS
        while not is_wanted(self.query(query)):
            require(time.monotonic() < deadline, "Prometheus has no such answer: %s" % query)
            time.sleep(POLL_SECONDS)


@contextlib.contextmanager
def running_server(bench):
    server = Server(bench)
    try:
        yield server
    finally:
        server.stop()


def make_traffic(world):
    """Connections of each kind that a query asks for: closed, reset by either side, refused, and some that stay open."""
    pairs = world.pairs(EACH)
    exchange_all(pairs)
    close_all(pairs)
    (client, server), = world.pairs(1)
    client.abort()
    server.receive_error(104)
    server.close_quietly()
    refused = world.attempt(world.client(), world.place.server.address, CLOSED_PORT)
    require(refused.errno == 111, "not refused: %d" % refused.errno)
    return pairs, world.pairs(1)


def substitute(query):
    for name, text in VARIABLES.items():
        query = query.replace(name, text)
    require("$" not in query, "a variable that the test does not know: %s" % query)
    return query


def dashboard_queries():
    with open(DASHBOARD) as file:
        dashboard = json.load(file)
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    variables = [variable["definition"] for variable in dashboard["templating"]["list"] if variable["type"] == "query"]
    require(len(queries) > 20 and len(variables) == 2, "queries of the dashboard: %s %s" % (queries, variables))
    return [substitute(query) for query in queries], [substitute(variable) for variable in variables]


def alert_conditions():
    """Reads the conditions as the file writes them: in the line of `expr:`, or in the lines below."""
    with open(RULES) as file:
        text = file.read()
    found = re.findall(r"^    expr: (?:\|\n((?:      .*\n)+)|(.*)\n)", text, re.M)
    require(len(found) == text.count("- alert:"), "conditions: %s" % found)
    return [block or line for block, line in found]


def check_queries(server):
    problems = []
    queries, variables = dashboard_queries()
    conditions = alert_conditions()
    for query in queries + [THRESHOLD.sub("", condition) for condition in conditions]:
        server.await_answer(query, bool)
    for condition in conditions:
        if server.query(condition):
            problems.append("an alert on healthy traffic: %s" % condition)
    for variable in variables:
        metric, label = LABEL_VALUES.match(variable).groups()
        if not server.ask("label/%s/values" % label, **{"match[]": metric}):
            problems.append("no values: %s" % variable)
    return problems


@check("promtool finds nothing in the page, nor in the alert rules, which fire on what they are for and on nothing else")
def tools(bench):
    world = bench.world(outgoing)
    tracker = bench.tracker("--metrics", str(PORT), *own_net(world))
    make_traffic(world)
    tracker.wait(lambda records: len(records) >= 2 * EACH, SECONDS)
    return (promtool("check", "metrics", input=fetch(bench)[2]) + promtool("check", "rules", RULES) +
            promtool("test", "rules", ALERT_CASES))


@check("a Prometheus server scrapes the metrics, and answers each query of the dashboard and of the alerts")
def scraped(bench):
    world = bench.world(outgoing)
    find("prometheus")
    bench.tracker("--metrics", str(PORT), *own_net(world))
    with running_server(bench) as server:
        server.await_answer("up", lambda result: result and result[0]["value"][1] == "1")
        pairs, _ = make_traffic(world)
        server.await_answer("sum(netracker_connections_closed_total)",
                            lambda result: result and float(result[0]["value"][1]) == 2 * EACH + 3)
        problems = check_queries(server)
        expected = sum(endpoint.sent for pair in pairs for endpoint in pair)
        found = server.number("sum(netracker_sent_bytes_total)")
        if found != expected:
            problems.append("%s bytes, expected %s" % (found, expected))
        if not server.query('netracker_handshake_duration_seconds_bucket{le="1.0"}'):
            problems.append("Prometheus did not get OpenMetrics")
        taken, samples = server.number("scrape_samples_scraped"), parse(fetch(bench)[2])
        if taken != len(samples):
            problems.append("Prometheus took %s samples of %d" % (taken, len(samples)))
    return problems


if __name__ == "__main__":
    sys.exit(main_of_checks())
