"""The whole brain of one input partition. Pure: no I/O, no clock, no randomness.

Its state at offset P depends only on the partition's records before P and on the config; so any cutting of the log
into batches gives the same alerts in the same order and the same snapshot bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from schemas.events.batch import Batch
from schemas.records.dead_letter import dead_letter
from streamer.alerts.alert import ACCEPTED, Moment, Notice
from streamer.alerts.alert_record import AlertRecords, severity_of
from streamer.alerts.lifecycle import AlertBook, first_of
from streamer.alerts.policy import policy_of
from streamer.alerts.unusable_record import RecordAlerts
from streamer.alerts.window_record import window_record
from streamer.config import model as cfg
from streamer.engine import snapshot
from streamer.engine.admission import Admission
from streamer.engine.beside import BESIDE, besides
from streamer.engine.companion import Seen, Surroundings
from streamer.engine.control import Control
from streamer.engine.engines import ENGINE, Engine
from streamer.engine.erasing import Erasures, ids_of, pieces
from streamer.engine.figures import Counter, counters, of_feedback
from streamer.engine.heartbeat import Watched, heartbeats
from streamer.engine.history import RetainedHistory
from streamer.engine.muted import Muted
from streamer.engine.outbox import Outbox
from streamer.engine.pairs import pairs_of
from streamer.engine.references import seed
from streamer.engine.rings import Rings
from streamer.engine.room import STRIDE, Fullness, Room
from streamer.engine.school import School, schools
from streamer.engine.stage import once
from streamer.engine.unwatched import Unwatched, unwatched
from streamer.engine.watching import Watching
from streamer.incidents.record import Incidents
from streamer.monitors.base import Gauge
from streamer.monitors.detectable import Drift, Series, learned_drifts
from streamer.monitors.edges import accept
from streamer.monitors.finding import Finding
from streamer.port import Out, Partition, Parts, Tick
from streamer.review.alarms import Shown
from streamer.series.turnover import Places
from streamer.signals.codes import coded
from streamer.signals.columns import I64, Bool
from streamer.signals.models import names_alone, union
from streamer.signals.roles import OPT_OUT, is_true


class Task:
    """One partition: state, position, and the outbox of what the next commit publishes. See `Stage`."""

    def __init__(
        self,
        config: cfg.Config,
        partition: Partition,
        position: int,
        seeded: bool = True,
        engine: Engine = ENGINE,
        generation: int = 0,
        first_end: int = 0,
    ) -> None:
        self.config, self.engine, self.partition, self.position = config, engine, partition, position
        self.monitors_reset: list[str] = []  # those that a snapshot had nothing for; not state
        self.topic_id, self.generation = "", generation
        self.parts: Parts | None = None  # of the ordered log, for who writes to it
        self.beats = True  # whether ticks give signs of life; not state
        self.ticks, self.tick_ms = 0, 0  # how many there were, and the time of the last
        self.emitted, self.shadowed = dict[tuple[str, str], int](), dict[tuple[str, str], int]()
        self.roles = config.roles()
        self.watching = watching = Watching(config, engine)
        self.tables, self.sources, self.monitors = watching.tables, watching.sources, watching.monitors
        self.by_order, self.sharing = watching.by_order, watching.sharing
        models, rows_max, limits = union(m.config.models for m in self.by_order), watching.rows_max, config.limits
        gate = engine.gate(names_alone(models), limits.lateness_ms, limits.duplicates, rows_max, limits.ahead_ms)
        self.admission = Admission(gate, Places(rows_max, config.reference.warmup), models)
        policies, self.muted = {name: policy_of(m.config) for name, m in self.monitors.items()}, Muted(config.calendar)
        homes = watching.readings.homes
        self.book = AlertBook(policies, first_of(self.monitors, homes.first_offset), self.muted.away.now)
        self.history = RetainedHistory(first_end, position, self.book, self.admission, self._publish)
        self.records = AlertRecords(config, partition, self.monitors, generation)
        self.incidents = Incidents(self.records)
        self.box = Outbox(self.records, self.incidents)
        self.pairs, self.rings = pairs_of(config), Rings()
        made_of = self.sources.values(), engine.table.grouping, self.monitors, self.emitted
        self.beside = besides(Surroundings(config, partition, generation, *made_of))
        control = self.beside.get("control")
        self.control = control if isinstance(control, Control) else None
        if self.control is not None:
            self.book.holds, self.control.records = self.control.holds, self.records
        self.record_alerts, self.erasures = RecordAlerts(config, partition, generation, self.emitted), Erasures()
        parts = self.tables, self.sources, watching.of_table, self.admission, self.book, self.muted, homes
        self.room = Room(*parts, self._ended)
        if seeded and config.given is not None:
            seed(config.given, watching.watched(self.tables.values()))

    def __repr__(self) -> str:
        where = f"{self.partition[0]}[{self.partition[1]}]@{self.position}"
        return f"Task({where}, {self.series} series, {self.book!r}, outbox {self.waiting})"

    @property
    def series(self) -> int:
        """How many series there are."""
        return self.watching.series

    def step(self, batch: Batch) -> None:
        """Take one batch that begins at or after the position; everything it decides goes to the outbox."""
        for part in pieces(batch):
            self._read(part)

    def _read(self, batch: Batch) -> None:
        """Take a part of a batch; nothing in it is erased, or all of it erases something."""
        at, batch = once(self.partition, self.position, batch), replace(batch, aliases=self.roles)
        ids = ids_of(batch)
        if ids:
            self._pass(batch.offsets.item(0))
            self._erase(ids)
            self._pass(batch.next_offset)
            return
        self.box.put(Out("dead_letter", *dead_letter(*at, one, self.generation)) for one in batch.rejects)
        if self.pairs is not None:
            refused = is_true(batch, OPT_OUT) if self.config.privacy else None
            before, batch = self.pairs.paired, self.pairs.take(batch, refused)
            self.admission.counts["used"] += self.pairs.paired - before  # Both records of a pair are.
        batch = coded(batch, self.config.categorical)
        for part in self.history.parts(batch, self.position):
            for piece, turn in self.room.pieces(part, self.position):
                if piece is not None:
                    self._take(piece)
                if turn is not None:
                    self.room.turn(turn)
            self.position = part.next_offset

    def _take(self, batch: Batch) -> None:
        """Take what lies between two turns of the log."""
        refused = is_true(batch, OPT_OUT) if self.config.privacy else None
        sent_ms, (batch, used, now, unused) = batch.times_ms, self.admission.admit(batch, refused, self.tick_ms)
        if self.control is not None:
            used = self.control.part(batch, used)
        self.rings.recent.take(batch, used, now)
        seen, findings = Seen(batch, used, now, sent_ms), list[Finding]()
        unfamiliar = np.full(len(used), np.nan)
        for other in self.beside.values():
            self.box.put(other.take(seen))
        self.box.put(self.record_alerts.take(batch, used, unused, self.tick_ms, refused))
        begin, places = 0, np.arange(len(used))
        # What cuts a batch changes nothing: so it can be cut where a level is accepted, or a command stands.
        while begin < len(used):
            self._obey(batch, now, begin)
            self._accept(batch, used, now, begin)
            end = self.sharing.part_end(batch, used, now, begin, self.book.part_end(batch, used, now, begin))
            if self.control is not None:
                end = self.control.part_end(begin, end)
            part = used & (places >= begin) & (places < end) if (begin, end) != (0, len(used)) else used
            if end == len(used) or part.any():  # Many commands may stand one behind the other.
                findings += self._step(batch, part, now)
                if self.beside:
                    self.watching.unfamiliar(unfamiliar)
            begin = end
        for other in self.beside.values():
            self.box.put(other.judged(seen, Shown(findings, unfamiliar)))

    def _pass(self, offset: int) -> None:
        """There is nothing more before this place of the log."""
        if offset // STRIDE > self.position // STRIDE:
            self.room.turn((self.position // STRIDE + 1) * STRIDE)
        self.position = max(self.position, offset)

    def _erase(self, ids: Sequence[int]) -> None:
        """Know nothing more of the events of these ids."""
        models, parts = self.models(), (self.sources.values(), self.pairs, self.beside.values())
        for one in ids:
            halves, outs = self.erasures.erase(one, models, *parts)
            self.admission.counts["used"] += halves + 1
            self.box.put(outs)

    def _accept(self, batch: Batch, used: Bool, now: I64, event: int) -> None:
        """What is the normal from this event on."""
        model = batch.strings[batch.model.item(event)]
        due_ms = self.book.deadlines.due(model)
        if due_ms is None or not used.item(event) or due_ms > now.item(event):
            return
        at = Moment(batch.offsets.item(event), batch.times_ms.item(event), now.item(event))
        self._settle(self.book.accept(model, at))

    def _obey(self, batch: Batch, now: I64, event: int) -> None:
        """Do what a command says that stands there."""
        if self.control is None:
            return
        answer = self.control.answer(batch, now, event, self.book, self.records)
        if answer is not None:
            self._settle(answer.notices)
            self.box.put(answer.outs)

    def _settle(self, notices: list[Notice]) -> None:
        """Where series are now is the normal, of those of these alerts that were accepted."""
        for notice in notices:
            if notice.how == ACCEPTED and notice.level is not None:
                one = self.monitors[notice.monitor]
                accept(one, self.watching.of_table[one.table.id], notice.row, notice.opened.offset, notice.level.now)
        self._publish(notices)
        self.watching.follow(self.book.follows)

    def _step(self, batch: Batch, used: Bool, now: I64) -> list[Finding]:
        findings = self.watching.step(batch, self.muted.seen(batch, used), now)
        if self.config.topics.windows is not None:
            for f in findings:
                if f.ended:
                    ended = self.by_order[f.monitor], f, batch.offsets.item(f.event), self.generation
                    self.box.put([window_record(self.config, self.partition, *ended)])
        self._publish(self.book.decide(batch, used, now, findings))
        self.watching.follow(self.book.follows)
        return findings

    def tick(self, tick: Tick) -> None:
        """Take the time: who fell silent, and a sign of life per model."""
        longest_ms, heard = 2 * self.config.heartbeat.interval_ms, self.ticks > 0 and tick.caught_up
        passed_ms = min(max(tick.time_ms - self.tick_ms, 0), longest_ms) if heard else 0
        self.history.tick(tick, self.position)
        self._pass(tick.offset)
        self.box.put(self.record_alerts.tick(self.tick_ms if self.ticks > 0 else tick.time_ms, tick))
        self.ticks, self.tick_ms = self.ticks + 1, tick.time_ms
        models = self.admission.models()
        unmissed = self.muted.models([model for model, _, _ in models], tick.time_ms)
        for table_id, source in self.sources.items():
            source.tick(passed_ms, self.muted.rows(self.tables[table_id], unmissed))
        self._publish(self.book.pass_time(passed_ms, (self.position, tick.time_ms), models))
        newest_ms = {model: newest_ms for model, newest_ms, _ in models}
        standing = None
        if self.control is not None:
            self.control.pass_time(newest_ms, self.book)
            standing = self.control.standing(self.book.alerts.values(), newest_ms)
        for monitor in self.by_order:
            for finding in monitor.overdue(passed_ms, newest_ms, unmissed):
                model = monitor.table.keys[finding.row][0][0]
                at = Moment(self.position, tick.time_ms, newest_ms[model] + self.book.silence(model))
                self._publish(self.book.apply(finding, model, at))
        self.box.tick(self.position, tick.time_ms)
        for other in self.beside.values():
            self.box.put(other.tick(self.position, tick.time_ms))
        counts = self.book.counts(), self.muted.events, self.generation, standing
        past = self.rings.tick(models, tick.time_ms)
        if not self.beats:
            return
        watched = Watched(self.admission, self.tables.values(), self.by_order, *counts, past, self.config.config_hash)
        self.box.put(heartbeats(self.config.kafka.group, self.partition, self.position, self.ticks, tick, watched))

    def _publish(self, notices: Sequence[Notice]) -> None:
        notices = [notice for notice in notices if not notice.held]
        for notice in notices:
            made = self.monitors[notice.monitor].config
            severity = severity_of(self.monitors[notice.monitor], notice.retained)
            kind, emitted = (notice.status, severity), self.shadowed if made.shadow else self.emitted
            emitted[kind] = emitted.get(kind, 0) + 1
        self.box.announce(notices)
        for other in self.beside.values():
            other.heard(notices)

    def _ended(self, notices: list[Notice]) -> None:
        """Alerts of series that leave. All that waits is written while its rows still mean what they meant."""
        self._publish(notices)
        self.box.write()
        self.records.forget(self.monitors)

    def fullness(self) -> list[Fullness]:
        """How full everything is that has a limit."""
        return self.room.fullness()

    def unwatched(self) -> list[Unwatched]:
        """What is not watched, or not on its own, though the config asks for it."""
        return unwatched(self.tables.values())

    def counters(self) -> Iterator[Counter]:
        """What was counted so far, for the metrics."""
        self.box.settle()
        alerts = self.book.detections, self.emitted, self.shadowed, self.incidents.emitted
        counted = self.muted.events, *alerts
        topic, tables = self.partition[0], self.tables.values()
        yield from counters(topic, self.admission, tables, self.by_order, *counted)
        yield from self.pairs.counters(topic) if self.pairs is not None else ()
        yield from self.erasures.counters(topic)
        yield from of_feedback(topic, self.sources)
        yield from (counter for other in self.beside.values() for counter in other.counters(topic))

    def gauges(self) -> Iterator[tuple[str, Gauge]]:
        """Figures of the last windows, with their monitor."""
        yield from ((monitor.name, gauge) for monitor in self.by_order for gauge in monitor.gauges())
        yield from self.sharing.gauges()

    def detectable(self, most: int) -> Iterator[tuple[Series, list[Drift]]]:
        """The smallest drifts that are found, up to `most` series of a monitor."""
        return learned_drifts(self.by_order, self.admission.newest_ms, most)

    def models(self) -> Collection[str]:
        """Those it has met."""
        return self.admission.newest_ms

    def school(self) -> dict[str, School]:
        """What of each model is still in school."""
        return schools(self.by_order, self.admission.newest_ms)

    def alerts(self) -> dict[tuple[str, str, str], int]:
        """How many alerts there are by monitor, model and state; those of the partition itself have no model."""
        return {**self.book.counts(), **self.record_alerts.account.counts()}

    def open_incidents(self) -> dict[str, int]:
        """How many incidents are open, by model."""
        self.box.settle()
        return self.incidents.book.open_by_model()

    @property
    def waiting(self) -> int:
        """How many records wait for a commit, by and large."""
        return self.box.waiting

    @property
    def outbox(self) -> list[Out]:
        """What the next commit publishes."""
        return self.box.written()

    def published(self, count: int | None = None) -> None:
        """Forget the first `count` records of the outbox, or all of them."""
        self.box.drop(count)

    def dump(self) -> bytes:
        """Snapshot bytes of the state at `position`; the outbox is not part of it."""
        return snapshot.encode(self.state())

    def state(self) -> dict[str, Any]:
        """The state as plain values and arrays of its own, which no later step changes: `snapshot.encode` takes it."""
        self.box.settle()
        watched = self.watching.dump()
        return {
            "partition": list(self.partition),
            "position": self.position,
            "config": self.config.config_hash,
            "input": [self.topic_id, self.generation],
            "ticks": [self.ticks, self.tick_ms],
            "history": self.history.dump(),
            "admission": self.admission.dump(),
            "unusable": self.record_alerts.account.dump(),
            "muted": self.muted.dump(),
            "rings": self.rings.dump(),
            "erasures": self.erasures.dump(),
            "homes": watched.pop("homes"),
            "pairs": self.pairs.dump() if self.pairs is not None else None,
            **{name: self.beside[name].dump() if name in self.beside else None for name in BESIDE},
            **watched,
            "alerts": self.book.dump(),
            "incidents": self.incidents.dump(),
        }

    @classmethod
    def load(cls, config: cfg.Config, partition: Partition, blob: bytes | bytearray, engine: Engine = ENGINE) -> Task:
        """A task from snapshot bytes; parts that the config no longer describes are reset. Raises InvalidSnapshot."""
        state = snapshot.decode(blob)
        try:
            if tuple(state["partition"]) != partition:
                topic, number = state["partition"]
                raise snapshot.InvalidSnapshot(f"it is of {topic}[{number}], not of {partition[0]}[{partition[1]}]")
            task = cls(config, partition, int(state["position"]), False, engine, int(state["input"][1]))
            task.topic_id = str(state["input"][0])
            task._restore(state)
        except snapshot.InvalidSnapshot:
            raise
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
            raise snapshot.InvalidSnapshot(f"invalid snapshot: {error}") from error
        return task

    def _restore(self, state: dict[str, Any]) -> None:
        self.ticks, self.tick_ms = map(int, state["ticks"])
        self.history.load(state.get("history"))  # Older snapshots have none.
        self.admission.load(state["admission"])
        self.record_alerts.account.load(state.get("unusable"))  # Older snapshots have none.
        self.muted.load(state["muted"])
        self.rings.load(state.get("rings"), self.admission.models())  # Older snapshots have none.
        self.erasures.load(state.get("erasures"))  # Older snapshots have none.
        if self.pairs is not None and state["pairs"] is not None:
            self.pairs.load(state["pairs"])
        for name, other in self.beside.items():
            if state.get(name) is not None:  # Not in older ones, nor where the config of then had none.
                other.load(state[name])
        kept = self.watching.load(state)
        self.monitors_reset = [name for name in self.monitors if name not in kept]
        self.book.load(state["alerts"], kept)
        self.incidents.load(state.get("incidents"), self.book)
        self.room.exclude(self.position, tuple(self.config.categorical))
        self.watching.follow(self.book.follows)
