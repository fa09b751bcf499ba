"""What moved between two files of references, the largest change first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detectors.distances import psi
from streamer.config.reference_file import References
from streamer.offline.reference_diff import Moved, diff, series_of
from streamer.signals.categories import CODES

SERIES: dict[str, Any] = {
    "key": ["m"], "n": 100, "centre": 0.0, "scale": 1.0, "mean": 10.0, "std": 2.0, "below": 1.0, "above": 1.0,
    "offsets": [0, 99], "begin": "a", "end": "b", "begin_ms": 0, "end_ms": 1,
}  # fmt: skip


def file_of(**members: dict[str, Any]) -> References:
    """One series per member."""
    series = [{**SERIES, "member": member, **changes} for member, changes in members.items()]
    return References.model_validate({"source": "s", "config": "c", "tables": [{"signal": "number", "series": series}]})


def shares(**counts: int) -> dict[str, Any]:
    """Categories with their counts; `_` is all others."""
    others = counts.pop("_", 0)
    edges = [float(i) for i in range(len(counts))]
    return {"categories": list(counts), "bins": {"64": {"edges": edges, "counts": [*counts.values(), others]}}}


def test_a_series_has_one_name_in_all_files() -> None:
    assert list(series_of(file_of(a={}, b={"key": ["m", "v"]}))) == ["number: m / a", "number: m / v / b"]


def test_equal_files_differ_by_nothing() -> None:
    one = file_of(a={}, c=shares(x=3, y=5, _=2))
    assert [(moved.what, moved.deviations, moved.psi or 0.0) for moved in diff(one, one)] == [("same", 0.0, 0.0)] * 2


def test_what_is_in_one_file_only_comes_first_then_the_largest_change() -> None:
    before = file_of(gone={}, small={}, large={}, shares=shares(x=50, y=50))
    after = file_of(small={"mean": 11.0}, large={"mean": -30.0}, shares=shares(x=90, y=10), new={})
    found = diff(before, after)
    assert [(moved.what, moved.name.rpartition(" ")[2]) for moved in found] == [
        ("vanished", "gone"),
        ("appeared", "new"),
        ("moved", "large"),
        ("moved", "shares"),
        ("moved", "small"),
    ]
    assert [found[2].deviations, found[4].deviations] == [-20.0, 0.5]
    assert found[4].sentence == "mean 10 -> 11 (+0.50 deviations), std 2 -> 2"


def only(before: dict[str, Any], after: dict[str, Any]) -> Moved:
    [moved] = diff(file_of(a=before), file_of(a=after))
    return moved


@pytest.mark.parametrize(("mean", "deviations"), [(10.0, 0.0), (10.1, 10.0), (9.0, -10.0)])
def test_a_constant_moves_by_much_or_not_at_all(mean: float, deviations: float) -> None:
    assert only({"std": 0.0}, {"std": 0.0, "mean": mean}).deviations == deviations


def test_shares_are_compared_by_name_whatever_their_order() -> None:
    before, after = shares(x=30, y=50, _=20), shares(y=20, z=30, x=40, _=10)
    moved = only(before, after)
    expected = psi(np.array([30, 50, 20, 0]), np.array([40, 20, 10, 30]))
    assert moved.psi == pytest.approx(expected)
    assert moved.sentence == f"PSI {expected:.3f}, new: z"
    assert only(shares(x=1, y=1), shares(y=1, x=1)).psi == pytest.approx(0.0, abs=1e-12)


def test_categories_without_counts_tell_what_is_new() -> None:
    without = {"categories": ["x"]}
    assert only(without, shares(x=1)) == Moved("number: m / a", "same", 0.0, None, "no shares to compare")
    many = {"categories": ["x", *"abcdefg"]}
    assert only(without, many)[1:] == ("moved", 0.0, None, "no shares to compare, new: a, b, c, d, e")
    assert only(many, without).sentence == "no shares to compare, gone: a, b, c, d, e"


def test_a_spread_that_changed_is_a_move() -> None:
    assert only({}, {"std": 3.0}).what == "moved"


def test_categories_beyond_those_with_a_share_are_compared_by_name_alone() -> None:
    many = {f"c{i}": 2 for i in range(CODES)}
    first, second = shares(**many, _=4), shares(**many, _=4)
    first["categories"] += ["late", "later"]
    second["categories"] += ["late", "new"]
    assert only(first, second).sentence == "PSI 0.000, new: new, gone: later"


def test_texts_that_are_no_categories_are_not_compared() -> None:
    none = {"categories": [], "category": False}
    assert only(none, none)[1:] == ("same", 0.0, None, "texts that are no categories")
    assert only(shares(x=1), none).what == "moved"
