"""What an alert says of its series when it is told again is what it is by then, not what it was when it opened."""

from __future__ import annotations

from typing import Any

import orjson

from streamer.config.load import load_text
from streamer.engine.engines import COMPILED, PYTHON, Engine
from streamer.engine.task import Task
from tests.signals.events import HEAD, batch_of

TEXT = HEAD + (
    "standard: false\nmonitors:\n"
    "  share: {signal: missing.a, window: {events: 100}, repeat_interval: 10m, detect: {kind: fraction, max: 0.05}}\n"
    "  any: {signal: missing.a, repeat_interval: 10m, keep_firing_for: 1h, detect: {kind: occurrence}}\n"
    "  mean: {signal: features.b, repeat_interval: 10m, detect: {kind: page_hinkley, threshold: 20}}\n"
)
CONFIG = load_text(TEXT, "x", {})


def events() -> list[dict[str, Any]]:
    """One a second: healthy, then `a` is null in one of four and `b` 2 more, then all are and it is 8 more."""
    found = []
    for i in range(4_000):
        null = i >= 2_000 or (i >= 500 and i % 4 == 0)
        b = i % 7 / 7 + 2 * (i >= 500) + 6 * (i >= 2_000)
        found.append({"time": 1_700_000_000 + i, "features": {"a": None if null else 1.0, "b": b}})
    return found


def told(size: int, engine: Engine = COMPILED or PYTHON) -> tuple[bytes, dict[str, list[dict[str, Any]]]]:
    """The state at the end, and by monitor what was told."""
    given, task = events(), Task(CONFIG, ("inferences", 0), 0, engine=engine)
    found: dict[str, list[dict[str, Any]]] = {}
    for i in range(0, len(given), size):
        task.step(batch_of(given[i : i + size], TEXT, i))
    for out in task.outbox:
        if out.topic == "alerts":
            data = orjson.loads(out.value or b"")["data"]
            found.setdefault(data["alert"]["labels"]["monitor"], []).append(data)
    return task.dump(), found


def test_the_newest_window_and_the_newest_edge_are_told() -> None:
    _, by = told(500)
    first, last = by["share"][0], by["share"][-1]
    assert first["sentence"].startswith("m: 25.0% of 100 events")
    assert first["latest"] is None
    assert (last["latest"]["fraction"], last["evidence"]["window"]["fraction"]) == (1.0, 0.25)
    assert "still firing, by now 100.0% of 100 events" in last["sentence"]
    for name, most in (("any", 0.9), ("mean", 6.0)):
        assert by[name][0]["level"]["now"]["mean"] < most < by[name][-1]["level"]["now"]["mean"], name
    assert "latest" not in by["mean"][-1], "an edge has a level"


def test_any_cut_and_either_engine_tell_the_same() -> None:
    whole = told(4_000)
    assert told(61) == told(700, PYTHON) == whole
