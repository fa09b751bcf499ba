"""Reference, history and windows against naive implementations, and what must not matter to them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from detectors.history import BLOCK, BLOCKS, History
from detectors.reference import CLIP, Reference
from detectors.windows import FractionWindows, wilson

F64 = NDArray[np.float64]


def standardise(values: F64, warmup: int = 100) -> F64:
    reference = Reference(warmup)
    reference.resize(1)
    places = np.arange(len(values))
    ready, z = reference.update(np.zeros(len(values), np.int64), values, places, places)
    assert np.flatnonzero(ready).tolist() == list(range(warmup, len(values)))
    return z[ready]


def test_median_and_mad_by_hand() -> None:
    values = np.r_[np.arange(101.0), [50.0, 125.0, 1e9]]
    z = standardise(values, 101)
    np.testing.assert_allclose(z, [0.0, 75 / (1.4826 * 25), CLIP])


@pytest.mark.parametrize("family", ["normal", "lognormal", "constant", "rare"])
def test_scale_and_shift_change_nothing(family: str) -> None:
    rng = np.random.default_rng(3)
    values = {
        "normal": rng.normal(0, 1, 600),
        "lognormal": rng.lognormal(0, 1, 600),
        "constant": np.r_[np.full(300, 7.0), np.full(300, 9.0)],
        "rare": (rng.random(600) < 0.05) * 3.0,
    }[family]
    expected = standardise(values)
    np.testing.assert_array_equal(standardise(values * 1024), expected)
    np.testing.assert_allclose(standardise(values * 1000), expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(standardise(values + 1e6), expected, rtol=1e-6, atol=1e-6)


def test_an_outlier_in_the_warm_up_does_not_blind() -> None:
    values = np.random.default_rng(1).normal(0, 1, 300)
    spoilt = values.copy()
    spoilt[:20] = 1e12
    clean, dirty = standardise(values), standardise(spoilt)
    assert 0.6 < np.std(dirty) / np.std(clean) < 1.1  # A mean and deviation would have made every z 0.


@settings(max_examples=50, deadline=None, database=None)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 900), max_size=5))
def test_reference_and_history_do_not_see_the_cuts(seed: int, cuts: list[int]) -> None:
    rng = np.random.default_rng(seed)
    rows, values = rng.integers(0, 3, 900), rng.normal(0, 1, 900)
    places = np.arange(900)

    def play(edges: list[int]) -> list[bytes]:
        reference, history = Reference(50), History()
        reference.resize(3)
        history.resize(3)
        zs = []
        for a, b in zip(edges, edges[1:], strict=False):
            part = rows[a:b], values[a:b], places[a:b], places[a:b]
            zs.append(reference.update(*part)[1])
            history.update(*part)
        dumps = [*reference.dump().values(), *history.dump().values()]
        return [np.concatenate(zs).tobytes(), *(array.tobytes() for array in dumps)]

    assert play([0, *sorted(cuts), 900]) == play([0, 900])


def test_history_finds_the_onset() -> None:
    history = History()
    history.resize(1)
    rng = np.random.default_rng(0)
    values = np.r_[rng.normal(0, 1, 1000), rng.normal(3, 1, 96 - 1000 % BLOCK)]
    places = np.arange(len(values))
    history.update(np.zeros(len(values), np.int64), values, places * 2, places * 10)
    recent = history.recent(0, 0.0)
    assert recent is not None
    assert abs(recent.first_offset - 2000) <= 2 * BLOCK
    assert recent.last_offset == 2 * (len(values) - 1)
    tail = values[-recent.n :]
    np.testing.assert_allclose([recent.mean, recent.std], [tail.mean(), tail.std()], rtol=1e-9)
    assert recent.n <= BLOCKS * BLOCK


def test_snapshots_of_reference_history_and_windows_continue() -> None:
    rng = np.random.default_rng(5)
    rows, values, places = rng.integers(0, 2, 400), rng.normal(0, 1, 400), np.arange(400)
    for make in (lambda: Reference(60), History):
        one, two = make(), make()
        one.resize(2)
        one.update(rows[:150], values[:150], places[:150], places[:150])
        two.load(one.dump())
        for bank in (one, two):
            bank.update(rows[150:], values[150:], places[150:], places[150:])
        assert {k: v.tobytes() for k, v in one.dump().items()} == {k: v.tobytes() for k, v in two.dump().items()}


def naive_count(flags: list[float], length: int) -> list[tuple[int, int]]:
    return [(length, int(sum(flags[i : i + length]))) for i in range(0, len(flags) - length + 1, length)]


@settings(max_examples=50, deadline=None, database=None)
@given(st.lists(st.sampled_from([0.0, 1.0]), max_size=200), st.integers(1, 40), st.integers(0, 200))
def test_windows_by_count(flags: list[float], length: int, cut: int) -> None:
    windows = FractionWindows(length, None, 0)
    windows.resize(1)
    values, places = np.array(flags), np.arange(len(flags))
    closed = []
    for part in (slice(0, cut), slice(cut, None)):
        chosen = values[part]
        closed += windows.update(np.zeros(len(chosen), np.int64), chosen, places[part], places[part], [])
    assert [(w.n, w.hits) for w in closed] == naive_count(flags, length)
    assert sum(w.n for w in closed) + sum(w.n for w in windows.open[0].values()) == len(flags)


def test_windows_by_time_wait_for_late_values_and_conserve_them() -> None:
    windows = FractionWindows(None, 1000, 500)
    windows.resize(1)
    times = np.array([100, 900, 1200, 950, 1499, 1500, 2600])
    flags = np.array([1.0, 0, 1, 1, 0, 0, 1])
    closed = windows.update(np.zeros(7, np.int64), flags, np.arange(7), times, [(0, "a"), (3, "a"), (3, "b")])
    assert [(w.start_ms, w.n, w.hits, w.closed_by, w.reasons) for w in closed] == [
        (0, 3, 2, 5, (("a", 2), ("b", 1))),
        (1000, 3, 1, 6, ()),
    ]
    again = FractionWindows(None, 1000, 500)
    again.load(windows.dump())
    assert again.dump() == windows.dump()


def test_reasons_are_bounded() -> None:
    windows = FractionWindows(100, None, 0)
    windows.resize(1)
    at = np.arange(100)
    [window] = windows.update(np.zeros(100, np.int64), np.ones(100), at, at, [(i, f"r{i}") for i in range(100)])
    assert window.reasons[0] == ("other", 68)
    assert len(window.reasons) == 5


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"), [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (1, 1, 0.2065, 1.0)]
)
def test_wilson(hits: int, n: int, low: float, high: float) -> None:
    np.testing.assert_allclose(wilson(hits, n), (low, high), atol=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)
