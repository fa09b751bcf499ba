"""Signals whose values a source makes that has a memory of its own, where one event's fields are not enough.

A new one is an entry of SOURCES: the kind of the signal -> what it is judged by, and how the source is made.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

from schemas.events.batch import Batch
from streamer.config import budget
from streamer.config import model as cfg
from streamer.series.aggregates import Aggregates
from streamer.series.anomaly import AnomalyRule
from streamer.series.calendar import Away
from streamer.series.correlation import CorrelationSource
from streamer.series.disparity import Disparity, ErrorDisparity
from streamer.series.embeddings import EmbeddingSource
from streamer.series.estimated import Estimated
from streamer.series.feedback import Feedback
from streamer.series.label_presence import LabelPresence
from streamer.series.new_features import NewFeatures
from streamer.series.out_of_distribution import Distance, OutOfDistribution
from streamer.series.presence import Presence
from streamer.series.realised import Realised
from streamer.series.source_base import NOBODY
from streamer.series.table import ColumnsSoFar, Group, Heard, SeriesTable, TableId
from streamer.series.type_change import TypeChange
from streamer.series.unlabelled import Unlabelled
from streamer.series.version_change import VersionChange
from streamer.signals.columns import I64, Column, Groups
from streamer.signals.grammar import parse_signal, path_of


class Source(Protocol):
    """State by group; its values at an event depend on the events before it and on the config."""

    def column(self, batch: Batch, groups: Groups, table: SeriesTable, known: ColumnsSoFar) -> Column:
        """The values of `table` for this batch, in log order; makes rows for new keys."""

    def tick(self, passed_ms: int, unmissed: I64 = NOBODY) -> None:
        """So much time has passed since the last tick of the clock; not for those rows, which nobody misses."""

    def heard(self, table: SeriesTable) -> Heard:
        """When each row of its table was heard last."""

    def retain(self, rows: I64, table: SeriesTable) -> None:
        """Row rows[i] becomes row i; the table has done so already. All others are forgotten."""

    def samples(self) -> Mapping[Group, Any]:
        """What groups learned from since the last call, where that is more than the rows of its table have."""

    def edges(self) -> Column:
        """What it counted in windows beside a silence, since the last column began, for whoever judges these, too."""

    def skipped(self) -> Mapping[str, int]:
        """By model its windows that counted for nothing."""

    def calm(self, groups: int, names: int) -> bool:
        """Whether a batch of so many groups and names cannot bring what it remembers by group near its limit."""

    def rest(self) -> None:
        """A turn of the log was passed in calm."""

    def turn(self, offset: int) -> Collection[Group]:
        """A turn of the log: forget groups that have been silent for long, where there are nearly too many. Those whose
        rows leave with them.
        """

    def erase(self, event_id: int, models: Collection[str]) -> bool:
        """Nothing of this id is to be remembered any more; whether there was something. `models`: those there are."""

    def forget(self, models: Collection[str]) -> None:
        """Nothing of these models is to be remembered any more."""

    def dump(self) -> Any:
        """The state as plain values and arrays of its own."""

    def load(self, state: Any) -> None:
        """Replace the state; ValueError for an invalid one."""


class SourceSpec(NamedTuple):
    """How a source is made."""

    needs: tuple[str, ...]  # signals whose tables, under the same `by` and model, come first
    make: Callable[[cfg.Config, SeriesTable, tuple[SeriesTable, ...]], Source]


def _anomaly(config: cfg.Config, table: SeriesTable, needed: tuple[SeriesTable, ...]) -> Source:
    numbers, unseen = table.origins = needed
    anomaly = config.anomaly
    texts = unseen if anomaly.unseen_category else None
    return AnomalyRule(numbers, texts, anomaly.beyond, anomaly.score, anomaly.score_max)


def _feedback(config: cfg.Config, table: SeriesTable, needed: tuple[SeriesTable, ...]) -> Source:
    return Feedback(config.feedback.pending if config.feedback is not None else 1)


def _realised(config: cfg.Config, table: SeriesTable, needed: tuple[SeriesTable, ...]) -> Source:
    return Realised(table)


def _unlabelled(config: cfg.Config, table: SeriesTable, needed: tuple[SeriesTable, ...]) -> Source:
    return Unlabelled(table)


def _estimated(config: cfg.Config, table: SeriesTable, needed: tuple[SeriesTable, ...]) -> Source:
    return Estimated(table)


def _presence(config: cfg.Config, table: SeriesTable, needed: tuple[SeriesTable, ...]) -> Source:
    made = {"events": Presence, "labels": LabelPresence}[table.signal.kind]
    of = {n: m for n, m in config.effective_monitors().items() if (m.signal, tuple(m.by)) == (made.what, table.by)}
    rates = budget.parts(config.false_alarms, config.effective_monitors())
    of = {n: m for n, m in of.items() if not m.shadow} or of  # A candidate makes no others more careful.
    rate = min((rates[name].rate() for name in of), default=0.01)
    return made(rate, Away(config.calendar))


def _aggregates(config: cfg.Config, table: SeriesTable, needed: tuple[SeriesTable, ...]) -> Source:
    signal = table.signal
    return Aggregates(signal.path, signal.window_ms, config.limits.lateness_ms, signal.least)


def _disparity(config: cfg.Config, table: SeriesTable, needed: tuple[SeriesTable, ...]) -> Source:
    made = ErrorDisparity if table.signal.kind == "error_ratio" else Disparity
    return made(table, config.limits.lateness_ms)


def _correlation(config: cfg.Config, table: SeriesTable, needed: tuple[SeriesTable, ...]) -> Source:
    [numbers] = needed
    return CorrelationSource(numbers)


def _embedding(config: cfg.Config, table: SeriesTable, needed: tuple[SeriesTable, ...]) -> Source:
    dimensions = {name: one.dimensions for name, one in config.embeddings.items()}
    return EmbeddingSource(dimensions, config.reference.warmup)


def _distance(config: cfg.Config, table: SeriesTable, needed: tuple[SeriesTable, ...]) -> Source:
    return Distance(config.reference.warmup, table.rows_max)


def _ood(config: cfg.Config, table: SeriesTable, needed: tuple[SeriesTable, ...]) -> Source:
    [numbers] = needed
    return OutOfDistribution(table, numbers, config.ood, confident=table.signal.kind == "confident_ood")


def _new_features(config: cfg.Config, table: SeriesTable, needed: tuple[SeriesTable, ...]) -> Source:
    return NewFeatures(config.reference.warmup, table.rows_max)


def _type_change(config: cfg.Config, table: SeriesTable, needed: tuple[SeriesTable, ...]) -> Source:
    return TypeChange(config.reference.warmup)


def _version_change(config: cfg.Config, table: SeriesTable, needed: tuple[SeriesTable, ...]) -> Source:
    return VersionChange()


SOURCES: dict[str, SourceSpec] = {
    "anomaly": SourceSpec(("features.*", "unseen.*"), _anomaly),
    "action": SourceSpec((), _feedback),
    "realised": SourceSpec((), _realised),
    "loss": SourceSpec((), _realised),
    "estimate": SourceSpec((), _estimated),
    "truth": SourceSpec((), _realised),
    "unlabelled": SourceSpec((), _unlabelled),
    "version_change": SourceSpec((), _version_change),
    "new_feature": SourceSpec((), _new_features),
    "type_change": SourceSpec((), _type_change),
    "correlation": SourceSpec(("features.*",), _correlation),
    "embedding": SourceSpec((), _embedding),
    "distance": SourceSpec((), _distance),
    "ood": SourceSpec(("distance",), _ood),
    "confident_ood": SourceSpec(("distance",), _ood),
    "aggregate": SourceSpec((), _aggregates),
    "selection_ratio": SourceSpec((), _disparity),
    "error_ratio": SourceSpec((), _disparity),
    "events": SourceSpec((), _presence),
    "labels": SourceSpec((), _presence),
}


def table_id_of(config: cfg.Config, monitor: cfg.Monitor) -> TableId:
    """The table of a monitor."""
    signal = parse_signal(monitor.signal)
    if signal.spec.least:
        signal = replace(signal, window_ms=monitor.aggregate_ms, least=monitor.windows.least or signal.spec.least)
    elif signal.of_whatever:
        signal = replace(signal, without=tuple(map(path_of, config.exclude)))
    return TableId(signal, tuple(monitor.by), monitor.models)


def needs(table_id: TableId) -> list[TableId]:
    """The tables that must be there for this one."""
    spec = SOURCES.get(table_id.signal.kind)
    without = table_id.signal.without
    return (
        [table_id._replace(signal=replace(parse_signal(name), without=without)) for name in spec.needs] if spec else []
    )


def depth(kind: str) -> int:
    """How many tables must come before one of this kind; those of the events' own fields come first."""
    spec = SOURCES.get(kind)
    return 0 if spec is None else 1 + max((depth(parse_signal(name).kind) for name in spec.needs), default=0)


def table_ids(config: cfg.Config) -> list[TableId]:
    """Every table the monitors need, in their order; one that a source makes comes after those it is judged by."""
    ids: dict[TableId, None] = {}
    for monitor in config.effective_monitors().values():
        table_id = table_id_of(config, monitor)
        for needed in (*needs(table_id), table_id):
            ids.setdefault(needed)
    return sorted(ids, key=lambda i: depth(i.signal.kind))


def make_source(config: cfg.Config, table_id: TableId, tables: Mapping[TableId, SeriesTable]) -> Source | None:
    """The source that makes the values of a table; None where its events' own fields do."""
    spec = SOURCES.get(table_id.signal.kind)
    if spec is None:
        return None
    return spec.make(config, tables[table_id], tuple(tables[other] for other in needs(table_id)))
