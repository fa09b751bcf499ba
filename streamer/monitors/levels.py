"""Monitors of aggregates, whose values are few: far from what others were, and a steady rise or fall."""

from __future__ import annotations

from math import sqrt
from typing import Any, NamedTuple

import numpy as np

from detectors.trend import centre_and_scale, trend
from schemas.events.batch import Batch
from schemas.records.alert import rfc3339
from streamer.alerts.lifecycle import BREACH, CLEAR, NEITHER, Finding
from streamer.config import model as cfg
from streamer.config.detect import DetectLevel, DetectTrend
from streamer.monitors.base import MonitorBase
from streamer.monitors.evidence import evidence
from streamer.monitors.window_outcomes import Verdicts, note, plain, verdicts_of
from streamer.series.aggregates import Aggregates
from streamer.series.table import SeriesTable
from streamer.signals.grammar import COUNTS, Column, aggregate_of

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
SLOTS = {"day": 24, "week": 168}
PATIENCE = 4
"""A level that lasts so many times the windows remembered is the new normal: what is remembered begins anew."""


MEDIAN_VARIANCE = 1.5708
"""A median of n values is itself unsure, by pi / 2 / n of their variance."""


class Verdict(NamedTuple):
    """What one value, or a stretch of them, says. `deviations` have the sign of the direction."""

    breach: bool
    value: float
    expected: float | None  # None where there is nothing to compare with yet
    deviations: float | None
    n: int


