"""`driftline backtest` as somebody uses it who has a file of events, and two configs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from streamer.commands.backtest import backtest
from tests.offline.past import BEGIN, EAGER, write_past

BLIND = EAGER.replace("features.*", "features.nothing")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`short.jsonl` is the first day, of which only little can be said."""
    folder = tmp_path_factory.mktemp("backtest")
    past = write_past(folder)
    (folder / "short.jsonl").write_text("".join(past.read_text().splitlines(keepends=True)[:400]))
    (folder / "new.yaml").write_text(EAGER)
    (folder / "old.yaml").write_text(BLIND)
    (folder / "known.csv").write_text("model,begin,end\nfraud,2026-01-08T12:00:00Z,2026-01-09T12:00:00Z\n")
    return folder


def run(folder: Path, *more: str, events: str = "short.jsonl") -> Result:
    return CliRunner().invoke(backtest, ["-c", str(folder / "new.yaml"), "--input", str(folder / events), *more])


def test_a_newcomer_sees_what_the_new_config_gains_and_what_it_would_find(folder: Path) -> None:
    more = ["--against", str(folder / "old.yaml"), "--incidents", str(folder / "known.csv"), "--inject", "nulls=0.5"]
    page = folder / "page.html"
    done = run(folder, *more, "--html", str(page), "--fail-if-gained", "1", events="past.jsonl")
    assert done.exit_code == 1, done.output
    assert done.output.startswith("new.yaml against old.yaml: 1,440 events of 2 models, ")
    assert "incidents: " in done.output
    assert "recall 100.0%" in done.output
    assert "50% of features.amount are null  fraud  nulls " in done.output
    assert "<h1>Would have fired: new.yaml against old.yaml</h1>" in page.read_text()
    assert f"{page} is written." in done.stderr


def test_the_same_config_twice_is_no_difference_and_exit_0(folder: Path) -> None:
    more = ["--against", str(folder / "new.yaml"), "--fail-if-gained", "1", "--fail-if-lost", "1"]
    done = run(folder, *more, "--format", "json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)["difference"]
    assert all(one["gained"] == one["lost"] == one["moved"] == [] for one in found.values())
    assert [one["config"] for one in json.loads(done.stdout)["runs"]] == [str(folder / "new.yaml")] * 2


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (["--topic", "t"], 2, "Give either --input FILE (repeatable) or --topic T."),
        (["--fail-if-gained", "1"], 2, "need --against"),
        (["--tolerance", "soon"], 2, "'soon' is not a duration such as"),
        (["--ticks", "1d"], 2, "--ticks is 1s to 1h"),
        (["--inject", "shfit"], 1, "Did you mean 'shift'?"),
        (["--incidents", "none.csv"], 1, "none.csv: No such file or directory"),
        (["--from", "noon"], 1, "'noon' is neither an offset nor a time"),
        (["--html", "no/such/page.html"], 2, "--html: there is no folder no/such."),
        (["--from", "2030-01-01T00:00:00Z"], 1, "none of the records is used"),
    ],
)
def test_what_is_wrong_is_one_sentence(more: list[str], code: int, said: str, folder: Path) -> None:
    done = run(folder, *more)
    assert done.exit_code == code, done.output
    assert said in done.output


def test_a_config_that_is_invalid_is_78_and_a_file_that_is_not_there_1(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("version: 1\n")
    assert run(folder, "--against", str(tmp_path / "bad.yaml")).exit_code == 78
    done = run(folder, events="none.jsonl")
    assert done.exit_code == 1
    assert "none.jsonl: No such file or directory" in done.output


def test_a_stretch_is_cut_out_and_time_may_pass_in_other_steps(folder: Path) -> None:
    done = run(folder, "--from", "2026-01-05T06:00:00Z", "--to", f"@{BEGIN + 12 * 3_600}", "--ticks", "30m")
    assert done.exit_code == 0, done.output
    assert "72 events of 2 models, 2026-01-05 06:00 to 2026-01-05 11:52" in done.output


def test_what_is_no_event_is_said_with_its_place(folder: Path, tmp_path: Path) -> None:
    events = tmp_path / "odd.jsonl"
    events.write_text("nonsense\n" + (folder / "short.jsonl").read_text())
    done = run(folder, events=str(events))
    assert done.exit_code == 0
    assert "400 used + 0 late + 0 duplicate + 0 filtered + 1 rejected" in done.stdout
    assert f"first {events}:1" in done.stderr


def test_a_topic_of_feedback_is_no_history_of_its_own(tmp_path: Path) -> None:
    text = EAGER.replace("[inferences]", "[inferences]") + "feedback: {topic: said, action: /a, event_id: /id}\n"
    (tmp_path / "c.yaml").write_text(text)
    done = CliRunner().invoke(backtest, ["-c", str(tmp_path / "c.yaml"), "--topic", "said"])
    assert done.exit_code == 2, done.output
    assert "What said says is of events of other topics: give --topic " in done.output
