"""The tasks of a config: what a new one is made with, and one of a snapshot."""

from __future__ import annotations

from streamer.config.load import load_text
from streamer.engine.engines import PYTHON
from streamer.engine.tasks import Tasks
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
