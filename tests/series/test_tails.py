"""What healthy days show of the tails of a feature, and from when on that counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detectors.reference import Learned
from streamer.series.tails import EDGES, EVERY_MS, SLOTS, USUAL, Tails

DAY_MS = SLOTS * EVERY_MS
KNOWN = Learned(500, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0, 499, 0, 0)


def made() -> Tails:
    tails = Tails(lambda row: KNOWN)
    tails.resize(2)
    return tails


def days(seed: int, n: int, far: float, share: float) -> tuple[Any, Any]:
    """Distances and times, two a slot; a share of the time they are far."""
    draw = np.random.default_rng(seed)
    times = np.arange(n * SLOTS * 2) * (EVERY_MS // 2)
    rush = times % DAY_MS < share * DAY_MS
    return draw.standard_normal(len(times)) + far * rush, times


def learn(tails: Tails, away: Any, times: Any, batch: int = 1_000) -> None:
    for begin in range(0, len(times), batch):
        piece = slice(begin, begin + batch)
        n = len(times[piece])
        tails.learn(np.zeros(n, np.int64), away[piece], np.arange(n), times[piece])


def beyond(tails: Tails, away: float) -> bool:
    return bool(tails.beyond(np.zeros(1, np.int64), np.array([away]), np.zeros(1, np.int64), 6.0)[0])


def test_a_normal_tail_stays_what_it_is() -> None:
    tails = made()
    learn(tails, *days(1, 5, 0.0, 0.0))
    assert (tails.wider == 1.0).all()
    assert beyond(tails, 6.1)


def test_a_rush_is_normal_on_the_next_day_and_only_on_its_side() -> None:
    tails = made()
    learn(tails, *days(1, 1, 8.0, 0.2))
    assert beyond(tails, 8.0), "today does not excuse itself"
    learn(tails, *days(1, 2, 8.0, 0.2))
    assert not beyond(tails, 20.0)
    assert beyond(tails, -6.5)
    assert beyond(tails, 100.0)
    assert (tails.wider[1] == 1.0).all()


@pytest.mark.parametrize("centre", [0.0, 3.0, 0.1])
def test_where_the_reference_was_all_one_value_others_are_usual_in_a_day_and_noise_is_none(centre: float) -> None:
    """As the day of the week is in any hour; a step of floats says nothing of what is far."""
    flat = Learned(500, centre, 1e-17, centre, 1e-17, 0.0, 0.0, 0, 499, 0, 0)
    tails, (away, times) = Tails(lambda row: flat), days(1, 2, 0.0, 0.0)
    tails.resize(2)
    learn(tails, 1e-5 * centre * np.sign(away), times)
    assert beyond(tails, 1.0), "noise is none"
    later = times + times[-1] + EVERY_MS // 2
    learn(tails, np.where(later // DAY_MS % 7 < 5, 1.0, 0.0), later)
    assert not beyond(tails, 1.0)
    assert beyond(tails, -1.0), "the other side"


def test_one_odd_value_in_a_hundred_is_never_normal() -> None:
    tails, (away, times) = made(), days(1, 20, 0.0, 0.0)
    odd = np.random.default_rng(2).random(len(away)) < 0.01
    learn(tails, np.where(odd, 30.0, away), times)
    assert beyond(tails, 6.1)


def test_whoever_is_dense_by_night_counts_no_more_than_by_day() -> None:
    """A thousand values of one minute are one of three hundred of the day."""
    tails, (away, times) = made(), days(1, 3, 0.0, 0.0)
    burst = np.arange(1_000) * 60 + DAY_MS // 2
    order = np.argsort(np.concatenate([times, burst]), kind="stable")
    learn(tails, np.concatenate([away, np.full(1_000, 9.0)])[order], np.concatenate([times, burst])[order])
    assert beyond(tails, 6.1)


@pytest.mark.parametrize("batch", [1, 37, 5_000])
def test_the_cut_of_the_log_changes_nothing(batch: int) -> None:
    away, times = days(3, 3, 9.0, 0.3)
    verdicts: list[list[bool]] = []
    states = []
    for size in (batch, 577):
        tails, found = made(), list[bool]()
        for begin in range(0, len(times), size):
            piece = slice(begin, begin + size)
            n = len(times[piece])
            rows, events = np.zeros(n, np.int64), np.arange(n)
            tails.learn(rows, away[piece], events, times[piece])
            found += tails.beyond(rows, away[piece] * 0.9, events, 6.0).tolist()
        verdicts.append(found)
        states.append({name: array.tobytes() for name, array in tails.dump().items()})
    assert verdicts[0] == verdicts[1]
    assert states[0] == states[1]


def test_a_state_is_taken_up_and_an_invalid_one_refused() -> None:
    tails, again = made(), made()
    learn(tails, *days(1, 3, 8.0, 0.2))
    again.load(tails.dump())
    assert (again.wider == tails.wider).all()
    assert beyond(again, 100.0), "before another value is counted"
    again.retain(np.array([1]))
    assert (again.wider == 1.0).all()
    tails.forget(0)
    assert (tails.wider == 1.0).all()
    for name, value in (("today", -1.0), ("before", np.nan), ("n", np.inf)):
        state = made().dump()
        state[name][0] = value
        with pytest.raises(ValueError, match="invalid tails"):
            made().load(state)
    assert EDGES[0] == USUAL
