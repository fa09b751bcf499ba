"""The alert of an audit: a model is wrong more often, where it is least confident, than it says of itself. It is the
record of all alerts, of a model, but no monitor raises it.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamer.alerts.verdict_alerts import VerdictAlerts, Words
from streamer.config.review import CALIBRATION

MONITOR = "review.audit"


@dataclass(slots=True)
class Alarm:
    """One that is open: what the test said when it fired."""

    number: int
    offset: int  # of the event whose verdict made it fire
    time_ms: int
    verdicts: int
    wrong: int
    expected: float  # wrong ones, by what the model says
    evidence: float
    fired_ms: int
    alpha: float  # of the test
    sequence: int = 1
    home: int | None = None  # the partition where it opened, where its model has moved to another since


class AuditAlerts(VerdictAlerts[str, Alarm]):
    """By model."""

    monitor, signal, detector, alarm = MONITOR, "audited_error", "audit", Alarm
    description = (
        "People found more of the looked-at predictions wrong than the model's confidence says, or labels said of it."
        " The chance that this is told of a model that is no worse than it says is at most alpha, however often one"
        " looks."
    )

    def words(self, key: str, alarm: Alarm) -> Words:
        review = self.config.review
        learned = review is not None and review.audit is not None and review.audit.against == CALIBRATION
        said = f"{key}: of {alarm.verdicts:,} looked-at predictions {alarm.wrong:,} were wrong"
        expected = f"{'its labels said at most' if learned else 'its confidence says'} {alarm.expected:.1f}"
        found = alarm.evidence, 1.0 / alarm.alpha, alarm.verdicts, alarm.wrong, alarm.alpha
        return Words({"model": key}, f"{said}, {expected}", *found)
