"""The compiled writer of edges' records against the Python one, byte for byte."""

from __future__ import annotations

import math
import random
import struct
from typing import Any

import pytest

from schemas.core import native
from schemas.records.alert import Source, edge_records, forms
from streamer.alerts.alert_record import alert_record, written_out
from streamer.alerts.lifecycle import Moment, Notice, Opened
from streamer.config.load import load_text
from streamer.engine.task import Task
from streamer.monitors.base import Monitor
from streamer.monitors.evidence import Edge, Seen
from streamer.signals.grammar import parse_signal

pytestmark = pytest.mark.skipif(native is None, reason="no compiled core")

NASTY = 'é\u202e "q" \\ %(mark)s \u0001\b\f\n\r\t\u007f 😀'
CONFIG = """
version: 1
kafka: {brokers: "localhost:9092", group: "group"}
topics: {events: [in.put]}
monitors:
  m: {signal: SIGNAL, by: [version], description: "100 %", detect: {kind: adwin, delta: 0.002}}
"""
TIES = (0.5, 1.5, 2.5, 0.125, 0.25, 0.05, 0.15, 1234.5, 9999.5, 99995.0, 0.00012345, 0.0001, 1e16, 1e-5, 1e-6, 1e21)


def number(rng: random.Random) -> float:
    """Any finite number, mostly one that rounds in an interesting way."""
    kind = rng.randrange(6)
    if kind == 0:
        return rng.choice(TIES) * rng.choice((1, -1))
    if kind == 1:
        return rng.choice((0.0, -0.0, 1.0, 5e-324, 1.7e308, -1.7e308))
    if kind == 2:
        return rng.randrange(-10_000, 10_000) / 2 ** rng.randrange(12)
    if kind == 3:
        return round(rng.gauss(0.0, 10.0 ** rng.randrange(-6, 7)), rng.randrange(8))
    if kind == 4:  # Half way between two texts of four digits or of one decimal, or a few floats beside it.
        digits, power = rng.choice(
            ((rng.randrange(1000, 10_000), rng.randrange(-310, 300)), (rng.randrange(10**9), -2))
        )
        value = (10 * digits + 5) * 10.0**power
        for _ in range(rng.randrange(3)):
            value = math.nextafter(value, rng.choice((0.0, math.inf)))
        return value * rng.choice((1, -1))
    value = struct.unpack("<d", rng.randbytes(8))[0]
    return float(value) if math.isfinite(value) else 0.0


def seen(rng: random.Random) -> Seen | None:
    if rng.random() < 0.2:
        return None
    places = (rng.randrange(10**6), rng.randrange(10**15), rng.randrange(2 * 10**12), rng.randrange(2 * 10**12))
    return rng.randrange(1000), number(rng), abs(number(rng)), *places


def notice(rng: random.Random, monitor: Monitor, row: int) -> Notice:
    statistic = rng.choice((number(rng), math.inf))
    edge: Edge = (rng.choice((-1, 0, 1)), statistic, number(rng), seen(rng), seen(rng))
    opened = Opened(rng.randrange(10**12), rng.randrange(2 * 10**12), rng.randrange(10**12), edge)
    at = Moment(rng.randrange(10**12), rng.randrange(2 * 10**12), rng.randrange(2 * 10**12))
    status = rng.choice(("firing", "resolved"))
    counts = rng.randrange(9), rng.randrange(10**6), rng.randrange(3)
    return Notice(status, monitor.name, row, *counts, opened, at, rng.choice((None, rng.randrange(2 * 10**12))))


def compiled(notice: Notice) -> Any:
    """The same as the core keeps it."""
    assert native is not None
    return native.Notice(*notice)


def monitor_of(signal: str, model: str) -> tuple[Task, Monitor]:
    task = Task(load_text(CONFIG.replace("SIGNAL", signal), "d.yaml", {}), ("in.put", 3), 0)
    monitor = task.monitors["m"]
    name = parse_signal(signal).path
    for version in ("", "v" + NASTY):
        monitor.table.row((model, version), name)
    return task, monitor


@pytest.mark.parametrize("signal", ["latency_ms", "/x y", "missing.amount"])
def test_the_compiled_writer_of_edges_gives_the_same_bytes(signal: str) -> None:
    rng = random.Random(f"edges of {signal}")
    task, monitor = monitor_of(signal, "m" + NASTY)
    for _ in range(3000):
        found = notice(rng, monitor, rng.randrange(2))
        record = alert_record(task.config, task.partition, monitor, compiled(found))
        assert (record.key, record.value) == written_out(task.partition, monitor, found), found
    assert monitor.writer is not None


def test_without_the_core_the_same_record_is_written_in_python() -> None:
    rng = random.Random(5)
    task, monitor = monitor_of("latency_ms", "fraud")
    found = notice(rng, monitor, 0)
    record = alert_record(task.config, task.partition, monitor, compiled(found))
    assert edge_records(monitor.forms, 0, compiled=False) is None
    assert alert_record(task.config, task.partition, monitor, found) == record
    monitor.writer = None
    assert alert_record(task.config, task.partition, monitor, compiled(found)) == record


def test_a_row_is_named_to_the_writer_before_its_first_record() -> None:
    source = Source("g", "hash", "in.put", 3)
    writer = edge_records(forms("warning", {}, {}, source), 0)
    _, monitor = monitor_of("latency_ms", "fraud")
    assert writer.write(compiled(notice(random.Random(1), monitor, 0))) is None


def test_a_form_with_a_fact_that_no_edge_has_is_refused() -> None:
    assert native is not None
    with pytest.raises(ValueError, match="no edge has"):
        native.EdgeRecords(["", "nonsense", ""], [""], 0, "e")
