"""Where the statistic of every series stands, what it must pass, and when it was nearest: for `driftline explain`.

The findings of windows say it themselves, each as an alert would. Detectors of edges are asked once as many events came
as they have series, since asking then costs no more than they do: what they show in between is not seen, and where they
fire what the alert has counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from math import inf, log
from typing import Any, NamedTuple

import numpy as np

from detectors.standing import Standing, without
from schemas.events.batch import Batch
from schemas.records.alert import rfc3339
from streamer.config import model as cfg
from streamer.engine.task import Task
from streamer.monitors.base import Monitor
from streamer.monitors.evidence import Evidence
from streamer.monitors.evidence import told as evidence_of
from streamer.monitors.finding import BREACH, DRIFT, STRETCH, Finding
from streamer.port import Partition
from streamer.series.table import Key
from streamer.signals.columns import I64, Bool


class At(NamedTuple):
    """A standing, and the event time at which it was so."""

    standing: Standing
    time_ms: int

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        one = self.standing
        said = {"statistic": one.statistic, "threshold": one.threshold, "reached": one.reached}
        return {**said, "at": rfc3339(self.time_ms) if self.time_ms >= 0 else None}


class Found(NamedTuple):
    """How often it found what an alert could be made of, and when it last did."""

    times: int = 0
    last_ms: int = -1


class Stands(NamedTuple):
    """Of one series: by now, when it was nearest, and what is not known yet or what else must be."""

    now: At
    nearest: At | None
    words: list[str]
    found: Found

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        nearest = None if self.nearest is None else self.nearest.plain()
        found = {"times": self.found.times, "last": rfc3339(self.found.last_ms)} if self.found.times else None
        return {"now": self.now.plain(), "nearest": nearest, "words": self.words, "found": found}


Besides = tuple[str, float]
"""What must be besides, in words, and how much of it is so: 1 or more where it is."""


def _surprise(detect: Any, told: Evidence, monitor: Any, row: int) -> Besides:
    beyond = told["evidence"]["window"].get("surprise")
    if beyond is None:  # Of a single level of a category.
        return "", inf
    return f"and beyond chance: surprise {beyond:.3g}, it must pass {detect.surprise:g}", beyond / detect.surprise


def _chance(detect: Any, told: Evidence, monitor: Any, row: int) -> Besides:
    """By what is usual now: a window that was no news is in that."""
    window, known = told["evidence"]["window"], monitor.usual.known(row)
    if known is None:
        return "", inf
    chance = known.chance(window["count"], window["n"], told["finding"]["direction"] == "up")
    chance *= 2.0 if detect.direction == "both" else 1.0
    part = log(min(max(chance, 1e-300), 1.0)) / log(detect.chance)
    return f"and beyond chance: by chance {chance:.2g}, it must be below {detect.chance:g}", part


def _change(detect: Any, told: Evidence, monitor: Any, row: int) -> Besides:
    if detect.against == "days":
        return "against days it must be beyond what those have shown, too", inf
    window = told["evidence"]["window"]
    off, least = abs(window["value"] - window["expected"]), detect.change * abs(window["expected"])
    return f"and off by more than {least:.4g}: it is by {off:.4g}", off / least if least else inf


def _effect(detect: Any, told: Evidence, monitor: Any, row: int) -> Besides:
    effect = told["finding"]["effect"]["deviations"]
    if effect is None or not detect.effect:
        return "", inf
    return f"and apart by at least {detect.effect:g} deviations: by {abs(effect):.3g}", abs(effect) / detect.effect


BESIDES: dict[str, Callable[[Any, Evidence, Any, int], Besides]] = {
    "distribution": _surprise,
    "level": _change,
    "share": _chance,
    "trend": lambda detect, *_: (f"and a rise or fall by more than {detect.max:.0%} of its centre", inf),
    "peers": _effect,
}
"""By `detect.kind` what a window must be besides, so that it fires."""
SIGNED, WAYS = ("level", "trend", "peers"), {"up": 1, "down": -1, "both": 0}
"""Kinds whose statistic has a sign, and whose threshold has none."""
WORDS = {
    "insufficient": "too few values, or windows, to judge its newest window by",
    "late": "its newest window is late",
}
"""By how a window ended."""


def standing_of(monitor: Monitor, finding: Finding) -> Standing:
    """What a finding says, as an alert would."""
    told = evidence_of(finding.evidence) if finding.evidence else None
    detect: Any = monitor.config.detect
    if told is None or finding.ended in WORDS:
        return without(WORDS.get(finding.ended, "its newest verdict has no number"))
    statistic, threshold = told["finding"]["statistic"], told["finding"]["threshold"]
    words, part = BESIDES[detect.kind](detect, told, monitor, finding.row) if detect.kind in BESIDES else ("", inf)
    usual = 0.0
    way = WAYS[detect.direction] if detect.kind in SIGNED else 1
    if detect.kind == "share" and threshold is not None:
        moved = told["finding"]["direction"]  # The threshold is that of this side.
        times = 1.0 + detect.change * WAYS[moved]
        # No share falls by all of itself and more: that is no way to go.
        usual, way = threshold / times if times > 0.0 else threshold, 1 if detect.direction in ("both", moved) else -1
    return Standing(statistic, threshold, words, usual, way, part)


class Standings:
    """Of the monitors of one partition whose names match."""

    def __init__(self, monitors: Sequence[Monitor], pattern: str = "*") -> None:
        self.monitors = {one.order: one for one in monitors if fnmatchcase(one.name, pattern)}
        self.newest, self.nearest = dict[tuple[int, Key], At](), dict[tuple[int, Key], At]()
        self.found = dict[tuple[int, Key], Found]()
        self.taken = dict.fromkeys(self.monitors, 0)  # events since each was asked
        self.last_ms = -1

    def take(self, batch: Batch, events: I64, findings: Sequence[Finding]) -> None:
        """What was found in these events of a batch."""
        if not len(events):
            return
        last, told = int(events[-1]), dict[int, dict[int, Finding]]()
        self.last_ms = int(batch.times_ms[last])
        for one in findings:
            if one.monitor in self.monitors and one.signal != STRETCH:
                told.setdefault(one.monitor, {})[one.row] = one
                monitor, time_ms = self.monitors[one.monitor], int(batch.times_ms[one.event])
                self._note(monitor, one.row, At(standing_of(monitor, one), time_ms))
                if one.signal in (DRIFT, BREACH):
                    key = one.monitor, monitor.table.keys[one.row]
                    self.found[key] = Found(self.found.get(key, Found()).times + 1, time_ms)
        for order, monitor in self.monitors.items():
            self.taken[order] += len(events)
            if not monitor.windowed and (order in told or self.taken[order] >= len(monitor.table.keys)):
                rows = told.get(order, {})
                self._ask(monitor, {row for row, one in rows.items() if one.event == last}, set(rows))

    def settle(self) -> None:
        """Ask those of which events came since."""
        for order, monitor in self.monitors.items():
            if not monitor.windowed and self.taken[order]:
                self._ask(monitor, set(), set())

    def _ask(self, monitor: Monitor, just: set[int], told: set[int]) -> None:
        """But for the rows that have `just` fired; one that was `told` and has no number shows that of its alert."""
        self.taken[monitor.order] = 0
        for row, standing in enumerate(monitor.standing()):
            if row not in just and not (row in told and standing.statistic is None):
                self._note(monitor, row, At(standing, self.last_ms))

    def _note(self, monitor: Monitor, row: int, at: At) -> None:
        key = monitor.order, monitor.table.keys[row]
        before, known, reached = self.newest.get(key), self.nearest.get(key), at.standing.reached
        if before is None or before.standing != at.standing:  # The time is that since which it stands there.
            self.newest[key] = at
        if reached is not None and (known is None or reached > (known.standing.reached or 0.0)):
            self.nearest[key] = at

    def of(self, monitor: Monitor, row: int) -> Stands:
        """Of a series."""
        key = monitor.order, monitor.table.keys[row]
        now = self.newest.get(key) or At(monitor.standing()[row], -1)
        words = [*filter(None, [now.standing.words, *_missing(monitor, row)])]
        return Stands(now, self.nearest.get(key), words, self.found.get(key, Found()))


def _missing(monitor: Monitor, row: int) -> Iterator[str]:
    """What the series has not learned yet."""
    table, detect, left = monitor.table, monitor.config.detect, monitor.days_left()
    learned = table.learned(row)
    if detect.learns and not detect.raw and table.signal.spec.referenced and learned.n < table.reference.warmup:
        yield f"its reference has {learned.n:,} of {table.reference.warmup:,} values: until then it says nothing"
    if row < len(left) and left[row]:
        yield f"{left[row]} more whole days must be seen: until then only what is unmistakable is told"


class StandingTask(Task):
    """A task that notes where its monitors stand."""

    def __init__(
        self, config: cfg.Config, partition: Partition, position: int, pattern: str = "*", **more: Any
    ) -> None:
        super().__init__(config, partition, position, **more)
        self.standings = Standings(self.by_order, pattern)

    def _step(self, batch: Batch, used: Bool, now: I64) -> list[Finding]:
        findings = super()._step(batch, used, now)
        self.standings.take(batch, np.flatnonzero(used), findings)
        return findings


def told(stands: Stands) -> Iterator[str]:
    """Lines of a series."""
    now, nearest = stands.now, stands.nearest
    if now.standing.statistic is not None:
        yield f"stands: {_far(now)}"
    if nearest is not None and (nearest.standing.reached or 0.0) > (now.standing.reached or 0.0):
        yield f"nearest: {_far(nearest)}"
    if stands.found.times:
        last = rfc3339(stands.found.last_ms)
        yield f"found: {stands.found.times:,} times it was beyond what it must pass, the last at {last}"
    if stands.words:
        yield f"{'besides' if now.standing.statistic is not None else 'stands'}: {'; '.join(stands.words)}"


def _far(at: At) -> str:
    one = at.standing
    limit = "without a threshold yet" if one.threshold is None else f"of {one.threshold:.4g}"
    part = "" if one.reached is None else f", {one.reached:.0%} of the way"
    return f"{one.statistic:.4g} {limit}{part}" + (f", at {rfc3339(at.time_ms)}" if at.time_ms >= 0 else "")


def standings_of(tasks: Mapping[Partition, Task]) -> Mapping[Partition, Standings]:
    """Of the tasks that noted it."""
    return {at: task.standings for at, task in tasks.items() if isinstance(task, StandingTask)}
