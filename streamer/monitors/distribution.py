"""Monitors of a whole distribution: windows against the reference, and of a category how often each level comes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from detectors.bank import renumbered
from detectors.distances import distance, surprise
from detectors.distribution import Closed
from detectors.levels import Told
from detectors.reference import Judged
from detectors.sample import LateSamples
from schemas.events.batch import Batch
from streamer.config.detect import DetectDistribution
from streamer.config.reference_file import Series
from streamer.monitors.base import Gauge, MonitorBase, MonitorSpec
from streamer.monitors.category_levels import PART, CategoryLevels, level_sentence
from streamer.monitors.daily_limit import DailyLimit, load_of
from streamer.monitors.evidence import Evidence, before_of, by_then, evidence, span, tier_of
from streamer.monitors.finding import BREACH, CLEAR, NEITHER, Finding
from streamer.monitors.histogram import bin_names, histogram, moved
from streamer.monitors.window_outcomes import Outcomes, forgotten, note, outcomes_of, plain
from streamer.monitors.words import tell_apart
from streamer.series.table import Samples
from streamer.signals.categories import CODES
from streamer.signals.columns import I64, Column


class DistributionMonitor(MonitorBase):
    """The histogram of each window against that of the reference, as a level: a breach must be both large (`max` of
    the distance) and beyond chance (`surprise`), since either alone is a matter of the sample size.
    """

    windowed = True

    def __init__(self, made: MonitorSpec) -> None:
        super().__init__(made)
        detect, events = self.config.detect, self.config.windows.events
        assert isinstance(detect, DetectDistribution)
        assert events is not None
        self.detect = detect
        self.coded = self.table.categories is not None
        self.bins: int = CODES + 1 if self.coded else detect.bins
        self.histograms = made.parts.distribution(self.table.reference.warmup, self.bins, events, self.coded)
        self.late = LateSamples(self.table.reference.warmup)  # of rows whose reference was there before this monitor
        self.last: dict[int, float] = {}  # newest distance per row, for the metrics; not state
        # Of `against: recent`: counts of windows not in breach, oldest first.
        self.recent: dict[int, list[list[int]]] = {}
        self.levels = CategoryLevels(made.parts.levels(self.part.rate() * PART)) if self.coded and detect.days else None
        self.days = DailyLimit(lambda row: self.rate(row) * (PART if self.coded else 1.0), returns=self.coded)
        self.outcomes: Outcomes = {}

    def share(self) -> None:
        if self.levels is not None:
            rows = len(self.table.keys)
            self.levels.bank.resize(rows)
            self.levels.bank.share(np.array([self.rate(row) * PART for row in range(rows)], np.float64))

    def findings(self, batch: Batch, column: Column, judged: Judged) -> list[Finding]:
        rows, values = column.rows, column.values
        self.histograms.resize(len(self.table.keys))
        chosen = self.late.update(rows, values, judged.ready, self.histograms.learned(rows))
        self.learn(self.late.completed())
        found = []
        places = column.events, batch.offsets, batch.times_ms
        windows = self.histograms.update(rows, values, chosen, *places)
        if self.levels is None:
            return [self._ended(window, column, batch) for window in windows]
        kept = np.flatnonzero(chosen & self.histograms.learned(rows))
        levels = self._levels(self.levels, kept, column, batch)
        # A level counts for the window that ends with the value that told it, and not for those before.
        for place, told in [*((int(kept[told.place]), told) for told in levels), (len(rows), None)]:
            while windows and windows[0].place < place:
                found.append(self._ended(windows.pop(0), column, batch))
            if told is not None and told.row not in self.levels.told:
                self.levels.told[told.row] = None
                found.append(self._begun(self.levels, told, column.events.item(place), batch))
        return found

    def _ended(self, window: Closed, column: Column, batch: Batch) -> Finding:
        note(self.outcomes, self.table.keys[window.row][0][0], "evaluated")
        return self._judge(window, int(column.events[window.place]), batch)

    def _levels(self, levels: CategoryLevels, places: I64, column: Column, batch: Batch) -> list[Told]:
        """What the levels say of these places of a column."""
        levels.bank.resize(len(self.table.keys))
        values = column.rows[places], column.values[places], column.events[places]
        return levels.update(*values, batch.offsets, batch.times_ms)

    def _begun(self, levels: CategoryLevels, told: Told, event: int, batch: Batch) -> Finding:
        """A level is beyond its limit: that is told at once, and by the windows as long as it is so."""
        categories, last = self.table.categories, (batch.offsets.item(event), batch.times_ms.item(event))
        assert categories is not None
        shown = levels.shown(told, categories.names(told.row), last)
        return Finding(event, self.order, told.row, BREACH, shown)

    def _judge(self, window: Closed, event: int, batch: Batch) -> Finding:
        edges, known = self.histograms.bins_of(window.row)
        reference, counts = np.array(known), np.array(window.counts[: len(known)])
        kept = self.recent.setdefault(window.row, []) if self.detect.against == "recent" else []
        if kept:  # Until there are enough of them the reference stands in.
            reference = np.array(kept).sum(axis=0) + (reference if len(kept) < self.detect.recent else 0)
        some = np.flatnonzero(reference + counts) if self.coded else None
        if some is not None:  # Most numbers stand for no category.
            reference, counts = reference[some], counts[some]
        detect = self.detect
        apart, beyond = distance(detect.distance, reference, counts), surprise(reference, counts)
        self.last[window.row] = apart
        signal, limit = self._signal(window, apart, beyond, int(batch.times_ms[event]))
        if signal == CLEAR and detect.against == "recent":  # No drift ever becomes what drift is measured by.
            kept.append(list(window.counts[: len(known)]))
            del kept[: -detect.recent]
        told = drawn = None
        if self.shows(signal):
            categories = self.table.categories
            names = np.array(bin_names(edges) if categories is None else categories.names(window.row))
            bins = (names if some is None else names[some]).tolist(), reference / reference.sum(), counts / counts.sum()
            drawn = histogram(*bins) if self.publishes else None
            shown = {
                "n": sum(window.counts),
                "distance": apart,
                "surprise": beyond,
                "moved": moved(*bins),
                **span(window.first_offset, window.last_offset, window.from_ms, window.to_ms),
            }
            before = None if self.coded else before_of(self.table, window.row, by_then(batch, event))
            more = tier_of(self.days.in_school(window.row)) if self.detect.days else None
            told = evidence(0, apart, limit, before, None, shown, more)
        return Finding(event, self.order, window.row, signal, told, "evaluated", drawn)

    def _signal(self, window: Closed, apart: float, beyond: float, time_ms: int) -> tuple[str, float]:
        """What a window says whose distance is so large, and so far beyond chance; and the limit of the distance."""
        detect, row = self.detect, window.row
        if detect.days:
            self.days.resize(len(self.table.keys))
            load = load_of(window.from_ms, window.to_ms, sum(window.counts))
            breach = self.days.beyond(row, apart, time_ms, detect.max, load) and beyond > detect.surprise
            if self.levels is not None and row in self.levels.told:
                del self.levels.told[row]
                breach = True
            return self.days.calm.signal(row, breach), self.days.of(row, detect.max)
        if apart > detect.max and beyond > detect.surprise:
            return BREACH, detect.max
        return CLEAR if apart <= detect.clear_below or beyond <= detect.surprise else NEITHER, detect.max

    def days_left(self) -> I64:
        return self.days.days_left(len(self.table.keys)) if self.detect.days else super().days_left()

    def learn(self, samples: Samples) -> None:
        self.histograms.resize(len(self.table.keys))
        for row, values in samples:
            if not self.histograms.learned(np.array([row]))[0]:
                self.histograms.learn(row, values)
                self._begin([row])

    def _begin(self, rows: Iterable[int]) -> None:
        """These have learned."""
        if self.levels is not None:
            self.levels.bank.resize(len(self.table.keys))
            for row in rows:
                self.levels.begin(row, self.histograms.bins_of(row)[1])

    def sentence(self, labels: Mapping[str, str], told: Evidence) -> str:
        window, limit = told["evidence"]["window"], told["finding"]["threshold"]
        if "level" in window:
            return level_sentence(labels["signal"], told)
        most = window["moved"][0]
        moved, limited = tell_apart(window["distance"], limit, digits=3)
        before, after = tell_apart(most["before"], most["after"], share=True)
        text = f"the distribution of {labels['signal']} moved by {moved} (limit {limited})"
        return f"{text} in {window['n']} events, most {most['bin']} ({before} to {after})"

    def ended(self) -> Outcomes:
        return self.outcomes

    def retain(self, rows: I64) -> None:
        self.histograms.resize(len(self.table.keys))
        self.histograms.retain(rows)
        self.late.retain(rows)
        if self.levels is not None:
            self.levels.bank.resize(len(self.table.keys))
            self.levels.retain(rows)
        self.days.resize(len(self.table.keys))
        self.days.retain(rows)
        self.last, self.recent = renumbered(self.last, rows), renumbered(self.recent, rows)

    def forget(self, models: Collection[str]) -> None:
        self.outcomes = forgotten(self.outcomes, models)

    def gauges(self) -> Iterator[Gauge]:
        worst: dict[str, float] = {}
        for row, apart in self.last.items():
            model = self.table.keys[row][0][0]
            worst[model] = max(apart, worst.get(model, 0.0))
        for model, apart in worst.items():
            yield Gauge("distribution_distance", model, apart)

    def seed(self, given: Mapping[int, Series]) -> None:
        self.histograms.resize(len(self.table.keys))
        state = self.histograms.dump()
        for row, one in given.items():
            bins = one.bins.get(str(self.bins))
            if bins is not None and len(bins.counts) == len(bins.edges) + 1 <= self.bins:
                state["learned"][row] = True
                state["edges"][row, : len(bins.edges)] = bins.edges
                state["reference"][row, : len(bins.counts)] = bins.counts
        self.histograms.load(state)
        self._begin(row for row in given if self.histograms.learned(np.array([row]))[0])

    def dump(self) -> Any:
        recent = [[row, np.array(kept, np.int64)] for row, kept in self.recent.items()]
        late = self.late.dump()
        self.days.resize(len(self.table.keys))  # However the log was cut.
        days, verdicts = self.days.dump(), plain(self.outcomes)
        found = {"windows": self.histograms.dump(), "late": late, "verdicts": verdicts, "recent": recent, "days": days}
        if self.levels is not None:
            self.levels.bank.resize(len(self.table.keys))
            found["levels"] = self.levels.dump()
        return found

    def load(self, state: Any) -> None:
        self.recent = {int(row): kept.tolist() for row, kept in state["recent"]}
        self.histograms.load(state["windows"])
        self.late.load(state["late"])
        self.days.load(state["days"])
        self.histograms.resize(len(self.table.keys))
        rows = np.arange(len(self.table.keys))
        if self.levels is not None and state.get("levels") is not None:  # Older snapshots have none.
            self.levels.load(state["levels"], len(rows))
        self._begin(np.flatnonzero(self.histograms.learned(rows)).tolist())
        self.outcomes = outcomes_of(state["verdicts"])
