"""The past that a pinned reference stands for: its values, its share of ones, and no change within."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from streamer.config.reference_file import Series
from streamer.monitors.pinned_past import PAST, deviations_of, past_of, quantiles_of, shuffled


def series(values: Any, **more: Any) -> Series:
    given: dict[str, Any] = {"key": ["m"], "member": "x", "n": len(values), "mean": values.mean(), "std": values.std()}
    given |= {"centre": 0.0, "scale": 1.0, "below": 1.0, "above": 1.0, "begin": "", "end": ""}
    return Series(**given | {"offsets": [0, 1], "begin_ms": 0, "end_ms": 1} | more)


@pytest.mark.parametrize("draw", ["standard_normal", "standard_exponential"])
def test_every_part_of_it_is_like_the_reference(draw: str) -> None:
    values = getattr(np.random.default_rng(1), draw)(3000)
    past = past_of(series(values, quantiles=quantiles_of(values)))
    assert len(past) == PAST
    for begin, end in pairwise(range(0, PAST + 1, 256)):
        assert abs(past[begin:end].mean() - values.mean()) < 0.05
        assert 0.9 < past[begin:end].std() / values.std() < 1.05
    np.testing.assert_array_equal(np.sort(shuffled(past)), np.sort(past))
    assert (shuffled(past) != past).any()


@pytest.mark.parametrize("share", [0.0, 0.002, 0.1, 0.5, 1.0])
def test_ones_and_zeros_are_as_many_as_the_mean_says(share: float) -> None:
    values = (np.arange(1000) < share * 1000) * 1.0
    past = past_of(series(values))
    assert (len(past), past.sum()) == (1000, round(share * 1000))
    assert set(past.tolist()) <= {0.0, 1.0}


def test_of_a_file_without_quantiles_nothing_is_made_up() -> None:
    assert len(past_of(series(np.random.default_rng(1).normal(0.5, 0.1, 1000)))) == 0


def test_deviations_are_the_reference_s_and_a_constant_has_a_side_only() -> None:
    values = np.array([1.0, 3.0, 4.0])
    assert deviations_of(values, series(values, centre=3.0, scale=2.0)).tolist() == [-1.0, 0.0, 0.5]
    assert deviations_of(values, series(values, centre=3.0, scale=0.0)).tolist() == [-1.0, 0.0, 1.0]
