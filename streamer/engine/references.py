"""References as a file: what series looked like in events that somebody chose, made once, read at every start.

A file holds series by table (signal, split, model) and key. A task that begins without a snapshot begins with their
rows: frozen, so that they are judged from their first value on. What the file does not know learns by its warm-up.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Sequence
from typing import Any

import numpy as np

from detectors.bank import F64
from detectors.distribution import code_edges, edges_of
from detectors.reference import STATS, Learned, learn
from schemas.records.alert import rfc3339
from streamer.config.reference_file import Bins, References, Series, Table
from streamer.engine.reference_space import PooledSpaces
from streamer.monitors.base import Monitor
from streamer.monitors.pinned_past import quantiles_of
from streamer.port import Partition
from streamer.series.sources import Source
from streamer.series.table import SeriesTable
from streamer.signals.categories import CODES, Known
from streamer.signals.models import takes

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
        self.texts = Known()  # of categories, in the order of their first appearance
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

    def numbers_of(self, part: Known) -> F64:
        """For each number of a partition's categories the number that the category has here; counts them."""
        self.texts.add(part)
        names = self.texts.names
        numbers = [float(min(names.get(name, CODES), CODES)) for name in list(part.names)[:CODES]]
        return np.array([*numbers, *[CODES] * (CODES + 1 - len(numbers))], np.float64)


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
        self.spaces: dict[str, PooledSpaces] = {}

    def drain(self, partition: Partition, watched: Watched) -> None:
        """Take the values that the tables learned from and leave their rows with none, so that they go on learning."""
        for table, monitors in watched:
            if table.signal.kind in ("events", "labels", "embedding"):  # What a centre is the file does not say.
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
                    numbers = one.numbers_of(table.categories.rows[row])
                    values = numbers[values.astype(np.int64)] if table.signal.kind == "category" else values
                one.add(partition, values, table.reference.at(row), self.values_max)
            if table.categories is not None:
                table.categories.rows = [Known() for _ in table.categories.rows]
            nothing = {name: np.zeros_like(column) for name, column in state.items() if name != "waiting"}
            table.reference.load({**nothing, "waiting": np.zeros(0)})

    def drain_spaces(self, partition: Partition, sources: Iterable[tuple[SeriesTable, Source]]) -> None:
        """The same of what is learned from events as a whole."""
        for table, source in sources:
            if sampled := source.samples():
                self.spaces.setdefault(table.identity, PooledSpaces(table)).add(partition, sampled)

    def references(self, source: str, config: str) -> References:
        """The file; of a series in several tables of one name the one with most values."""
        found: dict[str, dict[Any, Series]] = {}
        for table, bins, pooled in self.tables.values():
            series = found.setdefault(table.name, {})
            for key, one in pooled.items():
                made = _series_of(table, bins, one)
                if made.n >= LEAST and (key not in series or series[key].n < made.n):
                    series[key] = made
        for spaces in self.spaces.values():
            for space in spaces.series():
                found.setdefault(spaces.table.name, {}).setdefault((tuple(space.key), space.member), space)
        tables = [Table(signal=name, series=list(series.values())) for name, series in found.items() if series]
        return References(source=source, config=config, tables=tables)


def _series_of(table: SeriesTable, bins: list[int], one: Pooled) -> Series:
    values = np.concatenate(list(one.parts.values()))
    begin_ms = min(place.first_time_ms for place in one.places)
    end_ms = max(place.last_time_ms for place in one.places)
    coded = table.categories is not None
    names = list(one.texts.names)  # In the order of the values' numbers.
    one.texts.settle()
    category = one.texts.is_category(table.categories.share) if table.categories is not None else None
    stats: dict[str, Any] = dict(zip(STATS, learn(values, table.signal.scaled), strict=True))
    return Series(
        key=list(one.key),
        member=one.member,
        n=len(values),
        **stats,
        offsets=[min(p.first_offset for p in one.places), max(p.last_offset for p in one.places)],
        begin=rfc3339(begin_ms),
        end=rfc3339(end_ms),
        begin_ms=begin_ms,
        end_ms=end_ms,
        categories=(names if category else []) if coded else None,
        category=category,
        quantiles=None if coded or np.isin(values, (0.0, 1.0)).all() else quantiles_of(values),
        bins={str(n): _bins_of(values, n, coded) for n in bins},
    )


def _bins_of(values: Any, bins: int, coded: bool) -> Bins:
    edges = np.array(code_edges(bins) if coded else edges_of(values.tolist(), bins))
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=bins)
    known = int(np.isfinite(edges).sum())
    return Bins(edges=edges[:known].tolist(), counts=counts[: known + 1].tolist())


def of_table(references: References, table: SeriesTable) -> list[Series]:
    """The series of the file that a table has, whatever signal they were built for: `features.amount` is one of
    `features.*`, and the categories of a feature say what is unseen.
    """
    kind, split = table.signal.kind, re.escape(f" by {', '.join(table.by)}" if table.by else "")
    found: dict[tuple[str, ...], Series] = {}
    for name in dict.fromkeys((table.name, *(one.signal for one in references.tables))):
        told = re.fullmatch(rf"(\w+) .*?{split}( of .+)?", name)
        same = name == table.name or (told and told[1] in LIKE.get(kind, (kind,)) and kind in SHARED)
        for one in next((t.series for t in references.tables if t.signal == name), ()) if same else ():
            if len(one.key) == 1 + len(table.by) and takes(table.models, one.key[0]) and _has(table, one.member):
                own = name.partition(" ")[0] == kind
                found.setdefault((*one.key, one.member), one if own else one.model_copy(update=NEVER))
    return list(found.values())


def _has(table: SeriesTable, member: str) -> bool:
    return table.signal.takes(member) if table.signal.kind in SHARED else table.wants(member)


SHARED = ("number", "category", "unseen", "missing", "label", "status", "caller", "version", "action")
"""Kinds of signal whose series are the same ones whichever of their signals they were built for."""
LIKE = {"unseen": ("unseen", "category")}
NEVER: dict[str, Any] = {**dict.fromkeys(STATS, 0.0), "bins": {}}
"""What was never there in the events of the file."""


def seed(references: References, fresh: Watched) -> None:
    """Give the rows of the file to tables that have none yet, and to the monitors that need more than the table's own
    reference.
    """
    for table, monitors in fresh:
        series = of_table(references, table)
        if not series:
            continue
        given = {row: one for one in series if (row := table.row((tuple(one.key)), one.member)) >= 0}
        table.resize()
        pin(table, given, references.source)
        _freeze(table, given)
        for monitor in monitors:
            monitor.seed(given)


def pin(table: SeriesTable, given: dict[int, Series], source: str) -> None:
    """Remember which rows the file gave, for the evidence of alerts."""
    table.spaces = {tuple(one.key): one.space for one in given.values() if one.space is not None}
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
        if row not in table.unpinned
    }


def seed_again(references: References, watched: Watched, restored: Container[str]) -> None:
    """After a snapshot: in the tables that it had the rows are there, and what the file says of them is not."""
    fresh = []
    for table, monitors in watched:
        known = {(tuple(one.key), one.member): one for one in of_table(references, table)}
        pin(table, {row: known[key] for row, key in enumerate(table.keys) if key in known}, references.source)
        if table.identity not in restored:
            fresh.append((table, monitors))
    seed(references, fresh)


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
            table.categories.rows[row] = Known.of_file(one.categories or [], one.is_category)
    table.reference.load(state)
