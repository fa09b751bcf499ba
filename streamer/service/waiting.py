"""A log whose records are handed over once the schemas of their values are known.

A registry that does not answer makes no dead letters. The partition is held: what was read of it is dropped, and it is
read again from there on when the schema is here; all else goes on. Only an id of which the registry says twice that it
knows none is given up, and asked for anew some time later.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from typing import Any, NamedTuple, Protocol

from schemas.events.batch import Record, columns_of
from schemas.events.registered import Schema, Schemas
from streamer.config.model import Config
from streamer.kafka.schema_registry import ASK_AGAIN_S, Client, NoSchema
from streamer.port import LogDown, LogEvent, Partition, Records
from streamer.service.catalogue import OUTCOMES
from streamer.service.connection import words
from streamer.service.metrics import Metrics
from streamer.service.partitions import Stats, more_of

PATIENCE_S = 0.25
"""For a registry that is well: it has answered by then, and no partition need be held."""
SLICE_S = 0.02
GIVEN_UP_S = 60.0
"""For so long nobody is asked again for an id that the registry does not know."""
NAMED_MAX = 6
ASKED_MAX = 100
"""Ids asked for in one go."""

Fetch = Callable[[int], Schema]


class Pool(Protocol):
    """A thread of its own, so that a registry that is slow keeps nothing else back."""

    def submit(
        self, work: Callable[[Fetch, list[int]], Answers], fetch: Fetch, numbers: list[int], /
    ) -> Future[Answers]:
        """The answers to come."""


class Answers(NamedTuple):
    """What a registry said of ids, until it said nothing any more."""

    found: dict[int, Schema]
    absent: dict[int, str]
    down: LogDown | None = None


def ask(fetch: Fetch, numbers: list[int]) -> Answers:
    """One after the other."""
    answers = Answers({}, {})
    for number in numbers:
        try:
            answers.found[number] = fetch(number)
        except NoSchema as why:
            answers.absent[number] = str(why)
        except LogDown as down:
            return answers._replace(down=down)
    return answers


class Asking:
    """What is asked of the registry, beside the loop. `clock` gives seconds."""

    def __init__(self, schemas: Schemas, fetch: Fetch, pool: Pool, clock: Callable[[], float], stats: Stats) -> None:
        self.schemas, self._fetch, self._pool, self._clock, self._stats = schemas, fetch, pool, clock, stats
        self._wanted: dict[int, None] = {}
        self._absent: dict[int, float] = {}  # said once to be unknown, with when to ask again
        self._given_up: dict[int, float] = {}  # said twice, with when to forget it
        self._under_way: Future[Answers] | None = None
        self.counts = stats.registry = stats.registry or dict.fromkeys(OUTCOMES, 0)

    def ready(self, values: Iterable[bytes | None]) -> bool:
        """Whether the schemas of all values are known. What is not is asked for."""
        self._forget()
        missing = self.schemas.missing(values)
        self._wanted |= dict.fromkeys(missing)
        if missing and self.step():
            missing = self.schemas.missing(values)
        return not missing

    def step(self) -> bool:
        """Take what was answered, and ask what is to be asked; whether there was an answer."""
        answered = self._under_way is not None and self._under_way.done()
        if answered:
            self._take()
        trouble, now_s = self._stats.trouble.get("schemas"), self._clock()
        due = [number for number in self._wanted if self._absent.get(number, now_s) <= now_s]
        if self._under_way is None and due and (trouble is None or trouble.again_s <= now_s):
            self._under_way = self._pool.submit(ask, self._fetch, due[:ASKED_MAX])
        if not answered and self._under_way is not None and self._under_way.done():
            return self.step()  # In a test that has no threads.
        return answered

    def wait(self, seconds: float) -> None:
        """For an answer, at most so long."""
        if self._under_way is not None:
            wait([self._under_way], seconds)

    def _take(self) -> None:
        assert self._under_way is not None
        answers, self._under_way, now_s = self._under_way.result(), None, self._clock()
        for number, schema in answers.found.items():
            self.schemas.learn(number, schema, self._wanted)
            self._done(number, "found")
        for number, why in answers.absent.items():
            if number in self._absent:
                self.schemas.refuse(number, why, self._wanted)
                self._given_up[number] = now_s + GIVEN_UP_S
                self._done(number, "unknown")
            else:
                self._absent[number] = now_s + ASK_AGAIN_S
        if answers.down is None:
            self._stats.trouble.pop("schemas", None)
            return
        self.counts["failed"] += 1
        self._stats.trouble["schemas"] = more_of(self._stats.trouble.get("schemas"), words(answers.down), now_s)

    def _done(self, number: int, outcome: str) -> None:
        self.counts[outcome] += 1
        self._wanted.pop(number, None)
        self._absent.pop(number, None)

    def _forget(self) -> None:
        while self._given_up:
            number = next(iter(self._given_up))
            if self._given_up[number] > self._clock():
                return
            del self._given_up[number]
            self.schemas.forget(number)


class Held(NamedTuple):
    """Where a partition is to go on, and the beginnings of values whose schemas it waits for."""

    offset: int
    heads: list[bytes]


class SchemaLog:
    """See `streamer.port.Log`; all that is not here is the other log's. `stats.held`: partitions whose records are kept
    back, so that their silence is ours.
    """

    def __init__(self, log: Any, asking: Asking, stats: Stats, notify: Callable[..., None]) -> None:
        self._log, self._asking, self._stats, self._notify = log, asking, stats, notify
        self._held: dict[Partition, Held] = {}
        stats.held.clear()  # Those of a log that is gone.

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def poll(self, limit: int, timeout_s: float, on_revoke: Callable[[list[Partition]], None]) -> list[LogEvent]:
        def revoked(partitions: list[Partition]) -> None:
            on_revoke(partitions)
            self._let_go(partitions)

        self._go_on()
        events: list[LogEvent] = []
        for event in self._log.poll(limit, timeout_s, revoked):
            if not isinstance(event, Records):
                self._let_go([event.partition])
                events.append(event)
            elif event.partition not in self._held and self._known(event.partition, event.records):
                self._stats.held.discard(event.partition)
                events.append(event)
        self._stats.schemas_awaited = self._words()
        return events

    def start(self, partition: Partition, offset: int) -> None:
        self._let_go([partition])
        self._log.start(partition, offset)

    def replay(self, partition: Partition, start: int, end: int) -> Iterator[list[Record]]:
        for records in self._log.replay(partition, start, end):
            values = columns_of(records).values
            while not self._asking.ready(values):
                self._asking.wait(SLICE_S)
                yield []
            yield records

    def _known(self, partition: Partition, records: Sequence[Record]) -> bool:
        """Whether the records can be read; else their partition is held."""
        columns = columns_of(records)
        if self._asking.ready(columns.values):
            return True
        if "schemas" not in self._stats.trouble:
            self._asking.wait(PATIENCE_S)
            if self._asking.ready(columns.values):
                return True
        missing = self._asking.schemas.missing(columns.values)
        self._held[partition] = Held(
            int(columns.offsets[0]), [bytes(columns.values[p] or b"") for p in missing.values()]
        )
        self._stats.held.add(partition)
        self._log.hold(partition)
        first = min(missing.values())
        self._notify(
            "waits_for_schema", partition, offset=int(columns.offsets[first]), schemas=list(missing)[:NAMED_MAX]
        )
        return False

    def _go_on(self) -> None:
        """Read on what was held. Its silence is ours until the first of it has come."""
        for partition, held in list(self._held.items()):
            if self._asking.ready(held.heads):
                try:
                    self._log.start(partition, held.offset)
                except LogDown:
                    return  # The brokers are away as well: it is held until they are back.
                self._held.pop(partition, None)

    def _let_go(self, partitions: Iterable[Partition]) -> None:
        for partition in partitions:
            self._held.pop(partition, None)
            self._stats.held.discard(partition)

    def _words(self) -> str | None:
        """Who waits, and for what."""
        if not self._held and "schemas" not in self._stats.trouble:
            return None
        places = [f"{topic}[{number}]@{held.offset}" for (topic, number), held in self._held.items()]
        more = f" and {len(places) - NAMED_MAX} more" if len(places) > NAMED_MAX else ""
        trouble = self._stats.trouble.get("schemas")
        why = trouble.why if trouble is not None else "it is being asked"
        return f"{', '.join(places[:NAMED_MAX]) or 'what is restored'}{more} waits for schemas of the registry: {why}"


def waiting(log: Any, config: Config, pool: Pool, stats: Stats, notify: Callable[..., None]) -> Any:
    """The log, which waits for schemas where the config names a registry."""
    if config.schema_registry is None or config.schemas is None:
        return log
    fetch = Client(config.schema_registry).schema
    return SchemaLog(log, Asking(config.schemas, fetch, pool, time.monotonic, stats), stats, notify)


def report(stats: Stats, schemas: Schemas | None, metrics: Metrics) -> None:
    """What is known of the registry, as metrics."""
    if stats.registry is not None and schemas is not None:
        metrics.set("schema_registry_up", "schemas" not in stats.trouble)
        metrics.set("schemas", len(schemas))
        for outcome, count in stats.registry.items():
            metrics.total("schema_fetches_total", count, outcome=outcome)
