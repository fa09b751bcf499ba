"""A table of its own, without a task: what a batch gives to it, by key."""

from __future__ import annotations

from typing import Any

import numpy as np

from schemas.events.batch import Batch
from streamer.engine.engines import ENGINE, Engine
from streamer.series.table import SeriesTable, TableId
from streamer.signals.columns import Column, Groups
from streamer.signals.grammar import parse_signal
from streamer.signals.models import models_of
from tests.signals.events import batch_of

Value = tuple[tuple[str, ...], str, int, float]
"""Group, member, event and value."""


def table_of(
    signal: str, by: tuple[str, ...] = (), model: str | None = None, warmup: int = 5, rows: int = 100,
    engine: Engine = ENGINE, **more: Any,
) -> SeriesTable:  # fmt: skip
    return SeriesTable(TableId(parse_signal(signal), by, models_of(model)), warmup, rows, engine.table, **more)


def grouped(table: SeriesTable, batch: Batch, used: list[bool] | None = None) -> Groups:
    return table.groups(batch, np.ones(len(batch.offsets), bool) if used is None else np.array(used))


def plain(table: SeriesTable, column: Column, begin: int = 0) -> list[Value]:
    """What a column says, event by event."""
    told = zip(column.rows.tolist(), column.values.tolist(), column.events.tolist(), strict=True)
    found = [(*table.keys[row], begin + event, value) for row, value, event in told]
    return sorted(found, key=lambda value: (value[2], value[0], value[1]))


def in_parts(table: SeriesTable, events: list[dict[str, Any]], size: int) -> list[Value]:
    """What the events give to a table of their own fields, `size` events a batch."""
    found: list[Value] = []
    for begin in range(0, len(events), size):
        batch = batch_of(events[begin : begin + size], begin=begin)
        found += plain(table, table.column(batch, grouped(table, batch)), begin)
    return found
