"""References as a file: what series looked like in events that somebody chose, made once, read at every start.

A file holds series by table (signal, split, model) and key. A task that begins without a snapshot begins with their
rows: frozen, so that they are judged from their first value on. What the file does not know learns by its warm-up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from detectors.bank import F64
from detectors.distribution import code_edges, edges_of
from detectors.reference import STATS, Learned, learn
from schemas.records.alert import rfc3339
from streamer.config.reference_file import Bins, References, Series, Table
from streamer.monitors.base import Monitor
from streamer.monitors.pinned_past import quantiles_of
from streamer.port import Partition
from streamer.series.table import SeriesTable
from streamer.signals.categories import CODES

Watched = Iterable[tuple[SeriesTable, Sequence[Monitor]]]
"""Tables, each with its monitors."""
VALUES_MAX = 1_000_000
"""Values per series that a reference is built from, equally many of each partition: they are all in memory until the
end.
"""
LEAST = 30
"""Fewer values make no reference."""


class Pooled:
    """The values of one series, by partition, and where they are from."""

    def __init__(self, key: tuple[str, ...], member: str) -> None:
        self.key, self.member = key, member
        self.parts: dict[Partition, F64] = {}
        self.names: list[str] = []  # of categories, in the order of their first appearance
        self.places: list[Learned] = []

    def add(self, partition: Partition, values: F64, place: Learned, most: int) -> None:
        """Values that follow those of the partition that are there; of too many each partition keeps its first ones."""
        if partition in self.parts:
            values = np.concatenate([self.parts[partition], values])
        self.parts[partition] = values[:most]
        lengths = sorted(map(len, self.parts.values()))
        if sum(lengths) > most:
            share = _share_of(lengths, most)
            self.parts = {at: kept[:share] for at, kept in self.parts.items()}
        self.places.append(place)

    def numbers_of(self, names: Sequence[str]) -> F64:
        """For each number of a partition's categories the number that the category has here."""
        self.names += [name for name in names if name not in self.names][: CODES - len(self.names)]
        known = {name: float(i) for i, name in enumerate(self.names)}
        return np.array([*(known.get(name, CODES) for name in names), *[CODES] * (CODES + 1 - len(names))], np.float64)


def _share_of(lengths: list[int], most: int) -> int:
    """The greatest length to which all can be cut so that `most` are left; what short ones leave goes to the others."""
    for i, length in enumerate(lengths):
        share = most // (len(lengths) - i)
        if length >= share:
            return share
        most -= length
    return most


class Pool:
    """References of tasks that did nothing but learn, over all their partitions. A series that is in several of them is
    one: what is watched in each is compared with what all of them looked like.
    """

    def __init__(self, values_max: int = VALUES_MAX) -> None:
        self.values_max = values_max
        self.tables: dict[str, tuple[SeriesTable, list[int], dict[Any, Pooled]]] = {}

    def drain(self, partition: Partition, watched: Watched) -> None:
        """Take the values that the tables learned from and leave their rows with none, so that they go on learning."""
        for table, monitors in watched:
            if table.signal.kind == "events":
                continue
            bins = [m.bins for m in monitors if m.bins is not None]
            series = self.tables.setdefault(table.identity, (table, bins, {}))[2]
            state = table.reference.dump()
            assert not len(state["n"]) or state["n"].max() < table.reference.warmup, "values were let go"
            ends = np.cumsum(state["n"])
            for row in np.flatnonzero(state["n"]).tolist():
                values = state["waiting"][ends[row] - state["n"][row] : ends[row]]
                one = series.setdefault(table.keys[row], Pooled(*table.keys[row]))
                if table.categories is not None:
                    numbers = one.numbers_of(list(table.categories.codes[row]))
                    values = numbers[values.astype(np.int64)] if table.signal.kind == "category" else values
                one.add(partition, values, table.reference.at(row), self.values_max)
            nothing = {name: np.zeros_like(column) for name, column in state.items() if name != "waiting"}
            table.reference.load({**nothing, "waiting": np.zeros(0)})

    def references(self, source: str, config: str) -> References:
        """The file; of a series in several tables of one name the one with most values."""
        found: dict[str, dict[Any, Series]] = {}
        for table, bins, pooled in self.tables.values():
            series = found.setdefault(table.name, {})
            for key, one in pooled.items():
                made = _series_of(table, bins, one)
                if made.n >= LEAST and (key not in series or series[key].n < made.n):
                    series[key] = made
        tables = [Table(signal=name, series=list(series.values())) for name, series in found.items() if series]
        return References(source=source, config=config, tables=tables)


