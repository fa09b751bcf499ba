"""What the budget means is said for all monitors, and of each that it says nothing about."""

from __future__ import annotations

import pytest

from streamer.config.expectation import expected, in_all, told
from streamer.config.load import load_text
from tests.config.samples import LEAST

OWN = (
    "standard: true\nmonitors:\n"
    "  jump: {signal: value, detect: {kind: adwin, delta: 0.001}}\n"
    "  odd: {signal: error, window: {events: 100}, detect: {kind: fraction, max: 0.1}}\n"
    "  ranks: {signal: value, detect: {kind: shiryaev_roberts}}\n"
)


def test_the_least_config_expects_its_budget() -> None:
    config = load_text(LEAST, "x.yaml", {})
    assert in_all(expected(config)) == pytest.approx(1.0)
    line, nan, types = told(config)
    assert nan == "not in the budget: nan-prediction (occurrence: no rate is known)."
    assert types == "not in the budget: feature-type (occurrence: no rate is known)."
    assert line.startswith(
        "false alarms: 1 a week expected of a healthy model at most, shared by 20 monitors; a signal"
    )


def test_detectors_of_experts_are_not_in_the_budget_and_take_nothing_of_it() -> None:
    config = load_text(LEAST + OWN, "x.yaml", {})
    assert in_all(expected(config)) == pytest.approx(1.0)
    _, _, _, adwin, fraction, ranks = told(config)
    assert adwin == "not in the budget: jump (adwin: delta 0.001 bounds each of its checks)."
    assert fraction == "not in the budget: odd (fraction: no rate is known)."
    assert ranks.endswith("(shiryaev_roberts: at most one in 1,000,000 values of a series, on average).")


def test_where_nothing_follows_from_the_budget_nothing_is_expected_of_it() -> None:
    config = load_text(LEAST + OWN.removeprefix("standard: true\n"), "x.yaml", {})
    assert [line.split(":")[0] for line in told(config)] == ["not in the budget"] * 3


def test_a_budget_of_the_service_is_shared_by_its_models() -> None:
    config = load_text(LEAST + "false_alarms: {scope: service, models: 50, budget: 5, series: 200}\n", "x.yaml", {})
    assert in_all(expected(config)) == pytest.approx(0.1)
    line, *_ = told(config)
    assert (
        "a part of the service's 5 for 50 models, shared by 20 monitors; a signal with a * is taken to have 200" in line
    )


def test_an_audit_says_how_many_verdicts_find_what() -> None:
    text = "verdicts: {topic: said}\nreview: {topic: asked, audit: {}}\n"
    [line] = [line for line in told(load_text(LEAST + text, "x", {})) if line.startswith("review.audit")]
    assert "7% by 1,505, of 9% by 410, of 15% by 86 verdicts" in line
    assert not [line for line in told(load_text(LEAST, "x", {})) if line.startswith("review")]


def test_a_review_says_how_many_items_find_a_reviewer_whose_agreement_falls() -> None:
    text = "verdicts: {topic: said}\nreview: {topic: asked}\n"
    [line] = [line for line in told(load_text(LEAST + text, "x", {})) if line.startswith("review.agreement")]
    assert "in 4 of the first 60 items is found, with 80% chance, to differ in 30% by 220, in 40% by 79," in line
    off = load_text(LEAST + text.replace("asked}", "asked, agreement_alpha: 0}"), "x", {})
    assert not [line for line in told(off) if line.startswith("review")]
