"""Scores: incidents a week with exact limits, what was found of a fault, F1 with its clock row."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.quality.drive import Alert
from benchmarks.quality.faults import HOUR_MS, ONSET_MS, Fault

Array = Any
TWIN_MS = HOUR_MS
"""An alert is the healthy twin's own if the twin has one of the same labels within so long."""


def limits(count: float, exposure: float, level: float = 0.95) -> tuple[float, float]:
    """Exact Poisson limits of a rate (Garwood) of which `count` were seen."""
    tail = (1 - level) / 2
    from scipy.stats import chi2  # Takes two thirds of a second: only who asks shall wait for it.

    low = 0.0 if count == 0 else float(chi2.ppf(tail, 2 * count)) / 2
    return low / exposure, float(chi2.ppf(1 - tail, 2 * count + 2)) / 2 / exposure


class Rate(NamedTuple):
    count: int
    exposure: float
    rate: float
    low: float
    high: float


def rate(count: int, exposure: float) -> Rate:
    return Rate(count, exposure, count / exposure, *limits(count, exposure))


class Incident(NamedTuple):
    """What a person is told of once."""

    model: str
    time_ms: int  # when it is told


Grouping = Callable[[Sequence[Alert]], list[Incident]]


def each_alert(alerts: Sequence[Alert]) -> list[Incident]:
    """No grouping: each alert that opens is told of."""
    return [Incident(a.model, a.time_ms) for a in alerts if a.status == "firing"]


def by_product(alerts: Sequence[Alert]) -> list[Incident]:
    """What the product makes of them: one is counted each time that it opens, again if it was told as over."""
    return [Incident(a.model, a.time_ms) for a in alerts if a.status == "incident"]


GROUPINGS: dict[str, Grouping] = {"alerts": each_alert, "incidents": by_product}
"""What counts: alerts, or what the product makes of them."""


class Found(NamedTuple):
    """What became of a fault in one model."""

    found: bool
    first_right: bool  # the first alert that the healthy twin has not told of the right signal
    events: int | None  # from onset to the right alert
    minutes: float | None
    alerts: int  # that the twin has not, to the end
    open_before: bool  # an alert of the right signal was open when the fault began
    by_chance: bool  # the healthy twin has an alert of the right signal in the same time


def right(fault: Fault, alert: Alert) -> bool:
    return re.search(fault.signal, alert.signal) is not None or re.search(fault.signal, alert.labels) is not None


def news(alerts: Iterable[Alert], twin: Sequence[Alert]) -> list[Alert]:
    """The firing alerts from the onset on that the twin does not have as well, in order of time."""
    known: dict[str, list[int]] = {}
    for alert in twin:
        if alert.status == "firing":
            known.setdefault(alert.labels, []).append(alert.time_ms)
    mine = [a for a in alerts if a.status == "firing" and a.time_ms >= ONSET_MS]
    own = [a for a in mine if not any(abs(a.time_ms - t) < TWIN_MS for t in known.get(a.labels, ()))]
    return sorted(own, key=lambda a: (a.time_ms, a.offset))


def is_open(alerts: Iterable[Alert], fault: Fault) -> bool:
    """Whether an alert of the right signal is still open after these."""
    count = 0
    for alert in alerts:
        if alert.status != "incident" and right(fault, alert):
            count += 1 if alert.status == "firing" else -1
    return count > 0


def judge(
    fault: Fault, before: Sequence[Alert], twin: Sequence[Alert], alerts: Sequence[Alert], times_ms: Array
) -> Found:
    """All of one model: the alerts before the onset, those of the healthy twin and of the broken one after it."""
    until_ms = ONSET_MS + fault.within_h * HOUR_MS
    own = news(alerts, twin)
    in_time = [a for a in own if a.time_ms <= until_ms and right(fault, a)]
    chance = any(right(fault, a) and ONSET_MS <= a.time_ms <= until_ms for a in twin if a.status == "firing")
    already = is_open(before, fault)
    if not in_time:
        return Found(False, False, None, None, len(own), already, chance)
    first = in_time[0]
    seen = np.searchsorted(times_ms, (ONSET_MS, first.time_ms + 1)).tolist()
    return Found(
        True, own[0] is first, seen[1] - seen[0], (first.time_ms - ONSET_MS) / 60_000, len(own), already, chance
    )


class Drifts(NamedTuple):
    """Event-level scores of a stream with known drifts, by the rules of the README."""

    hits: int
    false: int
    duplicates: int
    missed: int
    delays: tuple[float, ...]

    @property
    def f1(self) -> float:
        """Strict: a second alarm in the same window is a false one."""
        return 2 * self.hits / max(2 * self.hits + self.false + self.duplicates + self.missed, 1)

    @property
    def f1_merged(self) -> float:
        return 2 * self.hits / max(2 * self.hits + self.false + self.missed, 1)


def drifts(alarms: Iterable[float], windows: Sequence[tuple[float, float]]) -> Drifts:
    """The first alarm in a window is a hit; `windows` are begin and end, the delay is from the begin."""
    first: dict[int, float] = {}
    false = duplicates = 0
    for alarm in sorted(alarms):
        place = next((i for i, (begin, end) in enumerate(windows) if begin <= alarm <= end), None)
        if place is None:
            false += 1
        elif place in first:
            duplicates += 1
        else:
            first[place] = alarm
    delays = tuple(alarm - windows[i][0] for i, alarm in first.items())
    return Drifts(len(first), false, duplicates, len(windows) - len(first), delays)


def together(several: Iterable[Drifts]) -> Drifts:
    """The scores of several streams as one."""
    found = list(several)
    counts = [sum(one[i] for one in found) for i in range(4)]
    return Drifts(*counts, tuple(d for one in found for d in one.delays))


def clock(total: int, alarms: int, windows: Sequence[tuple[float, float]]) -> Drifts:
    """What a clock would score that alarms as often: the row without which an F1 says nothing."""
    return drifts((np.arange(1, alarms + 1) * total / (alarms + 1)).tolist(), windows)
