"""The budget of false alarms is shared out among the monitors."""

from __future__ import annotations

import pytest

from detectors.extremes import DAY_MS
from streamer.config.budget import MEMBERS, FalseAlarms, parts
from tests.config.samples import STANDARD_MONITORS


def test_all_parts_are_the_budget() -> None:
    for budget in (FalseAlarms(), FalseAlarms(budget=1, per="1d", weights={"confidence": 5})):
        rates = parts(budget, STANDARD_MONITORS)
        members = {name: MEMBERS if one.signal.endswith("*") else 1 for name, one in STANDARD_MONITORS.items()}
        a_day = sum(rate * members[name] for name, rate in rates.items())
        assert a_day == pytest.approx(budget.budget * DAY_MS / budget.per_ms)


def test_a_weight_is_how_many_times_the_part_of_another() -> None:
    rates = parts(FalseAlarms(weights={"confidence": 5}), STANDARD_MONITORS)
    assert rates["confidence"] == pytest.approx(5 * rates["latency"])
    assert rates["confidence"] < 5 * parts(FalseAlarms(), STANDARD_MONITORS)["confidence"]


def test_a_rate_is_a_chance_however_much_is_granted() -> None:
    assert max(parts(FalseAlarms(budget=1000, per="1h"), STANDARD_MONITORS).values()) == 0.5
    assert parts(FalseAlarms(), {}) == {}


def test_a_candidate_takes_nothing_of_the_others_and_has_what_it_would_have_among_them() -> None:
    live = parts(FalseAlarms(), STANDARD_MONITORS)
    candidate = STANDARD_MONITORS["latency"].model_copy(update={"shadow": True})
    beside = parts(FalseAlarms(), {**STANDARD_MONITORS, "candidate": candidate})
    promoted = parts(FalseAlarms(), {**STANDARD_MONITORS, "candidate": STANDARD_MONITORS["latency"]})
    assert {name: rate for name, rate in beside.items() if name != "candidate"} == live
    assert beside["candidate"] == promoted["candidate"] < live["latency"]