class AggregateMonitor(MonitorBase):
    """Remembers values per row and hour slot; the judge of its `detect.kind` looks at each new one."""

    def __init__(self, order: int, name: str, config: cfg.Monitor, table: SeriesTable, rule: object) -> None:
        assert isinstance(config.detect, DetectLevel | DetectTrend)
        assert isinstance(rule, Aggregates)
        self.windows = rule
        super().__init__(order, name, config, table)
        self.detect = config.detect
        self.counted = aggregate_of(table.signal.path)[0] in COUNTS
        self.kept: dict[tuple[int, int], list[float]] = {}  # (row, slot) -> values, oldest first
        self.places: dict[int, list[int]] = {}  # of a trend: row -> the windows of the values
        self.runs: dict[int, int] = {}  # row -> breaches in a row, or values since the last look
        self.verdicts: Verdicts = {}

    def findings(self, batch: Batch, column: Column) -> list[Finding]:
        found = []
        columns = (column.rows.tolist(), column.values.tolist(), column.events.tolist(), column.starts_ms)
        for row, value, event, start_ms in zip(*columns, strict=True):
            if isinstance(self.detect, DetectLevel):
                verdict = self._level(self.detect, row, value, start_ms, int(batch.offsets[event]))
            else:
                verdict = self._trend(self.detect, row, value, start_ms // self.table.signal.window_ms)
                if verdict is None:
                    continue  # A trend is of many windows, and looked at now and then.
            ended = "insufficient" if verdict is None else "evaluated"
            note(self.verdicts, self.table.keys[row][0][0], ended)
            signal = NEITHER if verdict is None else BREACH if verdict.breach else CLEAR
            shown = self._evidence(verdict or Verdict(False, value, None, None, 0), start_ms)
            found.append(Finding(event, self.order, row, signal, shown, ended))
        return found

    def _level(self, detect: DetectLevel, row: int, value: float, start_ms: int, offset: int) -> Verdict | None:
        slot = start_ms // HOUR_MS % SLOTS[detect.season] if detect.season else 0
        kept = self.kept.setdefault((row, slot), [])
        verdict = None
        if detect.against == "reference":
            learned = self.table.reference.at(row)
            if learned.n >= self.table.reference.warmup and learned.last_offset < offset:
                verdict = self._compare(detect, value, learned.centre, learned.scale, learned.n)
        elif len(kept) >= detect.least:
            verdict = self._compare(detect, value, *centre_and_scale(np.array(kept)), len(kept))
        breach = verdict is not None and verdict.breach
        self.runs[row] = self.runs.get(row, 0) + 1 if breach else 0
        if self.runs[row] > PATIENCE * detect.recent:
            kept.clear()
        if not breach or not kept:
            kept.append(value)
            del kept[: -detect.recent]
        return verdict

    def _compare(self, detect: DetectLevel, value: float, centre: float, scale: float, n: int) -> Verdict:
        if self.counted:
            scale = max(scale, sqrt(max(centre, 1.0)))  # Independent events cannot come more evenly than that.
        scale *= sqrt(1.0 + MEDIAN_VARIANCE / n)
        away = value - centre
        allowed = abs(centre) * detect.change
        deviations = away / scale if scale > 0.0 else float(np.sign(away)) * detect.beyond * 2.0
        wanted = {"up": away > 0, "down": away < 0, "both": True}[detect.direction]
        far = abs(away) > allowed and abs(deviations) > detect.beyond
        return Verdict(wanted and far, value, centre, deviations, n)

    def _trend(self, detect: DetectTrend, row: int, value: float, window: int) -> Verdict | None:
        kept, places = self.kept.setdefault((row, 0), []), self.places.setdefault(row, [])
        kept.append(value)
        places.append(window)
        del kept[: -detect.points], places[: -detect.points]
        self.runs[row] = self.runs.get(row, 0) + 1
        if len(kept) < detect.points or self.runs[row] < detect.clock:
            return None
        self.runs[row] = 0
        values = np.array(kept)
        day = DAY_MS // self.table.signal.window_ms  # Compare equal hours, once there are three days of them.
        period = day if day > 1 and 3 * day <= detect.points else 1
        found, centre = trend(values, np.array(places), period), centre_and_scale(values)[0]
        rise = found.slope * (places[-1] - places[0])
        wanted = {"up": rise > 0, "down": rise < 0, "both": True}[detect.direction]
        far = abs(rise) > detect.max * abs(centre) and abs(found.z) > detect.beyond
        return Verdict(wanted and far, centre + rise / 2, centre - rise / 2, found.z, len(kept))

    def _evidence(self, verdict: Verdict, start_ms: int) -> dict[str, Any]:
        window = {
            "value": verdict.value,
            "expected": verdict.expected,
            "deviations": verdict.deviations,
            "n": verdict.n,
            "from": rfc3339(start_ms),
            "to": rfc3339(start_ms + self.table.signal.window_ms),
        }
        deviations = verdict.deviations or 0.0
        return evidence(1 if deviations > 0 else -1, deviations, self.detect.beyond, None, None, window)

    def ended(self) -> Verdicts:
        """How windows ended, those too of which no value came."""
        found = {model: counts.copy() for model, counts in self.verdicts.items()}
        for model, clock in self.windows.clocks.items():
            note(found, model, "skipped", clock.skipped)
        return found

    def dump(self) -> Any:
        kept = [[row, slot, np.array(values, np.float64)] for (row, slot), values in self.kept.items()]
        places = [[row, np.array(windows, np.int64)] for row, windows in self.places.items()]
        runs = list(self.runs.items())
        return {"kept": kept, "places": places, "runs": runs, "verdicts": plain(self.verdicts)}

    def load(self, state: Any) -> None:
        kept = {(int(row), int(slot)): values.tolist() for row, slot, values in state["kept"]}
        most = self.detect.recent if isinstance(self.detect, DetectLevel) else self.detect.points
        if any(not 0 <= row < len(self.table.keys) or len(values) > most for (row, _), values in kept.items()):
            raise ValueError("remembered values that cannot be")
        self.places = {int(row): windows.tolist() for row, windows in state["places"]}
        if any(len(windows) != len(kept[row, 0]) for row, windows in self.places.items()):
            raise ValueError("a trend without its places")
        self.kept, self.runs = kept, {int(row): int(run) for row, run in state["runs"]}
        self.verdicts = verdicts_of(state["verdicts"])
