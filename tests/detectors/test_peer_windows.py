"""Windows that a set of series share: the same however the values came, and what a dump holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detectors.peer_windows import NO_SET, PeerWindows, correlation, deviations, means

SETS = np.array([0, 0, 1, 1, NO_SET])


def made() -> PeerWindows:
    windows = PeerWindows(1000, 500)
    windows.resize(SETS)
    return windows


def values(count: int = 2000) -> tuple[Any, ...]:
    draw = np.random.default_rng(5)
    times = np.arange(count) * 7 + draw.integers(0, 400, count)
    return draw.integers(0, 5, count), draw.normal(3, 1, count), np.arange(count), times


@pytest.mark.parametrize("size", [1, 7, 300])
def test_any_cut_gives_the_same(size: int) -> None:
    one, other, given = made(), made(), values()
    closed, late = one.update(*given)
    parts = [other.update(*(column[i : i + size] for column in given)) for i in range(0, len(given[0]), size)]
    again = [window for part, _ in parts for window in part]
    assert [(w.set, w.start_ms, w.rows.tolist()) for w in closed] == [
        (w.set, w.start_ms, w.rows.tolist()) for w in again
    ]
    for first, second in zip(closed, again, strict=True):
        assert all(first.sums[name].tobytes() == second.sums[name].tobytes() for name in first.sums)
    assert late.tolist() == [row for _, part in parts for row in part.tolist()]
    assert repr(one.dump()) == repr(other.dump())


def test_sums_are_those_of_the_values() -> None:
    rows, numbers, offsets, times = values()
    for window in made().update(rows, numbers, offsets, times)[0]:
        for i, row in enumerate(window.rows.tolist()):
            mine = numbers[(rows == row) & (times // 1000 * 1000 == window.start_ms)]
            assert means(window.sums)[i] == pytest.approx(mine.mean())
            assert deviations(window.sums)[i] == pytest.approx(mine.std(ddof=1))
        assert abs(correlation(window.sums)) < 0.4


def test_a_dump_is_taken_up_again_and_a_wrong_one_is_not() -> None:
    windows, given = made(), values()
    windows.update(*given)
    other = made()
    other.load(windows.dump())
    assert repr(other.dump()) == repr(windows.dump())
    for wrong in ({"row": windows.dump()["row"] + 9}, {"start_ms": windows.dump()["start_ms"] + 1}):
        with pytest.raises(ValueError, match="windows"):
            made().load({**windows.dump(), **wrong})


def test_rows_that_leave_take_their_cells_along() -> None:
    windows = made()
    windows.update(*values())
    windows.retain(np.array([1, 3]), np.array([0, 1]))
    assert set(windows.dump()["row"].tolist()) == {0, 1}
    assert len(windows.newest_ms) == 2
