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
"""Names under which a batch has what the config's pointers found; of a topic of its own they are the columns' own."""
ABOUT = (REFERENCE, LABELLED)
"""Who has one of these names another event: it is no inference."""


class Population(Enum):
    """The events that a signal is about."""

    USED = "every event that is used"
    SENT = "those that are no feedback about another event"
    INFERENCES = "of these those that are no golden probe: what everything is learned from"


def is_about(batch: Batch) -> Bool:
    """Events about another event: they are no inferences, so nothing else is to be learned from them."""
    found = np.zeros(len(batch.offsets), bool)
    for role in ABOUT:
        if batch.aliases.get(role, role) in batch.names:
            found |= text_of_event(batch, role) >= 0
    return found


def is_true(batch: Batch, role: str) -> Bool:
    """Events that say true, or any number but 0: who opted out, which is a golden probe."""
    codes = text_of_event(batch, role)
    wanted = np.array([text.lower() in ("true", "1", "yes") for text in batch.strings] or [False], bool)
    numbers = number_of_event(batch, role)
    found: Bool = np.where(np.isnan(numbers), wanted[codes] & (codes >= 0), numbers != 0.0)
    return found


def populations(batch: Batch, used: Bool, about: bool, probes: bool) -> dict[Population, Bool]:
    """The events of each population. Where the config has no such role they are one and the same array."""
    sent = used & ~is_about(batch) if about else used
    inferences = sent & ~is_true(batch, GOLDEN) if probes else sent
    return {Population.USED: used, Population.SENT: sent, Population.INFERENCES: inferences}
