"""Which events are used: with and without the compiled core the same, whatever is cut where."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.core import native
from schemas.events.batch import Record
from streamer.config.load import load_text
from streamer.engine.admission import FIRST_AHEAD_MS, Gate
from streamer.engine.engines import ENGINE, PYTHON
from streamer.engine.event_clock import CONFIRM, STATE
from streamer.engine.tasks import Tasks
from tests.engine.tasks import AT, LEAST

AHEAD = STATE.index("ahead")
STRINGS = ("a", "b", "c", "other", "d")
TIMES = st.integers(-1, 40) | st.sampled_from((-1, 70, 90, 500, FIRST_AHEAD_MS + 20, 3 * FIRST_AHEAD_MS))
EVENTS = st.tuples(st.integers(0, 4), TIMES, st.integers(0, 6), st.sampled_from((False, False, True)))
GATES = [Gate, *([native.Admission] if native is not None else [])]


def columns(events: list[Any]) -> tuple[Any, ...]:
    """(place among STRINGS, time, id, refused) of each event; before any tick."""
    kinds = (np.int32, np.int64, np.uint64, bool)
    models, times_ms, *rest = (np.array([event[k] for event in events], kind) for k, kind in enumerate(kinds))
    return models, (times_ms, 0), *rest


@pytest.mark.parametrize("make", GATES)
def test_each_event_is_used_or_counted_for_one_reason(make: Any) -> None:
    gate = make(["a", "b"], 10, 2, 1, 1000)
    events = [
        (0, 50, 1),
        (0, 45, 1),
        (0, 39, 0),
        (3, 99, 0),
        (1, 99, 0),
        (0, 40, 2),
        (0, 60, 3),
        (0, 60, 1),
        (0, 70, 9),
    ]
    refused = [False] * 8 + [True]
    models, times_ms, ids, away = columns([(*event, no) for event, no in zip(events, refused, strict=True)])
    used, now, filtered, duplicate, late, untimely, _ = gate.admit(models, times_ms, ids, STRINGS, away)
    # Used; a duplicate; too old; not watched; no room for a second model; old, but not too old; newer; an id that was
    # forgotten by then; refused.
    assert used.tolist() == [True, False, False, False, False, True, True, True, False]
    assert now[used].tolist() == [50, 50, 60, 60]
    assert (filtered, duplicate.tolist(), late.tolist(), untimely.tolist()) == (3, [1], [2], [])
    assert gate.models() == [("a", 60, 4)]
    assert gate.remembered().tolist() == [3, 1]


@pytest.mark.parametrize("make", GATES)
def test_what_is_about_another_event_is_never_late_and_moves_no_clock(make: Any) -> None:
    """Negative times. Of a model that is not met nothing is known, and it takes nobody's place."""
    gate = make(None, 10, 2, 1, 1000)
    events = [(0, -1, 0), (0, 5000, 1), (0, -1, 1), (0, -1, 7), (0, 4000, 2), (0, 9000, 3), (0, -1, 0), (1, -1, 0)]
    models, times_ms, ids, away = columns([(*event, False) for event in events])
    used, now, filtered, duplicate, late, untimely, _ = gate.admit(models, times_ms, ids, STRINGS, away)
    # Not met; its first; a duplicate of it; of its time; late; ahead; of its time, and no sign of a clock; not met.
    assert used.tolist() == [False, True, False, True, False, True, True, False]
    assert now[used].tolist() == [5000] * 4
    assert (filtered, duplicate.tolist(), late.tolist(), untimely.tolist()) == (2, [2], [4], [3, 5, 6])
    assert gate.models() == [("a", 5000, 4)]
    assert gate.times()[0][AHEAD] == 1


@pytest.mark.parametrize("make", GATES)
def test_a_model_that_is_watched_no_more_is_filtered(make: Any) -> None:
    """Found by review: a snapshot knows models that the config of today does not watch."""
    before, after = make(["a", "b"], 10, 0, 5, 1000), make(["b"], 10, 0, 5, 1000)
    before.admit(*columns([(0, 50, 0, False), (1, 50, 0, False)])[:3], STRINGS, None)
    after.load(before.models(), before.remembered(), before.times())
    used, _, filtered, duplicate, late, _, _ = after.admit(
        *columns([(0, 51, 0, False), (1, 51, 0, False)])[:3], STRINGS, None
    )
    assert (used.tolist(), filtered, duplicate.tolist(), late.tolist()) == ([False, True], 1, [], [])


