"""How often the interval of an estimate held: each window once, by its newest labels, and as long as it is kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detectors.counts import clopper_pearson
from detectors.estimated_error import BLIND
from streamer.engine.snapshot import decode, encode
from streamer.series.coverage import ByWindow, Coverage, doubt_of, held, trusted, with_coverage
from tests.engine.labelled import SEEDS, config_of, lived, some_cuts, stream

ONE = {"n": 100, "share": 0.1, "interval": [0.05, 0.16], "text": BLIND}
ALL, GROUP = (0, ("m",)), (1, ("m", "NL"))


def test_a_window_counts_once_by_its_newest_labels_and_not_before_half_of_them() -> None:
    coverage = Coverage()
    coverage.judge(0, ALL, None, 100, 50)
    coverage.judge(0, ALL, ONE, 49, 49)
    assert coverage.facts(ALL) is None
    for labelled, wrong, count in ((50, 40, 0), (80, 8, 1), (100, 12, 1), (100, 20, 0)):
        coverage.judge(0, ALL, ONE, labelled, wrong)
        assert coverage.totals[ALL] == [1, count], "a later word replaces the one before"
    coverage.judge(1000, ALL, ONE, 100, 10)
    interval = list(clopper_pearson(1, 2))
    assert coverage.facts(ALL) == {"windows": 2, "count": 1, "share": 0.5, "interval": interval, "trusted": True}
    coverage.drop(0)
    assert coverage.totals == {ALL: [1, 1]}
    coverage.drop(1000)
    coverage.drop(5000)
    assert (coverage.totals, coverage.of, coverage.facts(ALL)) == ({}, {}, None)


def test_where_not_all_labels_are_there_their_chance_is_added() -> None:
    rng, within = np.random.default_rng(5), {100: 0, 60: 0}
    for _ in range(2000):
        wrong = rng.random(100) < 0.1
        estimate = {"n": 100, "share": 0.1, "interval": [0.04, 0.16]}
        for labelled in within:
            within[labelled] += held(estimate, labelled, int(wrong[:labelled].sum()))
    whole, part = (count / 2000 for count in within.values())
    assert 0.94 <= whole <= 0.99
    assert abs(whole - part) < 0.03, "a part of the labels is judged as all of them are"


def test_a_snapshot_a_move_and_forgotten_models_keep_the_sums_right() -> None:
    coverage = Coverage()
    for begin, place, wrong in ((0, ALL, 10), (0, GROUP, 40), (1000, ALL, 50), (1000, (0, ("n",)), 10)):
        coverage.judge(begin, place, ONE, 100, wrong)
    again, other = Coverage(), Coverage()
    again.load(decode(encode({"of": coverage.dump()}))["of"], {0, 1000})
    assert (again.of, again.totals) == (coverage.of, coverage.totals)
    assert again.dump() == coverage.dump()
    other.load(coverage.dump(), {0})
    assert other.totals == {ALL: [1, 1], GROUP: [1, 0]}
    other.join(coverage, ["n"])
    assert other.totals == {ALL: [1, 1], GROUP: [1, 0], (0, ("n",)): [1, 1]}
    coverage.forget(["m"], {0, 1000})
    assert (coverage.totals, [*coverage.of]) == ({(0, ("n",)): [1, 1]}, [1000])
    coverage.forget([], {0})
    assert coverage.of == coverage.totals == {}


def test_what_windows_have_leaves_with_them() -> None:
    made = ByWindow()
    made.of = {0: {ALL: None, GROUP: [1]}, 1000: {ALL: {"a": 1}}}
    again = ByWindow()
    again.load(decode(encode({"of": made.dump()}))["of"], {0, 1000})
    assert again.of == made.of
    again.drop(0)
    again.drop(0)
    assert again.of == {1000: {ALL: {"a": 1}}}


def test_an_estimate_says_what_it_is_worth() -> None:
    assert with_coverage(ONE, None) == ONE
    good = {"windows": 120, "count": 113, "trusted": trusted(120, 113)}
    assert with_coverage(ONE, good)["text"] == BLIND
    bad = {"windows": 120, "count": 37, "trusted": trusted(120, 37)}
    told = with_coverage(ONE, bad)
    assert told["text"] == f"{BLIND} {doubt_of(bad)}"
    assert "outside of such an interval in 83 of 120 windows" in told["text"]
    assert "not to be trusted here" in told["text"]
    assert ONE["text"] == BLIND, "the estimate itself stays as it is"


CONFIG = config_of("""
heartbeat: {interval: 1h}
monitors: {wrong: {signal: realised_error, by: [segment.country], detect: {kind: adwin}}}
""")


def swaying(seed: int, count: int) -> list[dict[str, Any]]:
    """A stream whose concept changes every three hours: of half of the labels the other one is true, or of none."""
    rng, events = np.random.default_rng(seed), stream(seed, count)
    for one in events:
        about = int(one["label"]["event_id"][1:]) if "label" in one else 0
        if about // 360 % 2 and rng.random() < 1 / 2:
            one["label"]["value"] = "no" if one["label"]["value"] == "yes" else "yes"
    return events


@pytest.mark.parametrize("change", ["", "inputs", "swaying"])
def test_only_where_the_concept_sways_the_interval_is_not_to_be_trusted(change: str) -> None:
    for seed in SEEDS:
        events = swaying(seed, 4000) if change == "swaying" else stream(seed, 4000, change)
        windows = [one for one in lived(CONFIG, events).windows if "covered" in one.get("estimated", {})]
        assert all((one["estimated"]["text"] == BLIND) == one["estimated"]["covered"]["trusted"] for one in windows)
        told = [one["estimated"] for one in windows if not one["by"] or change != "swaying"]
        assert len(told) > 20
        if change != "swaying":
            assert all(one["covered"]["trusted"] for one in told)
            assert min(one["covered"]["share"] for one in told[-6:]) >= 0.8
        else:
            assert not any(one["covered"]["trusted"] for one in told[-3:])


def test_it_is_told_the_same_whatever_the_cutting_and_over_restarts() -> None:
    events = swaying(3, 1500)
    whole = lived(CONFIG, events)
    again = lived(CONFIG, events, some_cuts(1, len(events), 15))
    assert again.windows == whole.windows
    assert again.task.dump() == whole.task.dump()
    assert any("covered" in one.get("estimated", {}) for one in whole.windows)
