# SPDX-License-Identifier: GPL-2.0-or-later
"""A Kafka cluster for tests: librdkafka's own mock, which speaks the protocol on 127.0.0.1, and a consumer."""
import ctypes
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "replay"))
from replay_harness import check, equal  # noqa: E402

PRODUCER, CONSUMER = 0, 1
BEGINNING = -2
END_OF_PARTITION = -191
PRODUCE = 0  # the protocol's number of that request


QUIET = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p)(lambda *_: None)


class Message(ctypes.Structure):
    _fields_ = [("error", ctypes.c_int), ("topic", ctypes.c_void_p), ("partition", ctypes.c_int32), ("value", ctypes.c_void_p),
                ("size", ctypes.c_size_t), ("key", ctypes.c_void_p), ("key_size", ctypes.c_size_t), ("offset", ctypes.c_int64)]


def load_library():
    """None if it is not installed."""
    try:
        library = ctypes.CDLL("librdkafka.so.1")
    except OSError:
        return None
    for name in ("conf_new", "new", "topic_new", "mock_cluster_new"):
        getattr(library, "rd_kafka_" + name).restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    library.rd_kafka_consume.restype = ctypes.POINTER(Message)
    return library


LIBRARY = load_library()


def client(kind, **properties):
    configuration, reason = ctypes.c_void_p(LIBRARY.rd_kafka_conf_new()), ctypes.create_string_buffer(512)
    for name, value in properties.items():
        name = name.replace("_", ".").encode()
        assert LIBRARY.rd_kafka_conf_set(configuration, name, value.encode(), reason, 512) == 0, reason.value
    LIBRARY.rd_kafka_conf_set_log_cb(configuration, QUIET)
    made = LIBRARY.rd_kafka_new(kind, configuration, reason, 512)
    assert made, reason.value
    return ctypes.c_void_p(made)


def read_topic(servers, topic, partitions=1):
    """The key and the value of each message, partition by partition."""
    consumer = client(CONSUMER, bootstrap_servers=servers, enable_partition_eof="true", fetch_wait_max_ms="10")
    handle = ctypes.c_void_p(LIBRARY.rd_kafka_topic_new(consumer, topic.encode(), None))
    found = []
    for partition in range(partitions):
        assert LIBRARY.rd_kafka_consume_start(handle, partition, ctypes.c_int64(BEGINNING)) == 0
        found.append(list(read_partition(handle, partition)))
        LIBRARY.rd_kafka_consume_stop(handle, partition)
    LIBRARY.rd_kafka_topic_destroy(handle)
    LIBRARY.rd_kafka_destroy(consumer)
    return found


def read_partition(handle, partition):
    while True:
        message = LIBRARY.rd_kafka_consume(handle, partition, 10000)
        assert message, "no message and no end of the partition"
        content = message.contents
        error, key, value = content.error, content.key and ctypes.string_at(content.key, content.key_size), \
            content.value and ctypes.string_at(content.value, content.size)
        LIBRARY.rd_kafka_message_destroy(message)
        if error == END_OF_PARTITION:
            return
        assert not error, "error %d" % error
        yield key, value


def by_host(records):
    hosts = {}
    for values in records:
        values = dict(values, host=values.get("host", "here"))
        hosts.setdefault(values["host"].encode(), []).append(values)
    return hosts


def without_repetitions(values):
    seen = set()
    return [one for one in values if (key := (one["id"], one["event"], one["time"])) not in seen and not seen.add(key)]


def hosts_of(partitions):
    """Also checks that the messages of a host are in one partition."""
    hosts = {}
    for messages in partitions:
        here = {}
        for key, value in messages:
            here.setdefault(key, []).append(json.loads(value))
        equal(set(here) & set(hosts), set(), "hosts in several partitions")
        hosts.update(here)
    return hosts


def holds_all(partitions, records, what, once=True):
    """Checks that every record is there, in the order of the history for each host; with `once` none is there again."""
    check(not any(value.endswith(b"\n") for messages in partitions for _, value in messages), "a value has no newline")
    hosts = hosts_of(partitions)
    expected = by_host(records)
    equal(set(hosts), set(expected), what + ": hosts")
    for host, wanted in expected.items():
        found = hosts.get(host, [])
        if not once:
            found = without_repetitions(found)
        equal(len(found), len(wanted), "%s: messages of %s" % (what, host))
        pairs = zip(found, wanted)
        check(all(one[key] == value for one, other in pairs for key, value in other.items()), what + ": the records")


class KafkaCluster:
    def __init__(self, topic, partitions=1):
        self.client = client(PRODUCER)
        self.cluster = ctypes.c_void_p(LIBRARY.rd_kafka_mock_cluster_new(self.client, 1))
        self.servers = LIBRARY.rd_kafka_mock_cluster_bootstraps(self.cluster).decode()
        self.port = int(self.servers.rsplit(":", 1)[1])
        self.topic, self.partitions = topic, partitions
        self.reader = client(CONSUMER, bootstrap_servers=self.servers)
        assert LIBRARY.rd_kafka_mock_topic_create(self.cluster, topic.encode(), partitions, 1) == 0

    def fail_requests(self, *errors):
        """The next requests to store messages fail with these errors of the protocol."""
        LIBRARY.rd_kafka_mock_push_request_errors(self.cluster, ctypes.c_int16(PRODUCE), ctypes.c_size_t(len(errors)), *errors)

    def refuse_topic(self, error):
        LIBRARY.rd_kafka_mock_topic_set_error(self.cluster, self.topic.encode(), error)

    def stop(self):
        LIBRARY.rd_kafka_mock_broker_set_down(self.cluster, 1)

    def start(self):
        LIBRARY.rd_kafka_mock_broker_set_up(self.cluster, 1)

    def count(self):
        """The messages that it has; 0 while it does not answer."""
        low, high, total = ctypes.c_int64(), ctypes.c_int64(), 0
        for partition in range(self.partitions):
            if LIBRARY.rd_kafka_query_watermark_offsets(self.reader, self.topic.encode(), partition, ctypes.byref(low),
                                                        ctypes.byref(high), 1000):
                return 0
            total += high.value - low.value
        return total

    def messages(self):
        return read_topic(self.servers, self.topic, self.partitions)

    def close(self):
        LIBRARY.rd_kafka_destroy(self.reader)
        LIBRARY.rd_kafka_mock_cluster_destroy(self.cluster)
        LIBRARY.rd_kafka_destroy(self.client)
