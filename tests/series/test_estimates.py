"""What a window is told to be before its labels come, and groups side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detectors.confidence import cells_of
from detectors.counts import clopper_pearson
from detectors.estimated_error import BLIND
from streamer.series import calibrations
from streamer.series.calibrations import ANY, Calibrations
from streamer.series.estimates import (
    CLASSES_SAID,
    OTHERS,
    UNSURE,
    Spoken,
    by_class,
    cells_said,
    estimate_facts,
    fairness_facts,
    few_labels,
    hushed,
    reasons_told,
    speak,
    unestimated,
)
from streamer.series.joined import joined_of
from streamer.series.predictions import CLASS, NOTHING, NUMBER

TEXTS = {10: "yes", 11: "no"}
HIGH, LOW = (int(cells_of(np.array([c]))[0]) for c in (0.95, 0.6))


@pytest.fixture
def learned(monkeypatch: pytest.MonkeyPatch) -> Calibrations:
    """Of 400 labels: 200 of "yes" at .95, of which 10 are wrong; 200 of "no" at .6, of which 80 are."""
    monkeypatch.setattr(calibrations, "BLOCK", 400)
    one = Calibrations((), [()])
    rows: list[tuple[Any, ...]] = []
    for i in range(400):
        code, confidence, wrong = (10, 0.95, i % 40 == 0) if i % 2 == 0 else (11, 0.6, i % 5 < 2)
        rows.append((i, 0, CLASS, code, 5 if wrong else code, float("nan"), confidence, 1, 2))
    one.add(joined_of(rows), {0: ("m",)})
    return one


def test_cells_are_of_classes_with_a_confidence() -> None:
    kind = np.array([CLASS, CLASS, CLASS, NUMBER, NOTHING])
    confidence = np.array([0.95, np.nan, 1.5, 0.5, 0.5])
    assert cells_said(kind, confidence, cells_of(confidence)).tolist() == [HIGH, UNSURE, UNSURE, -1, -1]


def test_classes_beyond_the_first_are_counted_together() -> None:
    spoken: Spoken = {}
    for code in [*range(1, CLASSES_SAID + 4), 1]:
        speak(spoken, code, HIGH, 2)
    assert len(spoken) == CLASSES_SAID + 1
    assert (spoken[1], spoken[OTHERS]) == ({HIGH: 4}, {HIGH: 6})
    assert by_class([spoken, {1: {UNSURE: 1}}])[1] == 5
    assert hushed(spoken)[1] == {UNSURE: 4}


def test_the_estimate_is_by_the_mix_of_the_window(learned: Calibrations) -> None:
    parts: list[Spoken] = [{10: {HIGH: 60}}, {11: {LOW: 40, UNSURE: 7}}]
    told = estimate_facts((), ("m",), parts, learned, TEXTS)
    assert told is not None
    assert told["n"] == 100
    assert told["share"] == pytest.approx(0.6 * 0.05 + 0.4 * 0.4)
    assert told["interval"][0] < 0.19 < told["interval"][1]
    assert told["calibration"]["version"] == 1
    assert told["calibration"]["pairs"] == 400
    assert told["text"] == BLIND
    assert "as long as the relation of inputs to outcomes is that of the labelled history" in BLIND
    confusion = {one["predicted"]: one for one in told["confusion"]}
    assert confusion["yes"]["wrong"]["share"] == pytest.approx(0.6 * 0.05)
    assert confusion["no"]["right"]["share"] == pytest.approx(0.4 * 0.6)
    assert sum(one[way]["share"] for one in confusion.values() for way in ("right", "wrong")) == pytest.approx(1)


def test_what_is_not_known_is_not_told(learned: Calibrations) -> None:
    window: list[Spoken] = [{10: {HIGH: 60}}]
    assert estimate_facts((), ("other",), window, learned, TEXTS) is None
    assert estimate_facts(("version",), ("m", "1"), window, learned, TEXTS) is None
    assert estimate_facts((), ("m",), [{10: {UNSURE: 9}}], learned, TEXTS) is None
    assert estimate_facts((), ("m",), [{}], learned, TEXTS) is None
    for unknown in ({12: {HIGH: 1}}, {OTHERS: {HIGH: 1}}):
        told = estimate_facts((), ("m",), [*window, unknown], learned, TEXTS)
        assert told is not None
        assert "confusion" not in told, "a class has no calibration of its own"
    assert learned.newest(((), ("m",), ANY)) is not None


def test_a_group_beside_all_others() -> None:
    told = fairness_facts(({10: 120, 11: 280}, 100, 5), ({10: 120, 11: 480}, 200, 24), TEXTS)
    assert told is not None
    assert (told["n"], told["others"]) == (400, 600)
    assert [one["class"] for one in told["selection"]] == ["no", "yes"], "the most frequent one first"
    yes = told["selection"][1]
    assert (yes["count"], yes["share"], yes["interval"]) == (120, 0.3, list(clopper_pearson(120, 400)))
    assert yes["ratio"]["value"] == pytest.approx(1.5)
    assert yes["ratio"]["interval"][0] < 1.5 < yes["ratio"]["interval"][1]
    assert told["error"]["ratio"]["value"] == pytest.approx(0.05 / 0.12)
    assert fairness_facts(({10: 5}, 0, 0), ({}, 0, 0), TEXTS) is None, "there are no others"
    without = fairness_facts(({10: 5}, 0, 0), ({10: 5, 77: 3}, 4, 1), TEXTS)
    assert without is not None
    assert "error" not in without
    assert [one["class"] for one in without["selection"]] == ["yes"], "what 77 is called nobody remembers"


def reasons(learned: Calibrations, parts: list[Spoken], group: tuple[str, ...] = ("m",), **others: int) -> Any:
    told = reasons_told(unestimated((), group, parts, learned, {"numbers": 0, "nothing": 0, **others}))
    assert all(one["text"] for one in told)
    return {one["reason"]: one["n"] for one in told}


def test_what_has_no_estimate_is_told_with_its_reason(learned: Calibrations, monkeypatch: pytest.MonkeyPatch) -> None:
    window: list[Spoken] = [{10: {HIGH: 60, UNSURE: 3}}, {11: {LOW: 5}}]
    assert reasons(learned, window) == {"no_confidence": 3}
    assert reasons(learned, [{10: {HIGH: 60}}]) == {}
    assert reasons(learned, window, numbers=4, nothing=2) == {"regression": 4, "no_confidence": 3, "no_prediction": 2}
    assert reasons(learned, window, ("other",)) == {"few_labels": 65, "no_confidence": 3}
    [few, _] = unestimated((), ("other",), window, learned, {"numbers": 0, "nothing": 0})
    assert few == ["few_labels", 65, 0, 400]
    assert reasons_told([few])[0]["text"] == few_labels(0, 400)
    assert few_labels(7, 500).endswith("that takes 500 labels of the group, and 7 were there.")
    monkeypatch.setattr(calibrations, "HISTORIES_MAX", 3)
    assert reasons(learned, window, ("other",)) == {"no_room": 65, "no_confidence": 3}
