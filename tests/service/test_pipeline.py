"""The way from input to outbox: what becomes of records a second, and which partitions something is wrong with."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from streamer.kafka.standing import Stand
from streamer.port import Partition
from streamer.service import pipeline as under_test
from streamer.service.board import Board
from streamer.service.pipeline import SHOWN, STEPS_MAX, Pipeline, rates
from tests.service.test_board import BEGIN_MS, fed, published

NOW_MS = BEGIN_MS + 9_000_000
MINUTE_MS = 60_000
IN = ("in", 0)


def beat(number: int, **account: int) -> dict[str, Any]:
    """One a minute."""
    tick = {"number": number, "time_ms": BEGIN_MS + MINUTE_MS * number, "caught_up": True}
    return {"tick": tick, "account": account, "offset": sum(account.values())}


def shown(made: Pipeline, minutes: float = 0.0, unread: Collection[Partition] = ()) -> dict[str, Any]:
    return made.shown(int(BEGIN_MS + MINUTE_MS * minutes), MINUTE_MS, unread=unread)


def test_of_a_real_task_every_record_is_accounted_for() -> None:
    found = fed(0, 1).pipeline.shown(NOW_MS, 500_000)
    assert [(one["topic"], one["partition"], one["offset"], one["state"]) for one in found["partitions"]] == [
        ("in", 0, 9000, "read"),
        ("in", 1, 9000, "read"),
    ]
    [stage] = found["stages"]
    assert (stage["partitions"], stage["rates"]["in"], stage["rates"]["used"]) == (2, 2.0, 2.0)
    assert 0 < stage["rates"]["windows"] < 1
    assert found["wrong"] == {"unread": 0, "silent": 0}


def test_rates_are_of_the_last_five_minutes() -> None:
    made = Pipeline()
    for number in range(20):
        made.heartbeat(IN, beat(number, used=600 * max(0, number - 14), late=0))
        made.heartbeat(IN, beat(number, used=600 * max(0, number - 14), late=0))  # Of another model.
    [stage] = shown(made, 19)["stages"]
    assert stage["rates"] == {"used": 10.0, "late": 0.0, "in": 10.0, "windows": 0.0, "told": 0.0}
    assert len(made.steps[IN]) == 6
    made.heartbeat(IN, beat(20, used=5, late=0))
    assert shown(made, 20)["stages"] == [], "its state was lost: nothing is to be compared"
    assert shown(Pipeline()) == {
        "stages": [], "partitions": [], "more": 0, "wrong": {"unread": 0, "silent": 0}, "unknown": None, "dead": {}
    }  # fmt: skip


def test_two_stages_are_apart() -> None:
    made = Pipeline()
    for number in range(2):
        made.heartbeat(IN, beat(number, ordered=120 * number, filtered=60 * number, dead_lettered=0))
        made.heartbeat(("o", 0), beat(number, used=120 * number, late=0))
    for at_ms in (BEGIN_MS - MINUTE_MS, BEGIN_MS - 600_000, None):
        made.published(at_ms)
    first, second = shown(made)["stages"]
    assert first["rates"] == {"ordered": 2.0, "filtered": 1.0, "dead_lettered": 0.0, "in": 3.0}
    assert (second["rates"]["in"], second["rates"]["told"]) == (2.0, 1 / 300)


def test_alerts_are_counted_by_the_time_of_their_records() -> None:
    board = Board()
    for value in published():
        board.take(value, None, NOW_MS - MINUTE_MS)
    count = sum(b"io.driftline.alert" in value or b"io.driftline.incident" in value for value in published())
    assert board.pipeline.shown(NOW_MS, 500_000)["stages"][0]["rates"]["told"] == count / 300


def test_what_is_read_by_nobody_or_silent_comes_first() -> None:
    made = Pipeline()
    made.heartbeat(("in", 0), beat(0, used=1))
    made.heartbeat(("in", 1), beat(9, used=1))
    made.heartbeat(("in", 2), {**beat(9, used=1), "tick": {**beat(9)["tick"], "caught_up": False}})
    found = shown(made, 10)
    assert [(one["partition"], one["state"]) for one in found["partitions"]] == [
        (0, "silent"),
        (2, "behind"),
        (1, "read"),
    ]
    assert found["wrong"] == {"unread": 0, "silent": 1}
    young = made.shown(BEGIN_MS + 10 * MINUTE_MS, MINUTE_MS, BEGIN_MS + 8 * MINUTE_MS)
    assert young["partitions"][0]["state"] == "awaited", "we have just begun to listen"
    assert young["wrong"] == {"unread": 0, "silent": 0}
    known = Stand(1, 7, 3, 61.0)
    made.stands = {("in", 1): known, ("in", 2): known, ("in", 3): known}
    found = shown(made, 10, {("in", 2), ("new", 0)})
    assert [(one["partition"], one["state"]) for one in found["partitions"]] == [
        (2, "unread"),
        (0, "unread"),
        (3, "silent"),
        (1, "read"),
    ]
    assert found["wrong"] == {"unread": 2, "silent": 1}
    made.stands = {("in", 2): known}
    assert shown(made, 10)["partitions"][0]["state"] == "behind"
    made.stands = {("in", 2): known._replace(lag=0)}
    assert shown(made, 10)["partitions"][0]["state"] == "read", "it got there since"
    last = found["partitions"][3]
    assert (last["lag"], last["replayed"], last["snapshot_s"]) == (7, 3, 61.0)


def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "PLACES_MAX", 300)
    made = Pipeline()
    for number in range(400):
        made.heartbeat(("in", number), beat(0, used=1))
        made.published(BEGIN_MS + MINUTE_MS * number)
    for second in range(0, 900, 2):
        tick = {"number": second, "time_ms": BEGIN_MS + 1000 * second, "caught_up": True}
        made.heartbeat(("in", 399), {"tick": tick, "account": {"used": second}, "offset": 0})
        if second:
            made.ended(("in", 399), {"evaluated": second - 2}, {"evaluated": second})
    assert (len(made.places), len(made.steps)) == (300, 300)
    steps = made.steps["in", 399]
    assert len(steps) <= STEPS_MAX
    assert 240_000 < steps[-1].time_ms - steps[0].time_ms <= 300_000
    found = rates(steps)
    assert found is not None
    assert (found["used"], found["windows"]) == (1.0, 1.0)
    assert len(made.told) == 10
    found = shown(made)
    assert (len(found["partitions"]), found["more"]) == (SHOWN, 100)
