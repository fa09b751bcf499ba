"""Monitors of series that breathe: edges where averages leave what healthy days have shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np

from detectors.bank import TIERS
from detectors.compiled import CompiledEnvelope
from detectors.envelope import RUN, Envelope, EnvelopeBank
from detectors.extremes import DAY_MS, SCHOOL
from detectors.reference import Judged, standardised
from detectors.scales import KNEE
from schemas.events.batch import Batch
from streamer.monitors.base import Gauge, Hit, MonitorSpec
from streamer.monitors.edges import RankMonitor, hits_of
from streamer.monitors.evidence import Summary
from streamer.monitors.pinned_past import shuffled
from streamer.monitors.since_warmup import SinceWarmup
from streamer.signals.columns import F64, I64, Column

FAR = 1e12
"""Deviations that are as good as any larger number of them."""


class EnvelopeMonitor(RankMonitor):
    """A bank of `detectors/envelope.py`; its values are in deviations of the reference, but not cut as other banks'.
    What it takes for healthy since it begins with it is held against the reference besides.
    """

    def __init__(self, made: MonitorSpec) -> None:
        super().__init__(made)
        self.early = SinceWarmup(self.table)

    @property
    def envelope(self) -> EnvelopeBank | CompiledEnvelope:
        """Its bank as what it is."""
        return cast("EnvelopeBank | CompiledEnvelope", self.bank)

    def params(self, made: MonitorSpec) -> Envelope:
        params = self.config.detect.params()
        assert isinstance(params, Envelope)
        return replace(params, rate=made.part.rate(), shares=not self.table.signal.scaled)

    def share(self) -> None:
        self.bank.resize(len(self.table.keys))
        self.envelope.share(self.rates())

    def grow(self) -> None:
        super().grow()
        self.early.grow()

    def doubts(self) -> bool:
        return len(self.early) > 0

    def doubted(self, batch: Batch, column: Column, judged: Judged) -> list[Hit]:
        return self.early.hits(batch, column, np.flatnonzero(judged.ready))

    def hits(self, batch: Batch, column: Column, judged: Judged) -> list[Hit]:
        self.grow()
        return self._beyond(batch, column, judged) + self.doubted(batch, column, judged)

    def _beyond(self, batch: Batch, column: Column, judged: Judged) -> list[Hit]:
        """What the bank says."""
        chosen = np.flatnonzero(judged.ready) if not self.raw else np.arange(len(column.rows))
        rows = column.rows[chosen]
        plain = self.raw or not self.table.signal.scaled
        values = column.values[chosen] if plain else self._deviations(rows, judged.away[chosen])
        times_ms = batch.times_ms[column.events[chosen]]
        if self.table.signal.days_needed:
            return self._day_by_day(column, chosen, values, times_ms)
        found = self.envelope.update(rows, values, times_ms)
        return hits_of(chosen[found.place], found)

    def _day_by_day(self, column: Column, chosen: I64, values: F64, times_ms: I64) -> list[Hit]:
        """The same, without what is unmistakable by fewer days than it takes. What is stuck is so on any day."""
        told = list[Hit]()
        for part in np.split(np.arange(len(chosen)), np.flatnonzero(np.diff(times_ms // DAY_MS)) + 1):
            found = self.envelope.update(column.rows[chosen[part]], values[part], times_ms[part])
            too_early = self.envelope.days_left() > SCHOOL - self.table.signal.days_needed
            told += [
                hit
                for hit in hits_of(chosen[part][found.place], found)
                if hit.age == RUN or not too_early[column.rows[hit.place]]
            ]
        return told

    def _deviations(self, rows: I64, away: F64) -> F64:
        """Distances from the centre in units of the row's scale."""
        there, place = np.unique(rows, return_inverse=True)
        scale = np.array([self.table.learned(row).scale for row in there.tolist()])[place]
        return np.clip(standardised(away, scale), -FAR, FAR)

    def past(self, values: F64) -> F64:
        return np.clip(shuffled(values), -FAR, FAR)  # How much its averages differ is what it learns.

    def tiers(self) -> Mapping[str, Mapping[str, int]]:
        self.bank.resize(len(self.table.keys))
        found: dict[str, dict[str, int]] = {}
        for ((model, *_), _), tier in zip(self.table.keys, self.envelope.tiers().tolist(), strict=True):
            counts = found.setdefault(model, dict.fromkeys(TIERS, 0))
            counts[TIERS[tier]] += 1
        return found

    def days_left(self) -> I64:
        self.bank.resize(len(self.table.keys))
        return self.envelope.days_left()

    def gauges(self) -> Iterator[Gauge]:
        for model, counts in self.tiers().items():
            yield Gauge("series_in_school", model, counts["school"])
            yield Gauge("series_calibrated", model, counts["calibrated"])
            yield Gauge("series_proved", model, counts["proved"])

    def accept(self, row: int, level: Summary) -> bool:
        """Values are drawn in beyond the knee: further out changes of their size do not show."""
        learned = self.table.learned(row)
        if abs(level[1] - learned.centre) > KNEE * learned.scale and super().accept(row, level):
            return True
        self.early.close(row)
        self.normal[row] = level
        if not self.envelope.in_school(row):  # In school it is only one more thing that days have shown.
            self.envelope.forget(row)
        return False

    def renew(self, row: int) -> None:
        super().renew(row)
        self.early.close(row)

    def retain(self, rows: I64) -> None:
        self.early.retain(rows)
        super().retain(rows)

    def dump(self) -> Any:
        return {**super().dump(), "early": self.early.dump()}

    def load(self, state: Any) -> None:
        super().load(state)
        self.early.load(state.get("early"))
