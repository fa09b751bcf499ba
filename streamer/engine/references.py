"""References as a file: what series looked like in events that somebody chose, made once, read at every start.

A file holds series by table (signal, split, model) and key. A task that begins without a snapshot begins with their
rows: frozen, so that they are judged from their first value on. What the file does not know learns by its warm-up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from detectors.distribution import code_edges, edges_of
from detectors.reference import STATS, learn
from schemas.records.alert import rfc3339
from streamer.config.reference_file import Bins, References, Series, Table
from streamer.monitors.base import Monitor
from streamer.series.table import SeriesTable

Watched = Iterable[tuple[SeriesTable, Sequence[Monitor]]]
"""Tables, each with its monitors."""
VALUES_MAX = 1_000_000
"""Values per series that a reference is built from: they are all in memory until the end."""
LEAST = 30
"""Fewer values make no reference."""


def export(watched: Watched, source: str, config: str) -> References:
    """The references of tables that did nothing but learn; of a series in several the one with most values."""
    found: dict[str, dict[tuple[Any, ...], Series]] = {}
    for table, monitors in watched:
        if table.signal.kind == "events":
            continue
        series = found.setdefault(table.name, {})
        for one in _series_of(table, [m.bins for m in monitors if m.bins is not None]):
            key = (*one.key, one.member)
            if key not in series or series[key].n < one.n:
                series[key] = one
    tables = [Table(signal=name, series=list(series.values())) for name, series in found.items() if series]
    return References(source=source, config=config, tables=tables)


def _series_of(table: SeriesTable, bins: list[int]) -> Iterable[Series]:
    state = table.reference.dump()
    left = np.where(state["n"] < table.reference.warmup, state["n"], 0)
    ends = np.cumsum(left)
    for row, (key, member) in enumerate(table.keys):
        learned = table.reference.at(row)
        values = state["waiting"][ends[row] - left[row] : ends[row]]
        if learned.n < LEAST:
            continue
        stats = dict(zip(STATS, learn(values, table.signal.scaled), strict=True)) if len(values) else {}
        coded = table.categories is not None
        yield Series(
            key=list(key),
            member=member,
            n=learned.n,
            **{name: stats.get(name, getattr(learned, name)) for name in STATS},
            offsets=[learned.first_offset, learned.last_offset],
            begin=rfc3339(learned.first_time_ms),
            end=rfc3339(learned.last_time_ms),
            begin_ms=learned.first_time_ms,
            end_ms=learned.last_time_ms,
            categories=list(table.categories.codes[row]) if table.categories is not None else None,
            bins={str(n): _bins_of(values, n, coded) for n in bins if len(values)},
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
