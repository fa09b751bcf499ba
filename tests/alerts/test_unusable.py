"""Records that cannot be used: when an alert opens, is told again and is over, whatever is cut where."""

from __future__ import annotations

import json
import random
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.events.batch import Record
from schemas.events.convert import TIME_MAX_MS
from streamer.alerts.unusable import AT_ONCE, MONITOR, WINDOW_MS, Unusable
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.engine.engines import COMPILED, PYTHON, Engine
from streamer.engine.snapshot import InvalidSnapshot, decode, encode
from streamer.engine.task import Task
from streamer.engine.tasks import Tasks
from streamer.port import Out, Tick
from tests.engine.tasks import AT, LEAST

ENGINES = [PYTHON, *([COMPILED] if COMPILED is not None else [])]
T0 = 1_700_000_000_000
MORE = """
monitors: {{m: {{model: fraud, signal: value, detect: {{kind: adwin}}}}}}
limits: {{unusable: {bound}, lateness: 10s}}
"""


@cache
def config(bound: float = 0.05, more: str = "") -> Config:
    return load_text(LEAST + MORE.format(bound=bound) + more, "x", {})


GOOD, BAD, LATE, OTHER, PROSE = "good", "bad", "late", "other", "prose"


def record(offset: int, kind: str) -> Record:
    """Of a model that is watched, of no JSON, of 20 minutes ago, of a model that nobody watches; at one second each."""
    if kind in (BAD, PROSE):
        return Record(offset, T0 + offset, None, b"fraud,99.5,NL" if kind == BAD else b"hello")
    model = "spam" if kind == OTHER else "fraud"
    time_s = T0 // 1000 + offset / 1000 - (1200 if kind == LATE else 0)
    return Record(offset, T0 + offset, None, json.dumps({"model": model, "time": time_s, "prediction": {}}).encode())


class Life:
    """A task that is fed kinds of records and ticks of a minute."""

    def __init__(self, made: Config | None = None, engine: Engine = PYTHON) -> None:
        self.tasks = Tasks(made or config(), engine)
        self.task = self.tasks.new(AT, 0)
        self.now_ms = T0 + 1_000_000
        self.tick()

    def feed(self, *kinds: str) -> None:
        begin = self.task.position
        self.task.step(self.tasks.decode([record(begin + i, kind) for i, kind in enumerate(kinds)], AT[0]))

    def pass_time(self, passed_ms: int = 60_000) -> None:
        self.now_ms += passed_ms
        self.task.tick(Tick(self.task.position, self.now_ms, True))

    def take(self, *kinds: str) -> list[tuple[str, str, int]]:
        self.feed(*kinds)
        return self.told()

    def tick(self, passed_ms: int = 60_000) -> list[tuple[str, str, int]]:
        self.pass_time(passed_ms)
        return self.told()

    def records(self) -> list[dict[str, Any]]:
        outs = [out for out in self.task.outbox if out.topic == "alerts"]
        self.task.published()
        return [json.loads(out.value or b"") for out in outs]

    def told(self) -> list[tuple[str, str, int]]:
        """Status, what and sequence of the alerts since."""
        found = self.records()
        assert all(one["data"]["alert"]["labels"]["monitor"] == MONITOR for one in found)
        return [
            (one["data"]["status"], one["data"]["alert"]["labels"]["signal"], int(one["sequence"])) for one in found
        ]


FIRED = [("firing", "rejected", 1)]
OVER = [("resolved", "rejected", 2)]


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_nothing_used_at_all_is_told_at_once_and_once(engine: Engine) -> None:
    life = Life(engine=engine)
    assert life.take(*[BAD] * (AT_ONCE - 1)) == [], "a handful may be a test message"
    assert life.take(*[BAD] * 2000) == FIRED
    [episode] = life.task.record_alerts.account.open.values()
    assert episode.found is not None
    assert (episode.found.offset, episode.found.first.offset) == (AT_ONCE - 1, 0)
    assert life.task.alerts() == {(MONITOR, "", "firing"): 1}
    assert life.tick() == []
    assert life.take(*[BAD] * 50, *[GOOD] * 50) == []
    assert life.tick() == [], "half of them"
    assert life.take(*[BAD], *[GOOD] * 50) == []
    assert life.tick() == [], "a minute with a few of them"
    assert life.take(*[BAD], *[GOOD] * 50) == []
    assert life.tick() == OVER
    assert life.task.alerts() == {}
    assert life.task.emitted == {("firing", "warning"): 1, ("resolved", "warning"): 1}