def _series_of(table: SeriesTable, bins: list[int], one: Pooled) -> Series:
    values = np.concatenate(list(one.parts.values()))
    begin_ms = min(place.first_time_ms for place in one.places)
    end_ms = max(place.last_time_ms for place in one.places)
    coded = table.categories is not None
    return Series(
        key=list(one.key),
        member=one.member,
        n=len(values),
        **dict(zip(STATS, learn(values, table.signal.scaled), strict=True)),
        offsets=[min(p.first_offset for p in one.places), max(p.last_offset for p in one.places)],
        begin=rfc3339(begin_ms),
        end=rfc3339(end_ms),
        begin_ms=begin_ms,
        end_ms=end_ms,
        categories=one.names if coded else None,
        quantiles=None if coded or np.isin(values, (0.0, 1.0)).all() else quantiles_of(values),
        bins={str(n): _bins_of(values, n, coded) for n in bins},
    )


def _bins_of(values: Any, bins: int, coded: bool) -> Bins:
    edges = np.array(code_edges(bins) if coded else edges_of(values.tolist(), bins))
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=bins)
    known = int(np.isfinite(edges).sum())
    return Bins(edges=edges[:known].tolist(), counts=counts[: known + 1].tolist())


def seed(references: References, fresh: Watched) -> None:
    """Give the rows of the file to tables that have none yet, and to the monitors that need more than the table's own
    reference.
    """
    by_name = {table.signal: table.series for table in references.tables}
    for table, monitors in fresh:
        series = by_name.get(table.name)
        if series is None:
            continue
        given = {row: one for one in series if (row := table.row((tuple(one.key)), one.member)) >= 0}
        table.resize()
        pin(table, given, references.source)
        _freeze(table, given)
        for monitor in monitors:
            monitor.seed(given)


def pin(table: SeriesTable, given: dict[int, Series], source: str) -> None:
    """Remember which rows the file gave, for the evidence of alerts."""
    table.pinned = {
        row: {
            "n": one.n,
            "mean": one.mean,
            "std": one.std,
            "offsets": one.offsets,
            "from": one.begin,
            "to": one.end,
            "source": source,
        }
        for row, one in given.items()
    }


def pinned_again(table: SeriesTable, references: References) -> None:
    """After a snapshot: the rows are there, what the file says of them is not."""
    series = next((found.series for found in references.tables if found.signal == table.name), [])
    known = {(tuple(one.key), one.member): one for one in series}
    pin(table, {row: known[key] for row, key in enumerate(table.keys) if key in known}, references.source)


def _freeze(table: SeriesTable, given: dict[int, Series]) -> None:
    state = table.reference.dump()
    for row, one in given.items():
        state["n"][row] = table.reference.warmup
        for name in STATS:
            state[name][row] = getattr(one, name)
        state["first_offset"][row] = state["last_offset"][row] = -1  # Offsets of another log mean nothing in this one.
        state["first_time_ms"][row], state["last_time_ms"][row] = one.begin_ms, one.end_ms
        if table.categories is not None:
            table.categories.resize(len(table.keys))
            table.categories.codes[row] = {name: i for i, name in enumerate(one.categories or [])}
    table.reference.load(state)
