"""The table of sources: every one is made for its signal, after what it is judged by, and goes into a snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.engine.engines import ENGINE
from streamer.engine.snapshot import decode, encode
from streamer.series.sources import SOURCES, depth, make_source, needs
from streamer.series.table import SeriesTable, TableId
from streamer.signals.grammar import parse_signal
from streamer.signals.kinds import KINDS
from tests.signals.events import HEAD, batch_of

BY = ("caller",)


def id_of(kind: str) -> TableId:
    """A table of the first signal that the help names of a kind."""
    return TableId(replace(parse_signal(KINDS[kind].forms[0]), window_ms=10_000), BY, "m")


def config() -> Config:
    return load_text(HEAD + "feedback: {pending: 7}\nlimits: {lateness: 1s}\n", "x", {})


def with_needs(table_id: TableId) -> Iterator[TableId]:
    for other in needs(table_id):
        yield from with_needs(other)
    yield table_id


def test_only_kinds_that_there_are_have_sources() -> None:
    assert set(SOURCES) < set(KINDS)
    assert {kind for kind in SOURCES if KINDS[kind].observe is not None} == {"action"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_comes_after_those_it_is_judged_by(kind: str) -> None:
    spec = SOURCES.get(kind)
    if spec is None:
        assert depth(kind) == 0
        return
    needed = needs(id_of(kind))
    assert [other.signal for other in needed] == [parse_signal(name) for name in spec.needs]
    assert {(other.by, other.model) for other in needed} <= {(BY, "m")}, "in the same groups"
    assert depth(kind) == 1 + max([depth(other.signal.kind) for other in needed], default=0)
    assert all(depth(other.signal.kind) < depth(kind) for other in needed)


def test_how_deep_the_tables_of_today_are() -> None:
    assert {kind: depth(kind) for kind in ("number", "distance", "anomaly", "ood")} == {
        "number": 0, "distance": 1, "anomaly": 1, "ood": 2
    }  # fmt: skip


@pytest.mark.parametrize("kind", [*SOURCES, "number"])
def test_a_source_makes_values_and_its_state_is_plain(kind: str) -> None:
    events = [
        {
            "caller": "ab"[i % 2], "event_id": str(i), "model_version": str(i // 50), "time": i,
            "features": {"a": float(i % 7), "b": float(i % 5), "t": "xyz"[i % 3], **({"c": 1.0} if i > 450 else {})},
            "feedback": {"action": "accept"}, "prediction": {"confidence": 0.95},
        }
        for i in range(500)
    ]  # fmt: skip
    setup, ids = config(), list(with_needs(id_of(kind)))
    batch = replace(batch_of(events, HEAD + "feedback: {}\n"), aliases=setup.roles())
    tables = {i: SeriesTable(i, 100, 50, ENGINE.table) for i in ids}
    known = {}
    for table_id, table in tables.items():
        source = make_source(setup, table_id, tables)
        if table_id.signal.kind not in SOURCES:
            assert source is None
            column = table.column(batch, table.groups(batch, np.ones(500, bool)))
        else:
            assert source is not None
            column = source.column(batch, table.groups(batch, np.ones(500, bool)), table, known)
            state = decode(encode({"": source.dump()}))
            again = make_source(setup, table_id, tables)
            assert again is not None
            again.load(state[""])
            assert encode({"": again.dump()}) == encode({"": source.dump()})
            source.tick(1000)
        known[table_id] = column, table.judge(batch, column)
        assert len(column.rows) == len(column.values) == len(column.events)
        assert all((np.diff(column.events[column.rows == row]) >= 0).all() for row in column.rows)
        assert all(0 <= row < len(table.keys) for row in column.rows.tolist())
        assert len(column.rows) > 0 or kind == "events", "of who speaks there is no value"
    assert {group for group, _ in table.keys} == {("m", "a"), ("m", "b")}
