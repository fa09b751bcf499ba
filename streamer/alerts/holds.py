"""Alerts that are held back: the book knows them, and its readers do not, or not yet.

A mute holds alerts with certain labels until a time of their model's clock. What was told before it is told to its end
all the same: that an alert is over pages nobody. What still holds when the mute ends is told then, as any alert that is
told again: the mute's end is the time to. `Alert.held` says of one why nobody heard that it fires.

A monitor whose share of the budget was cut since people found its alerts of no use (`learning.py`) is heard from a
higher threshold on: weaker alerts are held until they get so strong, or are over.

An acknowledged alert is told again at its intervals, for who hears no more takes it for over; its records say who
acknowledged it, and why. That ends with the alert, or when it gets worse: its statistic became WORSE times as large, in
thresholds, as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from typing import Any, NamedTuple

from streamer.alerts.alert import QUIET, Alert, Notice

MUTES_MAX = 1000
"""Of a partition; more are refused."""
WORSE = 2.0
STRONGEST = 32_768.0
MUTED, WEAK = "muted", "weak"
WHY = (MUTED, WEAK)
"""Why an alert is held."""

Labels = Callable[[str, int], Mapping[str, str]]
"""Of a monitor and a row: what tells its alerts from all others."""


class Mute(NamedTuple):
    """`labels`: those that an alert must have, of all the alerts of a model."""

    id: str  # of its command
    model: str
    labels: dict[str, str]
    until_ms: int
    by: str
    why: str

    def covers(self, labels: Mapping[str, str]) -> bool:
        return all(labels.get(name) == text for name, text in self.labels.items())


def strength_of(given: Any) -> float:
    """How many times its threshold the statistic of a finding is, from 1 to STRONGEST; below a lower limit how many
    times smaller. 1 where there is no threshold.
    """
    if not given:
        return 1.0
    statistic, threshold = (
        (given["finding"]["statistic"], given["finding"]["threshold"]) if isinstance(given, dict) else given[1:3]
    )
    if not threshold or statistic is None or not isfinite(threshold):
        return 1.0
    ratio = abs(statistic / threshold)
    if ratio < 1.0:
        ratio = 1.0 / ratio if ratio > 1.0 / STRONGEST else STRONGEST
    return min(ratio, STRONGEST) if ratio == ratio else 1.0


class Holds:
    """State: the mutes, in the order in which they came; and how many records were held, by why."""

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self.mutes: dict[str, list[Mute]] = {}  # by model
        self.factors: dict[tuple[str, str], float] = {}  # by model and monitor the strength it is told from, over 1
        self.counts: dict[str, int] = dict.fromkeys(WHY, 0)

    def __len__(self) -> int:
        return sum(map(len, self.mutes.values()))

    def muted_until(self, alert: Alert, now_ms: int) -> int | None:
        """The end of the mute that ends first of those that hold it now."""
        own = self.mutes.get(alert.model)
        if own is None:
            return None
        labels = self.labels(alert.monitor, alert.row)
        return min((one.until_ms for one in own if one.until_ms > now_ms and one.covers(labels)), default=None)

    def judged(self, alert: Alert, notice: Notice) -> Notice:
        """The notice, as one that is held if it is. One whose alert nobody has heard of says that it fires."""
        unheard = alert.held != ""
        if notice.status == "resolved":
            why, alert.held = alert.held, ""
            return self._held(notice, why) if unheard else notice
        until_ms = self.muted_until(alert, notice.at.now_ms)
        fresh = unheard or notice.status == "firing"
        why = MUTED if until_ms is not None else WEAK if fresh and self.weak(alert) else ""
        if fresh:
            alert.held = why
        if not why:
            return notice._replace(status="firing") if unheard else notice
        if until_ms is not None:
            self.wake(alert, until_ms)
        return self._held(notice, why)

    def weak(self, alert: Alert) -> bool:
        """Whether it is not worth telling."""
        return alert.peak < self.factors.get((alert.model, alert.monitor), 1.0)

    def _held(self, notice: Notice, why: str) -> Notice:
        self.counts[why] += 1
        return notice._replace(held=why)

    def wake(self, alert: Alert, time_ms: int) -> None:
        """It is looked at again at this time at the latest."""
        if alert.repeat_ms is not None:
            alert.repeat_ms = min(alert.repeat_ms, time_ms)

    def grown(self, alert: Alert, evidence: Any) -> bool:
        """Another finding of an alert: whether it is to be told since it got worse, or strong enough."""
        alert.peak = max(alert.peak, strength_of(evidence))
        if alert.state != QUIET and alert.held == WEAK and not self.weak(alert):
            return True
        if alert.state == QUIET or alert.ack is None or alert.peak < WORSE * alert.ack.peak:
            return False
        alert.ack = None
        return True

    def mute(self, mute: Mute) -> bool:
        """False where there are too many."""
        if len(self) >= MUTES_MAX:
            return False
        self.mutes.setdefault(mute.model, []).append(mute)
        return True

    def unmute(self, model: str, wanted: Mapping[str, str]) -> list[Mute]:
        """Those that are gone: all mutes of what has these labels."""
        gone = [one for one in self.mutes.get(model, ()) if wanted.items() <= one.labels.items()]
        self._drop(model, gone)
        return gone

    def pass_time(self, newest_ms: Mapping[str, int], silence: Callable[[str], int]) -> None:
        """Forget what is over; of a model that is not known by the newest clock there is."""
        latest_ms = max(newest_ms.values(), default=0)
        for model in [*self.mutes]:
            now_ms = newest_ms[model] + silence(model) if model in newest_ms else latest_ms
            self._drop(model, [one for one in self.mutes[model] if one.until_ms <= now_ms])

    def _drop(self, model: str, gone: Iterable[Mute]) -> None:
        ids = {one.id for one in gone}
        left = [one for one in self.mutes.get(model, ()) if one.id not in ids]
        if left:
            self.mutes[model] = left
        else:
            self.mutes.pop(model, None)

    def dump(self) -> dict[str, Any]:
        """Plain values."""
        return {"mutes": [list(one) for own in self.mutes.values() for one in own], "held": list(self.counts.items())}

    def load(self, state: Mapping[str, Any]) -> None:
        """Into a new one. Raises ValueError and the like."""
        for id, model, labels, until_ms, by, why in state["mutes"]:
            known = {str(name): str(text) for name, text in labels.items()}
            one = Mute(str(id), str(model), known, int(until_ms), str(by), str(why))
            self.mutes.setdefault(one.model, []).append(one)
        self.counts |= {str(name): int(count) for name, count in state["held"] if name in self.counts}
