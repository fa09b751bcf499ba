"""librdkafka's mock cluster with its controls, which the Python binding does not offer: errors pushed per request."""

from __future__ import annotations

import ctypes
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import confluent_kafka
from confluent_kafka import Producer

from streamer.config import model as cfg
from streamer.config.bridges import Bridges
from tests.waiting import PATIENCE_S

PRODUCE = 0
INIT_PRODUCER_ID, ADD_PARTITIONS, ADD_OFFSETS, END_TXN, TXN_OFFSET_COMMIT = 22, 24, 25, 26, 28


def library() -> ctypes.CDLL:
    """The librdkafka the binding has loaded: bundled beside its wheel, else the system's."""
    folder = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
    found = sorted(folder.glob("librdkafka*.so*"))
    lib = ctypes.CDLL(str(found[0]) if found else "librdkafka.so.1")
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    lib.rd_kafka_conf_new.restype = pointer
    lib.rd_kafka_conf_set.argtypes = [pointer, text, text, text, ctypes.c_size_t]
    lib.rd_kafka_new.restype = pointer
    lib.rd_kafka_new.argtypes = [ctypes.c_int, pointer, text, ctypes.c_size_t]
    lib.rd_kafka_destroy.argtypes = [pointer]
    lib.rd_kafka_mock_cluster_new.restype = pointer
    lib.rd_kafka_mock_cluster_new.argtypes = [pointer, ctypes.c_int]
    lib.rd_kafka_mock_cluster_destroy.argtypes = [pointer]
    lib.rd_kafka_mock_cluster_bootstraps.restype = text
    lib.rd_kafka_mock_cluster_bootstraps.argtypes = [pointer]
    lib.rd_kafka_mock_topic_create.argtypes = [pointer, text, ctypes.c_int, ctypes.c_int]
    lib.rd_kafka_mock_topic_set_error.argtypes = [pointer, text, ctypes.c_int]
    lib.rd_kafka_mock_group_initial_rebalance_delay_ms.argtypes = [pointer, ctypes.c_int32]
    lib.rd_kafka_mock_push_request_errors_array.argtypes = [pointer, ctypes.c_int16, ctypes.c_size_t, pointer]
    lib.rd_kafka_mock_clear_request_errors.argtypes = [pointer, ctypes.c_int16]
    lib.rd_kafka_mock_broker_set_rtt.argtypes = [pointer, ctypes.c_int32, ctypes.c_int]
    for name in ("set_down", "set_up"):
        getattr(lib, f"rd_kafka_mock_broker_{name}").argtypes = [pointer, ctypes.c_int32]
    return lib


class MockCluster:
    """One broker, topics of one partition. Use as a context manager."""

    def __init__(self, *topics: str) -> None:
        self._lib = library()
        reason = ctypes.create_string_buffer(256)
        conf = self._lib.rd_kafka_conf_new()
        self._lib.rd_kafka_conf_set(conf, b"log_level", b"0", reason, 256)
        self._owner = self._lib.rd_kafka_new(0, conf, reason, 256)
        assert self._owner, reason.value
        self._cluster = self._lib.rd_kafka_mock_cluster_new(self._owner, 1)
        self.brokers: str = self._lib.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()
        for topic in topics:
            self.create(topic)
        self._lib.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)

    def create(self, topic: str) -> None:
        self._lib.rd_kafka_mock_topic_create(self._cluster, topic.encode(), 1, 1)

    def refuse(self, topic: str, error: int) -> None:
        """What whoever asks about the topic is told from now on."""
        self._lib.rd_kafka_mock_topic_set_error(self._cluster, topic.encode(), error)

    def push(self, request: int, *errors: int) -> None:
        """The next requests of this kind are answered so, one error each; 0 is success."""
        array = (ctypes.c_int * len(errors))(*errors)
        self._lib.rd_kafka_mock_push_request_errors_array(self._cluster, request, len(errors), array)

    def clear(self, *requests: int) -> None:
        for request in requests:
            self._lib.rd_kafka_mock_clear_request_errors(self._cluster, request)

    def down(self) -> None:
        self._lib.rd_kafka_mock_broker_set_down(self._cluster, 1)

    def up(self) -> None:
        self._lib.rd_kafka_mock_broker_set_up(self._cluster, 1)

    def delay(self, milliseconds: int) -> None:
        self._lib.rd_kafka_mock_broker_set_rtt(self._cluster, 1, milliseconds)

    def __enter__(self) -> MockCluster:
        return self

    def __exit__(self, *details: object) -> None:
        self._lib.rd_kafka_mock_cluster_destroy(self._cluster)
        self._lib.rd_kafka_destroy(self._owner)


def config(brokers: str, **client: Any) -> Any:
    """What `streamer.kafka.log` reads of a config."""
    kafka = SimpleNamespace(brokers=brokers, group="group", instance="one", start="earliest", client=client)
    topics = cfg.Topics(events=["events"], alerts="alerts", state="state", heartbeats="heartbeats", dead_letter="dead")
    about = {"about": {}, "bridges": Bridges(), "review": None, "verdicts": None, "control": None}
    return SimpleNamespace(kafka=kafka, topics=topics, limits=cfg.Limits(), server=cfg.Server(), **about)


def fill(brokers: str, topic: str, count: int, partition: int = 0) -> None:
    producer = Producer({"bootstrap.servers": brokers})
    for i in range(count):
        producer.produce(topic, b"v%d" % i, partition=partition)
    assert producer.flush(PATIENCE_S) == 0
