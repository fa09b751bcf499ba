"""An intake whose client is gone says so. Each case runs in a process of its own, since what it guards against is the
end of the whole process, or its standstill.
"""

from __future__ import annotations

import subprocess
import sys

import pytest
from confluent_kafka import KafkaError

from schemas.core import native, why_not
from tests.kafka.mock_cluster import MockCluster, fill
from tests.kafka.service import ROOT
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.skipif(native is None, reason=f"no compiled core: {why_not}")

BEGIN = """
import sys, threading, time
from confluent_kafka import Consumer, KafkaException, TopicPartition, cimpl
from schemas.core import native

native.use_librdkafka_of(cimpl.__file__)
settings = {"bootstrap.servers": sys.argv[1], "group.id": "g", "auto.offset.reset": "earliest", "fetch.wait.max.ms": 20}

def made(**more):
    return Consumer(settings | more)

def plugged():
    return made(**{"plugin.library.paths": native.__file__})

def refused(ask, words):
    try:
        ask()
    except RuntimeError as error:
        assert words in str(error), error
    else:
        raise AssertionError("it was not refused")

def reading(count=30):
    consumer = plugged()
    intake = native.Intake(consumer)
    place = TopicPartition("events", 0, 0)
    consumer.incremental_assign([place])
    consumer.pause([place])  # What came before `follow` would lie in the consumer's own queue, where nobody looks.
    while True:  # As `KafkaLog` does it: librdkafka has served the assignment once it accepts a seek.
        try:
            consumer.seek(place)
            break
        except KafkaException:
            time.sleep(0.001)
    intake.follow("events", 0)
    consumer.resume([place])
    runs = []
    while sum(len(run[2]) for run in runs) < count:
        runs += intake.take(7, 100)
    return consumer, intake, runs
"""

CASES = {
    "none was made": """
refused(lambda: native.Intake(object()), "no new client")
""",
    "closed before there was an intake": """
consumer = plugged()
consumer.close()
refused(lambda: native.Intake(consumer), "no new client")
""",
    "dropped before there was an intake, and another one without plugin made": """
plugged()
refused(lambda: native.Intake(made()), "no new client")
""",
    "made by another thread": """
clients = []
thread = threading.Thread(target=lambda: clients.append(plugged()))
thread.start(); thread.join()
refused(lambda: native.Intake(clients[0]), "no new client")
""",
    "asked for twice": """
consumer = plugged()
first = native.Intake(consumer)
refused(lambda: native.Intake(consumer), "no new client")
assert first.take(1, 0) == []
""",
    "another client's intake stays when one is closed": """
gone, _, _ = reading()
consumer, intake, runs = reading()
gone.close()
assert runs[0][4][0] == b"v0"
assert intake.take(1, 0) == []
intake.close(); consumer.close()
""",
    "closed below its intake": """
consumer = plugged()
intake = native.Intake(consumer)
consumer.close()
refused(lambda: intake.follow("events", 0), "closed")
refused(lambda: intake.take(1, 0), "closed")
intake.close()
refused(lambda: intake.take(1, 0), "closed")
""",
    "closed below messages that were taken": """
consumer, intake, runs = reading()
assert runs[0][4][0] == b"v0"
consumer.close()
refused(lambda: runs[0][4][0], "was closed")
refused(lambda: runs[0][4].record(0, 100), "was closed")
refused(lambda: intake.take(1, 0), "closed")
""",
    "closed below messages that were fetched and not taken": """
consumer, intake, runs = reading(1)
time.sleep(0.3)
consumer.close()
refused(lambda: intake.take(1, 0), "closed")
""",
    "closed while another thread waits for messages": """
consumer, intake, runs = reading()
found = []
begun = threading.Event()
thread = threading.Thread(target=lambda: (begun.set(), found.append(intake.take(1, 1000))))
thread.start()
begun.wait()
time.sleep(0.2)
consumer.close()
thread.join()
assert found == [[]], found
refused(lambda: intake.take(1, 0), "closed")
""",
    "closed while another thread decodes": """
import numpy as np
consumer, intake, runs = reading()
stop = threading.Event()
def decode():
    while not stop.is_set():
        for _, _, offsets, times_ms, messages, _ in runs:
            try:
                native.Decoder([(0, ["model"])], [], [], 1000).decode(messages, offsets, times_ms, [])
            except ValueError:  # Fewer messages than offsets: they are gone.
                stop.set()
thread = threading.Thread(target=decode)
thread.start()
time.sleep(0.2)
consumer.close()
thread.join()
""",
}


@pytest.mark.parametrize("case", CASES)
def test_a_client_that_is_gone_is_refused(case: str) -> None:
    with MockCluster("events") as cluster:
        fill(cluster.brokers, "events", 30)
        command = [sys.executable, "-X", "faulthandler", "-c", BEGIN + CASES[case] + "\nprint('done')", cluster.brokers]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr[-3000:]


READING = """
import logging, sys
from streamer.kafka.log import KafkaLog
from streamer.port import Assigned, Records
from tests.kafka.mock_cluster import config
from tests.waiting import until

PLACE = ("events", 0)
log = KafkaLog(config(sys.argv[1], **{"topic.metadata.refresh.interval.ms": 100}), logging.getLogger("test"))
polled = lambda: log.poll(10, 0.1, lambda lost: None)
until(lambda: Assigned(PLACE) in polled())
log.start(PLACE, 0)
until(lambda: any(isinstance(event, Records) for event in polled()))
print("reading", flush=True)
for _ in range(20):  # It asks ten times a second, and hears of it once.
    polled()
print("alive", flush=True)
log.close()
"""


@pytest.mark.parametrize("error", [KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.UNKNOWN_TOPIC_OR_PART])
def test_a_topic_that_is_gone_or_may_not_be_read_any_more_ends_no_process(error: int) -> None:
    """librdkafka tells of it in the partition's queue, which nobody of the binding serves: it was the end (SIGABRT)."""
    with MockCluster("events", "alerts", "state", "dead", "heartbeats") as cluster:
        fill(cluster.brokers, "events", 30)
        command = [sys.executable, "-X", "faulthandler", "-c", READING, cluster.brokers]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "reading\n"
            cluster.refuse("events", error)
            out, err = child.communicate(timeout=PATIENCE_S)
    assert (child.returncode, out) == (0, "alive\n"), err[-3000:]
