"""The commit protocol under crashes, lost acks, fences, zombies, rebalances and poison; and proof that it is tested.

`DRIFTLINE_SEEDS=2000 pytest tests/sim` is the long campaign (`make soak`); a failing seed is named in the test id.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from streamer.engine.task import Task
from streamer.port import CommitResult, Committed, Outcome, Partition
from streamer.service.worker import Worker
from tests.sim.campaign import run_seed

SEEDS = int(os.environ.get("DRIFTLINE_SEEDS", "200"))
FIRST = int(os.environ.get("DRIFTLINE_FIRST_SEED", "0"))
CHUNK = 20
MUTANT_SEEDS = 60


@pytest.mark.parametrize("first", range(FIRST, FIRST + SEEDS, CHUNK))
def test_published_alerts_and_state_equal_the_oracle(first: int) -> None:
    restored = 0
    for seed in range(first, min(first + CHUNK, FIRST + SEEDS)):
        try:
            restored += sum(w.stats.restored for w in run_seed(seed).workers.values())
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error}") from error
    assert restored > 0


class ResumesAtC(Worker):
    """Takes the state of S for the state at C."""

    def replay(self, task: Task, committed: Committed) -> Iterator[None]:
        assert committed.offset is not None
        task.position = committed.offset
        yield


class ForgetsTicks(Worker):
    """Replays the records and not the ticks between them."""

    def replay(self, task: Task, committed: Committed) -> Iterator[None]:
        yield from super().replay(task, committed._replace(ticks=()))


class TakesIdleForLanded(Worker):
    """Compares offsets alone, which a tick does not move."""

    def settle(self) -> bool:
        if self.unsettled is not None:
            self.unsettled = {p: sent._replace(ticked=0) for p, sent in self.unsettled.items()}
        return super().settle()


class ReplayNotMuted(Worker):
    def mute(self, task: Task) -> None:
        pass


class DropsOutboxOnAbort(Worker):
    def conclude(self, result: CommitResult, offsets):  # type: ignore[no-untyped-def]
        done = super().conclude(result, offsets)
        if result.outcome is Outcome.ABORTED:
            for partition in offsets:
                self.owned[partition].task.published()
        return done


class EmitsAfterLost(Worker):
    """Keeps a task it lost and goes on publishing for it."""

    def drop(self, partition: Partition) -> None:
        self.restoring.pop(partition, None)


class TakesUnknownForAborted(Worker):
    def settle(self) -> bool:
        self.log.recover()
        self.unsettled = None
        return True


class TakesUnknownForDone(Worker):
    def settle(self) -> bool:
        assert self.unsettled is not None
        self.log.recover()
        for partition, sent in self.unsettled.items():
            self.landed(partition, sent)
        self.unsettled = None
        return True


@pytest.mark.parametrize(
    "mutant",
    [
        ResumesAtC,
        ReplayNotMuted,
        ForgetsTicks,
        TakesIdleForLanded,
        DropsOutboxOnAbort,
        EmitsAfterLost,
        TakesUnknownForAborted,
        TakesUnknownForDone,
    ],
)
def test_a_broken_worker_is_caught(mutant: type[Worker]) -> None:
    for seed in range(MUTANT_SEEDS):
        try:
            run_seed(seed, mutant)
        except Exception:
            return
    pytest.fail(f"{mutant.__name__} survived {MUTANT_SEEDS} seeds")
