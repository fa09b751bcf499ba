"""The reference against its definition, and what must not matter to it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from detectors.compiled import CompiledReference
from detectors.reference import CLIP, HUGE, Reference
from schemas.core import native

CORES: list[Any] = [Reference, CompiledReference] if native is not None else [Reference]
F64 = NDArray[np.float64]


def made(rows: int, warmup: int = 100, scale: bool = True) -> Reference:
    reference = Reference(warmup, scale)
    reference.resize(rows)
    return reference


def standardise(values: F64, warmup: int = 100, scale: bool = True) -> F64:
    at = np.arange(len(values))
    ready, z, _ = made(1, warmup, scale).update(np.zeros(len(values), np.int64), values, at, at, at)
    assert np.flatnonzero(ready).tolist() == list(range(warmup, len(values)))
    assert not z[~ready].any()
    return z[ready]


def test_median_and_mad_by_hand() -> None:
    values = np.r_[np.arange(101.0), [50.0, 125.0, 1e9, -1e9]]
    np.testing.assert_allclose(standardise(values, 101), [0.0, 75 / (1.4826 * 25), CLIP, -CLIP])


def test_where_most_values_are_equal_the_middle_98_percent_decide() -> None:
    warmup = np.r_[np.zeros(90), np.full(9, 2.0), 1e6]  # One value is cut at each end: 89 zeros and 9 twos are left.
    np.testing.assert_allclose(standardise(np.r_[warmup, 1.0, 0.0]), [1 / np.sqrt(9 * 4 / 98), 0.0])


def test_a_constant_reference_makes_any_other_value_one_deviation() -> None:
    assert standardise(np.r_[np.full(100, 7.0), 7.0, 7.0 + 1e-9, -1e300]).tolist() == [0.0, 1.0, -1.0]


def test_plain_values_pass_as_they_are_and_are_noted() -> None:
    reference = made(1, 4, scale=False)
    at = np.arange(6)
    ready, z, away = reference.update(np.zeros(6, np.int64), np.array([0.0, 1, 0, 1, 0, 1]), at, at, at)
    assert (ready.tolist(), z.tolist(), away.tolist()) == ([False] * 4 + [True] * 2, [0, 0, 0, 0, 0, 1], z.tolist())
    learned = reference.at(0)
    assert (learned.n, learned.mean, learned.std) == (4, 0.5, 0.5)
    assert standardise(np.r_[np.zeros(100), 1e9, -3.0, 1e301], scale=False).tolist() == [1e9, -3.0, HUGE]


def test_evidence_covers_the_whole_warm_up_and_nothing_else() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(5, 3, 300)
    reference, at = made(1), np.arange(300)
    reference.update(np.zeros(300, np.int64), values, at, at * 3, at * 7 + 1)
    learned = reference.at(0)
    np.testing.assert_allclose((learned.mean, learned.std), (values[:100].mean(), values[:100].std()))
    assert (learned.n, *learned[-4:]) == (100, 0, 297, 1, 694)
    assert len(reference.dump()["waiting"]) == 0  # The warm-up's values are let go.


FAMILIES: dict[str, Any] = {
    "normal": lambda rng: rng.normal(0, 1, 600),
    "lognormal": lambda rng: rng.lognormal(0, 1, 600),
    "constant": lambda rng: np.r_[np.full(300, 7.0), np.full(300, 9.0)],
    "rare": lambda rng: (rng.random(600) < 0.05) * 3.0,
}


@pytest.mark.parametrize("family", FAMILIES)
def test_scale_and_shift_change_nothing(family: str) -> None:
    values = FAMILIES[family](np.random.default_rng(3))
    expected = standardise(values)
    for power in (1024.0, 2.0**-40, -1.0):
        np.testing.assert_array_equal(standardise(values * power), expected * np.sign(power))
    np.testing.assert_allclose(standardise(values * 1000), expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(standardise(values + 1e6), expected, rtol=1e-6, atol=1e-6)


def test_an_outlier_in_the_warm_up_does_not_blind() -> None:
    values = np.random.default_rng(1).normal(0, 1, 300)
    spoilt = values.copy()
    spoilt[:20] = 1e12
    clean, dirty = standardise(values), standardise(spoilt)
    assert 0.6 < np.std(dirty) / np.std(clean) < 1.1  # A mean and deviation would have made every z 0.


SCHOOLS: dict[str, Any] = {
    "normal": lambda rng: rng.normal(100, 5, 500),
    "student": lambda rng: rng.standard_t(3, 500),
    "lognormal": lambda rng: rng.lognormal(0, 1, 500),
    "pareto": lambda rng: rng.pareto(2, 500),
    "exponential": lambda rng: rng.exponential(1, 500),
    "counts": lambda rng: rng.poisson(0.3, 500) * 1.0,
    "zero-inflated": lambda rng: np.where(rng.random(500) < 0.8, 0.0, rng.lognormal(3, 1, 500)),
    "mostly-zero": lambda rng: np.where(rng.random(500) < 0.9, 0.0, rng.lognormal(3, 1, 500)),
    "skewed-down": lambda rng: -rng.lognormal(0, 1, 500),
    "mostly-constant": lambda rng: np.where(rng.random(500) < 0.8, 7.0, rng.normal(7, 1, 500)),
}


def far_of(core: Any, school: F64, values: F64) -> int:
    """How many of the values are anomalous to who went to this school."""
    reference, every = core(len(school), True), np.r_[school, values]
    reference.resize(1)
    rows, at = np.zeros(len(every), np.int64), np.arange(len(every))
    return len(reference.far(rows, reference.update(rows, every, at, at, at), 6.0))


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("family", SCHOOLS)
def test_odd_values_in_school_do_not_make_odd_values_usual(family: str, core: Any) -> None:
    found = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        school = SCHOOLS[family](rng)
        way = -1.0 if family == "skewed-down" else 1.0
        usual = max(np.quantile(way * school, 0.99) - np.median(way * school), 1e-3)
        odd = np.median(school) + way * 30.0 * usual
        school[rng.random(500) < 0.01] = odd
        found += far_of(core, school, np.array([odd])) > 0
    assert found >= 29  # By the 99 % quantile alone it was 15 to 22.


def test_the_healthy_tail_stays_healthy() -> None:
    for family, draw in SCHOOLS.items():
        drawn = [draw(np.random.default_rng(seed)) for seed in range(31)]
        far = sum(far_of(Reference, school, after) for school, after in pairwise(drawn))
        assert far / 30 / 500 < 0.003, family


@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(SCHOOLS)), st.integers(1, 500))
def test_every_core_learns_the_same_tails(seed: int, family: str, warmup: int) -> None:
    school = SCHOOLS[family](np.random.default_rng(seed))[:warmup]
    learned = []
    for core in CORES:
        reference, at = core(warmup, True), np.arange(warmup)
        reference.resize(1)
        reference.update(np.zeros(warmup, np.int64), school, at, at, at)
        learned.append(repr(reference.at(0)))
    assert len(set(learned)) == 1


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=12, max_size=40), st.booleans())
def test_any_finite_value_gives_a_finite_z_and_a_snapshot(values: list[float], scale: bool) -> None:
    reference, at = made(1, 5, scale), np.arange(len(values))
    _, z, _ = reference.update(np.zeros(len(values), np.int64), np.array(values), at, at, at)
    assert np.isfinite(z).all()
    assert not scale or np.abs(z).max() <= CLIP
    Reference(5, scale).load(reference.dump())


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.lists(st.tuples(st.integers(0, 900), st.booleans()), max_size=5))
def test_it_does_not_see_the_cuts_nor_a_snapshot(seed: int, cuts: list[tuple[int, bool]]) -> None:
    rng = np.random.default_rng(seed)
    rows, values, at = rng.integers(0, 3, 900), rng.normal(0, 1, 900), np.arange(900)

    def play(edges: list[int], snapshots: dict[int, bool]) -> list[bytes]:
        reference, told = made(3, 250), []
        for a, b in pairwise(edges):
            told.append(reference.update(rows[a:b], values[a:b], at[a:b], at, at * 2))
            if snapshots.get(b):
                state, reference = reference.dump(), Reference(250)
                reference.load(state)
        parts = [np.concatenate(column).tobytes() for column in zip(*told, strict=True)]
        return parts + [array.tobytes() for array in reference.dump().values()]

    assert play([0, *sorted(place for place, _ in cuts), 900], dict(cuts)) == play([0, 900], {})


def test_rows_may_come_later_and_do_not_know_each_other() -> None:
    rng = np.random.default_rng(4)
    values, at = rng.normal(0, 1, 200), np.arange(200)
    one, two = made(1, 50), made(1, 50)
    one.update(np.zeros(200, np.int64), values, at, at, at)
    two.update(np.zeros(60, np.int64), np.full(60, 9.0), at[:60], at, at)
    two.resize(2)
    two.update(np.ones(200, np.int64), values, at, at, at)
    for name, array in one.dump().items():
        if name != "waiting":
            assert array[0] == two.dump()[name][1], name


def test_broken_state_is_refused_and_changes_nothing() -> None:
    reference, at = made(2, 50), np.arange(80)
    reference.update(np.repeat([0, 1], [60, 20]), np.random.default_rng(0).normal(0, 1, 80), at, at, at)
    good = reference.dump()
    wrong: list[tuple[str, Any]] = [
        ("n", np.array([50, 51])),
        ("n", np.array([-1, 20])),
        ("n", np.array([50, 2**62])),
        ("scale", np.array([-1.0, 0.0])),
        ("centre", np.array([np.nan, 0.0])),
        ("waiting", np.full(20, np.inf)),
        ("waiting", good["waiting"][:-1]),
        ("last_offset", good["last_offset"].astype(np.int32)),
        ("std", None),
    ]
    for name, bad in wrong:
        with pytest.raises(ValueError):  # noqa: PT011  (the text differs)
            reference.load({**good, name: bad})
    assert {k: v.tobytes() for k, v in reference.dump().items()} == {k: v.tobytes() for k, v in good.items()}
    with pytest.raises(ValueError, match="no values"):
        Reference(0)


@pytest.mark.parametrize("core", CORES)
@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(allow_nan=False, allow_infinity=False)), max_size=80),
    st.integers(1, 15),
    st.lists(st.tuples(st.integers(0, 80), st.booleans()), max_size=5),
)
def test_a_kept_sample_is_handed_out_once_and_as_it_came(
    core: Any, given_values: list[tuple[int, float]], warmup: int, cuts: list[tuple[int, bool]]
) -> None:
    rows = np.array([row for row, _ in given_values], np.int64)
    values, at = np.array([value for _, value in given_values]), np.arange(len(rows))
    snapshots = {min(place, len(rows)): taken for place, taken in cuts}
    reference, samples = core(warmup, True, True), {}
    for begin, end in pairwise([0, *sorted(snapshots), len(rows)]):
        reference.resize(4)
        part = slice(begin, end)
        ready, _, _ = reference.update(rows[part], values[part], at[part], at, at)
        completed = reference.completed()
        assert [row for row, _ in completed] == sorted({row for row, _ in completed})
        for row, sample in completed:
            assert row not in samples
            samples[row] = sample.tobytes()
        assert set(rows[part][ready].tolist()) <= set(samples)
        if snapshots.get(end):
            state, reference = reference.dump(), core(warmup, True, True)
            reference.load(state)
    places = {row: np.flatnonzero(rows == row) for row in range(4)}
    full = {row: mine[:warmup] for row, mine in places.items() if len(mine) >= warmup}
    assert samples == {row: values[mine].tobytes() for row, mine in full.items()}


@pytest.mark.parametrize("core", CORES)
def test_no_snapshot_loses_a_sample_that_was_not_taken(core: Any) -> None:
    reference, at = core(2, True, True), np.arange(2)
    reference.resize(1)
    reference.update(np.zeros(2, np.int64), np.array([-0.0, 1e300]), at, at, at)
    with pytest.raises(AssertionError, match="nobody has taken"):
        reference.dump()
    ((row, sample),) = reference.completed()
    assert (row, sample.tobytes()) == (0, np.array([-0.0, 1e300]).tobytes())
    assert reference.completed() == []
    state = reference.dump()
    again = core(2, True, True)
    again.load(state)
    assert again.completed() == []  # Its warm-up was over before.
    plain = core(2)
    plain.resize(1)
    plain.update(np.zeros(2, np.int64), np.array([-0.0, 1e300]), at, at, at)
    assert {k: v.tobytes() for k, v in plain.dump().items()} == {k: v.tobytes() for k, v in state.items()}
    assert plain.completed() == []
