"""People on a real broker: items are published, shown, answered by the command line, and through kills every item,
window and test is that of the unbroken run, to the last byte.

Three kills in the suite; `make soak` has more, by DRIFTLINE_PEOPLE_KILLS.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from confluent_kafka import KafkaError

from schemas.events.batch import Record
from schemas.events.packed import unpack
from streamer.commands.cli import main
from streamer.config.load import load_config, load_text
from streamer.config.model import Config
from streamer.engine.tasks import Tasks
from streamer.kafka import one_record
from streamer.kafka.one_record import send
from streamer.kafka.topic_range import TopicRange
from streamer.port import LogDown, Out
from tests.kafka.mock_cluster import PRODUCE, MockCluster
from tests.kafka.service import Service, produce, read_all
from tests.kafka.test_ordered import PARTITIONS, about, data_of, wait_committed_once
from tests.sim.campaign import ticks_of
from tests.sim.test_two_stages import oracle
from tests.waiting import PATIENCE_S, until

KILLS = int(os.environ.get("DRIFTLINE_PEOPLE_KILLS", "3"))

CONFIG = """
version: 1
kafka: {{brokers: "{broker}", group: "{group}", instance: w0, client: {{session.timeout.ms: 6000}}}}
topics:
  {{events: [{events}], ordered: {ordered}, alerts: {alerts}, state: {state}, dead_letter: {dead}, heartbeats: {beats},
   windows: {windows}}}
labels: {{topic: {truth}, window: 1m}}
verdicts: {{topic: {said}, reviewer: header:who, review_id: /about/item}}
review: {{topic: {asked}, budget: 900, per: 1m, slots: 20, partitions: 3, settle: 1s,
  audit: {{share: 0.1, most: 30, window: 1m}}}}
