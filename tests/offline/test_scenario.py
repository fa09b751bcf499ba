"""Every scenario of the suite, and that the cut of its stream changes no verdict.

A scenario must hold for all of SEEDS seeds, its own and those that follow. Here each is run with one of them, and not
all with the same; `make soak` runs all.
"""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

import pytest

from streamer.config.problems import ConfigError
from streamer.offline.scenario import Plan, files_of, read, run, run_seeds, with_seed

SCENARIOS = files_of([Path(__file__).parents[1] / "scenarios"])


SEEDS = 10


def in_rotation(path: Path) -> Plan:
    """The scenario with one of its seeds."""
    plan = read(path, {})
    if plan.scenario.stream is None:
        return plan
    return with_seed(plan, plan.scenario.stream.seed + crc32(path.stem.encode()) % SEEDS)


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario(path: Path) -> None:
    for case in run(in_rotation(path), path.stem):
        assert case.wrong == [], case.name


def test_events_of_a_table_beside_the_scenario(tmp_path: Path) -> None:
    told = "description: A table\ninput: t.csv\naccount: {used: 2}\n"
    (tmp_path / "s.yaml").write_text(told)
    with pytest.raises(ConfigError, match=r"s\.yaml:2:1: .*t\.csv: No such file"):
        read(tmp_path / "s.yaml", {})
    (tmp_path / "t.csv").write_text("model,features.a\nm,1\nm,2\n")
    assert files_of([tmp_path]) == [tmp_path / "s.yaml"]
    assert [case.wrong for case in run(read(tmp_path / "s.yaml", {}), "s")] == [[]]


FEW = """
description: A share that is just as often above its limit as below it
config: {monitors: {odd: {signal: error, window: {events: 100}, detect: {kind: fraction, max: 0.1}}}}
stream: {seed: 5, events: 100, event: {status: {choice: {"200": 0.9, "500": 0.1}}}}
"""


def test_a_case_is_right_where_it_is_with_every_seed(tmp_path: Path) -> None:
    (tmp_path / "few.yaml").write_text(FEW + "twin: silent\n")
    plan = read(tmp_path / "few.yaml", {})
    alone = {seed: [case.wrong for case in run(with_seed(plan, seed), "few")] for seed in range(5, 25)}
    failed = [seed for seed, (wrong, _) in alone.items() if wrong]
    assert 0 < len(failed) < 20
    case, twin = run_seeds(plan, "few", 20)
    assert case.wrong[0] == f"{len(failed)} of 20 seeds fail: {', '.join(map(str, failed))}"
    assert case.wrong[1] == f"seed {failed[0]}: {alone[failed[0]][0][0]}"
    assert twin.name == "few (twin)"
    assert run_seeds(plan, "few", 1) == run(plan, "few")
    right = next(seed for seed in alone if seed not in failed)
    assert run_seeds(with_seed(plan, right), "few", 1)[0].wrong == []


def test_records_that_stand_in_the_file_have_no_seed(tmp_path: Path) -> None:
    (tmp_path / "few.yaml").write_text("description: One event\nrecords: [{model: m}]\naccount: {used: 2}\n")
    plan = read(tmp_path / "few.yaml", {})
    assert run_seeds(plan, "few", 3) == run(plan, "few")


def test_there_is_one_for_each_capability() -> None:
    covered = {path.stem.partition("-")[0].upper() for path in SCENARIOS}
    assert len(SCENARIOS) >= 45
    assert covered >= {f"C{n:02d}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 16, 17, 18, 19, 20, 21, 22, 23, 24, 26)}
    assert covered >= {f"C{n}" for n in (37, 38, 39, 40, 42, 45, 46, 48, 50, 55)}


@pytest.mark.parametrize(
    ("name", "cut"),
    # One at a time takes a hundred times as long, and that of the whole standard set ten seconds.
    [
        *(("c05-range", 1), ("c05-range", 77), ("c37-silent-caller", 3), ("c37-silent-caller", 77)),
        *(("c42-disorder", 5), ("c42-disorder", 77), ("c46-restart-keeps-state", 1), ("c46-restart-keeps-state", 77)),
    ],
)
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
