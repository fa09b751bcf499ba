"""Signals: from the columns of a batch to the values a series table takes.

A signal is a named quantity of an event. Everything here is pure and independent of where the log was cut into
batches: members (feature names, labels) appear in the order in which the log shows them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.core import native
from schemas.events.batch import Batch, text_of_event
from streamer.signals.checks import Checks, violations
from streamer.signals.derived import DERIVED, RATIO, Found, ratio

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

LABELS_MAX = 32
"""Labels watched per group: every event costs one update per label, so the number is bounded; more are counted."""

FEATURES = "features."
ALIASES = {"confidence": "prediction.confidence", "value": "prediction.value", "latency_ms": "latency_ms"}
PREFIXES = {"score.": "prediction.scores.", "logit.": "prediction.logits."}
SHORT = {**ALIASES, **PREFIXES}
CHECKED = {**ALIASES, "label": "prediction.label", "version": "version"}
"""What `checks` can be about beside features, and the batch's names of it."""
SHORT_OF = {path: word for word, path in CHECKED.items()}
KINDS = {
    # Head of a signal's name -> its kind.
    "features": "number",
    "missing": "missing",
    "label": "label",
    "category": "category",
    "unseen": "unseen",
    "status": "status",
    "caller": "caller",
    "version": "version",
    "action": "action",
    "invalid": "invalid",
    "new_feature": "new_feature",
}
TEXTS = {
    # Texts of which each event has one, and every one they may be has a share: kind -> the batch's name of it.
    "label": "prediction.label",
    "status": "status",
    "caller": "caller",
    "version": "version",
    "action": "action",
}
WHOLE = {
    # Signals that are one word.
    "anomaly": ("anomaly", ""),
    "error": ("error", "error"),
    "events": ("events", "events"),
    "version_change": ("version_change", "version_change"),
    "distance": ("distance", "distance"),
    "ood": ("ood", "ood"),
    "confident_ood": ("confident_ood", "confident_ood"),
    "label": ("category", "prediction.label"),
    "new_label": ("unseen", "prediction.label"),
    "new_version": ("unseen", "version"),
    "new_caller": ("unseen", "caller"),
}
WORD_OF = {(kind, path or kind): word for word, (kind, path) in WHOLE.items()}
BY_PATHS = {"label": "prediction.label"}
"""The batch's name of a field of `by`, where it is another."""
STATS = ("count", "mean", "std", "min", "max", "median", "p50", "p90", "p95", "p99")
COUNTS = ("count",)
"""Statistics that are zero, not unknown, where there is nothing."""
AGGREGATE = re.compile(r"(?!ratio\()([a-z0-9]+)\((.+)\)").fullmatch
FINE = frozenset({"ok", "success", "succeeded", "true", "200"})
"""A status that is none of these, nor a number below 400, is an error."""


@dataclass(frozen=True, slots=True)
class Signal:
    """What a monitor watches, parsed: the kind of quantity and which member of it."""

    kind: str  # "number", "category", "unseen", "anomaly" or a key of INDICATORS
    path: str  # the batch's name of the value; with `every` the common prefix
    every: bool
    window_ms: int = 0  # of an aggregate

    @property
    def scaled(self) -> bool:
        """True when the values are numbers of any size, which are standardised."""
        return self.kind in ("number", "aggregate", "distance")

    @property
    def indicator(self) -> bool:
        """True when the values are 0 or 1."""
        return not self.scaled and self.kind != "category"

    @property
    def text(self) -> bool:
        """True when the values are made of texts."""
        return self.kind in ("category", "unseen")


