"""`driftline test`: what a failure says, reports for machines, and where a bad file is bad."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from streamer.commands.test import test as command

SHIFT = """
description: The mean of a number moves
config: {monitors: {mean: {signal: features.amount, detect: {kind: adwin}}}}
stream:
  events: 1500
  event: {features: {amount: {normal: [100, 20]}}}
  changes: [{from: 1000, path: /features/amount, add: 60}]
"""


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


def test_which_seeds_fail_is_said(tmp_path: Path) -> None:
    result = invoke(tmp_path, SHIFT + "expect: [{monitor: mean, direction: up, count: 1}]\n", "--seeds", "3")
    assert result.exit_code == 0
    result = invoke(tmp_path, SHIFT + "expect: [{monitor: mean, direction: down}]\nothers: allowed\n", "--seeds", "3")
    assert result.exit_code == 1
    assert "3 of 3 seeds fail: 1, 2, 3" in result.stdout
    assert "seed 2: expected monitor mean, direction down: came 0 times" in result.stdout


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
