"""The one loop that does I/O. It takes no decision about drift; it holds the commit protocol.

Poll, step the tasks, and every commit interval publish outbox + offsets (+ snapshots that are due) in one
transaction. A new partition is restored first: newest snapshot S, then a muted replay of S..C, because everything
triggered before the committed offset C is already in the topics. What the broker refuses is kept and retried; what
it may or may not have taken is settled by asking for the committed offset after the producer was re-created.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence

from schemas.events.batch import Record, columns_of
from streamer.config import model as cfg
from streamer.engine.stage import Stage, Stages
from streamer.port import (
    Assigned,
    CommitResult,
    Committed,
    Gap,
    Log,
    LogDown,
    LogRefused,
    Lost,
    Out,
    Outcome,
    Partition,
    Records,
    Snapshot,
)
from streamer.service.alert_log import AlertLog
from streamer.service.connection import words
from streamer.service.partitions import Doing, LivePartition, Pool, Stats, more_of, point, stands, tick
from streamer.service.portions import EACH, LETTERS_BYTES_MAX, each, full, in_turn, portion
from streamer.service.restore import Notify, Restorer
from streamer.service.snapshots import Snapshots, pointer_of, root
from streamer.service.staging import Stager
from streamer.service.unusable import bytes_of

POLL_RECORDS_MAX = 4000
"""Smaller batches pay more for each: of 2,000 an event of 10 features costs 4 to 10 % more, and one of 50 1 %. Larger
ones gain little, and their arrays take memory.
"""
POLL_TIMEOUT_S = 0.1
RESTORE_SLICE_S = 0.02
"""Between two polls: what is restored already works, and the group hears of us, however many partitions there are."""
NOT_LANDED = "it was not known how the last commit ended, and it has not landed"
DRAIN_TRIES = 3
AGAIN_S = 30.0
"""For a snapshot of what was found in an input that is gone."""
FINISHED = object()


class Worker:
    """One member of the consumer group. `clock` gives seconds and only schedules commits; results never see it."""

    restorer_class = Restorer

    def __init__(
        self,
        config: cfg.Config,
        stages: Stages,
        log: Log,
        clock: Callable[[], float],
        wall_ms: Callable[[], int],
        notify: Notify,
        pool: Pool | None = None,
        stats: Stats | None = None,
    ) -> None:
        self.config = config
        self.decode = stages.decode
        self.log = log
        self.clock, self.wall_ms = clock, wall_ms
        self.notify = notify
        self.owned: dict[Partition, LivePartition] = {}
        self.restoring: dict[Partition, Iterator[None]] = {}
        self.starting: dict[Partition, Committed] = {}  # what is to be written down before they are read
        self.starts: dict[Partition, int] = {}  # how many came before ours, of partitions that we have begun
        self.unsettled: dict[Partition, Committed] | None = None  # sent, outcome unknown
        self.recovered = True  # the producer was re-created since the outcome became unknown
        self.seen = log.surroundings()
        self.backlog: deque[tuple[Partition, Sequence[Record]]] = deque()  # read, and not taken yet
        self.letters_bytes = 0  # of the dead letters since a commit landed
        self.each = EACH  # bytes of a record that waits, about
        self.refused = False  # the last commit did not land: take little in until one does
        self.commit_due_s = clock() + config.commit.interval_ms / 1000
        self.tick_due_s = clock() + config.heartbeat.interval_ms / 1000
        self.stats = stats or Stats()
        self.alert_log = AlertLog(notify, clock)
        self.stager = Stager(self, clock)
        self.snapshots = Snapshots(config, pool, clock, self.stats)
        self.restorer = self.restorer_class(config, stages, log, self.stats, notify)

    def run(self, stopping: Callable[[], bool], after_step: Callable[[], None]) -> bool:
        """Until told to stop; then publish and snapshot everything at S == C. Closing the log, which can hang, is left
        to the caller.

        False when the last commit did not land: nothing is lost, but the next start has more to replay.
        """
        while not stopping():
            self.step(POLL_TIMEOUT_S)
            after_step()
        return self.drain()

    def step(self, timeout_s: float) -> None:
        """One round: poll, step the tasks, advance restores, commit when it is due."""
        stuck = self.refused or self.unsettled is not None
        limit = 1 if stuck or self.backlog else POLL_RECORDS_MAX
        waits = self.pauses("restores") or self.restoring.keys() <= self.owned.keys()  # Those wait for a commit.
        busy = not waits or (self.backlog and not stuck)
        for event in self.log.poll(limit, 0.0 if busy else timeout_s, self.release):
            match event:
                case Assigned(partition):
                    self.stats.rebalances += 1
                    self.drop(partition)
                    self.restoring[partition] = self.restore(partition)
                case Lost(partition):
                    self.stats.rebalances += 1
                    self.notify("partition_lost", partition)
                    self.drop(partition)
                case Gap(partition, why):
                    self.again(partition, why)
                case Records(partition, records):
                    self.backlog.append((partition, records))
        self.work()
        self.compare_topics()
        self.advance()
        if self.clock() >= self.tick_due_s:
            self.tick()
        if self.commit_is_due():
            self.commit()
        self.stager.step()

    def compare_topics(self) -> None:
        """A topic that was deleted and made anew has another id: what we know of its partitions is of the old one."""
        seen = self.log.surroundings()
        if seen is self.seen:
            return
        self.seen = seen
        for partition, owned in list(self.owned.items()):
            there = (seen.topics or {}).get(partition[0])
            if there is not None and there.id and owned.task.topic_id and there.id != owned.task.topic_id:
                self.again(partition, f"the topic was deleted and created anew, its id is now {there.id}")

    def again(self, partition: Partition, why: str) -> None:
        """What the task would take next is not what it took before: it is restored, or by policy begun anew."""
        if partition in self.owned:
            self.notify("input_gone", partition, why=why)
            self.owned[partition].staging = None  # What is on its way is older, and what came since may be gone.
            self.stager.leave([partition], AGAIN_S)  # What was found in records that are gone is found still.
            self.drop(partition)
            self.restoring[partition] = self.restore(partition)

    def advance(self) -> None:
        """Bring the restores on, for a while."""
        begin_s, restoring = self.clock(), bool(self.restoring)
        for partition, steps in list(self.restoring.items()):
            if self.pauses("restores"):
                break
            try:
                if next(steps, FINISHED) is FINISHED:
                    self.restoring.pop(partition, None)
                    self.stats.trouble.pop("restores", None)
            except LogDown as down:
                self.troubled("restores", down)
                self.owned.pop(partition, None)
                self.restoring[partition] = self.restore(partition)  # From the beginning: half a state is none.
            if self.clock() - begin_s > RESTORE_SLICE_S:
                break
        self.count_starts()
        if restoring and not self.restoring:
            # The first commit of a partition carries its snapshot, which the loop waits for: while it is small.
            self.commit_due_s = self.clock()

    def count_starts(self) -> None:
        """Before anything of a partition is read it is written down that we begin, for all of them at once: whoever is
        killed by what comes next cannot say so any more.
        """
        if not self.starting or self.pauses("restores") or (self.unsettled is not None and not self.settle()):
            return
        counted, self.starting = self.starting, {}
        try:
            result = self.log.commit([], counted, {})
        except LogDown as down:
            result = CommitResult(Outcome.ABORTED, {}, str(down))
        if result.outcome is Outcome.DONE:
            return
        if result.outcome is Outcome.UNKNOWN:
            self.unsettled, self.recovered = {}, False
        self.troubled("restores", LogDown(result.why or "that we begin could not be written down"))
        for partition in counted.keys() & self.restoring.keys():
            self.restoring[partition] = self.restore(partition)

    def work(self) -> None:
        """Take what was read. Dead letters carry whole records: where they are more than a transaction should hold, the
        batch is taken in parts, and each part is committed before the next one. One commit, then the group is to hear
        of us.
        """
        enough = self.backlog and self.letters_bytes >= LETTERS_BYTES_MAX
        if enough and not self.refused and self.unsettled is None:
            self.commit()
        while self.backlog and self.letters_bytes < LETTERS_BYTES_MAX:
            partition, records = self.backlog.popleft()
            if partition in self.owned and (rest := self.take(self.owned[partition], records)):
                self.backlog.appendleft((partition, rest))

    def take(self, owned: LivePartition, records: Sequence[Record]) -> Sequence[Record]:
        """Live records: step the task and count. What is left over is to be taken after a commit."""
        begin_s = self.clock()
        topic = owned.task.partition[0]
        batch, rest = portion(self.decode, records, topic)
        if batch.rejects:
            self.letters_bytes += bytes_of(batch.rejects)
        owned.task.step(batch)
        self.stats.timings.append(("processing_seconds", self.clock() - begin_s))
        self.stats.bytes_consumed[topic] = self.stats.bytes_consumed.get(topic, 0) + self.decode.size
        owned.newest_ms = int(columns_of(records).times_ms[len(records) - len(rest) - 1])
        return rest

    def tick(self) -> None:
        """Tell every task the time. While nothing lands it stands still: then we are the one who is silent."""
        self.tick_due_s = self.clock() + self.config.heartbeat.interval_ms / 1000
        if self.refused or self.unsettled is not None:
            return
        for partition, owned in self.owned.items():
            held, complete = partition in self.stats.held, partition[0] not in self.seen.unread
            tick(owned, self.wall_ms(), self.log.watermarks(partition), held, complete)

    def troubled(self, doing: Doing, down: LogDown) -> None:
        """Kafka does not do it now. What we hold is kept, and it is tried again for as long as it takes."""
        if isinstance(down, LogRefused):
            raise down
        self.stats.trouble[doing] = more_of(self.stats.trouble.get(doing), words(down), self.clock())

    def pauses(self, doing: Doing) -> bool:
        return doing in self.stats.trouble and self.clock() < self.stats.trouble[doing].again_s

    def commit_is_due(self) -> bool:
        if self.pauses("commits"):
            return False
        due = self.clock() >= self.commit_due_s or self.log.awaited()
        return self.unsettled is not None or due or full(sum(o.task.waiting for o in self.owned.values()), self.each)

    def commit(self, snapshot_all: bool = False, only: Sequence[Partition] | None = None) -> bool:
        """Publish what waits. True when everything asked for has landed."""
        self.commit_due_s = self.clock() + self.config.commit.interval_ms / 1000
        if self.unsettled is not None and not self.settle():
            return False
        chosen = {p: o for p, o in self.owned.items() if only is None or p in only}
        snapshots, held = self.snapshots.carried(chosen, snapshot_all), self.stager.held()
        outs: list[Out] = []
        offsets: dict[Partition, Committed] = {}
        for partition, owned in chosen.items():
            progress = owned.task.position, owned.task.ticks
            survived, owned.starts = snapshot_all and owned.starts > 0, 0 if snapshot_all else owned.starts
            written = survived or partition in snapshots or pointer_of(owned) != owned.pointer
            if partition not in held and (written or progress != (owned.committed, owned.ticked)):
                owned.sending = owned.task.outbox
                owned.sent = len(owned.sending)
                outs += owned.sending
                offsets[partition] = root(owned, snapshots.get(partition))
        self.each = each(outs, self.each)
        if not offsets:
            self.refused = False
            self.stats.trouble.pop("commits", None)
            return True
        begin_s = self.clock()
        try:
            result = self.log.commit(in_turn(outs), offsets, snapshots)
        except LogDown as down:
            self.troubled("commits", down)
            result = CommitResult(Outcome.ABORTED, {})
        self.stats.timings.append(("commit_seconds", self.clock() - begin_s))
        return self.conclude(result, offsets, snapshots)

    def conclude(
        self, result: CommitResult, offsets: dict[Partition, Committed], snapshots: Mapping[Partition, Snapshot]
    ) -> bool:
        name = result.outcome.value
        self.stats.commits[name] = self.stats.commits.get(name, 0) + 1
        self.refused = result.outcome is not Outcome.DONE
        landed = result.outcome is Outcome.DONE
        if landed:
            self.letters_bytes = 0
            for partition, sent in offsets.items():
                self.landed(partition, sent._replace(pointer=result.pointers.get(partition, sent.pointer)))
        elif result.outcome is Outcome.UNKNOWN:
            self.unsettled, self.recovered = offsets, False
            self.settle()
            landed = all(stands(self.owned.get(p), sent, snapshots.get(p)) for p, sent in offsets.items())
        if landed:
            self.stats.trouble.pop("commits", None)
        elif self.unsettled is None and (result.why or result.outcome is Outcome.UNKNOWN):
            self.troubled("commits", LogDown(result.why or NOT_LANDED))
        return landed

    def landed(self, partition: Partition, committed: Committed) -> None:
        """The broker has it: forget what was published, remember the new root pointer."""
        owned = self.owned.get(partition)
        if owned is None:
            return
        self.alert_log.landed(partition, owned.sending)
        owned.task.published(owned.sent)
        owned.sent, owned.sending = 0, []
        owned.committed, owned.ticked = committed.progress
        owned.root, owned.starts = committed, committed.starts
        pointer = committed.pointer
        if pointer is not None and pointer != owned.pointer:
            point(owned, pointer)
            owned.snapshot_s = self.clock()
            owned.snapshot_due_s = owned.snapshot_s + self.snapshots.period_s(partition)

    def settle(self) -> bool:
        """Find out how a commit of unknown outcome ended. False while that cannot be known yet."""
        assert self.unsettled is not None
        try:
            if not self.recovered:
                self.log.recover()  # Fences every delayed request of the old producer: from here on nothing changes.
                self.recovered = True
                self.stats.recovered += 1
            self.ask_what_landed()
            return True
        except LogDown as down:
            self.troubled("commits", down)
            return False

    def ask_what_landed(self) -> None:
        """The producer is a new one: the committed offsets say what landed."""
        assert self.unsettled is not None
        truth: dict[Partition, Committed] = {}
        for partition in self.unsettled:
            if partition in self.owned:
                committed = self.log.committed(partition)
                if committed is None:
                    raise LogDown(f"{partition[0]}[{partition[1]}]: the committed offset cannot be had")
                truth[partition] = committed
        for partition, committed in truth.items():
            # Of a topic that was made anew since, more may be committed than there is now.
            same = committed.generation == self.owned[partition].task.generation
            if same and committed.progress >= self.unsettled[partition].progress:
                self.landed(partition, committed)
            self.owned[partition].sent = 0
        self.unsettled = None

    def release(self, partitions: list[Partition]) -> None:
        """Called inside poll while the partitions are still ours: publish their work, then let go."""
        self.stats.rebalances += 1
        self.stager.leave(partitions)
        for partition in partitions:
            self.drop(partition)

    def drop(self, partition: Partition) -> None:
        """Forget a partition. What was not published is found again by its next owner, from C on."""
        for known in (self.owned, self.restoring, self.starting):
            known.pop(partition, None)
        self.backlog = deque(item for item in self.backlog if item[0] != partition)

    def drain(self) -> bool:
        """Publish and snapshot all; a commit that is refused once is tried again."""
        return any(self.stager.leave() for _ in range(DRAIN_TRIES))

    def restore(self, partition: Partition) -> Iterator[None]:
        """Bring a partition to life; yields while there is something to wait for."""
        begin_s = self.clock()
        past = yield from self.restorer.past(partition)
        before = self.starts[partition] = past.starts_before(self.starts.get(partition))
        if past.unread and past.committed.starts == before:
            self.starting[partition] = past.committed._replace(starts=before + 1)
            while partition in self.starting:
                yield
        task, committed = yield from self.restorer.restore(partition, past, before)
        self.go(partition, task, committed._replace(starts=before + (past.unread or task.position < past.end)))
        while committed.offset is None and self.owned[partition].committed is None:
            yield  # The first commit of all counts this start.
        self.log.start(partition, task.position)
        self.stats.timings.append(("restore_seconds", self.clock() - begin_s))

    def go(self, partition: Partition, task: Stage, committed: Committed) -> None:
        """The task stands at C: everything from here on is published by us."""
        pointer = committed.pointer
        here = self.config.config_hash, task.position, task.generation
        if pointer is not None and (pointer.config, committed.offset, committed.generation) != here:
            pointer = None  # Another config or a lost state: the next commit carries a snapshot of our own.
        slot = committed.pointer.slot if committed.pointer is not None else 0
        now_s = self.clock()
        due_s = now_s + self.snapshots.period_s(partition)
        owned = LivePartition(task, committed.offset, pointer, slot, due_s, now_s, committed, ticked=committed.ticked)
        owned.ticks = list(committed.ticks) if pointer is not None else []
        owned.kept = self.restorer.kept.pop(partition, ())
        owned.starts, owned.begun = committed.starts, task.position
        self.owned[partition] = owned
        self.stats.restored += 1
        self.notify(
            "partition_ready", partition, offset=task.position, series=task.series, monitors_reset=task.monitors_reset
        )
        if committed.offset is None:
            self.commit_due_s = now_s
