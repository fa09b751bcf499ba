"""The sweep over a table of numbers against the same by its parts: every finding, every byte of the state."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest

from schemas.core import native
from schemas.events.batch import Batch, Numbers, Record
from schemas.events.decoder import Decoder
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.engines import PYTHON
from streamer.engine.task import Task
from streamer.monitors.finding import Finding
from streamer.monitors.fused_sweep import Arrays, fits, joined
from streamer.signals.columns import I64, Bool
from tests.series.tables import table_of

pytestmark = pytest.mark.skipif(native is None, reason="the compiled core was not built")

CONFIG = """
version: 1
kafka: {brokers: "b:1", group: g}
topics: {events: [t]}
reference: {warmup: 30}
monitors:
  one: {signal: features.*, detect: {kind: adwin, raw: true, clock: 4}, keep_firing_for: 1ms}
  two: {signal: features.*, by: [version], detect: {kind: page_hinkley, threshold: 5, direction: up}, accept_after: 4m}
  raw: {signal: features.*, by: [version], detect: {kind: adwin, raw: true, clock: 4}}
  down:
    signal: features.*
    detect: {kind: adwin, direction: down, max_buckets: 3}
    keep_firing_for: 5s
    accept_after: 1m
  only: {signal: features.f1, model: m1, detect: {kind: page_hinkley, threshold: 3}}
  odd: {signal: anomaly, window: {events: 10}, detect: {kind: fraction, max: 0.3}}
  apart: {signal: features.f2, window: {events: 30}, detect: {kind: distribution}}
  other: {signal: features.f0, by: [caller], detect: {kind: river, name: KSWIN}}
"""


def log(seed: int, models: int, events: int) -> list[Record]:
    """Events whose features come in several orders, are missing, and shift half-way; most are of the first models."""
    rng = random.Random(seed)
    orders = [rng.sample(range(5), rng.randint(1, 5)) for _ in range(4)]
    found = []
    for i in range(events):
        shift = 4.0 * (i > events // 2)
        features: dict[str, Any] = {f"f{k}": rng.gauss(k + shift, 1.0) for k in rng.choice(orders)}
        if rng.random() < 0.1:
            features[rng.choice(list(features))] = rng.choice([None, "text", 1e300, -7])
        names = {"model": f"m{int(models * rng.random() ** 5)}", "model_version": f"v{rng.randrange(2)}"}
        event = {**names, "features": features, "time": 1_700_000_000 + i}
        found.append(Record(i, 1000 * i, None, orjson.dumps(event)))
    return found


def findings_of(task: Task) -> list[Finding]:
    """All findings that the task's book is given from now on, in plain fields."""
    found: list[Finding] = []
    decide = task.book.decide

    def noted(batch: Batch, used: Bool, now: I64, findings: Sequence[Finding]) -> Any:
        found.extend(Finding(*(getattr(f, name) for name in Finding._fields)) for f in findings)
        return decide(batch, used, now, findings)

    task.book.decide = noted  # type: ignore[method-assign]
    return found


@pytest.mark.parametrize(("models", "series"), [(1, 1000), (3, 1000), (200, 100_000), (6000, 100_000), (40, 150)])
@pytest.mark.parametrize("seed", range(10 if os.environ.get("DRIFTLINE_REPETITIONS") else 1))
def test_it_is_the_same_as_its_parts(models: int, series: int, seed: int) -> None:
    config = load_text(CONFIG + f"limits: {{series: {series}}}\n", "sweep.yaml", {})
    records, decoder, rng = log(seed, models, 2500), Decoder(fields_of(config)), random.Random(seed)
    swept, apart = Task(config, ("t", 0), 0), Task(config, ("t", 0), 0)
    assert len(swept.watching.sweeps) >= 3, "tables of edges alone, with a window beside them, and what a rule needs"
    assert any(sweep.shown for sweep in swept.watching.sweeps.values())
    assert not all(sweep.shown for sweep in swept.watching.sweeps.values())
    apart.watching.sweeps = {}
    found_swept, found_apart = findings_of(swept), findings_of(apart)
    begin = 0
    while begin < len(records):
        end = begin + rng.choice((1, 30, 700))
        batch = decoder(records[begin:end], "t")
        swept.step(batch)
        apart.step(batch)
        begin = end
    assert found_swept == found_apart
    assert swept.outbox == apart.outbox
    assert swept.dump() == apart.dump()
    dropped = [table.dropped for table in swept.tables.values()]
    assert dropped == [table.dropped for table in apart.tables.values()]
    assert (series == 150) == any(dropped)
    assert models > 3 or len(swept.outbox) > 3
    renewed = any(table.began for table in swept.tables.values())
    assert models > 3 or renewed or any(monitor.normal for monitor in swept.by_order), "levels were accepted"


