"""The table of sources: every one is made for its signal, after what it is judged by, and goes into a snapshot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from schemas.events.batch import Record
from schemas.events.decoder import Decoder
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.engine.engines import COMPILED, ENGINE, PYTHON, Engine
from streamer.engine.snapshot import decode, encode
from streamer.engine.task import Task
from streamer.series.sources import SOURCES, depth, make_source, needs
from streamer.series.table import SeriesTable, TableId
from streamer.signals.grammar import parse_signal
from streamer.signals.kinds import KINDS
from tests.engine.tasks import LEAST, alerts
from tests.signals.events import HEAD, batch_of

engines = pytest.mark.parametrize("engine", [e for e in (PYTHON, COMPILED) if e is not None], ids=lambda e: e.name)
BY = ("caller",)
OF_LABELS = ("realised", "loss", "truth", "estimate", "error_ratio", "unlabelled", "labels")
"""What these need is made by the task: see the tests of realised, estimated, disparity, unlabelled,
label_presence.
"""


def id_of(kind: str) -> TableId:
    """A table of the first signal that the help names of a kind."""
    return TableId(replace(parse_signal(KINDS[kind].forms[0]), window_ms=10_000), BY, ("m",))


def config() -> Config:
    return load_text(HEAD + "feedback: {pending: 7}\nlimits: {lateness: 1s}\n", "x", {})


def with_needs(table_id: TableId) -> Iterator[TableId]:
    for other in needs(table_id):
        yield from with_needs(other)
    yield table_id


def test_only_kinds_that_there_are_have_sources() -> None:
    assert set(SOURCES) < set(KINDS)
    assert {kind for kind in SOURCES if KINDS[kind].observe is not None} == {"action", "truth"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_comes_after_those_it_is_judged_by(kind: str) -> None:
    spec = SOURCES.get(kind)
    if spec is None:
        assert depth(kind) == 0
        return
    needed = needs(id_of(kind))
    assert [other.signal for other in needed] == [parse_signal(name) for name in spec.needs]
    assert {(other.by, other.models) for other in needed} <= {(BY, ("m",))}, "in the same groups"
    assert depth(kind) == 1 + max([depth(other.signal.kind) for other in needed], default=0)
    assert all(depth(other.signal.kind) < depth(kind) for other in needed)


def test_how_deep_the_tables_of_today_are() -> None:
    assert {kind: depth(kind) for kind in ("number", "distance", "anomaly", "ood")} == {
        "number": 0, "distance": 1, "anomaly": 1, "ood": 2
    }  # fmt: skip


@pytest.mark.parametrize("kind", [*(kind for kind in SOURCES if kind not in OF_LABELS), "number"])
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
        none = "events", "correlation", "type_change", "embedding", "selection_ratio"
        assert len(column.rows) > 0 or kind in none, (
            "of who speaks, of the first blocks and of what stays there is no value"
        )
    assert {group for group, _ in table.keys} == ({("m", "a"), ("m", "b")} if kind != "embedding" else set())


IDS = "  mean: {signal: features.*, detect: {kind: adwin}}\n" + "".join(
    f"  m{i}: {{signal: {signal}, detect: {{kind: {kind}}}}}\n"
    for i, (signal, kind) in enumerate(
        [
            *[("category.*", "distribution"), ("unseen.*", "adwin"), ("missing.*", "adwin"), ("anomaly", "adwin")],
            *[("distance", "adwin"), ("ood", "adwin"), ("new_feature.*", "occurrence"), ("features.id", "adwin")],
        ]
    )
)


def moved(task: Task) -> set[str]:
    """Signals of the alerts that fired."""
    return {a["data"]["alert"]["labels"]["signal"] for a in alerts(task) if a["data"]["status"] == "firing"}


def counting(i: int) -> dict[str, Any]:
    """A counter, a time and an id of its own for each event, and two numbers and a text that are healthy."""
    late = {"sent_at": float(i)} if i > 400 else {}
    own = {"id": float(i), "seen_at": 2.0 * i, "user_at": f"u{i}", **late}
    return {"features": {**own, "a": float(i * 7919 % 101), "b": float(i * 104729 % 97), "c": "xyz"[i % 3]}}


def excluding(more: str) -> Config:
    return load_text(f"{LEAST}reference: {{warmup: 30}}\n{more}monitors:\n{IDS}", "x", {})


def counted(n: int) -> list[Record]:
    made = ({"model": "m", "time": 1_700_000_000 + i / 10, **counting(i)} for i in range(n))
    return [Record(i, -1, None, json.dumps(event).encode()) for i, event in enumerate(made)]


def stepped(config: Config, records: list[Record], engine: Engine) -> Task:
    task = Task(config, ("inferences", 0), 0, engine=engine)
    task.step(Decoder(fields_of(config), compiled=engine is not PYTHON)(records, "inferences"))
    return task


@engines
def test_what_the_config_excludes_is_looked_at_by_nobody_who_does_not_name_it(engine: Engine) -> None:
    log = counted(1500)
    config = excluding('exclude: [features.id, "features.*_at"]\n')
    task = stepped(config, log, engine)
    members = {table.id.signal.kind: {member for _, member in table.keys} for table in task.tables.values()
               if table.signal.path != "features.id"}  # fmt: skip
    features = {"features.a", "features.b"}
    assert members["number"] == features
    assert members["missing"] == {*features, "features.c"}
    assert members["category"] == members["unseen"] == {"features.c"}
    assert members["new_feature"] == set()
    assert [t.keys for t in task.tables.values() if t.signal.path == "features.id"] == [[(("m",), "features.id")]]
    assert moved(task) == set()
    assert moved(stepped(excluding(""), log, engine)) >= {"ood", "new_feature.sent_at"}


@engines
def test_who_is_excluded_later_leaves_the_snapshot(engine: Engine) -> None:
    log = counted(1500)
    before, after = excluding(""), excluding('exclude: [features.id, "features.*_at"]\n')
    assert before.config_hash != after.config_hash
    task = Task.load(after, ("inferences", 0), stepped(before, log[:1000], engine).dump(), engine)
    members = {member for table in task.tables.values() for _, member in table.keys if table.signal.every}
    assert members == {"features.a", "features.b", "features.c"}
    task.published()
    task.step(Decoder(fields_of(after))(log[1000:], "inferences"))
    assert not [signal for signal in moved(task) if "_at" in signal]
    again = Task.load(after, ("inferences", 0), task.dump(), engine)
    assert again.dump() == task.dump()
