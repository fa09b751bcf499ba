"""Events by 10 s and versions that come: told with the signs of life, the same whatever the log is cut into."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from schemas.events.batch import Record
from schemas.events.decoder import Decoder
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.event_clock import CONFIRM
from streamer.engine.recent import DAY_HOURS, DEPLOYS_MAX, STEPS, VERSIONS_MAX, Recent, recent_joined, recent_without
from streamer.engine.snapshot import decode, encode
from streamer.engine.task import Task
from streamer.port import Tick
from tests.engine.tasks import AT, LEAST

CONFIG = load_text(LEAST, "x", {})
BEGIN_S, HOUR_S = 1_700_000_000 // 3600 * 3600, 3600
Event = tuple[str, float, str]  # model, seconds, version


def records(events: list[Event]) -> list[Record]:
    said = (
        {"model": model, "time": BEGIN_S + at, "features": {"a": 1}} | ({"model_version": version} if version else {})
        for model, at, version in events
    )
    return [Record(i, -1, None, json.dumps(one).encode()) for i, one in enumerate(said)]


def run(events: list[Event], pieces: list[int] | None = None) -> Task:
    task, decoder, all_of = Task(CONFIG, AT, 0), Decoder(fields_of(CONFIG)), records(events)
    edges = [0, *(pieces or ()), len(all_of)]
    for begin, end in zip(edges, edges[1:], strict=False):
        if begin < end:
            task.step(decoder(all_of[begin:end], AT[0]))
    return task


def told(task: Task, at_s: float = 0) -> dict[str, dict[str, Any]]:
    """By model what its sign of life says."""
    before = len(task.outbox)
    task.tick(Tick(task.position, int(1000 * (BEGIN_S + at_s)), True))
    beats = [json.loads(out.value or b"")["data"] for out in task.outbox[before:] if out.topic == "heartbeats"]
    return {beat["model"]: beat for beat in beats}


def test_events_are_counted_by_10_s_of_their_own_time_and_told_once() -> None:
    task = run([("m", at, "") for at in (0, 1, 9, 10, 35)] + [("n", 100, "")])
    found = told(task)
    assert found["m"]["recent"] == {"from": "2023-11-14T22:00:00.000Z", "counts": [3, 1, 0, 1]}
    assert found["n"]["recent"]["counts"] == [1]
    assert "recent" not in told(task)["m"]
    assert task.rings.recent.dump()["counts"] == []


def test_of_a_backlog_nothing_is_told_so_fine() -> None:
    task = run([("m", 10 * step, "") for step in range(200)])
    assert len(task.rings.recent.counts["m"]) == STEPS
    assert "recent" not in told(task)["m"]
    whole = told(run([("m", 10 * step, "") for step in range(STEPS)]))["m"]
    assert whole["recent"]["counts"] == [1] * STEPS


@pytest.mark.parametrize(
    ("events", "deploys"),
    [
        ([("m", 0, "6"), ("m", 9, "6")], []),
        ([("m", 0, "6"), ("m", 60, "7"), ("m", 61, "6"), ("m", 62, "7")], ["6>7"]),
        ([("m", 0, "6"), ("m", 60, "7"), *[("m", 3 * HOUR_S, "6")] * CONFIRM], ["6>7", "7>6"]),
        ([("m", 0, ""), ("m", 1, "6"), ("m", 2, ""), ("m", 3, "7")], ["6>7"]),
        ([("m", i, str(i)) for i in range(9)], ["3>4", "4>5", "5>6", "6>7", "7>8"]),
    ],
)
def test_a_version_that_was_not_there_in_the_hour_before_was_deployed(events: list[Event], deploys: list[str]) -> None:
    [only] = told(run(events)).values()
    found = [f"{one['before']}>{one['version']}" for one in only.get("deploys", [])]
    assert len(found) == len(deploys)
    assert [one.split(">")[1] for one in found] == [one.split(">")[1] for one in deploys]
    assert len(found) <= DEPLOYS_MAX
    if len(deploys) <= 2:
        assert found == deploys


def test_versions_are_bounded_and_one_that_is_gone_for_a_day_makes_room() -> None:
    many: list[Event] = [("m", i, f"v{i}") for i in range(VERSIONS_MAX + 3)]
    known = run(many).rings.recent.versions["m"]
    assert len(known) == VERSIONS_MAX
    assert f"v{VERSIONS_MAX}" not in known
    later = run([*many, *[("m", (DAY_HOURS + 2) * HOUR_S, "late")] * CONFIRM]).rings.recent.versions["m"]
    assert (len(later), "late" in later, "v0" in later) == (VERSIONS_MAX, True, False)


@pytest.mark.parametrize("seed", range(3))
def test_any_cutting_gives_the_same(seed: int) -> None:
    draw, at = random.Random(seed), 0.0
    events: list[Event] = []
    for _ in range(400):
        at += draw.choice([0, 0.5, 11, 40, 700])
        model = draw.choice("abc")
        events.append((model, at, draw.choice(["", "1", "2", str(int(at) // 9000)])))
    whole = run(events)
    cut = run(events, sorted(draw.sample(range(400), 40)))
    again = Task.load(CONFIG, AT, cut.dump())
    assert whole.state()["rings"]["recent"] == cut.state()["rings"]["recent"]
    assert told(whole) == told(cut) == told(again)


def test_states_lose_and_join_models_and_older_ones_have_none() -> None:
    one, other = run([("a", 0, "1"), ("b", 1, "1"), ("b", 2, "2")]), run([("c", 0, "1")])
    state = recent_without(one.rings.recent.dump(), {"a"})
    loaded = Recent()
    loaded.load(decode(encode(recent_joined(state, other.rings.recent.dump()))))
    assert set(loaded.versions) == set(loaded.counts) == {"b", "c"}
    assert loaded.deploys == {"b": [("2", "1", (BEGIN_S + 2) * 1000)]}
    state = one.state()
    del state["rings"]["recent"]
    assert Task.load(CONFIG, AT, encode(state)).rings.recent.versions == {}
    loaded.tick(["b"])
    assert set(loaded.versions) == {"b"}, "of models that are gone nothing is kept"
