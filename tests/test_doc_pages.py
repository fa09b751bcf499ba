"""docs/ is so: its pages run, and whatever any page calls is a command with such options."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.doc_runner import blocks, called, commands, missing, run, wrong
from tests.docs import ROOT, readmes

PAGES = sorted((ROOT / "docs").glob("*.md"))
RUN = [path for path in PAGES if "```console" in path.read_text()]


@pytest.mark.parametrize("path", RUN, ids=lambda path: path.stem)
def test_a_page_runs_from_top_to_bottom(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, language, body in blocks(path.read_text()):
        if name:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(body)
        for command in commands(body) if language == "console" else ():
            code, said = run(command.line, tmp_path)
            assert code == command.code, f"{command.line}\n{said}"
            assert missing(command.shows, said) is None, f"{command.line}\n{said}"


def test_every_config_on_a_page_is_whole_so_that_lint_sees_it() -> None:
    """`driftline lint` takes a block for a config of ours by these two; tests/test_docs.py calls it for every page."""
    bodies = [body for path in PAGES for _, language, body in blocks(path.read_text()) if language == "yaml"]
    assert len(bodies) >= 6
    assert all("version: 1\n" in body and "\nkafka: " in body for body in bodies)


def test_there_is_something_to_run() -> None:
    assert {path.stem for path in PAGES} >= {"tutorial", "how-to", "explanation", "comparison", "glossary"}
    assert {path.stem for path in RUN} >= {"tutorial", "how-to"}


def test_every_call_on_a_page_is_a_command_with_such_options() -> None:
    calls = {(path, line, whole) for path in readmes() for line, whole in called(path.read_text())}
    assert len(calls) > 60
    found = [
        f"{path.relative_to(ROOT)}: {line}: {wrong(line, whole)}" for path, line, whole in calls if wrong(line, whole)
    ]
    assert sorted(found) == []


@pytest.mark.parametrize(
    ("line", "whole"),
    [
        ("driftline lnit FILE", False),
        ("driftline lint --smaple x FILE", False),
        ("driftline topics aply -c x.yaml", False),
        ("driftline run", True),
        ("driftline run --stage 3 -c x.yaml", True),
    ],
)
def test_one_that_is_not_is_found(line: str, whole: bool) -> None:
    assert wrong(line, whole) is not None


def test_output_that_is_not_as_shown_is_found() -> None:
    [first, second] = commands("$ a  # exit 1\none\n…\nthree four…\n\n$ b > c\n")
    assert first == ("a", 1, ["one", "three four…"])
    assert (second.line, second.shows) == ("b > c", [])
    assert missing(first.shows, "zero\none\ntwo\nthree four five\n") is None
    assert missing(first.shows, "three four five\none\n") == "three four…"
    assert missing(["one"], "one more\n") == "one"
