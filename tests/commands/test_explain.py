"""`driftline explain`: text and JSON of a file of events, one model, some monitors, and what cannot be read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streamer.commands.explain import explain
from tests.config.samples import LEAST
from tests.offline.weeks import write_days


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("explain")
    (folder / "c.yaml").write_text(LEAST)
    return folder / "c.yaml", write_days(folder, 9, 288)


def run(files: tuple[Path, Path], *more: str) -> Result:
    return CliRunner().invoke(explain, ["-c", str(files[0]), "--input", str(files[1]), *more])


def test_it_says_of_every_series_what_would_be_found(files: tuple[Path, Path]) -> None:
    shown = run(files, "--monitor", "confidence")
    assert shown.exit_code == 0, shown.output
    lines = shown.output.splitlines()
    assert lines[0] == "record 1 is an event"
    assert any(line.split()[:3] == ["used", "model", "/model"] for line in lines)
    lines = lines[lines.index("") + 1 :]
    assert lines[0].startswith("2,592 records of the sample = 2,592 used")
    assert lines[1].startswith("false alarms: 1 a week expected")
    assert lines[2] == "not in the budget: nan-prediction (occurrence: no rate is known)."
    assert lines[3] == "not in the budget: feature-type (occurrence: no rate is known)."
    assert lines[4].startswith("fraud confidence: envelope of confidence (prediction.confidence), ")
    assert any("tier: proved" in line for line in lines)
    assert any(line.startswith("  stands: ") and "% of the way, at 2023-11-" in line for line in lines)
    assert any("detectable: a drop of " in line and "is found in 1d with 80 % chance" in line for line in lines)
    assert lines[-1].startswith("  expected: 5.00% of the budget, 0.05 false alarms a week")


def test_as_json_it_is_a_list(files: tuple[Path, Path]) -> None:
    found = json.loads(run(files, "--format", "json", "--model", "fraud").output)
    assert {one["monitor"] for one in found} >= {"confidence", "feature-mean", "traffic"}
    stands = {one["monitor"]: one["stands"] for one in found}
    assert all(one["now"]["statistic"] is not None or one["words"] for one in stands.values()), "a number, or why not"
    assert 0.0 < stands["confidence"]["now"]["reached"] <= stands["confidence"]["nearest"]["reached"] < 1.0
    assert json.loads(run(files, "--format", "json", "--model", "nobody").output) == []


def test_what_cannot_be_read_is_said(files: tuple[Path, Path]) -> None:
    failed = run((files[0], files[1].with_name("none.jsonl")))
    assert failed.exit_code == 1
    assert "No such file" in failed.output


def test_one_record_field_by_field(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(LEAST)
    (tmp_path / "e.jsonl").write_text('{"model": "m"}\n{"modle": "m", "features": {"a": NaN}}\n')
    files = tmp_path / "c.yaml", tmp_path / "e.jsonl"
    second = run(files, "--record", "2").output.splitlines()
    assert second[0].startswith("record 2 is a dead letter: missing_model")
    assert any("the value has no 'model'. Did you mean 'modle'?" in line for line in second)
    assert "there are only 2 records, not 3" in run(files, "--record", "3").output


def test_either_files_or_a_topic(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(LEAST)
    done = CliRunner().invoke(explain, ["-c", str(tmp_path / "c.yaml")])
    assert (done.exit_code, "Give either --input FILE (repeatable) or --topic T." in done.output) == (2, True)


def test_files_of_other_topics_are_taken_as_replay_takes_them(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(f"{LEAST}labels: {{topic: truth}}\n")
    event = '{"model": "m", "event_id": "e1", "time": 1700000000, "prediction": {"label": "a"}}\n'
    (tmp_path / "e.jsonl").write_text(event)
    (tmp_path / "l.jsonl").write_text('{"model": "m", "event_id": "e1", "label": "a"}\n{"model": "m", "label": "a"}\n')
    files, label = (tmp_path / "c.yaml", tmp_path / "e.jsonl"), f"truth:0={tmp_path / 'l.jsonl'}"
    lines = run(files, "--input", label).output.splitlines()
    assert "1 labels = 1 matched" in lines
    assert any(line.startswith("3 records of the sample = 2 used") for line in lines)
    assert any("about_nothing" in line and "l.jsonl:2" in line for line in lines)
    told = run((files[0], files[1]), "--input", label, "--record", "2").output.splitlines()
    assert told[0] == "record 2 is about another record: a label"
    assert any(line.split()[:3] == ["used", "labels.event_id", "/event_id"] for line in told)
    told = run((files[0], files[1]), "--input", label, "--record", "3").output.splitlines()
    assert told[0].startswith("record 3 is a dead letter: about_nothing, ")
