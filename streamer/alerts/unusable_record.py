"""Alerts of records that cannot be used, as they cross Kafka: the record of all alerts, but of a partition and
not of a model.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from detectors.windows import wilson
from schemas.events.batch import Batch
from schemas.records import alert as wire
from streamer.alerts.own_record import Kind, finding_of, own_record
from streamer.alerts.own_record import Told as OwnTold
from streamer.alerts.unusable import DUPLICATE, LATE, MONITOR, REJECTED, Episode, Found, Told, Unusable, Unused
from streamer.config import model as cfg
from streamer.monitors.evidence import span
from streamer.port import Out, Partition, Tick
from streamer.signals.columns import Bool

ALERTNAMES = {REJECTED: "RecordsUnusable", LATE: "RecordsLate", DUPLICATE: "RecordsDuplicate"}
DID = {
    REJECTED: "cannot be read and went to the dead letters",
    LATE: "came too late (limits.lateness) and were not used",
    DUPLICATE: "repeat the id of an event that was used before, and were not used again",
}
TO_DO = {
    REJECTED: "No monitor sees these records. Each is in the topic {dead_letter} as it was, with reason and place.",
    LATE: "No monitor sees these events: they are older than their model's newest one by more than {lateness} s. Is a"
    " producer's clock wrong, or is it sending the past? Else raise limits.lateness.",
    DUPLICATE: "Each event counts once all the same. A producer sends again what it has sent, as in a storm of retries:"
    " see its timeouts. Or it gives different events one event_id: then the later ones are lost to every monitor.",
}
MEMBERS = ("resolution", "level", "records")
"""Of `data`, beyond those of `wire.RECORD`."""


def where(partition: Partition) -> str:
    return f"{partition[0]}[{partition[1]}]"


def found_in_words(partition: Partition, what: str, found: Found) -> str:
    """What opened an alert: how many, why, the first of them and what it looks like."""
    at, first = where(partition), found.first
    why = ", ".join(f"{reason} {count:,}" for reason, count in found.reasons) if what == REJECTED else ""
    detail = f" ({first.detail})" if first.detail else ""
    hint = f"; it looks like {first.hint}" if first.hint else ""
    told = f"{at}: {found.bad:,} of {found.consumed:,} records {DID[what]}{f' ({why})' if why else ''}"
    return f"{told}; the first: {at}@{first.offset}, {first.reason}{detail}{hint}"


def state_in_words(partition: Partition, what: str, episode: Episode) -> str:
    """An open alert, for readiness and log."""
    assert episode.found is not None
    count, consumed = episode.now
    now = f"; now {count:,} of {consumed:,}" if episode.detections > 1 else ""
    return f"{found_in_words(partition, what, episode.found)}{now}"


class RecordAlerts:
    """The alerts of one partition about its records: the account decides, and what it tells is written at once, since
    it is rare. `emitted`: alerts by status and severity, for the metrics.
    """

    def __init__(
        self, config: cfg.Config, partition: Partition, generation: int, emitted: dict[tuple[str, str], int]
    ) -> None:
        self.config, self.partition, self.generation, self.emitted = config, partition, generation, emitted
        self.severity, repeat_ms = config.alerts_of_records
        self.account = Unusable(config.limits.unusable, repeat_ms)

    def take(self, batch: Batch, used: Bool, unused: Unused, clock_ms: int, refused: Bool | None = None) -> list[Out]:
        """See `Unusable.take`. Of the `refused` events, whose owners opted out, nothing is kept."""
        if refused is not None and refused.any():
            stays = ~refused
            batch = replace(batch, offsets=batch.offsets[stays], times_ms=batch.times_ms[stays])
            places = np.cumsum(stays) - 1
            used, unused = used[stays], {what: places[events] for what, events in unused.items()}
        return self._written(self.account.take(batch, used, unused, clock_ms))

    def tick(self, since_ms: int, tick: Tick) -> list[Out]:
        """A tick; `since_ms`: when the one before was, or its own time."""
        passed_ms = max(tick.time_ms - since_ms, 0)
        return self._written(self.account.tick(passed_ms, tick.time_ms, self.config.heartbeat.interval_ms))

    def _written(self, told: list[Told]) -> list[Out]:
        for one in told:
            kind = one.status, self.severity
            self.emitted[kind] = self.emitted.get(kind, 0) + 1
        return [self.record(one) for one in told]

    def record(self, told: Told) -> Out:
        """The record of one alert that opened, is told again or is over. A function of state, offsets and config."""
        config = self.config
        said = TO_DO[told.what].format(
            dead_letter=config.topics.own()["dead_letter"], lateness=f"{config.limits.lateness_ms / 1000:g}"
        )
        detector = {"kind": "unusable", "params": {"bound": config.limits.unusable}, "scale_free": True}
        kind, more = Kind(self.severity, detector, said, MEMBERS), {"records": self._records(told)}
        return own_record(config, self.partition, self.generation, kind, self._told(told), more)

    def _told(self, told: Told) -> OwnTold:
        found, at = told.found, where(self.partition)
        labels = {"monitor": MONITOR, "signal": told.what, "topic": self.partition[0], "partition": at}
        return OwnTold(
            own=wire.identity(labels, self.severity, ALERTNAMES[told.what], f"partition/{at}/monitor/{MONITOR}"),
            opened=(found.offset, found.time_ms),
            place=str(found.offset),
            first_offset=found.span[0],
            changed=(told.offset, told.time_ms),
            ends_ms=told.ends_ms,
            sequence=told.sequence,
            number=told.number,
            detections=told.detections,
            finding=self._finding(found),
            sentence=self._sentence(told),
            how="recovered" if told.status == "resolved" else None,
        )

    def _finding(self, found: Found) -> dict[str, Any]:
        share = found.bad / found.consumed
        window = {
            "n": found.consumed,
            "count": found.bad,
            "fraction": share,
            "interval": list(wilson(found.bad, found.consumed)),
            "reasons": [{"reason": reason, "count": count} for reason, count in found.reasons],
            **span(*found.span),
        }
        return finding_of(share, self.config.limits.unusable, window)

    def _records(self, told: Told) -> dict[str, Any]:
        """What only these alerts have."""
        first, (count, consumed) = told.found.first, told.now
        topic, number = self.partition
        place = {"topic": topic, "partition": number, "offset": first.offset}
        known = {"reason": first.reason, "detail": first.detail, "hint": first.hint}
        return {"first": {**place, **known}, "now": {"n": consumed, "count": count}}

    def _sentence(self, told: Told) -> str:
        count, consumed = told.now
        now = f" (now {count:,} of {consumed:,})"
        became = {"firing": "found", "renewed": f"still so{now}, was found", "resolved": f"over{now}, was found"}
        said = found_in_words(self.partition, told.what, told.found)
        return f"{said}; {became[told.status]} by {MONITOR} at {where(self.partition)}@{told.found.offset}."
