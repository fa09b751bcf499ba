"""`driftline detectors`: every kind is there, and what is said to be needed is what lint asks for."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from streamer.commands.detectors import detectors
from streamer.config.detect import DETECTS


def run(*arguments: str) -> str:
    done = CliRunner().invoke(detectors, arguments)
    assert done.exit_code == 0, done.output
    return done.output


def test_every_kind_has_a_line() -> None:
    lines = run().splitlines()
    assert [line.split()[0] for line in lines] == list(DETECTS)
    assert all(line.endswith(".") and len(line.split()) > 4 for line in lines)


@pytest.mark.parametrize("kind", DETECTS)
def test_each_says_its_keys_and_how_it_is_written(kind: str) -> None:
    said = run(kind)
    keys = {(field.alias or name) for name, field in DETECTS[kind].model_fields.items()} - {"kind"}
    assert set(re.findall(r"^  (\w+) +\S", said, re.M)) == keys
    assert f"detect: {{kind: {kind}" in said.splitlines()[-1]
    for name, field in DETECTS[kind].model_fields.items():
        if field.is_required() and name != "kind":
            assert f"{field.alias or name}: ..." in said.splitlines()[-1]


def test_another_ones_word_is_told() -> None:
    for word, told in (("psi", "distance: psi"), ("adwn", "Did you mean 'adwin'?")):
        done = CliRunner().invoke(detectors, [word])
        assert (done.exit_code, told in done.output) == (1, True)
