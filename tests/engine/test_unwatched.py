"""What is not watched though the config asks for it is said: in the heartbeat, in the log and with a sample."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from schemas.events.batch import Record
from schemas.events.decoder import Decoder
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.engines import COMPILED, PYTHON
from streamer.engine.task import Task
from streamer.engine.unwatched import Unwatched, unwatched
from streamer.port import Out
from streamer.signals.categories import CODES
from streamer.signals.kinds import FAMILY_MAX, LABELS_MAX
from tests.signals.events import HEAD, batch_of

TEXT = """monitors:
  mix: {signal: category.*, detect: {kind: distribution}}
  new: {signal: unseen.*, detect: {kind: adwin}}
  share: {signal: label.*, detect: {kind: adwin}}
"""


def found(events: list[dict[str, Any]]) -> list[Unwatched]:
    task = Task(load_text(HEAD.replace("100", "400") + TEXT, "x", {}), ("inferences", 0), 0)
    task.step(batch_of(events))
    assert task.unwatched() == unwatched(task.tables.values())
    return task.unwatched()


def test_texts_that_are_no_categories_and_members_without_a_series_are_named() -> None:
    events = [
        {
            "features": {"id": f"u{i}", "city": f"c{i % (CODES + 7)}", "country": "xyz"[i % 3]},
            "prediction": {"label": f"l{i % (LABELS_MAX + 9)}"},
        }
        for i in range(500)
    ]
    assert found(events[:150]) == [Unwatched("m", "label.*", "together", 9)], "nothing is known of the texts yet"
    told = found(events)
    assert told == [
        Unwatched("m", "category.id", "no_category", 1),
        Unwatched("m", "category.city", "together", 7),
        Unwatched("m", "unseen.id", "no_category", 1),
        Unwatched("m", "label.*", "together", 9),
    ]
    assert [one.words() for one in told[:2]] == [
        "category.id is not watched, its texts are no categories: new ones keep coming, as of an id or a free text",
        "category.city: 7 categories beyond the first 63 are watched together, as 'other'",
    ]
    assert (
        told[3].words()
        == "label.*: 9 beyond the first 128 are watched together, as 'other (labels beyond the first 128)'"
    )


def test_scores_that_are_not_watched_are_named_with_what_to_do() -> None:
    config = load_text(HEAD + 'monitors: {s: {signal: "score.c*", detect: {kind: adwin}}}\n', "x", {})
    task = Task(config, ("inferences", 0), 0)
    task.step(batch_of([{"prediction": {"scores": {f"c{i}": 0.1 for i in range(FAMILY_MAX + 5)}}}] * 3))
    [told] = task.unwatched()
    assert told == Unwatched("m", "score.c*", "beyond", 5)
    assert told.words() == "score.c*: 5 beyond the first 32 are not watched: a monitor of its own may name some"


def test_of_healthy_categories_nothing_is_said() -> None:
    assert found([{"features": {"c": "xyz"[i % 3]}, "prediction": {"label": "ab"[i % 2]}} for i in range(500)]) == []


MIXED = (
    'exclude: ["features.seen_*"]\n'
    + TEXT
    + """  odd: {signal: anomaly, window: {events: 100}, detect: {kind: fraction, max: 0.05}}
  some: {signal: "features.a*", detect: {kind: adwin}}
  callers: {signal: caller.*, window: {time: 30s}, detect: {kind: fraction, max: 0.3}}
  split: {signal: label.*, by: [caller], window: {events: 50}, detect: {kind: share, change: 1}}
  whole: {signal: ood, window: {events: 50}, detect: {kind: fraction, max: 0.1}}
"""
)


def mixed(rng: random.Random, i: int) -> dict[str, Any]:
    """Ids, many categories, labels that come one after the other, a new category at the end."""
    features = {"a1": rng.gauss(0, 1), "b": rng.gauss(0, 1), "seen_at": i, "id": f"u{i}"}
    features |= {"city": f"c{min(rng.randrange(80), rng.randrange(80))}", "col": "xyzw"[i % (3 + i // 900)]}
    label = f"l{rng.randrange(min(1 + i // 5, LABELS_MAX + 18))}"
    return {"caller": f"c{rng.randrange(3)}", "features": features, "prediction": {"label": label}}


@pytest.mark.parametrize("seed", range(2))
def test_any_cut_either_engine_and_a_restart_give_the_same(seed: int) -> None:
    rng = random.Random(seed)
    config = load_text(HEAD + MIXED, "x", {})
    records = [
        Record(i, 1000 * i, None, json.dumps({"model": "mn"[i % 7 == 0], **mixed(rng, i)}).encode())
        for i in range(1500)
    ]
    states, published = set(), set()
    for engine in (PYTHON, COMPILED or PYTHON):
        decode = Decoder(fields_of(config), compiled=engine is not PYTHON)
        for cuts in ([700], sorted(rng.sample(range(1, 1500), 40)), list(range(7, 1500, 23))):
            task, outs = Task(config, ("inferences", 0), 0, engine=engine), list[Out]()
            for begin, end in zip([0, *cuts], [*cuts, 1500], strict=True):
                task.step(decode(records[begin:end], "inferences"))
                if begin == cuts[len(cuts) // 2 - 1]:
                    outs = task.outbox
                    task = Task.load(config, ("inferences", 0), task.dump(), engine)
            states.add(task.dump())
            published.add(tuple(sorted((out.key or b"", out.value or b"") for out in [*outs, *task.outbox])))
    assert (len(states), len(published)) == (1, 1)
    assert published != {()}
    assert {one.why for one in task.unwatched()} == {"no_category", "together"}
