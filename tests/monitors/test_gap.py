"""The gap as an alert: told when the relation changes, with the segment where, and never when only inputs do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from detectors.confidence import BLOCKS
from detectors.gap import SCALES
from streamer.config.load import check
from streamer.engine.engines import PYTHON
from streamer.engine.task import Task
from streamer.monitors.gap import GapMonitor
from streamer.series import calibrations
from tests.engine.labelled import DELAY, MONITORS, SEEDS, config_of, lived, some_cuts, stream
from tests.engine.tasks import AT, LEAST

EVIDENCE = json.loads((Path(__file__).resolve().parents[2] / "schemas" / "alert.v1.json").read_text())
WINDOW = jsonschema.Draft202012Validator({"$ref": "#/$defs/gap", "$defs": EVIDENCE["$defs"]})
COUNT = 4000
CONFIG = config_of()


@pytest.mark.parametrize("seed", SEEDS)
def test_another_relation_is_told_with_the_segment_where_it_is(seed: int) -> None:
    told = lived(CONFIG, stream(seed, COUNT, "relation"))
    assert sorted(told.fired()) == [("gap", "", "up"), ("of-country", "NL", "up")], "and the estimate sees nothing"
    one = next(alert for alert in told.alerts if alert["alert"]["labels"]["monitor"] == "gap")
    window = one["evidence"]["window"]
    WINDOW.validate(window)
    assert one["sentence"].startswith("m: the relation of inputs to outcomes changed: ")
    assert window["realised"] == window["count"] / window["n"] > window["interval"][1] > window["estimated"]
    assert [(part["field"], part["value"]) for part in window["segments"]] == [
        ("segment_country", "NL"), ("segment_country", "DE")
    ]  # fmt: skip
    assert window["segments"][0]["realised"] > 1.5 * window["segments"][0]["estimated"]
    assert sum(part["n"] for part in window["segments"]) == window["n"]
    assert one["replay"]["command"].startswith("driftline replay")
    [stands] = told.task.monitors["gap"].standing()
    assert stands.words.startswith("the newest window, of ")
    assert stands.statistic is not None
    assert stands.threshold is not None
    assert (stands.statistic > stands.usual) == (stands.threshold > stands.usual), "the border of its side"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("change", ["", "inputs"])
def test_other_inputs_are_no_gap_and_the_estimate_follows(seed: int, change: str) -> None:
    told = lived(CONFIG, stream(seed, 3000, change))
    assert told.fired() == ([("estimate", "", "up")] if change else [])


def test_any_cut_and_both_engines_tell_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrations, "BLOCK", 110)
    monkeypatch.setattr(calibrations, "BLOCK_OF_CLASS", 40)
    events, config = stream(5, 1600, "relation"), config_of(MONITORS.replace("budget: 0.02", "budget: 50"))
    whole = lived(config, events)
    assert {monitor for monitor, *_ in whole.fired()} == {"gap", "of-country"}
    assert any("estimated" in one for one in whole.windows)
    for engine, cuts in ((whole.task.engine, some_cuts(1, len(events), 40)), (PYTHON, some_cuts(2, len(events), 15))):
        again = lived(config, events, cuts, engine)
        assert again.alerts == whole.alerts
        assert again.windows == whole.windows
        assert again.task.dump() == whole.task.dump()


def test_it_is_over_when_errors_are_as_promised_again() -> None:
    events = stream(1, 4000, "relation")[:6400]
    healthy = stream(2, 4500)
    later_s = events[-1]["time"] - healthy[0]["time"] + 30
    for one in healthy:
        one["time"] += later_s
        for place in (one, one.get("label", {})):
            if "event_id" in place:
                place["event_id"] = "h" + place["event_id"]
    told = [one for one in lived(CONFIG, events + healthy).alerts if one["alert"]["labels"]["monitor"] == "gap"]
    assert [told[0]["status"], told[-1]["status"]] == ["firing", "resolved"]
    assert "errors and estimate agree again" in told[-1]["sentence"]
    assert told[-1]["resolution"] == {"how": "recovered"}
    assert {one["episode"]["number"] for one in told} == {1}, "it opens once"
    assert any(one["status"] == "resolved" for one in told), "and is closed once"


def test_it_is_accepted_when_it_lasted_and_the_history_is_of_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrations, "BLOCK", 150)
    config = config_of("heartbeat: {interval: 1h}\nfalse_alarms: {budget: 0.02}\nmonitors:\n"
                       "  gap: {signal: realised_error, detect: {kind: gap}, accept_after: 8h}\n")  # fmt: skip
    told = lived(config, stream(1, 5000, "relation"))
    states = [(one["status"], one["changed"]["offset"]) for one in told.alerts if one["sequence"] == 1]
    ended = [one["changed"]["offset"] for one in told.alerts if one["status"] == "resolved"]
    assert len(states) == len(ended) == 1, "the new relation is what is normal now"
    assert ended[0] - states[0][1] >= 2 * BLOCKS * 150, "a label is every other record"


def test_only_classes_with_a_confidence_count() -> None:
    events = stream(1, 800)
    for one in events:
        one.get("prediction", {}).pop("confidence", None)
    task = lived(CONFIG, events).task
    gap = task.monitors["gap"]
    assert isinstance(gap, GapMonitor)
    assert gap.rows == {}
    assert len(gap.table.keys) == 1, "there is a realised error"


def test_rows_that_leave_take_what_is_known_of_them_along() -> None:
    gap = lived(CONFIG, stream(1, 1500)).task.monitors["of-country"]
    assert isinstance(gap, GapMonitor)
    names = [key[0][1] for key in gap.table.keys]
    kept = gap.rows[1]
    gap.retain(np.array([1]))
    assert gap.rows == {0: kept}
    assert sorted(names) == ["DE", "NL"]
    with pytest.raises(ValueError, match="series that there is not"):
        gap.load({"gaps": [[7, kept.dump()]]})
    with pytest.raises(ValueError, match="begun"):
        gap.load({"gaps": [[0, {**kept.dump(), "begun": np.zeros((SCALES, 1), np.int64)}]]})


def test_a_stream_that_ends_before_there_is_a_calibration_says_nothing() -> None:
    told = lived(CONFIG, stream(1, 400, "relation"))
    assert told.alerts == []
    gap = told.task.monitors["gap"]
    assert isinstance(gap, GapMonitor)
    assert gap.rows[0].labels == gap.rows[0].gap.unjudged == 400 - DELAY
    assert "a window has 50" in gap.standing()[0].words


def test_it_is_of_realised_error_and_in_the_standard_set_where_there_are_labels() -> None:
    def complaints(text: str) -> list[str]:
        return [problem.kind for problem in check(f"{LEAST}labels: {{}}\n{text}".encode(), "x", {})[1]]

    assert complaints("monitors: {m: {signal: error, detect: {kind: gap}}}") == ["bad-value"]
    assert complaints("monitors: {m: {signal: realised_error, detect: {kind: gap}, for: 1h}}") != []
    standard = Task(config_of(""), AT, 0).monitors["gap"]
    found: Any = standard.config.detect
    assert (found.kind, found.direction, found.budgeted) == ("gap", "up", True)
