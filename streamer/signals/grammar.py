"""The grammar of signals: from what the YAML says to what is watched, and back to what an alert calls it.

A signal is a named quantity of an event. Its kinds are one table, see `kinds.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from schemas.events.batch import Batch
from streamer.signals.derived import DERIVED, RATIO, EventValues, ratio
from streamer.signals.kinds import CATEGORY, DAYS_NEEDED, FAMILIES, FAMILY_MAX, FLAG, KINDS, NUMBER, SignalKind
from streamer.signals.observe import FEATURES

SHORT = {word: path for word, (path, _) in KINDS["number"].words.items() if word not in DERIVED} | {
    f"{word}.": prefix for word, prefix in FAMILIES.items()
}
"""Numbers under another name than the batch's; one that ends in a dot is a prefix."""
CHECKED = {"confidence": "prediction.confidence", "value": "prediction.value", "latency_ms": "latency_ms"} | {
    "label": "prediction.label",
    "version": "version",
}
"""What `checks` can be about beside features, and the batch's names of it."""
SHORT_OF = {path: word for word, path in CHECKED.items()}
WORDS = {word: (kind, given.path) for kind, spec in KINDS.items() for word, given in spec.words.items()}
HEADS = {head: (kind, base) for kind, spec in KINDS.items() for head, base in spec.heads.items()}
WORD_OF = {(kind, path or kind): word for word, (kind, path) in WORDS.items() if kind != "number"}
BY_PATHS = {"label": "prediction.label"}
"""The batch's name of a field of `by`, where it is another."""
STATS = ("count", "mean", "std", "min", "max", "median", "p50", "p90", "p95", "p99")
COUNTS = ("count",)
"""Statistics that are zero, not unknown, where there is nothing."""
AGGREGATE = re.compile(r"(?!ratio\()([a-z0-9]+)\((.+)\)").fullmatch


@dataclass(frozen=True, slots=True)
class Signal:
    """What a monitor watches, parsed: the kind of quantity and which member of it."""

    kind: str  # a key of KINDS
    path: str  # the batch's name of the value; with `every` the common prefix
    every: bool
    window_ms: int = 0  # of an aggregate
    least: int = 1  # numbers that a window of an aggregate sees at least
    pattern: str = ""  # with `every` of the members that are meant what follows the prefix; empty for all
    without: tuple[str, ...] = ()  # patterns of the batch's names that the config excludes

    @property
    def spec(self) -> SignalKind:
        return KINDS[self.kind]

    @property
    def days_needed(self) -> int:
        """Days with values before anything of it may be unmistakable."""
        return DAYS_NEEDED.get((self.kind, self.path), 0)

    @property
    def scaled(self) -> bool:
        """True when the values are numbers of any size, which are standardised."""
        return self.spec.values == NUMBER

    @property
    def indicator(self) -> bool:
        """True when the values are 0 or 1."""
        return self.spec.values == FLAG

    @property
    def whole(self) -> bool:
        """True when all members there are are meant."""
        return self.every and not self.pattern and not self.without

    @property
    def of_whatever(self) -> bool:
        """True when the values are made of whatever features, scores or logits there are."""
        return self.spec.of_features or (self.every and self.path in (FEATURES, *FAMILIES.values()))

    @property
    def members_max(self) -> int | None:
        """How many members of a group have a row of their own; None for no bound but that of the table."""
        return FAMILY_MAX if self.every and self.path in FAMILIES.values() else self.spec.members_max

    def takes(self, name: str) -> bool:
        """Whether the batch's name is one of the members that are meant."""
        if not self.every:
            return name == self.path
        if not name.startswith(self.path) or excluded(name, self.without):
            return False
        return not self.pattern or matches(self.pattern, name.removeprefix(self.path))

    @property
    def text(self) -> bool:
        """True when the values are made of texts."""
        return self.spec.values == CATEGORY or self.kind == "unseen"


