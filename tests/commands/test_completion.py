"""`driftline completion`: the scripts are what shells take, and what they ask is answered without loading verbs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from streamer.commands.cli import VERBS
from streamer.commands.completion import completion
from tests.config.samples import ROOT

ASK = "import sys; from streamer.commands.cli import main\ntry: main(prog_name='driftline')\n"
ASK += "finally: print(*sys.modules, file=sys.stderr)"


def asked(words: str, at: int) -> tuple[list[str], set[str]]:
    """What is offered there, and what was imported for it."""
    env = os.environ | {"_DRIFTLINE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(at)}
    done = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True, cwd=ROOT, env=env)
    return [line.partition(",")[2] for line in done.stdout.splitlines()], set(done.stderr.split())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_that_it_can_read(shell: str) -> None:
    done = CliRunner().invoke(completion, [shell])
    assert done.exit_code == 0
    assert "_DRIFTLINE_COMPLETE" in done.output
    program = shutil.which(shell)
    if program:
        subprocess.run([program, "-n"], input=done.output, text=True, check=True)
    assert CliRunner().invoke(completion, ["csh"]).exit_code == 2


def test_verbs_are_offered_and_none_is_loaded() -> None:
    offered, loaded = asked("driftline ", 1)
    assert offered == list(VERBS)
    assert not loaded & {"pydantic", "yaml", "numpy"}
    assert asked("driftline al", 1)[0] == ["alerts"]


def test_options_and_their_values_are_offered() -> None:
    assert asked("driftline alerts list --fo", 3)[0] == ["--format"]
    assert "pagerduty" in asked("driftline alerts list --format ", 4)[0]


def test_names_that_are_known_are_offered() -> None:
    assert asked("driftline detectors env", 2)[0] == ["envelope"]
    assert "kserve-logger" in asked("driftline init ", 2)[0]
