"""What people say in verdict records: of an item of the review queue whether the prediction was right, of an alert
whether it was of use, and why it was not.

A verdict on an item is one of ITEM, one on an alert one of ALERT; case, and blanks or hyphens for underscores, do not
matter. The reasons are exclusive, since of several that hold the first of REASONS does, and exhaustive by the last.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from schemas.events.batch import Batch, number_of_event, text_of_event
from schemas.events.convert import id_hash
from streamer.signals.columns import I64, Bool
from streamer.signals.roles import ALERTED, REASON, REVIEWED, REVIEWER, VERDICT, is_verdict

RIGHT, WRONG, UNSURE = "right", "wrong", "unsure"
USEFUL, NOT_USEFUL = "useful", "not_useful"
ITEM = {
    **dict.fromkeys((RIGHT, "correct", "true", "yes", "agree", "1"), RIGHT),
    **dict.fromkeys((WRONG, "incorrect", "false", "no", "disagree", "0"), WRONG),
    **dict.fromkeys((UNSURE, "unknown", "unclear", "maybe", "skip"), UNSURE),
}
"""What a verdict on an item may be called, and what it is."""
ALERT = {
    **dict.fromkeys((USEFUL, "helpful", "right", "true", "true_positive", "yes", "1"), USEFUL),
    **dict.fromkeys((NOT_USEFUL, "useless", "noise", "wrong", "false", "false_positive", "no", "0"), NOT_USEFUL),
}
"""The same of an alert."""
OTHER = "other"
REASONS = {
    "false_alarm": "nothing had changed",
    "repeated": "another alert had told it already",
    "expected": "it was planned, or known before",
    "harmless": "it changed, and does not matter",
    "late": "it matters, and came too late to act",
    OTHER: "none of these, or not one of these words",
}
"""Why an alert was not useful: the first that holds."""


class Verdict(NamedTuple):
    """One record, as far as it can be used: `said` is empty where it says nothing that is known, or nobody says it, or
    it is about an item and an alert at once.
    """

    event: int  # of the batch
    model: str
    about: str  # the id of the item or of the alert
    reviewer: str
    said: str
    reason: str  # one of REASONS for an alert that was not useful and says why, else empty
    time_ms: int  # when it was given, by its own word


def item_verdicts(batch: Batch, used: Bool, sent_ms: I64, hashed: bool = False) -> list[Verdict]:
    """Those on items, in the order of the log; `sent_ms`: the times that the records themselves have; `hashed`: of
    reviewers no name is kept, but `name_hash`.
    """
    return _verdicts(batch, used, sent_ms, (REVIEWED, ITEM), hashed)


def alert_verdicts(batch: Batch, used: Bool, sent_ms: I64, hashed: bool = False) -> list[Verdict]:
    """Those on alerts that are not about an item as well, in the order of the log."""
    return _verdicts(batch, used & (text_of_event(batch, REVIEWED) < 0), sent_ms, (ALERTED, ALERT), hashed)


def name_hash(name: str) -> str:
    """What stands for a name: XXH3-64 in hex, as of ids. Who has a list of names can find it again."""
    return f"{id_hash(name, ''):016x}" if name else ""


def _verdicts(batch: Batch, used: Bool, sent_ms: I64, kind: tuple[str, dict[str, str]], hashed: bool) -> list[Verdict]:
    role, words = kind
    about, both = text_of_event(batch, role), text_of_event(batch, ALERTED) >= 0
    chosen = np.flatnonzero(used & is_verdict(batch) & (about >= 0))
    if not len(chosen):
        return []
    reviewers, reasons = text_of_event(batch, REVIEWER), text_of_event(batch, REASON)
    texts, numbers = text_of_event(batch, VERDICT), number_of_event(batch, VERDICT)

    def text(codes: I64, event: int) -> str:
        return batch.strings[codes.item(event)] if codes.item(event) >= 0 else ""

    found = []
    for event in chosen.tolist():
        number = numbers.item(event)
        word = plain(text(texts, event)) or (f"{number:g}" if number == number else "")
        name, said = text(reviewers, event), words.get(word, "")
        who = name_hash(name) if hashed else name
        said = "" if not who or (role == REVIEWED and both.item(event)) else said
        why = plain(text(reasons, event)) if said == NOT_USEFUL else ""
        reason = why if why in REASONS else OTHER if why else ""
        what = said, reason, sent_ms.item(event)
        found.append(Verdict(event, batch.strings[batch.model.item(event)], text(about, event), who, *what))
    return found


def plain(text: Any) -> str:
    """
    >>> plain("Not useful"), plain("false-alarm")
    ('not_useful', 'false_alarm')
    """
    return str(text).strip().lower().replace(" ", "_").replace("-", "_")
