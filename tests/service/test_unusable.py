"""Records that cannot be used, of all partitions together: the shares of a topic, and the open alerts in words."""

from __future__ import annotations

from schemas.events.batch import Record, Reject
from streamer.config.load import load_text
from streamer.engine.task import Task
from streamer.engine.tasks import Tasks
from streamer.port import Tick
from streamer.service.unusable import NAMED_MAX, by_topic, bytes_of, in_words
from tests.engine.tasks import LEAST

CONFIG = load_text(LEAST.replace("[inferences]", "[in, other]"), "x", {})
GZIP, GOOD = bytes([0x1F, 0x8B, 8, 0, 1, 2]), b'{"model": "fraud", "time": 1700000000}'


def fed(number: int, *values: bytes) -> Task:
    tasks = Tasks(CONFIG)
    task = tasks.new(("in", number), 0)
    feed(task, *values)
    return task


def feed(task: Task, *values: bytes) -> None:
    records = [Record(task.position + i, 0, None, value) for i, value in enumerate(values)]
    task.step(Tasks(CONFIG).decode(records, "in"))


def tick(task: Task) -> None:
    task.tick(Tick(task.position, task.tick_ms + 60_000, True))


def test_the_open_alerts_are_told_by_place_reason_and_what_they_look_like() -> None:
    task = fed(3, *[GZIP] * 20)
    words = in_words([fed(0, GOOD), task])
    assert words is not None
    assert words.startswith("in[3]: 20 of 20 records cannot be read and went to the dead letters (bad_utf8 20)")
    assert "; the first: in[3]@0, bad_utf8" in words
    assert "; it looks like gzip (1f 8b)" in words
    assert "now" not in words
    tick(task)
    feed(task, *[GZIP] * 50, *[GOOD] * 50)
    tick(task)
    assert str(in_words([task])).endswith("; now 70 of 120")
    assert in_words([fed(0, *[GZIP] * 19)]) is None
    assert in_words([]) is None


def test_a_few_of_many_partitions_are_named() -> None:
    words = in_words([fed(number, *[GZIP] * 20) for number in range(NAMED_MAX + 4)])
    assert words is not None
    assert words.count("in[") == 2 * NAMED_MAX
    assert words.endswith("; and 4 more")


def test_where_nothing_came_of_late_it_is_silence_that_is_told() -> None:
    task = fed(0, *[GZIP] * 20)
    for _ in range(3):
        assert in_words([task]) is not None
        tick(task)
    tick(task)
    assert in_words([task]) is None
    assert task.record_alerts.account.open, "the alert is not over for all that"


def test_the_shares_are_those_of_a_topic() -> None:
    found = by_topic(["in", "other"], [fed(0, *[GZIP] * 10), fed(1, *[GOOD] * 30)])
    assert (found["in"].share("rejected"), found["in"].share("late")) == (0.25, 0.0)
    assert found["other"].share("rejected") == 0.0


def test_the_bytes_of_dead_letters() -> None:
    rejects = [Reject(Record(0, 0, None, value), "bad_json", "") for value in (b"abc", None, b"de")]
    assert bytes_of(rejects) == 5
