# SPDX-License-Identifier: GPL-2.0-or-later
"""A Kafka server (KRaft mode, one node, loopback) for tests. Maven fetches it, Java runs it."""
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid

VERSION = "4.4.0"
POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>netracker</groupId><artifactId>kafka-of-tests</artifactId><version>1</version>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>%(version)s</version></dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>%(version)s</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
</dependencies></project>
""" % {"version": VERSION}
PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:%(controller)d
listeners=PLAIN://127.0.0.1:%(plain)d,SCRAM://127.0.0.1:%(scram)d,TLS://127.0.0.1:%(tls)d,CONTROLLER://127.0.0.1:%(controller)d
advertised.listeners=PLAIN://127.0.0.1:%(plain)d,SCRAM://127.0.0.1:%(scram)d,TLS://127.0.0.1:%(tls)d
listener.security.protocol.map=PLAIN:PLAINTEXT,SCRAM:SASL_PLAINTEXT,TLS:SASL_SSL,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAIN
log.dirs=%(data)s
auto.create.topics.enable=false
offsets.topic.replication.factor=1
group.initial.rebalance.delay.ms=0
log.message.timestamp.after.max.ms=9223372036854775807
listener.name.scram.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.scram.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.tls.sasl.enabled.mechanisms=PLAIN
listener.name.tls.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_tracker="secret";
listener.name.tls.ssl.keystore.type=PEM
listener.name.tls.ssl.keystore.location=%(keystore)s
"""


def fetch_jars(folder):
    """Returns None, or why there are none."""
    for program in ("mvn", "java"):
        if not shutil.which(program):
            return program + " is not installed"
    os.makedirs(folder, exist_ok=True)
    jars = os.path.join(folder, "kafka-" + VERSION)
    if os.path.isdir(jars):
        return None
    with open(os.path.join(folder, "pom.xml"), "w", encoding="ascii") as file:
        file.write(POM)
    done = subprocess.run(["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=" + jars + ".part",
                           "-DincludeScope=runtime"], cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        return "Maven cannot fetch it: " + done.stdout[-300:]
    os.rename(jars + ".part", jars)
    return None


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class KafkaServer:
    """Its users are `tracker` with the password `secret`, over SCRAM and, with TLS, PLAIN."""

    def __init__(self, jars, folder):
        os.makedirs(folder)
        self.folder, self.process = folder, None
        self.environment = dict(os.environ, CLASSPATH=os.path.join(jars, "kafka-" + VERSION, "*"))
        self.controller, self.port, self.scram_port, self.tls_port = free_ports(4)
        self.certificate, keystore = self.path("certificate"), self.path("keystore.pem")
        self.make_certificate(keystore)
        with open(self.path("server.properties"), "w", encoding="ascii") as file:
            file.write(PROPERTIES % {"controller": self.controller, "plain": self.port, "scram": self.scram_port,
                                     "tls": self.tls_port, "data": self.path("data"), "keystore": keystore})
        self.java("kafka.tools.StorageTool", "format", "-t", str(uuid.uuid4()), "-c", self.path("server.properties"),
                  "--add-scram", "SCRAM-SHA-512=[name=tracker,password=secret]")

    def path(self, name):
        return os.path.join(self.folder, name)

    def make_certificate(self, keystore):
        key = self.path("key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out",
                        self.certificate, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                       check=True, capture_output=True)
        with open(keystore, "w", encoding="ascii") as file:
            for part in (key, self.certificate):
                with open(part, encoding="ascii") as source:
                    file.write(source.read())

    def java(self, *arguments):
        done = subprocess.run(["java", "-Xmx256m", *arguments], env=self.environment, capture_output=True, text=True, timeout=120,
                              check=False)
        assert done.returncode == 0, done.stdout[-500:] + done.stderr[-500:]

    def make_topic(self, name, partitions):
        self.java("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", "127.0.0.1:%d" % self.port, "--create", "--topic",
                  name, "--partitions", str(partitions), "--replication-factor", "1")

    def start(self):
        with open(self.path("log"), "ab") as log:
            self.process = subprocess.Popen(["java", "-Xmx512m", "kafka.Kafka", self.path("server.properties")],
                                            env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)
        end = time.monotonic() + 90
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.2)
        with open(self.path("log"), encoding="utf-8", errors="replace") as log:
            raise AssertionError("Kafka does not start: " + log.read()[-1000:])

    def kill(self):
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        self.process = None