def test_late_ones_alone_are_told_at_once_too_when_nothing_was_used_for_a_minute() -> None:
    life = Life()
    life.take(GOOD)
    assert life.take(*[LATE] * 100) == [], "something was used in this window"
    assert life.tick() == [("firing", "late", 1)], "and its end shows the share"
    life = Life()
    life.take(GOOD)
    life.tick()
    life.tick()
    assert life.take(*[LATE] * 30) == [("firing", "late", 1)]
    assert life.task.record_alerts.account.open["late"].found.offset == AT_ONCE  # type: ignore[union-attr]


def test_two_that_open_in_one_batch_are_told_in_the_order_of_the_log() -> None:
    for first, second in ((LATE, BAD), (BAD, LATE)):
        life = Life()
        life.take(GOOD)
        life.tick()
        life.tick()
        found = [what for _, what, _ in life.take(*[first] * 20, *[second] * 20)]
        assert found == [{LATE: "late", BAD: "rejected"}[kind] for kind in (first, second)]


def test_a_tick_that_comes_a_little_early_ends_the_minute_all_the_same() -> None:
    life = Life()
    life.take(*[GOOD] * 50, *[BAD] * 50)
    assert life.tick(59_990) == FIRED


def test_a_bad_stretch_among_good_ones_is_not_told_at_once() -> None:
    """One producer's batch is not the topic: neither in a window with a used one, nor at the beginning of the next."""
    life = Life()
    life.take(*[GOOD] * 1000)
    assert life.take(*[BAD] * 30) == []
    assert life.tick() == []
    assert life.take(*[BAD] * 30) == []
    assert life.take(*[GOOD] * 1000) == []
    assert life.tick() == []


def test_what_is_filtered_is_no_reason_and_counts_as_read() -> None:
    """Nobody watches most of this topic's models: that nothing is used is as it should be."""
    life = Life()
    assert life.take(*[OTHER] * 1000, *[BAD] * 30) == []
    assert life.tick() == []
    assert life.take(*[OTHER] * 100, *[BAD] * 30) == FIRED, "30 of 130"


@pytest.mark.parametrize(("bad", "fires"), [(4, False), (5, False), (7, True)])
@pytest.mark.parametrize(("kind", "what"), [(BAD, "rejected"), (LATE, "late")])
def test_a_share_above_the_bound_is_told_when_the_minute_is_over(kind: str, what: str, bad: int, fires: bool) -> None:
    life = Life(config(more="heartbeat: {interval: 20s}\n"))
    for _ in range(2):
        assert life.take(*[GOOD] * (100 - bad), *[kind] * bad) == []
        assert life.tick(20_000) == [], "less than a minute says little"
    assert life.take(*[GOOD] * (100 - bad), *[kind] * bad) == []
    assert life.tick(20_000) == ([("firing", what, 1)] if fires else [])


def test_few_records_say_nothing_until_there_are_more_or_all_of_them_are_bad() -> None:
    life = Life()
    for _ in range(6):
        assert life.take(GOOD, GOOD, BAD) == []
        assert life.tick() == []
    assert life.take(GOOD, GOOD) == []
    assert life.tick() == FIRED, "6 of 20, in a window of seven minutes"
    assert life.take(GOOD) == []
    assert life.tick() == OVER, "one is all there was, and it was used"
    assert life.take(BAD, PROSE) == []
    assert life.tick() == FIRED, "two are all there were"


def test_silence_opens_nothing_and_ends_nothing_but_an_open_alert_is_told_again() -> None:
    life = Life(config(more="defaults: {repeat_interval: 2m}\n"))
    assert life.tick() == []
    assert life.take(*[BAD] * 30) == FIRED
    assert life.tick() == []
    assert life.tick() == [("firing", "rejected", 2)]
    assert life.tick() == []
    assert life.tick() == [("firing", "rejected", 3)]
    assert life.tick(600_000) == [("firing", "rejected", 8)], "sequences go by the time, as those of the book"
    assert life.take(*[GOOD] * 30) == []
    assert life.tick() == [("resolved", "rejected", 9)]


def test_each_time_it_is_another_episode_with_ids_of_its_own() -> None:
    life = Life()
    for _ in range(4):
        life.feed(*[BAD] * 25)
        life.pass_time()
        life.feed(*[GOOD] * 25)
        life.pass_time()
    found = life.records()
    assert [one["data"]["episode"]["number"] for one in found] == [1, 1, 2, 2, 3, 3, 4, 4]
    assert len({one["id"] for one in found}) == 8
    assert len({one["correlationid"] for one in found}) == 4
    assert len({one["data"]["fingerprint"] for one in found}) == 1