@pytest.mark.skipif(native is None, reason="the compiled core was not built")
@given(st.lists(EVENTS, max_size=60), st.integers(1, 30), st.integers(0, 3), st.integers(0, 5), st.booleans())
def test_both_gates_decide_the_same(events: list[Any], size: int, capacity: int, room: int, some: bool) -> None:
    """Loaded anew between batches; one is given the whole log at once."""
    assert native is not None
    limits = ["d", "a", "c"] if some else None, 7, capacity, room, 40
    plain, compiled, whole = Gate(*limits), native.Admission(*limits), native.Admission(*limits)
    told = []
    for begin in range(0, len(events), size):
        *batch, refused = columns(events[begin : begin + size])
        away = refused if refused.any() else None
        expected, found = (gate.admit(*batch, STRINGS, away) for gate in (plain, compiled))
        assert [np.asarray(part).tolist() for part in expected] == [np.asarray(part).tolist() for part in found]
        told += expected[0].tolist()
        state = plain.models(), plain.remembered(), plain.times()
        assert compiled.models() == state[0]
        assert compiled.remembered().tolist() == state[1].tolist()
        assert compiled.times() == state[2]
        compiled = native.Admission(*limits)
        compiled.load(*state)
    *batch, refused = columns(events)
    assert whole.admit(*batch, STRINGS, refused)[0].tolist() == told
    assert (whole.models(), whole.times()) == (plain.models(), plain.times())


def told(gate: Any, times_ms: list[int]) -> tuple[list[bool], list[int], list[int]]:
    models, *rest = columns([(0, at, 0, False) for at in times_ms])
    used, now, *_, untimely, _ = gate.admit(models, *rest[:2], STRINGS, None)
    return used.tolist(), now.tolist(), untimely.tolist()


@pytest.mark.parametrize("make", GATES)
def test_one_event_that_is_far_ahead_makes_nobody_late(make: Any) -> None:
    gate = make(None, 10, 0, 5, 100)
    assert told(gate, [1000, 9000, 1001, 1002]) == ([True] * 4, [1000, 1000, 1001, 1002], [1])
    assert gate.times()[0][AHEAD] == 0
    assert gate.models() == [("a", 1002, 4)]


@pytest.mark.parametrize("make", GATES)
def test_the_first_event_of_a_model_is_compared_with_the_others_and_with_the_clock(make: Any) -> None:
    far = 40 * FIRST_AHEAD_MS

    def first(events: list[tuple[int, int]], clock_ms: int = 0) -> tuple[list[int], list[int]]:
        gate = make(None, 10, 0, 5, 100)
        models, (times_ms, _), ids = columns([(code, at, 0, False) for code, at in events])[:3]
        *_, late, untimely, _ = gate.admit(models, (times_ms, clock_ms), ids, STRINGS, None)
        return late.tolist(), untimely.tolist()

    assert first([(0, 1000), (1, far), (1, 1001), (1, 1002)]) == ([], [1])
    assert first([(1, far), (1, 1001)], clock_ms=999) == ([], [0])
    assert first([(0, 1000), (1, 1000 + FIRST_AHEAD_MS), (1, 1001 + FIRST_AHEAD_MS)]) == ([], []), "they may differ"
    assert first([(1, far), (1, 1001)]) == ([], [1]), "the very first may be wrong"


