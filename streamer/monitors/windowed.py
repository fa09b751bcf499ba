"""Monitors whose findings are verdicts over windows: a share of ones, and a distribution against its reference."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from detectors import make_distribution
from detectors.counts import clopper_pearson, fisher
from detectors.distances import distance, surprise
from detectors.distribution import Closed
from detectors.windows import FractionWindows, Window, wilson
from schemas.events.batch import Batch
from streamer.alerts.lifecycle import BREACH, CLEAR, NEITHER, Finding
from streamer.config import model as cfg
from streamer.config.detect import Counted, DetectDistribution, DetectFraction
from streamer.monitors.base import MonitorBase
from streamer.monitors.evidence import Evidence, before_of, evidence, span
from streamer.monitors.window_outcomes import Verdicts, note, plain, verdicts_of
from streamer.series.table import SeriesTable
from streamer.signals.categories import CODES
from streamer.signals.grammar import Column

MOVED_TOLD = 3


class Judgement(NamedTuple):
    """What a window says: BREACH, CLEAR or NEITHER; which way (1 up, -1 down); the share that was the limit."""

    signal: str
    direction: int
    limit: float


class FractionMonitor(MonitorBase):
    """The share of ones in tumbling windows, as a level: against a limit (`fraction`, with hysteresis: breach above
    `max`, clear below `clear`), or against that of the reference (`share`).
    """

    def __init__(self, order: int, name: str, config: cfg.Monitor, table: SeriesTable, lateness_ms: int) -> None:
        assert isinstance(config.detect, Counted)
        super().__init__(order, name, config, table)
        self.detect = config.detect
        self.windows = FractionWindows(config.windows.events, config.windows.time_ms, lateness_ms)
        self.last: dict[int, Window] = {}  # newest closed window per row, for the metrics; not state
        self.verdicts: Verdicts = {}

    def findings(self, batch: Batch, column: Column) -> list[Finding]:
        self.windows.resize(len(self.table.keys))
        offsets, times = batch.offsets[column.events], batch.times_ms[column.events]
        found = []
        for window in self.windows.update(column.rows, column.values, offsets, times, list(column.reasons)):
            self.last[window.row] = window
            judged = None if window.late else self._judge(window)
            ended = "late" if window.late else "insufficient" if judged is None else "evaluated"
            model = self.table.keys[window.row][0][0]
            note(self.verdicts, model, ended)
            note(self.verdicts, model, "skipped", window.skipped)
            event = int(column.events[window.closed_by])
            signal = judged.signal if judged is not None else NEITHER
            shown = self._evidence(window, judged, int(batch.offsets[event]))
            found.append(Finding(event, self.order, window.row, signal, shown, ended))
        return found

    def _judge(self, window: Window) -> Judgement | None:
        """None where there is too little for a verdict."""
        detect, fraction = self.detect, window.hits / window.n
        if window.n < detect.min_count:
            return None
        if isinstance(detect, DetectFraction):
            below = CLEAR if fraction <= detect.clear_below else NEITHER
            return Judgement(BREACH if fraction > detect.max else below, 1, detect.max)
        learned = self.table.learned(window.row)
        if learned.n < self.table.reference.warmup or window.first_offset <= learned.last_offset:
            return None
        up = fraction > learned.mean
        limit = learned.mean * (1.0 + detect.change if up else 1.0 - detect.change)
        ones = round(learned.mean * learned.n)
        counts = (window.hits, ones) if up else (window.n - window.hits, learned.n - ones)
        chance = fisher(counts[0], window.n, counts[1], learned.n)
        wanted = {"up": up, "down": not up, "both": True}[detect.direction]
        far = fraction > limit if up else fraction < limit
        sides = 2.0 if detect.direction == "both" else 1.0
        breach = wanted and far and chance * sides < detect.chance
        return Judgement(BREACH if breach else CLEAR, 1 if up else -1, limit)

    def _evidence(self, window: Window, judged: Judgement | None, offset: int) -> Evidence:
        interval = wilson if isinstance(self.detect, DetectFraction) else clopper_pearson
        low, high = interval(window.hits, window.n)
        fraction = window.hits / window.n
        before = before_of(self.table, window.row, offset)
        shown = {
            "n": window.n,
            "count": window.hits,
            "fraction": fraction,
            "interval": [low, high],
            "reasons": [{"reason": reason, "count": count} for reason, count in window.reasons],
            **span(window.first_offset, window.last_offset, window.start_ms, window.end_ms),
        }
        direction, limit = (judged.direction, judged.limit) if judged is not None else (0, None)
        if isinstance(self.detect, DetectFraction):
            direction, limit = 1, self.detect.max
        return evidence(direction, fraction, limit, before, None, shown)

    def ended(self) -> Verdicts:
        """How windows ended."""
        return self.verdicts

    def dump(self) -> Any:
        return {"windows": self.windows.dump(), "verdicts": plain(self.verdicts)}

    def load(self, state: Any) -> None:
        self.windows.resize(len(self.table.keys))
        self.windows.load(state["windows"])
        self.verdicts = verdicts_of(state["verdicts"])


class DistributionMonitor(MonitorBase):
    """The histogram of each window against that of the reference, as a level: a breach must be both large (`max` of
    the distance) and beyond chance (`surprise`), since either alone is a matter of the sample size.
    """

    def __init__(self, order: int, name: str, config: cfg.Monitor, table: SeriesTable) -> None:
        assert isinstance(config.detect, DetectDistribution)
        assert config.windows.events is not None
        super().__init__(order, name, config, table)
        self.detect = config.detect
        self.coded = table.categories is not None
        self.bins = CODES + 1 if self.coded else self.detect.bins
        self.bank = make_distribution(table.reference.warmup, self.bins, config.windows.events, self.coded)
        self.last: dict[int, float] = {}  # newest distance per row, for the metrics; not state
        self.recent: dict[
            int, list[list[int]]
        ] = {}  # of `against: recent`: counts of windows not in breach, oldest first
        self.verdicts: Verdicts = {}

    def findings(self, batch: Batch, column: Column) -> list[Finding]:
        self.bank.resize(len(self.table.keys))
        found = []
        places = column.events, batch.offsets, batch.times_ms
        for window in self.bank.update(column.rows, column.values, *places):
            note(self.verdicts, self.table.keys[window.row][0][0], "evaluated")
            found.append(self._judge(window, int(column.events[window.place]), batch))
        return found

    def _judge(self, window: Closed, event: int, batch: Batch) -> Finding:
        edges, known = self.bank.bins_of(window.row)
        reference, counts = np.array(known), np.array(window.counts[: len(known)])
        kept = self.recent.setdefault(window.row, []) if self.detect.against == "recent" else []
        if kept:  # Until there are enough of them the reference stands in.
            reference = np.array(kept).sum(axis=0) + (reference if len(kept) < self.detect.recent else 0)
        names = np.array(self.table.categories.names(window.row) if self.table.categories else bin_names(edges))
        if self.coded:  # Most numbers stand for no category.
            some = (reference + counts) > 0
            reference, counts, names = reference[some], counts[some], names[some]
        detect = self.detect
        apart, beyond = distance(detect.distance, reference, counts), surprise(reference, counts)
        self.last[window.row] = apart
        if apart > detect.max and beyond > detect.surprise:
            signal = BREACH
        elif apart <= detect.clear_below or beyond <= detect.surprise:
            signal = CLEAR
            if detect.against == "recent":  # Only what is clear: no drift ever becomes what drift is measured by.
                kept.append(list(window.counts[: len(known)]))
                del kept[: -detect.recent]
        else:
            signal = NEITHER
        shown = {
            "n": sum(window.counts),
            "distance": apart,
            "surprise": beyond,
            "moved": moved(names.tolist(), reference / reference.sum(), counts / counts.sum()),
            **span(window.first_offset, window.last_offset, window.from_ms, window.to_ms),
        }
        offset = int(batch.offsets[event])
        before = None if self.coded else before_of(self.table, window.row, offset)
        told = evidence(0, apart, detect.max, before, None, shown)
        return Finding(event, self.order, window.row, signal, told, "evaluated")

    def ended(self) -> Verdicts:
        """How windows ended."""
        return self.verdicts

    def dump(self) -> Any:
        recent = [[row, np.array(kept, np.int64)] for row, kept in self.recent.items()]
        return {"windows": self.bank.dump(), "verdicts": plain(self.verdicts), "recent": recent}

    def load(self, state: Any) -> None:
        self.recent = {int(row): kept.tolist() for row, kept in state["recent"]}
        self.bank.load(state["windows"])
        self.bank.resize(len(self.table.keys))
        self.verdicts = verdicts_of(state["verdicts"])


def moved(names: list[str], before: Any, after: Any) -> list[dict[str, Any]]:
    """The bins whose shares changed the most, by name."""
    order = np.argsort(-np.abs(after - before), kind="stable")[:MOVED_TOLD].tolist()
    return [{"bin": names[i], "before": float(before[i]), "after": float(after[i])} for i in order]


def bin_names(edges: list[float]) -> list[str]:
    """`below 3`, `3 to 5`, `from 5 on`."""
    if not edges:
        return ["all values"]
    shown = [f"{edge:.4g}" for edge in edges]
    between = [f"{low} to {high}" for low, high in zip(shown, shown[1:], strict=False)]
    return [f"below {shown[0]}", *between, f"from {shown[-1]} on"]
