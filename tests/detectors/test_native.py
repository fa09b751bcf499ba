"""The compiled banks against Python's and against river itself: hits and every number of the state, to the last bit."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from river import drift

from detectors import Adwin, PageHinkley, Params, make_bank, make_compiled_bank
from detectors.compiled import CompiledHistory, CompiledReference
from detectors.history import History
from detectors.last_change import Asked
from detectors.params import DIRECTIONS
from detectors.reference import Reference
from schemas.core import native
from tests.detectors.streams import STREAMS
from tests.detectors.test_river_equality import alarms, bits, levels_of

pytestmark = pytest.mark.skipif(native is None, reason="the compiled core was not built")

VALUES = int(os.environ.get("DRIFTLINE_FUZZ_VALUES", "400000"))
SEED = int(os.environ.get("DRIFTLINE_FIRST_SEED", "0"))
LENGTH = 4000
CORES: list[tuple[Any, Any]] = [(CompiledReference, CompiledHistory), (Reference, History)]
finite = st.floats(allow_nan=False, allow_infinity=False)


def any_adwin(rng: np.random.Generator) -> Adwin:
    return Adwin(
        delta=float(rng.choice([1e-300, 1e-9, 0.00002, 0.002, 0.05, 0.3, 0.99, 1 - 1e-12])),
        clock=int(rng.choice([1, 7, 32])),
        max_buckets=int(rng.choice([2, 3, 5, 8, 40, 255])),
        min_window_length=int(rng.choice([1, 5, 20, 200])),
        grace_period=int(rng.choice([0, 2, 10, 100])),
    )


def any_page_hinkley(rng: np.random.Generator) -> PageHinkley:
    threshold, alpha = float(rng.choice([50, 5, 1])), float(rng.choice([0.9999, 1.0, 0.5]))
    delta = float(rng.choice([0.005, 0.0, 0.5]))
    return PageHinkley(int(rng.choice([0, 3, 30])), delta, threshold, alpha, str(rng.choice(DIRECTIONS)))


def same_bits(one: dict[str, NDArray[Any]], other: dict[str, NDArray[Any]]) -> None:
    assert list(one) == list(other)
    for name in one:
        assert one[name].dtype == other[name].dtype
        assert one[name].shape == other[name].shape, name
        assert bits(one[name].ravel()) == bits(other[name].ravel()), name


def in_batches(bank: Any, rows: NDArray[np.int64], values: NDArray[np.float64]) -> list[tuple[Any, ...]]:
    found = []
    for begin in range(0, len(rows), 700):
        hits = bank.update(rows[begin : begin + 700], values[begin : begin + 700])
        found += [(begin + i, *rest) for i, *rest in zip(*(h.tolist() for h in hits), strict=True)]
    return found


def check_river(kind: str, rng: np.random.Generator, values: NDArray[np.float64]) -> int:
    """One stream: the compiled bank and river's own object."""
    listed = values.tolist()
    if kind == "adwin":
        params: Params = any_adwin(rng)
        assert isinstance(params, Adwin)
        oracle: Any = drift.ADWIN(
            params.delta, params.clock, params.max_buckets, params.min_window_length, params.grace_period
        )
    else:
        params = any_page_hinkley(rng)
        assert isinstance(params, PageHinkley)
        oracle = drift.PageHinkley(params.min_instances, params.delta, params.threshold, params.alpha, params.direction)
    bank = make_compiled_bank(params)
    bank.resize(1)
    found = in_batches(bank, np.zeros(len(values), np.int64), values)
    assert [place for place, *_ in found] == alarms(oracle, listed), (kind, params)
    state = bank.dump()
    if kind == "adwin":
        theirs = levels_of(oracle)
        assert bits([state[n][0] for n in ("width", "total", "variance", "detected")]) == bits(
            [oracle.width, oracle.total, oracle.variance, oracle.drift_detected]
        )
        assert state["buckets"].tolist() == [len(sums) for sums, _ in theirs]
        assert bits(state["bucket_sums"]) == bits([s for sums, _ in theirs for s in sums])
        assert bits(state["bucket_variances"]) == bits([v for _, variances in theirs for v in variances])
    else:
        mean = oracle._x_mean
        sums = [oracle._sum_increase, oracle._sum_decrease, oracle._min_increase, oracle._max_decrease]
        assert bits([a[0] for a in state.values()]) == bits([mean.n, mean.get(), *sums, oracle.drift_detected])
    return len(found)


@pytest.mark.parametrize("kind", ["adwin", "page_hinkley"])
def test_as_river_on_long_streams(kind: str) -> None:
    done, seed, found = 0, SEED, 0
    while done < VALUES // 2:
        rng = np.random.default_rng([seed, kind == "adwin"])
        values = STREAMS[seed % len(STREAMS)](rng, LENGTH)
        try:
            found += check_river(kind, rng, values)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, {STREAMS[seed % len(STREAMS)].__name__}: {error}") from error
        done, seed = done + LENGTH, seed + 1
    assert found > done / 2000


@given(st.lists(finite | st.sampled_from((0.0, -0.0, 0.5, -0.5, 1.0)), max_size=150), st.integers(0, 2**32 - 1))
def test_as_river_on_any_values(values: list[float], seed: int) -> None:
    for kind in ("adwin", "page_hinkley"):
        check_river(kind, np.random.default_rng(seed), np.array(values, float))


