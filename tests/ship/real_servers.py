# SPDX-License-Identifier: GPL-2.0-or-later
"""Real ClickHouse servers, of this test alone."""
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

from ship_run import ROOT, free_port

PASSWORD = "secret"
CONFIG = """<yandex><logger><level>warning</level><log>{0}/log</log><errorlog>{0}/err</errorlog></logger>
<listen_host>127.0.0.1</listen_host><http_port>{1}</http_port><tcp_port>{2}</tcp_port><path>{0}/data/</path>
<tmp_path>{0}/tmp/</tmp_path><users_config>{0}/users.xml</users_config><default_profile>default</default_profile>
<default_database>default</default_database><mark_cache_size>5368709</mark_cache_size>{3}</yandex>"""
USERS = """<yandex><profiles><default><max_memory_usage>1000000000</max_memory_usage></default></profiles><users><default>
<password>secret</password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default>
</users><quotas><default></default></quotas></yandex>"""


class RealServer:
    def __init__(self, command, port):
        self.command, self.port = command, port
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None and self.ask("SELECT 1") != "1":
            time.sleep(0.1)

    def ask(self, query):
        request = urllib.request.Request("http://127.0.0.1:%d/" % self.port, query.encode(),
                                         {"X-ClickHouse-User": "default", "X-ClickHouse-Key": PASSWORD})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.read().decode().strip()
        except (OSError, urllib.error.URLError):
            return None

    def kill(self):
        self.process.kill()
        self.process.wait()


def secret_file(path, secret=PASSWORD):
    with open(path, "w") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(secret + "\n")
    return path


def cluster_of(ports):
    """Returns the configuration of a cluster of the name fleet, with a shard for each pair of ports."""
    shard = ("<shard><replica><host>127.0.0.1</host><port>%d</port><user>default</user><password>" + PASSWORD +
             "</password></replica></shard>")
    return "<remote_servers><fleet>%s</fleet></remote_servers>" % "".join(shard % tcp for _, tcp in ports)


def start_clickhouse(folder, ports=None, cluster=""):
    """Returns a server of Debian's version, or why there is none. `ports`: of HTTP and of its own protocol."""
    program = os.environ.get("CLICKHOUSE_SERVER") or shutil.which("clickhouse-server")
    if not program:
        return "ClickHouse 18.16: clickhouse-server is not installed, and CLICKHOUSE_SERVER names none"
    port, tcp = ports or (free_port(), free_port())
    os.makedirs(os.path.join(folder, "tmp"))
    for name, text in (("config.xml", CONFIG.format(folder, port, tcp, cluster)), ("users.xml", USERS)):
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)
    return RealServer([program, "--config-file=" + os.path.join(folder, "config.xml")], port)


def start_current_engine(folder):
    """Returns a server of chdb's engine, or why there is none."""
    python = os.environ.get("CHDB_PYTHON") or sys.executable
    if subprocess.run([python, "-c", "import chdb"], capture_output=True, check=False).returncode:
        return "a current ClickHouse: the Python module chdb is not installed, and CHDB_PYTHON names no Python with it"
    port = free_port()
    return RealServer([python, os.path.join(ROOT, "tests", "ship", "chdb_server.py"), folder, str(port)], port)
