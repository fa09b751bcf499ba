"""Quantiles: the rank error over shapes and orders, that adding in parts is the same, and merging."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.quantiles import CAPACITY, Quantiles

N = 200_000
RNG = np.random.default_rng(1)
STREAMS = {
    "normal": RNG.normal(size=N),
    "lognormal": RNG.lognormal(0, 2, N),
    "sorted": np.arange(N, dtype=float),
    "reversed": -np.arange(N, dtype=float),
    "zigzag": np.where(np.arange(N) % 2, 1.0, -1.0) * np.arange(N),
    "ties": RNG.integers(0, 7, N).astype(float),
    "blocks": np.repeat(RNG.normal(size=N // 1000), 1000),
}
SHARES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999)


def rank_error(values: np.ndarray, found: float, share: float) -> float:
    """How far the share lies from the ranks that the value takes."""
    low, high = np.mean(values < found), np.mean(values <= found)
    return max(float(low) - share, share - float(high), 0.0)


@pytest.mark.parametrize("name", STREAMS)
def test_the_rank_error_is_below_one_percent(name: str) -> None:
    values = STREAMS[name]
    sketch = Quantiles()
    sketch.add(values)
    assert max(rank_error(values, sketch.quantile(share), share) for share in SHARES) < 0.01
    assert sum(map(len, sketch.levels)) < 12 * CAPACITY


def test_few_values_are_exact() -> None:
    sketch = Quantiles()
    sketch.add(np.array([3.0, 1.0, 2.0, 4.0]))
    assert [sketch.quantile(share) for share in (0.25, 0.5, 0.51, 1.0)] == [1.0, 2.0, 3.0, 4.0]
    with pytest.raises(ValueError, match="nothing"):
        Quantiles().quantile(0.5)


def test_adding_in_parts_is_the_same_and_a_dump_comes_back() -> None:
    values = STREAMS["lognormal"][:20_000]
    whole, parts = Quantiles(), Quantiles()
    whole.add(values)
    for begin in range(0, len(values), 777):
        parts = Quantiles.load(parts.dump())
        parts.add(values[begin : begin + 777])
    assert str(parts.dump()) == str(whole.dump())
    assert parts.quantile(0.9) == whole.quantile(0.9)


def test_merged_sketches_stay_within_the_error() -> None:
    values = STREAMS["normal"]
    merged = Quantiles()
    for part in np.split(values, 50):
        one = Quantiles()
        one.add(part)
        merged.merge(one)
    assert merged.n == N
    assert max(rank_error(values, merged.quantile(share), share) for share in SHARES) < 0.01


@pytest.mark.parametrize(
    "state",
    [[3, [np.zeros(2)], [False]], [2, [np.array([1.0, np.nan])], [False]], [0, [], []], [2, [np.zeros(2)], []],
     [CAPACITY, [np.zeros(CAPACITY)], [True]]],
)  # fmt: skip
def test_a_state_that_cannot_be_is_refused(state: list[object]) -> None:
    with pytest.raises(ValueError, match="sketch|unpack"):
        Quantiles.load(state)
