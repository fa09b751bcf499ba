"""How the values of signals are found in a batch. Each observer takes what says which of the batch's names the signal
is about, and gives the values before they have rows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from schemas.events.batch import Batch, text_of_event
from streamer.signals.checks import Checks, violations
from streamer.signals.columns import F64, I64, Bool, Groups, Observed

FEATURES = "features."
PREDICTION, NOT_FINITE = "prediction", "not_finite"
FINE = frozenset({"ok", "success", "succeeded", "true", "200"})
"""A status that is none of these, nor a number below 400, is an error."""

Takes = Callable[[str], bool]
Observe = Callable[[Batch, Groups, Takes], Observed]


def observe_numbers(batch: Batch, groups: Groups, takes: Takes) -> Observed:
    """The numeric values: one member per name."""
    wanted = np.array([takes(name) for name in batch.names], bool)
    return _observed(batch, groups, wanted, batch.numbers.event, batch.numbers.name, batch.numbers.value)


def one_text(batch: Batch, groups: Groups, path: str) -> tuple[I64, I64]:
    """Used events that have the text, and its code."""
    codes = text_of_event(batch, path)
    event = np.flatnonzero((codes >= 0) & (groups.of_event >= 0))
    return event, codes[event]


def observe_texts(column: str) -> Observe:
    """What each event that has the text has; member = the text, value 1."""
    return partial(_texts, column)


def _texts(column: str, batch: Batch, groups: Groups, takes: Takes) -> Observed:
    event, codes = one_text(batch, groups, column)
    return Observed(event, groups.of_event[event], codes, np.ones(len(event)), list(batch.strings))


def observe_errors(batch: Batch, groups: Groups, takes: Takes) -> Observed:
    """Whether the status of each event that has one is an error."""
    event, codes = one_text(batch, groups, "status")
    bad = np.array([is_error(text) for text in batch.strings] or [False], bool)
    return Observed(event, groups.of_event[event], np.zeros_like(event), bad[codes] * 1.0, ["error"])


def is_error(status: str) -> bool:
    """By HTTP's numbers, or by the usual words."""
    if status.isdecimal() and len(status) == 3:
        return status >= "400"
    return status.lower() not in FINE


def observe_invalid(checks: Checks) -> Observe:
    """Whether each used event breaks each of the checks the signal is about."""
    return partial(_invalid, checks)


def _invalid(checks: Checks, batch: Batch, groups: Groups, takes: Takes) -> Observed:
    wanted = [name for name in checks if takes(name)]
    used = np.flatnonzero(groups.of_event >= 0)
    bad = np.array([violations(batch, name, checks[name])[used] for name in wanted]).reshape(len(wanted), len(used))
    event = np.repeat(used, len(wanted))
    member = np.tile(np.arange(len(wanted)), len(used))
    return Observed(event, groups.of_event[event], member, bad.T.ravel() * 1.0, wanted)


def observe_presence(batch: Batch, groups: Groups, takes: Takes) -> Observed:
    """Every feature an event names; value 1 when it holds something, 0 when it is null."""
    tables = (batch.numbers, batch.texts, batch.nulls)
    event = np.concatenate([t.event for t in tables])
    name = np.concatenate([t.name for t in tables])
    value = np.ones(len(event))
    value[len(event) - len(batch.nulls.event) :] = 0.0
    order = np.argsort(event, kind="stable")
    wanted = np.array([name.startswith(FEATURES) and takes(name) for name in batch.names], bool)
    return _observed(batch, groups, wanted, event[order], name[order], value[order])


def observe_odd(batch: Batch, groups: Groups, takes: Takes) -> Observed:
    """Every field of a used event that could not be used; member = the field, value 1."""
    return _odd(batch, groups, [(one.event, one.field) for one in batch.odd if takes(one.field)])


def observe_not_finite(batch: Batch, groups: Groups, takes: Takes) -> Observed:
    """The used events whose prediction is NaN or infinite, or something in it; value 1."""
    bad = {one.event: PREDICTION for one in batch.odd if one.reason == NOT_FINITE and one.field.startswith(PREDICTION)}
    return _odd(batch, groups, list(bad.items()))


def _odd(batch: Batch, groups: Groups, found: list[tuple[int, str]]) -> Observed:
    found = [one for one in dict.fromkeys(found) if groups.of_event.item(one[0]) >= 0]
    members = list(dict.fromkeys(field for _, field in found))
    event = np.array([event for event, _ in found], np.int64)
    member = np.array([members.index(field) for _, field in found], np.int64)
    return Observed(event, groups.of_event[event], member, np.ones(len(event)), members)


def _observed(
    batch: Batch, groups: Groups, wanted: Bool, event: NDArray[np.int32], name: NDArray[np.int32], value: F64
) -> Observed:
    """The values whose name is wanted and whose event is used."""
    if not wanted.any():  # As where a model has no scores: it costs a look at the names alone.
        event, name, value = event[:0], name[:0], value[:0]
    keep = wanted[name] & (groups.of_event[event] >= 0) if len(wanted) else np.zeros(0, bool)
    events = event[keep].astype(np.int64)
    return Observed(events, groups.of_event[events], name[keep].astype(np.int64), value[keep], list(batch.names))
