"""References from a file: built, pinned, shown, compared; what they do not know learns by its warm-up."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from schemas.events.batch import Record
from schemas.events.native_json import decode
from streamer.commands.reference import reference
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_config
from streamer.config.model import Config
from streamer.config.problems import ConfigError
from streamer.engine.task import Task

AT = ("inferences", 0)
CONFIG = """
version: 1
kafka: {brokers: "b:1"}
topics: {events: [inferences]}
reference: {warmup: 400, windows: 30REFERENCE}
monitors:
  mean: {signal: features.*, detect: {kind: adwin}}
  shape: {signal: features.*, window: {events: 200}, detect: {kind: distribution}}
  mix: {signal: category.*, by: [version], window: {events: 200}, detect: {kind: distribution}}
  share: {signal: label.*, detect: {kind: adwin}}
  slow: {signal: p95(latency_ms), detect: {kind: level, against: reference, direction: up}}
"""


def event(rng: random.Random, i: int, shift: float = 0.0, country: str = "") -> dict[str, Any]:
    return {
        "model": "fraud",
        "model_version": "7",
        "time": 1_767_225_600 + i,
        "features": {"amount": rng.gauss(100 + shift, 20), "country": country or rng.choice(["NL", "DE"])},
        "prediction": {"label": rng.choice(["y", "n"])},
        "latency_ms": rng.gammavariate(4, 3),
    }


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(reference, [str(argument) for argument in arguments])


def configured(folder: Path, reference_file: str = "") -> Config:
    path = folder / f"drift{len(reference_file)}.yaml"
    path.write_text(CONFIG.replace("REFERENCE", f", file: {reference_file}" if reference_file else ""))
    return load_config(path, {})


@pytest.fixture
def built(tmp_path: Path) -> Path:
    rng = random.Random(1)
    (tmp_path / "good.jsonl").write_text("".join(json.dumps(event(rng, i)) + "\n" for i in range(3000)))
    configured(tmp_path)
    result = invoke(
        "build", "-c", tmp_path / "drift0.yaml", "--input", tmp_path / "good.jsonl", "-o", tmp_path / "ref.json"
    )
    assert result.exit_code == 0, result.output
    assert "Add to the config:  reference: {file: ref.json}" in result.stderr
    return tmp_path


def run(
    config: Config, events: list[dict[str, Any]], size: int = 500, task: Task | None = None, begin: int = 0
) -> Task:
    task = task or Task(config, AT, begin)
    for first in range(0, len(events), size):
        part = enumerate(events[first : first + size], begin + first)
        task.step(decode([Record(i, -1, None, json.dumps(e).encode()) for i, e in part], fields_of(config), AT[0]))
    return task


def firing(task: Task) -> list[dict[str, Any]]:
    found = [json.loads(out.value or b"")["data"] for out in task.outbox if out.topic == "alerts"]
    return [alert for alert in found if alert["status"] == "firing"]


def test_drift_from_the_first_event_on_is_found_only_with_a_given_reference(built: Path) -> None:
    rng = random.Random(2)
    events = [event(rng, i, shift=30.0, country="NL") for i in range(1000)]
    assert firing(run(configured(built), events)) == []
    found = {alert["alert"]["labels"]["monitor"]: alert for alert in firing(run(configured(built, "ref.json"), events))}
    assert set(found) == {"shape", "mix"}  # ADWIN looks for a change, and there is none after the first event.
    before = found["shape"]["evidence"]["before"]
    assert (before["n"], before["source"]) == (3000, str(built / "good.jsonl"))
    assert 99 < before["mean"] < 101
    assert found["shape"]["replay"]["ranges"][0]["from"] == 0
    assert found["mix"]["evidence"]["window"]["moved"][0]["bin"] in ("NL", "DE")


def test_healthy_events_are_healthy_and_what_the_file_does_not_know_learns(built: Path) -> None:
    rng = random.Random(3)
    events = [event(rng, i) for i in range(3000)]
    for e in events:
        e["features"]["new"] = rng.gauss(0, 1)
    task = run(configured(built, "ref.json"), events)
    assert firing(task) == []
    table = next(t for t in task.tables.values() if t.signal.kind == "number")
    rows = {member: row for row, (_, member) in enumerate(table.keys)}
    assert list(table.pinned) == [rows["features.amount"]]
    assert table.reference.at(rows["features.new"]).n == 400


@pytest.mark.parametrize("size", [1, 37])
def test_cuts_and_snapshots_change_nothing(built: Path, size: int) -> None:
    config, rng = configured(built, "ref.json"), random.Random(4)
    events = [event(rng, i, shift=15.0 if i > 300 else 0.0) for i in range(900)]
    whole, cut = run(config, events), run(config, events, size)
    assert cut.outbox == whole.outbox
    assert cut.dump() == whole.dump()
    first = run(config, events[:250])
    second = run(config, events[250:], task=Task.load(config, AT, first.dump()), begin=250)
    assert first.outbox + second.outbox == whole.outbox
    assert second.dump() == whole.dump()
    assert len(whole.outbox) >= 2


def test_another_file_is_another_config_and_begins_anew(built: Path) -> None:
    one, rng = configured(built, "ref.json"), random.Random(5)
    task = run(one, [event(rng, i) for i in range(300)])
    text = (built / "ref.json").read_text()
    (built / "refs.json").write_text(text.replace('"n": 3000', '"n": 2999'))
    other = configured(built, "refs.json")
    assert other.config_hash != one.config_hash
    assert Task.load(one, AT, task.dump()).monitors_reset == []
    again = Task.load(other, AT, task.dump())
    assert set(again.monitors_reset) == set(other.effective_monitors())
    assert any(table.pinned for table in again.tables.values())
    (built / "copy.json").write_text(text)
    assert configured(built, "copy.json").config_hash == one.config_hash


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "error[unreadable] reference.file: No such file"), ("{", "error[bad-value] reference.file: is no file of"),
     ('{"format": 2, "source": "", "config": "", "tables": []}', "format: Input should be less than or equal to 1")],
)  # fmt: skip
def test_a_bad_file_is_named_at_its_key(tmp_path: Path, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / "bad.json").write_text(content)
    with pytest.raises(ConfigError) as error:
        configured(tmp_path, "bad.json")
    assert ":5:" in str(error.value)
    assert said in str(error.value)


def test_show_and_diff(built: Path) -> None:
    shown = invoke("show", built / "ref.json")
    assert "number features.*: fraud / features.amount: 3,000 values, mean " in shown.stdout
    assert "2 categories: " in shown.stdout
    rng = random.Random(6)
    (built / "later.jsonl").write_text(
        "".join(json.dumps(event(rng, i, shift=40.0, country="FR")) + "\n" for i in range(3000))
    )
    made = invoke("build", "-c", built / "drift0.yaml", "--input", built / "later.jsonl", "-o", built / "later.json")
    assert made.exit_code == 0
    moved = invoke("diff", built / "ref.json", built / "later.json", "--fail-above", "1")
    assert moved.exit_code == 1
    lines = moved.stdout.splitlines()
    assert "features.country: PSI" in lines[0]
    assert "new: FR" in lines[0]
    assert "features.amount: mean 100" in lines[1] or "features.amount: mean 99" in lines[1]
    assert invoke("diff", built / "ref.json", built / "ref.json", "--fail-above", "0.01").exit_code == 0


def test_a_table_of_events(tmp_path: Path) -> None:
    configured(tmp_path)
    rows = "".join(f"{100 + i % 7},{'NL' if i % 2 else ''},y\n" for i in range(200))
    (tmp_path / "t.csv").write_text("features.amount,features.country,prediction.label\n" + rows)
    arguments = ("build", "-c", tmp_path / "drift0.yaml", "--input", tmp_path / "t.csv", "-o", tmp_path / "r.json")
    assert invoke(*arguments, "--model", "fraud").exit_code == 0
    shown = invoke("show", tmp_path / "r.json").stdout
    assert "features.amount: 200 values, mean 103" in shown
    assert "features.country: 100 values, 1 categories: NL" in shown


def test_parquet_needs_its_library_or_reads(tmp_path: Path) -> None:
    configured(tmp_path)
    arguments = ("build", "-c", tmp_path / "drift0.yaml", "--input", tmp_path / "t.parquet", "-o", tmp_path / "r.json")
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        (tmp_path / "t.parquet").write_bytes(b"")
        assert "pip install 'driftline[parquet]'" in invoke(*arguments).output
        return
    parquet.write_table(pyarrow.table({"model": ["m"] * 100, "features.a": list(range(100))}), tmp_path / "t.parquet")
    assert invoke(*arguments).exit_code == 0
    assert "features.a: 100 values, mean 49.5" in invoke("show", tmp_path / "r.json").stdout
