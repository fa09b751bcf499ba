"""Monitors at work: one bank (or window set) per monitor of the config, fed with its table's columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from detectors import Bank, make_bank
from detectors.reference import Judged
from schemas.events.batch import Batch
from streamer.alerts.lifecycle import DRIFT, Finding
from streamer.config import model as cfg
from streamer.config.detect import (
    Counted,
    DetectAge,
    DetectDistribution,
    DetectLevel,
    DetectSilence,
    DetectTrend,
)
from streamer.monitors.base import MonitorBase
from streamer.monitors.evidence import edge_of
from streamer.monitors.levels import AggregateMonitor
from streamer.monitors.silence import AgeMonitor, SilenceMonitor
from streamer.monitors.windowed import DistributionMonitor, FractionMonitor
from streamer.series.sources import Rule
from streamer.series.table import SeriesTable
from streamer.signals.grammar import Column

LevelDetect = Counted | DetectDistribution | DetectLevel | DetectTrend | DetectSilence | DetectAge

DIRECTIONS: dict[str, int] = {"up": 1, "down": -1}


class Edge(NamedTuple):
    """A hit of a bank: which value of the column, and what the detector says of it."""

    place: int
    monitor: EdgeMonitor
    direction: int  # 0 = unknown to the detector
    statistic: float
    threshold: float


class EdgeMonitor(MonitorBase):
    """A drift detector over the standardised values (or, `raw`, the values as they are) of one table."""

    def __init__(self, order: int, name: str, config: cfg.Monitor, table: SeriesTable) -> None:
        assert not isinstance(config.detect, LevelDetect)
        super().__init__(order, name, config, table)
        self.bank: Bank = make_bank(config.detect.params())
        self.raw = config.detect.raw
        self.wanted = DIRECTIONS.get(config.detect.direction)
        self.hold_ms = config.keep_firing_for_ms

    def edges(self, column: Column, judged: Judged) -> list[Edge]:
        """Edges of this column, ascending."""
        self.bank.resize(len(self.table.keys))
        if self.raw or judged.ready.all():
            found = self.bank.update(column.rows, column.values if self.raw else judged.z)
            places = found.place
        else:
            chosen = np.flatnonzero(judged.ready)
            found = self.bank.update(column.rows[chosen], judged.z[chosen])
            places = chosen[found.place]
        if not len(places):
            return []
        columns = (places, found.direction, found.statistic, found.threshold)
        return [Edge(place, self, *rest) for place, *rest in zip(*(c.tolist() for c in columns), strict=True)]

    def dump(self) -> Any:
        return self.bank.dump()

    def load(self, state: Any) -> None:
        self.bank.resize(len(self.table.keys))
        self.bank.load(state)


WINDOWED = FractionMonitor | DistributionMonitor | AggregateMonitor
Monitor = EdgeMonitor | FractionMonitor | DistributionMonitor | AggregateMonitor | SilenceMonitor | AgeMonitor


def step_table(
    batch: Batch, table: SeriesTable, column: Column, judged: Judged, monitors: list[Monitor]
) -> list[Finding]:
    """Feed one column to the monitors of its table; the evidence of an edge stands at its event, whatever follows."""
    edges: list[Edge] = []
    found: list[Finding] = []
    for monitor in monitors:
        if isinstance(monitor, EdgeMonitor):
            edges += monitor.edges(column, judged)
        else:
            found += monitor.findings(batch, column)
    edges.sort(key=lambda e: (e.place, e.monitor.order))
    rows = [int(column.rows[edge.place]) for edge in edges]
    references = [table.learned(row) for row in rows]
    marks = np.array([edge.place for edge in edges], np.int64)
    recents = table.remember(batch, column, judged, marks, np.array([r.mean - r.centre for r in references]))
    for edge, row, recent in zip(edges, rows, recents, strict=True):
        said = edge.direction, edge.statistic, edge.threshold
        event = int(column.events[edge.place])
        told = edge_of(table, row, int(batch.offsets[event]), said, recent)
        if edge.monitor.wanted in (None, told[0]):
            found.append(Finding(event, edge.monitor.order, row, DRIFT, told))
    return found


LEVELS: dict[str, Callable[[cfg.Config, int, str, cfg.Monitor, SeriesTable, Rule | None], Monitor]] = {
    # Kinds of `detect` whose findings are verdicts; all others find edges.
    "fraction": lambda c, order, name, m, table, _: FractionMonitor(order, name, m, table, c.limits.lateness_ms),
    "share": lambda c, order, name, m, table, _: FractionMonitor(order, name, m, table, c.limits.lateness_ms),
    "distribution": lambda c, order, name, m, table, _: DistributionMonitor(order, name, m, table),
    "level": lambda c, order, name, m, table, rule: AggregateMonitor(order, name, m, table, rule),
    "trend": lambda c, order, name, m, table, rule: AggregateMonitor(order, name, m, table, rule),
    "age": lambda c, order, name, m, table, rule: AgeMonitor(order, name, m, table, rule),
    "silence": lambda c, order, name, m, table, rule: SilenceMonitor(order, name, m, table, rule),
}


def make_monitors(
    config: cfg.Config, made_of: Callable[[cfg.Monitor], tuple[SeriesTable, Rule | None]]
) -> dict[str, Monitor]:
    """The monitors of the config by name, in its order; `made_of` gives a monitor's table and what makes its values."""
    made: dict[str, Monitor] = {}
    for order, (name, monitor) in enumerate(config.effective_monitors().items()):
        table, rule = made_of(monitor)
        level = LEVELS.get(monitor.detect.kind)
        made[name] = (
            level(config, order, name, monitor, table, rule) if level else EdgeMonitor(order, name, monitor, table)
        )
    return made
