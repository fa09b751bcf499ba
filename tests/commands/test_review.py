"""`driftline review`: what it refuses before it asks a broker; the rest is shown in tests/kafka/test_one_record.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from streamer.commands.cli import main
from tests.config.samples import LEAST

BOTH = "verdicts: {topic: said}\nreview: {topic: asked}\n"


def told(folder: Path, text: str, *args: str) -> tuple[int, str]:
    path = folder / "x.yaml"
    path.write_text(LEAST.replace("localhost:9092", "127.0.0.1:1") + text)
    found = CliRunner().invoke(main, ["review", args[0], "-c", str(path), *args[1:]])
    return found.exit_code, found.output


@pytest.mark.parametrize(
    ("text", "args", "said"),
    [
        ("", ("next",), "asks nobody: it has no sections review and verdicts"),
        ("verdicts: {topic: said}\n", ("answer", "i", "right", "--reviewer", "a"), "asks nobody"),
        (
            BOTH,
            ("answer", "i", "useful", "--reviewer", "a"),
            "'useful' is no verdict: say one of right, wrong, unsure.",
        ),
        (BOTH, ("answer", "i", "unsure", "--alert", "--reviewer", "a"), "say one of useful, not_useful."),
        (BOTH, ("answer", "i", "useful", "--alert", "--reviewer", "a"), "an alert needs --model"),
        (BOTH, ("answer", "i", "right", "--reason", "late", "--reviewer", "a"), "--reason is why an alert was not"),
        (BOTH, ("answer", "i", "right"), "--reviewer"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, args: tuple[str, ...], said: str) -> None:
    code, output = told(tmp_path, text, *args)
    assert (code, said in output) == (2, True), output


def test_its_help_has_examples() -> None:
    shown = CliRunner().invoke(main, ["review", "--help"]).output
    assert shown.count("driftline review answer -c driftline.yaml") == 2
