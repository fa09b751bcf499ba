"""The alert book of a task: the one of `alerting.py`, or the same in the compiled core."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schemas.core import native
from schemas.events.batch import Batch
from streamer.alerts.lifecycle import (
    ALERT_FIELDS,
    AlertBook,
    AnyFinding,
    AnyNotice,
    Finding,
    FirstOffset,
    Moment,
    Policy,
    alert_of,
    in_one_line,
    notice_of,
)
from streamer.signals.grammar import I64, Bool


class CompiledBook:
    """`AlertBook` in the compiled core, which makes no object of Python per finding."""

    def __init__(self, policies: dict[str, Policy], first_offset: FirstOffset) -> None:
        assert native is not None
        self.order = {name: place for place, name in enumerate(policies)}
        self.core = native.AlertBook([(name, *policy) for name, policy in policies.items()], first_offset)

    def __repr__(self) -> str:
        return in_one_line(self.dump())

    @property
    def detections(self) -> dict[str, int]:
        found: dict[str, int] = self.core.detections()
        return found

    def decide(self, batch: Batch, used: Bool, now: I64, findings: Sequence[AnyFinding]) -> list[AnyNotice]:
        places = batch.offsets, batch.times_ms, now
        return list(map(noticed, self.core.decide(batch.model, used, places, batch.strings, findings)))

    def apply(self, finding: Finding, model: str, at: Moment) -> list[AnyNotice]:
        return list(map(noticed, self.core.apply(finding, model, at)))

    def counts(self) -> dict[tuple[str, str, str], int]:
        found: dict[tuple[str, str, str], int] = self.core.counts()
        return found

    def dump(self) -> list[dict[str, Any]]:
        return [dict(zip(ALERT_FIELDS, alert, strict=True)) for alert in self.core.dump()]

    def load(self, state: list[dict[str, Any]]) -> None:
        for item in state:
            alert = alert_of(item)
            if alert.monitor in self.order:
                rest = tuple(getattr(alert, name) for name in ALERT_FIELDS[1:])
                self.core.load(self.order[alert.monitor], rest)


def noticed(given: Any) -> AnyNotice:
    """Notices of edges stay in the core, which writes their records, too; of others it gives the plain data."""
    found: AnyNotice = notice_of(given) if isinstance(given, tuple) else given
    return found


def make_book(policies: dict[str, Policy], first_offset: FirstOffset) -> AlertBook | CompiledBook:
    return AlertBook(policies, first_offset) if native is None else CompiledBook(policies, first_offset)
