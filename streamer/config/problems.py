"""What can be wrong with a config: every problem has a place, a kind from a closed table, and one line of text."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

KINDS = {
    "bad-yaml": "the text is not YAML that Driftline reads",
    "unreadable": "the file, or a file it names, cannot be read",
    "duplicate-key": "a key stands twice in one mapping",
    "unknown-field": "no such key here",
    "missing-field": "a key that has no default is not there",
    "wrong-type": "a value of another type is needed",
    "out-of-range": "a number outside its limits",
    "bad-value": "a text that means nothing here",
    "missing-env": "an environment variable that is not set and has no default",
    "reserved": "a setting the service owns",
    "unknown-setting": "a librdkafka setting Driftline has never heard of",
    "insecure": "what others on the network can read, or pretend to be",
    "weak-secret": "a secret that is short or a word",
    "not-filled": "a variable written as another tool would fill it in",
    "nothing": "a section that has no value, not even {}",
    "never-fires": "a monitor that cannot fire, at all or on the traffic of a sample, or hardly ever",
    "not-in-sample": "a place, or the other half of a pair, that no record of a sample has",
    "read-twice": "a feature of a sample that is another field of the event, too",
    "may-be-codes": "numbers of a sample that look like codes",
    "only-rises": "numbers of a sample that never come back: a time, a counter or an id",
    "not-watched": "what a sample has and a monitor asks for, and yet it is not watched, or not on its own",
    "parted": "a monitor of which each partition sees its part",
    "not-used": "a large share of a sample is not used",
    "odd-field": "a field that many records of a sample have and that cannot be used",
    "nothing-used": "nothing of a sample is used",
}
WARNINGS = frozenset(
    (
        "unknown-setting",
        "insecure",
        "weak-secret",
        "not-filled",
        "nothing",
        "never-fires",
        "not-in-sample",
        "read-twice",
        "may-be-codes",
        "only-rises",
        "not-used",
        "odd-field",
        "not-watched",
        "parted",
    )
)
"""Nothing is refused for these."""
KNOWN_SHOWN_MAX = 32
LONG_ENOUGH = 4
"""Characters from which on the beginning of a name is taken for it."""
SHOWN_MAX = 60
"""Characters of a value or key that an error repeats."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem. Line and column count from 1; `path` is the key path, empty for the whole file."""

    file: str
    line: int
    column: int
    kind: str
    path: str
    message: str

    @property
    def severity(self) -> str:
        return "warning" if self.kind in WARNINGS else "error"

    def __str__(self) -> str:
        where = f" {self.path}:" if self.path else ""
        return f"{self.file}:{self.line}:{self.column}: {self.severity}[{self.kind}]{where} {self.message}"


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    return sorted(set(problems), key=lambda p: (p.file, p.line, p.column, p.path, p.message))


def summary(problems: Iterable[Problem]) -> str:
    """`2 errors, 1 warning`"""
    counts = {"error": 0, "warning": 0}
    for problem in problems:
        counts[problem.severity] += 1
    return ", ".join(f"{n} {name}{'' if n == 1 else 's'}" for name, n in counts.items())


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` Did you mean 'delta'?`, or the whole list where it is short and nothing is near."""
    names = sorted(known)
    longer = [name for name in names if name.startswith(word)] if len(word) >= LONG_ENOUGH else []
    alike = [name for name in names if name.lower() == word.lower()]
    near = longer or alike or difflib.get_close_matches(word, names, 1, 0.6)
    if near:
        return f" Did you mean {near[0]!r}?"
    return f" Known: {', '.join(names)}." if 0 < len(names) <= KNOWN_SHOWN_MAX else ""


def quoted(value: Any) -> str:
    """A value as an error shows it: one short line, whatever it is."""
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = "nothing" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 3] + "..."


class ConfigError(Exception):
    """Every problem of a config at once. `run` prints it and exits 78; `told`: the same where something runs."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = in_order(problems)
        self.told = "\n".join([*map(str, self.problems), f"{summary(self.problems)}."])
        super().__init__(f"{self.told} Nothing was started.")
