"""Configs over a history: the same twice is no difference, a fault is found as if the stream had had it from the
beginning, and nothing is found that is not there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streamer.config.decoder_fields import fields_of
from streamer.offline.backtest import Asked, backtest, surveyed
from streamer.offline.difference import difference
from streamer.offline.episodes import Told
from streamer.offline.faults import faults, parse_spec
from streamer.offline.known import Known
from streamer.offline.replay import Replay
from tests.offline.past import BEGIN, DAY, EAGER, HEAD, SHIFT, SLOW, configured, reader, write_past


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_past(tmp_path_factory.mktemp("past"))


def pairs(*texts: str) -> list[tuple[str, Any]]:
    return [(f"{number}.yaml", configured(text)) for number, text in enumerate(texts)]


def test_the_same_config_twice_is_no_difference_and_known_incidents_are_judged_for_each(past: Path) -> None:
    begin_ms = int((BEGIN + SHIFT * DAY) * 1000)
    known = [Known("fraud", begin_ms, begin_ms + DAY * 1000, "k:1"), Known("churn", begin_ms, begin_ms, "k:2")]
    found = backtest(reader(past), Asked(pairs(EAGER, EAGER), known=known))
    assert found.alerts is not None
    assert found.incidents is not None
    assert not found.alerts
    assert not found.incidents
    assert found.alerts.same == len(found.runs[0].alerts) > 0
    assert found.runs[0].alerts == found.runs[1].alerts
    assert {model: seen.events for model, seen in found.watched.items()} == {"fraud": 960, "churn": 480}
    assert found.scores is not None
    for scores in found.scores:
        assert scores.recall == 0.5
        assert [one.found is None for one in scores.judged] == [False, True]
        assert 0 < (scores.delay_ms or 0) < 12 * 3_600_000
    assert not found.runs[0].schools, "nothing learns days"


def test_a_known_change_is_exactly_the_difference(past: Path) -> None:
    """What one config lacks is lost; the other way round it is gained."""
    more = EAGER + "  more: {signal: features.*, detect: {kind: page_hinkley}}\n"
    found = backtest(reader(past), Asked(pairs(EAGER, more)))
    assert found.alerts is not None
    assert found.scores is None
    new, old = (run.alerts for run in found.runs)
    assert {one.monitor for one in old} == {"amounts", "more"}
    assert found.alerts.lost == sorted((one for one in old if one.monitor == "more"), key=lambda one: one.onset_ms)
    assert not found.alerts.gained
    assert not found.alerts.moved
    back = difference(new, old, found.asked.tolerance_ms)
    assert (back.gained, back.lost) == (found.alerts.lost, [])


def test_a_slower_detector_moves_what_it_finds(past: Path) -> None:
    found = backtest(reader(past), Asked(pairs(SLOW, EAGER), tolerance_ms=6 * 3_600_000))
    assert found.alerts is not None
    moved = found.alerts.moved[0]
    assert moved.before.key == moved.after.key
    assert moved.after.found_ms > moved.before.found_ms
    assert "later" in moved.words()


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_past(tmp_path_factory.mktemp("healthy"), shifted=False)


FOUND_BY = {
    "unit=3": "amounts",
    "shift=3": "amounts",
    "nulls=0.5": "nulls",
    "label-collapse": "labels",
    "silence": "silent",
}


def test_what_is_put_in_is_found_by_its_monitor_and_how_fast(healthy: Path) -> None:
    specs = [spec for text in FOUND_BY for spec in parse_spec(text)]
    found = backtest(reader(healthy), Asked(pairs(EAGER), specs=specs, begin_at=0.5))
    assert not found.runs[0].alerts, "nothing is wrong with the stream itself"
    assert [(one.kind, one.model) for one in found.injected] == [
        (text.partition("=")[0], model) for text in FOUND_BY for model in ("fraud", "churn")
    ]
    by = [FOUND_BY[text] for text in FOUND_BY for _ in range(2)]
    for one, monitor in zip(found.injected, by, strict=True):
        assert one.found is not None, one.what
        assert one.found.monitor == monitor
        assert one.found.model == one.model
        assert abs(one.onset_ms - (BEGIN + 2.5 * DAY) * 1000) < 3_600_000
        assert one.found.found_ms == one.onset_ms + one.time_ms
        every_ms = 450_000 if one.model == "fraud" else 900_000
        assert abs(one.events - one.time_ms / every_ms) < 3, "at an even pace events are time"
    silent = [one for one in found.injected if one.kind == "silence"]
    assert all(7_200_000 <= one.time_ms < 4 * 3_600_000 for one in silent)


def test_a_fault_of_nothing_is_not_found_and_what_was_wrong_anyway_is_none(past: Path) -> None:
    nothing = [spec for text in ("unit=1", "shift=0", "nulls=0") for spec in parse_spec(text)]
    found = backtest(reader(past), Asked(pairs(EAGER), specs=nothing, begin_at=0.5))
    assert [one.model for one in found.runs[0].alerts][:1] == ["fraud"]
    assert len(found.injected) == 6
    assert all(one.found is None and one.alerts == 0 for one in found.injected)
    last_ms = {model: seen.last_ms for model, seen in found.watched.items()}
    assert all(one.onset_ms + one.time_ms == last_ms[one.model] for one in found.injected)
    assert {(one.model, one.anyway) for one in found.injected} == {("fraud", "amounts"), ("churn", "")}


def test_to_go_on_from_a_snapshot_is_to_have_had_the_fault_from_the_beginning(healthy: Path) -> None:
    asked = Asked(pairs(EAGER), specs=parse_spec("shift=3@features.amount"), begin_at=0.5)
    found = backtest(reader(healthy), asked)
    onsets = {one.model: one.onset_ms for one in found.injected}
    [fault] = faults(asked.specs, surveyed(reader(healthy), configured()))
    engine, told = Replay(configured(), fields_of(configured())), Told()
    for partition, records in reader(healthy)(""):
        [cut] = engine.cuts([(partition, records)])
        parts = [(part and fault.changed(part, onsets), tick) for part, tick in cut.parts]
        told.take(engine.take(cut._replace(parts=parts)))
    for one in found.injected:
        own = [alert for alert in told.alerts.values() if alert.model == one.model]
        assert one.found == own[0]
        assert one.alerts == len(own)


def test_school_is_told_of_monitors_that_learn(tmp_path: Path) -> None:
    text = HEAD.partition("monitors:")[0] + "monitors: {amounts: {signal: features.*, detect: {kind: envelope}}}\n"
    path = write_past(tmp_path, days=10, a_day=48, shifted=False)
    run = backtest(reader(path), Asked([("x", configured(text))])).runs[0]
    assert set(run.schools) == {"fraud", "churn"}
    one = run.schools["fraud"]
    assert (one.series, one.learning, one.left_ms) == (1, 0, 0)
    assert one.most_ms is not None
    assert 7 * DAY < one.most_ms / 1000 - BEGIN < 10 * DAY
