"""What configs would have told of a history, what one of them tells that the other does not, and which faults it would
have found: the engine of `run`, several times over the same records. Nothing is published, and nobody's offsets move.

Before the onset of a fault all copies of the stream are alike, so their tasks begin from the snapshot of the task that
has read it so far.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from detectors.extremes import DAY_MS
from schemas.events.batch import Record
from streamer.config import model as cfg
from streamer.config.decoder_fields import fields_of
from streamer.engine.task import Task
from streamer.offline.account import Account
from streamer.offline.difference import Difference, difference
from streamer.offline.episodes import Episode, Told
from streamer.offline.faults import Fault, Spec, faults
from streamer.offline.joined import stretches
from streamer.offline.known import Known, Scores, judge
from streamer.offline.replay import Cut, Replay
from streamer.offline.survey import Stretch, Survey
from streamer.port import Partition
from streamer.signals.codes import coded

Past = Callable[[str], Iterable[tuple[Partition, list[Record]]]]
"""Reads the history from its beginning, the same each time; the text says what for."""


class Asked(NamedTuple):
    """What is asked of a history. `begin_at`: the part of a model's time after which faults begin."""

    configs: Sequence[tuple[str, cfg.Config]]  # with their names: the new one, and the one it is compared with
    tolerance_ms: int = 3_600_000
    known: Sequence[Known] | None = None
    specs: Sequence[Spec] = ()
    begin_at: float = 0.75


@dataclass
class Schooling:
    """Of a model: series that learn what healthy days are like, how many still do at the end, and for how long."""

    series: int = 0
    learning: int = 0
    left_ms: int = 0
    most_ms: int | None = None  # the day on which more than half were through


class Run:
    """One config over the history."""

    def __init__(self, name: str, config: cfg.Config) -> None:
        self.name, self.config = name, config
        self.engine = Replay(config, fields_of(config), together=True)
        self.told, self.survey = Told(), Survey()
        self.schools: dict[str, Schooling] = {}  # of models with monitors that learn so
        self._day: dict[Partition, int] = {}

    def take(self, cut: Cut) -> None:
        self.told.take(self.engine.take(cut))
        newest_ms = 0
        for part, _ in cut.parts:
            if part is not None and len(part.offsets):
                self.survey.stretches(part)
                newest_ms = max(newest_ms, part.times_ms.max().item())
        if newest_ms // DAY_MS > self._day.get(cut.partition, 0):
            self._day[cut.partition] = newest_ms // DAY_MS
            self._note_school(newest_ms)

    def _note_school(self, now_ms: int) -> None:
        """Once a day of the log, and at the end."""
        series, learning, left_ms = Counter[str](), Counter[str](), dict[str, int]()
        for task in self.engine.tasks.values():
            for monitor in task.by_order:
                for row in range(0 if monitor.config.shadow else len(monitor.days_left())):
                    series[monitor.table.keys[row][0][0]] += 1
            for model, school in task.school().items():
                learning[model] += school.series
                left_ms[model] = max(left_ms.get(model, 0), school.left_ms)
        for model, many in series.items():
            most_ms = self.schools.get(model, Schooling()).most_ms
            if most_ms is None and 2 * learning[model] < many:
                most_ms = now_ms
            self.schools[model] = Schooling(many, learning[model], left_ms.get(model, 0), most_ms)

    def finish(self) -> None:
        """At the end."""
        self._note_school(max((one.last_ms for one in self.survey.models.values()), default=0))

    @property
    def alerts(self) -> list[Episode]:
        return list(self.told.alerts.values())

    @property
    def incidents(self) -> list[Episode]:
        return list(self.told.incidents.values())

    @property
    def account(self) -> Account:
        return self.engine.account()


@dataclass
class Copy:
    """The stream with one fault in it, under the config that is asked about."""

    fault: Fault
    onsets_ms: dict[str, int]  # by model
    engine: Replay
    told: Told = field(default_factory=Told)
    begun: set[Partition] = field(default_factory=set)
    events: dict[str, int] = field(default_factory=dict)  # by model, since the onset, as they were without the fault
    after: dict[Episode, int] = field(default_factory=dict)  # of an alert how many of its model it took

    def fork(self, cut: Cut, run: Run) -> None:
        """Go on from where the other is, once the onset is reached."""
        first_ms = min(self.onsets_ms.values(), default=0)
        reached = any(part is not None and (part.times_ms >= first_ms).any() for part, _ in cut.parts)
        if cut.partition in self.begun or not reached:
            return
        self.begun.add(cut.partition)
        task = run.engine.tasks.get(cut.partition)
        if task is not None:
            self.engine.tasks[cut.partition] = Task.load(run.config, cut.partition, task.dump())

    def take(self, cut: Cut) -> None:
        """The same records, with the fault. Time passes as it did: a producer that is silent stops no clock."""
        if cut.partition not in self.begun:
            return
        patterns = self.engine.config.categorical
        parts = [
            (None if part is None else self.fault.changed(coded(part, patterns), self.onsets_ms), tick)
            for part, tick in cut.parts
        ]
        for one in self.told.take(self.engine.take(cut._replace(parts=parts))):
            self.after[one] = self.events.get(one.model, 0) + self._count(one.model, cut, one.found_ms)
        for model in self.fault.targets:
            self.events[model] = self.events.get(model, 0) + self._count(model, cut)

    def _count(self, model: str, cut: Cut, end_ms: int | None = None) -> int:
        """Events of a model from its onset until then."""
        total = 0
        for part, _ in cut.parts if model in self.fault.targets else ():
            if part is not None:
                hit = self.fault.hit(part, model, self.onsets_ms[model])
                total += int(np.count_nonzero(hit if end_ms is None else hit & (part.times_ms <= end_ms)))
        return total


