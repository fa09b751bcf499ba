"""The record of an alert that no monitor raises, such as of records that cannot be used, or of an audit: the record of
all alerts, whose facts come from elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from schemas.records import alert as wire
from schemas.records.envelope import HEADERS
from streamer.config import model as cfg
from streamer.monitors.evidence import evidence
from streamer.port import Out, Partition


class Told(NamedTuple):
    """What one such record tells."""

    own: wire.Identity
    opened: tuple[int, int]  # offset and time
    place: str  # where it opened, as ids have it
    first_offset: int
    changed: tuple[int, int]  # offset and time of what caused the record
    ends_ms: int
    sequence: int
    number: int
    detections: int
    finding: dict[str, Any]
    sentence: str
    how: str | None  # it ended; None while it is open


class Kind(NamedTuple):
    """What all records of such an alert have in common. `members`: of `data`, beyond those of `wire.RECORD`."""

    severity: str
    detector: dict[str, Any]
    description: str
    members: Sequence[str] = ("resolution", "level")


def finding_of(statistic: float, threshold: float, window: dict[str, Any]) -> dict[str, Any]:
    """A window that is beyond a limit, as evidence."""
    told = evidence(1, statistic, threshold, None, None, window)
    return {**told["finding"], "evidence": told["evidence"]}


def own_record(
    config: cfg.Config, partition: Partition, generation: int, kind: Kind, told: Told, more: Mapping[str, Any] = {}
) -> Out:
    """The record. `more`: of the members of its kind those that others do not have."""
    source = wire.Source(config.kafka.group, config.config_hash, *partition, generation, config.file)
    template = wire.template(tuple(kind.members))
    forms = wire.forms(template, kind.severity, {"description": kind.description}, kind.detector, source)
    form = forms["firing" if told.how is None else "resolved"]
    facts = _facts(partition, told) | {name: wire.written(value) for name, value in more.items()}
    return Out("alerts", facts["fingerprint"].encode(), wire.render(form, facts), HEADERS)


def _facts(partition: Partition, told: Told) -> dict[str, str]:
    offset, began_ms = told.opened
    changed, changed_ms = told.changed
    return {
        "fingerprint": told.own.fingerprint,
        "subject": told.own.subject,
        "labels": told.own.shown,
        "trigger_topic": wire.inner(partition[0]),
        "trigger_partition": str(partition[1]),
        "trigger_offset": str(offset),
        "trigger_place": told.place,
        "began": wire.rfc3339(began_ms),
        "finding": wire.inner(told.finding),
        "first_offset": str(told.first_offset),
        "sequence": str(told.sequence),
        "ordinal": f"{told.sequence:010d}",
        "changed_offset": str(changed),
        "changed": wire.rfc3339(changed_ms),
        "ends": wire.rfc3339(told.ends_ms),
        "number": str(told.number),
        "detections": str(told.detections),
        "suppressed": "0",
        "sentence": wire.inner(told.sentence),
        "end_offset": str(changed + 1),
        "resolution": wire.written(None if told.how is None else {"how": told.how}),
        "history": "",
        "level": "null",
    }
