"""`driftline lint`: files, folders and Markdown, the shapes of its output, and what it says of a sample."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streamer.commands.cli import main
from streamer.commands.lint import MARKDOWN, SUFFIXES
from streamer.commands.lint import lint as command
from tests.config.samples import LEAST
from tests.offline.samples import HEAD, OWN, write_sample


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    return write_sample(tmp_path)


def test_lint_reads_folders_and_markdown_and_says_how_many(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(LEAST)
    (tmp_path / "b.md").write_text(f"# Doc\n\n```yaml\n{LEAST}limit: 1\n```\n\n```yaml\nother: 1\n```\n")
    runner = CliRunner()
    assert runner.invoke(main, ["lint", str(tmp_path / "a.yaml")]).exit_code == 0
    whole = runner.invoke(main, ["lint", str(tmp_path)])
    assert (whole.exit_code, whole.output.splitlines()[-1]) == (1, "1 error, 0 warnings in 2 files.")
    result = runner.invoke(main, ["lint", str(tmp_path / "b.md")])
    assert result.exit_code == 1
    assert "b.md:7:1: error[unknown-field] limit: unknown field. Did you mean 'limits'?" in result.output
    result = runner.invoke(main, ["lint", "--format", "json", str(tmp_path / "b.md")])
    assert json.loads(result.output)[0]["kind"] == "unknown-field"


def test_markdown_places_are_those_in_the_file_even_within_a_list(tmp_path: Path) -> None:
    block = "".join(f"   {line}\n" for line in ["```yaml title=x", *LEAST.splitlines(), "limit: 1", "```"])
    path = tmp_path / "b.md"
    path.write_bytes(f"# Doc\n\n1. So:\n\n{block}\n~~~yml\n{LEAST}server: 1\n~~~\n".replace("\n", "\r\n").encode())
    output = CliRunner().invoke(main, ["lint", str(path)]).output
    assert "b.md:9:4: error[unknown-field] limit:" in output
    assert "b.md:16:1: error[wrong-type] server:" in output


def test_annotations_of_github_are_escaped(tmp_path: Path) -> None:
    path = tmp_path / "a,b.yaml"
    path.write_text(LEAST + "monitors: {a: {signal: 50%, detect: {kind: adwin}}}\n")
    output = CliRunner().invoke(main, ["lint", "--format", "github", str(path)]).output
    assert output.startswith("::error file=")
    assert "a%2Cb.yaml,line=4,col=16,title=bad-value::monitors.a.signal: '50%25' is not a signal." in output


def test_a_setting_nobody_knows_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(LEAST.replace("brokers:", "client: {sasl.pasword: x}, brokers:"))
    runner = CliRunner()
    result = runner.invoke(main, ["lint", str(path)])
    assert (result.exit_code, "Did you mean 'sasl.password'?" in result.output) == (0, True)
    assert runner.invoke(main, ["lint", "--deny-warnings", str(path)]).exit_code == 3


def lint(config: Path, *more: str) -> Result:
    return CliRunner().invoke(main, ["lint", str(config), *more], catch_exceptions=False)


def test_the_command_prints_a_table_and_warnings_with_places(tmp_path: Path, sample: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(OWN % 7)
    assert lint(path).exit_code == 0
    shown = lint(path, "--sample", str(sample))
    assert shown.exit_code == 0
    lines = shown.output.splitlines()
    account = "1,000 records of the sample = 1,000 used + 0 late + 0 duplicate + 0 filtered + 0 rejected"
    assert lines[0] == f"{path}: {account}; 1 model, 8,649 events a day"
    assert lines.pop(1).startswith("'features.*' is 2 signals of the sample: features.")
    assert lines[1].split() == [
        "monitor",
        "series",
        "state",
        "bytes",
        "windows",
        "a",
        "day",
        "false",
        "alarms",
        "a",
        "week",
        "in",
        "school",
    ]
    assert lines[2].split()[:2] == ["mean", "2"]
    assert (
        f"{path}:9:82: warning[never-fires] monitors.minute.detect.min_count: a window of 1m has some 6.01"
        in shown.output
    )
    assert lines[-1] == "0 errors, 4 warnings in 1 file."
    assert lint(path, "--sample", str(sample), "--deny-warnings").exit_code == 3
    as_json = json.loads(lint(path, "--sample", str(sample), "--format", "json").output)
    assert {problem["kind"] for problem in as_json} == {"never-fires"}


def test_a_sample_of_which_nothing_is_used_fails_with_its_reason(tmp_path: Path, sample: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(HEAD + "fields: {model: /modle}\n")
    assert lint(path).exit_code == 0
    shown = lint(path, "--sample", str(sample))
    assert shown.exit_code == 1
    assert "1,000 records of the sample = 0 used + 0 late + 0 duplicate + 0 filtered + 1,000 rejected" in shown.output
    assert f"first {sample}:1 (/modle); say where the model's name is" in shown.output
    assert f"{path}:5:10: warning[not-in-sample] fields.model: no record of the sample has '/modle'." in shown.output
    assert f"{path}:1:1: error[nothing-used] of 1,000 records of the sample none is used:" in shown.output
    as_json = json.loads(lint(path, "--sample", str(sample), "--format", "json").output)
    assert {problem["kind"] for problem in as_json} == {"nothing-used", "not-used", "not-in-sample"}


def test_a_sample_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(HEAD)
    failed = lint(path, "--sample", str(tmp_path / "none.jsonl"))
    assert failed.exit_code == 1
    assert "none.jsonl: No such file or directory" in failed.output
    assert lint(path, "--events-per-day", "5").exit_code == 2


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".json", ""])
def test_a_folder_is_searched_for_what_may_hold_a_config(suffix: str, tmp_path: Path) -> None:
    block = f"```yaml\n{LEAST}limit: 1\n```\n" if suffix in MARKDOWN else f"{LEAST}limit: 1\n"
    for folder in (tmp_path / "sub", tmp_path / ".hidden"):
        folder.mkdir()
        (folder / f"a{suffix}").write_text(block)
    done = CliRunner().invoke(command, [str(tmp_path)])
    wanted = suffix in SUFFIXES
    assert done.exit_code == wanted
    assert done.output.count("unknown field") == wanted
    assert done.output.splitlines()[-1].endswith(f"in {int(wanted)} file{'' if wanted else 's'}.")
    assert CliRunner().invoke(command, [str(tmp_path / "sub" / f"a{suffix}")]).exit_code == 1, (
        "asked for by name it is read"
    )


def test_a_block_that_is_no_config_of_ours_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    for block in ("version: 1\n", "kafka: {}\n", "x: 1\n"):
        path.write_text(f"```yaml\n{block}```\n")
        assert CliRunner().invoke(command, [str(path)]).exit_code == 0
    path.write_text("```json\nversion: 1\nkafka: 1\n```\n")
    assert CliRunner().invoke(command, [str(path)]).exit_code == 0


def test_a_file_that_is_not_there_is_said() -> None:
    done = CliRunner().invoke(command, ["no/such.yaml"])
    assert (done.exit_code, "no/such.yaml:1:1: error[unreadable]" in done.output) == (1, True)


def test_what_the_budget_means_is_printed(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(LEAST)
    first = lint(path).output.splitlines()[0]
    assert first.startswith(
        f"{path}: false alarms: 1 a week expected of a healthy model at most, shared by 20 monitors"
    )
    assert "false alarms" not in lint(path, "--format", "github").output
