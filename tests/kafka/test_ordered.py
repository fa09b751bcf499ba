"""A model over all partitions of an unkeyed topic, on a real broker and under SIGKILL: one order, one alert."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.events.batch import Record
from schemas.events.packed import unpack
from streamer.config.load import load_config
from streamer.engine.tasks import Tasks
from streamer.port import Out
from tests.kafka.service import ROOT, Service, produce, read_all, wait_committed, wait_ordered
from tests.sim.campaign import ticks_of
from tests.sim.test_two_stages import oracle
from tests.waiting import until

pytestmark = pytest.mark.broker

PARTITIONS, EVENTS = 3, 9000
CONFIG = """
version: 1
kafka: {{brokers: "{broker}", group: "{group}", instance: w0, order: model, client: {{session.timeout.ms: 6000}}}}
topics:
  {{events: [{events}], ordered: {ordered}, alerts: {alerts}, state: {state}, dead_letter: {dead}, heartbeats: {beats}}}
reference: {{warmup: 200}}
heartbeat: {{interval: 1s}}
monitors:
  mean: {{signal: features.a, detect: {{kind: adwin, delta: 0.0002}}, keep_firing_for: 2h}}
commit: {{interval: 200ms, snapshot_interval: 1s}}
server: {{listen: "127.0.0.1:0"}}
"""


def events() -> list[tuple[int, Record]]:
    """Partition and record: three models anywhere, of which one shifts."""
    rng, found = random.Random(3), []
    for number in range(EVENTS):
        model = "uvw"[number % 3]
        level = 5 if model == "u" and number > EVENTS * 0.6 else 0
        event = {
            "model": model,
            "event_id": str(number),
            "time": 1_700_000_000 + number,
            "features": {"a": rng.gauss(level, 1)},
        }
        value = b"{" if number % 1000 == 7 else json.dumps(event).encode()
        found.append((rng.randrange(PARTITIONS), Record(0, 1_700_000_000_000 + number * 1000, None, value)))
    return found


def test_a_model_over_all_partitions_is_one_through_kills(
    broker: str, make_topics: Callable[..., list[str]], tmp_path: Path
) -> None:
    [inputs] = make_topics("in", partitions=PARTITIONS)
    ordered, alerts, state, dead, beats = make_topics("or", "al", "st", "dl", "hb", partitions=PARTITIONS)
    group, path = f"g-{inputs}", tmp_path / "driftline.yaml"
    names = {"ordered": ordered, "alerts": alerts, "state": state, "dead": dead, "beats": beats}
    path.write_text(CONFIG.format(broker=broker, group=group, events=inputs, **names))
    whole, ends = events(), Counter[int]()
    for begin in range(0, EVENTS, EVENTS // 3):
        part: dict[int, list[Record]] = {}
        for partition, record in whole[begin : begin + EVENTS // 3]:
            part.setdefault(partition, []).append(record)
        with Service(path, tmp_path / "service.log") as service:
            wait_committed_once(broker, beats)  # What comes later is news, and no retained history.
            produce(broker, inputs, part)
            time.sleep(2.5)
            service.kill()
        ends.update({partition: len(records) for partition, records in part.items()})
    with Service(path, tmp_path / "service.log") as service:
        wait_committed(broker, group, inputs, ends)
        wait_ordered(broker, group, ordered, PARTITIONS)
        until(lambda: (ordered, True) in heard(broker, beats))  # It looks every five seconds, and twice.
        assert service.stop() == 0
    log: dict[int, list[Record]] = {number: [] for number in range(PARTITIONS)}
    for message in read_all(broker, ordered, PARTITIONS):
        log[message.partition()].append(Record(message.offset(), message.timestamp()[1], None, message.value()))
    packed = [unpack(record.value or b"") for records in log.values() for record in records]
    written = Counter((topic, number, o) for topic, number, _, batch in packed for o in batch.offsets.tolist())
    assert set(written.values()) == {1}
    letters = len(read_all(broker, dead, PARTITIONS))
    assert len(written) + letters == EVENTS
    told = [one for one in map(data_of, read_all(broker, alerts, PARTITIONS)) if "alert" in one]
    fired = [one for one in told if one["status"] == "firing" and one["episode"]["detections"] == 1]
    assert [one["alert"]["labels"]["model"] for one in fired] == ["u"]
    trigger = fired[0]["trigger"]
    assert trigger["topic"] == inputs
    of_u = [r for p, r in whole if p == trigger["partition"]][trigger["offset"]]
    assert json.loads(of_u.value or b"")["model"] == "u"
    [incident] = [one for one in map(data_of, read_all(broker, alerts, PARTITIONS)) if "incident" in one]
    assert incident["members"][0]["trigger"] == trigger
    place = next(one["changed"] for one in fired)
    again = replayed(path, ordered, place["partition"], place["offset"])
    assert [(one["trigger"], one["sentence"]) for one in again] == [(trigger, fired[0]["sentence"])]
    [whole_topic] = [one for one in replayed(path, inputs) if one["episode"]["detections"] == 1]
    assert whole_topic["alert"]["labels"]["model"] == "u"
    assert whole_topic["trigger"]["topic"] == inputs, "from the originals it is one alert of one model, too"
    config = load_config(path, {})
    for number, mine in log.items():
        beating = [message for message in read_all(broker, beats, PARTITIONS) if about(message) == (ordered, number)]
        beating.sort(key=lambda message: data_of(message)["tick"]["number"])  # They lie in several partitions.
        ticks = ticks_of([Out("heartbeats", None, message.value()) for message in beating])
        expected = oracle(Tasks(config), (ordered, number), mine, ticks, b"") if mine else None
        wanted = [out.value for out in expected.outbox if out.topic in ("alerts", "incidents")] if expected else []
        found = [m.value() for m in read_all(broker, alerts, PARTITIONS) if about(m) == (ordered, number)]
        assert sorted(found) == sorted(filter(None, wanted))
    assert (ordered, True) in heard(broker, beats), "stage 1 has read all, and stage 2 knows"


@pytest.mark.parametrize("at_once", [False, True], ids=["as it came", "filled in one go"])
def test_a_backlog_of_quiet_partitions_makes_nobody_late(
    broker: str, make_topics: Callable[..., list[str]], tmp_path: Path, at_once: bool
) -> None:
    """Days of it fit into one fetch of a partition, and come one partition after the other."""
    [inputs] = make_topics("in", partitions=PARTITIONS)
    ordered, alerts, state, dead, beats = make_topics("or", "al", "st", "dl", "hb", partitions=PARTITIONS)
    names = {"ordered": ordered, "alerts": alerts, "state": state, "dead": dead, "beats": beats}
    path, rng, backlog = tmp_path / "driftline.yaml", random.Random(1), dict[int, list[Record]]()
    path.write_text(CONFIG.format(broker=broker, group=f"g-{inputs}", events=inputs, **names))
    for number in range(6000):
        time_s = 1_700_000_000 + 60 * number
        value = json.dumps({"model": "u", "event_id": str(number), "time": time_s, "features": {"a": rng.gauss(0, 1)}})
        written_ms = 1_700_500_000_000 if at_once else 1000 * time_s
        backlog.setdefault(rng.randrange(PARTITIONS), []).append(Record(0, written_ms, None, value.encode()))
    produce(broker, inputs, backlog)
    with Service(path, tmp_path / "service.log") as service:
        wait_committed(broker, f"g-{inputs}", inputs, {number: len(mine) for number, mine in backlog.items()})
        account = wait_account(broker, beats, ordered, 6000)
        assert account == {"used": 6000, "late": 0, "duplicate": 0, "filtered": 0, "dead_lettered": 0}
        assert service.stop() == 0


def wait_committed_once(broker: str, beats: str) -> None:
    """Until both stages have told of all partitions: where those ended at first is remembered from then on."""
    until(lambda: len({about(message) for message in read_all(broker, beats, PARTITIONS)}) >= 2 * PARTITIONS)


def wait_account(broker: str, beats: str, ordered: str, count: int) -> dict[str, int]:
    """What a sign of life of the model u says of its events, once it says something of all of them."""

    def whole() -> list[dict[str, int]]:
        told = [data_of(message) for message in read_all(broker, beats, PARTITIONS)]
        accounts = [one["account"] for one in told if one["topic"] == ordered and one["model"] == "u"]
        return [one for one in accounts if sum(one.values()) >= count]

    return until(whole)[-1]


def heard(broker: str, beats: str) -> list[tuple[str, bool]]:
    """Of each sign of life the topic, and whether it had caught up."""
    told = [data_of(message) for message in read_all(broker, beats, PARTITIONS)]
    return [(one["topic"], one["tick"]["caught_up"]) for one in told]


def replayed(config: Path, topic: str, *place: int) -> list[dict[str, Any]]:
    """The alerts of a topic; of one partition up to an offset those that the command of an alert tells again."""
    span = ["--partition", f"{place[0]}", "--from", "0", "--to", f"{place[1] + 1}"] if place else []
    command = [sys.executable, "-m", "streamer", "replay", "-c", str(config), "--topic", topic, *span]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [one for one in (json.loads(line)["data"] for line in lines) if "alert" in one]


def data_of(message: Any) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(message.value())["data"]
    return data


def about(message: Any) -> tuple[str, int]:
    """The partition that a record is about."""
    data = data_of(message)
    place = data.get("changed") or data
    return place["topic"], place["partition"]


def test_two_processes_that_catch_up_are_in_step(
    broker: str, make_topics: Callable[..., list[str]], tmp_path: Path
) -> None:
    """Each has its own partitions of a model, and hours to read: whoever is ahead waits for the other."""
    [inputs] = make_topics("in", partitions=PARTITIONS)
    ordered, alerts, state, dead, beats = make_topics("or", "al", "st", "dl", "hb", partitions=PARTITIONS)
    names = {"ordered": ordered, "alerts": alerts, "state": state, "dead": dead, "beats": beats}
    rng, backlog, count = random.Random(1), dict[int, list[Record]](), 3000
    for number in range(count):
        time_s = 1_700_000_000 + 5 * number
        value = json.dumps({"model": "u", "event_id": str(number), "time": time_s, "features": {"a": rng.gauss(0, 1)}})
        backlog.setdefault(rng.randrange(PARTITIONS), []).append(Record(0, 1000 * time_s, None, value.encode()))
    text, services = CONFIG.format(broker=broker, group=f"g-{inputs}", events=inputs, **names), list[Service]()
    with contextlib.ExitStack() as stack:
        for member in range(2):
            path = tmp_path / f"w{member}.yaml"
            path.write_text(text.replace("instance: w0", f"instance: w{member}"))
            services.append(stack.enter_context(Service(path, tmp_path / f"w{member}.log")))
        until(lambda: all(inputs in {line["topic"] for line in one.lines("partition_ready")} for one in services))
        produce(broker, inputs, backlog)
        account = wait_account(broker, beats, ordered, count)
        assert account == {"used": count, "late": 0, "duplicate": 0, "filtered": 0, "dead_lettered": 0}
