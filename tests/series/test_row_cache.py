"""The compiled way from numbers to rows against the table's own, whatever it had to forget on the way."""

from __future__ import annotations

import random
from typing import Any

import pytest

from schemas.core import native
from streamer.engine.engines import COMPILED, PYTHON
from streamer.series import row_cache
from streamer.signals.columns import Column
from tests.series.tables import grouped, table_of
from tests.signals.events import batch_of

pytestmark = pytest.mark.skipif(native is None, reason="the compiled core was not built")


def events(rng: random.Random, count: int, callers: int) -> list[dict[str, Any]]:
    """Names in changing order, and callers that come and go."""
    names = [f"f{k}" for k in range(12)]

    def features() -> dict[str, float]:
        return {name: rng.random() for name in rng.sample(names, rng.randrange(6))}

    return [{"caller": f"c{rng.randrange(callers)}", "features": features()} for _ in range(count)]


def values(column: Column) -> list[tuple[int, int, float]]:
    return sorted(zip(column.events.tolist(), column.rows.tolist(), column.values.tolist(), strict=True))


@pytest.mark.parametrize("signal", ["features.*", "features.f3"])
@pytest.mark.parametrize("rows", [5, 40, 1000])
@pytest.mark.parametrize("spare", [0, 20, 10_000])
def test_rows_and_what_is_dropped_are_the_same(
    signal: str, rows: int, spare: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_cache, "SPARE", spare)
    assert COMPILED is not None
    cached, plain = (table_of(signal, ("caller",), rows=rows, engine=engine) for engine in (COMPILED, PYTHON))
    rng, cleared = random.Random(f"{rows} {spare}"), 0
    assert cached.row_cache is not None
    assert plain.row_cache is None
    for callers in (2, 30, 2, 60, 5):
        for size in (1, 40, 7):
            before = cached.row_cache.index
            batch = batch_of(events(rng, size, callers))
            used = [rng.random() < 0.9 for _ in range(size)]
            one, other = (values(table.column(batch, grouped(table, batch, used))) for table in (cached, plain))
            cleared += cached.row_cache.index is not before
            assert one == other
            assert (cached.keys, cached.dropped) == (plain.keys, plain.dropped)
    assert (cleared > 0) is (spare == 0 and rows == 5), "what it forgets it asks the table for"


def test_a_new_group_of_a_full_table_is_refused_and_its_values_are_counted() -> None:
    assert COMPILED is not None
    table = table_of("features.*", ("caller",), rows=1, engine=COMPILED)
    cache = table.row_cache
    assert cache is not None
    first = batch_of([{"caller": "a", "features": {"x": 1}}])
    table.column(first, grouped(table, first))
    batch = batch_of([{"caller": "b", "features": {"x": 1, "y": 2}}, {"caller": "a", "features": {"x": 3}}])
    column = table.column(batch, grouped(table, batch))
    assert (column.events.tolist(), column.values.tolist(), table.dropped) == ([1], [3.0], 2)
    groups, _ = cache.numbers(table, batch, grouped(table, batch))
    assert groups.tolist() == [row_cache.REFUSED, 0]
    assert list(cache.groups) == [("m", "a")], "no name is remembered for nothing"


def test_names_that_are_not_the_signals_have_no_number() -> None:
    assert COMPILED is not None
    table = table_of("features.b", engine=COMPILED)
    batch = batch_of([{"features": {"a": 1, "b": 2, "bc": 3}, "latency_ms": 4}])
    assert table.row_cache is not None
    _, names = table.row_cache.numbers(table, batch, grouped(table, batch))
    numbered = [name for name, number in zip(batch.names, names.tolist(), strict=True) if number >= 0]
    assert numbered == ["features.b"]