@pytest.mark.parametrize("make", GATES)
def test_a_tenth_with_a_wrong_clock_makes_nobody_late(make: Any) -> None:
    gate, rng = make(None, 10, 0, 5, 100), random.Random(1)
    wrong = [rng.random() < 0.1 for _ in range(20_000)]
    wrong[0] = False
    used, now, untimely = told(gate, [1000 + i // 100 + 9000 * bad for i, bad in enumerate(wrong)])
    assert all(used)
    assert max(now) < 1300
    assert untimely == [i for i, bad in enumerate(wrong) if bad]


@pytest.mark.parametrize("make", GATES)
def test_after_a_long_pause_the_clock_goes_on(make: Any) -> None:
    gate = make(None, 10, 0, 5, 100)
    used, now, untimely = told(gate, [1000, *range(2000, 2020)])
    assert all(used)
    assert untimely == [*range(1, CONFIRM)]
    assert now[CONFIRM - 1 : CONFIRM + 1] == [1000, 2000 + CONFIRM - 1]


@pytest.mark.parametrize("make", GATES)
def test_what_has_no_time_is_of_the_newest(make: Any) -> None:
    gate = make(None, 10, 0, 5, 100)
    assert told(gate, [0, 50, 60, 0]) == ([True] * 4, [0, 50, 60, 60], [3])


@pytest.mark.parametrize("engine", [ENGINE, PYTHON])
def test_a_time_that_is_not_believed_is_told_and_in_the_snapshot(engine: Any) -> None:
    """Both stamps of one record lie 40 years ahead."""
    config = load_text(LEAST, "test.yaml", {})
    tasks = Tasks(config, engine)
    day, years = 86_400_000, 40 * 365 * 86_400_000
    at = [20_000 * day + i * 1000 for i in range(60)]
    at[20:22] = [at[20] + years, at[21] + years]
    records = [Record(i, ms, None, b'{"model":"m","time":%d,"features":{"a":1}}' % ms) for i, ms in enumerate(at)]
    whole = tasks.new(AT, 0)
    whole.step(tasks.decode(records, AT[0]))
    assert (whole.admission.counts["used"], whole.admission.counts["late"]) == (60, 0)
    assert whole.admission.odd == {("time", "clock_ahead"): 2}
    assert whole.admission.newest_ms == {"m": at[-1]}
    cut = tasks.new(AT, 0)
    cut.step(tasks.decode(records[:21], AT[0]))
    cut = tasks.load(AT, cut.dump())
    cut.step(tasks.decode(records[21:], AT[0]))
    assert cut.dump() == whole.dump()


@pytest.mark.parametrize("engine", [ENGINE, PYTHON])
def test_what_is_odd_is_counted_the_same_in_any_cut(engine: Any) -> None:
    """The clock is counted by batch, after the fields: seed 0 of the simulator had the counts in two orders."""
    tasks, begin_ms, hour_ms = Tasks(load_text(LEAST, "test.yaml", {}), engine), 1_700_000_000_000, 3_600_000
    values = [b'{"model":"m","time":%d,"features":{"a":1}}' % (begin_ms + 1000 * i) for i in range(60)]
    values[30] = b'{"model":"m","time":%d,"features":{"a":1}}' % (begin_ms + 5 * hour_ms)
    values[50] = b'{"model":"m","time":%d,"features":{"b":NaN}}' % (begin_ms + 50_000)
    records = [Record(i, -1, None, value) for i, value in enumerate(values)]
    dumps = set()
    for size in (1, 60):
        task = tasks.new(AT, 0)
        for i in range(0, 60, size):
            task.step(tasks.decode(records[i : i + size], AT[0]))
        assert task.admission.odd == {("time", "clock_ahead"): 1, ("features.b", "not_finite"): 1}
        dumps.add(task.dump())
    assert len(dumps) == 1


def test_each_offset_of_a_batch_that_was_skipped_is_accounted_for() -> None:
    tasks = Tasks(load_text(LEAST, "test.yaml", {}))
    task = tasks.new(AT, 0)
    good = [Record(i, 5, None, b'{"model":"m","features":{"a":1}}') for i in (0, 1, 1500)]
    gone = Record(1499, -1, None, None, unreadable="no memory", skipped_from=2)
    task.step(tasks.decode([*good[:2], gone, good[2]], AT[0]))
    assert task.position == 1501
    assert sum(task.admission.counts.values()) == 1501
    assert (task.admission.counts["used"], task.admission.reasons) == (3, {"killed_the_process": 1498})
    assert len([out for out in task.outbox if out.topic == "dead_letter"]) == 1
