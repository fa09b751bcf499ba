"""Why labels met no inference: each reason with the first record of which it holds."""

from __future__ import annotations

import json
from typing import Any

from schemas.events.batch import Record
from streamer.config.load import load_text
from streamer.engine.tasks import ByTopic
from streamer.offline.unmet import Unmet

CONFIG = load_text(
    'version: 1\nkafka: {brokers: "b:1"}\ntopics: {events: [in]}\nlabels: {topic: truth, ttl: 1h}\n', "x", {}
)
BEGIN_S = 1_700_000_000


def records(told: list[dict[str, Any]]) -> list[Record]:
    return [
        Record(n, -1, None, json.dumps({"model": "m", "time": BEGIN_S, **one}).encode()) for n, one in enumerate(told)
    ]


def test_each_reason_is_told_with_the_first_of_its_records() -> None:
    said = {"prediction": {"label": "a"}}
    inferences = [
        {"event_id": "fine", **said}, {"event_id": "empty"}, {"event_id": "of n", "model": "n", **said}, said,
        {"event_id": "number", "prediction": {"value": 1.5}}, {"event_id": "two", "prediction": {"value": 2}},
    ]  # fmt: skip
    late = [{"event_id": "new", "time": BEGIN_S + 7200, **said}]
    labels = [("fine", "a"), ("empty", "a"), ("of n", "a"), ("nobody", "a"), ("nobody2", "b"), ("number", "text")]
    unmet, decode = Unmet(CONFIG), ByTopic(CONFIG)
    told = [{"event_id": id, "label": label} for id, label in [*labels, ("two", 2), ("new", None)]]
    unmet.take(("in", 0), decode(records(inferences), "in"))
    unmet.take(("truth", 0), decode(records(told), "truth"))
    unmet.take(("in", 0), decode(records(late), "in"))
    unmet.take(("truth", 1), decode(records([{"event_id": "fine", "label": "a"}]), "truth"))
    assert sorted(unmet.told(lambda partition, offset: f"{partition[1]}@{offset}")) == [
        "  1 inferences have no event_id: nothing can be about them.",
        "  1 labels: it came more than labels.ttl, 1h, from its inference; first 1@0.",
        "  1 labels: it has no truth: a text, true or false, or a number; first 0@7.",
        "  1 labels: its inference predicts a number, and it has none; first 0@5.",
        "  1 labels: its inference predicts nothing: neither a label nor scores nor a value; first 0@1.",
        "  1 labels: the inference of that id is of another model; first 0@2.",
        "  2 labels: no inference has that id; first 0@3.",
    ]
