"""One false alert a week and model, shared by its series."""

from __future__ import annotations

from math import exp

import pytest

from streamer.series.budget import DAYS, SHARERS, odds


def test_all_series_of_a_model_together_are_wrong_once_a_week() -> None:
    assert SHARERS * DAYS * exp(-odds()) == pytest.approx(1.0)
    assert SHARERS * DAYS * 6 * exp(-odds(6)) == pytest.approx(1.0), "a series with six limits has no larger a share"
