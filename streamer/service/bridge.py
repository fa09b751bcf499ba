"""The loop of a bridge: records of the alerts topic to one receiver, each at least once, those of a key in their order.

An offset is committed once the receiver took what is before it, or refused it for good. While it takes nothing all
waits, and the group is served meanwhile: nothing is lost, and nothing overtakes. Alertmanager is told again and again
of what fires, by the wall clock; that waits for whatever is new. So do silences, see `silencing.py`.
"""

from __future__ import annotations

import random
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol, get_args

from schemas.events.batch import Record
from streamer.bridges.answers import Answer, Verdict, pause_s, verdict
from streamer.bridges.kinds import CHUNK, Request, grave_enough, request_of, told_again, wanted
from streamer.bridges.ledger import Ledger, News, Start
from streamer.bridges.told import Told
from streamer.config.bridges import Alertmanager, Bridge
from streamer.port import Partition
from streamer.service.bridge_metrics import BRIDGE_CATALOGUE, BridgeGauge
from streamer.service.health import Health
from streamer.service.metrics import Metrics
from streamer.service.silencing import Silencing

POLL, QUEUE_MAX = 200, 1000
"""Records taken at a time, and that may wait for the receiver before no more are read."""
WAIT_S, WORK_S = 0.5, 2.0
"""The longest wait for records, and the longest time of deliveries before the group is served again."""
CHECKS: dict[str, str | None] = {
    "broker": None,
    "assigned": "the group has not assigned partitions yet",
    "history": None,
    "receiver": None,
    "not_draining": None,
}


def bridge_figures() -> Metrics:
    """All metrics of a process that is a bridge; each is there from the start."""
    figures = Metrics(BRIDGE_CATALOGUE)
    for name in get_args(BridgeGauge):
        figures.set(name, 0.0)
    return figures


class Place(Protocol):
    """Of a partition that came: see `streamer.kafka.group_reader.Place`."""

    committed: int | None
    low: int
    high: int


class Reader(Protocol):
    """See `streamer.kafka.group_reader.GroupReader`."""

    @property
    def assigned(self) -> int | None: ...

    @property
    def trouble(self) -> str | None: ...

    def poll(self, limit: int, wait_s: float) -> Any: ...

    def hold(self, paused: bool) -> None: ...

    def done(self, partition: Partition, offset: int) -> None: ...


class Waiting(NamedTuple):
    """News that is to be delivered. `offset`: the first one behind it."""

    partition: Partition
    offset: int
    news: News


class World(NamedTuple):
    """What the loop is given to speak with: a log line, and the two clocks (seconds for pauses, ms of the wall)."""

    say: Callable[..., None]
    clock: Callable[[], float] = time.monotonic
    wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    draw: Callable[[], float] = random.random


