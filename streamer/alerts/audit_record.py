"""The alert of an audit: a model is wrong more often, where it is least confident, than it says of itself. It is the
record of all alerts, of a model, but no monitor raises it.

It is told again as all are, and over when the verdicts that it rests on are out of date: after so long a new test
begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from detectors.counts import clopper_pearson
from schemas.records import alert as wire
from streamer.alerts.lifecycle import REPEATS_KEPT
from streamer.alerts.own_record import Kind, Told, finding_of, own_record
from streamer.config import model as cfg
from streamer.monitors.evidence import span
from streamer.port import Out, Partition

MONITOR, SIGNAL = "review.audit", "audited_error"
"""What stands for a monitor: the config key, which no monitor can be called."""
DESCRIPTION = (
    "People found more of the looked-at predictions wrong than the model's confidence says. The chance that this is"
    " told of a model that is no worse than it says is at most alpha, however often one looks."
)


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


class AuditAlerts:
    """Those of one partition, by model. `emitted`: alerts by status and severity, for the metrics."""

    def __init__(
        self,
        config: cfg.Config,
        partition: Partition,
        generation: int,
        ttl_ms: int,
        emitted: dict[tuple[str, str], int],
    ) -> None:
        self.config, self.partition, self.generation, self.emitted = config, partition, generation, emitted
        self.ttl_ms = ttl_ms
        self.severity, self.repeat_ms = config.alerts_of_records
        self.open: dict[str, Alarm] = {}
        self.numbers: dict[str, int] = {}

    def fire(self, model: str, alarm: Alarm, offset: int) -> Out:
        self.open[model] = alarm
        self.numbers[model] = alarm.number
        return self._record(model, alarm, "firing", offset, alarm.fired_ms)

    def tick(self, offset: int, clock_ms: int) -> tuple[list[Out], list[str]]:
        """What is told again, and the models of which it is over."""
        outs, over = list[Out](), list[str]()
        for model, alarm in list(self.open.items()):
            if clock_ms >= alarm.fired_ms + self.ttl_ms:
                del self.open[model]
                alarm.sequence += 1
                over.append(model)
                outs.append(self._record(model, alarm, "resolved", offset, clock_ms))
            elif (clock_ms - alarm.fired_ms) // self.repeat_ms >= alarm.sequence:
                alarm.sequence = (clock_ms - alarm.fired_ms) // self.repeat_ms + 1
                outs.append(self._record(model, alarm, "renewed", offset, clock_ms))
        return outs, over

    def _record(self, model: str, alarm: Alarm, status: str, offset: int, time_ms: int) -> Out:
        told = status, self.severity
        self.emitted[told] = self.emitted.get(told, 0) + 1
        kind = Kind(self.severity, {"kind": "audit", "params": {"alpha": alarm.alpha}, "scale_free": True}, DESCRIPTION)
        facts = self._told(model, alarm, status, (offset, time_ms))
        return own_record(self.config, self._opened_in(alarm), self.generation, kind, facts)

    def _opened_in(self, alarm: Alarm) -> Partition:
        """Whose id it keeps."""
        return self.partition if alarm.home is None else (self.partition[0], alarm.home)

    def _told(self, model: str, alarm: Alarm, status: str, at: tuple[int, int]) -> Told:
        topic, number = self._opened_in(alarm)
        where, over = f"{topic}[{number}]", status == "resolved"
        at = at if alarm.home is None else (alarm.offset, at[1])
        labels = {"model": model, "monitor": MONITOR, "detector": "audit", "signal": SIGNAL, "partition": where}
        return Told(
            own=wire.identity(labels, self.severity),
            opened=(alarm.offset, alarm.time_ms),
            place=f"{alarm.offset}.{alarm.number}",
            first_offset=alarm.offset,
            changed=at,
            ends_ms=at[1] if over else at[1] + REPEATS_KEPT * self.repeat_ms,
            sequence=alarm.sequence,
            number=alarm.number,
            detections=1,
            finding=self._finding(alarm),
            sentence=self._sentence(model, alarm, status, where),
            how="faded" if over else None,
        )

    def _finding(self, alarm: Alarm) -> dict[str, Any]:
        window = {
            "n": alarm.verdicts,
            "count": alarm.wrong,
            "fraction": alarm.wrong / alarm.verdicts,
            "interval": list(clopper_pearson(alarm.wrong, alarm.verdicts)),
            "reasons": [],
            **span(alarm.offset, alarm.offset, alarm.time_ms, alarm.time_ms),
        }
        return finding_of(min(alarm.evidence, 1e300), 1.0 / alarm.alpha, window)

    def _sentence(self, model: str, alarm: Alarm, status: str, where: str) -> str:
        became = {"firing": "found", "renewed": "still open, was found", "resolved": "over, was found"}[status]
        said = f"{model}: of {alarm.verdicts:,} looked-at predictions {alarm.wrong:,} were wrong"
        expected = f"its confidence says {alarm.expected:.1f}"
        return f"{said}, {expected}; {became} by {MONITOR} at {where}@{alarm.offset}."

    def dump(self) -> dict[str, Any]:
        names = Alarm.__slots__
        return {
            "numbers": list(self.numbers.items()),
            "open": [[model, [getattr(alarm, name) for name in names]] for model, alarm in self.open.items()],
        }

    def load(self, state: dict[str, Any]) -> None:
        self.numbers = {str(model): int(number) for model, number in state["numbers"]}
        self.open = {str(model): Alarm(*values) for model, values in state["open"]}