heartbeat: {{interval: 1s}}
monitors: {{mean: {{signal: features.a, detect: {{kind: adwin}}}}}}
commit: {{interval: 200ms, snapshot_interval: 1s}}
server: {{listen: "127.0.0.1:0"}}
"""


def inferences(count: int, begin: int = 0) -> dict[int, list[Record]]:
    rng, now_s = random.Random(3 + begin), time.time()
    found = []
    for number in range(begin, begin + count):
        at = now_s - 90 + 90 * (number - begin) / count
        told = {"label": "yes", "confidence": rng.choice((0.3, 0.9, 0.95))}
        event = {"model": "m", "event_id": f"e{number}", "time": at, "features": {"a": rng.gauss(0, 1)}}
        found.append(Record(0, int(at * 1000), None, json.dumps({**event, "prediction": told}).encode()))
    return {0: found}


@pytest.mark.broker
def test_items_are_shown_answered_and_counted_once_through_a_kill(
    broker: str, make_topics: Callable[..., list[str]], tmp_path: Path
) -> None:
    roles = "events", "ordered", "alerts", "state", "dead", "beats", "windows"
    names = dict(zip(roles, make_topics(*roles, partitions=PARTITIONS), strict=True))
    names |= dict(zip(("asked", "said", "truth"), make_topics("asked", "said", "truth", partitions=1), strict=True))
    path = tmp_path / "driftline.yaml"
    path.write_text(CONFIG.format(broker=broker, group=f"g-{names['events']}", **names))

    def verb(*args: str) -> list[dict[str, Any]]:
        told = CliRunner().invoke(main, ["review", args[0], "-c", str(path), *args[1:]])
        return json.loads(told.stdout) if "json" in args else [{"code": told.exit_code, "said": told.output}]

    def shown(reviewer: str) -> list[dict[str, Any]]:
        return verb("next", "--reviewer", reviewer, "-n", "1000", "--format", "json")

    def data(kind: str) -> list[dict[str, Any]]:
        found = [json.loads(message.value()) for message in read_all(broker, names["windows"], PARTITIONS)]
        return [one["data"] for one in found if one["type"] == f"io.driftline.{kind}.v1"]

    with Service(path, tmp_path / "one.log") as service:
        wait_committed_once(broker, names["beats"])
        produce(broker, names["events"], inferences(1200))
        until(lambda: read_all(broker, names["asked"], 1))
        items = shown("ann")
        assert "Is the prediction right?" in verb("next")[0]["said"]
        for reviewer in ("ann", "bob"):
            [told] = verb("answer", items[0]["review_id"], "wrong", "--reviewer", reviewer)
            assert told["code"] == 0, told
        service.kill()
    answered = lived_through_kills(broker, names, path, tmp_path)
    assert verb("answer", "nowhere-0-1", "wrong", "--reviewer", "ann")[0]["code"] == 2
    assert items[0]["review_id"] not in [one["review_id"] for one in shown("ann")]
    assert items[0]["review_id"] in [one["review_id"] for one in shown("cyd")]
    with Service(path, tmp_path / "two.log") as service:
        agreement = until(lambda: [one for one in data("agreement") if one["overlapping"]])[-1]
        assert agreement["items"] >= agreement["overlapping"] > 0
        until(lambda: has_read_all(broker, names))
        answer_all(broker, names, random.Random(5), answered)  # Items of the audit's last windows are among them.
        until(lambda: data("audit"))
        until(lambda: has_read_all(broker, names))
        assert service.stop() == 0
    published = read_all(broker, names["asked"], 1)
    assert len(published) == len({message.key() for message in published})
    minutes = Counter(json.loads(message.value())["time"][:16] for message in published)
    assert max(minutes.values()) <= 900
    assert not read_all(broker, names["dead"], PARTITIONS)
    of_unbroken = unbroken(broker, names, load_config(path, {}))
    for role, topic in (("review", "asked"), ("windows", "windows"), ("alerts", "alerts")):
        found = [message.value() for message in read_all(broker, names[topic], 1 if topic == "asked" else PARTITIONS)]
        assert sorted(found) == sorted(out.value or b"" for out in of_unbroken if out.topic == role), role
    assert {json.loads(out.value or b"")["type"].split(".")[2] for out in of_unbroken if out.topic == "windows"} >= {
        "agreement", "audit", "performance",
    }  # fmt: skip


def lived_through_kills(broker: str, names: dict[str, str], path: Path, folder: Path) -> set[str]:
    """Inferences, labels and verdicts come, and the service is killed at any time. The items that were answered."""
    rng, answered = random.Random(4), set[str]()
    for number in range(1, KILLS):
        with Service(path, folder / f"kill{number}.log") as service:
            produce(broker, names["events"], inferences(300, 300 * number + 1200))
            labelled = range(300 * number, 300 * number + 600, 3)
            values = [
                json.dumps({"model": "m", "event_id": f"e{one}", "label": rng.choice(("yes", "no"))})
                for one in labelled
            ]
            produce(broker, names["truth"], {0: [Record(0, -1, None, one.encode()) for one in values]})
            answer_all(broker, names, rng, answered)
            time.sleep(rng.uniform(1.5, 3.5))
            service.kill()
    return answered


def answer_all(broker: str, names: dict[str, str], rng: random.Random, answered: set[str]) -> None:
    """Two people say of each item that has no answer yet what they think, mostly the same."""
    verdicts = []
    for item in sorted({message.key().decode() for message in read_all(broker, names["asked"], 1)} - answered):
        answered.add(item)
        what = rng.choice(("right", "wrong", "right"))
        for who, says in ((b"ann", what), (b"bob", "unsure" if rng.random() < 0.2 else what)):
            value = json.dumps({"model": "m", "about": {"item": item}, "verdict": says}).encode()
            verdicts.append(Record(0, -1, None, value, (("who", who),)))
    produce(broker, names["said"], {0: verdicts})


def beating(broker: str, names: dict[str, str], number: int) -> list[Any]:
    """Signs of life of a partition of the log, in their order."""
    told = [one for one in read_all(broker, names["beats"], PARTITIONS) if about(one) == (names["ordered"], number)]
    return sorted(told, key=lambda message: data_of(message)["tick"]["number"])


def has_read_all(broker: str, names: dict[str, str]) -> bool:
    """Whether what was sent is in the log, and all of that was read."""
    ends, sent = Counter[int](), 0
    for message in read_all(broker, names["ordered"], PARTITIONS):
        ends[message.partition()] = message.offset() + 1
        sent += len(unpack(message.value()).batch.offsets)
    topics = (("events", PARTITIONS), ("truth", 1), ("said", 1))
    if sent < sum(len(read_all(broker, names[topic], count)) for topic, count in topics):
        return False
    return all(data_of(beating(broker, names, number)[-1])["offset"] >= end for number, end in ends.items())


def unbroken(broker: str, names: dict[str, str], config: Config) -> list[Out]:
    """What one reader of the whole log publishes."""
    log: dict[int, list[Record]] = {}
    for message in read_all(broker, names["ordered"], PARTITIONS):
        record = Record(message.offset(), message.timestamp()[1], message.key(), message.value())
        log.setdefault(message.partition(), []).append(record)
    outs = list[Out]()
    for number, mine in log.items():
        ticks = ticks_of([Out("heartbeats", None, message.value()) for message in beating(broker, names, number)])
        outs += oracle(Tasks(config), (names["ordered"], number), mine, ticks, b"").outbox
    return outs


def test_without_a_broker_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_record, "WAIT_S", 0.3)
    config = load_text('version: 1\nkafka: {brokers: "127.0.0.1:1"}\n'
                       "topics: {events: [in]}\n", "x", {})  # fmt: skip
    with pytest.raises(LogDown):
        send(config, "said", None, b"{}")


def of_control(brokers: str) -> Config:
    text = 'version: 1\nkafka: {{brokers: "{}"}}\ntopics: {{events: [in]}}\ncontrol: {{topic: drift-control}}\n'
    return load_text(text.format(brokers), "x", {})


def test_it_is_there_where_it_is_said_to_be() -> None:
    with MockCluster("drift-control") as cluster:
        one = of_control(cluster.brokers)
        assert [send(one, "drift-control", b"fraud", value) for value in (b"a", b"b")] == [(0, 0), (0, 1)]
        read = [record for _, records in TopicRange(one, "drift-control") for record in records]
    assert [(record.key, record.value) for record in read] == [(b"fraud", b"a"), (b"fraud", b"b")]


def test_who_may_not_write_is_told_the_command_that_allows_it() -> None:
    with MockCluster("drift-control") as cluster:
        cluster.push(PRODUCE, *[KafkaError.TOPIC_AUTHORIZATION_FAILED] * 5)
        with pytest.raises(LogDown, match="our user lacks") as refused:
            send(of_control(cluster.brokers), "drift-control", b"m", b"v", wait_s=PATIENCE_S)
    assert "--operation Write --topic drift-control" in str(refused.value.fix)
