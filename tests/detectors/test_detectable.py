"""What is stated as detectable is found: simulated series, each shifted by what was stated of it, at some time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from detectors import Adwin, Bank, Envelope, PageHinkley, make_bank, make_compiled_bank
from detectors.detectable import (
    adwin_shift,
    at_least,
    page_hinkley_shift,
    row_of,
    shift_of_count,
    shift_of_mean,
    shift_of_share,
)
from detectors.extremes import DAY_MS
from schemas.core import native
from tests.later import Later

stats = Later("scipy.stats")

SERIES = 200
DAYS = 10
Values = np.ndarray[Any, np.dtype[np.float64]]
Draw = Callable[[np.random.Generator, Values], Values]
LEAST, MOST = 0.7, 1.0


def autocorrelated(rng: np.random.Generator, at: Values) -> Values:
    from scipy.signal import lfilter  # Takes a second: each process of the suite imports this file.

    return np.asarray(lfilter([np.sqrt(0.75)], [1.0, -0.5], rng.standard_normal(at.shape)))


NUMBERS: dict[str, Draw] = {
    "normal": lambda rng, at: rng.standard_normal(at.shape),
    "skewed": lambda rng, at: (rng.gamma(2.0, size=at.shape) - 1.68) / 1.3,
    "autocorrelated": autocorrelated,
    "daily cycle": lambda rng, at: rng.standard_normal(at.shape) + 0.3 * np.sin(2.0 * np.pi * at),
}


def taken(bank: Bank, values: Values, at: Values, end: Any) -> set[int]:
    """The rows that are found, of one row of values each, up to a place of each; `at`: days."""
    rows, places = map(np.ascontiguousarray, np.nonzero(np.arange(values.shape[1]) < np.asarray(end)[:, None]))
    hits = bank.update(rows, values[rows, places], np.rint(at[rows, places] * DAY_MS).astype(np.int64))
    return set(rows[hits.place].tolist())


def drawn_ones(share: float) -> Draw:
    return lambda rng, at: (rng.random(at.shape) < share).astype(np.float64)


def part_found(
    a_day: int, within: int, draw: Draw, share: float | None, times: float = 1.0, ways: tuple[int, int] = (1, -1)
) -> float:
    """Of series that are shifted by `times` what is stated of each, each other one this way, the part that is found."""
    rng = np.random.default_rng(20)
    bank = (make_bank if native is None else make_compiled_bank)(Envelope(rate=0.002, shares=share is not None))
    bank.resize(SERIES)
    at = np.broadcast_to(np.arange(DAYS * a_day) / a_day, (SERIES, DAYS * a_day))
    taken(bank, draw(rng, at), at, np.full(SERIES, DAYS * a_day))
    state, stated = bank.dump(), list[float | None]()
    for row, direction in enumerate(ways * (SERIES // 2)):
        known = row_of(state, row)
        by = (
            shift_of_mean(known, within, direction, a_day)
            if share is None
            else shift_of_share(known, within, direction)
        )
        stated.append(None if by is None else direction * by * times)
    begin = rng.integers(a_day, size=(SERIES, 1))
    at = DAYS + np.broadcast_to(np.arange(a_day + within) / a_day, (SERIES, a_day + within))
    by_row, behind = np.array([[one or 0.0] for one in stated]), np.arange(a_day + within) >= begin
    if share is None:
        values = draw(rng, at) + behind * by_row
    else:
        values = (rng.random(at.shape) < share + behind * by_row).astype(np.float64)
    found = taken(bank, values, at, begin[:, 0] + within)
    known = [row for row, one in enumerate(stated) if one is not None]
    assert len(known) >= SERIES / (2 if 1 in ways else 25)
    return len(found.intersection(known)) / len(known)


@pytest.mark.parametrize("kind", NUMBERS)
def test_a_shift_of_the_mean_that_is_stated_is_found_within_the_hour(kind: str) -> None:
    assert LEAST <= part_found(576, 24, NUMBERS[kind], None) <= MOST


def test_and_a_smaller_one_within_the_day_whatever_its_cycle() -> None:
    assert LEAST <= part_found(288, 288, NUMBERS["daily cycle"], None) <= MOST


def test_what_is_stated_is_about_the_smallest() -> None:
    assert part_found(288, 288, NUMBERS["normal"], None, 0.5) < LEAST


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_shift_of_a_share_that_is_stated_is_found_within_the_day(share: float) -> None:
    assert LEAST <= part_found(288, 288, drawn_ones(share), share) <= MOST


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_and_a_fall_of_one_for_itself_however_few_state_any(share: float) -> None:
    assert LEAST <= part_found(288, 288, drawn_ones(share), share, ways=(-1, -1)) <= MOST


@pytest.mark.parametrize(
    ("params", "stated"),
    [
        (Adwin(), lambda before, after: adwin_shift(Adwin().delta, before, after)),
        (PageHinkley(), lambda before, after: page_hinkley_shift(40.0, 0.3, before, after)),
    ],
)
@pytest.mark.parametrize("after", [150, 600])
def test_detectors_with_a_formula_of_their_own_find_what_it_says(params: Any, stated: Any, after: int) -> None:
    rng, before = np.random.default_rng(3), 2_000
    by = stated(before, after)
    values = rng.standard_normal((SERIES, before + after))
    values[:, before:] += by
    bank = (make_bank if native is None else make_compiled_bank)(params)
    bank.resize(SERIES)
    rows = np.repeat(np.arange(SERIES), before + after)
    hits = bank.update(rows, np.clip(values, -3.0, 3.0).ravel())
    assert LEAST <= len(set(rows[hits.place].tolist())) / SERIES <= MOST


def test_nothing_is_stated_of_what_is_in_school_or_too_slow() -> None:
    bank = make_bank(Envelope())
    bank.resize(1)
    bank.update(np.zeros(500, np.int64), np.random.default_rng(0).standard_normal(500), np.arange(500) * 60_000)
    row = row_of(bank.dump(), 0)
    assert shift_of_mean(row, 1e6, 1) is None
    assert shift_of_share(row, 1e6, 1) is None
    limited = row._replace(limit=np.full_like(row.limit, 0.5))
    assert shift_of_mean(limited, 7, 1) is None
    assert shift_of_mean(limited, 1e4, 1) is not None
    assert adwin_shift(2e-5, 5_000, 30) is None
    assert page_hinkley_shift(40.0, 0.3, 5_000, 0) is None


def test_more_time_finds_less() -> None:
    bank = make_bank(Envelope())
    bank.resize(1)
    at = np.arange(2_880)
    bank.update(np.zeros(2_880, np.int64), np.random.default_rng(0).standard_normal(2_880), at * DAY_MS // 288)
    row = row_of(bank.dump(), 0)
    stated = [shift_of_mean(row, within, -1) for within in (16, 64, 512)]
    assert None not in stated
    assert stated == sorted(stated, key=lambda one: -(one or 0.0))
    by_sums = [round(page_hinkley_shift(40.0, 0.3, 2_000, within) or 0.0, 3) for within in (60, 600, 3_600, 86_400)]
    assert by_sums == [1.091, 0.459, 0.451, 0.451], "its mean has followed by then"


@pytest.mark.parametrize(
    ("many", "n", "share"), [(1, 8, 0.01), (5, 8, 0.5), (40, 512, 0.05), (40, 512, 0.2), (9, 8, 0.9)]
)
def test_the_tail_of_a_count_is_that_of_scipy(many: int, n: int, share: float) -> None:
    assert at_least(many, n, share) == pytest.approx(stats.binom.sf(many - 1, n, share), rel=1e-9)


def test_a_window_is_beyond_its_limit_as_often_as_is_stated() -> None:
    rng, by = np.random.default_rng(1), shift_of_count(0.02, 21, 400, 2)
    assert by is not None
    shares = rng.binomial(400, 0.02 + by, (SERIES, 2)) / 400
    assert LEAST <= (shares > 0.05).any(axis=1).mean() <= 0.9
    assert shift_of_count(0.02, 21, 400, 0) is None
