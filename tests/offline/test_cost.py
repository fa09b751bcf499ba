"""`driftline lint --sample`: what monitors cost on a sample of the traffic, and which can never fire on it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streamer.commands.cli import main
from streamer.config.load import load_text
from streamer.offline.cost import Estimate, Sample, estimate
from streamer.offline.event_files import read_events

HEAD = 'version: 1\nkafka: {brokers: "b:1"}\ntopics: {events: [inferences]}\nreference: {warmup: 50}\n'
OWN = HEAD + (
    "monitors:\n"
    "  mean: {signal: features.*, detect: {kind: adwin}}\n"
    "  jump: {signal: features.*, detect: {kind: page_hinkley}}\n"
    "  bins: {signal: features.*, window: {events: 100}, detect: {kind: distribution}}\n"
    "  minute: {signal: error, window: {time: 1m}, detect: {kind: fraction, max: 0.1, min_count: %d}}\n"
    "  callers: {signal: error, by: [caller], window: {time: 1h}, detect: {kind: fraction, max: 0.1, min_count: 100}}\n"
    "  typo: {signal: features.amuont, detect: {kind: adwin}}\n"
    "  ages: {signal: features.a, window: {events: 100000}, detect: {kind: distribution}}\n"
)


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """1,000 events in 10,000 seconds, every tenth of another caller: 8,640 a day (some 8,649 by the times)."""
    path = tmp_path / "sample.jsonl"
    lines = [
        {
            "model": "m",
            "time": 1_700_000_000 + i * 10,
            "features": {"a": float(i * 7919 % 101), "b": 1.0},
            "status": "ok",
            "caller": "app" if i % 10 else "batch",
        }
        for i in range(1000)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def of(text: str, sample: Path, events_per_day: float | None = None) -> Estimate:
    config = load_text(text, "x.yaml", {})
    return estimate(config, read_events((sample,), config), events_per_day)


def test_series_and_windows_are_those_of_the_sample(sample: Path) -> None:
    found = of(OWN % 5, sample, 8640.0)
    assert (found.events, found.models, found.events_per_day) == (1000, 1, 8640.0)
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
    for partition, records in read_events((sample,), config):
        seen.take(partition, records)
    [task] = seen.tasks.values()
    in_all = sum(cost.state_bytes for cost in of(OWN % 5, sample).costs)
    assert 0.5 * len(task.dump()) < in_all < 1.2 * len(task.dump())


def test_what_can_never_fire_is_named_and_what_can_is_not(sample: Path) -> None:
    doubts = [(d.monitor, ".".join(d.keys)) for d in of(OWN % 5, sample).doubts]
    assert doubts == [
        ("callers", "detect.min_count"),  # One of two: a thin slice.
        ("typo", "signal"),
        ("ages", "window.events"),
    ]
    assert ("minute", ("detect", "min_count")) in [(d.monitor, d.keys) for d in of(OWN % 7, sample).doubts]
    busy = of(OWN % 7, sample, 1e8).doubts
    assert [d.monitor for d in busy] == ["typo"]
    idle = {d.monitor: d.sentence for d in of(OWN % 5, sample, 5.0).doubts if d.keys == ("signal",)}
    assert idle["mean"] == "its reference of 50 values takes 10 days to learn."


def test_the_standard_set_is_not_blamed_for_what_events_do_not_have(sample: Path) -> None:
    assert of(HEAD, sample, 1e6).doubts == []


def lint(config: Path, *more: str) -> Result:
    return CliRunner().invoke(main, ["lint", str(config), *more], catch_exceptions=False)


def test_the_command_prints_a_table_and_warnings_with_places(tmp_path: Path, sample: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(OWN % 7)
    assert lint(path).exit_code == 0
    shown = lint(path, "--sample", str(sample))
    assert shown.exit_code == 0
    lines = shown.output.splitlines()
    assert lines[0] == f"{path}: 1,000 events of the sample, 1 model, 8,649 events a day"
    assert lines[1].split() == ["monitor", "series", "state", "bytes", "windows", "a", "day"]
    assert lines[2].split()[:2] == ["mean", "2"]
    assert (
        f"{path}:9:82: warning[never-fires] monitors.minute.detect.min_count: a window of 1m has some 6.01"
        in shown.output
    )
    assert lines[-1] == "0 errors, 4 warnings in 1 file."
    assert lint(path, "--sample", str(sample), "--deny-warnings").exit_code == 3
    as_json = json.loads(lint(path, "--sample", str(sample), "--format", "json").output)
    assert {problem["kind"] for problem in as_json} == {"never-fires"}


def test_a_sample_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(HEAD)
    failed = lint(path, "--sample", str(tmp_path / "none.jsonl"))
    assert failed.exit_code == 1
    assert "none.jsonl: No such file or directory" in failed.output
    assert lint(path, "--events-per-day", "5").exit_code == 2