def parse_signal(text: str) -> Signal:
    """`features.*`, `missing.amount`, `label.fraud`, `confidence`, `/json/pointer` ... as the YAML has them."""
    if text in WHOLE:
        return Signal(*WHOLE[text], False)
    if text.startswith("/") or text in DERIVED:
        return Signal("number", text, False)
    if text == "traffic" or AGGREGATE(text):
        aggregate_of(text)
        return Signal("aggregate", text, False)
    if text.startswith("ratio("):
        ratio_of(text)
        return Signal("number", text, False)
    if text in ALIASES:
        return Signal("number", ALIASES[text], False)
    for prefix, path in PREFIXES.items():
        if text.startswith(prefix):
            return Signal("number", path + text.removeprefix(prefix), False)
    head, _, member = text.partition(".")
    kind = KINDS.get(head)
    if kind is None or not member:
        raise ValueError(f"unknown signal {text!r}")
    every = member == "*"
    member = member.removeprefix(FEATURES) if kind == "invalid" else member
    if kind == "invalid" and (every or member in CHECKED):
        return Signal(kind, "" if every else CHECKED[member], every)
    base = "" if kind in TEXTS else FEATURES
    return Signal(kind, base if every else base + member, every)


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


def computed(signal: Signal) -> Callable[[Batch], Found] | None:
    """How a number is made that no field holds; None for all others."""
    if signal.kind == "aggregate":
        inner = aggregate_of(signal.path)[1]
        return None if inner is None else computed(Signal("number", inner, False))
    if signal.kind != "number":
        return None
    if signal.path in DERIVED:
        return DERIVED[signal.path].compute
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


class Groups(NamedTuple):
    """The groups of a batch under one `by`: for each event its group, for each group its key."""

    of_event: I64  # -1 where the event is not used
    keys: list[tuple[str, ...]]


class Column(NamedTuple):
    """What one step feeds to a table: m values with their row and their event's index in the batch.

    `reasons` names why a value is 1: (index of the value, reason), ascending; only anomalies have any.
    """

    rows: I64
    values: F64
    events: I64
    reasons: Sequence[tuple[int, str]] = ()
    starts_ms: Sequence[int] = ()  # of an aggregate: where its windows begin


class Observed(NamedTuple):
    """Values found in a batch before they have rows: parallel arrays of m values."""

    event: I64
    group: I64
    member: I64  # index into `members`
    value: F64
    members: list[str]


def dense(codes: I64) -> tuple[I64, I64]:
    """Codes >= 0 renumbered 0.. in order of first appearance, and the index of each code's first appearance."""
    most = int(codes.max(initial=0))
    if most <= 4 * len(codes):  # A table of all codes is cheaper than to sort them.
        first = np.full(most + 1, len(codes))
        first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)  # With repeated codes the last assignment holds.
        present = np.flatnonzero(first < len(codes))
        present = present[np.argsort(first[present])]
        number = np.empty(most + 1, np.int64)
        number[present] = np.arange(len(present))
        return number[codes], first[present]
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[inverse.reshape(-1)], first[order]


def groups_of(batch: Batch, used: Bool, by: tuple[str, ...], compiled: bool = native is not None) -> Groups:
    """Group the used events by model and the `by` fields; an event without such a field has the empty text.

    The numbers of the groups mean nothing: what depends on an order takes that of the events.
    """
    columns = [batch.model.astype(np.int64), *(text_of_event(batch, BY_PATHS.get(field, field)) for field in by)]
    if native is not None and compiled:
        of_event, example = native.group(columns, used)
    else:
        of_event, example = group(columns, used)
    strings = (*batch.strings, "")  # -1 is the empty text
    picked = [[strings[code] for code in column[example].tolist()] for column in columns]
    return Groups(of_event, list(zip(*picked, strict=True)))


def group(columns: list[I64], used: Bool) -> tuple[I64, I64]:
    """The group of each used event (-1 of the others), and an event of each group: of each tuple of codes (>= -1)."""
    events = np.flatnonzero(used)
    codes = np.zeros(len(events), np.int64)
    for column in columns:
        chosen = column[events] + 1
        codes = dense(codes)[0] * (int(chosen.max(initial=0)) + 1) + chosen
    number, first = dense(codes)
    of_event = np.full(len(used), -1, np.int64)
    of_event[events] = number
    return of_event, events[first]


