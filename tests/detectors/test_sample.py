"""Late samples: the next values of a row that gets none from its reference, however the log is cut."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.sample import LateSamples


@given(
    st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=120),
    st.integers(1, 12),
    st.lists(st.tuples(st.integers(0, 120), st.booleans()), max_size=5),
)
def test_as_a_list_however_it_is_cut(
    given_values: list[tuple[int, bool]], warmup: int, cuts: list[tuple[int, bool]]
) -> None:
    """Row 3 has learned before."""
    rows = np.array([row for row, _ in given_values], np.int64)
    ready = np.array([ready for _, ready in given_values], bool)
    values, learned = np.arange(float(len(rows))), np.array([False, False, False, True])
    late, snapshots = LateSamples(warmup), {min(place, len(rows)): taken for place, taken in cuts}
    left, samples = [], {}
    for begin, end in pairwise([0, *sorted(snapshots), len(rows)]):
        part = slice(begin, end)
        left += late.update(rows[part], values[part], ready[part], learned[rows[part]]).tolist()
        for row, sample in late.completed():
            assert row not in samples
            samples[row], learned[row] = sample.tolist(), True
        if snapshots.get(end):
            state, late = late.dump(), LateSamples(warmup)
            late.load(state)
    wanted = np.zeros(len(rows), bool)
    for row in range(4):
        places = np.flatnonzero((rows == row) & ready)
        if row < 3 and len(places) >= warmup:
            assert samples.pop(row) == values[places[:warmup]].tolist()
        wanted[places if row == 3 else places[warmup:]] = True
    assert not samples
    assert left == wanted.tolist()


def test_rows_are_handed_out_ascending_and_once() -> None:
    late, rows = LateSamples(2), np.array([5, 1, 5, 1, 3])
    late.update(rows, np.arange(5.0), np.ones(5, bool), np.zeros(5, bool))
    with pytest.raises(AssertionError, match="nobody has taken"):
        late.dump()
    assert [(row, sample.tolist()) for row, sample in late.completed()] == [(1, [1.0, 3.0]), (5, [0.0, 2.0])]
    assert late.completed() == []
    assert {name: array.tolist() for name, array in late.dump().items()} == {"row": [3], "n": [1], "values": [4.0]}


def test_broken_state_is_refused_and_changes_nothing() -> None:
    late, rows = LateSamples(3), np.array([4, 1, 4])
    late.update(rows, np.arange(3.0), np.ones(3, bool), np.zeros(3, bool))
    good = late.dump()
    wrong: list[tuple[str, Any]] = [
        ("row", np.array([4, 1])),
        ("row", np.array([1, 1])),
        ("row", np.array([-1, 4])),
        ("row", np.array([1, 2**40])),
        ("n", np.array([0, 3])),
        ("n", np.array([-1, 4])),
        ("n", np.array([1, 3])),
        ("n", np.array([2**62, 2**62])),
        ("values", np.array([0.0, np.nan, 1.0])),
        *((name, None) for name in good),
        *((name, array[:-1]) for name, array in good.items()),
        *((name, array.astype(np.float32)) for name, array in good.items()),
    ]
    for name, bad in wrong:
        with pytest.raises(ValueError):  # noqa: PT011  (the text differs)
            late.load({**good, name: bad})
    assert {k: v.tobytes() for k, v in late.dump().items()} == {k: v.tobytes() for k, v in good.items()}
    with pytest.raises(ValueError, match="no values"):
        LateSamples(0)
