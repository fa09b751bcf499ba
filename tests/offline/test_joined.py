"""Several topics through one task: places are kept, the order is that of time, and files are replayed as topics are."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from schemas.events.batch import Record, origin_of
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.engine.ordering import Ordering
from streamer.engine.task import Task
from streamer.engine.tasks import Orderings, Tasks
from streamer.offline.joined import Joined, Source, by_time, in_turn, stretches, turns
from streamer.offline.replay import Replay
from streamer.port import Out, Partition, Parts
from streamer.series.feedback import Feedback

CONFIG = load_text(
    """
version: 1
kafka: {brokers: "b:1"}
topics: {events: [in]}
feedback: {topic: clicks, event_id: key, action: /kind, time: /at}
monitors:
  actions: {signal: action.*, window: {events: 50}, detect: {kind: fraction, max: 0.9}}
""",
    "x",
    {},
)
IN, CLICKS = ("in", 1), ("clicks", 0)


def inference(number: int, time_ms: int = -1, **more: Any) -> Record:
    said = {"model": "m", "event_id": f"e{number}", "time": 1_700_000_000 + number, "features": {"a": 1}, **more}
    return Record(number, time_ms, None, json.dumps(said).encode())


def click(number: int, after_s: int = 5) -> Record:
    said = {"model": "m", "kind": "accept", "at": 1_700_000_000 + number + after_s}
    return Record(number, -1, b"e%d" % number, json.dumps(said).encode())


def test_an_event_keeps_the_place_it_came_from_and_has_one_in_the_whole() -> None:
    joined = Joined(CONFIG)
    runs = [(IN, [inference(7), Record(8, -1, None, b"{")]), (CLICKS, [click(3)]), (IN, [inference(9)])]
    [one] = joined.stretches(runs)
    assert (one.batch.offsets.tolist(), one.batch.next_offset, joined.end) == ([0, 2, 3], 4, 4)
    assert [origin_of(one.batch, n) for n in range(3)] == [("in", 1, 7, -1), ("clicks", 0, 3, -1), ("in", 1, 9, -1)]
    assert [record.offset for record in one.records] == [0, 1, 2, 3]
    assert {at: found.offsets.tolist() for at, found in one.found.items()} == {IN: [7, 9], CLICKS: [3]}
    assert [reject.record.offset for reject in one.found[IN].rejects] == [8]
    assert joined.dead_lettered == 1
    assert [(begin, mine.offsets.tolist()) for _, begin, mine in joined.shared(one.batch, False)] == [(0, [0, 2, 3])]
    assert joined.next == [4]


def test_what_two_topics_say_is_in_the_order_of_time() -> None:
    source = [(CLICKS, [click(n) for n in range(20)]), (IN, [inference(n) for n in range(20)])]
    order = [(p, record.offset) for p, records in by_time(CONFIG, source) for record in records]
    assert len(order) == 40
    for number in range(20):
        assert order.index((CLICKS, number)) > order.index((IN, min(number + 5, 19)))
    given = [(CLICKS, [click(1)._replace(time_ms=50)]), (IN, [inference(1, 50), Record(2, -1, None, b"{")])]
    assert [p for p, _ in by_time(CONFIG, given)] == [IN, CLICKS], "of one time what is about inferences is last"


def test_a_replay_meets_all_of_them_however_it_is_cut() -> None:
    whole = [(IN, [inference(n) for n in range(300)]), (CLICKS, [click(n) for n in range(300)])]
    told = set[bytes]()
    for cut in (500, 7):
        engine = Replay(CONFIG, fields_of(CONFIG), together=True)
        outs = []
        for partition, records in by_time(CONFIG, whole):
            for begin in range(0, len(records), cut):
                outs += engine.step(partition, records[begin : begin + cut])
        [task] = engine.tasks.values()
        [memory] = [one for one in task.sources.values() if isinstance(one, Feedback)]
        assert memory.results["unmatched"] == 0
        assert engine.account().counts["used"] == 600
        told.add(task.dump())
        [alert] = [json.loads(out.value or b"")["data"] for out in outs if out.topic == "alerts"]
        assert (alert["trigger"]["topic"], alert["trigger"]["offset"]) == ("clicks", 49)
    assert len(told) == 1


def test_records_of_several_topics_in_turn_are_one_stretch() -> None:
    source = [(IN, [inference(n) for n in range(700)]), (CLICKS, [click(n) for n in range(700)])]
    runs = [*by_time(CONFIG, source)]
    assert len(runs) > 600, "each after the other"
    assert [sum(len(mine) for _, mine in some) for some in stretches(runs)] == [500, 500, 400]
    assert [one for some in stretches(runs, 7) for one in some] == runs
    engines = [Replay(CONFIG, fields_of(CONFIG), together=True) for _ in range(3)]
    outs = [sorted(str(out) for one in runs for out in engines[0].step(*one))]
    outs += [
        sorted(str(out) for some in stretches(runs, most) for out in engine.steps(some))
        for engine, most in zip(engines[1:], (500, 7), strict=True)
    ]
    assert outs[1:] == outs[:1] * 2
    assert len({task.dump() for engine in engines for task in engine.tasks.values()}) == 1
    assert [engine.account() for engine in engines[1:]] == [engines[0].account()] * 2


def test_dead_letters_name_their_own_place_and_are_accounted_for() -> None:
    engine = Replay(CONFIG, fields_of(CONFIG), together=True)
    places: list[tuple[Partition, Record]] = [(IN, Record(3, -1, None, b"{")), (CLICKS, Record(5, -1, None, b"{}"))]
    letters = [out for partition, record in places for out in engine.step(partition, [record])]
    named = [dict(out.headers) for out in letters]
    assert [one["driftline.error.topic"] for one in named] == [b"in", b"clicks"]
    assert [one["driftline.error.offset"] for one in named] == [b"3", b"5"]
    assert engine.account().counts["dead_lettered"] == 2


def test_the_ordered_log_is_replayed_as_it_is(tmp_path: Path) -> None:
    engine = Replay(CONFIG, fields_of(CONFIG), together=True)
    assert engine.joined is not None
    assert engine.joined.topic == "drift-ordered"
    assert not Replay(
        load_text("version: 1\nkafka: {brokers: b}\ntopics: {events: [in]}\n", "x", {}), fields_of(CONFIG)
    ).joined


PEOPLE = load_text(
    """
