"""`driftline demo --people` without a broker: its world, its people, and what it says of what it reads back."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from streamer.commands.demo_people import MODEL, SEED, TIMES, Told, World
from streamer.config.load import load_text


def item(name: str, kind: str = "lowest") -> dict[str, Any]:
    event = {"id": name, "time": "t", "topic": "in", "partition": 0, "offset": 1}
    told = {"review_id": "r", "model": MODEL, "kind": kind, "reasons": [], "question": "Right?", "until": "t"}
    return {**told, "event": event}


def test_the_model_is_as_often_wrong_as_it_says_and_then_more() -> None:
    world, said = World(SEED), 0.0
    for times in (1.0, TIMES):
        before = len(world.wrong)
        events = [json.loads(world.event(1.0, times)) for _ in range(20_000)]
        said = sum(1.0 - one["prediction"]["confidence"] for one in events) / len(events)
        wrong = sum([*world.wrong.values()][before:]) / len(events)
        assert abs(wrong / said - times) < 0.2 * times


def test_two_people_answer_and_are_mistaken_now_and_then() -> None:
    world = World(SEED)
    world.wrong["e"] = True
    said = [json.loads(verdict) for _ in range(400) for verdict in world.verdicts(item("e"))]
    by = {who: [one["verdict"] for one in said if one["reviewer"] == who] for who in ("ann", "bob")}
    assert len(by["ann"]) == 400 > len(by["bob"]) > 100
    assert 0.9 < by["ann"].count("wrong") / 400 < 1.0


def test_it_says_of_each_kind_of_item_one_and_of_the_test_that_it_fired() -> None:
    lines: list[str] = []
    told = Told(lines.append)
    for kind in ("lowest", "lowest", "random"):
        told.item(item("e", kind))
    assert [line.splitlines()[1] for line in lines] == ["An item, lowest:", "An item, random:"]
    told.status(5.0)
    labels = {"labels": {"monitor": "amount-mean"}}
    told.alert({"data": {"alert": labels, "sentence": "no"}})
    assert not told.fired
    told.alert({"data": {"alert": {"labels": {"monitor": "review.audit"}}, "sentence": "worse"}})
    assert (told.fired, lines[-1]) == (True, "\nFIRING  review.audit  worse")


def test_its_config_asks_and_audits() -> None:
    text = resources.files("streamer.commands").joinpath("demo_people.yaml").read_text()
    config = load_text(text, "demo_people.yaml", {"KAFKA_BROKERS": "b:1", "DEMO_RUN": ""})
    assert config.review is not None
    assert config.review.audit is not None
    assert config.verdicts is not None
