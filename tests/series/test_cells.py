"""What is added up of windows, and what several of them say together."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.counts import clopper_pearson
from streamer.series.cells import CLASSES, FIELDS, OTHER, Cell, beside_others, counted, facts_of
from streamer.series.estimates import UNSURE


def cell(**sums: float) -> Cell:
    one = Cell()
    one.sums = [sums.get(name, 0) for name in FIELDS]
    return one


def test_sums_are_of_all_cells() -> None:
    cells = [cell(inferences=3, wrong=1, valued=2), cell(inferences=4)]
    assert counted(cells, "inferences", "wrong", "valued", "numbers") == [7, 1, 2, 0]
    assert facts_of(cells[1:], []) == {"inferences": 4, "labelled": 0}
    told = facts_of([cell(numbers=2, absolute=3, residual=1, square=8, fourth=40)], [])["regression"]
    assert (told["n"], told["mae"], told["bias"], told["rmse"]) == (2, 1.5, 0.5, 2.0)
    alone = facts_of([cell(numbers=1, absolute=3, residual=1, square=9, fourth=81)], [])["regression"]
    assert [alone[f"{name}_interval"] for name in ("mae", "bias", "rmse")] == [None] * 3


def test_classes_beyond_the_named_ones_are_told_as_one() -> None:
    one = cell(right=1, wrong=1)
    one.confusion = {(0, 0): 1, (CLASSES, 0): 1}
    told = facts_of([one], ["a"])
    assert [part["predicted"] for part in told["confusion"]] == ["a", OTHER]
    assert told["classes"][0]["recall"] == 0.5
    assert told["classes"][0]["recall_interval"] == list(clopper_pearson(1, 2))
    assert told["confusion"][0]["interval"] == list(clopper_pearson(1, 2))


def test_the_interval_of_f1_holds_as_often_as_it_says() -> None:
    rng, held = np.random.default_rng(1), 0
    for _ in range(2000):
        truth = rng.random(200) < 0.3
        said = np.where(rng.random(200) < 0.8, truth, ~truth)
        hits, predicted, true = int((said & truth).sum()), int(said.sum()), int(truth.sum())
        one = cell(right=200)
        one.confusion = {(0, 0): hits, (0, 1): predicted - hits, (1, 0): true - hits, (1, 1): 0}
        low, high = facts_of([one], ["yes", "no"])["classes"][0]["f1_interval"]
        held += low <= 2 * 0.24 / (0.38 + 0.3) <= high
    assert 0.945 <= held / 2000 <= 0.99


def test_intervals_of_means_hold_as_often_as_they_say() -> None:
    rng, held = np.random.default_rng(2), dict.fromkeys(("mae", "bias", "rmse", "gap", "brier"), 0)
    expected = {"mae": 0.7979 * 2, "bias": 0.0, "rmse": 2.0, "gap": -0.05, "brier": 0.8 * 0.0625 + 0.2 * 0.5625}
    for _ in range(1000):
        off, right = rng.normal(0, 2, 300), rng.random(300) < 0.8
        off4, miss = float((off**4).sum()), (0.75 - right) ** 2
        numbers = {"numbers": 300, "absolute": float(abs(off).sum()), "residual": float(off.sum())}
        sure = {"sure": 300, "confidence": 225.0, "sure_right": float(right.sum()), "squared": float(miss.sum())}
        squares = {"square": float((off**2).sum()), "fourth": off4, "brier_square": float((miss**2).sum())}
        told = facts_of([cell(**numbers, **sure, **squares)], [])
        for name in held:
            part = told["regression" if name in told["regression"] else "calibration"]
            low, high = part[f"{name}_interval"]
            held[name] += low <= expected[name] <= high
    assert all(0.92 <= count / 1000 <= 0.98 for count in held.values()), held


def test_windows_of_before_squares_were_counted_have_no_interval_of_them() -> None:
    told = facts_of([cell(sure=10, confidence=8, sure_right=8, squared=1.6)], [])["calibration"]
    assert told["brier_interval"] is None
    assert told["gap_interval"] is not None


def test_a_group_and_all_others_of_its_model_are_all() -> None:
    a, b, c = (cell(right=n, wrong=1) for n in (1, 2, 3))
    a.spoken, b.spoken = {5: {UNSURE: 2}}, {5: {0: 3}, 6: {0: 1}}
    of = beside_others({("m", "a"): [a], ("m", "b"): [b], ("n", "c"): [c]})
    assert of["m", "a"] == (({5: 2}, 2, 1), ({5: 3, 6: 1}, 3, 1))
    assert of["n", "c"][1] == ({}, 0, 0)
    assert of["m", "b"][1][0] == pytest.approx({5: 2, 6: 0})
