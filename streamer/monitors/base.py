"""What all monitors at work have in common."""

from __future__ import annotations

from typing import Any

from schemas.records.alert import LEVEL_ENDS_MS, Form, Identity
from streamer.config import model as cfg
from streamer.monitors.evidence import annotations_of, detector_of
from streamer.series.table import SeriesTable


class MonitorBase:
    """A monitor's place in the config, its table, and what its alerts repeat."""

    hold_ms = LEVEL_ENDS_MS
    """How long after its last sign an alert ends by itself for who hears no more of it."""

    def __init__(self, order: int, name: str, config: cfg.Monitor, table: SeriesTable) -> None:
        self.order, self.name, self.config, self.table = order, name, config, table
        self.annotations, self.detector = annotations_of(config), detector_of(config)
        self.forms: dict[str, Form] = {}  # of its alert records
        self.identities: dict[int, Identity] = {}  # of the rows that had an alert
        self.writer: Any = None  # what writes those of edges, in the compiled core
