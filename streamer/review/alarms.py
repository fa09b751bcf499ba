"""How alarming each event of a batch is: what monitors found at it, how unfamiliar it is, and which alerts are open for
what it is one of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from schemas.events.batch import Batch, number_of_event
from streamer.alerts.alert import Notice
from streamer.monitors.base import Monitor
from streamer.monitors.evidence import told
from streamer.monitors.finding import BREACH, DRIFT, Finding
from streamer.review.candidates import CONFIDENCE
from streamer.review.queue import Figures
from streamer.signals.columns import F64, Bool, Grouping, groups_of
from streamer.signals.grammar import BY_PATHS

GROUPS_MAX = 4096
"""Groups with open alerts that are known one by one."""
Group = tuple[tuple[str, ...], tuple[str, ...]]
"""Fields, and the model with the values of these."""


class Shown(NamedTuple):
    """What the monitors say of a batch."""

    findings: Sequence[Finding]
    unfamiliar: F64  # n; how unfamiliar, by `ood`: half and more for who was judged so; NaN for who was not looked at


class OpenAlerts:
    """How many alerts are open for each group that monitors tell apart. An event hears of what was told before it."""

    def __init__(self) -> None:
        self.open: dict[Group, int] = {}
        self.news: list[tuple[int, Group, int]] = []  # since the last batch or tick: offset, group, one more or less

    def heard(self, notices: Sequence[Notice], monitors: Mapping[str, Monitor]) -> None:
        """Alerts that were told. Not those of candidates, nor of the retained history."""
        for notice in notices:
            monitor = monitors[notice.monitor]
            if notice.status in ("firing", "resolved") and not (notice.retained or monitor.config.shadow):
                group = tuple(monitor.table.by), tuple(monitor.table.keys[notice.row][0])
                self.news.append((notice.at.offset, group, 1 if notice.status == "firing" else -1))

    def settle(self) -> None:
        """What comes from here on hears of all so far."""
        for _, group, more in self.news:
            if group in self.open or len(self.open) < GROUPS_MAX:
                self.open[group] = self.open.get(group, 0) + more
            if self.open.get(group, 1) <= 0:
                del self.open[group]
        self.news = []

    def of(self, batch: Batch, chosen: Bool, grouping: Grouping) -> F64:
        """For each event how many are open, and from then on all of them are known."""
        found = np.zeros(len(batch.offsets))
        changes: dict[Group, list[tuple[int, int]]] = {group: [] for group in self.open}
        for offset, group, more in self.news:
            changes.setdefault(group, []).append((offset, more))
        for by in dict.fromkeys(fields for fields, _ in changes):
            groups = groups_of(batch, chosen, by, BY_PATHS, grouping)
            for number, key in enumerate(groups.keys):
                if (by, key) in changes:
                    mine = np.flatnonzero(groups.of_event == number)
                    found[mine] += self._count((by, key), changes[by, key], batch.offsets[mine])
        self.settle()
        return found

    def _count(self, group: Group, changes: list[tuple[int, int]], offsets: Any) -> F64:
        count = np.full(len(offsets), float(self.open.get(group, 0)))
        for offset, more in changes:
            count += more * (offsets > offset)
        least: F64 = np.maximum(count, 0.0)
        return least

    def dump(self) -> list[Any]:
        self.settle()
        return [[list(by), list(key), count] for (by, key), count in self.open.items()]

    def load(self, state: Sequence[Any]) -> None:
        self.open = {(tuple(map(str, by)), tuple(map(str, key))): int(count) for by, key, count in state}


def evidence_of(findings: Sequence[Finding], monitors: Sequence[Monitor], count: int) -> F64:
    """For each event how many times its threshold the greatest statistic is that was found at it; 1 of what has no such
    two, 0 where nothing was found.
    """
    found = np.zeros(count)
    for one in findings:
        if one.signal not in (DRIFT, BREACH) or one.event < 0 or monitors[one.monitor].config.shadow:
            continue
        shown = told(one.evidence)["finding"]
        statistic, threshold = shown["statistic"], shown["threshold"]
        times = abs(statistic / threshold) if statistic and threshold else 1.0
        found[one.event] = max(found[one.event], times if np.isfinite(times) else 1.0)
    return found


def figures_of(
    batch: Batch, chosen: Bool, shown: Shown, monitors: Sequence[Monitor], alerts: OpenAlerts, grouping: Grouping
) -> Figures:
    """Of the chosen events of a batch."""
    evidence = evidence_of(shown.findings, monitors, len(batch.offsets))
    columns = evidence, shown.unfamiliar, number_of_event(batch, CONFIDENCE), alerts.of(batch, chosen, grouping)
    return Figures._make(column[chosen] for column in columns)
