"""Copies the core's plain counters to the metrics, once per commit; the core itself knows no metrics."""

from __future__ import annotations

import time
from collections.abc import Iterator

from streamer.alerts.alert import QUIET
from streamer.alerts.unusable import WHAT
from streamer.config.expectation import expected
from streamer.engine.room import warning
from streamer.engine.stage import Stage
from streamer.engine.unpaired import Unpaired
from streamer.engine.unwatched import WHY
from streamer.port import Partition
from streamer.service.connection import Outages
from streamer.service.detectable import DetectableDrifts
from streamer.service.metrics import OTHER, Metrics
from streamer.service.partitions import LivePartition
from streamer.service.readiness import EVENTS, of_worker, slow_snapshots
from streamer.service.school import SchoolReport
from streamer.service.unusable import by_topic, in_words
from streamer.service.waiting import report
from streamer.service.worker import Worker

INTERVAL_S = 1.0
ROOM_INTERVAL_S = 10.0
MODELS_MAX = 100
UNWATCHED_MAX = 100
"""What is not watched is named up to so many times."""


class Reporter:
    """Called by the worker's loop after every step. The worker is another one after the log had to be made anew."""

    def __init__(self, worker: Worker, metrics: Metrics, outages: Outages) -> None:
        self.worker, self.metrics, self.outages = worker, metrics, outages
        self.due_s = self.room_due_s = 0.0
        self.known: dict[Partition, Stage] = {}
        self.seen: dict[tuple[Partition, str, str], int] = {}
        self.models: dict[str, None] = {}  # those that alerts are counted of by name
        self.unpaired = Unpaired()
        self.drifts = DetectableDrifts(metrics)
        self.school = SchoolReport(metrics, worker.notify, self._model)
        for part in expected(worker.config).values():
            if part.a_week:
                metrics.set("expected_false_alarms", part.a_week, monitor=part.monitor)
        self.active: dict[tuple[str, ...], float] = {}  # open alerts by model, monitor and state; 0 of those of before
        self.shadowed: dict[tuple[str, ...], float] = {}  # the same of shadow monitors
        self.shadows = {name for name, one in worker.config.effective_monitors().items() if one.shadow}
        self.incidents: dict[tuple[str, ...], float] = {}  # open incidents by model, likewise

    def after_step(self) -> None:
        now_s = time.monotonic()
        self.outages.health.beat()
        self._greet()
        self.school.look(self.worker.owned)
        if now_s < self.due_s:
            return
        self.due_s = now_s + INTERVAL_S
        worker, metrics = self.worker, self.metrics
        for check, why in of_worker(worker, now_s).items():
            self.outages.tell(check, why, EVENTS.get(check, "waiting"))
        self.outages.health.note("slow snapshots", slow_snapshots(worker))
        metrics.set("assigned_partitions", len(worker.owned))
        metrics.total("rebalances_total", worker.stats.rebalances)
        metrics.total("producer_recreated_total", worker.stats.recovered)
        for outcome, count in worker.stats.commits.items():
            metrics.total("commits_total", count, outcome=outcome)
        for policy, count in worker.stats.state_lost.items():
            metrics.total("state_lost_total", count, policy=policy)
        for topic, size in worker.stats.bytes_consumed.items():
            metrics.total("bytes_consumed_total", size, topic=topic)
        report(worker.stats, worker.config.schemas, metrics)
        timings, worker.stats.timings = worker.stats.timings, []
        for timing, seconds in timings:
            metrics.observe(timing, seconds)
        self.active, self.shadowed = dict.fromkeys(self.active, 0), dict.fromkeys(self.shadowed, 0)
        self.incidents = dict.fromkeys(self.incidents, 0)
        for partition, owned in worker.owned.items():
            self._task(partition, owned.task)
            self._place(partition, owned, now_s)
        self._account()
        stages = [owned.task for owned in worker.owned.values()]
        self.drifts.report(stages, len(worker.config.effective_monitors()), now_s)
        self.school.report(worker.owned, now_s)
        if now_s >= self.room_due_s:
            self.room_due_s = now_s + ROOM_INTERVAL_S
            self.outages.note("nearly_full", dict(self._full()))
            self.outages.note("unwatched", self._unwatched())
            self.outages.note("unpaired", self.unpaired.look(stages))
        for partition in set(self.known) - set(worker.owned):
            del self.known[partition]
            metrics.forget(topic=partition[0], partition=str(partition[1]))
        metrics.replace("alerts_active", self.active)
        metrics.replace("shadow_alerts_active", self.shadowed)
        metrics.replace("incidents_open", self.incidents)

    def _greet(self) -> None:
        """A task that has just become ours counts from where its snapshot and replay left it."""
        for partition, owned in self.worker.owned.items():
            if self.known.get(partition) is not owned.task:
                self.known[partition] = owned.task
                self.school.greet(partition, owned.task)
                self.seen = {key: count for key, count in self.seen.items() if key[0] != partition}
                for counter in owned.task.counters():
                    self.seen[partition, counter.name, str(counter.labels)] = counter.value

    def _task(self, partition: Partition, task: Stage) -> None:
        topic, number = partition[0], str(partition[1])
        for name, labels, count in task.counters():
            key = partition, name, str(labels)
            before = self.seen.get(key, 0)
            self.seen[key] = count
            self.metrics.inc(name, count - before, **labels)
        self.metrics.set("series", task.series, topic=topic, partition=number)
        for (watcher, model, state), count in task.alerts().items():
            if state != QUIET:
                place, active = (self._model(model), watcher, state), self.active
                if watcher in self.shadows:
                    active = self.shadowed
                active[place] = active.get(place, 0) + count
        for model, count in task.open_incidents().items():
            self.incidents[self._model(model),] = self.incidents.get((self._model(model),), 0) + count
        for watcher, gauge in task.gauges():
            self.metrics.set(gauge.name, gauge.value, monitor=watcher, model=gauge.model)

    def _full(self) -> Iterator[tuple[str, str]]:
        """What is full or nearly, by name: whose newcomers are refused, or take the places of who fell silent."""
        for (topic, number), owned in self.worker.owned.items():
            for one in owned.task.fullness():
                if (words := warning(one)) is not None:
                    yield f"{topic}[{number}] {one.what}", words

    def _unwatched(self) -> dict[str, str]:
        """What is not watched though the config asks for it, by model and signal, and of each partition how many."""
        said: dict[str, str] = {}
        for (topic, number), owned in self.worker.owned.items():
            found = owned.task.unwatched()
            for why in WHY:
                count = sum(one.members for one in found if one.why == why)
                self.metrics.set("unwatched", count, topic=topic, partition=str(number), why=why)
            said |= {f"{one.model} {one.signal}": one.words() for one in found[:UNWATCHED_MAX]}
        return dict(list(said.items())[:UNWATCHED_MAX])

    def _account(self) -> None:
        """Records that cannot be used: their shares of the last minute, and where they are too many."""
        stages = [owned.task for owned in self.worker.owned.values()]
        for topic, account in by_topic(self.worker.config.topics.named(), stages).items():
            for what in WHAT:
                self.metrics.set("unusable_ratio", account.share(what), topic=topic, what=what)
        self.outages.tell("records", in_words(stages))

    def _model(self, model: str) -> str:
        """Models come from the events: those by name are bounded, and what the others add up to is not lost."""
        if len(self.models) < MODELS_MAX:
            self.models[model] = None
        return model if model in self.models else OTHER

    def _place(self, partition: Partition, owned: LivePartition, now_s: float) -> None:
        """Where a partition stands: lag, age of its newest record and of its snapshot."""
        topic, number = partition[0], str(partition[1])
        metrics = self.metrics
        metrics.set("snapshot_age_seconds", now_s - owned.snapshot_s, topic=topic, partition=number)
        metrics.set("state_bytes", owned.snapshot_bytes, topic=topic, partition=number)
        marks = self.worker.log.watermarks(partition)
        if marks is not None:
            low, high = marks
            lag = max(high - max(owned.task.position, low), 0)
            metrics.set("consumer_lag_records", lag, topic=topic, partition=number)
        if owned.newest_ms >= 0:
            newest_s = owned.newest_ms / 1000
            metrics.set("last_record_timestamp_seconds", newest_s, topic=topic, partition=number)
            metrics.set("event_lag_seconds", max(time.time() - newest_s, 0.0), topic=topic, partition=number)
