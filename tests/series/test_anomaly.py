"""The anomaly rule: what is far, unseen or scored too high, with its reasons, and what nothing can be said of yet."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from streamer.config.load import load_text
from streamer.engine.task import Task
from streamer.series.anomaly import AnomalyRule
from tests.series.tables import grouped, plain, table_of
from tests.signals.events import HEAD, batch_of, firing

WARMUP = [{"features": {"a": float(i % 10), "c": "xyz"[i % 3]}} for i in range(30)]


def judged(
    events: list[dict[str, Any]], size: int = 100, texts: bool = True, every_ms: int = 1, **given: Any
) -> list[tuple[int, float, list[str]]]:
    """(event, value, reasons) of the events that are judged."""
    numbers, unseen = (table_of(signal, warmup=len(WARMUP)) for signal in ("features.*", "unseen.*"))
    table = table_of("anomaly")
    rule = AnomalyRule(numbers, unseen if texts else None, **{"beyond": 6.0, "score": None, "score_max": None} | given)
    found = []
    for begin in range(0, len(events), size):
        batch = batch_of(events[begin : begin + size], HEAD + "anomaly: {score: /score, score_max: 1}\n")
        batch = replace(batch, times_ms=every_ms * np.arange(begin, begin + len(batch.offsets)))
        groups = grouped(table, batch)
        known = {}
        for one in (numbers, unseen):
            column = one.column(batch, groups)
            known[one.id] = column, one.judge(batch, column)
        made = rule.column(batch, groups, table, known)
        assert [value for *_, value in plain(table, made)] == made.values.tolist()
        reasons = [[name for place, name in made.reasons if place == i] for i in range(len(made.events))]
        found += [
            (begin + event, value, why)
            for event, value, why in zip(made.events.tolist(), made.values.tolist(), reasons, strict=True)
        ]
    return found


FAR, UNSEEN = "features.a beyond 6 deviations", "features.c unseen category"


@pytest.mark.parametrize("size", [1, 7, 100])
def test_an_event_is_anomalous_for_each_of_its_reasons(size: int) -> None:
    events = [
        *WARMUP,
        {"features": {"a": 5.0, "c": "x"}},
        {"features": {"a": 1000.0, "c": "x"}},
        {"features": {"a": -1000.0, "c": "new"}},
        {"features": {"c": "new"}},
        {"features": {"other": 3}},
    ]
    assert judged(events, size) == [
        (30, 0.0, []),
        (31, 1.0, [FAR]),
        (32, 1.0, [FAR, UNSEEN]),
        (33, 1.0, [UNSEEN]),
    ], "nothing is known of a feature that has just appeared"


def test_rules_can_be_loosened_or_left_out() -> None:
    events = [*WARMUP, {"features": {"a": 1000.0, "c": "new"}}]
    assert judged(events, texts=False) == [(30, 1.0, [FAR])]
    assert judged(events, beyond=1e6) == [(30, 1.0, [UNSEEN])]
    assert judged(events, beyond=1e6, texts=False) == [(30, 0.0, [])]


def test_a_score_of_the_models_own_is_judged_from_the_first_event_on() -> None:
    events = [{"score": 1.0}, {"score": 1.5}, {}, {"score": "high"}]
    assert judged(events, score="/score", score_max=1.0) == [(0, 0.0, []), (1, 1.0, ["/score above 1"])]
    assert judged(events) == []


def test_an_alert_may_go_back_to_the_first_event_of_all_that_it_is_judged_by() -> None:
    config = load_text(HEAD + "monitors: {odd: {signal: anomaly, detect: {kind: fraction, max: 0.1}}}\n", "x", {})
    task = Task(config, ("inferences", 0), 0)
    task.step(batch_of([{"features": {"a": float(i % 10)}} for i in range(150)]))
    [table] = [table for table in task.tables.values() if table.signal.kind == "anomaly"]
    assert [origin.signal.kind for origin in table.origins] == ["number", "unseen"]
    assert table.first_offset(0) == 0


FRACTION = "monitors: {odd: {signal: anomaly, window: {events: 100}, detect: {kind: fraction, max: 0.05}}}\n"


def test_a_text_of_its_own_in_every_event_is_no_anomaly() -> None:
    events = [{"features": {"a": float(i % 10), "id": f"u{i}", "c": "xyz"[i % 3]}} for i in range(600)]
    assert firing(FRACTION, events) == []
    [alert] = firing(FRACTION, [*events, *({"features": {"c": "new", "id": f"v{i}"}} for i in range(100))])
    assert "features.c unseen category" in alert["sentence"]


def test_a_constant_that_only_rounds_otherwise_is_no_anomaly() -> None:
    for centre in (1.0, -3e-9, 4e15):
        events = [{"features": {"a": centre}} for _ in range(300)]
        rounded = [{"features": {"a": centre * (1 + 1e-7 * (-1) ** i)}} for i in range(300)]
        assert firing(FRACTION, events + rounded) == []
        assert len(firing(FRACTION, events + [{"features": {"a": centre * 1.5}} for _ in range(300)])) == 1
    zeros = [{"features": {"a": 0.0}} for _ in range(300)]
    assert len(firing(FRACTION, zeros + [{"features": {"a": 1e-6}} for _ in range(300)])) == 1


@pytest.mark.parametrize("size", [97, 2_000])
def test_what_the_days_of_school_hold_is_no_anomaly_on_the_next(size: int) -> None:
    """From eight to twelve the feature is far from where it is by night, where the reference was learned."""
    numbers = [i % 10 + (90.0 if i % 1_440 in range(480, 720) else 0.0) for i in range(4 * 1_440)]
    events = [{"features": {"a": number}} for number in (*numbers, 5_000.0)]
    far = [event for event, value, _ in judged(events, size, texts=False, every_ms=60_000) if value]
    assert far == [*range(480, 720), len(events) - 1]
