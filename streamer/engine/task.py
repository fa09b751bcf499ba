"""The whole brain of one input partition. Pure: no I/O, no clock, no randomness.

Its state at offset P depends only on the partition's records before P and on the config; so any cutting of the log
into batches gives the same alerts in the same order and the same snapshot bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from operator import attrgetter
from typing import Any

from detectors.reference import Judged
from schemas.events.batch import Batch
from schemas.records.dead_letter import dead_letter
from streamer.alerts.alert_record import alert_record
from streamer.alerts.book import make_book
from streamer.alerts.lifecycle import AnyFinding, AnyNotice, FirstOffset, Moment, Policy
from streamer.alerts.window_record import window_record
from streamer.config import model as cfg
from streamer.engine import snapshot
from streamer.engine.admission import Admission
from streamer.engine.heartbeat import heartbeats
from streamer.engine.references import pinned_again, seed
from streamer.monitors.fused_sweep import Sweep, fits
from streamer.monitors.registry import Monitor, make_monitors, step_table
from streamer.monitors.silence import AgeMonitor, Presence, SilenceMonitor
from streamer.port import Out, Partition, Tick
from streamer.series.feedback import GOLDEN, OPT_OUT, is_feedback, says
from streamer.series.sources import Rule, depth, make_rule, needs
from streamer.series.table import SeriesTable, TableId
from streamer.signals.derived import enriched
from streamer.signals.grammar import Bool, Column, Groups, computed, number_of, parse_signal

IN_ORDER = attrgetter("event", "monitor", "row")


def policy_of(monitor: cfg.Monitor) -> Policy:
    return Policy(monitor.for_ms, monitor.keep_firing_for_ms, monitor.cooldown_ms)


def first_of(monitors: Mapping[str, Monitor]) -> FirstOffset:
    """Knows the monitors and not the task, which would hold itself then."""
    return lambda monitor, row: monitors[monitor].table.first_offset(row)


class Task:
    """One partition: state, position, and the outbox of what the next commit publishes."""

    def __init__(self, config: cfg.Config, partition: Partition, position: int, seeded: bool = True) -> None:
        self.config = config
        self.partition = partition
        self.position = position
        self.anew: list[str] = []  # monitors that a snapshot had nothing for; not state
        self.ticks, self.tick_ms = 0, 0  # how many there were, and the time of the last
        self.decided: list[Out | AnyNotice] = []
        self.emitted: dict[tuple[str, str], int] = {}  # alerts by status and severity, for the metrics; not state
        self.renamed = config.renamed()
        self.checks = {parse_signal(f"invalid.{name}").path: rule.compiled() for name, rule in config.checks.items()}
        self.tables: dict[TableId, SeriesTable] = {}
        self.rules: dict[TableId, Rule] = {}
        wanted = self._table_ids()
        self.rows_max = max(config.limits.series // max(len(wanted), 1), 1)
        for table_id in wanted:
            self._add_table(table_id)
        self.monitors: dict[str, Monitor] = make_monitors(config, self._made_of)
        numbers = {number_of(i.signal): computed(i.signal) for i in wanted}
        self.derived = {path: made for path, made in numbers.items() if made is not None}
        self.by_order = list(self.monitors.values())
        self.of_table = {i: [m for m in self.by_order if m.table is t] for i, t in self.tables.items()}
        needed = {other for table_id in self.rules for other in needs(table_id)}
        self.sweeps = {
            i: Sweep(self.tables[i], monitors, shown=i in needed)
            for i, monitors in self.of_table.items()
            if i not in self.rules and fits(self.tables[i], monitors)
        }
        models = {m.config.model for m in self.by_order}
        watched = None if None in models else {model for model in models if model is not None}
        self.admission = Admission(watched, config.limits.lateness_ms, config.limits.duplicates, self.rows_max)
        self.book = make_book({name: policy_of(m.config) for name, m in self.monitors.items()}, first_of(self.monitors))
        if seeded and config.given is not None:
            seed(self, config.given, self.tables.values())

    def __repr__(self) -> str:
        series = sum(len(table.keys) for table in self.tables.values())
        topic, number = self.partition
        return f"Task({topic}[{number}]@{self.position}, {series} series, {self.book!r}, outbox {self.waiting})"

    @staticmethod
    def _table_id(monitor: cfg.Monitor) -> TableId:
        signal = parse_signal(monitor.signal)
        if signal.kind == "aggregate":
            signal = replace(signal, window_ms=monitor.aggregate_ms)
        return TableId(signal, tuple(monitor.by), monitor.model)

    def _made_of(self, monitor: cfg.Monitor) -> tuple[SeriesTable, Rule | None]:
        table_id = self._table_id(monitor)
        return self.tables[table_id], self.rules.get(table_id)

    def _table_ids(self) -> list[TableId]:
        """Every table the monitors need, in their order; one that a rule makes comes after those it is judged by."""
        ids: dict[TableId, None] = {}
        for monitor in self.config.effective_monitors().values():
            table_id = self._table_id(monitor)
            for needed in (*needs(table_id), table_id):
                ids.setdefault(needed)
        return sorted(ids, key=lambda i: depth(i.signal.kind))

    def _add_table(self, table_id: TableId) -> None:
        reference = self.config.reference
        warmup = reference.windows if table_id.signal.kind == "aggregate" else reference.warmup
        self.tables[table_id] = SeriesTable(table_id, warmup, self.rows_max, self.checks, given=self.config.given_hash)
        rule = make_rule(self.config, table_id, self.tables)
        if rule is not None:
            self.rules[table_id] = rule

    def step(self, batch: Batch) -> None:
        """Take one batch that begins at or after the position; everything it decides goes to the outbox."""
        first = min([*batch.offsets[:1].tolist(), *(r.record.offset for r in batch.rejects[:1])], default=self.position)
        if first < self.position or batch.next_offset < self.position:
            raise AssertionError(f"{self!r} was given offset {first} again")
        topic, number = self.partition
        self.decided += [Out("dead_letter", *dead_letter(topic, number, reject)) for reject in batch.rejects]
        if self.renamed:
            batch = replace(batch, names=tuple(self.renamed.get(name, name) for name in batch.names))
        if self.derived:
            batch = enriched(batch, self.derived)
        used, now = self.admission.admit(batch, says(batch, OPT_OUT) if self.config.privacy else None)
        findings = self._detect(batch, used)
        if self.config.topics.windows is not None:
            ended = [(self.by_order[f.monitor], f, batch.offsets.item(f.event)) for f in findings if f.ended]
            self.decided += [window_record(self.config, self.partition, *window) for window in ended]
        self._publish(self.book.decide(batch, used, now, findings))
        self.position = batch.next_offset

    def tick(self, tick: Tick) -> None:
        """Take the time: who fell silent, and a sign of life per model."""
        longest_ms = 2 * self.config.heartbeat.interval_ms
        heard = self.ticks > 0 and tick.caught_up
        passed_ms = min(max(tick.time_ms - self.tick_ms, 0), longest_ms) if heard else 0
        self.position = max(self.position, tick.offset)
        self.ticks, self.tick_ms = self.ticks + 1, tick.time_ms
        for rule in self.rules.values():
            if isinstance(rule, Presence):
                rule.tick(passed_ms)
        newest_ms = self.admission.newest_ms
        for monitor in self.by_order:
            if isinstance(monitor, SilenceMonitor | AgeMonitor):
                for finding in monitor.overdue(passed_ms, newest_ms):
                    model = monitor.table.keys[finding.row][0][0]
                    at = Moment(self.position, tick.time_ms, newest_ms[model])
                    self._publish(self.book.apply(finding, model, at))
        self.decided += heartbeats(self, tick)

    def _detect(self, batch: Batch, used: Bool) -> list[AnyFinding]:
        found: list[AnyFinding] = []
        known: dict[TableId, tuple[Column, Judged]] = {}
        grouped: dict[tuple[Any, ...], Groups] = {}
        sent = used & ~is_feedback(batch) if self.config.feedback else used
        inferences = sent & ~says(batch, GOLDEN) if self.config.probes else sent
        special = {"action": used, "invalid": sent}
        for table_id, table in self.tables.items():
            chosen = special.get(table_id.signal.kind, inferences)
            same = table_id.by, table_id.model, id(chosen)
            groups = grouped[same] if same in grouped else grouped.setdefault(same, table.groups(batch, chosen))
            if table_id in self.sweeps:
                findings, shown = self.sweeps[table_id].step(batch, groups)
                found += findings
                if shown is not None:
                    known[table_id] = shown
                continue
            rule = self.rules.get(table_id)
            column = rule.column(batch, groups, table, known) if rule else table.column(batch, groups)
            judged = table.judge(batch, column)
            known[table_id] = column, judged
            found += step_table(batch, table, column, judged, self.of_table[table_id])
        return sorted(found, key=IN_ORDER)

    def _publish(self, notices: Iterable[AnyNotice]) -> None:
        for notice in notices:
            self.decided.append(notice)
            kind = notice.status, self.monitors[notice.monitor].config.severity
            self.emitted[kind] = self.emitted.get(kind, 0) + 1

    @property
    def waiting(self) -> int:
        """How many records wait for a commit."""
        return len(self.decided)

    @property
    def outbox(self) -> list[Out]:
        """What the next commit publishes. Alerts are written only now, one after another: between batches, where the
        processor has other things at hand, they cost twice as much.
        """
        return [
            item
            if isinstance(item, Out)
            else alert_record(self.config, self.partition, self.monitors[item.monitor], item)
            for item in self.decided
        ]

    def published(self, count: int | None = None) -> None:
        """Forget the first `count` records of the outbox, or all of them."""
        del self.decided[:count]

    def dump(self) -> bytes:
        """Snapshot bytes of the state at `position`; the outbox is not part of it."""
        return snapshot.encode(self.state())

    def state(self) -> dict[str, Any]:
        """The state as plain values and arrays of its own, which no later step changes: `snapshot.encode` takes it."""
        monitors = {name: {"spec": self.spec(name), "state": m.dump()} for name, m in self.monitors.items()}
        return {
            "partition": list(self.partition),
            "position": self.position,
            "config": self.config.config_hash,
            "ticks": [self.ticks, self.tick_ms],
            "admission": self.admission.dump(),
            "tables": {t.identity: t.dump() for t in self.tables.values()},
            "rules": {self.tables[i].identity: rule.dump() for i, rule in self.rules.items()},
            "monitors": monitors,
            "alerts": self.book.dump(),
        }

    def spec(self, name: str) -> str:
        """What a monitor's state means: with another detector or table the state of old is void."""
        monitor = self.monitors[name]
        return f"{monitor.table.identity}|{monitor.config.state_spec()}"

    @classmethod
    def load(cls, config: cfg.Config, partition: Partition, blob: bytes) -> Task:
        """A task from snapshot bytes; parts the config no longer describes start anew. Raises BadSnapshot."""
        state = snapshot.decode(blob)
        try:
            if tuple(state["partition"]) != partition:
                raise snapshot.BadSnapshot(f"snapshot of {state['partition']}, not of {list(partition)}")
            task = cls(config, partition, int(state["position"]), seeded=False)
            task._restore(state)
        except snapshot.BadSnapshot:
            raise
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
            raise snapshot.BadSnapshot(f"{type(error).__name__}: {error}") from error
        return task

    def _restore(self, state: dict[str, Any]) -> None:
        self.ticks, self.tick_ms = map(int, state["ticks"])
        self.admission.load(state["admission"])
        for table in self.tables.values():
            if table.identity in state["tables"]:
                table.load(state["tables"][table.identity])
        if self.config.given is not None:
            for table in self.tables.values():
                pinned_again(table, self.config.given)
            seed(self, self.config.given, [t for t in self.tables.values() if t.identity not in state["tables"]])
        for table_id, rule in self.rules.items():
            if self.tables[table_id].identity in state["rules"]:
                rule.load(state["rules"][self.tables[table_id].identity])
        kept = set()
        for name, monitor in self.monitors.items():
            saved = state["monitors"].get(name)
            if saved is not None and saved["spec"] == self.spec(name):
                monitor.load(saved["state"])
                kept.add(name)
        self.anew = [name for name in self.monitors if name not in kept]
        self.book.load([a for a in state["alerts"] if a["monitor"] in kept])
