"""Trying to connect for as long as it takes, and telling of it in good time and seldom."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from streamer.port import LogDown, LogRefused
from streamer.service.connection import LOOK_S, PAUSES_S, SAID_EVERY_S, TRY_S, Outages, connected
from streamer.service.health import Health
from tests.service.executor import at_once


class Life:
    """A clock that only pauses move, what was said, and attempts that end as told."""

    def __init__(self, *ends: Any) -> None:
        self.now_s = 100.0
        self.said: list[tuple[str, str, dict[str, Any]]] = []
        self.ends = list(ends)
        self.tried_s: list[float] = []
        self.health = Health(lambda: self.now_s)
        self.outages = Outages(self.health, self.say, self.clock)

    def clock(self) -> float:
        return self.now_s

    def say(self, level: str, event: str, **fields: Any) -> None:
        self.said.append((level, event, fields))

    def pause(self, seconds: float) -> None:
        self.now_s += seconds

    def submit(self, work: Any) -> Future[Any]:
        return at_once(work)

    def attempt(self) -> Any:
        self.tried_s.append(self.now_s)
        end = self.ends.pop(0) if len(self.ends) > 1 else self.ends[0]
        if isinstance(end, Exception):
            raise end
        return end


def run(life: Life, stopping: Callable[[], bool] = lambda: False, **more: Any) -> Any:
    pool: Any = life
    return connected(life.attempt, pool, life.outages, stopping, pause=life.pause, **more)


def test_it_tries_until_it_works_with_pauses_that_grow_to_a_bound() -> None:
    life = Life(*[LogDown("nobody")] * 8, "the log")
    assert run(life) == "the log"
    pauses = [after - before for before, after in zip(life.tried_s, life.tried_s[1:], strict=False)]
    assert pauses == sorted(pauses)
    assert pauses[0] == pytest.approx(PAUSES_S[0], abs=2 * LOOK_S)
    assert pauses[-1] == pytest.approx(PAUSES_S[1], abs=2 * LOOK_S)
    assert [event for _, event, _ in life.said] == ["broker_unreachable", "works_again"]
    assert life.said[0][2]["why"] == "nobody"
    assert life.health.ready()["broker_seen"] is None


def test_meanwhile_is_done_once() -> None:
    life, done = Life(LogDown("a"), LogDown("b"), "the log"), []
    run(life, meanwhile=lambda: done.append(1))
    assert done == [1]


def test_the_words_of_the_newest_failure_are_on_readyz_and_the_log_is_told_once_a_minute() -> None:
    life = Life(LogDown("first"), LogDown("then"))
    run(life, stopping=lambda: life.now_s > 100 + 3.5 * SAID_EVERY_S)
    assert life.health.ready()["broker_seen"] == "then"
    assert [event for _, event, _ in life.said] == ["broker_unreachable"] * 4
    assert [round(more["since_seconds"] / SAID_EVERY_S) for _, _, more in life.said] == [0, 1, 2, 3]


def test_the_loop_counts_as_alive_all_the_while() -> None:
    life = Life(LogDown("nobody"))
    run(life, stopping=lambda: life.now_s > 1000)
    assert life.health.live() == {"worker_loop": None}


def test_a_try_that_does_not_end_is_not_alive() -> None:
    life = Life("never taken")
    life.submit = lambda work: Future()  # type: ignore[method-assign]
    run(life, stopping=lambda: life.now_s > 100 + TRY_S)
    assert life.health.live() == {"worker_loop": None}
    run(life, stopping=lambda: not life.health.page("livez")[0])
    assert life.now_s < 100 + 3 * TRY_S


def test_what_waiting_does_not_help_and_what_takes_too_long_is_raised() -> None:
    with pytest.raises(LogRefused):
        run(Life(LogRefused("taken")))
    life = Life(LogDown("nobody"))
    with pytest.raises(LogDown, match="nobody"):
        run(life, give_up_s=30.0)
    assert 30.0 <= life.now_s - 100.0 < 30.0 + 2 * PAUSES_S[1]


def test_a_stop_is_seen_while_an_attempt_is_under_way() -> None:
    life = Life("never taken")
    life.submit = lambda work: Future()  # type: ignore[method-assign]
    assert run(life, stopping=lambda: life.now_s > 101) is None


def test_what_lasts_for_a_moment_is_on_readyz_and_not_in_the_log() -> None:
    life = Life()
    life.outages.tell("commits", "refused")
    assert life.health.ready()["commits"] == "refused"
    life.outages.tell("commits", None)
    life.pause(10)
    assert life.said == []
    life.outages.tell("commits", "refused")
    life.pause(4)
    life.outages.tell("commits", "refused still")
    life.outages.tell("commits", None)
    told = [(event, more.get("why")) for _, event, more in life.said]
    assert told == [("waiting", "refused still"), ("works_again", None)]
    assert life.said[1][2]["after_seconds"] == 4.0


def test_the_fix_is_on_readyz_too() -> None:
    life = Life()
    life.outages.tell("broker_seen", "refused", "not_authorized", fix="kafka-acls")
    assert life.health.ready()["broker_seen"] == "refused; kafka-acls"
    life.outages.tell("broker_seen", "gone", "unreachable", fix="")
    assert life.health.ready()["broker_seen"] == "gone"


def test_what_has_waited_that_long_is_asked_by_check() -> None:
    life = Life()
    life.outages.tell("commits", "aborted")
    life.now_s += 5
    assert life.outages.last(["commits"], 5)
    assert not life.outages.last(["commits"], 5.1)
    assert not life.outages.last(["topics"], 0)
    life.outages.tell("commits", None)
    assert not life.outages.last(["commits"], 0)


def test_a_note_is_told_when_it_is_new_and_once_an_hour() -> None:
    life = Life()
    for _ in range(100):
        life.outages.note("nearly_full", {"in[0] a": "95 of 100"})
        life.pause(60)
    assert [(level, event, more["of"]) for level, event, more in life.said] == [
        ("warning", "nearly_full", "in[0] a")
    ] * 2
    assert life.health.notes() == {"in[0] a": "95 of 100"}
    life.outages.note("nearly_full", {})
    assert life.health.notes() == {}
    life.outages.note("nearly_full", {"in[0] a": "again"})
    assert len(life.said) == 3
