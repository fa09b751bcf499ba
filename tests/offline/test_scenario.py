"""Every scenario of the suite, and that the cut of its stream changes no verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.offline.scenario import files_of, read, run

SCENARIOS = files_of([Path(__file__).parents[1] / "scenarios"])


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario(path: Path) -> None:
    for case in run(read(path, {}), path.stem):
        assert case.wrong == [], case.name


def test_there_is_one_for_each_capability() -> None:
    covered = {path.stem.partition("-")[0].upper() for path in SCENARIOS}
    assert len(SCENARIOS) >= 45
    assert covered >= {f"C{n:02d}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 16, 17, 18, 19, 20, 21, 22, 23, 24, 26)}
    assert covered >= {f"C{n}" for n in (37, 38, 39, 40, 42, 45, 46, 48, 50, 55)}


@pytest.mark.parametrize("name", ["c05-range", "c37-silent-caller", "c42-disorder", "c46-restart-keeps-state"])
@pytest.mark.parametrize("cut", [1, 77])
def test_the_cut_changes_no_verdict(name: str, cut: int) -> None:
    [path] = [path for path in SCENARIOS if path.stem == name]
    assert all(not case.wrong for case in run(read(path, {}), name, cut))


NO_CHANGE = """
description: Nothing of this is so
config: {monitors: {mean: {signal: features.*, detect: {kind: page_hinkley}}}}
stream:
  events: 3000
  event: {model: m, features: {a: {normal: [0, 1]}}}
  changes: [{from: 2000, path: /features/a, add: 9}]
incidents:
  - {count: 2}
  - {model: m, count: 1, alerts: [2, 3], status: resolved, fleet: true}
others: allowed
"""


def test_incidents_that_are_not_as_expected_are_told(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(NO_CHANGE)
    [case] = run(read(path, {}), "wrong")
    assert [line.partition(":")[0] for line in case.wrong[:5]] == [
        "expected 2 incidents",
        "came",
        "expected an incident of 2 to 3 alerts",
        "expected an incident that is resolved",
        "expected an incident in a fleet",
    ]
