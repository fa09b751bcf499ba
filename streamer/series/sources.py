"""Signals whose values a rule makes that has a memory of its own, where one event's fields are not enough.

A new one is an entry of RULES: the head of the signal -> what it is judged by, and how the rule is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from schemas.events.batch import Batch
from streamer.config import model as cfg
from streamer.monitors.silence import Presence
from streamer.series.aggregates import Aggregates
from streamer.series.anomaly import AnomalyRule
from streamer.series.feedback import Feedback
from streamer.series.new_features import NewFeatures
from streamer.series.out_of_distribution import Distance, OutOfDistribution
from streamer.series.table import Known, SeriesTable, TableId
from streamer.series.version_change import VersionChange
from streamer.signals.grammar import Column, Groups, parse_signal


class Rule(Protocol):
    """State by group; its values at an event depend on the events before it and on the config."""

    def column(self, batch: Batch, groups: Groups, table: SeriesTable, known: Known) -> Column:
        """The values of `table` for this batch, in log order; makes rows for new keys."""

    def dump(self) -> Any:
        """The state as plain values and arrays of its own."""

    def load(self, state: Any) -> None:
        """Replace the state; ValueError for one that cannot be."""


class Making(NamedTuple):
    needs: tuple[str, ...]  # signals whose tables, under the same `by` and model, come first
    make: Callable[[cfg.Config, SeriesTable, tuple[SeriesTable, ...]], Rule]


def _anomaly(config: cfg.Config, table: SeriesTable, needed: tuple[SeriesTable, ...]) -> Rule:
    [numbers] = needed
    table.origin = numbers
    rule = config.anomaly
    return AnomalyRule(numbers, rule.beyond, rule.unseen_category, rule.score, rule.score_max)


def _feedback(config: cfg.Config, table: SeriesTable, needed: tuple[SeriesTable, ...]) -> Rule:
    return Feedback(config.feedback.pending if config.feedback is not None else 1)


def _presence(config: cfg.Config, table: SeriesTable, needed: tuple[SeriesTable, ...]) -> Rule:
    return Presence()


def _aggregates(config: cfg.Config, table: SeriesTable, needed: tuple[SeriesTable, ...]) -> Rule:
    return Aggregates(table.signal.path, table.signal.window_ms, config.limits.lateness_ms)


def _distance(config: cfg.Config, table: SeriesTable, needed: tuple[SeriesTable, ...]) -> Rule:
    return Distance(config.reference.warmup, table.rows_max)


def _ood(config: cfg.Config, table: SeriesTable, needed: tuple[SeriesTable, ...]) -> Rule:
    [numbers] = needed
    return OutOfDistribution(table, numbers, config.ood, confident=table.signal.kind == "confident_ood")


def _new_features(config: cfg.Config, table: SeriesTable, needed: tuple[SeriesTable, ...]) -> Rule:
    return NewFeatures(config.reference.warmup)


def _version_change(config: cfg.Config, table: SeriesTable, needed: tuple[SeriesTable, ...]) -> Rule:
    return VersionChange()


RULES: dict[str, Making] = {
    "anomaly": Making(("features.*",), _anomaly),
    "action": Making((), _feedback),
    "version_change": Making((), _version_change),
    "new_feature": Making((), _new_features),
    "distance": Making((), _distance),
    "ood": Making(("distance",), _ood),
    "confident_ood": Making(("distance",), _ood),
    "aggregate": Making((), _aggregates),
    "events": Making((), _presence),
}


def needs(table_id: TableId) -> list[TableId]:
    """The tables that must be there for this one."""
    making = RULES.get(table_id.signal.kind)
    return [table_id._replace(signal=parse_signal(name)) for name in making.needs] if making else []


def depth(kind: str) -> int:
    """How many tables must come before one of this kind; those of the events' own fields come first."""
    making = RULES.get(kind)
    return 0 if making is None else 1 + max((depth(parse_signal(name).kind) for name in making.needs), default=0)


def make_rule(config: cfg.Config, table_id: TableId, tables: Mapping[TableId, SeriesTable]) -> Rule | None:
    """The rule that makes the values of a table; None where its events' own fields do."""
    making = RULES.get(table_id.signal.kind)
    if making is None:
        return None
    return making.make(config, tables[table_id], tuple(tables[other] for other in needs(table_id)))
