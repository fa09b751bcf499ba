"""The anomaly rule: what is far, unseen or scored too high, with its reasons, and what nothing can be said of yet."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.config.load import load_text
from streamer.engine.task import Task
from streamer.series import anomaly
from streamer.series.anomaly import AnomalyRule, KnownCategories
from tests.series.tables import grouped, plain, table_of
from tests.signals.events import HEAD, batch_of

KEY, OTHER = (("m",), "features.c"), (("m",), "features.d")
WARMUP = [{"features": {"a": float(i % 10), "c": "xyz"[i % 3]}} for i in range(30)]


def told(known: KnownCategories, key: Any, text: str) -> bool | None:
    """The verdict of one text, the first of its key or not."""
    known.hear([key], [0], [0])
    return known.unseen(key, text)


def test_categories_are_learned_in_the_warm_up_and_frozen_behind_it() -> None:
    known = KnownCategories(3, 10)
    assert [told(known, KEY, text) for text in "abaaz"] == [None, None, None, False, True]
    assert [known.unseen(KEY, "z"), known.frozen(KEY), known.frozen(OTHER)] == [True, True, False]
    assert told(known, OTHER, "z") is None


def test_what_has_too_many_categories_is_no_category(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anomaly, "CATEGORIES_MAX", 4)
    known = KnownCategories(10, 10)
    for i in range(10):
        told(known, KEY, f"id{i}")
    assert known.unseen(KEY, "new") is None
    assert known.known[KEY] is None, "nothing of free texts is worth a place"


def test_so_many_features_and_no_more_are_remembered() -> None:
    known = KnownCategories(1, 1)
    told(known, KEY, "a")
    assert [told(known, OTHER, "a"), told(known, OTHER, "b"), told(known, KEY, "b")] == [None, None, True]
    assert set(known.seen) == {KEY}


@settings(max_examples=60, deadline=None, database=None)
@given(st.lists(st.tuples(st.sampled_from([KEY, OTHER]), st.sampled_from("abcd")), max_size=30), st.integers(0, 30))
def test_categories_survive_a_snapshot(texts: list[tuple[Any, str]], cut: int) -> None:
    whole, first = KnownCategories(4, 10), KnownCategories(4, 10)
    expected = [told(whole, *one) for one in texts]
    found = [told(first, *one) for one in texts[:cut]]
    second = KnownCategories(4, 10)
    second.load(first.dump())
    assert found + [told(second, *one) for one in texts[cut:]] == expected
    assert repr(second.dump()) == repr(whole.dump())


def judged(events: list[dict[str, Any]], size: int = 100, **given: Any) -> list[tuple[int, float, list[str]]]:
    """(event, value, reasons) of the events that are judged."""
    numbers, table = table_of("features.*", warmup=len(WARMUP)), table_of("anomaly")
    settings = {"beyond": 6.0, "unseen": True, "score": None, "score_max": None} | given
    rule = AnomalyRule(numbers, **settings)
    found = []
    for begin in range(0, len(events), size):
        batch = batch_of(events[begin : begin + size], HEAD + "anomaly: {score: /score, score_max: 1}\n")
        groups = grouped(table, batch)
        column = numbers.column(batch, groups)
        known = {numbers.id: (column, numbers.judge(batch, column))}
        made = rule.column(batch, groups, table, known)
        assert [value for *_, value in plain(table, made)] == made.values.tolist()
        reasons = [[name for place, name in made.reasons if place == i] for i in range(len(made.events))]
        found += [
            (begin + event, value, why)
            for event, value, why in zip(made.events.tolist(), made.values.tolist(), reasons, strict=True)
        ]
        again = AnomalyRule(numbers, **settings)
        again.load(rule.dump())
        rule = again
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
    assert judged(events, unseen=False) == [(30, 1.0, [FAR])]
    assert judged(events, beyond=1e6) == [(30, 1.0, [UNSEEN])]
    assert judged(events, beyond=1e6, unseen=False) == [(30, 0.0, [])]


def test_a_score_of_the_models_own_is_judged_from_the_first_event_on() -> None:
    events = [{"score": 1.0}, {"score": 1.5}, {}, {"score": "high"}]
    assert judged(events, score="/score", score_max=1.0) == [(0, 0.0, []), (1, 1.0, ["/score above 1"])]
    assert judged(events) == []


def test_an_alert_may_go_back_to_the_first_event_of_all_that_it_is_judged_by() -> None:
    config = load_text(HEAD + "monitors: {odd: {signal: anomaly, detect: {kind: fraction, max: 0.1}}}\n", "x", {})
    task = Task(config, ("inferences", 0), 0)
    task.step(batch_of([{"features": {"a": float(i % 10)}} for i in range(150)]))
    [table] = [table for table in task.tables.values() if table.signal.kind == "anomaly"]
    assert table.origin.signal.path == "features."
    assert table.first_offset(0) == 0
