"""Signals: from the columns of a batch to the values a series table takes.

A signal is a named quantity of an event. Everything here is pure and independent of where the log was cut into
batches: members (feature names, labels) appear in the order in which the log shows them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.batch import Batch
from schemas.compiled import native

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

LABELS_MAX = 32
"""Labels watched per group: every event costs one update per label, so the number is bounded; more are counted."""

FEATURES = "features."
LABEL = "prediction.label"
ALIASES = {"confidence": "prediction.confidence", "value": "prediction.value", "latency_ms": "latency_ms"}
PREFIXES = {"score.": "prediction.scores.", "logit.": "prediction.logits."}
SHORT = {**ALIASES, **PREFIXES}
KINDS = {
    # Head of a signal's name -> its kind.
    "features": "number",
    "missing": "missing",
    "label": "label",
    "category": "category",
    "unseen": "unseen",
}


@dataclass(frozen=True, slots=True)
class Signal:
    """What a monitor watches, parsed: the kind of quantity and which member of it."""

    kind: str  # "number", "missing", "label", "anomaly", "category" or "unseen"
    path: str  # the batch's name of the value; with `every` the common prefix
    every: bool

    @property
    def indicator(self) -> bool:
        """True when the values are 0 or 1."""
        return self.kind not in ("number", "category")

    @property
    def text(self) -> bool:
        """True when the values are made of texts."""
        return self.kind in ("category", "unseen")


def parse_signal(text: str) -> Signal:
    """`features.*`, `missing.amount`, `label.fraud`, `confidence`, `/json/pointer` ... as the YAML has them."""
    if text == "anomaly":
        return Signal("anomaly", "", False)
    if text.startswith("/"):
        return Signal("number", text, False)
    if text == "label":
        return Signal("category", LABEL, False)
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
    base = "" if kind == "label" else FEATURES
    return Signal(kind, base if every else base + member, every)


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


class Observed(NamedTuple):
    """Values found in a batch before they have rows: parallel arrays of m values."""

    event: I64
    group: I64
    member: I64  # index into `members`
    value: F64
    members: list[str]


def dense(codes: I64) -> tuple[I64, I64]:
    """Codes renumbered 0.. in order of first appearance, and the index of each code's first appearance."""
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[inverse.reshape(-1)], first[order]


def text_of_event(batch: Batch, path: str) -> I64:
    """For each event the string code of text `path`, -1 where it has none."""
    out = np.full(len(batch.offsets), -1, np.int64)
    if path in batch.names:
        chosen = batch.texts.name == batch.names.index(path)
        out[batch.texts.event[chosen]] = batch.texts.text[chosen]
    return out


def groups_of(batch: Batch, used: Bool, by: tuple[str, ...], compiled: bool = native is not None) -> Groups:
    """Group the used events by model and the `by` fields; an event without such a field has the empty text.

    The numbers of the groups mean nothing: what depends on an order takes that of the events.
    """
    columns = [batch.model.astype(np.int64)]
    for field in by:
        columns.append(batch.version.astype(np.int64) if field == "version" else text_of_event(batch, field))
    if native is not None and compiled:
        of_event, example = native.group(columns, used)
    else:
        of_event, example = group(columns, used)
    picked = [column[example].tolist() for column in columns]
    strings = (*batch.strings, "")  # -1 is the empty text
    return Groups(of_event, [tuple(strings[code] for code in key) for key in zip(*picked, strict=True)])


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


def observe_labels(batch: Batch, groups: Groups, signal: Signal) -> Observed:
    """The predicted label of each event that has one; member = the label, value 1."""
    codes = text_of_event(batch, LABEL)
    event = np.flatnonzero((codes >= 0) & (groups.of_event >= 0))
    return Observed(event, groups.of_event[event], codes[event], np.ones(len(event)), list(batch.strings))


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
    "label": Indicators(observe_labels, hit_when_seen=True, every_event=False),
    "missing": Indicators(observe_presence, hit_when_seen=False, every_event=True),
}


def member_title(signal: Signal, member: str) -> str:
    """The signal's name as labels of an alert show it."""
    if signal.kind == "anomaly":
        return "anomaly"
    if signal.kind == "category" and member == LABEL:
        return "label"
    if signal.kind != "number":
        return f"{signal.kind}.{member.removeprefix(FEATURES)}"
    for short, path in SHORT.items():
        if member.startswith(path):
            return short + member.removeprefix(path)
    return member
