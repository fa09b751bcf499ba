"""Events by hour: counted between ticks, told once an hour, and there after a restart."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from schemas.events.batch import Record
from streamer.config.load import load_text
from streamer.engine.rings import BYTES_OF_MODEL, HOUR_MS, HOURS, Rings, rings_joined, rings_without
from streamer.engine.snapshot import decode, encode
from streamer.engine.task import Task
from streamer.port import Tick
from tests.engine.tasks import AT, LEAST, run

CONFIG = load_text(LEAST, "x", {})
BEGIN_MS = 1_700_000_000_000 // HOUR_MS * HOUR_MS


def ticked(rings: Rings, hours: float, **events: int) -> dict[str, dict[str, Any]]:
    told = rings.tick([(name, 0, count) for name, count in events.items()], int(BEGIN_MS + hours * HOUR_MS))
    return {name: facts["hours"] for name, facts in told.items()}


def test_what_came_between_two_ticks_counts_for_the_hour_of_the_second() -> None:
    rings = Rings()
    assert ticked(rings, 0, a=5) == {"a": {"to": "2023-11-14T22:00:00.000Z", "counts": []}}
    assert ticked(rings, 0.9, a=7) == {}
    assert ticked(rings, 1.1, a=10, b=1)["a"] == {"to": "2023-11-14T23:00:00.000Z", "counts": [7]}
    assert ticked(rings, 4, a=10, b=2) == {
        "a": {"to": "2023-11-15T02:00:00.000Z", "counts": [7, 3, 0, 0]},
        "b": {"to": "2023-11-15T02:00:00.000Z", "counts": [1, 0, 0]},
    }
    assert ticked(rings, 3, a=11, b=1) == {}, "a clock that goes back, and a model that was met anew"
    assert rings.counts[:, -1].tolist() == [1, 1]


def test_a_clock_that_was_wrong_once_does_not_end_it() -> None:
    rings = Rings()
    ticked(rings, 0, a=5)
    ticked(rings, 1e6, a=6)
    ticked(rings, 1, a=8)
    assert ticked(rings, 2, a=9)["a"]["counts"] == [3]


def test_14_days_are_kept_and_models_that_are_gone_are_not() -> None:
    rings = Rings()
    for hour in range(HOURS + 10):
        told = ticked(rings, hour, a=hour + 1, b=5)
    assert told["a"]["counts"] == [1] * (HOURS - 1)
    assert told["b"]["counts"] == []
    ticked(rings, HOURS + 10, b=5)
    assert (rings.names, rings.counts.nbytes) == (["b"], BYTES_OF_MODEL)
    assert ticked(rings, 3 * HOURS, b=6)["b"]["counts"] == []
    assert ticked(rings, 3 * HOURS + 1, b=1 << 40)["b"]["counts"] == [1]
    assert rings.counts[0, -1] == np.iinfo(np.int32).max


def test_states_lose_and_join_models() -> None:
    one, other = Rings(), Rings()
    ticked(one, 0, a=5, b=6)
    ticked(one, 2, a=6, b=6)
    ticked(other, 1, c=7)
    both = rings_joined(rings_without(one.dump(), {"a"}), other.dump())
    loaded = Rings()
    loaded.load(decode(encode(both)), [])
    assert ticked(loaded, 3, b=6, c=9) == {
        "b": {"to": "2023-11-15T01:00:00.000Z", "counts": [6, 0, 0]},
        "c": {"to": "2023-11-15T01:00:00.000Z", "counts": [7, 0]},
    }


@pytest.mark.parametrize("wrong", [{"names": ["a", "b"]}, {"events": np.zeros(3, np.int64)}, {"counts": np.zeros(4)}])
def test_a_state_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    rings = Rings()
    ticked(rings, 0, a=5)
    with pytest.raises(ValueError, match="differ"):
        Rings().load(rings.dump() | wrong, [])


def hours_of(task: Task) -> list[dict[str, Any]]:
    beats = [json.loads(out.value or b"")["data"] for out in task.outbox if out.topic == "heartbeats"]
    return [beat["hours"] for beat in beats if "hours" in beat]


def test_a_restart_knows_the_past_and_an_older_snapshot_begins_with_what_comes() -> None:
    task = run(CONFIG, [Record(i, BEGIN_MS, None, b'{"model": "m", "features": {"a": 1}}') for i in range(30)])
    task.tick(Tick(30, BEGIN_MS, True))
    again = Task.load(CONFIG, AT, task.dump())
    task.tick(Tick(30, BEGIN_MS + HOUR_MS, True))
    again.tick(Tick(30, BEGIN_MS + HOUR_MS, True))
    assert hours_of(again)[-1]["counts"] == hours_of(task)[-1]["counts"] == [30]
    state = task.state()
    del state["rings"]
    older = Task.load(CONFIG, AT, encode(state))
    older.tick(Tick(30, BEGIN_MS + 2 * HOUR_MS, True))
    older.tick(Tick(30, BEGIN_MS + 3 * HOUR_MS, True))
    assert hours_of(older)[-1]["counts"] == []
