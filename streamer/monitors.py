"""Monitors at work: one bank (or window set) per monitor of the config, fed with its table's columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import orjson

from detectors import Bank, make_bank
from detectors.history import Recent
from detectors.reference import Judged, Learned
from detectors.windows import FractionWindows, Window, wilson
from schemas.alert import Identity, rfc3339
from schemas.batch import Batch
from streamer import config as cfg
from streamer.alerting import BREACH, CLEAR, DRIFT, Finding
from streamer.series import SeriesTable
from streamer.signals import Column

DIRECTIONS: dict[str, int] = {"up": 1, "down": -1}
DIRECTION_NAMES = {1: "up", -1: "down", 0: "unknown"}
Evidence = dict[str, Any]


class Edge(NamedTuple):
    """A hit of a bank: which value of the column, and what the detector says of it."""

    place: int
    monitor: EdgeMonitor
    direction: int  # 0 = unknown to the detector
    statistic: float
    threshold: float


def annotations_of(config: cfg.Monitor) -> dict[str, str]:
    """What the user wrote for the reader of an alert."""
    chosen = {"description": config.description, "runbook_url": config.runbook_url}
    return {name: text for name, text in chosen.items() if text}


def detector_of(config: cfg.Monitor) -> orjson.Fragment:
    """The detector as alerts show it."""
    detect = config.detect
    shown = {"kind": detect.kind, "params": detect.shown(), "scale_free": not detect.raw}
    return orjson.Fragment(orjson.dumps(shown))


class EdgeMonitor:
    """A drift detector over the standardised values (or, `raw`, the values as they are) of one table."""

    def __init__(self, order: int, name: str, config: cfg.Monitor, table: SeriesTable) -> None:
        assert not isinstance(config.detect, cfg.DetectFraction)
        self.order, self.name, self.config, self.table = order, name, config, table
        self.bank: Bank = make_bank(config.detect.params())
        self.raw = config.detect.raw
        self.annotations, self.detector = annotations_of(config), detector_of(config)
        self.identities: dict[int, Identity] = {}  # of the rows that had an alert

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


class LevelMonitor:
    """The share of ones in tumbling windows, as a level with hysteresis: breach above `max`, clear below `clear`."""

    def __init__(self, order: int, name: str, config: cfg.Monitor, table: SeriesTable, lateness_ms: int) -> None:
        assert isinstance(config.detect, cfg.DetectFraction)
        self.order, self.name, self.config, self.table = order, name, config, table
        self.detect = config.detect
        self.windows = FractionWindows(config.windows.events, config.windows.time_ms, lateness_ms)
        self.annotations, self.detector = annotations_of(config), detector_of(config)
        self.identities: dict[int, Identity] = {}  # of the rows that had an alert
        self.last: dict[int, Window] = {}  # newest closed window per row, for the metrics; not state

    def findings(self, batch: Batch, column: Column) -> list[Finding]:
        self.windows.resize(len(self.table.keys))
        offsets, times = batch.offsets[column.events], batch.times_ms[column.events]
        found = []
        for window in self.windows.update(column.rows, column.values, offsets, times, list(column.reasons)):
            self.last[window.row] = window
            signal = self._verdict(window)
            if signal is not None:
                event = int(column.events[window.closed_by])
                found.append(
                    Finding(event, self.order, window.row, signal, self._evidence(window, int(batch.offsets[event])))
                )
        return found

    def _verdict(self, window: Window) -> str | None:
        detect = self.detect
        if window.n < detect.min_count:
            return None
        fraction = window.hits / window.n
        if fraction > detect.max:
            return BREACH
        return CLEAR if fraction <= detect.clear_below else None

    def _evidence(self, window: Window, offset: int) -> Evidence:
        low, high = wilson(window.hits, window.n)
        fraction, reference = window.hits / window.n, self.table.reference
        before = reference_evidence(reference.at(window.row), reference.warmup, offset)
        shown = {
            "n": window.n,
            "count": window.hits,
            "fraction": fraction,
            "interval": [low, high],
            "reasons": [{"reason": reason, "count": count} for reason, count in window.reasons],
            **span(window.first_offset, window.last_offset, window.start_ms, window.end_ms),
        }
        return evidence(1, fraction, self.detect.max, before, None, shown)

    def dump(self) -> Any:
        return self.windows.dump()

    def load(self, state: Any) -> None:
        self.windows.resize(len(self.table.keys))
        self.windows.load(state)


Monitor = EdgeMonitor | LevelMonitor


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
    references = [table.reference.at(row) for row in rows]
    marks = np.array([edge.place for edge in edges], np.int64)
    recents = table.remember(batch, column, judged, marks, np.array([r.mean - r.centre for r in references]))
    for edge, row, learned, recent in zip(edges, rows, references, recents, strict=True):
        event = int(column.events[edge.place])
        before = reference_evidence(learned, table.reference.warmup, int(batch.offsets[event]))
        finding = _edge_finding(edge, event, row, before, recent_evidence(recent, learned.centre))
        if finding is not None:
            found.append(finding)
    return found


def _edge_finding(
    edge: Edge, event: int, row: int, before: dict[str, Any] | None, after: dict[str, Any] | None
) -> Finding | None:
    direction = edge.direction
    if direction == 0 and before and after:
        direction = (after["mean"] > before["mean"]) - (after["mean"] < before["mean"])
    wanted = DIRECTIONS.get(edge.monitor.config.detect.direction)
    if wanted is not None and direction != wanted:
        return None
    shown = evidence(direction, edge.statistic, edge.threshold, before, after, None)
    return Finding(event, edge.monitor.order, row, DRIFT, shown)


Part = dict[str, Any] | None


def evidence(direction: int, statistic: float, threshold: float, before: Part, after: Part, window: Part) -> Evidence:
    """What an alert will show of a finding. How far the mean moved is told in units of the signal and in standard
    deviations of the reference.
    """
    now = window["fraction"] if window else after["mean"] if after else None
    moved = now - before["mean"] if before and now is not None else None
    deviations = moved / before["std"] if before and moved is not None and before["std"] > 0 else None
    finding = {
        "statistic": statistic,
        "threshold": threshold,
        "direction": DIRECTION_NAMES[direction],
        "effect": {"absolute": moved, "deviations": deviations},
    }
    return {"finding": finding, "evidence": {"before": before, "after": after, "window": window}}


def span(first_offset: int, last_offset: int, from_ms: int, to_ms: int) -> dict[str, Any]:
    """Where in event time and in the log something was seen."""
    return {"offsets": [first_offset, last_offset], "from": rfc3339(from_ms), "to": rfc3339(to_ms)}


def reference_evidence(learned: Learned, warmup: int, offset: int) -> dict[str, Any] | None:
    """The reference of a row in raw units, None while it was still being learned at `offset`.

    The whole batch has passed the reference by now, so that it is ready says nothing of an event in the middle.
    """
    if learned.n < warmup or learned.last_offset > offset:
        return None
    return {
        "n": learned.n,
        "mean": learned.mean,
        "std": learned.std,
        **span(learned.first_offset, learned.last_offset, learned.first_time_ms, learned.last_time_ms),
    }


def recent_evidence(recent: Recent | None, centre: float) -> dict[str, Any] | None:
    """The newest values of a row, cut where they depart from the reference the most."""
    if recent is None:
        return None
    return {
        "n": recent.n,
        "mean": recent.mean + centre,
        "std": recent.std,
        **span(recent.first_offset, recent.last_offset, recent.first_time_ms, recent.last_time_ms),
    }


def make_monitors(config: cfg.Config, table_of: Callable[[cfg.Monitor], SeriesTable]) -> dict[str, Monitor]:
    """The monitors of the config by name, in its order."""
    made: dict[str, Monitor] = {}
    for order, (name, monitor) in enumerate(config.effective_monitors().items()):
        table = table_of(monitor)
        if monitor.detect.kind == "fraction":
            made[name] = LevelMonitor(order, name, monitor, table, config.limits.lateness_ms)
        else:
            made[name] = EdgeMonitor(order, name, monitor, table)
    return made
