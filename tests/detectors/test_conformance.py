"""One suite over every detector of the table: whatever a bank is, this holds for it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from itertools import pairwise
from operator import ge, gt, le, lt
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from detectors import (
    DETECTORS,
    Adwin,
    Bank,
    Detector,
    PageHinkley,
    Params,
    River,
    ShiryaevRoberts,
    make_bank,
    make_compiled_bank,
)
from detectors.params import BINARY, RIVER_DETECTORS
from schemas.core import native
from tests.detectors.streams import coin, shifting

LIVELY: list[Params] = [Adwin(delta=0.05, clock=4), PageHinkley(delta=0.005, threshold=5), ShiryaevRoberts(arl=100)]
"""Detectors that find a lot, beside those with their defaults."""


def params_of(detector: Detector) -> list[Params]:
    """The parameters that a detector of the table is tried with."""
    if detector.params is River:
        return [River(name) for name in RIVER_DETECTORS]
    return [detector.params(), *(params for params in LIVELY if type(params) is detector.params)]


PARAMS = [params for detector in DETECTORS.values() for params in params_of(detector)]


class Made(NamedTuple):
    """A bank that the suite is run with: the parameters, and whether its compiled twin is meant."""

    params: Params
    compiled: bool

    def bank(self) -> Bank:
        return make_compiled_bank(self.params) if self.compiled else make_bank(self.params)


TWINS = [detector.params for detector in DETECTORS.values() if detector.twin is not None and native is not None]
MADE = [Made(params, False) for params in PARAMS]
MADE += [Made(params, True) for params in PARAMS if type(params) in TWINS]


def make(made: Made | Params, rows: int) -> Bank:
    bank = (made if isinstance(made, Made) else Made(made, native is not None)).bank()
    bank.resize(rows)
    return bank


def values_for(params: Params, seed: int, n: int) -> NDArray[np.float64]:
    binary = isinstance(params, River) and params.name in BINARY
    return (coin if binary else shifting)(np.random.default_rng(seed), n)


def state(bank: Bank) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in bank.dump().items()}


def reloaded(made: Made, bank: Bank) -> Bank:
    again = made.bank()
    again.load(bank.dump())
    return again


def ids(params: Params) -> str:
    return f"River {params.name}" if isinstance(params, River) else repr(params)


def is_river(made: Made) -> bool:
    return isinstance(made.params, River)


LIMITS: dict[str, Callable[[Any, Any], bool]] = {"ge": ge, "gt": gt, "le": le, "lt": lt}
COUNTS = ("width", "levels", "buckets", "size")

every = pytest.mark.parametrize("made", MADE, ids=lambda made: ids(made.params) + " compiled" * made.compiled)


def test_the_suite_covers_the_table() -> None:
    assert {type(p) for p in PARAMS} == {detector.params for detector in DETECTORS.values()}
    assert {p.name for p in PARAMS if isinstance(p, River)} == set(RIVER_DETECTORS)
    assert {type(made.params) for made in MADE if made.compiled} == set(TWINS)


@pytest.mark.parametrize("kind", DETECTORS)
def test_every_parameter_says_what_it_does_and_has_a_default_the_config_takes(kind: str) -> None:
    detector = DETECTORS[kind]
    assert detector.title.endswith(".")
    assert detector.summary.endswith(".")
    for param in fields(detector.params):
        assert param.metadata["description"].endswith(".")
        for limit, value in param.metadata.items():
            if limit not in ("description", "given"):
                assert LIMITS[limit](param.default, value), param.name
    assert len({other.params for other in DETECTORS.values()}) == len(DETECTORS)


def test_importing_the_package_does_not_import_river() -> None:
    code = "import sys, detectors; sys.exit(any(m.partition('.')[0] in ('river', 'scipy') for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_parameters_need_neither_river_nor_numpy() -> None:
    source = sys.modules[Adwin.__module__].__file__ or ""
    code = f"import sys, runpy; runpy.run_path({source!r}); sys.exit('numpy' in sys.modules or 'river' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@every
def test_any_cut_growth_or_snapshot_gives_the_same_hits_and_state(made: Made) -> None:
    n = 300 if is_river(made) else 1500
    rows = np.sort(np.random.default_rng(1).integers(0, 3, n).reshape(3, -1)).ravel()
    values = values_for(made.params, 2, n)
    whole = make(made, 3)
    expected = list(zip(*(h.tolist() for h in whole.update(rows, values)), strict=True))

    @settings(max_examples=8 if is_river(made) else 25)
    @given(st.lists(st.tuples(st.integers(0, n), st.booleans()), max_size=6))
    def check(cuts: list[tuple[int, bool]]) -> None:
        bank, found = make(made, 0), []
        snapshots = dict(cuts)
        for begin, end in pairwise([0, *sorted(place for place, _ in cuts), n]):
            bank.resize(max(bank.rows, int(rows[begin:end].max(initial=-1)) + 1))
            hits = bank.update(rows[begin:end], values[begin:end])
            found += [(begin + i, *rest) for i, *rest in zip(*(h.tolist() for h in hits), strict=True)]
            if snapshots.get(end):
                bank = reloaded(made, bank)
        bank.resize(3)
        assert found == expected
        assert state(bank) == state(whole)

    check()


@every
def test_rows_that_are_retained_go_on_as_if_they_had_been_alone(made: Made) -> None:
    n = 120
    rows = np.random.default_rng(3).permutation(np.repeat(np.arange(5), n))
    values, more = values_for(made.params, 4, 5 * n), values_for(made.params, 5, n)
    bank, alone = make(made, 5), make(made, 2)
    bank.update(rows, values)
    kept = np.array([1, 3])
    mine = np.isin(rows, kept)
    alone.update(np.searchsorted(kept, rows[mine]), values[mine])
    bank.retain(kept)
    assert bank.rows == 2
    assert state(bank) == state(alone)
    bank.resize(3)
    alone.resize(3)
    again = np.arange(n) % 3
    for one, other in zip(bank.update(again, more), alone.update(again, more), strict=True):
        np.testing.assert_array_equal(one, other)
    assert state(bank) == state(alone), "and the third begins as if it were the first of its number"
    bank.retain(np.zeros(0, np.int64))
    assert bank.rows == 0


@every
def test_rows_do_not_know_each_other(made: Made) -> None:
    n = 200
    streams = [values_for(made.params, seed, n) for seed in (5, 6, 7)]
    mixed = make(made, 3)
    rows = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], n))
    values = np.zeros(3 * n)
    for row, own in enumerate(streams):
        values[rows == row] = own
    mixed.update(rows, values)
    blocks = make(made, 3)
    for row, own in enumerate(streams):
        blocks.update(np.full(n, row), own)
    assert state(mixed) == state(blocks)
    for row, own in enumerate(streams):
        alone = make(made, 1)
        alone.update(np.zeros(n, np.int64), own)
        probe = values_for(made.params, 9, 300)
        told = alone.update(np.zeros(300, np.int64), probe)
        for one, other in zip(told, reloaded(made, mixed).update(np.full(300, row), probe), strict=True):
            np.testing.assert_array_equal(one, other)


@every
def test_a_dump_is_not_changed_by_what_follows(made: Made) -> None:
    bank = make(made, 1)
    values = values_for(made.params, 3, 200)
    bank.update(np.zeros(100, np.int64), values[:100])
    taken = bank.dump()
    before = {name: array.tobytes() for name, array in taken.items()}
    bank.update(np.zeros(100, np.int64), values[100:])
    assert {name: array.tobytes() for name, array in taken.items()} == before
    assert state(bank) != before


@every
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_before_anything_is_changed(made: Made, value: float) -> None:
    bank = make(made, 1)
    before = state(bank)
    with pytest.raises(AssertionError, match="not finite"):
        bank.update(np.zeros(2, np.int64), np.array([0.0, value]))
    assert state(bank) == before


@every
def test_no_finite_value_breaks_a_bank_or_its_snapshot(made: Made) -> None:
    n = 150 if is_river(made) else 400
    bank = make(made, 1)
    values = np.random.default_rng(0).choice([-1.7e308, 1.7e308, 5e-324, -2.0, 0.0, 1.0], n)
    bank.update(np.zeros(n, np.int64), values)
    assert state(reloaded(made, bank)) == state(bank)


@every
def test_state_stays_small(made: Made) -> None:
    """A byte for each value would be more."""
    bank = make(made, 1)
    n = 2_000 if isinstance(made.params, River) and made.params.name == "KSWIN" else 5_000
    bank.update(np.zeros(n, np.int64), values_for(made.params, 7, n))
    assert sum(a.nbytes for a in bank.dump().values()) < 5_000


@every
def test_nothing_given_is_nothing_found(made: Made) -> None:
    bank = make(made, 0)
    assert [h.tolist() for h in bank.update(np.zeros(0, np.int64), np.zeros(0))] == [[]] * 6
    assert reloaded(made, bank).rows == 0


@every
def test_broken_state_is_refused_and_changes_nothing(made: Made) -> None:
    bank = make(made, 2)
    bank.update(np.array([0, 1] * 50), values_for(made.params, 8, 100))
    good = bank.dump()
    target = reloaded(made, bank)
    for name, array in good.items():
        bad: list[Any] = [None, array[:-1], array.astype(np.float32), array.reshape(1, -1), "text"]
        if name in COUNTS:  # Other numbers may have any value.
            bad += [array - array.dtype.type(1 << 40), array + array.dtype.type(1)]
        for wrong in bad:
            broken: dict[str, Any] = {**good, name: wrong}
            with pytest.raises(ValueError):  # noqa: PT011  (the text differs per bank)
                target.load(broken)
    assert state(target) == state(bank)


@pytest.mark.parametrize("name", ["total", "variance", "width"])
def test_an_empty_window_holds_nothing(name: str) -> None:
    bank = make(Adwin(), 1)
    with pytest.raises(ValueError, match="empty window"):
        bank.load({**bank.dump(), name: np.array([-0.0])})


CANONICAL: list[tuple[Params, int]] = [
    (Adwin(delta=0.002), 1023),
    (PageHinkley(delta=0.005, threshold=50), 1051),
    (ShiryaevRoberts(), 1003),
    (River("KSWIN"), 1013),
    (River("ADWIN"), 1023),
    (River("PageHinkley"), 1051),
    (River("DDM", (("warm_start", 30),)), 1000),
    (River("HDDMA"), 1003),
    (River("HDDMW"), 1010),
]


@pytest.mark.parametrize(("params", "index"), CANONICAL, ids=lambda p: ids(p) if not isinstance(p, int) else str(p))
def test_exact_index_on_a_step(params: Params, index: int) -> None:
    values = np.r_[np.zeros(1000), np.ones(1000)]
    assert make(params, 1).update(np.zeros(2000, np.int64), values).place.tolist()[:1] == [index]


@pytest.mark.parametrize("kind", [Adwin, PageHinkley, ShiryaevRoberts])
def test_direction(kind: Callable[..., Params]) -> None:
    values = np.r_[np.zeros(500), np.ones(500) * 3]
    for direction, shift, expected in (("up", 1, [1]), ("down", -1, [-1]), ("down", 1, []), ("up", -1, [])):
        bank = make(kind(direction=direction), 1)
        assert bank.update(np.zeros(1000, np.int64), values * shift).direction.tolist() == expected


def test_a_hit_says_how_far_beyond_its_threshold() -> None:
    values = np.r_[np.zeros(512), np.full(64, 2.0)]
    for params in (Adwin(), PageHinkley(), ShiryaevRoberts()):
        hits = make(params, 1).update(np.zeros(len(values), np.int64), values)
        assert (hits.statistic > hits.threshold).all()
        assert len(hits.place) == 1
    assert 0.0 < make(Adwin(), 1).update(np.zeros(len(values), np.int64), values).statistic[0] <= 2.0