def test_a_bound_of_one_silences_it() -> None:
    life = Life(config(1))
    assert life.take(*[BAD] * 500) == []
    assert life.tick() == []
    assert life.task.record_alerts.account.recent.share("rejected") == 1.0, "counted all the same"


def test_a_bound_that_was_raised_ends_what_was_open() -> None:
    life = Life()
    assert life.take(*[BAD] * 500) == FIRED
    life.task = Task.load(config(1), AT, life.task.dump(), PYTHON)
    life.take(BAD)
    assert life.tick() == OVER


@pytest.mark.parametrize("time_ms", [-1, -(1 << 62), 1 << 62, TIME_MAX_MS])
def test_a_timestamp_that_is_none_stops_nothing(time_ms: int) -> None:
    life = Life()
    rejects = [Record(i, time_ms, None, b"x") for i in range(30)]
    life.task.step(life.tasks.decode(rejects, AT[0]))
    [fired] = life.records()
    assert fired["data"]["alert"]["startsAt"] < fired["data"]["alert"]["endsAt"]
    life.take(*[GOOD] * 100)
    life.tick()
    life.take(*[GOOD] * 100)
    life.tick()


def test_a_clock_that_goes_back_ends_no_minute() -> None:
    life = Life()
    life.take(*[GOOD] * 50, *[BAD] * 50)
    assert life.tick(-3_600_000) == []
    assert life.tick() == FIRED


KINDS = st.lists(st.sampled_from([GOOD, BAD, BAD, BAD, LATE, LATE, OTHER, PROSE]), min_size=1, max_size=30)
RUNS = st.lists(st.tuples(st.sampled_from([GOOD, BAD, LATE, OTHER]), st.integers(1, 40)), min_size=1, max_size=5)


def flat(runs: list[tuple[str, int]]) -> list[str]:
    return [kind for kind, count in runs for _ in range(count)]


STRETCHES = st.lists(st.tuples(KINDS | RUNS.map(flat), st.integers(0, 3)), min_size=1, max_size=6)


def lived(stretches: list[tuple[list[str], int]], engine: Engine, rng: random.Random | None) -> tuple[list[Out], bytes]:
    """Records with ticks of half a minute between them; with `rng` cut anywhere, and loaded from a snapshot there."""
    tasks = Tasks(config(0.2, "defaults: {repeat_interval: 40s}\nheartbeat: {interval: 30s}\n"), engine)
    task, outs, now_ms = tasks.new(AT, 0), list[Out](), T0
    for kinds, ticks in stretches:
        records = [record(task.position + i, kind) for i, kind in enumerate(kinds)]
        while records:
            size = rng.randint(1, len(records)) if rng else len(records)
            task.step(tasks.decode(records[:size], AT[0]))
            records = records[size:]
            if rng and rng.random() < 0.3:
                outs += task.outbox
                task = tasks.load(AT, task.dump())
        for _ in range(ticks):
            now_ms += 30_000
            task.tick(Tick(task.position, now_ms, True))
    return [out for out in outs + task.outbox if out.topic == "alerts"], task.dump()


@settings(max_examples=50)
@given(STRETCHES, st.integers(0, 1 << 30))
@example([([GOOD, LATE, BAD, PROSE], 0)], 0)
def test_any_cutting_gives_the_same_alerts_and_the_same_state(
    stretches: list[tuple[list[str], int]], seed: int
) -> None:
    whole = lived(stretches, PYTHON, None)
    for engine in ENGINES:
        assert lived(stretches, engine, None) == whole
        for more in range(2):
            assert lived(stretches, engine, random.Random(seed + more)) == whole


def test_the_cuttings_above_have_alerts_of_every_kind() -> None:
    """Or they would be equal for want of any."""
    minute = [([BAD] * 30, 1), ([GOOD] * 40 + [LATE] * 30, 2), ([GOOD] * 80, 2), ([LATE] * 40, 3), ([GOOD] * 99, 2)]
    found = [json.loads(out.value or b"")["data"] for out in lived(minute, PYTHON, None)[0]]
    told = {(one["status"], one["alert"]["labels"]["signal"]) for one in found}
    assert told == {(status, what) for status in ("firing", "resolved") for what in ("rejected", "late")}


def test_a_snapshot_from_before_there_was_an_account_begins_one() -> None:
    life = Life()
    life.take(*[BAD] * 30)
    state = decode(life.task.dump())
    del state["unusable"]
    task = Task.load(config(), AT, encode(state), PYTHON)
    assert not task.record_alerts.account.open
    assert task.record_alerts.account.recent.consumed == 0


