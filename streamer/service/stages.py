"""The workers of a process, one a stage, and their turns.

Where topics are keyed by model there is one stage. Else stage 1 puts events in order and stage 2 detects: each is a
worker with a log of its own, in a group of its own, and they take turns in one thread. Neither knows the other.

Several processes with a backlog put it in order in small pieces, as they wait for each other. A step of stage 2 costs
as much for a few events as for some hundreds, so once it has taken all that is there it then rests for a while.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from streamer.config.model import Config
from streamer.engine.stage import Stages
from streamer.engine.tasks import Orderings, Tasks
from streamer.port import Parts
from streamer.service.worker import POLL_TIMEOUT_S, Worker

GATHER_S = 3.0
"""Longer than a round of theirs takes, and no longer than a rebalance may wait for us."""


def in_order(config: Config, stage: Config) -> bool:
    """Whether a stage reads the ordered log; `stage`: the config as its shell has it."""
    return config.topics.ordered in stage.topics.events


def made_by(config: Config, stage: Config, log: Any) -> Stages:
    """What makes the stages of a worker."""
    ordered = config.topics.ordered
    if ordered is None or in_order(config, stage):
        return Tasks(config)
    settled, there = log.parts(), log.counts[ordered]
    return Orderings(config, settled or Parts(there, there), known=settled is not None)


def run_in_turns(
    workers: Sequence[Worker],
    stopping: Callable[[], bool],
    after_step: Callable[[], None],
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """Until told to stop; then publish and snapshot everything. False when a last commit did not land, see
    `Worker.run`. Nobody waits for records while others have some.
    """
    if len(workers) == 1:
        return workers[0].run(stopping, after_step)
    (first, second), idle, due_s = workers, False, clock()
    while not stopping():
        gathers, before = first.log.lags() and not second.restoring and clock() < due_s, places([second])
        idle = turn(workers[:1] if gathers else workers, idle)
        if not gathers and places([second]) == before:
            due_s = clock() + GATHER_S
        after_step()
    return all([worker.drain() for worker in workers])


def turn(workers: Sequence[Worker], idle: bool) -> bool:
    """One step of each; whether nobody got on. `idle`: whether nobody did the last time."""
    before = places(workers)
    for worker in workers:
        worker.step(POLL_TIMEOUT_S / len(workers) if idle else 0.0)
    return places(workers) == before


def places(workers: Sequence[Worker]) -> list[int]:
    """Where all of them stand."""
    return [owned.task.position for worker in workers for owned in worker.owned.values()]
