"""The tasks of a config: what a new one is made with, and one of a snapshot."""

from __future__ import annotations

import pytest

from schemas.events.batch import Record, RecordColumns, columns_of
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.engine.engines import PYTHON
from streamer.engine.tasks import Orderings, OwnRecords, Tasks
from streamer.port import Parts
from tests.engine.tasks import AT, LEAST, events


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


GROUPS = "before", "after"


def grouped(group: str) -> Config:
    text = LEAST.replace('brokers: "b:1"', f'brokers: "b:1", group: {group}, order: model')
    return load_text(text.replace("[inferences]", "[inferences], ordered: shared"), "x", {})


def shared_log(count: int, retained: int) -> list[Record]:
    """What a group wrote, and behind and between it what it wrote after it got another name, of which it takes the
    first ones for retained history.
    """
    found = list[Record]()
    for group, begin in (("before", 0), ("after", 0), ("before", count), ("after", count)):
        config = grouped(group)
        stage = Orderings(config, Parts(1, 1)).new(("inferences", 0), begin, 0, retained if group == "after" else 0)
        for at in range(begin, begin + count, 10):
            log = [one._replace(offset=at + n) for n, one in enumerate(events(lambda i: {}, 10))]
            stage.step(Orderings(config, Parts(1, 1)).decode(log, "inferences"))
        found += [Record(len(found) + n, 0, out.key, out.value) for n, out in enumerate(stage.outbox)]
    return found


@pytest.mark.parametrize("size", [1, 3, 100])
def test_what_another_group_wrote_to_the_ordered_log_is_not_taken(size: int) -> None:
    log, alone = shared_log(50, 30), shared_log(50, 30)
    assert {record.key for record in log} == {b"before", b"after"}
    for group in GROUPS:
        other = "after" if group == "before" else "before"
        tasks = Tasks(grouped(group))
        task = tasks.new(("shared", 0), 0)
        for begin in range(0, len(log), size):
            task.step(tasks.decode(log[begin : begin + size], "shared"))
        assert task.position == len(log)
        assert task.admission.counts["used"] == sum(task.admission.counts.values()) == 100, "no event twice"
        assert isinstance(tasks.decode, OwnRecords)
        assert tasks.decode.others == {other: 100}
        whole = Tasks(grouped(group))
        one = whole.new(("shared", 0), 0)
        one.step(whole.decode([record for record in alone if record.key == group.encode()], "shared"))
        assert task.history.over
        assert [one.admission.counts, one.admission.models()] == [task.admission.counts, task.admission.models()]


def test_no_record_is_made_to_see_who_wrote_it() -> None:
    columns = columns_of(shared_log(20, 0)[:1])
    asked: list[int] = []
    given = RecordColumns(columns.values, columns.offsets, columns.times_ms, asked.append, lambda: [b"before"])  # type: ignore[arg-type]
    assert len(Tasks(grouped("before")).decode(given, "shared").offsets) == 10
    assert not asked


def test_news_begins_where_the_own_group_wrote_it() -> None:
    log, tasks = shared_log(50, 30), Tasks(grouped("after"))
    old = [record for record in log if record.key == b"before"][:1]
    mine = [record for record in log if record.key == b"after"]
    pieces = [replace_offsets([*old, *mine[:1]]), replace_offsets([*old, *mine[:4]]), replace_offsets(old)]
    assert [tasks.decode(piece, "shared").news_at for piece in pieces] == [2, 4, 1]
    assert [tasks.decode(piece, "shared").next_offset for piece in pieces] == [2, 5, 1]


def replace_offsets(records: list[Record]) -> list[Record]:
    return [record._replace(offset=offset) for offset, record in enumerate(records)]


def test_records_of_before_say_nobody_and_are_taken() -> None:
    tasks = Tasks(grouped("after"))
    nameless = [record._replace(key=None) for record in shared_log(20, 0)[:2]]
    assert len(tasks.decode(nameless, "shared").offsets) == 20


def test_groups_are_counted_by_name_up_to_a_bound() -> None:
    tasks = Tasks(grouped("after"))
    first = shared_log(10, 0)[0]
    strange = [first._replace(offset=n, key=b"%d" % n + b"x" * 300 * (n == 0)) for n in range(20)]
    tasks.decode([*strange, Record(20, 0, b"y", None), Record(21, 0, b"y", b"DRFE")], "shared")
    assert isinstance(tasks.decode, OwnRecords)
    assert len(tasks.decode.others) == 11
    assert tasks.decode.others["others"] == 100
    assert max(map(len, tasks.decode.others)) == 255
