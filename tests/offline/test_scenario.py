"""`driftline test`: every scenario of the suite, what a failure says, and where a bad file is bad."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from streamer.commands.test import test as command
from streamer.offline.generator import BEGIN_MS, Stream, records
from streamer.offline.scenario import files_of, read, run

SCENARIOS = files_of([Path(__file__).parents[1] / "scenarios"])
SHIFT = """
description: The mean of a number moves
config: {monitors: {mean: {signal: features.amount, detect: {kind: adwin}}}}
stream:
  events: 1500
  event: {features: {amount: {normal: [100, 20]}}}
  changes: [{from: 1000, path: /features/amount, add: 60}]
"""


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario(path: Path) -> None:
    for case in run(read(path, {}), path.stem):
        assert case.wrong == [], case.name


def test_there_is_one_for_each_capability() -> None:
    covered = {path.stem.partition("-")[0].upper() for path in SCENARIOS}
    assert len(SCENARIOS) >= 45
    assert covered >= {f"C{n:02d}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 16, 17, 18, 19, 20, 21, 22, 23, 24, 26)}
    assert covered >= {f"C{n}" for n in (37, 38, 39, 40, 42, 45, 46, 48, 50)}


@pytest.mark.parametrize("name", ["c05-range", "c37-silent-caller", "c42-disorder", "c46-restart-keeps-state"])
@pytest.mark.parametrize("cut", [1, 77])
def test_the_cut_changes_no_verdict(name: str, cut: int) -> None:
    [path] = [path for path in SCENARIOS if path.stem == name]
    assert all(not case.wrong for case in run(read(path, {}), name, cut))


def invoke(tmp_path: Path, text: str, *options: str) -> Result:
    (tmp_path / "one.yaml").write_text(text)
    return CliRunner().invoke(command, [str(tmp_path), *options])


def test_what_came_and_what_did_not_is_said(tmp_path: Path) -> None:
    result = invoke(tmp_path, SHIFT + "expect: [{monitor: mean, direction: down, count: 1}]\ntwin: silent\n")
    assert result.exit_code == 1
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert lines[1] == "expected monitor mean, direction down, count 1: came 0 times"
    assert lines[2].startswith("not expected: mean: m: mean of features.amount went from 101")
    assert lines[3].startswith("ok")
    assert lines[3].endswith("(twin)")
    assert lines[4].startswith("1 ok, 1 failed in ")


def test_a_twin_that_is_not_silent_fails(tmp_path: Path) -> None:
    noisy = SHIFT.replace("changes: [", "changes: [{from: 0, path: /features/amount, add: 0}, ").replace(
        "normal: [100, 20]", "sine: [0, 50, 2000]"
    )
    result = invoke(tmp_path, noisy + "others: allowed\ntwin: silent\n")
    assert result.exit_code == 1
    assert "the twin must be silent: m: mean of features.amount" in result.stdout


@pytest.mark.parametrize(
    ("shape", "read_it"),
    [("json", lambda text: [bool(case["wrong"]) for case in json.loads(text)]),
     ("junit", lambda text: [case.find("failure") is not None for case in ElementTree.fromstring(text)])],
)  # fmt: skip
def test_reports_for_machines(tmp_path: Path, shape: str, read_it: object) -> None:
    result = invoke(tmp_path, SHIFT + "twin: silent\n", "--format", shape)
    assert result.exit_code == 1
    assert read_it(result.stdout) == [True, False]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("detect: {kind: adwin}", "detect: {kind: adwim}"), ":3:62: error[bad-value] monitors.mean.detect.kind"),
        (("events: 1500", "event_s: 1500"), ":5:3: error[unknown-field] stream.event_s: unknown field. Did you"),
        (("normal: [100, 20]", "normal: 100"), ":6:31: error[bad-value] stream.event.features.amount.normal: "),
        (("path: /features/amount", "path: amount"), ":7:26: error[bad-value] stream.changes[0].path: 'amount'"),
        (("description: The", "descriptiom: The"), "error[missing-field] description: is needed"),
    ],
)  # fmt: skip
def test_a_bad_file_names_the_place(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    (tmp_path / "one.yaml").write_text(SHIFT.replace(*change))
    result = CliRunner().invoke(command, [str(tmp_path / "one.yaml")])
    assert result.exit_code == 78
    assert said in result.stderr


def test_nothing_to_run_is_said(tmp_path: Path) -> None:
    result = invoke(tmp_path, "version: 1\n")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "No scenario was found" in result.stderr
    assert invoke(tmp_path, SHIFT, "-k", "nobody").exit_code == 2


def stream(text: object) -> list[dict[str, object]]:
    plan = Stream.model_validate(text)
    return [json.loads(record.value or b"") for record in records(plan)]


def test_a_stream_repeats_itself_and_its_changes_touch_nothing_else() -> None:
    event = {"features": {"a": {"normal": [0, 1]}, "b": {"null": [0.5, {"choice": {"x": 1, "y": 3}}]}}}
    plan = {"events": 200, "random_times": True, "event": event}
    change = {"from": 100, "path": "/features/a", "share": 0.5, "set": {"uniform": [5, 6]}}
    plain, again, changed = stream(plan), stream(plan), stream({**plan, "changes": [change]})
    assert plain == again
    assert changed[:100] == plain[:100]
    differing = [i for i in range(200) if plain[i] != changed[i]]
    assert 30 < len(differing) < 70
    assert all(5 <= changed[i]["features"]["a"] <= 6 for i in differing)  # type: ignore[index]
    for i in differing:
        changed[i]["features"]["a"] = plain[i]["features"]["a"]  # type: ignore[index]
    assert changed == plain


def test_generators_draw_what_they_say() -> None:
    event = {
        "n": {"integer": [1, 3]},
        "t": {"text": "e{}"},
        "s": {"sum": [1, {"product": [2, {"hidden": "z"}]}]},
        "c": {"bounded": [{"hidden": "z"}, 4, 4]},
        "w": {"sine": [0, 1, 4]},
        "gone": {"absent": [1.0, 5]},
        "list": [1, {"gamma": [1, 2]}],
        "m": {"mixture": [[1, {"beta": [1, 1]}], [0, "never"]]},
    }
    found = stream({"events": 50, "hidden": {"z": {"choice": [7]}}, "event": event})
    assert {e["n"] for e in found} == {1, 2, 3}
    assert [e["t"] for e in found[:2]] == ["e0", "e1"]
    assert {(e["s"], e["c"], e["model"]) for e in found} == {(15, 4, "m")}
    assert [round(float(str(e["w"])), 6) for e in found[:4]] == [0, 1, 0, -1]
    assert not any("gone" in e for e in found)
    assert found[1]["time"] == BEGIN_MS / 1000 + 1


def test_changes_of_time_and_place() -> None:
    changes = [
        {"from": 2, "pause": "1h"},
        {"from": 3, "to": 5, "every": "10s"},
        {"from": 1, "path": "/x/y", "set": 9},
        {"from": 2, "path": "/v", "over": 2, "multiply": 3},
        {"from": 4, "path": "/v", "drop": True},
    ]
    found = stream({"events": 6, "event": {"v": 1}, "changes": changes})
    times = [float(str(e["time"])) - BEGIN_MS / 1000 for e in found]
    assert times == [0, 1, 3602, 3603, 3613, 3623]
    assert [e.get("v") for e in found] == [1, 1, 1.0, 2.0, None, None]
    assert [e.get("x") for e in found[:2]] == [None, {"y": 9}]
