"""Feedback and labels from topics of their own, on a real broker and over a SIGKILL: each meets its inference, once."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.events.batch import Record
from schemas.events.packed import unpack
from streamer.config.load import load_config
from streamer.engine.task import Task
from streamer.engine.tasks import Tasks
from streamer.port import Out
from streamer.series.feedback import Feedback
from tests.kafka.service import Service, produce, read_all, wait_committed, wait_ordered
from tests.kafka.test_ordered import about, data_of, wait_committed_once
from tests.sim.campaign import ticks_of
from tests.sim.test_two_stages import oracle

pytestmark = pytest.mark.broker

PARTITIONS, EVENTS, BASE_S = 3, 6000, 1_700_000_000
LATE_S = {"clicks": 3600, "truths": 86_400}
OVERRIDES = EVENTS // 2
CONFIG = """
version: 1
kafka: {{brokers: "{broker}", group: "{group}", instance: w0, client: {{session.timeout.ms: 6000}}}}
topics:
  {{events: [{events}], ordered: {ordered}, alerts: {alerts}, state: {state}, dead_letter: {dead}, heartbeats: {beats},
   windows: {windows}}}
feedback: {{topic: {clicks}, event_id: /inference_id, action: /kind, time: /ts}}
labels: {{topic: {truths}, event_id: key}}
reference: {{warmup: 200}}
heartbeat: {{interval: 1s}}
monitors:
  mean: {{signal: features.a, detect: {{kind: adwin, delta: 0.0002}}, keep_firing_for: 2h}}
  actions: {{signal: action.*, window: {{events: 50}}, detect: {{kind: fraction, max: 0.9}}, keep_firing_for: 2h}}
commit: {{interval: 200ms, snapshot_interval: 1s}}
server: {{listen: "127.0.0.1:0"}}
"""


def records(begin: int, end: int) -> dict[str, dict[int, list[Record]]]:
    """By topic and partition: three models anywhere, what was done with each inference, and what was true of it."""
    rng = random.Random(begin)
    found: dict[str, dict[int, list[Record]]] = {name: {} for name in ("in", *LATE_S)}

    def put(topic: str, number: int, key: bytes | None, **said: Any) -> None:
        record_ms = 1000 * (BASE_S + number + LATE_S.get(topic, 0))
        record = Record(0, record_ms, key, json.dumps({"model": "uvw"[number % 3], **said}).encode())
        found[topic].setdefault(rng.randrange(PARTITIONS), []).append(record)

    for number in range(begin, end):
        name = f"e{number}"
        put("in", number, None, event_id=name, time=BASE_S + number, features={"a": rng.gauss(0, 1)})
        put("clicks", number, None, inference_id=name, kind=action(number), ts=BASE_S + number)
        put("truths", number, name.encode(), label=number % 2)
    return found


def action(number: int) -> str:
    return "override" if number % 3 == 0 and number >= OVERRIDES else "accept"


def test_what_is_told_of_inferences_elsewhere_meets_them_all_and_once_through_a_kill(
    broker: str, make_topics: Callable[..., list[str]], tmp_path: Path
) -> None:
    names = dict(zip(("in", "clicks", "truths"), make_topics("in", "cl", "tr", partitions=PARTITIONS), strict=True))
    roles = ("ordered", "alerts", "state", "dead", "beats", "windows")
    own = dict(zip(roles, make_topics("or", "al", "st", "dl", "hb", "wi", partitions=PARTITIONS), strict=True))
    group, path, ends = f"g-{names['in']}", tmp_path / "driftline.yaml", dict[str, Counter[int]]()
    asked = {"clicks": names["clicks"], "truths": names["truths"], "events": names["in"]}
    path.write_text(CONFIG.format(broker=broker, group=group, **asked, **own))
    for begin in (0, EVENTS // 2):
        with Service(path, tmp_path / "service.log") as service:
            wait_committed_once(broker, own["beats"])
            for topic, parts in records(begin, begin + EVENTS // 2).items():
                produce(broker, names[topic], parts)
                ends.setdefault(topic, Counter()).update({n: len(mine) for n, mine in parts.items()})
            if begin:
                for topic, wanted in ends.items():
                    wait_committed(broker, group, names[topic], wanted)
                wait_ordered(broker, group, own["ordered"], PARTITIONS)
                assert service.stop() == 0
            else:
                time.sleep(1.5)
                service.kill()
    [chosen, *_] = service.lines("order_chosen")
    assert (chosen["order"], names["clicks"] in chosen["why"]) == ("model", True)
    log: dict[int, list[Record]] = {number: [] for number in range(PARTITIONS)}
    for message in read_all(broker, own["ordered"], PARTITIONS):
        log[message.partition()].append(Record(message.offset(), message.timestamp()[1], None, message.value()))
    packed = [unpack(record.value or b"") for mine in log.values() for record in mine]
    written = Counter((topic, number, o) for topic, number, _, batch in packed for o in batch.offsets.tolist())
    assert set(written.values()) == {1}
    assert Counter(topic for topic, _, _ in written) == dict.fromkeys(names.values(), EVENTS)
    assert not read_all(broker, own["dead"], PARTITIONS)
    tasks = told(broker, path, own, log)
    account = Counter[str]()
    for task in tasks:
        account.update(task.admission.counts)
    assert account == {"used": 3 * EVENTS, "late": 0, "duplicate": 0, "filtered": 0, "dead_lettered": 0}
    assert (
        sum(one.results["unmatched"] for task in tasks for one in task.sources.values() if isinstance(one, Feedback))
        == 0
    )
    windows = [data_of(message) for message in read_all(broker, own["windows"], PARTITIONS)]
    accepted = [w for w in windows if w["labels"]["signal"] == "action.accept"]
    said = {model: [w["window"] for w in accepted if w["labels"]["model"] == model] for model in "uvw"}
    assert {model: sum(w["n"] for w in mine) for model, mine in said.items()} == dict.fromkeys("uvw", EVENTS // 3)
    counted = Counter("uvw"[number % 3] for number in range(EVENTS) if action(number) == "accept")
    assert {model: sum(w["count"] for w in mine) for model, mine in said.items()} == counted


def told(broker: str, path: Path, own: dict[str, str], log: dict[int, list[Record]]) -> list[Task]:
    """One undisturbed reader's of each partition of the ordered log; what was published is what they tell."""
    config, found = load_config(path, {}), list[Task]()
    for number, mine in [(number, mine) for number, mine in log.items() if mine]:
        place = own["ordered"], number
        beating = [message for message in read_all(broker, own["beats"], PARTITIONS) if about(message) == place]
        beating.sort(key=lambda message: data_of(message)["tick"]["number"])
        ticks = ticks_of([Out("heartbeats", None, message.value()) for message in beating])
        expected = oracle(Tasks(config), place, mine, ticks, b"")
        assert isinstance(expected, Task)
        wanted = [out.value for out in expected.outbox if out.topic in ("alerts", "incidents", "control")]
        told = [m.value() for m in read_all(broker, own["alerts"], PARTITIONS) if about(m) == place]
        assert sorted(told) == sorted(filter(None, wanted))
        found.append(expected)
    return found
