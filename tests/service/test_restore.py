"""A partition's way back: the newest snapshot that can be used, a muted replay, and by policy what else there is."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from schemas.events.batch import Record
from streamer.config.load import load_text
from streamer.engine.snapshot import InvalidSnapshot
from streamer.kafka.offset_metadata import SUSPECT_AFTER
from streamer.port import Committed, LogGap, Partition, Pointer, StateLost, Stored, Surroundings, Tick, Topic
from streamer.service.partitions import Stats
from streamer.service.restore import Restorer

AT = ("in", 0)
LEAST = 'version: 1\nkafka: {brokers: "b:1", start: START}\ntopics: {events: [in]}\ncommit: {on_state_loss: POLICY}\n'


class Stage:
    """Counts what it is given: records, ticks, and how often its outbox was thrown away."""

    def __init__(self, position: int, ticks: int = 0, generation: int = 0, first_end: int = 0) -> None:
        self.partition, self.position, self.ticks, self.first_end = AT, position, ticks, first_end
        self.topic_id, self.generation = "", generation
        self.seen: list[Any] = []
        self.monitors_reset: list[str] = []
        self.waiting = 0

    def step(self, batch: Sequence[Record]) -> None:
        self.seen += [record.offset for record in batch]
        self.position = batch[-1].offset + 1
        self.waiting += 1

    def tick(self, tick: Tick) -> None:
        self.seen.append(tick)
        self.ticks += 1
        self.waiting += 1

    def published(self) -> None:
        self.waiting = 0


def load(partition: Partition, blob: bytes | bytearray) -> Stage:
    """A snapshot is `position`, also with `ticks` and `generation`, and the topic's id behind it; else it is none."""
    text, _, topic_id = blob.decode().partition("/")
    try:
        stage = Stage(*map(int, text.split()))
        stage.topic_id = topic_id
        return stage
    except ValueError:
        raise InvalidSnapshot(f"{blob!r}") from None


class Log:
    """What is in the topics; every question is answered a little later."""

    def __init__(self, committed: Committed, begin: int = 0, end: int = 100, gap: str | None = None) -> None:
        self.known = [None, committed]
        self.edges = begin, end
        self.blobs: dict[Pointer | None, list[bytes]] = {}
        self.gap = gap
        self.asked: list[Pointer | None] = []
        self.topic_ids: list[str | None] = [""]
        self.seen = Surroundings()
        self.examined: list[tuple[int, int, int]] = []
        self.killers: list[tuple[int, int]] = []

    def committed(self, partition: Partition) -> Committed | None:
        return self.known.pop(0)

    def topic_id(self, topic: str) -> str | None:
        return self.topic_ids.pop(0) if len(self.topic_ids) > 1 else self.topic_ids[0]

    def surroundings(self) -> Surroundings:
        return self.seen

    def begin_end(self, partition: Partition) -> tuple[int, int]:
        return self.edges

    def read_state(self, partition: Partition, pointer: Pointer | None) -> Iterator[Stored | None]:
        self.asked.append(pointer)
        yield None
        yield from map(Stored, self.blobs.get(pointer, []))

    def examine(
        self, partition: Partition, start: int, end: int, starts: int
    ) -> Generator[None, None, list[tuple[int, int]]]:
        self.examined.append((start, end, starts))
        yield
        return self.killers if starts >= SUSPECT_AFTER else []

    def replay(self, partition: Partition, start: int, end: int) -> Iterator[list[Record]]:
        yield []
        if self.gap is not None:
            raise LogGap(self.gap)
        for offset in range(start, end, 2):
            yield [Record(offset, 0, None, b"") for offset in range(offset, min(offset + 2, end))]


