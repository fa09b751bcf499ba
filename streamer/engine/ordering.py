"""Stage 1 of a topic that is not keyed by model: it decodes one input partition and writes its events to the ordered
log, all events of a model to one partition of it. That log is the order, and the task of stage 2 reads it.

Nothing is decided here but where an event goes: what is late or a duplicate only the order can tell. What cannot be
decoded is a dead letter here, and whoever opted out is filtered here, before anything of him is written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
from xxhash import xxh3_64_intdigest

from schemas.events.batch import Batch
from schemas.events.packed import Place
from schemas.records.dead_letter import dead_letter
from schemas.records.envelope import HEADERS
from schemas.records.heartbeat import HeartbeatFacts, render_heartbeat
from streamer.alerts.unusable import UNUSED, counted
from streamer.alerts.unusable_record import RecordAlerts
from streamer.config import model as cfg
from streamer.engine import snapshot
from streamer.engine.engines import ENGINE, Engine
from streamer.engine.erasing import in_order, packed
from streamer.engine.figures import Counter, of_alerts, of_records
from streamer.engine.history import NOBODY_KNOWS
from streamer.engine.room import Fullness
from streamer.engine.school import School
from streamer.engine.stage import once
from streamer.engine.unwatched import Unwatched
from streamer.monitors.base import Gauge, Monitor
from streamer.monitors.detectable import Drift, Series
from streamer.port import Out, Partition, Parts, Tick
from streamer.signals.columns import I64, Bool, Grouping, groups_of
from streamer.signals.grammar import BY_PATHS
from streamer.signals.roles import OPT_OUT, is_true

NONE = dict.fromkeys(UNUSED, np.zeros(0, np.int64))
ORDERED = "ordered"
RESULTS = (ORDERED, "filtered", "dead_lettered")


class NoHistory:
    """Stage 2 has it."""

    over, end = True, 0

    def holding(self, monitors: Mapping[str, Monitor]) -> list[str]:
        return []


class NothingDetected:
    """What a stage that does not detect says of what one that does has."""

    monitors: Mapping[str, Monitor] = MappingProxyType({})
    history = NoHistory()
    series = 0

    def __init__(self) -> None:
        self.monitors_reset: list[str] = []

    def gauges(self) -> Iterator[tuple[str, Gauge]]:
        return iter(())

    def detectable(self, most: int) -> Iterator[tuple[Series, list[Drift]]]:
        return iter(())

    def models(self) -> Collection[str]:
        return ()

    def school(self) -> dict[str, School]:
        return {}

    def open_incidents(self) -> dict[str, int]:
        return {}

    def fullness(self) -> list[Fullness]:
        return []

    def unwatched(self) -> list[Unwatched]:
        return []


def bare(batch: Batch, refused: Bool, place: str) -> Batch:
    """The batch with nothing in the refused events but that their owners opted out, at this place. They are one half of
    something, and who gets the other half has to know.
    """

    def cut(table: Any) -> Any:
        kept = ~refused[table.event] | (np.array(batch.names)[table.name] == place if len(table.name) else False)
        return type(table)(*(column[kept] for column in table))

    tables = {name: cut(getattr(batch, name)) for name in ("numbers", "texts", "nulls")}
    odd = tuple(one for one in batch.odd if not refused[one.event])
    return replace(batch, **tables, odd=odd, version=np.where(refused, np.int32(-1), batch.version))


def writer_of(config: cfg.Config) -> bytes:
    """The key of packed records: who wrote them. A log that another group wrote to, too, has events twice."""
    return config.kafka.group.encode()


def erased_by(config: cfg.Config) -> set[str]:
    """The topics where a record without a value erases the id that is its key."""
    return {topic for name, topic in config.topics.sides.items() if name != "control"}


def part_of(key: Sequence[str], parts: int) -> int:
    """The partition of the ordered log for events of this model, and of these values of `kafka.order_by`. It never
    changes: each is in one.
    """
    return xxh3_64_intdigest("\0".join(key).encode()) % parts


def parts_of(batch: Batch, config: cfg.Config, parts: int, grouping: Grouping) -> I64:
    """Where each event goes, of so many partitions."""
    by, all_of_them = tuple(config.kafka.order_by), np.ones(len(batch.offsets), bool)
    groups = groups_of(batch, all_of_them, by, BY_PATHS, grouping)
    return np.array([part_of(key, parts) for key in groups.keys], np.int64)[groups.of_event]


def middle(times_ms: I64) -> int:
    """The median, 0 of none, in a third of the time that numpy takes."""
    some, half = np.sort(times_ms), len(times_ms) // 2
    if len(some) % 2:
        return int(some[half])
    return int((some.item(half - 1) + some.item(half)) / 2) if half else 0


class Ordering(NothingDetected):
    """Of one input partition; `parts`: over how many partitions of the ordered log models are shared out, which every
    commit says. State: position and account.
    """

    def __init__(
        self,
        config: cfg.Config,
        partition: Partition,
        position: int,
        parts: Parts,
        generation: int = 0,
        first_end: int = 0,
        engine: Engine = ENGINE,
    ) -> None:
        super().__init__()
        self.config, self.partition, self.position, self.parts = config, partition, position, parts
        self.generation, self.topic_id = generation, ""
        self.pack, self.grouping = engine.pack, engine.table.grouping
        self.first_end = first_end  # what is before it was there before the first start
        self.about = partition[0] in config.topics.sides.values()  # it has no inferences, but what is about them
        self.erases = erased_by(config)
        self.ticks, self.tick_ms = 0, 0
        self.counts = dict.fromkeys(RESULTS, 0)
        self.reasons: dict[str, int] = {}
        self.emitted: dict[tuple[str, str], int] = {}
        self.record_alerts = RecordAlerts(config, partition, generation, self.emitted)
        self.outbox: list[Out] = []
        self.turn = 0  # of the last record in it

    @property
    def waiting(self) -> int:
        """How many records wait for a commit."""
        return len(self.outbox)

    def step(self, batch: Batch) -> None:
        """Take one batch that begins at or after the position."""
        once(self.partition, self.position, batch)
        for part, ids in in_order(batch) if self.partition[0] in self.erases else ((batch, []),):
            self._take(part)
            self._erase(ids)

    def _take(self, batch: Batch) -> None:
        topic, number = self.partition
        self.outbox += (Out("dead_letter", *dead_letter(topic, number, one, self.generation)) for one in batch.rejects)
        self.counts["dead_lettered"] += sum(reject.records for reject in batch.rejects)
        self.reasons = counted(self.reasons, batch.rejects)
        refused = self._refused(batch)
        if self.config.mapping.pair is not None and not self.about and refused.any():
            batch, refused = bare(batch, refused, self.config.roles()[OPT_OUT]), np.zeros(len(refused), bool)
        used = ~refused
        self.outbox += self.record_alerts.take(batch, used, NONE, self.tick_ms, refused)
        self.counts["filtered"] += int(refused.sum())
        self.counts[ORDERED] += int(used.sum())
        place = Place(topic, number, NOBODY_KNOWS if self.about else self.first_end)
        parts = parts_of(batch, self.config, self.parts.used, self.grouping)
        records = self.pack(batch, np.where(refused, -1, parts), place)
        # What one commit takes of several partitions is to be in the order of time there, and this of its own; what is
        # about inferences comes behind those of the same commit, whatever its time, and is no news of them.
        time_ms = middle(batch.times_ms)
        self.turn = NOBODY_KNOWS if self.about else max(self.turn, time_ms)
        self.outbox += (Out("ordered", writer_of(self.config), record, (), part, self.turn) for part, record in records)
        self.position = batch.next_offset

    def _erase(self, ids: list[tuple[int, int]]) -> None:
        """Tell all of the ordered log of ids that are to be erased."""
        place = Place(*self.partition, NOBODY_KNOWS)
        for part, record in packed(ids, self.tick_ms, self.parts.used, self.pack, place) if ids else ():
            self.outbox.append(Out("ordered", writer_of(self.config), record, (), part, NOBODY_KNOWS))
        self.counts[ORDERED] += len(ids)

    def _refused(self, batch: Batch) -> Bool:
        if not self.config.privacy:
            return np.zeros(len(batch.offsets), bool)
        return is_true(replace(batch, aliases=self.config.roles()), OPT_OUT)

    def tick(self, tick: Tick) -> None:
        """Take the time."""
        self.position = max(self.position, tick.offset)
        self.outbox += self.record_alerts.tick(self.tick_ms if self.ticks > 0 else tick.time_ms, tick)
        self.ticks, self.tick_ms = self.ticks + 1, tick.time_ms
        known = self.config.kafka.group, *self.partition, self.position, self.ticks, tick.time_ms, tick.caught_up
        facts = HeartbeatFacts(None, *known, self.counts, {}, (), self.generation)
        self.outbox.append(Out("heartbeats", *render_heartbeat(facts), HEADERS))

    def published(self, count: int | None = None) -> None:
        """Forget the first `count` records of the outbox, or all of them."""
        del self.outbox[:count]
        self.turn *= bool(self.outbox)

    def counters(self) -> Iterator[Counter]:
        """What was counted so far, for the metrics."""
        yield from of_records(self.partition[0], self.counts, self.reasons)
        yield from of_alerts("alerts_emitted_total", self.emitted)

    def alerts(self) -> dict[tuple[str, str, str], int]:
        """How many alerts there are by monitor, model and state: of the partition's records."""
        return self.record_alerts.account.counts()

    def state(self) -> dict[str, Any]:
        return {
            "partition": list(self.partition),
            "position": self.position,
            "parts": self.parts.used,
            "first_end": self.first_end,
            "input": [self.topic_id, self.generation],
            "ticks": [self.ticks, self.tick_ms],
            "counts": list(self.counts.items()),
            "reasons": list(self.reasons.items()),
            "unusable": self.record_alerts.account.dump(),
        }

    def dump(self) -> bytes:
        """Snapshot bytes of the state; the outbox is not part of it."""
        return snapshot.encode(self.state())

    @classmethod
    def load(
        cls,
        config: cfg.Config,
        partition: Partition,
        blob: bytes | bytearray,
        parts: Parts,
        known: bool = False,
        engine: Engine = ENGINE,
    ) -> Ordering:
        """A stage from snapshot bytes; from those of a task, which read the topic until now, one that goes on where it
        stood. `known`: the commits of the group say what the parts are; else the snapshot does, if it has any. Raises
        InvalidSnapshot.
        """
        state = {"first_end": 0, "counts": [], "reasons": [], **snapshot.decode(blob)}
        try:
            if tuple(state["partition"]) != partition:
                raise snapshot.InvalidSnapshot(f"it is not of {partition[0]}[{partition[1]}]")
            if not known and "parts" in state:
                parts = Parts(*[int(state["parts"])] * 2)
            position, generation = int(state["position"]), int(state["input"][1])
            stage = cls(config, partition, position, parts, generation, int(state["first_end"]), engine)
            stage.topic_id = str(state["input"][0])
            stage.ticks, stage.tick_ms = map(int, state["ticks"])
            stage.counts |= {name: int(count) for name, count in state["counts"]}
            stage.reasons = {str(reason): int(count) for reason, count in state["reasons"]}
            stage.record_alerts.account.load(state["unusable"])
        except snapshot.InvalidSnapshot:
            raise
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
            raise snapshot.InvalidSnapshot(f"invalid snapshot: {error}") from error
        return stage
