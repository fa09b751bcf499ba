"""`driftline suggest`: a newcomer has a file of events and no config."""

from __future__ import annotations

import json
import random
from pathlib import Path

from click.testing import CliRunner

from streamer.commands.cli import main
from streamer.commands.suggest import suggest
from tests.offline.past import write_past


def test_what_is_printed_is_a_config_that_lint_takes(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        suggest, ["--input", str(write_past(tmp_path, days=3, a_day=96)), "--brokers", "kafka:9092"]
    )
    assert done.exit_code == 0, done.output
    path = tmp_path / "driftline.yaml"
    path.write_text(done.stdout)
    checked = CliRunner().invoke(main, ["lint", str(path), "--deny-warnings"])
    assert checked.exit_code == 0, checked.output
    lines = done.stdout.splitlines()
    assert lines[1] == 'kafka: {brokers: "kafka:9092"}'
    assert "# Where they are by default: features, model, time, label, confidence, latency_ms." in lines
    assert any(line.startswith("# Looked at 432 records = 432 used") for line in lines)
    assert any(
        line.startswith("# In these events it would have told 0 incidents, 0.00 a week and model.") for line in lines
    )
    assert any(line.startswith("#   fraud: ") and "series still learn" in line for line in lines)
    assert not {"NL", "DE", "BE"} & {word.strip("[],:") for word in done.stdout.split()}


def test_how_to_log_in_comes_from_another_config(tmp_path: Path) -> None:
    text = 'version: 1\nkafka: {brokers: "secure:9093", client: {sasl.password: hush}}\ntopics: {events: [t]}\n'
    (tmp_path / "login.yaml").write_text(text)
    (tmp_path / "e.jsonl").write_text("".join(json.dumps({"model": "m", "time": i + 1}) + "\n" for i in range(9)))
    more = ["--input", str(tmp_path / "e.jsonl"), "-c", str(tmp_path / "login.yaml")]
    done = CliRunner().invoke(suggest, more)
    assert done.exit_code == 0, done.output
    assert 'kafka: {brokers: "secure:9093"}' in done.stdout
    assert "hush" not in done.output
    assert done.stdout.endswith(f"# kafka.client and the like: as in {tmp_path / 'login.yaml'}\n")


def test_of_nothing_nothing_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "e.jsonl").write_text("nonsense\n\n")
    done = CliRunner().invoke(suggest, ["--input", str(tmp_path / "e.jsonl")])
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "none of the records is used as an event" in done.stderr
    assert "bad_json" in done.stderr
    assert CliRunner().invoke(suggest, []).exit_code == 2


def test_a_name_that_no_config_can_hold_is_told(tmp_path: Path) -> None:
    event = {"a${NOT_SET}": {"model_name": "m"}, "time": 1, "features": {"x": 1}}
    (tmp_path / "e.jsonl").write_text(json.dumps(event) + "\n")
    done = CliRunner().invoke(suggest, ["--input", str(tmp_path / "e.jsonl")])
    assert done.exit_code == 1
    assert "no config can be made of what the events are called" in done.stderr
    assert "NOT_SET" in done.stderr


def test_files_of_a_model_without_a_key_are_one_log(tmp_path: Path) -> None:
    """By itself neither file has a counter that another one interrupts, nor half of the evidence."""
    rng, given = random.Random(1), list[str]()
    events = [
        {"model": "m", "time": 1_790_000_000 + 60 * i, "features": {"a": rng.gauss(20 * (i > 3000), 1), "n": i}}
        for i in range(4000)
    ]
    for number in range(2):
        path = tmp_path / f"{number}.jsonl"
        path.write_text("\n".join(map(json.dumps, events[number::2])))
        given += ["--input", f"{number}={path}"]
    done = CliRunner().invoke(suggest, given)
    assert done.exit_code == 0, done.output
    assert "m is in 2 partitions of inferences: read in the order of models" in done.stderr
    assert "- features.n  # it only ever rises: a time or a counter" in done.stdout
    assert "# In these events it would have told 1 incident, " in done.stdout
