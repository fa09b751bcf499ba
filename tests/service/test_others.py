"""What is known of partitions that other processes read, and for how long one waits for them."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from streamer.kafka.progress import Reached
from streamer.port import LogDown, Partition
from streamer.service.others import EVERY_S, PAUSE_S, STUCK_S, Others

OURS, A, B = ("in", 0), ("in", 1), ("in", 2)


class World:
    """Answers what it is told to, at once or when it is let."""

    def __init__(self) -> None:
        self.now_s, self.asked, self.at_once = 0.0, 0, True
        self.answer: Mapping[Partition, Reached] | None = {OURS: Reached(1, 9, 4), A: Reached(5, 3, 70)}
        self.future: Future[Any] = Future()
        self.others = Others(self.ask, self, lambda: self.now_s)  # type: ignore[arg-type]

    def ask(self) -> Mapping[Partition, Reached]:
        self.asked += 1
        if self.answer is None:
            raise LogDown("away")
        return self.answer

    def submit(self, work: Any) -> Future[Any]:
        self.future = Future()
        if self.at_once:
            self.let(work)
        return self.future

    def let(self, work: Any) -> None:
        try:
            self.future.set_result(work())
        except LogDown as down:
            self.future.set_exception(down)


def test_who_has_something_left_is_waited_for_while_it_gets_on() -> None:
    world = World()
    assert world.others.waited_for([OURS]) == {A: 70}
    world.now_s = STUCK_S - 0.1
    assert world.others.waited_for([OURS]) == {A: 70}
    world.now_s = STUCK_S + 0.1
    assert world.others.waited_for([OURS]) == {}
    world.answer = {A: Reached(6, 2, 80), B: Reached(-1, 4, 0)}
    world.now_s += EVERY_S
    assert world.others.waited_for([OURS]) == {A: 80, B: 0}
    world.answer = {A: Reached(8, 0, 90), B: Reached(4, 0, 0)}
    world.now_s += EVERY_S
    assert world.others.waited_for([OURS]) == {}


def test_it_is_asked_now_and_then_and_one_question_at_a_time() -> None:
    world = World()
    world.at_once = False
    assert [world.others.waited_for([OURS]) for _ in range(3)] == [None] * 3
    assert world.asked == 0
    world.let(world.ask)
    world.at_once = True
    assert world.others.waited_for([OURS]) == {A: 70}
    assert world.others.waited_for([OURS]) == {A: 70}
    assert world.asked == 1
    world.now_s += EVERY_S
    world.others.waited_for([OURS])
    assert world.asked == 2


def test_where_nobody_answers_nobody_is_waited_for() -> None:
    world = World()
    world.others.waited_for([OURS])
    world.answer = None
    world.now_s += EVERY_S
    assert world.others.waited_for([OURS]) == {}
    assert world.others.waited_for([OURS]) == {}
    assert world.asked == 2
    world.answer = {A: Reached(7, 1, 90)}
    world.now_s += PAUSE_S
    assert world.others.waited_for([OURS]) == {A: 90}
