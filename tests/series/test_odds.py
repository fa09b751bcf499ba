"""The odds of a limit are those of the false alarms that its series may have."""

from __future__ import annotations

from math import exp

import pytest

from streamer.series.odds import odds


@pytest.mark.parametrize("limits", [1, 6])
def test_all_limits_of_a_series_together_are_wrong_as_often_as_it_may(limits: int) -> None:
    assert limits * exp(-odds(0.01, limits)) == pytest.approx(0.01)


def test_a_budget_of_a_false_alarm_a_day_still_means_a_limit() -> None:
    assert odds(0.5) == 1.0
