"""What is added up of windows, and what several of them say together."""

from __future__ import annotations

import pytest

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
    assert facts_of([cell(numbers=2, absolute=3, residual=1, square=8)], [])["regression"] == {
        "n": 2, "mae": 1.5, "bias": 0.5, "rmse": 2.0,
    }  # fmt: skip


def test_classes_beyond_the_named_ones_are_told_as_one() -> None:
    one = cell(right=1, wrong=1)
    one.confusion = {(0, 0): 1, (CLASSES, 0): 1}
    told = facts_of([one], ["a"])
    assert [part["predicted"] for part in told["confusion"]] == ["a", OTHER]
    assert told["classes"][0]["recall"] == 0.5


def test_a_group_and_all_others_of_its_model_are_all() -> None:
    a, b, c = (cell(right=n, wrong=1) for n in (1, 2, 3))
    a.spoken, b.spoken = {5: {UNSURE: 2}}, {5: {0: 3}, 6: {0: 1}}
    of = beside_others({("m", "a"): [a], ("m", "b"): [b], ("n", "c"): [c]})
    assert of["m", "a"] == (({5: 2}, 2, 1), ({5: 3, 6: 1}, 3, 1))
    assert of["n", "c"][1] == ({}, 0, 0)
    assert of["m", "b"][1][0] == pytest.approx({5: 2, 6: 0})
