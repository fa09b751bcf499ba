"""Groups side by side: the ratio of their rates, never of few, whatever the cut; found when one falls by a fifth."""

from __future__ import annotations

import json
import math
import os
import random
from typing import Any

import pytest

from detectors.fairness import ratio
from schemas.events.batch import Record
from schemas.events.decoder import Decoder
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.engines import ENGINE, PYTHON
from streamer.engine.task import Task
from streamer.series.aggregates import Value
from streamer.series.disparity import Disparity
from streamer.signals.grammar import parse_signal
from tests.engine.tasks import AT, LEAST, news, piecewise

LONG = bool(os.environ.get("DRIFTLINE_REPETITIONS"))
SEEDS = range(10 if LONG else 1)
BEGIN_S, HOUR_S, DAY_S = 1_767_225_600, 3600, 86_400
Event = dict[str, Any]


def text(signal: str, by: str, least: int, detect: str, more: str = "") -> str:
    window = f"{{time: 1h, least: {least}}}"
    return f"{LEAST}{more}monitors:\n  m: {{signal: {signal}, by: [{by}], window: {window}, detect: {detect}}}\n"


def records_of(told: list[Event], model: str = "m") -> list[Record]:
    return [
        Record(i, int(one["time"] * 1000), None, json.dumps({"model": model, **one}).encode())
        for i, one in enumerate(told)
    ]


def run(config_text: str, records: list[Record]) -> Task:
    config = load_text(config_text, "x", {})
    task, decoder = Task(config, AT, 0), Decoder(fields_of(config))
    for begin in range(0, len(records), 4000):
        task.step(decoder(records[begin : begin + 4000], AT[0]))
    return task


def source_of(task: Task) -> Disparity:
    [found] = [source for source in task.sources.values() if isinstance(source, Disparity)]
    return found


def event(at_s: float, group: str, label: str, **more: Any) -> Event:
    return {"time": at_s, "segment": {"sex": group, **more}, "prediction": {"label": label}}


def hours(counts: list[dict[str, tuple[int, int]]]) -> list[Event]:
    """By hour and group how many are selected, of how many; and two hours more, which let the last ones end."""
    told = []
    for hour, groups in enumerate(counts):
        for group, (ones, n) in groups.items():
            begin_s, step_s = BEGIN_S + hour * HOUR_S, HOUR_S / n
            told += [event(begin_s + i * step_s, group, "yes" if i < ones else "no") for i in range(n)]
    told += [event(BEGIN_S + len(counts) * HOUR_S + i * 60, "z", "no") for i in range(120)]
    return sorted(told, key=lambda one: float(one["time"]))


@pytest.fixture
def values(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[str, ...], float, int]]:
    """What comes out of windows: of which group, the ratio, and of how many of the group."""
    found, make = list[tuple[tuple[str, ...], float, int]](), Disparity._value

    def noted(self: Disparity, row: int, window: int, event: int) -> Value:
        value = make(self, row, window, event)
        found.append((self.table.keys[row][0][1:], value.value, value.n))
        return value

    monkeypatch.setattr(Disparity, "_value", noted)
    return found


LEVEL = "{kind: level, against: reference, direction: down}"


def test_a_value_is_of_a_group_over_all_others_once_there_are_enough_of_both(values: list[Any]) -> None:
    counts = [{"a": (30, 60), "b": (10, 40)}, {"a": (20, 60)}, {"a": (30, 60), "b": (15, 40), "c": (5, 30)}]
    task = run(text("selection_ratio.yes", "segment.sex", 70, LEVEL), records_of(hours(counts)))
    [table] = task.tables.values()
    # The second hour has nobody beside `a`; `c` has too few, and so had `b` after one hour.
    assert values == [
        (("a",), pytest.approx((60 / 120) / (30 / 110)), 120),
        (("b",), pytest.approx((25 / 80) / (65 / 150)), 80),
    ]
    waits = {table.keys[row][0][1]: of for row, of in source_of(task).counts.items()}
    assert waits["c"][1:] == [5, 30, 45, 100]


def test_groups_are_compared_with_those_that_share_the_fields_before(values: list[Any]) -> None:
    ones, told = {("NL", "a"): 6, ("NL", "b"): 5, ("DE", "a"): 8, ("DE", "b"): 8}, list[Event]()
    for i in range(120):
        for (country, group), yes in ones.items() if i < 60 else ():
            told.append(event(BEGIN_S + i * 60, group, "yes" if i % 10 < yes else "no", country=country))
        told.append(event(BEGIN_S + i * 60, "a", "no", country="BE"))
    told += [event(BEGIN_S + 2 * HOUR_S + i * 60, "a", "no", country="BE") for i in range(60)]
    run(text("selection_ratio.yes", "segment.country, segment.sex", 50, LEVEL), records_of(told))
    assert {key: value for key, value, _ in values} == pytest.approx(
        {("NL", "a"): 6 / 5, ("NL", "b"): 5 / 6, ("DE", "a"): 1.0, ("DE", "b"): 1.0}
    )


def test_nobody_beside_a_group_is_no_value(values: list[Any]) -> None:
    told = [event(BEGIN_S + i * 60, "a", "yes") for i in range(3000)]
    run(text("selection_ratio.yes", "segment.sex", 2, LEVEL), records_of(told))
    assert values == []


