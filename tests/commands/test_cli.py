"""The command line: every verb loads, small ones import little, a misspelt one is suggested."""

from __future__ import annotations

import re
import resource
import shlex
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from streamer.commands.cli import VERBS, main
from tests.config.samples import LEAST, ROOT
from tests.docs_cli import leaves


@pytest.mark.parametrize("arguments", [["--help"], ["lint", "LEAST"], ["config", "schema"], ["version"]])
def test_small_verbs_import_nothing_large(arguments: list[str], tmp_path: Path) -> None:
    path = tmp_path / "least.yaml"
    path.write_text(LEAST)
    run = "try: main(sys.argv[1:])\nfinally: print(*sys.modules, file=sys.stderr)"
    code = f"import sys; from streamer.commands.cli import main\n{run}"
    chosen = [str(path) if a == "LEAST" else a for a in arguments]
    done = subprocess.run([sys.executable, "-c", code, *chosen], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = set(done.stderr.split())
    large = {"river", "scipy", "confluent_kafka", "pandas"}
    assert not loaded & (large - {"confluent_kafka"} if arguments == ["version"] else large)  # It is asked for its own.
    if arguments == ["--help"]:
        assert not loaded & {"numpy", "pydantic", "yaml"}


def cpu_s(*arguments: str) -> float:
    """Processor time of one run of Python: how busy the machine is otherwise does not count."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], capture_output=True, check=True, cwd=ROOT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def test_help_is_there_at_once() -> None:
    """It costs what the parser of the command line costs, and little more."""
    bare, taken = zip(
        *((cpu_s("-c", "import click"), cpu_s("-m", "streamer", "--help")) for _ in range(4)), strict=True
    )
    assert min(taken) < 2 * min(bare)


def test_a_misspelt_verb_is_suggested() -> None:
    result = CliRunner().invoke(main, ["replya"])
    assert result.exit_code == 2
    assert "Did you mean 'replay'?" in result.output


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_loads_and_has_help(verb: str) -> None:
    done = CliRunner().invoke(main, [verb, "--help"], catch_exceptions=False)
    assert done.exit_code == 0
    assert done.output.startswith(f"Usage: main {verb}")
    loaded = main.get_command(click.Context(main), verb)
    assert loaded is not None
    assert loaded.name == verb
    assert loaded.help


def test_the_help_lists_every_verb_with_its_line() -> None:
    done = CliRunner().invoke(main, ["-h"], catch_exceptions=False)
    shown = " ".join(done.output.split())
    assert [verb for verb, (_, line) in VERBS.items() if f"{verb} {line}" not in shown] == [], done.output
    assert main.list_commands(click.Context(main)) == list(VERBS)
    assert all(line.endswith(".") for _, line in VERBS.values())


def test_a_verb_that_is_far_from_all_gets_the_list() -> None:
    done = CliRunner().invoke(main, ["xyzzy"])
    assert done.exit_code == 2
    assert (
        "No such command 'xyzzy'. Known: alerts, backtest, bridge, completion, config, demo, detectors" in done.output
    )
    assert main.get_command(click.Context(main), "xyzzy") is None


def test_python_dash_m_is_the_same_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "streamer", "version"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == CliRunner().invoke(main, ["version"]).output


def test_every_group_has_examples() -> None:
    groups = [main, *(one for one in main.commands.values() if isinstance(one, click.Group))]
    assert [one.name for one in groups if "Examples:" not in str(one.epilog)] == []


def test_every_help_has_an_example_that_the_parser_takes() -> None:
    for path, command in leaves(main):
        lines = [line.strip() for line in str(command.epilog).splitlines() if line.strip().startswith("driftline ")]
        told = [shlex.split(re.split(r" (?:\||>>?) ", line)[0], comments=True)[1:] for line in lines]
        assert "Examples:" in str(command.epilog), path
        assert [words for words in told if tuple(words[: len(path)]) == path], f"{path} has no example"
        for words in told:
            with suppress(click.BadParameter):  # A file that is not here.
                one = next(c for p, c in leaves(main) if tuple(words[: len(p)]) == p)
                one.make_context("x", words[words.index(str(one.name)) + 1 :])