@pytest.mark.parametrize("seed", range(40))
def test_as_python_with_many_rows_growth_and_snapshots(seed: int) -> None:
    rng = np.random.default_rng(seed)
    params: Params = any_adwin(rng) if seed % 2 else any_page_hinkley(rng)
    ours, python = make_compiled_bank(params), make_bank(params)
    for step in range(6):
        count = 1 + 2 * step
        for bank in (ours, python):
            bank.resize(count)
        rows, values = rng.integers(0, count, 900), STREAMS[(seed + step) % len(STREAMS)](rng, 900)
        assert in_batches(ours, rows, values) == in_batches(python, rows, values)
        same_bits(ours.dump(), python.dump())
        if step % 2:  # Either takes up what the other left.
            ours, python = make_compiled_bank(params), make_bank(params)
            state = ours.dump() if seed % 4 > 1 else python.dump()
            ours.load(state)
            python.load(state)
            assert ours.rows == python.rows == len(next(iter(state.values())))


@given(
    st.lists(st.tuples(st.integers(0, 4), finite), max_size=300),
    st.integers(1, 40),
    st.booleans(),
    st.lists(st.integers(0, 300), max_size=4),
)
def test_reference_and_history_as_python(
    given_values: list[tuple[int, float]], warmup: int, scale: bool, cuts: list[int]
) -> None:
    rows = np.array([row for row, _ in given_values], np.int64)
    values = np.array([value for _, value in given_values], np.float64)
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    told: list[list[Any]] = []
    for core, other in (CORES, CORES[::-1]):
        reference, history = core[0](warmup, scale, True), core[1]()
        out: list[Any] = []
        for begin, end in zip(edges, edges[1:], strict=False):
            reference.resize(5)
            history.resize(5)
            events = np.arange(end - begin) // 3
            at = (np.arange(len(events)) + begin) * 7
            judged = reference.update(rows[begin:end], values[begin:end], events, at, at * 2)
            out += [array.tobytes() for array in judged]
            out += [(row, sample.tobytes()) for row, sample in reference.completed()]
            out.append(reference.far(rows[begin:end], judged, 2.0).tolist())
            marks = np.repeat(np.arange(0, end - begin, 7), 2)
            asked = [Asked(k % 3 - 1, k % 5 * k, k % 4, z, 0.5) for k, z in enumerate((judged.z[marks] / 3).tolist())]
            out += history.update(rows[begin:end], judged.away, judged.ready, events, at, at * 2, marks, asked)
        out += [reference.at(row) for row in range(5)]
        for row in range(5):
            out += [history.changed(row, Asked(way, 20, 3, 0.25, 1.0)) for way in (1, 0, -1)]
        history.forget(2)
        states = reference.dump(), history.dump()
        again = other[0](warmup, scale, True), other[1]()
        for one, state in zip(again, states, strict=True):
            one.load(state)
            same_bits(one.dump(), state)
        told.append(out + [array.tobytes() for state in states for array in state.values()])
    assert told[0] == told[1]


@pytest.mark.parametrize("warmup", [1, 2, 99, 100, 101, 1000])
def test_a_full_warm_up_amounts_to_the_same(warmup: int) -> None:
    rng = np.random.default_rng(warmup)
    streams = [stream(rng, 1000) for stream in STREAMS]
    streams += [
        np.where(rng.random(1000) < 0.97, -0.0, 0.0),
        np.where(rng.random(1000) < 0.97, 3.0, rng.normal(0, 1, 1000)),
    ]
    at = np.arange(1000)
    for scale in (True, False):
        ours, python = CompiledReference(warmup, scale), Reference(warmup, scale)
        for row, values in enumerate(streams):
            for reference in (ours, python):
                reference.resize(row + 1)
                reference.update(np.full(1000, row), values, at, at, at)
        same_bits(ours.dump(), python.dump())


def test_bad_calls_change_nothing() -> None:
    bank = make_compiled_bank(Adwin())
    bank.resize(2)
    for rows in ([0, 2], [-1, 0], [0]):
        with pytest.raises((ValueError, AssertionError)):
            bank.update(np.array(rows, np.int64), np.zeros(2))
    with pytest.raises((ValueError, TypeError)):
        bank.update(np.zeros(4, np.int64)[::2], np.zeros(4)[::2])
    assert not bank.dump()["tick"].any()
    reference = CompiledReference(3, True)
    reference.resize(1)
    with pytest.raises(ValueError, match="does not exist"):
        reference.update(
            np.zeros(1, np.int64), np.zeros(1), np.ones(1, np.int64), np.zeros(1, np.int64), np.zeros(1, np.int64)
        )


@pytest.mark.parametrize("seed", range(6))
def test_higher_bounds_of_adwin_are_the_same_in_both_and_those_of_others_are_as_they_were(seed: int) -> None:
    rng = np.random.default_rng((SEED, seed, 7))
    params = any_adwin(rng)
    rows, values = rng.integers(0, 3, 6_000), rng.standard_normal(6_000)
    values[3_000:] += 2.0
    found, plain = [], make_compiled_bank(params)
    for bank in (make_bank(params), make_compiled_bank(params)):
        bank.resize(3)
        bank.raise_thresholds(np.array([1.0, 2.0, 4.0]))  # type: ignore[attr-defined]
        found.append([in_batches(bank, rows, values), bank.dump()])
    assert found[0][0] == found[1][0]
    same_bits(found[0][1], found[1][1])
    plain.resize(3)
    usual = in_batches(plain, rows, values)
    of = [[[hit for hit in hits if rows[hit[0]] == row] for hits in (usual, found[0][0])] for row in range(3)]
    assert of[0][0] == of[0][1]
    assert len(of[2][1]) <= len(of[2][0])
