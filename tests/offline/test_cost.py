"""Estimates: what monitors cost on a sample of the traffic, and which can never fire on it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streamer.config.load import load_text
from streamer.offline.cost import Estimate, Sample, estimate
from streamer.offline.event_files import EventFiles
from streamer.offline.told import told_of
from tests.offline.samples import HEAD, OWN, write_sample


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    return write_sample(tmp_path)


def of(text: str, sample: Path, events_per_day: float | None = None) -> Estimate:
    config = load_text(text, "x.yaml", {})
    return estimate(config, EventFiles((sample,), config), events_per_day)


def test_series_and_windows_are_those_of_the_sample(sample: Path) -> None:
    found = of(OWN % 5, sample, 8640.0)
    assert (found.account.used, found.account.consumed) == (1000, 1000)
    assert (found.models, found.events_per_day) == (1, 8640.0)
    costs = {cost.monitor: cost for cost in found.costs}
    series = {"mean": 2, "jump": 2, "bins": 2, "minute": 1, "callers": 2, "typo": 0, "ages": 1}
    assert {name: cost.series for name, cost in costs.items()} == series
    windows = {name: cost.windows_per_day for name, cost in costs.items()}
    assert windows["mean"] is None
    assert windows["bins"] == pytest.approx(2 * 86.4)
    assert windows["minute"] == pytest.approx(1440)
    assert windows["callers"] == pytest.approx(48)
    assert of(OWN % 5, sample).events_per_day == pytest.approx(8640 * 1000 / 999)


def test_the_state_is_about_that_of_a_snapshot(sample: Path) -> None:
    """What two monitors share is counted once; the rest of a snapshot is admission, rules and alerts."""
    config = load_text(OWN % 5, "x.yaml", {})
    seen = Sample(config)
    for partition, records in EventFiles((sample,), config):
        seen.take([(partition, records)])
    [task] = seen.tasks.values()
    in_all = sum(cost.state_bytes for cost in of(OWN % 5, sample).costs)
    assert 0.5 * len(task.dump()) < in_all < 1.2 * len(task.dump())


def test_what_can_never_fire_is_named_and_what_can_is_not(sample: Path) -> None:
    def where(found: Estimate) -> list[str]:
        assert {doubt.kind for doubt in found.doubts} == {"never-fires"}
        return [".".join(map(str, doubt.path)) for doubt in found.doubts]

    assert where(of(OWN % 5, sample)) == [
        "monitors.callers.detect.min_count",  # One of two: a thin slice.
        "monitors.typo.signal",
        "monitors.ages.window.events",
    ]
    assert "monitors.minute.detect.min_count" in where(of(OWN % 7, sample))
    assert where(of(OWN % 7, sample, 1e8)) == ["monitors.typo.signal"]
    idle = {d.path: d.sentence for d in of(OWN % 5, sample, 5.0).doubts}
    assert idle["monitors", "mean", "signal"] == "its reference of 50 values takes 10 days to learn."


def test_the_standard_set_is_not_blamed_for_what_events_do_not_have(sample: Path) -> None:
    assert of(HEAD, sample, 1e6).doubts == []


@pytest.mark.parametrize(("apart_s", "paired", "alone", "waiting"), [(1, 40, 0, 0), (300, 0, 33, 7)])
def test_halves_of_pairs_are_counted_and_none_that_found_its_partner_is_a_warning(
    tmp_path: Path, apart_s: int, paired: int, alone: int, waiting: int
) -> None:
    halves = [(10 * i + apart_s * late, i, late) for i in range(20) for late in (0, 1)]
    events = [
        {"model": "m", "time": 1_700_000_000 + at, "event_id": f"i{i}"}
        | ({"prediction": {"confidence": 0.5}} if late else {"features": {"a": 1.5}})
        for at, i, late in sorted(halves)
    ]
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, events)))
    found = of(f"{HEAD}mapping: {{pair: {{within: 1m}}}}\n", tmp_path / "x.jsonl")
    assert found.sample.halves() == (paired, alone, waiting)
    told = f"40 halves of pairs = {paired} with their partner + {alone} alone + {waiting} that still wait"
    assert told in told_of("x", found, lambda partition, offset: "")
    said = [doubt.sentence for doubt in found.doubts if doubt.path == ("mapping", "pair")]
    assert [sentence.partition(":")[0] for sentence in said] == ["none of 40 halves found its partner"] * (not paired)


def test_a_sample_without_halves_of_pairs_is_a_warning_where_the_config_pairs(sample: Path) -> None:
    said = [
        one.sentence
        for one in of(f"{HEAD}mapping: {{pair: {{within: 1m}}}}\n", sample).doubts
        if one.path[0] == "mapping"
    ]
    assert [sentence.partition(":")[0] for sentence in said] == ["no record is half of a pair"]


@pytest.mark.parametrize(("places", "refused"), [(9, True), (40, False)])
def test_what_the_sample_fills_is_a_warning(places: int, refused: bool, tmp_path: Path) -> None:
    """Twenty callers and nine places: nobody was told until the service ran."""
    file = tmp_path / "callers.jsonl"
    events = [{"model": "m", "caller": f"c{n % 20}", "features": {"a": n % 7}} for n in range(200)]
    file.write_text("".join(json.dumps(event) + "\n" for event in events))
    own = "monitors: {a: {signal: features.*, by: [caller], detect: {kind: adwin}}}\n"
    text = f"limits: {{series: {places}}}\n{own}"
    said = [doubt.sentence for doubt in of(HEAD + text, file).doubts if doubt.kind == "not-watched"]
    told = "features.* by caller: full, 9 of 9, others refused 110 times; raise limits.series, or split `by` less."
    assert said == [told] * refused
