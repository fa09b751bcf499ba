"""Every series of every monitor is explained: tier, limits, what would be found, its part of the budget."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.config.load import load_text
from streamer.offline.event_files import EventFiles
from streamer.offline.explain import IN_SCHOOL, NO_FORMULA, NO_PACE, Explained, explain, in_short, told
from tests.config.samples import LEAST
from tests.offline.weeks import write_days

MORE = "  steps: {signal: confidence, detect: {kind: adwin}}\n  stuck: {signal: latency_ms, detect: {kind: adwin}}\n"


def explained(folder: Path, days: int, a_day: int = 288) -> list[Explained]:
    config = load_text(LEAST + "standard: true\nmonitors:\n" + MORE, "x.yaml", {})
    return explain(config, EventFiles((write_days(folder, days, a_day),), config))[1]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[Explained]:
    return explained(tmp_path_factory.mktemp("days"), 9)


def one(found: list[Explained], monitor: str) -> Explained:
    return next(each for each in found if each.monitor == monitor)


def test_a_series_that_knows_its_days(found: list[Explained]) -> None:
    amount = one(found, "feature-mean")
    assert (amount.tier, amount.lacking, amount.values_a_day) == ("proved", "", pytest.approx(288, rel=0.01))
    assert amount.usual["centre"] == pytest.approx(100, abs=2)
    day = [drift for drift in amount.detectable if drift.horizon == "1d"]
    assert {drift.direction for drift in day} == {"up", "down"}
    for drift in day:
        assert drift.deviations is not None
        assert drift.units == pytest.approx(drift.deviations * amount.usual["deviation"])
        assert 1.0 < drift.units < 30.0
    few, many = amount.limits[0], amount.limits[-1]
    assert (few.low or 0) < (many.low or 0) < 100 < (many.high or 0) < (few.high or 0)


def test_each_has_its_part_of_the_budget(found: list[Explained]) -> None:
    amount, confidence, steps = (one(found, name) for name in ("feature-mean", "confidence", "steps"))
    assert confidence.share == pytest.approx(1 / 20)
    features = sum(each.monitor == "feature-mean" for each in found)
    assert amount.share == pytest.approx(1 / 20 / features), "by how many there are"
    assert (steps.share, steps.nominal) == (None, "delta 2e-05 bounds each of its checks")
    assert any("not in the budget; delta 2e-05" in line for line in told([steps]))


def test_what_is_not_stated_has_its_reason(found: list[Explained], tmp_path: Path) -> None:
    assert one(found, "traffic").why_not == NO_FORMULA.format("level")
    assert one(found, "steps").detectable, "ADWIN has a formula"
    school = one(explained(tmp_path, 3), "feature-mean")
    assert (school.tier, school.why_not) == ("school", IN_SCHOOL)
    assert school.lacking == "1 of 7 whole days were seen"
    assert one(_minutes(tmp_path), "steps").why_not == NO_PACE


def _minutes(folder: Path) -> list[Explained]:
    config = load_text(LEAST + "monitors:\n" + MORE, "x.yaml", {})
    path = write_days(folder, 1, 288)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:10]))
    return explain(config, EventFiles((path,), config))[1]


def test_lint_says_it_in_short(tmp_path: Path) -> None:
    config = load_text(LEAST, "x.yaml", {})
    lines = list(in_short(explain(config, EventFiles((write_days(tmp_path, 9, 288),), config))[0]))
    assert any(line.startswith("detectable: fraud confidence prediction.confidence: a drop of ") for line in lines)
    assert all("is found in " in line for line in lines)
