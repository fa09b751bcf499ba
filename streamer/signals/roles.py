"""Roles: what some fields of an event say of the event itself, and from which events a signal therefore learns.

The config gives a role its JSON Pointer; a batch finds the column by the role's name as an alias. So one pointer may
have several roles, and a monitor on it sees its values all the same.
"""

from __future__ import annotations

from enum import Enum

import numpy as np

from schemas.events.batch import Batch, number_of_event, text_of_event
from streamer.signals.columns import Bool

REFERENCE, ACTION, OPT_OUT, GOLDEN = "feedback.event_id", "action", "opt_out", "golden"
LABELLED, TRUTH = "labels.event_id", "labels.label"
REVIEWED, ALERTED = "verdicts.review_id", "verdicts.alert_id"
EVENT_NAME = "review.event_id"  # as its text, of which nothing but items of the review queue has need
REVIEWER, VERDICT, REASON = "verdicts.reviewer", "verdicts.verdict", "verdicts.reason"
COMMAND = "control.id"
ERASED = "erased.id"  # the hash of an id of which nothing is to be known any more
"""Names under which a batch has what the config's pointers found; of a topic of its own they are the columns' own."""


class Population(Enum):
    """The events that a signal is about."""

    ALL = "every event that is used, verdicts of people apart"
    LABELS = "of these the label records: the truth about an inference"
    USED = "those that are none"
    SENT = "of these those that are no feedback about another event"
    INFERENCES = "of these those that are no golden probe: what everything is learned from"


def has(batch: Batch, role: str) -> bool:
    """Whether any event of a batch has that role."""
    return batch.aliases.get(role, role) in batch.names


def is_feedback(batch: Batch) -> Bool:
    """Events that say what was done with another one."""
    return _names(batch, REFERENCE)


def is_label(batch: Batch) -> Bool:
    """Events that say what was true of another one: nothing but what is about labels looks at them."""
    return _names(batch, LABELLED)


def _names(batch: Batch, role: str) -> Bool:
    """Events that have an id there. It may be a number, as that of an inference may."""
    found: Bool = (text_of_event(batch, role) >= 0) | ~np.isnan(number_of_event(batch, role))
    return found


def is_command(batch: Batch) -> Bool:
    """Records of the control topic: no monitor sees them, nor anything else that learns."""
    return text_of_event(batch, COMMAND) >= 0


def is_verdict(batch: Batch) -> Bool:
    """Events that say what people think of an item of the review queue, or of an alert."""
    found: Bool = (text_of_event(batch, REVIEWED) >= 0) | (text_of_event(batch, ALERTED) >= 0)
    return found


def is_erasure(batch: Batch) -> Bool:
    """Events of no model, that ask for nothing but that an id is not known any more."""
    return text_of_event(batch, ERASED) >= 0


ABOUT = {
    REFERENCE: is_feedback, LABELLED: is_label, REVIEWED: is_verdict, ALERTED: is_verdict, COMMAND: is_command,
    ERASED: is_erasure,
}  # fmt: skip
"""By the role of the other one's id, which events say something about another event."""


def is_about(batch: Batch) -> Bool:
    """Events about another event: they are no inferences, so nothing else is to be learned from them."""
    found = np.zeros(len(batch.offsets), bool)
    for role, says in ABOUT.items():
        found |= says(batch) if has(batch, role) else False
    return found


def is_true(batch: Batch, role: str) -> Bool:
    """Events that say true, or any number but 0: who opted out, which is a golden probe."""
    codes = text_of_event(batch, role)
    wanted = np.array([text.lower() in ("true", "1", "yes") for text in batch.strings] or [False], bool)
    numbers = number_of_event(batch, role)
    found: Bool = np.where(np.isnan(numbers), wanted[codes] & (codes >= 0), numbers != 0.0)
    return found


def populations(batch: Batch, used: Bool) -> dict[Population, Bool]:
    """The events of each population. Where a batch has no such role they are one and the same array."""
    if has(batch, REVIEWED) or has(batch, ALERTED):
        used = used & ~is_verdict(batch)
    every, labels = used, np.zeros(len(used), bool)
    if has(batch, LABELLED):
        labels = used & is_label(batch)
        used = used & ~labels
    sent = used & ~is_feedback(batch) if has(batch, REFERENCE) else used
    inferences = sent & ~is_true(batch, GOLDEN) if has(batch, GOLDEN) else sent
    return {
        Population.ALL: every,
        Population.LABELS: labels,
        Population.USED: used,
        Population.SENT: sent,
        Population.INFERENCES: inferences,
    }
