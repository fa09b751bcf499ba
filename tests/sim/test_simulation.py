"""The commit protocol under crashes, lost acks, fences, zombies, rebalances and poison; and proof that it is tested.

`DRIFTLINE_SEEDS=2000 pytest tests/sim` is the long campaign (`make soak`); a failing seed is named in the test id.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import pytest

from schemas.events.batch import Record
from streamer.alerts import unusable
from streamer.config.load import load_text
from streamer.engine import room, task
from streamer.engine.stage import Stage
from streamer.port import CommitResult, Committed, LogDown, Outcome, Partition, Pointer
from streamer.series.pending import Pending
from streamer.service import snapshots
from streamer.service.partitions import Doing, LivePartition
from streamer.service.restore import Restorer
from streamer.service.worker import Worker
from tests.series.test_labels import labels_of
from tests.sim import campaign
from tests.sim.campaign import Campaign, Differs, make_log, oracle, run_seed

SEEDS = int(os.environ.get("DRIFTLINE_SEEDS", "10"))
FIRST = int(os.environ.get("DRIFTLINE_FIRST_SEED", "0"))
CHUNK = 10
MUTANT_SEEDS = 60
CAUGHT_BY = {
    "TakesNoAnswerForAborted": 12,
    "TakesUnknownForAborted": 3,
    "EmitsAfterLost": 2,
    "DropsOutboxOnAbort": 1,
    "TakesAPartForTheWhole": 1,
    "drops_a_part_that_is_carried": 9,
    "takes_names_that_are_needed": 9,
}
"""The first seed that caught a mutant, where it is not 0. It is tried before all others: where another one does by now,
it only takes longer.
"""


@pytest.mark.parametrize("first", range(FIRST, FIRST + SEEDS, CHUNK))
def test_published_alerts_and_state_equal_the_oracle(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In three seeds of ten snapshots go chunk by chunk, in two in parts. What was there before the first start is told
    low, exactly once, and what still holds where it ends is told as it is, whatever fails.
    """
    restored, room, parts, told = 0, snapshots.ROOM_BYTES, snapshots.PARTS_BYTES, set[tuple[bool, str, bool]]()
    seeds = range(first, min(first + CHUNK, FIRST + SEEDS))
    for seed in seeds:
        monkeypatch.setattr(snapshots, "ROOM_BYTES", 0 if seed % CHUNK >= CHUNK // 2 else room)
        monkeypatch.setattr(snapshots, "PARTS_BYTES", 0 if seed % CHUNK >= CHUNK - 2 else parts)
        try:
            ran = run_seed(seed)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        restored += sum(w.stats.restored for w in ran.workers.values())
        told |= kinds_of_alerts(ran)
        assert {severity for retained, severity, _ in told if retained} == {"info"}, seed
        assert not any(current for retained, _, current in told if not retained), seed
    assert restored > 0
    assert len(seeds) < CHUNK or {(True, "info", False), (True, "info", True), (False, "warning", False)} <= told


def kinds_of_alerts(ran: Campaign) -> set[tuple[bool, str, bool]]:
    """Of each published alert, whether it is of the retained history, its severity, and whether it still held there."""
    datas = [json.loads(out.value or b"")["data"] for out in ran.broker.published() if out.topic == "alerts"]
    hows = [(data["resolution"] or {}).get("how") for data in datas]
    return {
        (data.get("retained", False), data["alert"]["labels"]["severity"], how == "current")
        for data, how in zip(datas, hows, strict=True)
    }


def coming_and_going(rng: random.Random, partition: int, length: int) -> list[Record]:
    """The log, with a version of its own every 15 records."""
    records = make_log(rng, partition, length)
    version = b'"model_version": "%s"'
    return [
        r._replace(value=(r.value or b"").replace(version % b"1", b'"model_version": "%d"' % (r.offset // 15)))
        if r.value
        else r
        for r in records
    ]


@pytest.mark.parametrize("seed", range(FIRST, FIRST + max(SEEDS // 10, 1)))
def test_series_that_leave_full_tables_do_so_whatever_fails(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables of eight series, and a turn of the log every 16 records."""
    monkeypatch.setattr(campaign, "CONFIG", campaign.CONFIG.replace("lateness: 20s", "lateness: 20s, series: 280"))
    monkeypatch.setattr(campaign, "make_log", coming_and_going)
    for module in (room, task):
        monkeypatch.setattr(module, "STRIDE", 16)
    ran = run_seed(seed)
    full = [full for w in ran.workers.values() for owned in w.owned.values() for full in owned.task.fullness()]
    assert sum(one.evicted for one in full) > 20
    assert all(one.used <= one.limit for one in full)


def going_bad(rng: random.Random, partition: int, length: int) -> list[Record]:
    """The log, with long stretches of what is no event, the first at its beginning, and of late events."""
    records = make_log(rng, partition, length)
    for begin in range(0, length, 104):
        for i in range(begin, min(begin + rng.randint(22, 60), length)):
            old = b'{"model": "shared", "time": 1699999900}'
            records[i] = records[i]._replace(value=b"fraud,1,2" if begin % 208 == 0 else old)
    return records


def test_records_that_cannot_be_used_are_told_exactly_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """With minutes of four seconds, so that a life has some."""
    often = campaign.CONFIG.replace("lateness: 20s", "lateness: 20s, unusable: 0.4")
    monkeypatch.setattr(campaign, "CONFIG", often.replace("\nchecks:", "\ndefaults: {repeat_interval: 5s}\nchecks:"))
    monkeypatch.setattr(campaign, "make_log", going_bad)
    monkeypatch.setattr(unusable, "WINDOW_MS", 4000)
    told, numbers = set(), set()
    for seed in range(FIRST, FIRST + max(SEEDS // 10, 6)):
        outs = [out.value or b"" for out in run_seed(seed).broker.published() if out.topic == "alerts"]
        found = [json.loads(out) for out in outs if b"limits.unusable" in out]
        assert len({one["id"] for one in found}) == len(found) > 2
        for one in found:
            again = one["data"]["status"] == "firing" and int(one["sequence"]) > 1
            told.add(("again" if again else one["data"]["status"], one["data"]["alert"]["labels"]["signal"]))
            numbers.add(one["data"]["episode"]["number"])
    every = {(status, what) for status in ("firing", "again", "resolved") for what in ("rejected", "late")}
    assert told | {("again", "late")} == every
    assert max(numbers) > 1


class Killing(Campaign):
    """With a batch in each log that nobody survives."""

    def __init__(self, seed: int, worker_class: type[Worker] = Worker) -> None:
        super().__init__(seed, worker_class)
        for partition, full in self.full.items():
            first = self.rng.randrange(len(full))
            self.broker.killers[partition] = [(first, min(first + self.rng.randrange(60), len(full) - 1))]


@pytest.mark.parametrize("seed", range(FIRST, FIRST + max(SEEDS // 5, 1)))
def test_a_batch_that_kills_whoever_reads_it_is_skipped(seed: int) -> None:
    killing = Killing(seed)
    killing.run()
    killing.check()
    assert killing.notes.count("batch_skipped") >= len(killing.partitions)


class CountsInMemory(Worker):
    """Does not write down that it begins: who is killed says nothing."""

    def count_starts(self) -> None:
        self.starting.clear()

    def go(self, partition: Partition, task: Stage, committed: Committed) -> None:
        super().go(partition, task, committed._replace(starts=0))


def test_without_a_word_before_it_reads_nobody_gets_past_it() -> None:
    killing = Killing(0, CountsInMemory)
    with pytest.raises(AssertionError, match="did not finish"):
        killing.run(calm=150)  # Who writes it down needs 56.
    assert "partition_ready" in killing.notes
    assert "batch_skipped" not in killing.notes


def restoring(broken: type[Restorer]) -> type[Worker]:
    """A worker whose new partitions come back to life in a broken way."""
    return type(broken.__name__, (Worker,), {"restorer_class": broken})


class ResumesAtC(Restorer):
    """Takes the state of S for the state at C."""

    def replay(self, task: Stage, committed: Committed) -> Iterator[None]:
        assert committed.offset is not None
        task.position = committed.offset
        yield


class ForgetsTicks(Restorer):
    """Replays the records and not the ticks between them."""

    def replay(self, task: Stage, committed: Committed) -> Iterator[None]:
        yield from super().replay(task, committed._replace(ticks=()))


class TakesTheEndOfNow(Restorer):
    """Reads as history what came while we were down."""

    def load(self, partition: Partition, committed: Committed) -> Generator[None, None, Stage | None]:
        stage = yield from super().load(partition, committed)
        if stage is not None and not stage.history.over:
            stage.history.end = self.log.begin_end(partition)[1]
        return stage


class TakesIdleForLanded(Worker):
    """Compares offsets alone, which a tick does not move."""

    def settle(self) -> bool:
        if self.unsettled is not None:
            self.unsettled = {p: sent._replace(ticked=0) for p, sent in self.unsettled.items()}
        return super().settle()


class ReplayNotMuted(Restorer):
    def mute(self, task: Stage) -> None:
        pass


class DropsOutboxOnAbort(Worker):
    def conclude(self, result: CommitResult, offsets, snapshots):  # type: ignore[no-untyped-def]
        done = super().conclude(result, offsets, snapshots)
        if result.outcome is Outcome.ABORTED:
            for partition in offsets:
                self.owned[partition].task.published()
        return done


class EmitsAfterLost(Worker):
    """Keeps a task it lost and goes on publishing for it."""

    def drop(self, partition: Partition) -> None:
        self.restoring.pop(partition, None)


class TakesUnknownForAborted(Worker):
    def ask_what_landed(self) -> None:
        self.unsettled = None


class TakesUnknownForDone(Worker):
    def ask_what_landed(self) -> None:
        assert self.unsettled is not None
        for partition, sent in self.unsettled.items():
            self.landed(partition, sent)
        self.unsettled = None


class TakesNoAnswerForAborted(Worker):
    """While nobody answers, it forgets that a commit may yet have landed."""

    def troubled(self, doing: Doing, down: LogDown) -> None:
        super().troubled(doing, down)
        self.unsettled = None


class StagesUnderAnOldRoot(Worker):
    """Writes down beside a part where it once began: a committed offset goes back."""

    def landed(self, partition: Partition, committed: Committed) -> None:
        root = self.owned[partition].root if partition in self.owned else committed
        super().landed(partition, committed)
        if partition in self.owned and root.offset is not None:
            self.owned[partition].root = root


class OverwritesWhatItPointsAt(Worker):
    """Parts of a snapshot go to the slot of the one before, which nobody can read from then on."""

    def landed(self, partition: Partition, committed: Committed) -> None:
        super().landed(partition, committed)
        if partition in self.owned:
            self.owned[partition].slot = 1 - self.owned[partition].slot


class TakesAPartForTheWhole(Worker):
    """Points at a snapshot as soon as its first part is there."""

    def commit(self, snapshot_all: bool = False, only: Sequence[Partition] | None = None) -> bool:
        for owned in self.owned.values():
            going = owned.staging
            if going is not None and going.staged.written:
                made, staged = going.snapshot, going.staged
                own = made.config, made.slot, made.ticks, made.generation
                pointer = Pointer(made.position, 0, staged.first, staged.chunks, staged.sha, *own)
                going.staged = staged._replace(pointer=pointer)
        return super().commit(snapshot_all, only)


@pytest.mark.parametrize("mutant", [StagesUnderAnOldRoot, OverwritesWhatItPointsAt, TakesAPartForTheWhole])
def test_a_worker_that_breaks_what_goes_in_parts_is_caught(
    mutant: type[Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "ROOM_BYTES", 0)
    assert caught(mutant) is not None, f"{mutant.__name__} survived {MUTANT_SEEDS} seeds"


@pytest.mark.parametrize(
    "mutant",
    [
        restoring(ResumesAtC),
        restoring(ReplayNotMuted),
        restoring(ForgetsTicks),
        restoring(TakesTheEndOfNow),
        TakesIdleForLanded,
        DropsOutboxOnAbort,
        EmitsAfterLost,
        TakesUnknownForAborted,
        TakesUnknownForDone,
        TakesNoAnswerForAborted,
    ],
)
def test_a_broken_worker_is_caught(mutant: type[Worker]) -> None:
    assert caught(mutant) is not None, f"{mutant.__name__} survived {MUTANT_SEEDS} seeds"


def test_a_label_that_is_joined_twice_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes back and has forgotten which inferences have their label joins one that comes again, too."""
    log = make_log(random.Random(1), 0, 1500)
    labels = labels_of(oracle(load_text(campaign.CONFIG, "sim.yaml", {}), ("inferences", 0), log))
    assert min(labels.results[name] for name in ("matched", "duplicate", "conflicting", "unmatched")) > 0
    load = Pending.load

    def forgets(store: Pending, state: Any) -> None:
        load(store, state)
        for block in store.blocks:
            block.marks[:] = 0

    monkeypatch.setattr(Pending, "load", forgets)
    assert caught(Worker) is not None


def caught(mutant: type[Worker], name: str = "") -> tuple[int, Differs] | None:
    """A seed where the oracle sees a difference, and which. A mutant that merely breaks proves nothing about the
    oracle: its error comes through, with its name and the seed's.
    """
    first = CAUGHT_BY.get(name or mutant.__name__, 0)
    for seed in (first, *(seed for seed in range(MUTANT_SEEDS) if seed != first)):
        try:
            run_seed(seed, mutant)
        except Differs as difference:
            return seed, difference
        except Exception as error:
            raise AssertionError(f"{mutant.__name__}, seed {seed}, broke: {error!r}") from error
    return None


class RaisesTypeError(Worker):
    def take(self, owned: LivePartition, records: Sequence[Record]) -> None:
        raise TypeError("of a mistake in the mutant")


class RaisesRuntimeError(Restorer):
    def mute(self, task: Stage) -> None:
        raise RuntimeError("of a mistake in the mutant")


class FailsAnAssertion(Worker):
    def settle(self) -> bool:
        raise AssertionError("of a mistake in the mutant")


class NeverCommits(Worker):
    def commit(self, snapshot_all: bool = False, only: Sequence[Partition] | None = None) -> bool:
        return False


@pytest.mark.parametrize(
    ("mutant", "why"),
    [
        (RaisesTypeError, "TypeError.*of a mistake"),
        (restoring(RaisesRuntimeError), "RuntimeError.*of a mistake"),
        (FailsAnAssertion, "AssertionError.*of a mistake"),
        (NeverCommits, "did not finish"),
    ],
)
def test_a_worker_that_merely_breaks_does_not_count_as_caught(mutant: type[Worker], why: str) -> None:
    with pytest.raises(AssertionError, match=rf"{mutant.__name__}, seed \d+, broke: .*{why}") as raised:
        caught(mutant)
    assert not isinstance(raised.value, Differs)
    assert not isinstance(raised.value.__cause__, Differs)
