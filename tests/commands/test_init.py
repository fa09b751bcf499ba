"""`driftline init`: a first config that lint accepts, and nothing is written over."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streamer.commands.cli import main
from streamer.commands.init import init as under_test
from streamer.offline.presets import names


def init(*arguments: str) -> Result:
    return CliRunner().invoke(under_test, [*arguments])


@pytest.mark.parametrize("preset", [None, *names()])
def test_what_it_writes_is_a_config(preset: str | None, tmp_path: Path) -> None:
    file = tmp_path / "drift.yaml"
    made = init(*([preset] if preset else []), "--brokers", "h:1", "--topic", "t", "-o", str(file))
    assert (made.exit_code, made.stdout) == (0, "")
    assert f"Next: driftline explain -c {file}" in made.stderr
    linted = CliRunner().invoke(main, ["lint", str(file), "--deny-warnings"])
    assert linted.exit_code == 0, linted.output
    again = init("-o", str(file))
    assert (again.exit_code, "is there already; nothing was written" in again.stderr) == (1, True)


def test_without_a_file_it_is_printed() -> None:
    assert init().stdout == 'version: 1\nkafka: {brokers: "localhost:9092"}\ntopics: {events: [inferences]}\n'


def test_the_presets_are_listed_and_a_near_one_is_named() -> None:
    assert [line.split()[0] for line in init("--list").stdout.splitlines()] == names()
    wrong = init("kserve")
    assert (wrong.exit_code, wrong.stderr.startswith("Error: there is no preset 'kserve'. Did you mean")) == (1, True)