def test_a_new_monitor_has_its_rows_before_the_next_number() -> None:
    """Found by review: a snapshot behind a batch without numbers told how the batch was cut."""
    config = load_text(CONFIG, "sweep.yaml", {})
    first = Task(config, ("t", 0), 0)
    first.step(Decoder(fields_of(config))(log(1, 2, 50), "t"))
    more = "  new: {signal: features.*, detect: {kind: page_hinkley, delta: 0.7}}\n"
    wider = load_text(CONFIG + more, "sweep.yaml", {})
    swept, apart = (Task.load(wider, ("t", 0), first.dump()) for _ in range(2))
    apart.watching.sweeps = {}
    nothing = Decoder(fields_of(wider))([Record(50, 0, None, b"nope")], "t")
    swept.step(nothing)
    apart.step(nothing)
    assert swept.dump() == apart.dump()


@pytest.mark.parametrize("event", [[0, 1, 0], [1, 0, 1], [0, 1, 2], [0, -1, 1]])
def test_a_bad_call_changes_nothing(event: list[int]) -> None:
    task = Task(load_text(CONFIG, "sweep.yaml", {}), ("t", 0), 0)
    decode = Decoder(fields_of(task.config))
    value = b'{"model": "m", "features": {"a": 1}}'
    task.step(decode([Record(0, 0, None, value)], "t"))
    sweep, *_ = task.watching.sweeps.values()
    batch = decode([Record(offset, 0, None, value) for offset in (1, 2)], "t")
    odd = Numbers(np.array(event, np.int32), np.zeros(3, np.int32), np.zeros(3))
    before = task.dump()
    with pytest.raises(ValueError, match="do not ascend|does not exist"):
        sweep.step(replace(batch, numbers=odd), sweep.table.groups(batch, np.ones(2, bool)), batch.times_ms)
    assert task.dump() == before


@pytest.mark.parametrize(
    ("signal", "more", "swept"),
    [
        ("features.*", {}, True),
        ("value", {}, True),
        ("features.*", {"given": "0123"}, False),
        ("error", {}, False),
        ("traffic", {}, False),
    ],
)
def test_a_table_of_learned_numbers_is_swept_and_no_other(signal: str, more: dict[str, Any], swept: bool) -> None:
    assert fits(table_of(signal, **more)) is swept
    assert not fits(table_of(signal, engine=PYTHON, **more)), "nothing of it is compiled there"


def test_the_sweeps_of_a_batch_are_one_column() -> None:
    def part(first: int, n: int) -> Arrays:
        at = np.arange(first, first + n)
        return (at, at * 1.0, at), (at % 2 == 0, at * 2.0, at * 3.0)

    for parts in ([part(0, 5)], [part(0, 2), part(2, 0), part(2, 3)]):
        column, judged = joined(parts)
        assert [array.tolist() for array in column[:3]] == [list(range(5))] * 3
        assert (judged.ready.tolist(), judged.away.tolist()) == ([True, False] * 2 + [True], [0, 3, 6, 9, 12])
