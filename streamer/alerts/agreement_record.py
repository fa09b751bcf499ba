"""The alert of a reviewer whose agreement fell: what others say of the same items differs from what this one says more
often than it did. It is the record of all alerts, of a model and a reviewer, but no monitor raises it.
"""

from __future__ import annotations

from dataclasses import dataclass

from detectors.falling import REFERENCE
from streamer.alerts.verdict_alerts import VerdictAlerts, Words

MONITOR = "review.agreement"


@dataclass(slots=True)
class Alarm:
    """One that is open: what the test said when it fired."""

    number: int
    offset: int  # of the event whose verdict made it fire
    time_ms: int
    items: int  # since it fell, as the test has it
    differed: int  # of these, from what most others said
    before: int  # of the first REFERENCE
    others: int  # that this one was compared with
    evidence: float
    fired_ms: int
    alpha: float  # of the test
    sequence: int = 1
    home: int | None = None  # the partition where it opened, where its model has moved to another since


class AgreementAlerts(VerdictAlerts[tuple[str, str], Alarm]):
    """By model and reviewer, as the config lets reviewers be named."""

    monitor, signal, detector, alarm = MONITOR, "agreement", "falling", Alarm
    description = (
        "A reviewer and the others say different things of the same items more often than they did. The chance that"
        " this is told of one who differs no more often than at first is at most alpha, however often one looks. Who"
        " of them is right this does not say; of two reviewers it does not say who changed, either."
    )

    def words(self, key: tuple[str, str], alarm: Alarm) -> Words:
        model, reviewer = key
        agreed = f"agreed with others on {alarm.items - alarm.differed:,} of {alarm.items:,} items"
        at_first = f"at first on {REFERENCE - alarm.before} of {REFERENCE}"
        alone = "" if alarm.others > 1 else " (one other reviewer, so it may be that one who changed)"
        found = alarm.evidence, 2.0 / alarm.alpha, alarm.items, alarm.differed, alarm.alpha
        return Words({"model": model, "reviewer": reviewer}, f"{model}: {reviewer} {agreed}, {at_first}{alone}", *found)
