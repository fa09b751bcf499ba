"""What every series is watched by and what it would take: the view of `driftline explain` over events in files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, NamedTuple

from detectors.extremes import DAY_MS
from schemas.events.batch import Record
from streamer.config import model as cfg
from streamer.config.budget import WEEK_DAYS, Part
from streamer.config.expectation import expected, in_all
from streamer.engine.sharing import living
from streamer.monitors.base import Monitor
from streamer.monitors.detectable import HORIZONS, SHIFTS, Detectable, Drift, Limit
from streamer.offline.cost import Sample
from streamer.offline.estimates import settle, with_windows
from streamer.offline.joined import stretches
from streamer.offline.standings import Standings, StandingTask, Stands, standings_of
from streamer.offline.standings import told as standing_told
from streamer.port import Partition
from streamer.signals.grammar import matches

NO_FORMULA = "not stated: there is no formula for {}"
IN_SCHOOL = "not stated: in school only what is unmistakable is told"
NO_PACE = "not stated: less than an hour of events was seen"
SHOWN = 3
NOTHING = "none is found within a day"


class Explained(NamedTuple):
    """One series of a monitor."""

    monitor: str
    kind: str
    signal: str
    model: str
    series: str  # its group but for the model, and its member
    partition: str
    tier: str
    lacking: str  # for the next tier
    values_a_day: float | None
    usual: dict[str, float]  # in the signal's units; empty while the reference is learned
    limits: list[Limit]
    detectable: list[Drift]
    why_not: str  # why nothing is stated as detectable
    share: float | None  # of the model's budget; None outside of it
    false_alarms_a_week: float | None
    nominal: str  # what the parameters say where the budget does not
    stands: Stands | None = None  # where its statistic stands, and was nearest to what it must pass

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        limits, drifts = ([one._asdict() for one in many] for many in (self.limits, self.detectable))
        stands = {"stands": None if self.stands is None else self.stands.plain()}
        return {**self._asdict(), "limits": limits, "detectable": drifts, **stands}


def explain(
    config: cfg.Config,
    source: Iterable[tuple[Partition, list[Record]]],
    model: str | None = None,
    monitor: str = "*",
) -> tuple[Sample, list[Explained]]:
    """Run the config over the events, and say what came of each series; of one model, and of monitors of a pattern."""
    sample = Sample(with_windows(config), True, partial(StandingTask, pattern=monitor))
    for some in stretches(source):
        sample.take(some)
        for task in sample.tasks.values():
            settle(task)
    return sample, explained(sample, model, monitor)


def explained(sample: Sample, model: str | None = None, monitor: str = "*") -> list[Explained]:
    """What came of each series of a sample that was taken."""
    parts, found, standings = expected(sample.config), list[Explained](), standings_of(sample.tasks)
    for noted in standings.values():
        noted.settle()
    for name in [name for name in parts if fnmatchcase(name, monitor)]:
        for partition, task in sample.tasks.items():
            one, known = task.monitors[name], standings.get(partition)
            found += _of_monitor(sample, partition, one, task.admission.newest_ms, parts, model, known)
    return found


def _of_monitor(
    sample: Sample,
    partition: Partition,
    monitor: Monitor,
    newest_ms: dict[str, int],
    parts: dict[str, Part],
    model: str | None,
    standings: Standings | None,
) -> Iterator[Explained]:
    detectable, table, detect = Detectable(monitor), monitor.table, monitor.config.detect
    counts = sample.counts.get((partition, table.by, table.models), Counter())
    span_ms, part = sample.last_ms - sample.first_ms, parts[monitor.name]
    budget, lives = in_all(parts), living(table)
    for row, (group, _) in enumerate(table.keys):
        which = detectable.named(row)
        if model is not None and not matches(model, which.model):
            continue
        a_day = detectable.pace(row, newest_ms.get(which.model, 0))
        if a_day is None and span_ms >= HORIZONS["1h"]:
            a_day = counts.get(group, 0) * DAY_MS / span_ms
        drifts = list(detectable.drifts(row, a_day, detectable.scale(row))) if a_day is not None else []
        tier, lacking = detectable.tier(row)
        a_week = part.rate(lives[which.model]) * WEEK_DAYS if detect.budgeted else None
        yield Explained(
            monitor=monitor.name,
            kind=detect.kind,
            signal=monitor.config.signal,
            model=which.model,
            series=which.series,
            partition=f"{partition[0]}[{partition[1]}]",
            tier=tier,
            lacking=lacking,
            values_a_day=a_day,
            usual=_usual(monitor, row),
            limits=list(detectable.limits(row)),
            detectable=drifts,
            why_not="" if drifts else _why_not(detect.kind, tier, a_day),
            share=None if a_week is None or not budget else a_week / budget,
            false_alarms_a_week=a_week,
            nominal="" if detect.budgeted else detect.nominal,
            stands=None if standings is None else standings.of(monitor, row),
        )


def _usual(monitor: Monitor, row: int) -> dict[str, float]:
    table = monitor.table
    if not table.signal.spec.referenced:
        return {}
    learned = table.learned(row)
    if learned.n < table.reference.warmup:
        return {}
    return {"centre": learned.centre, "deviation": learned.scale} if table.signal.scaled else {"share": learned.mean}


def _why_not(kind: str, tier: str, a_day: float | None) -> str:
    if kind not in SHIFTS:
        return NO_FORMULA.format(kind)
    if tier == "school":
        return IN_SCHOOL
    return NO_PACE if a_day is None else NOTHING


def told(found: Iterable[Explained]) -> Iterator[str]:
    """Some lines for each series."""
    for one in found:
        series = f" ({one.series})" if one.series not in ("", one.signal) else ""
        yield f"{one.model} {one.monitor}: {one.kind} of {one.signal}{series}, {one.partition}"
        if one.tier:
            yield f"  tier: {one.tier}{one.lacking and '; '}{one.lacking}"
        yield f"  usual: {_numbers(one.usual) or 'its reference is being learned, or it needs none'}"
        if one.limits:
            few, many = one.limits[0], one.limits[-1]
            longest = f"; of {many.values:,}: {_span(many)}" if many is not few else ""
            yield f"  limits: averages of {few.values:,} values: {_span(few)}{longest}"
        yield from (f"  {line}" for line in standing_told(one.stands)) if one.stands is not None else ()
        for drift in one.detectable:
            yield f"  detectable: {sentence(drift)}"
        if one.why_not:
            yield f"  detectable: {one.why_not}"
        if one.share is not None and one.false_alarms_a_week is not None:
            budget = f"{one.share:.2%} of the budget, {one.false_alarms_a_week:.3g} false alarms a week"
            yield f"  expected: {budget}"
        else:
            yield f"  expected: not in the budget; {one.nominal}"


def in_short(sample: Sample) -> Iterator[str]:
    """For `lint`: what is found within the longest horizon, of the first series of each monitor."""
    by_monitor: dict[str, list[Explained]] = {}
    for one in explained(sample):
        if one.detectable:
            by_monitor.setdefault(one.monitor, []).append(one)
    for name, many in by_monitor.items():
        for one in many[:SHOWN]:
            last = one.detectable[-1].horizon
            drifts = "; ".join(sentence(drift) for drift in one.detectable if drift.horizon == last)
            yield f"detectable: {one.model} {name}{one.series and ' '}{one.series}: {drifts}"
        if len(many) > SHOWN:
            yield f"detectable: {name}: {len(many) - SHOWN:,} more series, see driftline explain"


def sentence(drift: Drift) -> str:
    """`a drop of 0.03 (0.4 deviations) is found in 1h with 80 % chance`"""
    far = "" if drift.deviations is None else f" ({drift.deviations:.3g} deviations)"
    what = {"up": "a rise", "down": "a drop"}[drift.direction]
    return f"{what} of {drift.units:.3g}{far} is found in {drift.horizon} with 80 % chance"


def _numbers(usual: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in usual.items())


def _span(limit: Limit) -> str:
    low, high = ("no limit" if side is None else f"{side:.4g}" for side in (limit.low, limit.high))
    return f"{low} to {high}"
