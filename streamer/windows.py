"""Every window that ended, as a record for dashboards: what alerts tell of a few of them, of all."""

from __future__ import annotations

from schemas.envelope import HEADERS
from schemas.window import WindowFacts, render_window
from streamer import config as cfg
from streamer.alerting import BREACH, AnyFinding
from streamer.evidence import told
from streamer.explain import labels_of
from streamer.log import Out, Partition
from streamer.monitors import Monitor


def window_record(config: cfg.Config, partition: Partition, monitor: Monitor, finding: AnyFinding, offset: int) -> Out:
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
        window=shown["evidence"]["window"],
    )
    return Out("windows", *render_window(facts), HEADERS)
