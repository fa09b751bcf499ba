"""Verdicts as people write them: what is known of each record, and that nobody else learns from one."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from schemas.events.batch import Batch, Record
from streamer.config.load import load_text
from streamer.engine.ordering import Ordering
from streamer.engine.task import Task
from streamer.engine.tasks import Orderings, Tasks
from streamer.port import Parts
from streamer.signals.roles import Population, is_about, populations
from streamer.signals.verdicts import REASONS, alert_verdicts, item_verdicts
from tests.signals.events import HEAD

TEXT = HEAD + "verdicts: {topic: said, reviewer: header:who}\nfeedback: {topic: clicks}\n"
CONFIG = load_text(TEXT, "x", {})
AT = 1_700_000_000


def batch_of(events: list[dict[str, Any]], who: bytes | None = b"ann") -> Batch:
    records = [
        Record(n, 5, None, json.dumps({"model": "m", "time": AT + n, **event}).encode(), (("who", who),) if who else ())
        for n, event in enumerate(events)
    ]
    return Orderings(CONFIG, Parts(1, 1)).decode(records, "said")


def of_items(event: dict[str, Any], who: bytes | None = b"ann") -> list[tuple[str, ...]]:
    batch = batch_of([event], who)
    found = item_verdicts(batch, np.ones(len(batch.offsets), bool), batch.times_ms)
    return [(one.model, one.about, one.reviewer, one.said) for one in found]


def of_alerts(event: dict[str, Any]) -> list[tuple[str, ...]]:
    batch = batch_of([event])
    found = alert_verdicts(batch, np.ones(len(batch.offsets), bool), batch.times_ms)
    return [(one.about, one.said, one.reason) for one in found]


@pytest.mark.parametrize(
    ("verdict", "said"),
    [("right", "right"), ("Correct ", "right"), (True, "right"), (1, "right"), ("WRONG", "wrong"), (False, "wrong"),
     (0, "wrong"), ("unsure", "unsure"), ("useful", ""), (3, ""), (None, ""), ({}, "")],
)  # fmt: skip
def test_what_a_verdict_on_an_item_says(verdict: Any, said: str) -> None:
    assert of_items({"review_id": "r1", "verdict": verdict}) == [("m", "r1", "ann", said)]
    assert of_alerts({"review_id": "r1", "verdict": verdict}) == []


@pytest.mark.parametrize(
    ("verdict", "reason", "said"),
    [("useful", None, ("useful", "")), ("useful", "late", ("useful", "")), ("Not useful", None, ("not_useful", "")),
     ("not_useful", "False alarm", ("not_useful", "false_alarm")), ("noise", "who knows", ("not_useful", "other")),
     ("unsure", "late", ("", ""))],
)  # fmt: skip
def test_what_a_verdict_on_an_alert_says_and_why(verdict: Any, reason: Any, said: tuple[str, str]) -> None:
    assert of_alerts({"alert_id": "a1", "verdict": verdict, "reason": reason}) == [("a1", *said)]
    assert of_items({"alert_id": "a1", "verdict": verdict}) == []
    assert [*REASONS][-1] == "other"


def test_who_says_nothing_that_is_known_is_told_all_the_same() -> None:
    assert of_items({"review_id": "r", "verdict": "right"}, who=None) == [("m", "r", "", "")]
    assert of_items({"review_id": "r", "alert_id": "a", "verdict": "right"}) == [("m", "r", "ann", "")]
    assert of_alerts({"review_id": "r", "alert_id": "a", "verdict": "right"}) == []
    batch = batch_of([{"verdict": "right"}, {"review_id": "", "verdict": "right"}, {"alert_id": "a"}])
    assert [one.reason for one in batch.rejects] == ["about_nothing"] * 2
    assert batch.offsets.tolist() == [2]


def test_nobody_else_learns_from_a_verdict() -> None:
    batch = batch_of([{"review_id": "r", "verdict": "right"}, {"alert_id": "a", "verdict": "useful"}])
    assert is_about(batch).all()
    found = populations(batch, np.ones(2, bool))
    assert {population: int(chosen.sum()) for population, chosen in found.items()} == dict.fromkeys(Population, 0)


def test_a_verdict_moves_no_clock_and_is_never_late() -> None:
    stages, log = Orderings(CONFIG, Parts(1, 1)), list[Record]()
    event = {"model": "m", "event_id": "e", "time": AT, "features": {"a": 1.0}}
    said = {"model": "m", "review_id": "r", "verdict": "right", "time": AT - 9_000_000}
    for topic, value in (("inferences", event), ("said", said), ("said", {**said, "model": "never met"})):
        stage: Ordering = stages.new((topic, 0), 0)
        stage.step(stages.decode([Record(0, AT * 1000, None, json.dumps(value).encode())], topic))
        log += [Record(len(log), 0, None, out.value) for out in stage.outbox if out.topic == "ordered"]
    task: Task = Tasks(CONFIG).new(("drift-ordered", 0), 0)
    task.step(Tasks(CONFIG).decode(log, "drift-ordered"))
    wanted = {"used": 2, "late": 0, "duplicate": 0, "filtered": 1, "dead_lettered": 0}
    assert task.admission.counts == wanted
    assert task.admission.newest_ms == {"m": AT * 1000}
