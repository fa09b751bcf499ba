"""Rare ones: how soon they are told, and that what is usual is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detectors.scan import COMMON, NEVER, Scan, ScanBank

RATE = 6.6e-4
"""Of a series of the standard set."""


def alarms(values: Any, rate: float = RATE) -> list[int]:
    bank = ScanBank(Scan(rate))
    bank.resize(1)
    found: list[int] = bank.update(np.zeros(len(values), np.int64), values).place.tolist()
    return found


def coins(seed: int, n: int, share: Any) -> Any:
    return (np.random.default_rng(seed).random(n) < share) * 1.0


@pytest.mark.parametrize(("share", "within"), [(0.02, 300), (0.05, 120), (0.1, 60), (1.0, 5)])
def test_what_never_was_is_told_soon(share: float, within: int) -> None:
    delays = [alarms(np.concatenate([np.zeros(6_000), coins(seed, 2_000, share)]))[0] - 6_000 for seed in range(20)]
    assert np.median(delays) < within
    assert min(delays) >= 3, "four are a pattern"


@pytest.mark.parametrize("share", [0.0005, 0.003, 0.015, 0.3])
def test_a_share_that_breathes_with_the_day_is_no_news(share: float) -> None:
    day = np.sin(2 * np.pi * np.arange(40_000) / 2_880)
    assert sum(len(alarms(coins(seed, 40_000, share * (1 + 0.7 * day)))) > 0 for seed in range(5)) == 0


def test_what_comes_in_bursts_is_no_news_when_it_comes_again() -> None:
    burst = np.zeros(4_000)
    burst[2_000:2_040:8] = 1.0
    found = alarms(np.tile(burst, 10))
    assert found
    assert max(found) < 4 * 4_000, "three times are enough"
    steady = np.zeros(20_000)
    steady[6_000::12] = 1.0
    assert {i // 1_000 for i in alarms(steady)} >= {6, 7}, "as long as it goes on"


def test_an_alarm_says_how_many_values_ago_it_began_and_at_what_odds() -> None:
    bank = ScanBank(Scan(RATE))
    bank.resize(2)
    values = np.zeros(8_000)
    values[6_000::10] = 1.0
    found = bank.update(np.repeat([0, 1], 8_000), np.concatenate([np.zeros(8_000), values]))
    assert (found.place[0], found.direction[0], found.age[0]) == (14_030, 1, 31)
    assert found.statistic[0] > found.threshold[0] > 0


def test_ones_that_became_common_are_left_to_others_until_they_are_rare_again() -> None:
    bank = ScanBank(Scan(RATE))
    bank.resize(1)
    rows = np.zeros(2_000, np.int64)
    assert len(bank.update(rows, np.ones(2_000)).place) == 0
    assert (bank.places == NEVER).all()
    for _ in range(COMMON):
        bank.update(rows, np.zeros(2_000))
    values = np.zeros(2_000)
    values[1_000:1_100:10] = 1.0
    assert len(bank.update(rows, values).place) == 0, "as many of so many ones are no surprise"
    assert (bank.places != NEVER).sum() == 10


def test_a_row_that_begins_anew_knows_nothing() -> None:
    bank, fresh = ScanBank(Scan()), ScanBank(Scan())
    bank.resize(1)
    fresh.resize(1)
    bank.update(np.zeros(500, np.int64), coins(1, 500, 0.02))
    bank.forget(0)
    assert all((bank.dump()[name] == array).all() for name, array in fresh.dump().items())


@pytest.mark.parametrize(
    ("name", "value"), [("ones", 9), ("ones", -1), ("places", 7), ("places", -2), ("closest", 3), ("n", 1)]
)
def test_a_state_that_cannot_have_been_is_refused(name: str, value: int) -> None:
    bank = ScanBank(Scan())
    bank.resize(1)
    bank.update(np.zeros(6, np.int64), np.array([0.0, 1, 0, 1, 0, 0]))
    state = bank.dump()
    state[name][..., -1] = value
    with pytest.raises(ValueError, match="cannot have been"):
        ScanBank(Scan()).load(state)
    with pytest.raises(ValueError, match="rate must be"):
        Scan(0.0)