def breathing(
    seed: int, days: int, falls: int, labels: bool = False, a_day: int = 6000, by: float = 0.2
) -> list[Event]:
    """Selection, or errors, by the day and the hour, by a mix of groups that does so, too; the groups never move quite
    alike. From the day `falls` on `b` is selected so much less often, or the model that much more often wrong about it.
    """
    rng, told = random.Random(seed), list[Event]()
    for hour in range(days * 24):
        if hour % 24 == 0:
            busy, common, mix = (math.exp(rng.gauss(0, sd)) for sd in (0.15, 0.08, 0.1))
            own = {group: math.exp(rng.gauss(0, 0.03)) for group in "ab"}
        swing = 1 + 0.25 * math.sin(2 * math.pi * hour / 24)
        usual = a_day / 24 * (0.25 + 1.5 * max(0.0, math.sin(math.pi * (hour % 24 - 6) / 16)))
        for _ in range(round(usual * busy * (0.6 if hour // 24 % 7 > 4 else 1.0) * rng.uniform(0.7, 1.3))):
            at_s, group = BEGIN_S + (hour + rng.random()) * HOUR_S, "b" if rng.random() < 0.3 * mix else "a"
            share = 0.3 * swing * common * own[group] * (0.9 if group == "b" else 1.0)
            if group == "b" and hour >= falls * 24:
                share *= 1 + by if labels else 1 - by
            one = event(at_s, group, "yes" if labels or rng.random() < share else "no")
            told.append({**one, "event_id": f"e{len(told)}"})
            if labels:
                truth, at_s = "no" if rng.random() < share else "yes", at_s + rng.expovariate(1 / HOUR_S)
                told.append({"time": at_s, "label": {"event_id": one_id(told), "value": truth}})
    return sorted(told, key=lambda one: float(one["time"]))


def one_id(told: list[Event]) -> str:
    return str(told[-1]["event_id"])


def days_of(task: Task, direction: str) -> list[tuple[str, str, str]]:
    """When each alert fired, of whom, and its sentence."""
    return [
        (one["alert"]["startsAt"], one["alert"]["labels"].get("segment_sex", ""), one["sentence"])
        for one in news(task.outbox)
        if one["status"] == "firing" and one["direction"] == direction
    ]


DAYS = "{{kind: level, against: days, change: 0.1, direction: {}}}"


SOUGHT = [("selection_ratio.yes", "down"), ("error_ratio", "up")]
FALLS, WITHIN = "2026-01-15", 10


@pytest.mark.parametrize(("signal", "way"), SOUGHT if LONG else SOUGHT[:1])
def test_a_fall_by_a_fifth_is_found_and_no_breath_before_it(signal: str, way: str) -> None:
    labels = signal == "error_ratio"
    config = text(signal, "segment.sex", 1000, DAYS.format(way), "labels: {}\n" * labels)
    false, missed = 0, 0
    for seed in SEEDS:
        found = days_of(run(config, records_of(breathing(seed, 14 + WITHIN, 14, labels))), way)
        false += len([who for at, who, _ in found if at < FALLS])
        after = [(who, sentence) for at, who, sentence in found if at >= FALLS]
        missed += not after or after[0][0] != "b" or "95 %" not in after[0][1]
    assert false <= len(SEEDS) / 2, "a fourth of the budget: one a week"
    assert missed <= len(SEEDS) / 10


@pytest.mark.skipif(not LONG, reason="ten lives are for make soak")
def test_healthy_lives_are_quiet() -> None:
    config = text("selection_ratio.yes", "segment.sex", 1000, DAYS.format("both"))
    lives = [run(config, records_of(breathing(seed, 28, 99))) for seed in SEEDS]
    assert sum(len(days_of(life, way)) for life in lives for way in ("up", "down")) <= 20, "half of the budget"


@pytest.mark.parametrize("signal", ["selection_ratio.yes", "error_ratio"])
def test_nothing_depends_on_where_the_log_is_cut_nor_on_the_engine(signal: str) -> None:
    detect = "{kind: level, change: 0.01, beyond: 0.5, recent: 5}"
    config_text = text(signal, "segment.sex", 30, detect, "labels: {}\nlimits: {lateness: 10m}\n")
    rng = random.Random(4)
    told = sorted(breathing(1, 3, 2, True, 500), key=lambda one: float(one["time"]) + rng.uniform(0, 500))
    for one in told:
        if "prediction" in one and rng.random() < 0.5:
            one["prediction"] = {"label": "no"}
    records, config = records_of(told), load_text(config_text, "x", {})
    whole = run(config_text, records)
    for engine in (ENGINE, PYTHON):
        outs, task = piecewise(config, records, engine, random.Random(5))
        assert task.dump() == whole.dump()
        assert outs == list(whole.outbox)
    assert len(news(whole.outbox)) > 1, "and there was something to be told"


def test_a_model_that_is_forgotten_waits_no_more() -> None:
    task = run(text("selection_ratio.yes", "segment.sex", 500, LEVEL), records_of(breathing(2, 1, 9, a_day=300)))
    source = source_of(task)
    assert source.counts
    source.forget(["m"])
    assert source.counts == {}


def test_the_interval_is_that_of_the_records_of_performance() -> None:
    counts = [{"a": (80, 200), "b": (40, 200)}] * 12
    config = text("selection_ratio.yes", "segment.sex", 200, "{kind: level, recent: 5}")
    counts[9:] = [{"a": (80, 200), "b": (8, 200)}] * 3
    found = days_of(run(config, records_of(hours(counts))), "down")
    share = ratio(8, 200, 80, 200)
    assert share is not None
    said = f"newest 8 of 200 beside 80 of 200, ratio 0.10, 95 % {share.low:.2f} to {share.high:.2f}"
    assert [said in sentence for _, who, sentence in found if who == "b"] == [True]


def test_it_is_said_which_label_selects() -> None:
    assert parse_signal("selection_ratio.a.b").path == "a.b"
    for some in ("selection_ratio.*", "selection_ratio.y?s", "selection_ratio"):
        with pytest.raises(ValueError, match="unknown signal"):
            parse_signal(some)
