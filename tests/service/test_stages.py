"""The turns of the workers of a process."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from streamer.config.load import load_text
from streamer.config.stages import stage_configs
from streamer.engine.tasks import Orderings, Tasks
from streamer.port import Parts
from streamer.service.stages import made_by, run_in_turns
from tests.config.test_stages import LEAST


class Worker:
    """Has so many records to take, one a step."""

    def __init__(self, records: int, lands: bool = True) -> None:
        self.owned = {("t", 0): SimpleNamespace(task=SimpleNamespace(position=0))}
        self.records, self.lands = records, lands
        self.waited: list[float] = []
        self.drained, self.restoring = 0, False
        self.log = SimpleNamespace(lags=lambda: False)

    def step(self, timeout_s: float) -> None:
        self.waited.append(timeout_s)
        task = self.owned["t", 0].task
        task.position = min(task.position + 1, self.records)

    def drain(self) -> bool:
        self.drained += 1
        return self.lands


def test_nobody_waits_while_others_have_records() -> None:
    one, other = Worker(3), Worker(0)
    steps = iter(range(6))
    workers: Any = [one, other]
    assert run_in_turns(workers, lambda: next(steps) == 5, lambda: None)
    assert one.waited == other.waited == [0.0, 0.0, 0.0, 0.0, 0.05]
    assert (one.drained, other.drained) == (1, 1)


def test_of_a_backlog_in_small_pieces_stage_2_takes_all_that_is_there_and_rests() -> None:
    one, other = Worker(1000), Worker(7)
    one.log, now_s, steps = SimpleNamespace(lags=lambda: True), iter(range(1000)), iter(range(101))
    workers: Any = [one, other]
    assert run_in_turns(workers, lambda: next(steps) == 100, lambda: None, clock=lambda: next(now_s) / 10)
    assert len(one.waited) == 100
    assert 7 < len(other.waited) < 14
    other.restoring, before, steps = True, len(other.waited), iter(range(11))
    assert run_in_turns(workers, lambda: next(steps) == 10, lambda: None)
    assert len(other.waited) == before + 10, "nobody is kept from coming to life"


@pytest.mark.parametrize("lands", [(False, True), (True, False)])
def test_all_are_drained_even_where_one_does_not_land(lands: tuple[bool, bool]) -> None:
    workers: Any = [Worker(0, lands[0]), Worker(0, lands[1])]
    assert not run_in_turns(workers, lambda: True, lambda: None)
    assert [worker.drained for worker in workers] == [1, 1]


def test_one_alone_runs_by_itself() -> None:
    alone: Any = SimpleNamespace(run=lambda stopping, after: (stopping(), after()))
    assert run_in_turns([alone], lambda: True, lambda: None) == (True, None)


def test_who_makes_the_stages_of_a_worker() -> None:
    direct, ordered = (load_text(LEAST % more, "x", {}) for more in ("", ", order: model"))
    log = SimpleNamespace(counts={"drift-ordered": 5}, parts=lambda: None)
    made = [made_by(direct, direct, log), *(made_by(ordered, stage, log) for stage in stage_configs(ordered))]
    assert [type(one) for one in made] == [Tasks, Orderings, Tasks]
    assert isinstance(made[1], Orderings)
    assert (made[1].parts, made[1].known) == (Parts(5, 5), False)


def test_what_the_group_has_settled_counts_and_not_what_there_is_by_now() -> None:
    ordered = load_text(LEAST % ", order: model", "x", {})
    log = SimpleNamespace(counts={"drift-ordered": 5}, parts=lambda: Parts(2, 3))
    made = made_by(ordered, stage_configs(ordered)[0], log)
    assert isinstance(made, Orderings)
    assert made.new(("in", 0), 0).parts == Parts(2, 3)
    blob = Orderings(ordered, Parts(4, 4)).new(("in", 0), 0).dump()
    assert made.load(("in", 0), blob).parts == Parts(2, 3)
    assert Orderings(ordered, Parts(5, 5)).load(("in", 0), blob).parts == Parts(4, 4), "of before commits said it"
