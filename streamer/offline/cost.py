"""What each monitor costs on a sample of the traffic, and which can never fire on it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from detectors.extremes import DAY_MS
from schemas.events.batch import Batch, Record
from schemas.events.decoder import Decoder
from schemas.events.mapping import expand
from streamer.config import model as cfg
from streamer.config.budget import WEEK_DAYS
from streamer.config.decoder_fields import fields_of
from streamer.config.detect import Counted
from streamer.config.units import show_duration
from streamer.config.yaml_source import PathKey
from streamer.engine.room import Fullness, warning
from streamer.engine.sharing import living
from streamer.engine.snapshot import encode
from streamer.engine.task import Task
from streamer.engine.unwatched import Unwatched, unwatched
from streamer.offline.absent import Names, Said, absent, matched_nothing, muted_nothing, read_twice
from streamer.offline.account import Account, Rejects, doubts
from streamer.offline.joined import Joined, Run, stretches
from streamer.offline.maybe_codes import MaybeCodes
from streamer.offline.members import Members, places, unmet
from streamer.offline.only_rises import OnlyRises
from streamer.offline.unmet import Unmet
from streamer.port import Out, Partition
from streamer.series.source_base import NOBODY
from streamer.series.sources import needs
from streamer.series.table import SeriesTable
from streamer.signals.codes import coded
from streamer.signals.grammar import parse_signal
from streamer.signals.models import Models

ITEMS_KEPT = 100
SELDOM_DAYS = 7
"""A verdict that takes longer is one nobody waits for."""


class Cost(NamedTuple):
    """Of one monitor on the sample."""

    monitor: str
    series: int
    state_bytes: int  # its part of a snapshot; what monitors of one signal share is divided among them
    windows_per_day: float | None  # None without windows, or where the sample does not say how fast events come
    false_alarms: float | None = None  # a week, of all its series in the sample; None where the budget does not say it
    in_school: int = 0  # series that the sample has not taught what healthy days are like
    days_left: int = 0  # that the last of them needs


class Doubt(NamedTuple):
    """What is doubtful about a config on this sample: its kind, the key that says so, and one sentence."""

    kind: str
    path: PathKey
    sentence: str


class Estimate(NamedTuple):
    account: Account
    models: int
    events_per_day: float | None
    costs: list[Cost]
    doubts: list[Doubt]
    sample: Sample


class Halves(NamedTuple):
    """Records of a sample that are half an inference: see `streamer/engine/pairs.py`."""

    paired: int
    alone: int
    waiting: int  # at the end of the sample

    def told(self) -> str:
        """`1,000 halves of pairs = 900 with their partner + 60 alone + 40 that still wait`"""
        parts = f"{self.paired:,} with their partner + {self.alone:,} alone + {self.waiting:,} that still wait"
        return f"{sum(self):,} halves of pairs = {parts}"


class Sample:
    """A task that has seen the sample, and how many events each group of each table had. `together`: records are of all
    topics, in the order in which they are given.
    """

    def __init__(self, config: cfg.Config, together: bool = False, task: Callable[..., Task] = Task) -> None:
        self.task = task
        self.config, self.decode = config, Decoder(fields_of(config))
        self.joined = Joined(config) if together and config.topics.ordered else None
        self.unmet, self.items = Unmet(config), deque[Out](maxlen=ITEMS_KEPT)
        self.names, self.members, self.rejects = Names(), Members(places(config)), Rejects()
        self.codes, self.rising, self.tasks = MaybeCodes(), OnlyRises(), dict[Partition, Task]()
        self.counts: dict[tuple[Partition, tuple[str, ...], Models], Counter[tuple[str, ...]]] = {}
        self.first_ms, self.last_ms = 0, 0

    def take(self, runs: Sequence[Run]) -> None:
        joined = self.joined
        sides = set() if joined is None else set(self.config.topics.sides.values())
        for partition, records in runs:
            if partition[0] not in sides:
                plan = self.decode.fields.plan  # Pointers lead into what the mapping makes of a record.
                self.members.look(records if plan is None else expand(records, self.decode.fields, plan).records)
            if joined is None:
                batch = self.decode(records, partition[0])
                self._look(partition, batch, True)
                self._run(partition, records[0].offset, batch)
        if joined is None:
            return
        for one in joined.stretches(runs):
            for partition, found in one.found.items():
                self._look(partition, found, partition[0] not in sides)
            for at, begin, batch in joined.shared(one.batch, one.everywhere):
                self._run(at, begin, batch)

    def _look(self, partition: Partition, batch: Batch, events: bool) -> None:
        """What events say, whatever becomes of them."""
        self.rejects.take(partition, batch)
        self.unmet.take(partition, batch)
        if events:
            shown = coded(batch, self.config.categorical)
            self.names.take(shown)
            self.codes.take(shown)
            self.rising.take(partition, shown)

    def _run(self, partition: Partition, begin: int, batch: Batch) -> None:
        if partition not in self.tasks:
            self.tasks[partition] = self.task(self.config, partition, begin)
        task = self.tasks[partition]
        task.step(batch)
        self.items.extend(out for out in task.outbox if out.topic == "review")
        task.published()
        if not len(batch.offsets):
            return
        begin_ms = int(batch.times_ms.min())
        self.first_ms = min(self.first_ms or begin_ms, begin_ms)
        self.last_ms = max(self.last_ms, int(batch.times_ms.max()))
        for table in {(table.by, table.models): table for table in task.tables.values()}.values():
            self.count(partition, table, batch)

    def count(self, partition: Partition, table: SeriesTable, batch: Batch) -> None:
        groups = table.groups(batch, np.ones(len(batch.offsets), bool))
        codes = groups.of_event[groups.of_event >= 0]
        counts = self.counts.setdefault((partition, table.by, table.models), Counter())
        for key, n in zip(groups.keys, np.bincount(codes, minlength=len(groups.keys)).tolist(), strict=True):
            counts[key] += n

    def account(self) -> Account:
        """What became of every record."""
        counts = [task.admission.counts for task in self.tasks.values()]
        return self.rejects.account([*counts, *([] if self.joined is None else [self.joined.counts])])

    def halves(self) -> Halves:
        """What became of the records that are half an inference, where the config pairs them."""
        pairs = [task.pairs for task in self.tasks.values() if task.pairs is not None]
        sums = (sum(each) for each in zip(*((2 * p.paired, p.alone, p.waiting) for p in pairs), strict=True))
        return Halves(*sums) if pairs else Halves(0, 0, 0)

    def series(self, name: str) -> list[int]:
        """The events of the group of each series of a monitor: no series has more values than that."""
        tables = [(partition, task.monitors[name].table) for partition, task in self.tasks.items()]
        return [self.counts[partition, t.by, t.models][group] for partition, t in tables for group, _ in t.keys]

    def quiet(self, name: str) -> float:
        """False alarms a week of all series of a monitor, or what they would be of one that takes nothing."""
        monitors = [task.monitors[name] for task in self.tasks.values()]
        lives = [(one.part, n) for one in monitors for n in living(one.table).values()]
        return sum(part.rate(n) * n * WEEK_DAYS for part, n in lives)


def estimate(
    config: cfg.Config, source: Iterable[tuple[Partition, list[Record]]], events_per_day: float | None = None
) -> Estimate:
    """Run the monitors over the sample. How fast events come is told by their times, or by `events_per_day`."""
    sample = Sample(config)
    for some in stretches(source):
        sample.take(some)
    account = sample.account()
    span_ms = sample.last_ms - sample.first_ms
    if events_per_day is None and span_ms > 0:
        events_per_day = account.used * DAY_MS / span_ms
    per_event = events_per_day / account.used if events_per_day is not None and account.used else None
    costs = []
    found = [Doubt(*doubt) for doubt in doubts(config, account, sample.names.models)]
    found += [Doubt("not-in-sample", *doubt) for doubt in unmet(config, sample.members)]
    found += [
        Doubt("not-in-sample", *doubt)
        for rule in (matched_nothing, muted_nothing)
        for doubt in rule(config, sample.names)
    ]
    found += [Doubt("read-twice", *doubt) for doubt in read_twice(config, sample.names)]
    found += [Doubt("may-be-codes", *doubt) for doubt in sample.codes.told(config)]
    found += [Doubt("only-rises", *doubt) for doubt in sample.rising.told(config)]
    for name, monitor in config.effective_monitors().items():
        series = sample.series(name)
        rates = [n * per_event for n in series] if per_event is not None else []
        left = np.concatenate([task.monitors[name].days_left() for task in sample.tasks.values()] or [NOBODY])
        school = int(np.count_nonzero(left)), int(left.max(initial=0))
        quiet = sample.quiet(name) if monitor.detect.budgeted else None
        windows = _windows_per_day(monitor, rates)
        costs.append(Cost(name, len(series), _state_bytes(sample, name), windows, quiet, *school))
        said = list(absent(config, name, monitor, len(series), sample.names)) if sample.names.models else []
        slow = [doubt for check in CHECKS if rates for doubt in check(config, monitor, rates)]
        said += [(("monitors", name, *keys), sentence) for keys, sentence in slow]
        found += [Doubt("never-fires", *doubt) for doubt in said]
    found += [Doubt("not-watched", *doubt) for rule in (not_watched, no_room) for doubt in rule(sample)]
    found += [Doubt("not-in-sample", *doubt) for doubt in no_pairs(config, sample.halves()) if account.used]
    models = {model for task in sample.tasks.values() for model in task.admission.events}
    return Estimate(account, len(models), events_per_day, costs, found, sample)


def no_pairs(config: cfg.Config, halves: Halves) -> Iterator[Said]:
    pair = config.mapping.pair
    if pair is not None and not halves.paired:
        many = f"none of {sum(halves):,} halves found its partner" if any(halves) else "no record is half of a pair"
        need = "request and answer need one event_id and one model, in one partition"
        yield ("mapping", "pair"), f"{many}: {need}, no more than {show_duration(pair.within_ms)} apart."


def not_watched(sample: Sample) -> Iterator[Said]:
    """Of each signal once: of several partitions and models the one with the most."""
    most: dict[tuple[str, str], tuple[Unwatched, str]] = {}
    for task in sample.tasks.values():
        for table_id, table in task.tables.items():
            name = next(m.name for m in task.by_order if table_id in (m.table.id, *needs(m.table.id)))
            for one in unwatched([table]):
                key = one.signal, one.why
                if key not in most or most[key][0].members < one.members:
                    most[key] = one, name
    for one, name in most.values():
        yield ("monitors", name, "signal"), f"{one.words()}."


def no_room(sample: Sample) -> Iterator[Said]:
    """Of what is full by the sample already: of several partitions the one with the most that found no place."""
    most: dict[str, Fullness] = {}
    for full in (full for task in sample.tasks.values() for full in task.fullness()):
        if full.used >= full.limit and (full.what not in most or most[full.what].refused < full.refused):
            most[full.what] = full
    for full in most.values():
        yield ("limits", "series"), f"{warning(full)}."


def _state_bytes(sample: Sample, name: str) -> int:
    def size(state: Any) -> int:
        return len(encode({"": state}))

    total = 0
    for task in sample.tasks.values():
        monitor = task.monitors[name]
        total += size(monitor.dump()) + size(monitor.table.dump()) // len(task.watching.of_table[monitor.table.id])
    return total


def _length_ms(monitor: cfg.Monitor) -> int | None:
    """The length of the windows that are of time."""
    if monitor.detect.aggregated:
        return monitor.aggregate_ms
    return monitor.windows.time_ms if monitor.detect.windowed else None


def _length_events(monitor: cfg.Monitor) -> int | None:
    """The length of the windows that are of events."""
    return monitor.windows.events if monitor.detect.windowed else None


def _windows_per_day(monitor: cfg.Monitor, rates: list[float]) -> float | None:
    """At most: a series may have no value at some events of its group."""
    length_ms, length_events = _length_ms(monitor), _length_events(monitor)
    if not rates or (length_ms is None and length_events is None):
        return None
    if length_events is not None:
        return sum(rates) / length_events
    return sum(min(DAY_MS / (length_ms or DAY_MS), rate) for rate in rates)


def too_few_in_a_window(config: cfg.Config, monitor: cfg.Monitor, rates: list[float]) -> Iterator[Said]:
    length_ms = _length_ms(monitor)
    if not isinstance(monitor.detect, Counted) or length_ms is None:
        return
    most, least = max(rates) * length_ms / DAY_MS, monitor.detect.min_count
    thin = sum(rate * length_ms / DAY_MS < least for rate in rates)
    window = f"a window of {show_duration(length_ms)} has some {most:.3g} events at most"
    if thin == len(rates):
        yield ("detect", "min_count"), f"{window}, fewer than {least}: it can never fire."
    elif thin:
        yield ("detect", "min_count"), f"{thin} of {len(rates)} series have fewer than {least} events a window."


def windows_that_take_for_ever(config: cfg.Config, monitor: cfg.Monitor, rates: list[float]) -> Iterator[Said]:
    length = _length_events(monitor)
    if length is not None and length / max(rates) > SELDOM_DAYS:
        days = length / max(rates)
        yield ("window", "events"), f"a window of {length} events takes {days:.3g} days to fill."


def references_that_take_for_ever(config: cfg.Config, monitor: cfg.Monitor, rates: list[float]) -> Iterator[Said]:
    if config.given is not None or not monitor.detect.learns:
        return
    if monitor.detect.raw or parse_signal(monitor.signal).spec.least:
        return
    days = config.reference.warmup / max(rates)
    if days > SELDOM_DAYS:
        yield ("signal",), f"its reference of {config.reference.warmup} values takes {days:.3g} days to learn."


Check = Callable[[cfg.Config, cfg.Monitor, list[float]], Iterator[Said]]
CHECKS: tuple[Check, ...] = (too_few_in_a_window, windows_that_take_for_ever, references_that_take_for_ever)
