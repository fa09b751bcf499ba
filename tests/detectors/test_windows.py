"""Tumbling windows against lists, and Wilson's interval against published values."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import windows as module
from detectors.windows import FractionWindows, Window, wilson

Value = tuple[int, int, int, list[str]]
"""Row, flag, time, reasons."""


def made(events: int | None, length_ms: int | None, lateness_ms: int = 0, rows: int = 2) -> FractionWindows:
    windows = FractionWindows(events, length_ms, lateness_ms)
    windows.resize(rows)
    return windows


def feed(windows: FractionWindows, values: list[Value], begin: int = 0) -> list[Window]:
    rows, flags, times = (np.array([v[i] for v in values], np.int64) for i in range(3))
    reasons = sorted((i, reason) for i, value in enumerate(values) for reason in value[3])
    closed = windows.update(rows, flags.astype(float), begin + np.arange(len(values)), times, reasons)
    return [w._replace(closed_by=begin + w.closed_by) for w in closed]


def told(row: int, closed_by: int, held: list[tuple[int, Value]], start_ms: int, end_ms: int) -> Window:
    counts = Counter(reason for _, value in held for reason in value[3])
    top = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:5]
    hits = sum(value[1] for _, value in held)
    return Window(row, closed_by, len(held), hits, held[0][0], held[-1][0], start_ms, end_ms, tuple(top))


def naive_by_count(values: list[Value], length: int) -> list[Window]:
    held: dict[int, list[tuple[int, Value]]] = {}
    closed = []
    for i, value in enumerate(values):
        held.setdefault(value[0], []).append((i, value))
        if len(held[value[0]]) == length:
            part = held.pop(value[0])
            times = [v[2] for _, v in part]
            closed.append(told(value[0], i, part, min(times), max(times)))
    return closed


def naive_by_time(values: list[Value], length: int, lateness: int) -> list[Window]:
    held: dict[tuple[int, int], list[tuple[int, Value]]] = {}
    newest: dict[int, int] = {}
    ended: dict[int, int] = {}
    closed = []
    for i, value in enumerate(values):
        row, _, time_ms, _ = value
        held.setdefault((row, time_ms // length * length), []).append((i, value))
        newest[row] = max(newest.get(row, time_ms), time_ms)
        for key in sorted(held):
            if key[0] == row and key[1] + length + lateness <= newest[row]:
                window = told(row, i, held.pop(key), key[1], key[1] + length)
                late = key[1] <= ended.get(row, key[1] - 1)
                between = range(ended.get(row, key[1] - length) + length, key[1], length)
                closed.append(window._replace(late=late, skipped=len(between)))
                ended[row] = max(key[1], ended.get(row, key[1]))
    return closed


streams = st.lists(
    st.tuples(
        st.integers(0, 1), st.integers(0, 1), st.integers(-60, 400), st.lists(st.sampled_from("abcdefg"), max_size=2)
    ),
    max_size=120,
)
cuts = st.lists(st.tuples(st.integers(0, 120), st.booleans()), max_size=4)


def play(windows: FractionWindows, values: list[Value], cut: list[tuple[int, bool]], args: Any) -> list[Window]:
    """The stream in pieces, some with a snapshot after them that travels as bytes."""
    closed = []
    snapshots = dict(cut)
    for a, b in pairwise([0, *sorted(min(place, len(values)) for place, _ in cut), len(values)]):
        closed += feed(windows, values[a:b], a)
        if snapshots.get(b):
            state = msgpack.unpackb(msgpack.packb(windows.dump()))
            windows = made(*args, rows=0)
            windows.load(state)
    whole = made(*args)
    feed(whole, values)
    windows.resize(2)
    assert msgpack.packb(windows.dump()) == msgpack.packb(whole.dump())
    open_n = sum(w.n for row in windows.open for w in row.values())
    assert sum(w.n for w in closed) + open_n == len(values)
    return closed


@given(streams, st.integers(1, 20), cuts)
def test_by_count_as_the_naive_one(values: list[Value], length: int, cut: list[tuple[int, bool]]) -> None:
    args = (length, None)
    assert play(made(*args), values, cut, args) == naive_by_count(values, length)


@given(streams, st.sampled_from([1, 10, 70]), st.sampled_from([0, 15, 1000]), cuts)
def test_by_time_as_the_naive_one(values: list[Value], length: int, lateness: int, cut: list[tuple[int, bool]]) -> None:
    args = (None, length, lateness)
    assert play(made(*args), values, cut, args) == naive_by_time(values, length, lateness)


def test_by_time_they_wait_for_late_values() -> None:
    times, flags = [100, 900, 1200, 950, 1499, 1500, 2600], [1, 0, 1, 1, 0, 0, 1]
    why: dict[int, list[str]] = {0: ["a"], 3: ["a", "b"]}
    values = [(0, flag, at, why.get(i, [])) for i, (flag, at) in enumerate(zip(flags, times, strict=True))]
    closed = feed(made(None, 1000, 500), values)
    assert [(w.start_ms, w.n, w.hits, w.closed_by, w.reasons) for w in closed] == [
        (0, 3, 2, 5, (("a", 2), ("b", 1))),
        (1000, 3, 1, 6, ()),
    ]


def test_reasons_are_bounded() -> None:
    [window] = feed(made(100, None), [(0, 1, 0, [f"r{i}"]) for i in range(100)])
    assert window.reasons[0] == ("other", 68)
    assert len(window.reasons) == 5


def test_open_windows_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OPEN_MAX", 10)
    windows = made(None, 10, 10**9)
    closed = feed(windows, [(0, 1, 10 * i, []) for i in range(50)])
    assert [w.start_ms for w in closed] == [10 * i for i in range(40)]  # The oldest goes first.
    assert len(windows.open[0]) == 10
    made(None, 10, 10**9).load(windows.dump())


BROKEN: list[tuple[str, Any]] = [
    ("newest_ms", None),
    ("newest_ms", [1]),
    ("newest_ms", ["x", None]),
    ("newest_ms", [True, None]),
    ("ended_ms", None),
    ("ended_ms", [1]),
    ("ended_ms", ["x", None]),
    ("open", None),
    ("open", [[], 3]),
    ("open", [[[0, 10, 0, 0, 1, 1, []], [0, 10, 0, 0, 1, 1, []]], []]),
    ("open", [[[5, 15, 0, 0, 1, 1, []]], []]),
    ("open", [[[0, 20, 0, 0, 1, 1, []]], []]),
    ("open", [[[0, 10, 0, 0, 1, 2, []]], []]),
    ("open", [[[0, 10, 0, 0, 0, 0, []]], []]),
    ("open", [[[0, 10, 0, 0, 1.0, 1, []]], []]),
    ("open", [[[0, 10, 0, 0, 1, 1]], []]),
    ("open", [[[0, 10, 0, 0, 1, 1, {}]], []]),
    ("open", [[[0, 10, 0, 0, 1, 1, [["a", "b"]]]], []]),
    ("open", [[[0, 10, 0, 0, 1, 1, [["a", 0]]]], []]),
    ("open", [[[0, 10, 0, 0, 1, 1, [[f"r{i}", 1] for i in range(40)]]], []]),
]


@pytest.mark.parametrize(("name", "bad"), BROKEN)
def test_broken_state_is_refused_and_changes_nothing(name: str, bad: Any) -> None:
    windows = made(None, 10)
    feed(windows, [(0, 1, 3, ["a"]), (1, 0, 17, [])])
    good = windows.dump()
    with pytest.raises(ValueError):  # noqa: PT011  (the text differs)
        windows.load({**good, name: bad})
    assert windows.dump() == good
    windows.load(good)
    assert windows.dump() == good


def test_a_full_window_is_never_open() -> None:
    with pytest.raises(ValueError, match="full"):
        made(3, None).load({"newest_ms": [None], "ended_ms": [None], "open": [[[0, 10, 0, 0, 3, 1, []]]]})


@pytest.mark.parametrize("args", [(None, None, 0), (5, 5, 0), (0, None, 0), (None, 0, 0), (None, 10, -1)])
def test_a_window_has_one_length(args: Any) -> None:
    with pytest.raises(ValueError, match="window"):
        FractionWindows(*args)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (5, 10, 0.2366, 0.7634),
        (1, 1, 0.2065, 1.0),
        (81, 263, 0.2553, 0.3662),  # Newcombe, Statistics in Medicine 17 (1998), table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson(hits: int, n: int, low: float, high: float) -> None:
    np.testing.assert_allclose(wilson(hits, n), (low, high), atol=1e-4)
    np.testing.assert_allclose(wilson(n - hits, n), (1 - high, 1 - low), atol=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)
