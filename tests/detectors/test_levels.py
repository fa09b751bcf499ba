"""The levels of a category, one by one: found about as soon as theory has it, quiet where mixes breathe, the same in
both engines, and read back as they were.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from detectors.compiled_levels import CompiledLevels
from detectors.extremes import DAY_MS
from detectors.levels import LEVELS_MAX, Levels, Told, check_state, levels_of
from schemas.core import native

SEEDS = 10 if os.environ.get("DRIFTLINE_REPETITIONS") else 3
EVERY_MS = 20_000
DAY = DAY_MS // EVERY_MS
ONSET = 17 * DAY + DAY // 2
RATE = 0.001
OTHERS = np.array([0.3, 0.25, 0.2, 0.15, 0.1])


def mix(share: float, after: float, seed: int, breathes: float, days: int = 20) -> NDArray[np.int64]:
    """Levels of which the last is rare; the odds of all go up and down with the day, and are others at weekends."""
    draw, at = np.random.default_rng((seed, int(share * 1_000))), np.arange(days * DAY)
    phase = draw.random(6) * 2 * np.pi
    swing = np.sin(at[:, None] / DAY * 2 * np.pi + phase) + (at // DAY % 7 >= 5)[:, None] * np.cos(phase)
    weights = np.append(OTHERS * (1 - share), share) * np.exp(breathes * swing)
    weights[at >= ONSET, 5] *= after * (1 - share) / (share * (1 - after))
    ends = np.cumsum(weights, axis=1)
    found: NDArray[np.int64] = (draw.random(len(at))[:, None] * ends[:, -1:] > ends).sum(axis=1)
    return found


def fed(bank: Any, levels: NDArray[np.int64]) -> list[Told]:
    bank.resize(1)
    bank.begin(0, 6)
    at = np.arange(len(levels))
    told: list[Told] = bank.update(np.zeros(len(at), np.int64), levels, at, at, at * EVERY_MS)
    return told


@pytest.mark.skipif(native is None, reason="a minute without the compiled core")
@pytest.mark.parametrize(("share", "after", "soon"), [(0.003, 0.01, 6_400), (0.01, 0.03, 2_400), (0.1, 0.2, 700)])
def test_a_level_that_comes_more_often_is_found_and_named(share: float, after: float, soon: int) -> None:
    """`soon` is twice Lorden's bound (1971) at the rate that is granted."""
    delays = []
    for seed in range(SEEDS):
        told = fed(CompiledLevels(RATE), mix(share, after, seed, 0.0))
        assert (told[0].level, told[0].way) == (5, 1)
        assert told[0].place >= ONSET, seed
        assert told[0].before < told[0].came / told[0].age
        assert ONSET - told[0].age < told[0].first_offset
        delays.append(told[0].place - ONSET + 1)
    assert np.median(delays) <= soon, delays


@pytest.mark.skipif(native is None, reason="a minute without the compiled core")
@pytest.mark.parametrize("share", [0.003, 0.03])
def test_mixes_that_breathe_are_quiet(share: float) -> None:
    told = [fed(CompiledLevels(RATE), mix(share, share, seed, 0.4)) for seed in range(SEEDS)]
    assert sum(bool(found) for found in told) <= (1 if SEEDS > 3 else 0), [found[:1] for found in told]


def some(bank: Any, sizes: list[int]) -> list[Told]:
    """Three rows, one without levels, whose events are out of order and at last of a level that was rare."""
    draw, n = np.random.default_rng(2), sum(sizes)
    rows, times_ms = draw.integers(0, 2, n) * 2, np.arange(n) * 200_000 + draw.integers(-60_000, 60_000, n)
    levels = np.minimum(draw.geometric(0.7, n) - 1, 4)
    levels[-300:] = np.where(draw.random(300) < 0.3, 4, levels[-300:])
    bank.resize(3)
    bank.share(np.array([0.01, 0.5, 0.02]))
    bank.begin(0, 5)
    bank.begin(2, 5)
    found, begin = list[Told](), 0
    for size in sizes:
        part = slice(begin, begin + size)
        told = bank.update(rows[part], levels[part], np.arange(size), np.arange(n)[part], times_ms[part])
        found += [one._replace(place=one.place + begin) for one in told]
        begin += size
    return found


def test_any_cut_says_the_same() -> None:
    whole, parts = Levels(0.01), Levels(0.01)
    told = some(whole, [5_000])
    assert told
    assert some(parts, [1, 7, 1_992, 3_000]) == told
    assert all(array.tobytes() == whole.dump()[name].tobytes() for name, array in parts.dump().items())


@pytest.mark.skipif(native is None, reason="no compiled core")
def test_both_engines_say_the_same_to_the_last_bit() -> None:
    one, other = Levels(0.01), CompiledLevels(0.01)
    assert some(one, [5_000]) == some(other, [5_000])
    for _ in range(2):
        left, right = one.dump(), other.dump()
        assert list(left) == list(right)
        assert all(
            (left[name].dtype, left[name].tobytes()) == (right[name].dtype, right[name].tobytes()) for name in left
        )
        for bank in (one, other):
            bank.load(bank.dump())
            bank.retain(np.array([1, 2]) if bank.rows == 3 else np.array([1]))
            assert [bank.levels(row) for row in range(bank.rows)] == ([0, 5] if bank.rows == 2 else [5])
    with pytest.raises(AssertionError, match="a level that its row has not"):
        other.update(np.zeros(1, np.int64), np.array([5]), *[np.zeros(1, np.int64)] * 3)


def test_a_limit_follows_the_part_that_a_row_has() -> None:
    bank = Levels(0.01)
    bank.resize(1)
    bank.begin(0, 4)
    own = bank.of[0]
    assert own is not None
    before = own.sums.odds.tolist()
    bank.share(np.array([0.001]))
    assert own.sums.odds.tolist() == pytest.approx([one + np.log(10.0) for one in before])


def test_the_most_frequent_codes_have_levels_and_the_rest_has_one() -> None:
    level_of, codes = levels_of([5, 0, 9, 1])
    assert codes == [0, 2, 3]
    assert level_of.tolist() == [0, 3, 1, 2]
    level_of, codes = levels_of([*range(1, 65)])
    assert codes == list(range(64 - LEVELS_MAX + 1, 64))
    assert level_of.max() == LEVELS_MAX - 1
    assert level_of[0] == LEVELS_MAX - 1


def test_a_wrong_state_is_refused_and_changes_nothing() -> None:
    bank = Levels(0.01)
    some(bank, [2_000])
    state = bank.dump()
    check_state(state)
    for name, wrong in (("levels", 33), ("levels", 4), ("fill", 8), ("pace", np.nan), ("came", -1.0), ("sums", np.nan)):
        bad = {key: array.copy() for key, array in state.items()}
        bad[name].flat[0] = wrong
        with pytest.raises(ValueError, match=r"levels|length|state array|cannot have been"):
            bank.load(bad)
    assert bank.dump()["sums"].tobytes() == state["sums"].tobytes()