class Case:
    """One restore, with all that was told on the way."""

    def __init__(
        self,
        log: Log,
        policy: str = "rebaseline",
        start: str = "earliest",
        at: tuple[str, int] = AT,
        more: str = "",
    ) -> None:
        self.notes: list[tuple[str, dict[str, Any]]] = []
        self.stats, self.log = Stats(), log
        config = load_text(LEAST.replace("POLICY", policy).replace("START", start + more), "x", {})
        stages: Any = SimpleNamespace(
            decode=lambda records, topic: records,
            new=lambda partition, position, generation=0, first_end=0: Stage(position, 0, generation, first_end),
            load=load,
        )
        self.restorer = Restorer(config, stages, log, self.stats, self.note)  # type: ignore[arg-type]
        steps, self.waits = self.steps(self.restorer, at), 0
        while True:
            try:
                next(steps)
            except StopIteration as done:
                self.stage, self.committed = done.value
                return
            self.waits += 1

    def steps(self, restorer: Restorer, at: Partition) -> Generator[None, None, tuple[Any, Committed]]:
        past = yield from restorer.past(at)
        return (yield from restorer.restore(at, past, past.committed.starts))

    def note(self, event: str, partition: Partition, **more: Any) -> None:
        self.notes.append((event, more))

    @property
    def told(self) -> list[str]:
        return [event for event, _ in self.notes]


def pointer(position: int, ticks: int = 0, generation: int = 0) -> Pointer:
    return Pointer(position, 0, 5, 1, "sha", "config", 0, ticks, generation)


@pytest.mark.parametrize(("start", "position"), [("earliest", 7), ("latest", 100)])
def test_a_group_that_never_committed_begins_where_the_config_says(start: str, position: int) -> None:
    case = Case(Log(Committed(None, None), begin=7), start=start)
    assert (case.stage.position, case.stage.seen, case.told) == (position, [], ["no_offsets"])
    assert case.stage.first_end == 100, "what was there is school"
    assert f"kafka.start: {start}" in case.notes[0][1]["effect"]
    assert case.log.asked == [None], "it looked whether there was one that Kafka forgot"
    assert case.waits == 2, "while an open transaction hides the offset, and for the state topic"


def test_offsets_that_kafka_forgot_are_those_of_the_newest_snapshot_and_it_says_so() -> None:
    log = Log(Committed(None, None))
    log.blobs = {None: [b"40 3", b"20 1"]}
    case = Case(log, start="latest")
    assert (case.stage.position, case.stage.ticks, case.stage.seen) == (40, 3, [])
    assert case.committed == Committed(None, None, 3)
    [(event, more)] = case.notes
    assert (event, more["offset"]) == ("offsets_forgotten", 40)
    assert "group driftline" in more["why"]
    assert "comes again, with equal ids" in more["effect"]


@pytest.mark.parametrize(
    ("begin", "end", "blob", "why"),
    [
        (30, 100, b"20", "input retained from 30 on, snapshot at 20"),
        (0, 10, b"20", "lies beyond the end 10"),
        (0, 100, b"20/old", "its id was old, now it is new"),
    ],
)
def test_a_snapshot_of_other_records_does_not_make_up_for_forgotten_offsets(
    begin: int, end: int, blob: bytes, why: str
) -> None:
    log = Log(Committed(None, None), begin, end)
    log.blobs, log.topic_ids = {None: [blob]}, ["new"]
    case = Case(log, start="latest")
    assert (case.stage.position, case.told) == (begin, ["state_lost"])
    assert case.stage.first_end == 0, "it is no first start"
    assert why in case.notes[0][1]["why"]


@pytest.mark.parametrize(("partitions", "position", "told"), [(2, 100, []), (1, 0, ["partition_added"])])
def test_a_partition_that_was_added_is_read_from_its_beginning(partitions: int, position: int, told: list[str]) -> None:
    log = Log(Committed(None, None))
    log.seen = Surroundings(None, {"in": Topic(partitions, "id")})
    case = Case(log, start="latest", at=("in", 1))
    assert (case.stage.position, case.told) == (position, told or ["no_offsets"])
    assert case.stage.first_end == (0 if told else 100), "all that it holds came while we ran"
    assert case.restorer.grown.keys() == ({"in"} if told else set())


def test_where_models_are_put_in_order_a_partition_that_was_added_changes_nothing() -> None:
    log = Log(Committed(None, None))
    log.seen = Surroundings(None, {"in": Topic(1, "id")})
    case = Case(log, at=("in", 1), more=", order: model")
    assert (case.told, case.notes[0][1]["effect"]) == (["partition_added"], "models are read in their order as before")
    assert not case.restorer.grown


