"""The e-detector keeps its bound on every law, whatever the values mean, and says what changed, which way, and when.

A small, seeded part of `benchmarks/edetector.py`, which has the large figures.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from detectors import Hits, ShiryaevRoberts
from detectors.compiled import CompiledShiryaevRoberts
from detectors.params import DIRECTIONS, Direction
from detectors.shiryaev_roberts import (
    ATOM_ABOVE,
    ATOM_BELOW,
    EDGES,
    LATTICE,
    MOST,
    SMOOTH,
    YOUNG,
    ShiryaevRobertsBank,
)
from schemas.core import native

F64 = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], F64]

FAMILIES: dict[str, Draw] = {
    "normal": lambda rng, shape: rng.normal(0, 1, shape),
    "normal (100, 20)": lambda rng, shape: rng.normal(100, 20, shape),
    "lognormal": lambda rng, shape: rng.lognormal(0, 1, shape),
    "t3": lambda rng, shape: rng.standard_t(3, shape),
    "Cauchy": lambda rng, shape: rng.standard_cauchy(shape),
    "Bernoulli .01": lambda rng, shape: (rng.random(shape) < 0.01) * 1.0,
    "Bernoulli .2": lambda rng, shape: (rng.random(shape) < 0.2) * 1.0,
    "Poisson 3": lambda rng, shape: rng.poisson(3, shape) * 1.0,
    "zero-inflated": lambda rng, shape: np.where(rng.random(shape) < 0.8, 0.0, rng.lognormal(0, 1, shape)),
}


def bank_of(rows: int = 1, arl: float = 1e6, direction: Direction = "both") -> ShiryaevRobertsBank:
    """The quicker of both, which are equal: see the twins below."""
    bank = (ShiryaevRobertsBank if native is None else CompiledShiryaevRoberts)(ShiryaevRoberts(arl, direction))
    bank.resize(rows)
    return bank


def told(values: F64, arl: float = 1e6, direction: Direction = "both") -> Hits:
    """What one series is told of."""
    return bank_of(1, arl, direction).update(np.zeros(len(values), np.int64), values)


def columns(streams: F64, arl: float = 1e6) -> tuple[Hits, F64]:
    """Hits of many series that take a value each in turn, and the number of the value they are at."""
    hits = bank_of(len(streams), arl).update(np.tile(np.arange(len(streams)), streams.shape[1]), streams.T.ravel())
    return hits, hits.place // len(streams)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_healthy_series_alarms_at_most_once_in_arl_values(family: str) -> None:
    series, n, arl = 400, 1_000, 1_000.0
    streams = FAMILIES[family](np.random.default_rng([20, len(family)]), (series, n))
    alarms, expected = len(columns(streams, arl)[0].place), series * n / arl
    # The upper 95 % limit of a Poisson count must be below the bound; and a bound that is never used is no detector.
    assert alarms + 1.645 * np.sqrt(alarms) + 1.35 <= expected, alarms / expected
    assert alarms >= 0.3 * expected, alarms / expected


@pytest.mark.parametrize("direction", ["up", "down"])
def test_one_sided_keeps_the_bound(direction: Direction) -> None:
    for family in ("normal", "Bernoulli .2"):
        values = FAMILIES[family](np.random.default_rng(8), (300, 1_000))
        bank = bank_of(300, 1_000.0, direction)
        hits = bank.update(np.tile(np.arange(300), 1_000), values.T.ravel())
        assert 60 <= len(hits.place) <= 265
        assert set(hits.direction.tolist()) == {1 if direction == "up" else -1}


def shifts(before: Draw, after: Draw, seed: int, series: int = 60, n: int = 2_000, m: int = 1_500) -> F64:
    """Delays of the first alarm behind the change, of series without one before; m + 1 where it is missed."""
    rng = np.random.default_rng(seed)
    streams = np.hstack([before(rng, (series, n)), after(rng, (series, m))])
    hits, at = columns(streams)
    delays = np.full(series, m + 1)
    for row, value in sorted(zip((hits.place % series).tolist(), at.tolist(), strict=True), key=lambda hit: -hit[1]):
        if value >= n:
            delays[row] = value - n + 1
    return delays


def bernoulli(share: float) -> Draw:
    return lambda rng, shape: (rng.random(shape) < share) * 1.0


def normal(mean: float, std: float = 1.0) -> Draw:
    return lambda rng, shape: rng.normal(mean, std, shape)


def amounts(times: float) -> Draw:
    return lambda rng, shape: np.where(rng.random(shape) < 0.7, 0.0, times * rng.lognormal(0, 1, shape))


def poisson(mean: float) -> Draw:
    return lambda rng, shape: rng.poisson(mean, shape) * 1.0


CHANGES: dict[str, tuple[Draw, Draw, float]] = {
    "half a deviation": (normal(0), normal(0.5), 125),
    "one deviation": (normal(0), normal(1.0), 33),
    "two deviations, down": (normal(0), normal(-2.0), 11),
    "spread doubled": (normal(0), normal(0, 2.0), 45),
    "spread halved": (normal(0), normal(0, 0.5), 60),
    "one in a hundred to six": (bernoulli(0.01), bernoulli(0.06), 270),
    "one in a hundred to twenty": (bernoulli(0.01), bernoulli(0.209), 38),
    "never to one in twenty": (bernoulli(0.0), bernoulli(0.05), 110),
    "always to nine in ten": (bernoulli(1.0), bernoulli(0.9), 60),
    "amounts twice as large, most of them 0": (amounts(1.0), amounts(2.0), 330),
    "a count of 3 to 4": (poisson(3), poisson(4), 110),
    "another unit": (FAMILIES["lognormal"], lambda rng, shape: 100 * rng.lognormal(0, 1, shape), 7),
    "stuck": (normal(0), lambda rng, shape: np.full(shape, 0.7), 80),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_found_in_time(change: str) -> None:
    before, after, limit = CHANGES[change]
    assert shifts(before, after, 77).mean() <= limit


TRANSFORMS: dict[str, Callable[[F64], F64]] = {
    "units": lambda x: 1024.0 * x + 1e6,
    "exp": np.exp,
    "cube": lambda x: x**3,
    "arctan": np.arctan,
    "a step in the middle": lambda x: x + 1e9 * (x > 0.25),
}


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("family", ["normal", "Bernoulli .2", "Poisson 3", "zero-inflated"])
def test_any_strictly_increasing_transform_gives_the_same_alarms(transform: str, family: str) -> None:
    rng = np.random.default_rng(12)
    values = FAMILIES[family](rng, (6_000,)) + np.repeat([0.0, 1.0, 0.0], 2_000)
    values = np.clip(np.round(values * 256.0) / 256.0, -20.0, 20.0)
    changed = TRANSFORMS[transform](values)
    assert len(np.unique(changed)) == len(np.unique(values)), "it is strictly increasing on these"
    expected = told(values, 1e3)
    assert len(expected.place) >= 2
    for one, other in zip(expected, told(changed, 1e3), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_hit_says_which_way_how_sure_and_since_when() -> None:
    ages, delays = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        up = told(np.r_[rng.normal(0, 1, 2_000), rng.normal(1, 1, 200)])
        assert up.direction[0] == 1
        assert up.threshold[0] == 1e6
        assert 1e6 <= up.statistic[0] < 1e9
        ages.append(int(up.age[0]))
        delays.append(int(up.place[0]) - 2_000 + 1)
        assert told(np.r_[rng.normal(0, 1, 2_000), rng.normal(-1, 1, 200)]).direction[0] == -1
    errors = np.array(ages) - np.array(delays)
    assert abs(np.median(errors)) <= 3
    assert np.abs(errors).mean() <= 8
    spread = told(np.r_[rng.normal(0, 1, 2_000), rng.normal(0, 3, 200)])
    assert spread.direction[0] == 0


@pytest.mark.parametrize(
    ("before", "after", "way"),
    [(0.05, 0.4, 1), (0.4, 0.05, -1), (0.95, 0.6, -1), (0.6, 0.98, 1), (0.0, 0.2, 1), (1.0, 0.8, -1)],
)
def test_the_direction_of_a_share(before: float, after: float, way: int) -> None:
    rng = np.random.default_rng(6)
    values = np.r_[bernoulli(before)(rng, (2_000,)), bernoulli(after)(rng, (400,))]
    assert told(values).direction.tolist()[:1] == [way]
    one_sided: dict[int, Direction] = {1: "up", -1: "down"}
    assert told(values, direction=one_sided[way]).direction.tolist()[:1] == [way]
    assert not len(told(values, direction=one_sided[-way]).place)


def test_after_an_alarm_the_reference_is_made_of_later_values_only() -> None:
    rng = np.random.default_rng(3)
    values = np.r_[rng.normal(0, 1, 2_000), rng.normal(50, 1, 1_500), rng.normal(52, 1, 400), rng.normal(0, 1, 400)]
    hits = told(values)
    assert hits.direction.tolist() == [1, 1, -1], "a second change on top of the first is found, and the way back"
    first, second, third = hits.place.tolist()
    assert 2_000 <= first < 2_012
    assert 3_500 <= second < 3_520
    assert 3_900 <= third < 3_920
    later = bank_of()
    later.update(np.zeros(first + 1, np.int64), values[: first + 1])
    state = later.dump()
    assert state["n"].tolist() == [0]
    assert state["kind"].tolist() == [YOUNG]
    assert np.isinf(state["edges"]).all(), "not even the value of the alarm itself"
    assert not state["sums"].any()


def test_a_constant_never_alarms_by_its_dice() -> None:
    values = np.full((3, 4_000), 7.0)
    assert not len(columns(values, 100.0)[0].place)
    assert len(columns(np.hstack([values, np.full((3, 60), 8.0)]), 100.0)[0].place) >= 3


def test_what_a_row_is_comes_of_its_first_sample() -> None:
    rng = np.random.default_rng(9)
    for draw, kind in (
        (FAMILIES["Cauchy"], SMOOTH),
        (FAMILIES["Poisson 3"], LATTICE),
        (FAMILIES["zero-inflated"], ATOM_BELOW),
        (bernoulli(0.9), ATOM_ABOVE),
        (bernoulli(0.0), ATOM_BELOW),
    ):
        bank = bank_of()
        values = draw(rng, (EDGES,))
        bank.update(np.zeros(EDGES - 1, np.int64), values[:-1])
        assert bank.dump()["kind"].tolist() == [YOUNG]
        bank.update(np.zeros(1, np.int64), values[-1:])
        assert bank.dump()["kind"].tolist() == [kind]


def test_the_dice_of_a_row_are_its_own_past_alone() -> None:
    """Rows with other pasts have other dice, the same past the same ones, whatever else the bank has seen."""
    values = np.random.default_rng(2).normal(0, 1, 300)
    one, many = bank_of(1), bank_of(3)
    one.update(np.zeros(300, np.int64), values)
    many.update(np.tile([0, 1, 2], 300), np.stack([values, -values, 3 * values], axis=1).ravel())
    chain = many.dump()["chain"].tolist()
    assert chain[0] == chain[2] == one.dump()["chain"][0]
    assert chain[1] != chain[0]


def cells_seen(values: F64) -> list[F64]:
    """The p-values of each round, to the cell, as they are read off the odds of a bet that rise with them."""
    bank, found = ShiryaevRobertsBank(ShiryaevRoberts(1e15)), list[F64]()
    bank.resize(values.shape[1])
    real, table = bank._bet, bank.bets.scores[:, 6]

    def seen(places: Any, rows: Any, odds: Any, weights: Any) -> Any:
        found.append(np.searchsorted(table, odds[:, 6]) / len(table))
        return real(places, rows, odds, weights)

    bank._bet = seen  # type: ignore[method-assign]
    bank.update(np.tile(np.arange(values.shape[1]), len(values)), values.ravel())
    return found


@pytest.mark.skipif(native is None, reason="no compiled core")
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("arl", [100.0, 1e4])
def test_the_twins_are_equal_to_the_last_bit(arl: float, direction: Direction) -> None:
    rng, series, alarms = np.random.default_rng(0), 60, 0
    banks = [kind(ShiryaevRoberts(arl, direction)) for kind in (ShiryaevRobertsBank, CompiledShiryaevRoberts)]
    for bank in banks:
        bank.resize(series)
    for at in range(12):
        rows = rng.integers(0, series, 2_000)
        drawn = [draw(rng, rows.shape) for draw in FAMILIES.values()]
        values = np.choose(rows % len(drawn), drawn) + (at > 6) * (rows % 3 - 1)
        values[rows == 1] = float(at > 8)
        one, other = (bank.update(rows, values) for bank in banks)
        for mine, theirs in zip(one, other, strict=True):
            assert mine.dtype == theirs.dtype
            np.testing.assert_array_equal(mine, theirs)
        alarms += len(one.place)
        for name, array in banks[0].dump().items():
            assert array.tobytes() == banks[1].dump()[name].tobytes(), name
    assert alarms >= 5


def test_p_values_are_uniform_and_independent() -> None:
    """The dice in their place: of every law, those of the bank's own counts."""
    for family in ("normal", "Poisson 3", "Bernoulli .2"):
        found = cells_seen(FAMILIES[family](np.random.default_rng(31), (1_500, 50)))
        p = np.concatenate(found)
        counts = np.histogram(p, 20, (0, 1))[0]
        assert ((counts - len(p) / 20) ** 2).sum() / (len(p) / 20) < 45, family  # chi-square, 19 degrees of freedom
        pairs = np.array(found)[:, :50]
        assert abs(np.corrcoef(pairs[1:].ravel(), pairs[:-1].ravel())[0, 1]) < 0.015


