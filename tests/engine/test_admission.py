"""Which events are used: with and without the compiled core the same, whatever is cut where."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.core import native
from schemas.events.batch import Record
from streamer.config.load import load_text
from streamer.engine.admission import Gate
from streamer.engine.tasks import Tasks
from tests.engine.tasks import AT, LEAST

STRINGS = ("a", "b", "c", "other", "d")
EVENTS = st.tuples(st.integers(0, 4), st.integers(0, 40), st.integers(0, 6), st.sampled_from((False, False, True)))
GATES = [Gate, *([native.Admission] if native is not None else [])]


def columns(events: list[Any]) -> tuple[Any, ...]:
    """(place among STRINGS, time, id, refused) of each event."""
    kinds = (np.int32, np.int64, np.uint64, bool)
    return tuple(np.array([event[k] for event in events], kind) for k, kind in enumerate(kinds))


@pytest.mark.parametrize("make", GATES)
def test_each_event_is_used_or_counted_for_one_reason(make: Any) -> None:
    gate = make(["a", "b"], 10, 2, 1)
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
    used, now, *counts, late = gate.admit(models, times_ms, ids, STRINGS, away)
    # Used; a duplicate; too old; not watched; no room for a second model; old, but not too old; newer; an id that was
    # forgotten by then; refused.
    assert used.tolist() == [True, False, False, False, False, True, True, True, False]
    assert now[used].tolist() == [50, 50, 60, 60]
    assert (counts, late.tolist()) == ([3, 1], [2])
    assert gate.models() == [("a", 60, 4)]
    assert gate.remembered().tolist() == [3, 1]


@pytest.mark.parametrize("make", GATES)
def test_a_model_that_is_watched_no_more_is_filtered(make: Any) -> None:
    """Found by review: a snapshot knows models that the config of today does not watch."""
    before, after = make(["a", "b"], 10, 0, 5), make(["b"], 10, 0, 5)
    before.admit(*columns([(0, 50, 0, False), (1, 50, 0, False)])[:3], STRINGS, None)
    after.load(before.models(), before.remembered())
    used, _, *counts, late = after.admit(*columns([(0, 51, 0, False), (1, 51, 0, False)])[:3], STRINGS, None)
    assert (used.tolist(), counts, late.tolist()) == ([False, True], [1, 0], [])


@pytest.mark.skipif(native is None, reason="the compiled core was not built")
@settings(max_examples=300, deadline=None, database=None)
@given(st.lists(EVENTS, max_size=60), st.integers(1, 30), st.integers(0, 3), st.integers(0, 5), st.booleans())
def test_both_gates_decide_the_same(events: list[Any], size: int, capacity: int, room: int, some: bool) -> None:
    """Loaded anew between batches; one is given the whole log at once."""
    assert native is not None
    limits = ["d", "a", "c"] if some else None, 7, capacity, room
    plain, compiled, whole = Gate(*limits), native.Admission(*limits), native.Admission(*limits)
    told = []
    for begin in range(0, len(events), size):
        *batch, refused = columns(events[begin : begin + size])
        away = refused if refused.any() else None
        expected, found = (gate.admit(*batch, STRINGS, away) for gate in (plain, compiled))
        assert [np.asarray(part).tolist() for part in expected] == [np.asarray(part).tolist() for part in found]
        told += expected[0].tolist()
        state = plain.models(), plain.remembered()
        assert compiled.models() == state[0]
        assert compiled.remembered().tolist() == state[1].tolist()
        compiled = native.Admission(*limits)
        compiled.load(*state)
    *batch, refused = columns(events)
    assert whole.admit(*batch, STRINGS, refused)[0].tolist() == told
    assert whole.models() == plain.models()


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
