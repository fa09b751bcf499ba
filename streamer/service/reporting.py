"""Copies the core's plain counters to the metrics, once per commit; the core itself knows no metrics."""

from __future__ import annotations

import time
from collections.abc import Iterator

from streamer.engine.task import Task
from streamer.monitors.registry import WINDOWED
from streamer.monitors.window_outcomes import ENDS
from streamer.monitors.windowed import DistributionMonitor, FractionMonitor
from streamer.port import Partition
from streamer.service.http import Health
from streamer.service.metrics import CounterName, Metrics
from streamer.service.partitions import Owned
from streamer.service.worker import Worker

INTERVAL_S = 1.0


class Reporter:
    """Called by the worker's loop after every step."""

    def __init__(self, worker: Worker, metrics: Metrics, health: Health) -> None:
        self.worker, self.metrics, self.health = worker, metrics, health
        self.due_s = 0.0
        self.known: dict[Partition, Task] = {}
        self.seen: dict[tuple[str, Partition, str], int] = {}

    def after_step(self) -> None:
        now_s = time.monotonic()
        self.health.beat()
        self._greet()
        if now_s < self.due_s:
            return
        self.due_s = now_s + INTERVAL_S
        worker, metrics = self.worker, self.metrics
        self.health.settled = not worker.restoring
        metrics.set("assigned_partitions", len(worker.owned))
        metrics.total("rebalances_total", worker.stats.rebalances)
        metrics.total("producer_recreated_total", worker.stats.recovered)
        for outcome, count in worker.stats.commits.items():
            metrics.total("commits_total", count, outcome=outcome)
        for policy, count in worker.stats.state_lost.items():
            metrics.total("state_lost_total", count, policy=policy)
        for topic, size in worker.stats.bytes_consumed.items():
            metrics.total("bytes_consumed_total", size, topic=topic)
        timings, worker.stats.timings = worker.stats.timings, []
        for timing, seconds in timings:
            metrics.observe(timing, seconds)
        alerts: dict[tuple[str, str], int] = {}
        for partition, owned in worker.owned.items():
            self._task(partition, owned.task, alerts)
            self._place(partition, owned, now_s)
        for partition in set(self.known) - set(worker.owned):
            del self.known[partition]
            metrics.forget(topic=partition[0], partition=str(partition[1]))
        for name in worker.config.effective_monitors():
            for state in ("pending", "firing", "fading"):
                metrics.set("alerts_active", alerts.get((name, state), 0), monitor=name, state=state)

    def _greet(self) -> None:
        """A task that has just become ours counts from where its snapshot and replay left it."""
        for partition, owned in self.worker.owned.items():
            if self.known.get(partition) is not owned.task:
                self.known[partition] = owned.task
                self.seen = {key: count for key, count in self.seen.items() if key[1] != partition}
                for name, part, count, _ in self._counts(partition, owned.task):
                    self.seen[name, partition, part] = count

    @staticmethod
    def _counts(partition: Partition, task: Task) -> Iterator[tuple[CounterName, str, int, dict[str, str]]]:
        """Every core counter of a task: metric, part, value, labels."""
        topic = partition[0]
        for result, count in task.admission.counts.items():
            yield "events_total", result, count, {"topic": topic, "result": result}
        for reason, count in task.admission.reasons.items():
            yield "records_failed_total", reason, count, {"topic": topic, "reason": reason}
        yield "records_consumed_total", "", sum(task.admission.counts.values()), {"topic": topic}
        yield "series_dropped_total", "", sum(table.dropped for table in task.tables.values()), {}
        for windowed in (m for m in task.by_order if isinstance(m, WINDOWED)):
            by_model = windowed.ended().values()
            for ended in ENDS:
                count = sum(counts[ended] for counts in by_model)
                yield "windows_total", windowed.name + ended, count, {"monitor": windowed.name, "ended": ended}
        for monitor, count in task.book.detections.items():
            yield "detections_total", monitor, count, {"monitor": monitor}
        for (status, severity), count in task.emitted.items():
            yield "alerts_emitted_total", status + severity, count, {"status": status, "severity": severity}

    def _task(self, partition: Partition, task: Task, alerts: dict[tuple[str, str], int]) -> None:
        topic, number = partition[0], str(partition[1])
        for name, part, count, labels in self._counts(partition, task):
            before = self.seen.get((name, partition, part), 0)
            self.seen[name, partition, part] = count
            self.metrics.inc(name, count - before, **labels)
        series = sum(len(table.keys) for table in task.tables.values())
        self.metrics.set("series", series, topic=topic, partition=number)
        for (watcher, _, state), count in task.book.counts().items():
            alerts[watcher, state] = alerts.get((watcher, state), 0) + count
        for monitor in task.by_order:
            if isinstance(monitor, DistributionMonitor):
                worst: dict[str, float] = {}
                for row, distance in monitor.last.items():
                    model = monitor.table.keys[row][0][0]
                    worst[model] = max(distance, worst.get(model, 0.0))
                for model, distance in worst.items():
                    self.metrics.set("distribution_distance", distance, monitor=monitor.name, model=model)
            if isinstance(monitor, FractionMonitor):
                for row, window in monitor.last.items():
                    model = monitor.table.keys[row][0][0]
                    self.metrics.set("anomaly_fraction", window.hits / window.n, monitor=monitor.name, model=model)
                    self.metrics.set("window_rows", window.n, monitor=monitor.name, model=model)

    def _place(self, partition: Partition, owned: Owned, now_s: float) -> None:
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