class Delivering:
    """`kind` is one of KINDS, `settings` are its own; `post` sends a request."""

    def __init__(
        self,
        kind: str,
        settings: Bridge,
        page: str | None,
        reader: Reader,
        post: Callable[[Request], Answer],
        world: World,
        health: Health,
        figures: Metrics,
        silencing: Silencing | None = None,
    ) -> None:
        self.silencing = silencing
        self.kind, self.settings, self.page, self.reader, self.post = kind, settings, page, reader, post
        self.world, self.health, self.figures = world, health, figures
        self.ledgers: dict[Partition, Ledger] = {}
        self.queue: deque[Waiting] = deque()
        self._waiting: Counter[Partition] = Counter()
        self._read: dict[Partition, int] = {}  # all before this offset is queued, or needs no delivery
        self._tries, self._not_before_s = 0, 0.0
        self._again: deque[tuple[Partition, str]] = deque()  # keys that are still to be told again in this round
        self._again_s = 0.0  # when the next round begins

    def step(self) -> None:
        """One turn: take what came, deliver what waits, tell again what fires."""
        turn = self.reader.poll(POLL, self._wait_s())
        for partition in turn.gone:
            self._let_go(partition)
        for partition, place in turn.came.items():
            self._begin(partition, place)
        for partition, record in turn.records:
            self._take(partition, record)
        for partition in turn.ended:
            self._history_over(partition)
        self._settle()
        end_s = self.world.clock() + WORK_S
        while self.queue and self._may_send() and self.world.clock() < end_s:
            self._deliver(self.queue[0])
        if self._may_send() and isinstance(self.settings, Alertmanager):
            self._tell_again(self.settings, end_s)  # In what is left of the time, so while news waits not at all.
        if self.silencing is not None and self._may_send() and all(one.caught_up for one in self.ledgers.values()):
            self.silencing.step()
        self.reader.hold(len(self.queue) >= QUEUE_MAX)
        self._report()

    # Partitions and records

    def _begin(self, partition: Partition, place: Place) -> None:
        news = place.committed if place.committed is not None and place.committed <= place.high else None
        if place.committed is not None and news is None:
            self._say("warning", "offsets_begin_anew", partition, why="the topic was made anew", was=place.committed)
        if news is not None and news < place.low:
            why = "records were deleted before they could be told: the topic's retention is shorter than we were away"
            self._say("warning", "records_lost", partition, why=why, first=news, last=place.low - 1)
        self.ledgers[partition] = Ledger(Start(place.high if news is None else news, fresh=news is None))
        if place.low >= place.high:
            self._history_over(partition)

    def _let_go(self, partition: Partition) -> None:
        self.ledgers.pop(partition, None)
        if self.silencing is not None:
            self.silencing.let_go(partition)
        self._read.pop(partition, None)
        self._waiting.pop(partition, None)
        self.queue = deque(one for one in self.queue if one.partition != partition)

    def _take(self, partition: Partition, record: Record) -> None:
        ledger = self.ledgers[partition]
        if record.offset >= ledger.start.news:
            self._history_over(partition)
        before = ledger.unread, ledger.repeated, ledger.hidden
        time_ms = record.time_ms if record.time_ms >= 0 else self.world.wall_ms()
        news = ledger.take(record.offset, time_ms, record.value)
        if self.silencing is not None:
            self.silencing.take(partition, record.value, time_ms)
        self.figures.inc("bridge_records_total", ledger.unread - before[0], result="unread")
        self.figures.inc("bridge_records_total", ledger.repeated - before[1], result="repeated")
        self.figures.inc("bridge_hidden_total", ledger.hidden - before[2])
        if record.offset >= ledger.start.news:
            self._read[partition] = record.offset + 1
        if news is not None:
            self._queue(partition, record.offset + 1, [news])

    def _history_over(self, partition: Partition) -> None:
        ledger = self.ledgers.get(partition)
        if ledger is None or ledger.caught_up:
            return
        self._queue(partition, ledger.start.news, ledger.history_over())
        self._read[partition] = max(self._read.get(partition, 0), ledger.start.news)
        self._again_s = 0.0

    def _queue(self, partition: Partition, offset: int, found: Iterable[News]) -> None:
        for news in found:
            if wanted(self.kind, self.settings, news):
                self.queue.append(Waiting(partition, offset, news))
                self._waiting[partition] += 1
            else:
                self.figures.inc("bridge_records_total", result="unwanted")

    def _settle(self) -> None:
        """Where nothing waits all that was read is done with."""
        for partition, offset in list(self._read.items()):
            if not self._waiting[partition]:
                self.reader.done(partition, offset)
                del self._read[partition]

    # Deliveries

    def _deliver(self, one: Waiting) -> None:
        request = request_of(self.kind, self.settings, self.page, one.news.told, self.world.wall_ms())
        outcome, answer = self._send(request) if request else ("unread", Answer(0))
        if outcome == "later":
            return
        if outcome == "refused":
            self._refused(one, answer)
        if outcome == "unread":
            self.ledgers[one.partition].firing.pop(one.news.told.key, None)
            self._say("error", "bridge_unread", one.partition, id=one.news.told.id, why="it is not as Driftline's are")
        self.figures.inc("bridge_records_total", result=outcome)
        self.queue.popleft()
        self._waiting[one.partition] -= 1
        # Of what fired at a first start all have one offset: it is done with when the last of them is.
        if not self.queue or self.queue[0][:2] != one[:2]:
            self.reader.done(one.partition, one.offset)

    def _refused(self, one: Waiting, answer: Answer) -> None:
        """The record stays in the alerts topic: the line names it, which is all that a dead letter could add."""
        self._say(
            "error",
            "bridge_refused",
            one.partition,
            id=one.news.told.id,
            status=answer.status,
            why=answer.words,
            effect="it is not sent again",
            fix="driftline alerts show ID -c FILE",
        )

    def _tell_again(self, settings: Alertmanager, end_s: float) -> None:
        """Some of what fires, as it is now: meanwhile an alert may be over."""
        if not self._again:
            self._next_round(settings)
        while self._again and self.world.clock() < end_s:
            some = [self._again[place] for place in range(min(CHUNK, len(self._again)))]
            firing = list(filter(None, [self._fires(*one) for one in some]))
            if firing:
                outcome, answer = self._send(told_again(settings, self.page, firing, self.world.wall_ms()))
                if outcome == "later":
                    return
                if outcome == "refused":
                    self.world.say("error", "bridge_refused", status=answer.status, why=answer.words, what="told again")
            for _ in some:
                self._again.popleft()

    def _next_round(self, settings: Alertmanager) -> None:
        """Begun once it is time, and all is known that may be over by now."""
        now_s, now_ms = self.world.clock(), self.world.wall_ms()
        if now_s < self._again_s or not all(ledger.caught_up for ledger in self.ledgers.values()):
            return
        for partition, ledger in self.ledgers.items():
            for gone in ledger.forgotten(now_ms, settings.forget_after_ms):
                self.figures.inc("bridge_forgotten_total")
                self._say("warning", "alert_forgotten", partition, id=gone.id, why="no record told of it any more")
            self._again.extend((partition, key) for key in ledger.firing)
        self._again_s = now_s + settings.interval_ms / 1000

    def _fires(self, partition: Partition, key: str) -> Told | None:
        ledger = self.ledgers.get(partition)
        found = ledger.firing.get(key) if ledger is not None else None
        told = found.told if found is not None else None
        return told if told is not None and told.kind == "alert" and grave_enough(self.settings, told) else None

    def _send(self, request: Request) -> tuple[Verdict, Answer]:
        answer = self.post(request)
        outcome = verdict(answer)
        self.figures.inc("bridge_attempts_total", outcome=outcome)
        self.figures.set("bridge_receiver_up", float(outcome != "later"))
        if outcome == "later":
            self._tries += 1
            now_s = self.world.wall_ms() / 1000
            pause = pause_s(self._tries, answer, now_s, self.world.draw)
            self._not_before_s = self.world.clock() + pause
            why = " ".join(filter(None, [str(answer.status or ""), answer.words]))
            self.health.wait("receiver", f"{why}; tried {self._tries} times")
            self.world.say("warning", "receiver_away", why=why, tries=self._tries, again_in_s=round(pause, 1))
        else:
            if self._tries:
                self.world.say("info", "receiver_back", tries=self._tries)
            self._tries, self._not_before_s = 0, 0.0
            self.health.wait("receiver", None)
        if outcome == "delivered":
            self.figures.set("bridge_last_delivery_timestamp_seconds", self.world.wall_ms() / 1000)
        return outcome, answer

    def _may_send(self) -> bool:
        return self.world.clock() >= self._not_before_s

    def _wait_s(self) -> float:
        """How long records may be waited for: until a pause is over, or not at all while there is something to do."""
        if self.queue:
            return min(WAIT_S, max(0.0, self._not_before_s - self.world.clock()))
        return WAIT_S

    # Words

    def _say(self, level: str, event: str, partition: Partition, **fields: object) -> None:
        self.world.say(level, event, topic=partition[0], partition=partition[1], **fields)

    def _report(self) -> None:
        behind = sum(not ledger.caught_up for ledger in self.ledgers.values())
        self.health.beat()
        self.health.wait("broker", self.reader.trouble)
        self.health.wait("assigned", CHECKS["assigned"] if self.reader.assigned is None else None)
        self.health.wait("history", f"what was told before is read of {behind} partitions" if behind else None)
        self.figures.set("bridge_waiting_records", len(self.queue))
        self.figures.set("bridge_firing", sum(len(ledger.firing) for ledger in self.ledgers.values()))
        self.figures.set("bridge_assigned_partitions", self.reader.assigned or 0)