@lru_cache(4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = ({"*": ".*", "?": "."}.get(part, re.escape(part)) for part in re.split("([*?])", pattern))
    return re.compile("".join(parts), re.DOTALL)


def matches(pattern: str, name: str) -> bool:
    """Whether a name is of a pattern: `*` is any text, `?` any one character, and all else means itself."""
    return _compiled(pattern).fullmatch(name) is not None


def path_of(pattern: str) -> str:
    """A pattern of `exclude` for the batch's names: `score.x*` is of `prediction.scores.x*`."""
    head, _, member = pattern.partition(".")
    return FAMILIES[head] + member if head in FAMILIES else pattern


def excluded(name: str, without: tuple[str, ...]) -> bool:
    return bool(without) and any(matches(pattern, name) for pattern in without)


def is_pattern(text: str) -> bool:
    return "*" in text or "?" in text


def parse_signal(text: str) -> Signal:
    """`features.*`, `missing.amount`, `label.fraud`, `confidence`, `/json/pointer` ... as the YAML has them."""
    if text in WORDS:
        return Signal(*WORDS[text], False)
    if text.startswith("/"):
        return Signal("number", text, False)
    if text == "traffic" or AGGREGATE(text):
        aggregate_of(text)
        return Signal("aggregate", text, False)
    if text.startswith("ratio("):
        ratio_of(text)
        return Signal("number", text, False)
    for short, path in SHORT.items():
        if short.endswith(".") and text.startswith(short):
            return _members("number", path, text.removeprefix(short))
    head, _, member = text.partition(".")
    if head not in HEADS or not member:
        raise ValueError(f"unknown signal {text!r}")
    kind, base = HEADS[head]
    if kind == "selection_ratio" and is_pattern(member):
        raise ValueError(f"unknown signal {text!r}: which label is it that selects?")
    if kind == "embedding" and not is_pattern(member) and not member.endswith((".norm", ".distance")):
        raise ValueError(f"unknown signal {text!r}")
    if kind == "selection_ratio":
        return Signal(kind, member, False)
    if kind == "invalid":
        member = member.removeprefix(FEATURES)
        base = "" if member == "*" or member in CHECKED else FEATURES
        member = CHECKED.get(member, member)
    return _members(kind, base, member)


def _members(kind: str, base: str, member: str) -> Signal:
    """What is meant of those below a prefix: one, those of a pattern, or all."""
    if not is_pattern(member):
        return Signal(kind, base + member, False)
    return Signal(kind, base, True, pattern="" if member == "*" else member)


def ratio_of(text: str) -> tuple[str, str]:
    """The batch's names of both numbers of `ratio(A, B)`; ValueError when that is not what it is."""
    found = RATIO(text)
    parts = [parse_signal(part) for part in found.groups()] if found else []
    if len(parts) != 2 or any(part.kind != "number" or part.every for part in parts):
        raise ValueError(f"{text!r} is not ratio(A, B) of two numbers")
    return parts[0].path, parts[1].path


def aggregate_of(text: str) -> tuple[str, str | None]:
    """The statistic of an aggregate and the batch's name of its number; None where it counts events."""
    if text == "traffic":
        return "count", None
    found = AGGREGATE(text)
    inner = parse_signal(found[2]) if found else None
    if found is None or found[1] not in STATS or inner is None or inner.kind != "number" or inner.every:
        raise ValueError(f"{text!r} is not STAT(NUMBER) with one of {', '.join(STATS)}")
    return found[1], inner.path


def counts_events(signal: Signal) -> bool:
    """Whether it is an aggregate that is zero, not unknown, where there is nothing."""
    return signal.kind == "aggregate" and aggregate_of(signal.path)[0] in COUNTS


def computed(signal: Signal) -> Callable[[Batch], EventValues] | None:
    """How a number is made that no field holds; None for all others."""
    if signal.kind == "aggregate":
        inner = aggregate_of(signal.path)[1]
        return None if inner is None else computed(Signal("number", inner, False))
    if signal.kind != "number":
        return None
    if signal.path in DERIVED:
        return DERIVED[signal.path]
    return ratio(*ratio_of(signal.path)) if signal.path.startswith("ratio(") else None


def number_of(signal: Signal) -> str:
    """The batch's name of the number that a signal is, or is an aggregate of."""
    return (aggregate_of(signal.path)[1] or "") if signal.kind == "aggregate" else signal.path


def pointers_of(text: str) -> list[str]:
    """The JSON Pointers that a signal's text names."""
    found = AGGREGATE(text)
    text = found[2] if found else text
    found = RATIO(text)
    return [part for part in (found.groups() if found else (text,)) if part.startswith("/")]


def member_title(signal: Signal, member: str) -> str:
    """The signal's name as labels of an alert show it."""
    word = WORD_OF.get((signal.kind, member or signal.kind))
    if word is not None:
        return word
    if signal.kind == "aggregate":
        return member
    if signal.kind != "number":
        return f"{signal.kind}.{SHORT_OF.get(member, member.removeprefix(FEATURES))}"
    for short, path in SHORT.items():
        if member.startswith(path):
            return short + member.removeprefix(path)
    return member
