"""What labels say of predictions: values of the group of the inference, at the event by which both are there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import numpy as np

from schemas.events.batch import Batch
from streamer.config import model as cfg
from streamer.series.calibrations import Calibrations
from streamer.series.disparity import ErrorDisparity
from streamer.series.estimated import Estimated
from streamer.series.joined import Joined, joined_groups
from streamer.series.labels import Labels
from streamer.series.performance import Performance
from streamer.series.predictions import CLASS, NUMBER
from streamer.series.source_base import SourceBase
from streamer.series.table import ColumnsSoFar, SeriesTable
from streamer.series.unlabelled import Due, Unlabelled
from streamer.signals.columns import F64, I64, Bool, Column, Grouping, Groups, Observed, dense
from streamer.signals.grammar import parse_signal
from streamer.signals.kinds import KINDS

Value = tuple[Bool, F64]
"""Which of the joined labels have a value, and the values of all."""


def _error(joined: Joined) -> Value:
    mine: Bool = joined.kind == CLASS
    return mine, joined.wrong.astype(np.float64)


def _absolute_error(joined: Joined) -> Value:
    mine, residual = _bias(joined)
    size: F64 = np.abs(residual)
    return mine, size


def _bias(joined: Joined) -> Value:
    with np.errstate(over="ignore", invalid="ignore"):
        residual = joined.residual
    mine: Bool = (joined.kind == NUMBER) & np.isfinite(residual)
    return mine, residual


def _brier(joined: Joined) -> Value:
    mine = (joined.kind == CLASS) & (joined.confidence >= 0.0) & (joined.confidence <= 1.0)
    return mine, (joined.confidence - ~joined.wrong) ** 2


def _delay(joined: Joined) -> Value:
    return joined.label_ms > 0, (joined.label_ms - joined.time_ms) / 1000.0


def _interval_miss(joined: Joined) -> Value:
    missed = joined.missed
    mine: Bool = ~np.isnan(missed)
    return mine, missed


VALUES: dict[str, Callable[[Joined], Value]] = {
    "realised_error": _error,
    "interval_miss": _interval_miss,
    "absolute_error": _absolute_error,
    "prediction_bias": _bias,
    "brier": _brier,
    "label_delay": _delay,
}
"""By signal."""


class Realised(SourceBase):
    """Makes the signals of VALUES, and `truth.*`. It remembers nothing; `labels`, which all sources share, does."""

    def __init__(self, table: SeriesTable) -> None:
        self.by = table.by
        self.labels: Labels | None = None  # see `late_labels`
        if table.signal.kind == "truth":
            table.observe = lambda batch, groups, takes: self._truths(groups)

    def column(self, batch: Batch, groups: Groups, table: SeriesTable, known: ColumnsSoFar) -> Column:
        assert self.labels is not None
        table.begin(batch, np.flatnonzero(groups.of_event >= 0))
        joined = self.labels.joined
        seen = groups.of_event[joined.event] >= 0
        of_labels = self._groups(joined, np.flatnonzero(seen), table, len(batch.offsets))
        if table.signal.kind == "truth":
            return table.column(batch, of_labels)
        of_event, keys = of_labels
        mine, values = VALUES[table.signal.path](joined)
        events = joined.event[seen & mine]
        number = of_event[events]
        row_of = np.full(len(keys), -1, np.int64)
        for place in dense(number)[1].tolist() if len(events) else ():
            row_of[number[place]] = table.row(keys[number[place]], table.signal.path)
        table.resize()
        rows = row_of[number]
        table.dropped += int(np.count_nonzero(rows < 0))
        return Column(rows[rows >= 0], values[seen & mine][rows >= 0], events[rows >= 0])

    def forget(self, models: Collection[str]) -> None:
        if self.labels is not None:
            self.labels.forget(models)

    def _groups(self, joined: Joined, places: I64, table: SeriesTable, events: int) -> Groups:
        """Of each event that has a label, under the table's `by`."""
        assert self.labels is not None
        at = [self.labels.by.index(field) for field in table.by]
        return joined_groups(joined, places, events, at, self.labels.joined_keys)

    def _truths(self, groups: Groups) -> Observed:
        """The true class of each event that has a label in a group."""
        assert self.labels is not None
        joined, classes = self.labels.joined, self.labels.classes
        mine = (groups.of_event[joined.event] >= 0) & (joined.kind == CLASS)
        events = joined.event[mine]
        hashes, inverse = np.unique(joined.truth[mine], return_inverse=True)
        other = KINDS["truth"].other or ""
        members = [classes.get(code, other) for code in hashes.tolist()]
        return Observed(events, groups.of_event[events], inverse.reshape(-1), np.ones(len(events)), members)


def asks_confidence(monitor: cfg.Monitor) -> bool:
    """Whether it compares errors with confidence."""
    return monitor.detect.labelled or parse_signal(monitor.signal).kind == "estimate"


def asks_calibration(config: cfg.Config) -> bool:
    """Whether anything needs to know how often a model is wrong at a confidence."""
    audit = config.review.audit if config.review is not None else None
    audited = audit is not None and audit.against == "calibration"
    return (
        audited or config.topics.windows is not None or any(map(asks_confidence, config.effective_monitors().values()))
    )


def late_labels(config: cfg.Config, sources: Iterable[object], grouping: Grouping) -> Labels | None:
    """What waits for its label, for all sources that labels make values of; None where the config has none."""
    if config.labels is None:
        return None
    realised = [source for source in sources if isinstance(source, Realised | Estimated | Unlabelled | ErrorDisparity)]
    by = dict.fromkeys(field for source in realised for field in source.by)
    own, most = config.labels, config.limits.series
    labels = Labels(own.ttl_ms, own.pending, tuple(by), most, grouping)
    splits = sorted({(), *(source.by for source in realised)})
    if asks_calibration(config):
        labels.calibrations = Calibrations(tuple(by), splits)
    if config.topics.windows is not None:
        labels.performance = Performance(own.window_ms, own.ttl_ms, most, tuple(by), splits)
    if any(isinstance(source, Unlabelled) for source in realised):
        labels.due = Due(most, own.ttl_ms)
    for source in realised:
        source.labels = labels
    return labels
