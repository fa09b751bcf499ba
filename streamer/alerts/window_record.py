"""Every window that ended, as a record for dashboards: what alerts tell of a few of them, of all."""

from __future__ import annotations

from schemas.records.envelope import HEADERS
from schemas.records.window import WindowFacts, render_window
from streamer.alerts.alert_record import labels_of
from streamer.config import model as cfg
from streamer.monitors.base import Monitor
from streamer.monitors.evidence import told
from streamer.monitors.finding import BREACH, Finding
from streamer.port import Out, Partition


def window_record(
    config: cfg.Config, partition: Partition, monitor: Monitor, finding: Finding, offset: int, generation: int = 0
) -> Out:
    """The record of the window that ended with the event at `offset`."""
    shown = told(finding.evidence)
    facts = WindowFacts(
        labels=labels_of(monitor, finding.row),
        source=config.kafka.group,
        topic=partition[0],
        partition=partition[1],
        offset=offset,
        ended=finding.ended,
        breach=finding.signal == BREACH,
        limit=shown["finding"]["threshold"],
        window=shown["evidence"]["window"] | ({"histogram": finding.histogram} if finding.histogram else {}),
        generation=generation,
    )
    return Out("windows", *render_window(facts), HEADERS)
