"""The budget of false alarms is shared out among the monitors."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from detectors.extremes import DAY_MS
from streamer.config.budget import MEMBERS, FalseAlarms, named_models, shared
from streamer.config.budget import parts as parts_of
from streamer.config.monitor import Monitor
from tests.config.samples import STANDARD_MONITORS


def parts(budget: FalseAlarms, monitors: Mapping[str, Monitor]) -> dict[str, float]:
    """By monitor the rate of each series before it is known how many live."""
    return {name: part.rate() for name, part in parts_of(budget, monitors).items()}


def test_all_parts_are_the_budget() -> None:
    for budget in (FalseAlarms(), FalseAlarms(budget=1, per="1d", weights={"confidence": 5})):
        rates = parts(budget, STANDARD_MONITORS)
        members = {name: MEMBERS if one.signal.endswith("*") else 1 for name, one in STANDARD_MONITORS.items()}
        mine = [name for name, one in STANDARD_MONITORS.items() if one.detect.budgeted]
        a_day = sum(rates[name] * members[name] for name in mine)
        assert a_day == pytest.approx(budget.budget * DAY_MS / budget.per_ms)


def test_a_weight_is_how_many_times_the_part_of_another() -> None:
    rates = parts(FalseAlarms(weights={"confidence": 5}), STANDARD_MONITORS)
    assert rates["confidence"] == pytest.approx(5 * rates["latency"])
    assert rates["confidence"] < 5 * parts(FalseAlarms(), STANDARD_MONITORS)["confidence"]


def test_a_rate_is_a_chance_however_much_is_granted() -> None:
    assert max(parts(FalseAlarms(budget=1000, per="1h"), STANDARD_MONITORS).values()) == 0.5
    assert parts(FalseAlarms(), {}) == {}


def test_a_budget_of_the_service_is_divided_by_the_models_that_are_given_or_named() -> None:
    whole = parts(FalseAlarms(), STANDARD_MONITORS)
    for name, rate in parts(FalseAlarms(scope="service", models=50), STANDARD_MONITORS).items():
        assert rate == pytest.approx(whole[name] / 50)
    named = {
        f"{name} {model}": m.model_copy(update={"model": model})
        for name, m in STANDARD_MONITORS.items()
        for model in "ab"
    }
    assert named_models(named) == 2
    assert sum(p.a_week() for p in shared(FalseAlarms(scope="service"), named)) == pytest.approx(0.5)


def test_how_many_series_a_star_has_can_be_said() -> None:
    few, many = (parts(FalseAlarms(series=n), STANDARD_MONITORS) for n in (MEMBERS, 10 * MEMBERS))
    assert many["missing"] == pytest.approx(few["missing"] / 10)
    assert many["latency"] == pytest.approx(few["latency"])


def test_what_all_have_together_stays_whoever_lives_unless_their_number_is_given() -> None:
    part = parts_of(FalseAlarms(), STANDARD_MONITORS)["missing"]
    assert part.rate(3) == pytest.approx(4 * part.rate(12)) == pytest.approx(4 * part.rate())
    assert part.a_week(3) == pytest.approx(part.a_week(200)) == pytest.approx(part.a_week())
    given = parts_of(FalseAlarms(series=12), STANDARD_MONITORS)["missing"]
    assert given.rate(3) == given.rate(200) == given.rate()
    assert given.a_week(3) == pytest.approx(given.a_week() / 4)
    assert part._replace(takes=False).a_week(3) == 0.0


def test_a_candidate_takes_nothing_of_the_others_and_has_what_it_would_have_among_them() -> None:
    live = parts(FalseAlarms(), STANDARD_MONITORS)
    candidate = STANDARD_MONITORS["latency"].model_copy(update={"shadow": True})
    beside = parts(FalseAlarms(), {**STANDARD_MONITORS, "candidate": candidate})
    promoted = parts(FalseAlarms(), {**STANDARD_MONITORS, "candidate": STANDARD_MONITORS["latency"]})
    assert {name: rate for name, rate in beside.items() if name != "candidate"} == live
    assert beside["candidate"] == promoted["candidate"] < live["latency"]
