"""The smallest detectable drifts as metrics: one series a report, since the arithmetic of one takes milliseconds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from streamer.engine.stage import Stage
from streamer.monitors.detectable import Drift, Series
from streamer.service.metrics import Key, Metrics

SERIES_MAX = 250
"""Series that are stated, four gauges each."""
PASS_S = 60.0
"""From the begin of one pass over the series to that of the next, at least."""


class DetectableDrifts:
    """Goes over the series of all tasks, again and again; what is shown is of the pass before."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self.left: Iterator[tuple[Series, list[Drift]]] | None = None
        self.found: dict[Key, float] = {}
        self.series: set[Series] = set()
        self.due_s = 0.0

    def report(self, stages: Sequence[Stage], monitors: int, now_s: float) -> None:
        """Take the next series; `monitors`: how many share the room."""
        if self.left is None:
            if now_s < self.due_s:
                return
            self.due_s, self.found, self.series = now_s + PASS_S, {}, set()
            most = max(SERIES_MAX // max(monitors, 1), 1)
            self.left = (one for stage in stages for one in stage.detectable(most))
        one = next(self.left, None)
        if one is None:
            self.metrics.replace("detectable_drift", self.found)
            self.left = None
            return
        series, drifts = one
        if series not in self.series and len(self.series) >= SERIES_MAX:
            return
        self.series.add(series)
        for drift in drifts:
            key = series.monitor, series.model, series.series, drift.direction, drift.horizon
            self.found[key] = max(drift.units, self.found.get(key, 0.0))
