"""References over all partitions: what is learned is what all records together say, however they are cut and spread."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from schemas.events.batch import Record
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.config.reference_file import Series
from streamer.engine.task import Task
from streamer.offline.account import at_offset
from streamer.offline.reference_build import Built, build
from streamer.offline.reference_diff import series_of
from tests.engine.referenced import CONFIG, event

AT = "inferences"
AMOUNT = "number features.*: fraud / features.amount"


def config(more: str = "") -> Config:
    return load_text(CONFIG.replace("REFERENCE", "") + more, "x", {})


def records(events: list[dict[str, Any]]) -> list[Record]:
    return [Record(i, -1, None, json.dumps(e).encode()) for i, e in enumerate(events)]


def spread(parts: list[list[dict[str, Any]]], size: int = 500) -> Iterator[tuple[tuple[str, int], list[Record]]]:
    for number, events in enumerate(parts):
        whole = records(events)
        for first in range(0, len(whole), size):
            yield (AT, number), whole[first : first + size]


def events(count: int, seed: int = 1, **more: Any) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    return [event(rng, i, **more) for i in range(count)]


def country() -> str:
    """The name of the series of categories, which is split by version."""
    [name] = [name for name in named(build(config(), spread([events(30)]), "s")) if name.endswith("features.country")]
    return name


def named(built: Built) -> dict[str, Series]:
    return series_of(built.references)


def test_what_is_in_six_partitions_is_learned_from_all_six() -> None:
    whole = events(3000)
    parts = [whole[n::6] for n in range(6)]
    one, six = named(build(config(), spread([whole]), "s")), named(build(config(), spread(parts), "s"))
    assert set(one) == set(six)
    assert (one[AMOUNT].n, six[AMOUNT].n) == (3000, 3000)
    for name in ("centre", "scale", "mean", "std", "below", "above"):
        assert getattr(six[AMOUNT], name) == pytest.approx(getattr(one[AMOUNT], name), rel=1e-9)
    assert six[AMOUNT].bins == one[AMOUNT].bins
    assert (six[AMOUNT].begin, six[AMOUNT].end) == (one[AMOUNT].begin, one[AMOUNT].end)
    # A partition is watched on its own, so a window is one of a partition, and there are six times as many of them.
    latency = next(name for name in one if "latency_ms" in name)
    assert six[latency].n == 6 * one[latency].n


def test_categories_are_counted_by_name_whatever_their_order_in_a_partition() -> None:
    parts = [
        [*events(40, 1, country=first), *events(60, 2, country=second)]
        for first, second in (("NL", "DE"), ("DE", "FR"))
    ]
    found = named(build(config(), spread(parts), "s"))[country()]
    bins = next(iter(found.bins.values()))
    assert (found.n, found.categories) == (200, ["NL", "DE", "FR"])
    assert bins.counts[:3] == [40, 100, 60]
    many = [
        [{**e, "features": {"country": f"c{40 * n + i % 40}"}} for i, e in enumerate(events(400, n))] for n in (0, 1)
    ]
    full = named(build(config(), spread(many), "s"))[country()]
    assert (full.n, len(full.categories or []), full.is_category) == (800, 80, True)
    ids = [[{**e, "features": {"country": f"id{n}-{i}"}} for i, e in enumerate(events(400, n))] for n in (0, 1)]
    none = named(build(config(), spread(ids), "s"))[country()]
    assert (none.n, none.categories, none.is_category) == (800, [], False)


@pytest.mark.parametrize("size", [1, 7, 100, 500])
def test_cuts_change_nothing_even_where_more_comes_than_is_kept(size: int) -> None:
    parts = [events(250, 1), events(90, 2, shift=50.0), events(400, 3)]
    assert build(config(), spread(parts, size), "s", 300) == build(config(), spread(parts, 500), "s", 300)


def test_of_too_many_values_every_partition_has_its_share() -> None:
    parts = [events(400, 1), events(60, 2, shift=500.0), events(400, 3, shift=1000.0)]
    found = named(build(config(), spread(parts), "s", 300))[AMOUNT]
    kept = [e["features"]["amount"] for part in parts for e in part[:120]]
    assert len(kept) == found.n == 300
    assert found.mean == pytest.approx(float(np.mean(kept)))


def test_what_was_used_is_told_by_partition() -> None:
    parts = [events(100, 1), [*events(50, 2), {"no": "model"}], events(60, 3)]
    built = build(config(), spread(parts), "s")
    assert list(built.told(at_offset)) == [
        "211 records of 3 partitions = 210 used + 0 late + 0 duplicate + 0 filtered + 1 rejected",
        "  inferences[0]: 100 used + 0 late + 0 duplicate + 0 filtered + 0 rejected",
        "  inferences[1]: 50 used + 0 late + 0 duplicate + 0 filtered + 1 rejected",
        "  inferences[2]: 60 used + 0 late + 0 duplicate + 0 filtered + 0 rejected",
        "  rejected: 1 missing_model: the event does not name its model: absent, null or the empty text;"
        " first inferences[1]@50 (/model); say where the model's name is: fields: {model: /POINTER}, or what"
        " it is: {model: =NAME}; driftline suggest names places that it may be at.",
    ]
    [alone] = build(config(), spread(parts[:1]), "s").told(at_offset)
    assert alone == "100 records of 1 partition = 100 used + 0 late + 0 duplicate + 0 filtered + 0 rejected"
    assert build(config(), spread([]), "s").told(at_offset)[0].startswith("0 records of 0 partitions = 0 used")


def test_what_every_partition_learned_serves_each_of_them() -> None:
    """A task of any partition has the rows of all, ready from its first event on."""
    built = build(config(), spread([events(200, 1), events(200, 2)]), "s")
    serving = config()
    serving._given, serving._given_hash = built.references, "c0ffee"
    task = Task(serving, (AT, 5), 0)
    table = next(t for t in task.tables.values() if t.name == "number features.*")
    assert table.pinned[table.index[(("fraud",), "features.amount")]]["n"] == 400
