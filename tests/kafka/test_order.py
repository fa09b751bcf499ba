"""How a topic is keyed, told from its newest records: the rule, and a service on a real broker."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.events.batch import Record
from streamer.config.load import load_config
from streamer.engine.scattered import Seen
from streamer.kafka.order import ENOUGH, PARTITIONS_MAX, TAIL, Answer, answer, ask, newest, spaced
from tests.kafka.service import ROOT, Service, produce, wait_committed
from tests.waiting import until


def events(count: int, place: Callable[[int], int], model: Callable[[int], str] = lambda i: "m") -> list[Seen]:
    return [Seen("t", place(i), i, 1000 + i, model(i)) for i in range(count)]


def test_what_a_sample_shows() -> None:
    assert answer(events(ENOUGH, lambda i: i % 2)).order == "model"
    assert answer(events(ENOUGH, lambda i: i % 2, lambda i: "mn"[i % 2])).order == "topic"
    assert answer(events(ENOUGH - 1, lambda i: 0)) == Answer(
        None, f"only {ENOUGH - 1} events are there to see how they are keyed"
    )


def test_many_models_are_named_in_part() -> None:
    why = answer(events(600, lambda i: i % 7, lambda i: f"m{i % 5}")).why
    assert why.count(" is in 7 partitions of t") == 3
    assert why.endswith(" and 2 more models likewise")


@pytest.mark.parametrize("count", [1, 2, PARTITIONS_MAX, 100, 5000])
def test_partitions_looked_at_are_spaced(count: int) -> None:
    chosen = spaced(count)
    assert len(set(chosen)) == min(count, PARTITIONS_MAX)
    assert chosen == sorted(chosen)
    assert chosen[-1] < count


CONFIG = """
version: 1
kafka: {{brokers: "{broker}", group: "{group}", instance: w0, client: {{session.timeout.ms: 6000}}}}
topics: {{events: [{events}], alerts: {alerts}, state: {state}, dead_letter: {dead}, heartbeats: {beats}}}
heartbeat: {{interval: 1s}}
monitors:
  mean: {{signal: features.a, detect: {{kind: adwin}}}}
commit: {{interval: 200ms, snapshot_interval: 1s}}
server: {{listen: "127.0.0.1:0"}}
"""
COUNT = 600


def records(keyed: bool) -> dict[int, list[Record]]:
    """Three models, keyed or anywhere."""
    rng, found = random.Random(1), dict[int, list[Record]]()
    for number in range(COUNT):
        event = {"model": "uvw"[number % 3], "event_id": str(number), "features": {"a": rng.gauss(0, 1)}}
        place = number % 3 if keyed else rng.randrange(3)
        found.setdefault(place, []).append(Record(0, 1_700_000_000_000 + number, None, json.dumps(event).encode()))
    return found


def written(broker: str, make_topics: Callable[..., list[str]], folder: Path) -> tuple[Path, str, str]:
    """A config that says nothing of the order, its group and its topic."""
    names = make_topics("in", "al", "st", "dl", "hb", partitions=3)
    path, group = folder / "driftline.yaml", f"g-{names[0]}"
    roles = dict(zip(("events", "alerts", "state", "dead", "beats"), names, strict=True))
    path.write_text(CONFIG.format(broker=broker, group=group, **roles))
    return path, group, names[0]


def apply(config: Path) -> None:
    """Make the topics that are missing."""
    command = [sys.executable, "-m", "streamer", "topics", "apply", "-c", str(config)]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "-ordered" in told


@pytest.mark.broker
def test_a_topic_that_fills_after_the_start_is_read_in_order_as_soon_as_it_shows(
    broker: str, make_topics: Callable[..., list[str]], tmp_path: Path
) -> None:
    path, group, inputs = written(broker, make_topics, tmp_path)
    config = load_config(path, {})
    assert ask(config).order is None, "there is nothing to see"
    produce(broker, inputs, records(keyed=False))
    there = {(inputs, number): min(len(mine), TAIL) for number, mine in records(keyed=False).items()}
    assert {partition: len(found) for partition, found in newest(config, {inputs: 3}).items()} == there
    lacking = ask(config)
    assert (lacking.order, lacking.lacking) == ("model", f"a topic {group}-ordered")
    log = tmp_path / "service.log"
    with Service(path, log) as service:
        [told] = until(lambda: service.lines("order"), lambda: log.read_text()[-3000:])
        assert ": `driftline topics apply -c FILE`" in told["what"]
        apply(path)
        ends = {number: len(mine) for number, mine in records(keyed=False).items()}
        until(lambda: service.lines("order_chosen"), lambda: log.read_text()[-3000:])
        more = {0: [Record(0, 1_700_001_000_000, None, b'{"model": "u", "event_id": "x", "features": {"a": 1}}')]}
        produce(broker, inputs, more)
        wait_committed(broker, group, inputs, {**ends, 0: ends[0] + 1})
        assert service.stop() == 0
        [chosen] = service.lines("order_chosen")
        assert (chosen["order"], chosen["by_way_of"]) == ("model", f"{group}-ordered")
    with Service(path, log) as service:
        until(lambda: len(service.lines("order_chosen")) >= 2, lambda: log.read_text()[-3000:])
        assert service.lines("order_chosen")[-1]["why"] == "the group has read these topics so until now"
        assert service.stop() == 0


@pytest.mark.broker
def test_a_keyed_topic_is_read_by_partition(broker: str, make_topics: Callable[..., list[str]], tmp_path: Path) -> None:
    path, group, inputs = written(broker, make_topics, tmp_path)
    apply(path)
    produce(broker, inputs, records(keyed=True))
    assert ask(load_config(path, {})).order == "topic"
    with Service(path, tmp_path / "service.log") as service:
        wait_committed(broker, group, inputs, dict.fromkeys(range(3), COUNT // 3))
        [chosen] = service.lines("order_chosen")
        assert chosen["order"] == "topic"
        assert service.stop() == 0
    produce(broker, inputs, records(keyed=False))
    known = ask(load_config(path, {}))
    assert known == Answer("topic", "the group has read these topics by partition until now"), (
        "and learned much of them"
    )
    assert ask(load_config(path, {}), again=True).order == "model"