class Injected(NamedTuple):
    """What came of one fault in one model."""

    kind: str
    size: float
    model: str
    what: str  # in words
    onset_ms: int
    found: Episode | None  # the first alert that is there only with the fault
    events: int  # of the model from the onset until then; of what is not found until the end
    time_ms: int
    alerts: int  # that are there only with the fault
    anyway: str  # of what is not found: the monitor that fires of the same even without the fault


class Backtest(NamedTuple):
    """`runs`: the new config, and the old one where there is one. `watched`: of each model, what there was."""

    asked: Asked
    runs: list[Run]
    watched: Mapping[str, Stretch]
    alerts: Difference | None
    incidents: Difference | None
    scores: list[Scores] | None  # one for each run
    injected: list[Injected]


def backtest(past: Past, asked: Asked) -> Backtest:
    """Run the configs over the history, the copies with faults beside the first of them."""
    runs = [Run(name, config) for name, config in asked.configs]
    copies = list(_copies(past, asked)) if asked.specs else []
    for some in stretches(past("running")):
        for run, cut in [(one, cut) for one in runs for cut in one.engine.cuts(some)]:
            beside = copies if run is runs[0] else []
            for copy in beside:
                copy.fork(cut, run)
            run.take(cut)
            for copy in beside:
                copy.take(cut)
    for run in runs:
        run.finish()
    new, watched = runs[0], runs[0].survey.models
    spans = {model: (one.first_ms, one.last_ms) for model, one in watched.items()}
    alerts = incidents = None
    if len(runs) > 1:
        alerts = difference(runs[1].alerts, new.alerts, asked.tolerance_ms)
        incidents = difference(runs[1].incidents, new.incidents, asked.tolerance_ms)
    known, wide = asked.known, asked.tolerance_ms
    scores = None if known is None else [judge(known, run.incidents, spans, wide) for run in runs]
    found = [one for copy in copies for one in _injected(copy, new, watched, wide)]
    return Backtest(asked, runs, watched, alerts, incidents, scores, found)


def _copies(past: Past, asked: Asked) -> Iterator[Copy]:
    """A stream for each fault, in which each model has it from some part of its own time on."""
    _, config = asked.configs[0]
    survey, onsets_ms = surveyed(past, config), dict[str, int]()
    for model, seen in survey.models.items():
        onsets_ms[model] = seen.first_ms + round((seen.last_ms - seen.first_ms) * asked.begin_at)
    for fault in faults(asked.specs, survey, config.exclude):
        yield Copy(fault, {model: onsets_ms[model] for model in fault.targets}, Replay(config, fields_of(config)))


def surveyed(past: Past, config: cfg.Config) -> Survey:
    """What the events are like: everything is read once, and nothing is watched."""
    engine, survey = Replay(config, fields_of(config), ticking=False, together=True), Survey()
    for some in stretches(past("looking at the events")):
        for part, _ in (one for cut in engine.cuts(some) for one in cut.parts):
            if part is not None:
                survey.take(coded(part, config.categorical))
    return survey


def _injected(copy: Copy, run: Run, watched: Mapping[str, Stretch], tolerance_ms: int) -> Iterator[Injected]:
    """What is found with the fault and not without it, by model."""
    gained = difference(run.alerts, copy.told.alerts.values(), tolerance_ms).gained
    for model, onset_ms in copy.onsets_ms.items():
        own = [one for one in gained if one.model == model]
        first = min(own, key=lambda one: (one.found_ms, one.monitor), default=None)
        until_ms = watched[model].last_ms if first is None else first.found_ms
        anyway = "" if first is not None else _anyway(run.alerts, model, copy.fault.targets[model].name, onset_ms)
        events = copy.events.get(model, 0) if first is None else copy.after[first._replace(ended_ms=None)]
        yield Injected(
            kind=copy.fault.kind,
            size=copy.fault.size,
            model=model,
            what=copy.fault.words(model),
            onset_ms=onset_ms,
            found=first,
            events=events,
            time_ms=until_ms - onset_ms,
            alerts=len(own),
            anyway=anyway,
        )


def _anyway(alerts: Sequence[Episode], model: str, name: str, onset_ms: int) -> str:
    """The monitor that fires of a feature after the onset, whatever is put in."""
    for one in alerts:
        late = one.ended_ms is None or one.ended_ms >= onset_ms
        if one.model == model and late and name and name in one.series:
            return one.monitor
    return ""
