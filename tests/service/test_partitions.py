"""What the worker keeps beside its tasks: which ticks a snapshot has not seen, and work that is done in place."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from streamer.port import Tick
from streamer.service.partitions import InPlace, LivePartition, Stats, newest


def partition(ticks: int, kept: int) -> LivePartition:
    """A partition whose task has had so many ticks, of which the last few are kept."""
    task: Any = SimpleNamespace(ticks=ticks)
    live = LivePartition(task, None, None, 0, 0.0, 0.0)
    live.ticks = [Tick(number, 1000 * number, True) for number in range(ticks - kept + 1, ticks + 1)]
    return live


@pytest.mark.parametrize(
    ("ticks", "kept", "seen", "left"),
    [
        (0, 0, 0, []),
        (5, 5, 0, [1, 2, 3, 4, 5]),
        (5, 5, 3, [4, 5]),
        (5, 2, 3, [4, 5]),
        (5, 1, 3, [5]),  # More are missing than are kept: what is there is all that can be told.
        (5, 5, 5, []),
        (5, 5, 9, []),  # A snapshot of another life has seen more.
    ],
)
def test_the_newest_ticks_are_those_not_seen_yet(ticks: int, kept: int, seen: int, left: list[int]) -> None:
    assert [tick.offset for tick in newest(partition(ticks, kept), seen)] == left


def test_in_place_means_that_it_is_done_when_it_returns() -> None:
    states: list[Any] = []

    def work(state: dict[str, Any]) -> bytes:
        states.append(state)
        return b"blob"

    future = InPlace().submit(work, {"a": 1})
    assert (future.done(), future.result(), states) == (True, b"blob", [{"a": 1}])


def test_what_fails_in_place_fails_at_once() -> None:
    with pytest.raises(TypeError, match="set"):
        InPlace().submit(lambda state: bytes(state["a"] + {1}), {"a": 1})


def test_counters_and_partitions_share_nothing() -> None:
    one, other = Stats(), Stats()
    one.commits["done"] = 1
    one.timings.append(("commit_seconds", 1.0))
    assert (other.commits, other.timings) == ({}, [])
    assert partition(1, 1).ticks is not partition(1, 1).ticks