def observe_numbers(batch: Batch, groups: Groups, signal: Signal) -> Observed:
    """The numeric values under the signal's path: one member per name."""
    wanted = np.array([n.startswith(signal.path) if signal.every else n == signal.path for n in batch.names], bool)
    return _observed(batch, groups, wanted, batch.numbers.event, batch.numbers.name, batch.numbers.value)


def one_text(batch: Batch, groups: Groups, path: str) -> tuple[I64, I64]:
    """Used events that have the text, and its code."""
    codes = text_of_event(batch, path)
    event = np.flatnonzero((codes >= 0) & (groups.of_event >= 0))
    return event, codes[event]


def observe_texts(batch: Batch, groups: Groups, signal: Signal) -> Observed:
    """What each event that has the text has; member = the text, value 1."""
    event, codes = one_text(batch, groups, TEXTS[signal.kind])
    return Observed(event, groups.of_event[event], codes, np.ones(len(event)), list(batch.strings))


def observe_errors(batch: Batch, groups: Groups, signal: Signal) -> Observed:
    """Whether the status of each event that has one is an error."""
    event, codes = one_text(batch, groups, "status")
    bad = np.array([is_error(text) for text in batch.strings] or [False], bool)
    return Observed(event, groups.of_event[event], np.zeros_like(event), bad[codes] * 1.0, ["error"])


def is_error(status: str) -> bool:
    """By HTTP's numbers, or by the usual words."""
    if status.isdecimal() and len(status) == 3:
        return status >= "400"
    return status.lower() not in FINE


def observe_invalid(checks: Checks, batch: Batch, groups: Groups, signal: Signal) -> Observed:
    """Whether each used event breaks each of the checks the signal is about."""
    wanted = [name for name in checks if signal.every or name == signal.path]
    used = np.flatnonzero(groups.of_event >= 0)
    bad = np.array([violations(batch, name, checks[name])[used] for name in wanted]).reshape(len(wanted), len(used))
    event = np.repeat(used, len(wanted))
    member = np.tile(np.arange(len(wanted)), len(used))
    return Observed(event, groups.of_event[event], member, bad.T.ravel() * 1.0, wanted)


def observe_presence(batch: Batch, groups: Groups, signal: Signal) -> Observed:
    """Every feature an event names; value 1 when it holds something, 0 when it is null."""
    tables = (batch.numbers, batch.texts, batch.nulls)
    event = np.concatenate([t.event for t in tables])
    name = np.concatenate([t.name for t in tables])
    value = np.ones(len(event))
    value[len(event) - len(batch.nulls.event) :] = 0.0
    order = np.argsort(event, kind="stable")
    wanted = np.array([n.startswith(FEATURES) for n in batch.names], bool)
    return _observed(batch, groups, wanted, event[order], name[order], value[order])


def _observed(
    batch: Batch, groups: Groups, wanted: Bool, event: NDArray[np.int32], name: NDArray[np.int32], value: F64
) -> Observed:
    """The values whose name is wanted and whose event is used."""
    keep = wanted[name] & (groups.of_event[event] >= 0) if len(wanted) else np.zeros(0, bool)
    events = event[keep].astype(np.int64)
    return Observed(events, groups.of_event[events], name[keep].astype(np.int64), value[keep], list(batch.names))


class Indicators(NamedTuple):
    """How 0/1 values are made for every known member of a group, seen or not in the event at hand."""

    observe: Callable[[Batch, Groups, Signal], Observed]
    hit_when_seen: bool  # label: 1 when the event has it; missing: 1 when the event has it not
    every_event: bool  # missing: each event of the group speaks; label: only an event that has a label


INDICATORS: dict[str, Indicators] = {
    **{kind: Indicators(observe_texts, hit_when_seen=True, every_event=False) for kind in TEXTS},
    "error": Indicators(observe_errors, hit_when_seen=True, every_event=False),
    "invalid": Indicators(partial(observe_invalid, {}), hit_when_seen=True, every_event=True),
    "missing": Indicators(observe_presence, hit_when_seen=False, every_event=True),
}


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
