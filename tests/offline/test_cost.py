"""Estimates: what monitors cost on a sample of the traffic, and which can never fire on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.config.load import load_text
from streamer.offline.cost import Estimate, Sample, estimate
from streamer.offline.event_files import EventFiles
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
        seen.take(partition, records)
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
