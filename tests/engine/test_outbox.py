"""The outbox: written late, and the same whenever somebody looks at what is in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from schemas.events.native_json import decode
from streamer.alerts.alert import FADING, FIRING
from streamer.config.decoder_fields import fields_of
from streamer.engine.outbox import Outbox
from streamer.engine.task import Task
from streamer.port import Out
from tests.engine.tasks import AT, run
from tests.incidents.test_record import CONFIG, STREAM

LOOKS: dict[str, Callable[[Task], Any]] = {
    "the outbox": lambda task: task.outbox,
    "the counters": lambda task: list(task.counters()),
    "open incidents": Task.open_incidents,
    "a snapshot": Task.dump,
}


def stepped(look: Callable[[Task], Any], size: int = 50) -> Task:
    task = Task(CONFIG, AT, 0)
    for begin in range(0, len(STREAM), size):
        task.step(decode(STREAM[begin : begin + size], fields_of(CONFIG), AT[0]))
        look(task)
    return task


@pytest.mark.parametrize("look", LOOKS)
def test_who_looks_changes_nothing(look: str) -> None:
    task, whole = stepped(LOOKS[look]), run(CONFIG, STREAM)
    assert task.outbox == whole.outbox == whole.outbox, "an aborted commit is made again of the same"
    assert task.dump() == whole.dump()
    assert {out.topic for out in whole.outbox} == {"alerts", "incidents"}


def test_incidents_hear_of_what_nobody_publishes() -> None:
    """A restore discards what an earlier life has published."""
    task = run(CONFIG, STREAM[:1000])
    task.published()
    assert (task.outbox, task.waiting, task.open_incidents()) == ([], 0, {"fraud": 1})
    open_alerts = sum(n for (_, _, state), n in task.alerts().items() if state in (FIRING, FADING))
    assert len(task.records.begun) == open_alerts > 0, "nothing is kept of an alert that came and went"
    assert task.dump() == run(CONFIG, STREAM[:1000]).dump()


def test_nothing_of_an_alert_is_written_before_somebody_asks() -> None:
    task = run(CONFIG, STREAM)
    assert task.waiting > 10, "but they count"
    assert (task.incidents.emitted, task.records.begun) == ({}, {})
    assert len(task.outbox) == len(task.box.decided) == task.waiting
    assert sum(task.incidents.emitted.values()) == sum(out.topic == "incidents" for out in task.outbox)


def test_only_what_was_published_is_forgotten_and_the_order_is_that_of_the_log() -> None:
    task = run(CONFIG, [])
    box = Outbox(task.records, task.incidents)
    first, second = Out("windows", b"1", b""), Out("dead_letter", b"2", b"")
    box.put([first])
    assert box.written() == [first]
    box.put([second])
    box.drop(1)
    assert (box.written(), box.waiting) == ([second], 1)
    box.drop(None)
    assert (box.written(), box.waiting) == ([], 0)