version: 1
kafka: {brokers: "b:1"}
topics: {events: [in]}
labels: {topic: truth, event_id: key, model: =m, label: /y, time: /at}
feedback: {topic: clicks, event_id: key, action: /kind, model: =m, time: /at}
review: {topic: todo, budget: 9, per: 1d}
verdicts: {topic: said}
control: {topic: ctl}
monitors:
  error: {signal: realised_error, detect: {kind: adwin}}
  actions: {signal: action.*, window: {events: 50}, detect: {kind: fraction, max: 0.9}}
""",
    "x",
    {},
)


def raw_topics() -> list[tuple[Partition, list[Record]]]:
    """Every kind of record that each topic may have; every third id is asked to be erased, on any of three."""

    def said_of(number: int, **what: str) -> bytes:
        return json.dumps({**what, "at": 1_700_000_000 + number}).encode()

    sides: dict[str, list[tuple[int, bytes | None, bytes | None]]] = {
        "truth": [(n + 40, b"e%d" % n, None if n % 3 == 0 else said_of(n, y="a")) for n in range(80)],
        "clicks": [(n + 3, b"e%d" % n, None if n % 31 == 0 else said_of(n, kind="accept")) for n in range(80)],
        "said": [(200, b"e77", None), (200, None, None), (200, b"x", b""), (200, b"x", b'{"model": "m"}')],
        "ctl": [(90, b"e1", None), (90, None, json.dumps({"id": "c", "type": "accept", "model": "m"}).encode())],
    }
    said = {"prediction": {"label": "a", "confidence": 0.9}}
    source: list[tuple[Partition, list[Record]]] = [
        (("in", 0), [inference(n, 1_700_000_000_000 + 1000 * n, **said) for n in range(100)])
    ]
    for topic, records in sides.items():
        made = [Record(n, 1_700_000_000_000 + 1000 * at, key, v) for n, (at, key, v) in enumerate(records)]
        source.append(((topic, 0), made))
    return source


def served_of(config: Config, source: Source, cut: int, decode_at: str) -> tuple[dict[Partition, Task], int]:
    """The tasks of the ordered log, and how many dead letters there were, as the service has them of these topics."""
    parts = config.review.partitions if config.review is not None else 1
    topics = config.topics.model_copy(update={"events": [decode_at]})
    stages, tasks = Orderings(config, Parts(parts, parts)), Tasks(config.model_copy(update={"topics": topics}))
    first, log, letters = dict[Partition, Ordering](), dict[Partition, list[Record]](), 0
    for partition, records in by_time(config, source):
        one = first[partition] = first.get(partition) or stages.new(partition, 0)
        for begin in range(0, len(records), cut):
            one.step(stages.decode(records[begin : begin + cut], partition[0]))
            letters += sum(out.topic == "dead_letter" for out in one.outbox)
            for out in one.outbox:
                if out.topic == "ordered":
                    own = log.setdefault((decode_at, out.partition or 0), [])
                    own.append(Record(len(own), -1, None, out.value))
            one.published()
    served = {at: tasks.new(at, 0) for at in sorted(log)}
    for at, task in served.items():
        task.step(tasks.decode(log[at], decode_at))
    return served, letters


@pytest.mark.parametrize("cut", [500, 3])
def test_files_of_raw_topics_are_taken_as_the_service_takes_the_topics(cut: int) -> None:
    engine = Replay(PEOPLE, fields_of(PEOPLE), ticking=False, together=True)
    for some in stretches(by_time(PEOPLE, raw_topics()), cut):
        engine.steps(some)
    tasks, letters = served_of(PEOPLE, raw_topics(), cut, "drift-ordered")
    [at] = [at for at, task in tasks.items() if "m" in task.admission.newest_ms]
    task, served = engine.tasks[at], tasks[at]
    counts = {"erased": 30, "unknown": 1}  # 27 + 3 + 1 records, of which two are of one id
    assert (task.erasures.counts, served.erasures.counts) == (counts, counts)
    assert repr(task.state()["labels"]) == repr(served.state()["labels"])
    mine, theirs = ([one[1:] for one in stage.state()["review"]["candidates"]] for stage in (task, served))
    assert mine == theirs, "all but their place in the log"
    account = engine.account()
    assert account.counts["dead_lettered"] == letters == 4
    assert account.consumed == 100 + 80 + 80 + 4 + 2


ASKED = load_text(
    """
