"""Events as a whole in a file of references: what is unfamiliar is judged by them from the first event on."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.events.batch import Record
from schemas.events.native_json import decode
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.config.reference_file import References, Space
from streamer.engine.reference_space import LEAST
from streamer.engine.task import Task
from streamer.offline.reference_build import build
from tests.signals.events import HEAD

AT = ("inferences", 0)
TEXT = HEAD + "exclude: [features.id]\nmonitors: {odd: {signal: ood, window: {events: 50}, "
TEXT += "detect: {kind: fraction, max: 0.05}}}\n"


def config() -> Config:
    return load_text(TEXT, "x", {})


def records(n: int, seed: int, apart: bool = False) -> list[Record]:
    """Two features that go together, or (`apart`) no more; and a counter."""
    rng, made = random.Random(seed), []
    for i in range(n):
        a = rng.gauss(10, 2)
        b = rng.gauss(20, 4) if apart else 2 * a + rng.gauss(0, 0.05)
        made.append({"model": "m", "time": 1_700_000_000 + i, "features": {"a": a, "b": b, "id": i}})
    return [Record(i, -1, None, json.dumps(one).encode()) for i, one in enumerate(made)]


def built(*parts: list[Record]) -> References:
    return build(config(), [((AT[0], n), part) for n, part in enumerate(parts)], "some events").references


def pinned(references: References) -> Task:
    serving = config()
    serving._given, serving._given_hash = references, "c0ffee"
    return Task(serving, AT, 0)


def shares(task: Task, log: list[Record]) -> list[float]:
    task.step(decode(log, fields_of(task.config), AT[0]))
    [alerts] = [[json.loads(o.value or b"")["data"] for o in task.outbox if o.topic == "alerts"]]
    return [alert["evidence"]["window"]["fraction"] for alert in alerts if alert["status"] == "firing"]


def test_what_is_unfamiliar_is_so_from_the_first_event_on() -> None:
    references = built(records(800, 1), records(300, 2))
    [one] = [s for table in references.tables if table.signal == "distance distance" for s in table.series]
    assert one.space is not None
    assert (one.space.names, one.n, one.key, one.offsets) == (["features.a", "features.b"], 1100, ["m"], [0, 799])
    assert one.begin == "2023-11-14T22:13:20.000Z"
    assert shares(pinned(references), records(400, 3)) == []
    apart = shares(pinned(references), records(60, 4, apart=True))
    assert apart[0] > 0.6, "without the file it would have learned from these"
    fresh = Task(config(), AT, 0)
    assert shares(fresh, records(60, 4, apart=True)) == []


def test_it_is_there_after_a_snapshot() -> None:
    references, log = built(records(500, 1)), records(200, 4, apart=True)
    whole, first = pinned(references), pinned(references)
    expected = shares(whole, log)
    assert shares(first, log[:30]) == []
    second = Task.load(first.config, AT, first.dump())
    assert shares(second, log[30:]) == expected
    assert second.dump() == whole.dump()


def test_few_events_make_no_shape() -> None:
    assert [t.signal for t in built(records(LEAST - 1, 1)).tables if t.signal.startswith("distance")] == []


GOOD: dict[str, Any] = {"names": ["a", "b"], "centre": [0, 0], "scale": [1, 1], "factor": [[1, 0], [0.5, 1]]}


@pytest.mark.parametrize(
    "wrong",
    [
        {"centre": [0]},
        {"scale": [1, 0]},
        {"factor": [[1, 0]]},
        {"factor": [[1, 0], [1]]},
        {"factor": [[1, 0], [1, 0]]},
        {"names": ["a", "a"]},
    ],
)
def test_a_shape_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    Space.model_validate(GOOD, strict=False)
    with pytest.raises(ValidationError):
        Space.model_validate(GOOD | wrong, strict=False)
