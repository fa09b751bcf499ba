"""Copies the core's plain counters to the metrics, once per commit; the core itself knows no metrics."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence

from streamer.alerts.alert import QUIET
from streamer.alerts.unusable import WHAT
from streamer.engine.room import warning
from streamer.engine.stage import Stage
from streamer.engine.tasks import OwnRecords
from streamer.engine.unpaired import Unpaired
from streamer.engine.unwatched import WHY
from streamer.port import Partition
from streamer.service.connection import Outages
from streamer.service.detectable import DetectableDrifts
from streamer.service.matched import MatchedSignals
from streamer.service.metrics import OTHER, Metrics
from streamer.service.partitions import LivePartition, Stats
from streamer.service.readiness import EVENTS, of_parts, of_workers, slow_snapshots
from streamer.service.school import SchoolReport
from streamer.service.unusable import by_topic, in_words
from streamer.service.waiting import report
from streamer.service.worker import Worker

INTERVAL_S = 1.0
ROOM_INTERVAL_S = 10.0
MODELS_MAX = 100
UNWATCHED_MAX = 100
"""What is not watched is named up to so many times."""


def summed(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """Of several counts by name all together."""
    names = dict.fromkeys(name for one in counts for name in one)
    return {name: sum(one.get(name, 0) for one in counts) for name in names}


def unkeyed(models: Mapping[Partition, Collection[str]]) -> dict[str, str]:
    """Models that several partitions of a topic have, by name, with what to do: each partition watches its own part."""
    found: dict[tuple[str, str], list[int]] = {}
    for (topic, number), met in models.items():
        for model in met:
            found.setdefault((topic, model), []).append(number)
    several = {at: numbers for at, numbers in found.items() if len(numbers) > 1}
    return {
        f"{topic} {model}": f"{model} is in {len(numbers)} of our partitions of {topic}, and watched in each by itself,"
        " with a warm-up and alerts of its own: send events with the model as their key, or set kafka.order: model"
        for (topic, model), numbers in list(several.items())[:UNWATCHED_MAX]
    }


class Reporter:
    """Called by the loop after every step. The workers, one a stage, are others after the log had to be made anew."""

    def __init__(self, workers: Sequence[Worker], metrics: Metrics, outages: Outages) -> None:
        self.workers, self.metrics, self.outages = workers, metrics, outages
        self.config = workers[0].config
        self.due_s = self.room_due_s = 0.0
        self.known: dict[Partition, Stage] = {}
        self.seen: dict[Partition, dict[tuple[str, str], int]] = {}
        self.models: dict[str, None] = {}  # those that alerts are counted of by name
        self.unpaired, self.matched = Unpaired(), MatchedSignals(outages.say)
        self.drifts = DetectableDrifts(metrics)
        self.school = SchoolReport(metrics, workers[0].notify, self._model)
        self.active: dict[tuple[str, ...], float] = {}  # open alerts by model, monitor and state; 0 of those of before
        self.shadowed: dict[tuple[str, ...], float] = {}  # the same of shadow monitors
        self.shadows = {name for name, one in self.config.effective_monitors().items() if one.shadow}
        self.incidents: dict[tuple[str, ...], float] = {}  # open incidents by model, likewise

    def after_step(self) -> None:
        now_s = time.monotonic()
        self.outages.health.beat()
        self._greet()
        self.school.look(self.owned)
        if now_s < self.due_s:
            return
        self.due_s = now_s + INTERVAL_S
        metrics, owned_by_us = self.metrics, self.owned
        for check, why in of_workers(self.workers, now_s).items():
            self.outages.tell(check, why, EVENTS.get(check, "waiting"))
        slow = [told for worker in self.workers if (told := slow_snapshots(worker)) is not None]
        self.outages.health.note("slow snapshots", "; ".join(slow) or None)
        metrics.set("assigned_partitions", len(owned_by_us))
        self._totals([worker.stats for worker in self.workers])
        self.active, self.shadowed = dict.fromkeys(self.active, 0), dict.fromkeys(self.shadowed, 0)
        self.incidents = dict.fromkeys(self.incidents, 0)
        for partition, owned in owned_by_us.items():
            self._task(partition, owned.task)
        for worker in self.workers:
            for partition, owned in worker.owned.items():
                self._place(partition, owned, now_s, worker.log.watermarks(partition))
        self._account()
        stages = [owned.task for owned in owned_by_us.values()]
        self.drifts.report(stages, len(self.config.effective_monitors()), now_s)
        self.school.report(owned_by_us, now_s)
        if now_s >= self.room_due_s:
            self.room_due_s = now_s + ROOM_INTERVAL_S
            self.outages.note("nearly_full", dict(self._full()))
            self.outages.note("unwatched", self._unwatched())
            self.outages.note(
                "unkeyed", unkeyed({partition: one.task.models() for partition, one in owned_by_us.items()})
            )
            self.outages.note("ordered_partitions_changed", self._parts())
            self.outages.note("keys_may_have_moved", self._grown())
            self.outages.note("ordered_by_another_group", self._skipped())
            self.outages.note("unpaired", self.unpaired.look(stages))
            self.matched.look(stages, now_s)
        for partition in set(self.known) - set(owned_by_us):
            del self.known[partition]
            self.seen.pop(partition, None)
            metrics.forget(topic=partition[0], partition=str(partition[1]))
        metrics.replace("alerts_active", self.active)
        metrics.replace("shadow_alerts_active", self.shadowed)
        metrics.replace("incidents_open", self.incidents)

    def _grown(self) -> dict[str, str]:
        """Topics of events that have got partitions since."""
        ordered = {worker.config.topics.ordered for worker in self.workers}
        grown = [one for worker in self.workers for one in worker.restorer.grown.items()]
        return {topic: why for topic, why in grown if topic not in ordered}

    def _parts(self) -> dict[str, str]:
        """What is not as it was of the ordered log."""
        for worker in self.workers:
            for owned in worker.owned.values():
                ordered, topics = worker.config.topics.ordered, worker.log.surroundings().topics or {}
                there = topics.get(ordered or "")
                return of_parts(owned.task.parts, ordered, None if there is None else there.partitions)
        return {}

    def _skipped(self) -> dict[str, str]:
        """Who else writes to the ordered log."""
        decodes = [worker.decode for worker in self.workers if isinstance(worker.decode, OwnRecords)]
        topic = self.config.topics.ordered or ""
        for one in decodes:
            self.metrics.inc("ordered_skipped_total", one.skipped)
            one.skipped = 0
        return {
            f"{topic} {group}": f"the group {group} has written to {topic}, too: its events are skipped, as this group"
            " reads the topics itself. Give each group an ordered log of its own by topics.ordered"
            for one in decodes
            for group in one.others
        }

    @property
    def owned(self) -> dict[Partition, LivePartition]:
        """What is ours, of all stages."""
        return {partition: owned for worker in self.workers for partition, owned in worker.owned.items()}

    def _totals(self, stats: Sequence[Stats]) -> None:
        metrics = self.metrics
        metrics.total("rebalances_total", sum(one.rebalances for one in stats))
        metrics.total("producer_recreated_total", sum(one.recovered for one in stats))
        for worker in self.workers:
            for outcome, count in {"done": 0, **worker.stats.commits}.items():
                metrics.total("commits_total", count, group=worker.config.kafka.group, outcome=outcome)
        for policy, count in summed([one.state_lost for one in stats]).items():
            metrics.total("state_lost_total", count, policy=policy)
        for topic, size in summed([one.bytes_consumed for one in stats]).items():
            metrics.total("bytes_consumed_total", size, topic=topic)
        for one in stats:
            report(one, self.config.schemas, metrics)
            timings, one.timings = one.timings, []
            for timing, seconds in timings:
                metrics.observe(timing, seconds)

    def _greet(self) -> None:
        """A task that has just become ours counts from where its snapshot and replay left it."""
        for partition, owned in self.owned.items():
            if self.known.get(partition) is not owned.task:
                self.known[partition] = owned.task
                self.school.greet(partition, owned.task)
                self.seen[partition] = {(one.name, str(one.labels)): one.value for one in owned.task.counters()}

    def _task(self, partition: Partition, task: Stage) -> None:
        topic, number = partition[0], str(partition[1])
        seen = self.seen.setdefault(partition, {})
        for name, labels, count in task.counters():
            key = name, str(labels)
            before, seen[key] = seen.get(key, 0), count
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
        for (topic, number), owned in self.owned.items():
            for one in owned.task.fullness():
                if (words := warning(one)) is not None:
                    yield f"{topic}[{number}] {one.what}", words

    def _unwatched(self) -> dict[str, str]:
        """What is not watched though the config asks for it, by model and signal, and of each partition how many."""
        said: dict[str, str] = {}
        for (topic, number), owned in self.owned.items():
            found = owned.task.unwatched()
            for why in WHY:
                count = sum(one.members for one in found if one.why == why)
                self.metrics.set("unwatched", count, topic=topic, partition=str(number), why=why)
            said |= {f"{one.model} {one.signal}": one.words() for one in found[:UNWATCHED_MAX]}
        return dict(list(said.items())[:UNWATCHED_MAX])

    def _account(self) -> None:
        """Records that cannot be used: their shares of the last minute, and where they are too many."""
        stages = [owned.task for owned in self.owned.values()]
        for topic, account in by_topic(self.config.topics.named(), stages).items():
            for what in WHAT:
                self.metrics.set("unusable_ratio", account.share(what), topic=topic, what=what)
        self.outages.tell("records", in_words(stages))

    def _model(self, model: str) -> str:
        """Models come from the events: those by name are bounded, and what the others add up to is not lost."""
        if len(self.models) < MODELS_MAX:
            self.models[model] = None
        return model if model in self.models else OTHER

    def _place(self, partition: Partition, owned: LivePartition, now_s: float, marks: tuple[int, int] | None) -> None:
        """Where a partition stands: lag, age of its newest record and of its snapshot."""
        topic, number = partition[0], str(partition[1])
        metrics = self.metrics
        metrics.set("snapshot_age_seconds", now_s - owned.snapshot_s, topic=topic, partition=number)
        metrics.set("state_bytes", owned.snapshot_bytes, topic=topic, partition=number)
        if marks is not None:
            low, high = marks
            lag = max(high - max(owned.task.position, low), 0)
            metrics.set("consumer_lag_records", lag, topic=topic, partition=number)
        if owned.newest_ms >= 0:
            newest_s = owned.newest_ms / 1000
            metrics.set("last_record_timestamp_seconds", newest_s, topic=topic, partition=number)
            metrics.set("event_lag_seconds", max(time.time() - newest_s, 0.0), topic=topic, partition=number)
