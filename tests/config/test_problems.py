"""Problems: one line each whatever is in it, their order, and what was probably meant."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from streamer.config.problems import (
    KINDS,
    KNOWN_SHOWN_MAX,
    SHOWN_MAX,
    WARNINGS,
    ConfigError,
    Problem,
    did_you_mean,
    in_order,
    quoted,
    summary,
)


def problem(line: int = 1, kind: str = "bad-value", path: str = "a.b", message: str = "no.") -> Problem:
    return Problem("f.yaml", line, 2, kind, path, message)


@pytest.mark.parametrize("kind", KINDS)
def test_a_problem_is_one_line_with_its_place(kind: str) -> None:
    severity = "warning" if kind in WARNINGS else "error"
    assert str(problem(3, kind)) == f"f.yaml:3:2: {severity}[{kind}] a.b: no."
    assert str(problem(3, kind, path="")) == f"f.yaml:3:2: {severity}[{kind}] no."
    assert problem(3, kind).severity == severity


def test_only_kinds_that_there_are_can_be_warnings() -> None:
    assert set(KINDS) > WARNINGS > set()


def test_problems_come_in_the_order_of_the_file_and_once() -> None:
    first, second, third = problem(1), problem(2, path="a"), problem(2, path="b")
    assert in_order([third, first, second, first]) == [first, second, third]
    assert in_order([problem(2, message="b"), problem(2, message="a")])[0].message == "a"


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        ([], "0 errors, 0 warnings"),
        (["bad-value"], "1 error, 0 warnings"),
        (["bad-value", "reserved", "never-fires"], "2 errors, 1 warning"),
    ],
)
def test_a_summary_counts(kinds: list[str], said: str) -> None:
    assert summary(problem(kind=kind) for kind in kinds) == said


def test_an_error_says_all_of_them_and_that_nothing_was_started() -> None:
    error = ConfigError([problem(2), problem(1, "never-fires")])
    assert [line.split(":")[1] for line in str(error).splitlines()[:-1]] == ["1", "2"]
    assert str(error).splitlines()[-1] == "1 error, 1 warning. Nothing was started."
    assert [found.line for found in error.problems] == [1, 2]


@pytest.mark.parametrize(
    ("word", "known", "said"),
    [
        ("detla", ["delta", "clock"], " Did you mean 'delta'?"),
        ("nothing", ["delta", "clock"], " Known: clock, delta."),
        ("", ["b", "a"], " Known: a, b."),
        ("nothing", [], ""),
        ("nothing", [f"k{i}" for i in range(KNOWN_SHOWN_MAX + 1)], ""),
    ],
)
def test_what_was_probably_meant(word: str, known: list[str], said: str) -> None:
    assert did_you_mean(word, known) == said


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "nothing"),
        (True, "true"),
        (1.5, "1.5"),
        ("a\nb", r"'a\nb'"),
        ({"password": "x"}, "a mapping"),
        (["password"], "a list"),
        ("x" * 58, "'" + "x" * 58 + "'"),
        ("x" * 59, "'" + "x" * 56 + "..."),
    ],
)
def test_a_value_is_shown_in_one_short_line(value: Any, shown: str) -> None:
    assert quoted(value) == shown
    assert len(quoted(value)) <= SHOWN_MAX


def test_every_warning_is_explained_where_the_config_is() -> None:
    text = (Path(__file__).resolve().parents[2] / "streamer" / "config" / "README.md").read_text()
    rows = text.partition("| warning |")[2].partition("\n\n")[0].splitlines()[2:]
    assert {name for row in rows for name in re.findall(r"`([a-z-]+)`", row.split(" | ")[0])} == WARNINGS
    assert set(KINDS) > WARNINGS


def test_the_beginning_of_a_name_is_taken_for_it() -> None:
    known = ["kserve-logger", "mlserver"]
    assert did_you_mean("kserve", known) == " Did you mean 'kserve-logger'?"
    assert did_you_mean("mlsever", known) == " Did you mean 'mlserver'?"
    assert did_you_mean("kse", known) == " Known: kserve-logger, mlserver."
