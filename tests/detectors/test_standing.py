"""Where a statistic stands is what an alert would say at that value: of every bank, compiled or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from detectors import DETECTORS, make_bank, make_compiled_bank
from detectors.bank import Bank
from detectors.params import Adwin, Occurrence, PageHinkley, Params, River
from detectors.scan import Scan
from detectors.shiryaev_roberts import ShiryaevRoberts
from detectors.standing import ANEW, NO_VALUE, STANDINGS, Standing, standings
from schemas.core import native

NORMAL = np.random.default_rng(3).standard_normal(500) + np.repeat([0.0, 3.0], [400, 100])
ONES = (np.arange(2_000) % 400 == 0).astype(float)
ONES[1_500::9] = 1.0
ENGINES = [make_bank, *([make_compiled_bank] if native is not None else [])]
WHOLE = [
    (Adwin(clock=1), NORMAL, ANEW),
    (PageHinkley(), NORMAL, ""),
    (ShiryaevRoberts(), NORMAL, ANEW),
    (Scan(), ONES, "as of the newest one"),
]


def by_row(params: Params, rows: int) -> Any:
    return np.full(rows, Scan().rate / 300.0 if isinstance(params, Scan) else 1.0)


def of(bank: Bank, params: Params) -> Standing:
    return standings(params, bank.dump(), by_row(params, bank.rows))[0]


@pytest.mark.parametrize("make", ENGINES)
@pytest.mark.parametrize(("params", "values", "behind"), WHOLE, ids=lambda one: type(one).__name__)
def test_it_is_below_before_the_alarm_and_at_it_what_the_alarm_says(
    make: Callable[[Params], Bank], params: Params, values: Any, behind: str
) -> None:
    whole, bank = make(params), make(params)
    whole.resize(1)
    bank.resize(1)
    hits = whole.update(np.zeros(len(values), np.int64), values)
    place, statistic, threshold = (array[0].item() for array in (hits.place, hits.statistic, hits.threshold))
    assert place > 300
    bank.update(np.zeros(place, np.int64), values[:place])
    before = of(bank, params)
    assert (before.reached or 0.0) < 1.0
    assert before.threshold is not None
    if not isinstance(params, Adwin):  # Whose bound is that of each cut.
        assert before.threshold == threshold
    bank.update(np.zeros(1, np.int64), values[place : place + 1])
    just = of(bank, params)
    if just.statistic is None:
        assert just.words == behind
    elif isinstance(params, Scan):  # All sizes, and not the first that says it.
        assert just.statistic >= statistic > threshold
    else:
        assert (just.statistic, just.threshold) == (statistic, threshold)


def test_of_a_cut_that_is_not_looked_for_yet_it_is_what_the_alarm_will_say() -> None:
    """At the value before the look the window lacks one value: the same cut, by the same rule."""
    params, values = Adwin(clock=32, direction="up"), NORMAL
    bank = make_bank(params)
    bank.resize(1)
    place = int(bank.update(np.zeros(500, np.int64), values).place[0])
    bank = make_bank(params)
    bank.resize(1)
    bank.update(np.zeros(place, np.int64), values[:place])
    stands = of(bank, params)
    assert stands.words == "it looks once in 32 values, the next time in 1"
    assert stands.reached is not None
    assert stands.reached > 1.0, "it would fire if it looked"
    assert of(bank, Adwin(clock=32, direction="down")).reached != stands.reached


@pytest.mark.parametrize("make", ENGINES)
@pytest.mark.parametrize(
    ("told", "quiet", "values"),
    [
        (Adwin(clock=1), Adwin(clock=1_000_000), NORMAL),
        (ShiryaevRoberts(), ShiryaevRoberts(arl=1e15), NORMAL),
        (ShiryaevRoberts(), ShiryaevRoberts(arl=1e15), ONES),  # Of an atom there are other bets.
        (PageHinkley(), PageHinkley(threshold=1e6), NORMAL),
    ],
    ids=["adwin", "ranks", "ranks of ones", "page_hinkley"],
)
def test_who_may_not_fire_yet_stands_where_the_alarm_of_another_is(
    make: Callable[[Params], Bank], told: Params, quiet: Params, values: Any
) -> None:
    """To the last bit, from a state that has not begun anew."""
    bank, other = make(told), make(quiet)
    for one in (bank, other):
        one.resize(1)
    hits = bank.update(np.zeros(len(values), np.int64), values)
    place = hits.place.item(0)
    other.update(np.zeros(place + 1, np.int64), values[: place + 1])
    stands = of(other, quiet)
    assert stands.statistic == hits.statistic[0]
    if isinstance(told, Adwin):
        assert stands.threshold == hits.threshold[0]


def test_a_raised_threshold_is_the_one_to_pass() -> None:
    bank = make_bank(PageHinkley())
    bank.resize(1)
    bank.update(np.zeros(40, np.int64), NORMAL[:40])
    [once], [twice] = (standings(PageHinkley(), bank.dump(), np.array([times])) for times in (1.0, 2.0))
    assert (once.statistic, once.threshold, twice.threshold) == (twice.statistic, 40.0, 80.0)


def test_who_has_no_number_says_why() -> None:
    for params, why in (
        (PageHinkley(), NO_VALUE),
        (ShiryaevRoberts(), NO_VALUE),
        (Adwin(), "no cut is looked for before it has 11 values, 0 came"),
        (Scan(), "0 of 0 values are ones: it looks from the 4th on"),
        (Occurrence(), "the first one fires: 0 in 0 values"),
        (River("KSWIN"), "river's KSWIN says only that it fires: an alert has 1 of 1"),
        (DETECTORS["envelope"].params(), "it has no limit: days have not shown any yet"),
    ):
        bank = make_bank(params)
        bank.resize(1)
        assert of(bank, params) == Standing(None, None, why)
    assert standings(Params(), {}, np.ones(2))[1].words == "its detector states no number"


def test_every_detector_is_in_the_table() -> None:
    assert set(STANDINGS) == {one.params for one in DETECTORS.values()}


@pytest.mark.parametrize(("way", "reached"), [(1, -0.5), (-1, 0.5), (0, 0.5)])
def test_how_far_it_is_depends_on_where_it_must_go(way: int, reached: float) -> None:
    assert Standing(-2.0, 4.0, way=way).reached == reached
    assert Standing(3.0, 5.0, usual=1.0).reached == 0.5
    assert Standing(1.0, 0.0).reached is None