version: 1
kafka: {brokers: "b:1"}
topics: {events: [in]}
review: {topic: todo, budget: 62, per: 1d, slots: 4, control: 0.5, partitions: 4}
verdicts: {topic: said}
monitors: {mean: {signal: features.a, detect: {kind: adwin}}}
""",
    "x",
    {},
)


def test_files_have_the_items_of_a_day_that_the_service_has() -> None:
    """Of each model those of its partition's part of the budget, whatever file it is in."""
    begin_s, files = 1_700_006_400, dict[int, list[Record]]({0: [], 1: []})
    for number in range(800):
        mine, time_s = files[number // 100 % 2], begin_s + 250 * number
        said = {"model": f"m{number % 5}", "event_id": f"e{number}", "time": time_s, "features": {"a": number % 7}}
        mine.append(Record(len(mine), -1, None, json.dumps(said).encode()))
    source: list[tuple[Partition, list[Record]]] = [(("in", number), mine) for number, mine in files.items()]
    engine = Replay(ASKED, fields_of(ASKED), ticking=False, together=True)
    outs = [out for some in stretches(by_time(ASKED, source)) for out in engine.steps(some)]
    served, _ = served_of(ASKED, source, 500, "drift-ordered")

    def items(outs: Iterable[Out]) -> list[tuple[str, str]]:
        found = [json.loads(out.value or b"")["data"] for out in outs if out.topic == "review"]
        return sorted((one["until"], one["event"]["id"]) for one in found)

    theirs = items(out for task in served.values() for out in task.outbox)
    assert items(outs) == theirs
    assert len(engine.tasks) > 1
    assert 62 < len(theirs) <= 3 * 62


def test_time_passes_for_models_that_are_silent_in_other_partitions() -> None:
    given, states = list[Record](), list[dict[Partition, bytes]]()
    for number in range(400):
        model = f"m{number % 5}" if number < 20 else "m0"
        said = {"model": model, "event_id": f"e{number}", "time": 1_700_006_400 + 60 * number, "features": {"a": 1}}
        given.append(Record(number, -1, None, json.dumps(said).encode()))
    for size in (1, 7, 400):
        engine = Replay(ASKED, fields_of(ASKED), together=True)
        for begin in range(0, len(given), size):
            engine.step(("in", 0), given[begin : begin + size])
        assert len(engine.tasks) > 1
        assert len({task.tick_ms for task in engine.tasks.values()}) == 1
        states.append({at: task.dump() for at, task in engine.tasks.items()})
    assert states[1:] == states[:1] * 2, "wherever it is cut"


def at(offset: int, time_ms: int) -> Record:
    return Record(offset, time_ms, None, b"")


def taken(*partitions: list[list[int]]) -> list[tuple[int, int, int]]:
    """Number, offset and time of records of partitions whose blocks have these times, as they come."""
    sources = dict[Partition, Iterator[list[Record]]]()
    for number, parts in enumerate(partitions):
        offsets = count()
        sources["in", number] = iter([[at(next(offsets), time_ms) for time_ms in part] for part in parts])
    return [(number, one.offset, one.time_ms) for (_, number), some in in_turn(sources) for one in some]


def test_partitions_are_read_in_turn_by_the_times_of_their_records() -> None:
    found = taken([[1, 4], [5, 9]], [[2, 4, 4], [5]], [], [[3]])
    assert [one[2] for one in found] == [1, 2, 3, 4, 4, 4, 5, 5, 9]
    assert [one[0] for one in found if one[2] == 4] == [0, 1, 1], "of one time in the order of the partitions"


@pytest.mark.parametrize("seed", range(20))
def test_each_partition_keeps_its_order_whatever_its_clock_says(seed: int) -> None:
    rng = random.Random(seed)
    partitions = [
        [[rng.randrange(-1, 60) for _ in range(rng.randrange(1, 9))] for _ in range(rng.randrange(5))] for _ in range(4)
    ]
    found = taken(*partitions)
    for number, parts in enumerate(partitions):
        assert [time_ms for n, _, time_ms in found if n == number] == [one for part in parts for one in part]


def test_a_clock_that_is_fast_holds_nobody_up() -> None:
    assert turns([at(0, 1), at(1, 900), at(2, -1), at(3, 3), at(4, -1)], 0) == [1, 3, 3, 3, 0]
    assert turns([at(0, -1)], 7) == [7]
    found = taken([[1, 900, 3, 5]], [[2, 4, 6]])
    assert [one[2] for one in found] == [1, 2, 900, 3, 4, 5, 6]


def test_no_more_than_a_block_of_each_is_read_ahead() -> None:
    read: list[tuple[int, int]] = []

    def blocks(number: int) -> Iterator[list[Record]]:
        for place in range(3):
            read.append((number, place))
            yield [at(place, 10 * place + number)]

    turn = in_turn({("in", number): blocks(number) for number in range(2)})
    next(turn)
    assert read == [(0, 0), (1, 0)]
    assert [time_ms for _, some in turn for time_ms in (one.time_ms for one in some)] == [1, 10, 11, 20, 21]