@pytest.mark.parametrize(("appeared", "position"), [(True, 0), (False, 100)])
def test_a_topic_that_a_pattern_matched_while_we_ran_is_read_from_its_beginning(appeared: bool, position: int) -> None:
    log = Log(Committed(None, None))
    log.seen = Surroundings(None, {"in": Topic(2, "id", appeared)})
    case = Case(log, start="latest", at=("in", 1))
    assert (case.stage.position, case.told) == (position, ["partition_added" if appeared else "no_offsets"])
    if appeared:
        assert case.notes[0][1]["why"] == "in matches a pattern of topics.events, and is new"


def test_a_topic_that_was_made_anew_is_another_one_however_long_it_is() -> None:
    def case(topic_id: str) -> Case:
        log = Log(Committed(25, pointer(20)))
        log.blobs, log.topic_ids = {pointer(20): [b"20/old"]}, [None, topic_id]
        return Case(log)

    anew, same, unknown = case("new"), case("old"), case("")
    assert (anew.stage.position, anew.stage.topic_id, anew.stage.generation) == (0, "new", 1)
    assert anew.told == ["state_lost"]
    assert "its id was old, now it is new" in anew.notes[0][1]["why"]
    for one in (same, unknown):  # Unknown: an old broker, or a look that failed.
        assert (one.stage.position, one.stage.topic_id, one.stage.generation, one.told) == (25, "old", 0, [])


@pytest.mark.parametrize("blobs", [[b"20 0 2/old"], []], ids=["its snapshot", "only the pointer"])
@pytest.mark.parametrize(("end", "begun", "generation"), [(100, 25, 2), (9, 3, 3)], ids=["the same topic", "anew"])
def test_how_often_a_topic_was_made_anew_is_known_from_whatever_is_left(
    blobs: list[bytes], end: int, begun: int, generation: int
) -> None:
    at = pointer(20, 0, 2)
    log = Log(Committed(25, at), begin=3, end=end, gap="the records are gone")
    log.blobs, log.topic_ids = {at: blobs}, ["old"]
    stage = Case(log).stage
    assert (stage.position, stage.generation) == (begun, generation)


def test_a_snapshot_of_the_topic_that_was_there_before_is_of_no_use() -> None:
    """Also where no broker tells ids: by offsets alone it might be one of this topic."""
    log = Log(Committed(25, pointer(20, 0, 2)))
    log.blobs = {None: [b"22 0 1", b"18 0 2"]}
    assert Case(log).stage.seen == list(range(18, 25))
    log = Log(Committed(25, pointer(20, 0, 2)))
    log.blobs = {None: [b"22 0 1"]}
    case = Case(log)
    assert (case.stage.position, case.stage.generation) == (25, 2)
    assert case.notes[0][1]["why"] == "no usable snapshot"


def test_heartbeats_are_counted_on_where_offsets_were_forgotten_and_records_are_gone() -> None:
    log = Log(Committed(None, None), begin=30)
    log.blobs = {None: [b"20 7"]}
    case = Case(log)
    assert (case.stage.position, case.stage.ticks, case.committed.ticked) == (30, 7, 7)


def test_the_snapshot_that_is_pointed_at_and_the_records_up_to_the_commit() -> None:
    log = Log(Committed(25, pointer(20)))
    log.blobs = {pointer(20): [b"20"], None: [b"24"]}
    case = Case(log)
    assert (case.stage.position, case.stage.seen) == (25, [20, 21, 22, 23, 24])
    assert (case.stage.waiting, case.told, log.asked) == (0, [], [pointer(20)])


def test_a_snapshot_that_stands_at_the_commit_needs_no_replay() -> None:
    log = Log(Committed(20, pointer(20)))
    log.blobs = {pointer(20): [b"20"]}
    assert Case(log).stage.seen == []