@pytest.mark.parametrize(
    "broken",
    [
        {"window": [0, [5, 5, 0, 0], [], None]},
        {"window": [0, [5, 0, 5, 0], [["bad_json", 4]], [0, 0]]},
        {"window": [0, [5, 0, 5], [["bad_json", 5]], [0, 0]]},
        {"before": ["x", 0, 0, 0]},
        {"episodes": {}},
        {"window": [0, [5, 0, 5, 0], [["bad_json", 5]], [0, 0]]},
        {"firsts": [["rejected", [1, "bad_json"]]]},
    ],
)
def test_an_account_that_cannot_be_is_refused(broken: dict[str, Any]) -> None:
    state = decode(Life().task.dump())
    with pytest.raises(InvalidSnapshot):
        Task.load(config(), AT, encode({**state, "unusable": {**state["unusable"], **broken}}), PYTHON)


def test_a_window_is_a_minute() -> None:
    assert WINDOW_MS == 60_000


def test_what_stands_for_a_batch_that_was_skipped_counts_for_each_of_its_offsets() -> None:
    life = Life()
    skipped = Record(29, T0 + 29, None, None, unreadable="no memory", skipped_from=10)
    records = [*(record(i, BAD) for i in range(10)), skipped]
    life.task.step(life.tasks.decode(records, AT[0]))
    [one] = life.records()
    assert one["data"]["trigger"]["offset"] == 29
    assert one["data"]["records"]["now"] == {"n": 30, "count": 30}
    recent = life.task.record_alerts.account.recent
    assert (recent.consumed, recent.rejected) == (30, 30)


def with_id(offset: int, event: int, model: str = "fraud") -> Record:
    value = {"event_id": f"e{event}", "model": model, "time": T0 // 1000 + offset / 1000, "prediction": {}}
    return Record(offset, T0 + offset, None, json.dumps(value).encode())


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
@pytest.mark.parametrize(("every", "fires"), [(1000, False), (5, True)], ids=["now and then", "a storm"])
def test_a_storm_of_retries_is_told_by_name_and_a_repetition_now_and_then_is_not(
    engine: Engine, every: int, fires: bool
) -> None:
    log = [with_id(i, i - 1 if i % every == every - 1 else i, "spam" if i % 7 == 6 else "fraud") for i in range(1000)]
    told = []
    for cut in (9, 333, 1000):
        life = Life(engine=engine)
        for begin in range(0, len(log), cut):
            life.task.step(life.tasks.decode(log[begin : begin + cut], AT[0]))
        life.pass_time()
        told.append((life.told(), life.task.dump()))
        assert life.task.record_alerts.account.before.duplicate == life.task.admission.counts["duplicate"] > 0
    assert told[0] == told[1] == told[2]
    assert told[0][0] == ([("firing", "duplicate", 1)] if fires else [])


def test_a_snapshot_from_before_duplicates_were_counted_goes_on() -> None:
    life = Life()
    life.take(GOOD, *[BAD] * 30)
    state = decode(life.task.dump())
    account = state["unusable"]
    del account["episodes"]["duplicate"], account["window"][1][4], account["before"][4]
    older = Task.load(config(), AT, encode(state), PYTHON)
    assert older.dump() == life.task.dump()


def test_duplicates_are_told_apart_from_models_that_have_no_place_left() -> None:
    """The id is known of another model: a stranger's repetition is one until the last place is taken."""
    more = "\nmonitors: {m: {signal: value, detect: {kind: adwin}}}\nstandard: false\nlimits: {series: 2}\n"
    made = load_text(LEAST + more, "x", {})
    models = [("a", 0), ("b", 0), ("b", 1), ("c", 0), ("c", 2), ("a", 0)]
    log = [with_id(i, event, model) for i, (model, event) in enumerate(models)]
    told = []
    for cut in (1, 4, 6):
        life = Life(made)
        for begin in range(0, len(log), cut):
            life.task.step(life.tasks.decode(log[begin : begin + cut], AT[0]))
        told.append(life.task.dump())
        assert life.task.record_alerts.account.window.account.duplicate == life.task.admission.counts["duplicate"]
    assert told[0] == told[1] == told[2]


def test_of_a_record_of_several_events_the_last_is_the_last_however_late_it_is() -> None:
    """Else what is told would depend on whether it came in a batch of its own."""
    alone: Any = SimpleNamespace(offsets=np.array([7, 7]), times_ms=np.array([50, 20]), rejects=())
    behind: Any = SimpleNamespace(offsets=np.array([6, 7, 7]), times_ms=np.array([9, 50, 20]), rejects=())
    assert [Unusable._ends(batch) for batch in (alone, behind)] == [((7, 50), (7, 20)), ((6, 9), (7, 20))]
