"""How alarming events are: open alerts by group and place in the log, and what monitors found."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from streamer.alerts.alert import Moment, Notice, Opened
from streamer.monitors.finding import BREACH, CLEAR, DRIFT, Finding
from streamer.review.alarms import OpenAlerts, evidence_of
from streamer.signals.columns import group
from tests.signals.events import batch_of


def monitor(by: tuple[str, ...] = (), shadow: bool = False) -> Any:
    keys = [(("m", *("app" for _ in by)), "features.a")]
    return SimpleNamespace(config=SimpleNamespace(shadow=shadow), table=SimpleNamespace(by=by, keys=keys))


MONITORS = {"plain": monitor(), "split": monitor(("caller",)), "shadow": monitor(shadow=True)}


def notice(name: str, status: str, offset: int, retained: bool = False) -> Notice:
    at = Moment(offset, 0, 0)
    return Notice(status, name, 0, 1, 1, 0, Opened(offset, 0, 0, None), at, 1, 0, "recovered", None, retained)


EVENTS = batch_of([{"caller": name} for name in ("app", "web", "app", "app", "web", "app")])


def counts(alerts: OpenAlerts, begin: int = 0, end: int = 6) -> list[float]:
    chosen = (np.arange(6) >= begin) & (np.arange(6) < end)
    return [float(count) for count in alerts.of(EVENTS, chosen, group)[begin:end]]


def test_an_event_hears_of_what_was_told_before_it_and_only_of_its_own_group() -> None:
    alerts = OpenAlerts()
    told = [notice("plain", "firing", 1), notice("split", "firing", 2), notice("plain", "resolved", 4)]
    alerts.heard(told, MONITORS)
    assert counts(alerts) == [0, 0, 1, 2, 1, 1]
    assert counts(alerts) == [1, 0, 1, 1, 0, 1]
    cut = OpenAlerts()
    cut.heard(told[:2], MONITORS)
    first = counts(cut, 0, 3)
    cut.heard(told[2:], MONITORS)
    assert first + counts(cut, 3, 6) == [0, 0, 1, 2, 1, 1], "wherever the log is cut"


def test_candidates_the_past_and_repetitions_say_nothing() -> None:
    alerts = OpenAlerts()
    told = [notice("shadow", "firing", 0), notice("plain", "firing", 0, retained=True), notice("plain", "renewed", 0)]
    alerts.heard([*told, notice("split", "resolved", 0)], MONITORS)
    assert counts(alerts) == [0] * 6
    assert alerts.dump() == []


def test_a_state_goes_on_where_it_stood() -> None:
    alerts, again = OpenAlerts(), OpenAlerts()
    alerts.heard([notice("split", "firing", 0), notice("split", "firing", 0)], MONITORS)
    again.load(alerts.dump())
    assert counts(again) == counts(alerts) == [2, 0, 2, 2, 0, 2]


def found(event: int, signal: str, statistic: Any, threshold: Any, order: int = 0) -> Finding:
    return Finding(event, order, 0, signal, {"finding": {"statistic": statistic, "threshold": threshold}})


def test_evidence_is_how_many_times_its_threshold_a_statistic_is() -> None:
    told = [
        found(0, DRIFT, -6.0, 2.0),
        found(0, BREACH, 1.0, 2.0),
        found(1, CLEAR, 9.0, 1.0),
        found(2, BREACH, 3.0, None),
    ]
    told += [found(3, BREACH, float("inf"), 1.0), found(-1, BREACH, 9.0, 1.0), found(4, DRIFT, 9.0, 1.0, 1)]
    monitors = [MONITORS["plain"], MONITORS["shadow"]]
    assert evidence_of(told, monitors, 5).tolist() == [3.0, 0.0, 1.0, 1.0, 0.0]