def test_ticks_that_the_snapshot_has_not_seen_are_repeated_in_their_places() -> None:
    ticks = tuple(Tick(offset, 1000 * offset, True) for offset in (21, 23, 23))
    log = Log(Committed(25, pointer(20, 4), 7, ticks))
    log.blobs = {pointer(20, 4): [b"20 4"]}
    case = Case(log)
    assert case.stage.seen == [20, ticks[0], 21, 22, ticks[1], ticks[2], 23, 24]
    assert (case.stage.ticks, case.stage.waiting) == (7, 0)
    log = Log(Committed(25, pointer(20, 6), 7, ticks))
    log.blobs = {pointer(20, 6): [b"20 6"]}
    assert [one for one in Case(log).stage.seen if isinstance(one, Tick)] == [ticks[2]]


def test_a_snapshot_that_is_broken_or_of_later_is_passed_over() -> None:
    log = Log(Committed(25, pointer(20)))
    log.blobs = {pointer(20): [b"broken"], None: [b"30", b"also broken", b"18", b"16"]}
    case = Case(log)
    assert (case.told, log.asked) == (["invalid_snapshot"] * 2, [pointer(20), None])
    assert case.stage.seen == list(range(18, 25))


def test_behind_the_replay_the_stage_stands_at_the_commit_though_records_are_missing() -> None:
    log = Log(Committed(25, pointer(20)))
    log.blobs = {pointer(20): [b"20"]}
    log.replay = lambda partition, start, end: iter([[Record(start, 0, None, b"")], []])  # type: ignore[method-assign]
    case = Case(log)
    assert (case.stage.seen, case.stage.position) == ([20], 25), "what is between are marks of transactions"


SOME, NONE = {pointer(20): [b"20"]}, dict[Any, list[bytes]]()
LOST: dict[str, tuple[Callable[[], Log], dict[Any, list[bytes]], int, str]] = {
    # Why -> the log, the snapshots in it, where the fresh stage begins, and what is said.
    "no snapshot": (lambda: Log(Committed(25, pointer(20)), 3), NONE, 25, "no usable snapshot"),
    "no pointer": (lambda: Log(Committed(25, None), 30), NONE, 30, "no usable snapshot"),
    "retention": (lambda: Log(Committed(25, pointer(20)), 22), SOME, 25, "input retained from 22 on, snapshot at 20"),
    "recreated": (lambda: Log(Committed(25, pointer(20)), 2, 9), SOME, 2, "committed offset 25 lies beyond the end 9"),
    "gap": (lambda: Log(Committed(25, pointer(20)), gap="a gap"), SOME, 25, "a gap"),
}


@pytest.mark.parametrize("why", LOST)
@pytest.mark.parametrize("policy", ["halt", "rebaseline"])
def test_without_its_state_a_partition_begins_again_or_halts_as_the_policy_says(policy: str, why: str) -> None:
    make, blobs, position, said = LOST[why]
    log = make()
    log.blobs = blobs
    if policy == "halt":
        with pytest.raises(StateLost, match=rf"in\[0\]: {said}.*; commit.on_state_loss is halt"):
            Case(log, policy)
        return
    case = Case(log, policy)
    assert (case.stage.position, case.stage.seen, case.told) == (position, [], ["state_lost"])
    assert case.notes[0][1]["why"].startswith(said)
    assert case.stats.state_lost == {"rebaseline": 1}


def test_after_three_starts_that_failed_what_comes_next_is_looked_at_before_it_is_read() -> None:
    log = Log(Committed(25, pointer(20)))
    log.blobs[pointer(20)] = [b"20"]
    assert (Case(log).told, log.examined) == ([], [(20, 100, 0)])
    log = Log(Committed(25, pointer(20), starts=3))
    log.blobs[pointer(20)], log.killers = [b"20"], [(30, 41)]
    case = Case(log)
    assert log.examined == [(20, 100, 3)]
    [suspected, skipped] = case.notes
    assert suspected[0] == "starts_failed"
    assert suspected[1]["why"].startswith("3 starts in a row")
    assert (skipped[0], skipped[1]["first_offset"], skipped[1]["last_offset"]) == ("batch_skipped", 30, 41)


def test_where_the_state_is_lost_it_is_looked_at_from_the_committed_offset_on() -> None:
    log = Log(Committed(25, None, starts=4), begin=3)
    Case(log)
    assert log.examined == [(25, 100, 4)]