def test_state_is_bounded_and_small() -> None:
    bank = bank_of()
    bank.update(np.zeros(2_000, np.int64), np.random.default_rng(1).normal(0, 1, 2_000))
    assert sum(array.nbytes for array in bank.dump().values()) <= 2_100


def test_a_reference_that_is_full_learns_no_more_and_still_finds() -> None:
    rng = np.random.default_rng(7)
    bank = bank_of()
    bank.update(np.zeros(2_000, np.int64), rng.normal(0, 1, 2_000))
    state = bank.dump()
    factor = MOST // int(state["n"][0])
    full = {**state, "n": np.array([MOST]), "below": (state["below"].astype(np.int64) * factor).astype(np.int32)}
    bank.load(full)
    hits = bank.update(np.zeros(400, np.int64), rng.normal(0, 1, 400))
    assert not len(hits.place)
    np.testing.assert_array_equal(bank.dump()["below"], full["below"])
    assert len(bank.update(np.zeros(60, np.int64), rng.normal(2, 1, 60)).place) >= 1


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"n": np.array([-1])}, "number of values"),
        ({"n": np.array([MOST + 1])}, "number of values"),
        ({"kind": np.array([5], np.int8)}, "number of values"),
        ({"atom": np.array([3], np.int8)}, "atom"),
        ({"sums": "negative"}, "evidence"),
        ({"peaks": "nan"}, "evidence"),
        ({"edges": "reversed"}, "order"),
        ({"below": "reversed"}, "order"),
        ({"below": "large"}, "add up"),
        ({"kind": np.array([YOUNG], np.int8), "n": np.array([5])}, "sample"),
    ],
)
def test_a_state_that_cannot_be_is_refused(change: dict[str, Any], why: str) -> None:
    bank = bank_of()
    bank.update(np.zeros(300, np.int64), np.random.default_rng(1).normal(0, 1, 300))
    state = bank.dump()
    ways = {
        "negative": lambda array: -1.0 - array,
        "nan": lambda array: array * np.nan,
        "reversed": lambda array: array[:, ::-1].copy(),
        "large": lambda array: array + np.int32(1_000),
    }
    broken = {name: ways[given](state[name]) if isinstance(given, str) else given for name, given in change.items()}
    with pytest.raises(ValueError, match=why):
        bank.load({**state, **broken})
    np.testing.assert_array_equal(bank.dump()["sums"], state["sums"])


@pytest.mark.parametrize(("arl", "direction"), [(99.0, "both"), (1e16, "both"), (float("nan"), "both"), (1e6, "side")])
def test_parameters_out_of_range_are_refused(arl: float, direction: Any) -> None:
    with pytest.raises(ValueError, match="must be"):
        ShiryaevRoberts(arl, direction)
