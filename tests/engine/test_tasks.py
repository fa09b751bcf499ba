"""The tasks of a config: what a new one is made with, and one of a snapshot."""

from __future__ import annotations

from schemas.events.batch import Record
from streamer.config.load import load_text
from streamer.engine.engines import PYTHON
from streamer.engine.tasks import Orderings, Tasks
from tests.engine.tasks import AT, LEAST


def test_a_new_task_stands_where_it_is_told_and_knows_what_was_there_before() -> None:
    tasks = Tasks(load_text(LEAST, "x", {}), PYTHON)
    task = tasks.new(AT, 7, 2, first_end=90)
    assert (task.partition, task.position, task.generation, task.engine) == (AT, 7, 2, PYTHON)
    assert (task.history.end, task.history.over) == (90, False)
    again = tasks.load(AT, task.dump())
    assert (again.generation, again.history.end, again.history.over) == (2, 90, False)
    assert again.dump() == task.dump()


def test_at_the_end_of_what_there_is_nothing_was_there_before() -> None:
    task = Tasks(load_text(LEAST, "x", {})).new(AT, 90, first_end=90)
    assert (task.history.end, task.history.over) == (0, True)


def test_the_times_of_events_are_those_in_their_records_or_else_of_their_records() -> None:
    config = load_text(LEAST + "mapping: {each: [/rows]}\nfields: {model: /rows/model, time: /rows/at}\n", "x", {})
    values = [
        b'{"rows": [{"model": "m", "at": 1700000000}, {"model": "m", "at": 1700000009}]}',
        b"{",
        b'{"rows": [{"model": "m"}]}',
        b'{"rows": [{"model": "m", "at": 1700000005}]}',
    ]
    late_ms = 1_800_000_000_000
    records = [Record(7 * number, late_ms + number, None, value) for number, value in enumerate(values)]
    stages = Orderings(config, 2, PYTHON)
    times_ms = [1_700_000_000_000, late_ms + 1, late_ms + 2, 1_700_000_005_000]
    assert stages.event_times(records, "in").tolist() == times_ms
