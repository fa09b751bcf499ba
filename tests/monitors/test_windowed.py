"""Verdicts over windows: a share of ones by size and by chance, and evidence where somebody sees it."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from schemas.events.batch import Record
from schemas.events.native_json import decode
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.task import Task
from streamer.monitors.finding import BREACH, CLEAR, NEITHER, Finding
from streamer.monitors.windowed import CountedMonitor
from tests.alerts.windows import AT, BEGIN_MS, told
from tests.engine.tasks import news
from tests.signals.events import HEAD, batch_of

SHARE = """
version: 1
kafka: {brokers: "b:1"}
topics: {events: [inferences], windows: drift-windows}
reference: {warmup: 400}
monitors: {share: {signal: label.yes, window: {events: %d}, detect: {kind: share}}}
"""


def shares(window: int, then: float, seed: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Windows and alerts of a label that a tenth of 2,000 events have, and then another share of 2,000 more."""
    config, rng = load_text(SHARE % window, "x", {}), random.Random(seed)
    events = [
        {"model": "m", "prediction": {"label": "yes" if rng.random() < (0.1 if i < 2000 else then) else "no"}}
        for i in range(4000)
    ]
    task = Task(config, AT, 0)
    records = [Record(i, BEGIN_MS + i * 1000, None, json.dumps(event).encode()) for i, event in enumerate(events)]
    task.step(decode(records, fields_of(config), AT[0]))
    return told(task.outbox), [alert for alert in news(task.outbox) if alert["status"] == "firing"]


@pytest.mark.parametrize(("then", "direction"), [(0.25, "up"), (0.01, "down")])
def test_a_share_is_judged_by_size_and_by_chance(then: float, direction: str) -> None:
    windows, [alert] = shares(500, then, 1)
    assert [w["ended"] for w in windows] == ["insufficient", *["evaluated"] * 7]  # The first taught the reference.
    assert windows[0]["limit"] is None
    assert (alert["direction"], alert["trigger"]["offset"]) == (direction, 2499)
    window = alert["evidence"]["window"]
    low, high = window["interval"]
    assert low < window["fraction"] < high
    assert not low <= alert["evidence"]["before"]["mean"] <= high
    # The same shares in windows of 40: as large a change, which chance could do unless the window shows far more.
    assert all(found["evidence"]["window"]["fraction"] > 0.35 for found in shares(40, then, 1)[1])


def test_healthy_shares_are_silent() -> None:
    assert [shares(200, 0.1, seed)[1] for seed in range(20)] == [[]] * 20


def judged(detect: str, counts: list[tuple[int, int]]) -> list[tuple[str, str]]:
    """(signal, how it ended) of windows of so many events and ones each."""
    monitor = f"{{signal: error, window: {{time: 10s}}, detect: {detect}}}"
    task = Task(load_text(f"{HEAD}limits: {{lateness: 0s}}\nmonitors: {{m: {monitor}}}\n", "x", {}), AT, 0)
    events = [
        {"time": 10 * window + i / n, "status": "500" if i < ones else "200"}
        for window, (n, ones) in enumerate([*counts, (1, 0)])
        for i in range(n)
    ]
    found: list[Finding] = []
    [made] = task.by_order
    assert isinstance(made, CountedMonitor)
    own = made.findings

    def noted(*given: Any) -> list[Finding]:
        found.extend(own(*given))
        return []

    made.findings = noted  # type: ignore[method-assign]
    task.step(batch_of(events))
    return [(finding.signal, finding.ended) for finding in found]


def test_a_fraction_breaches_above_its_limit_and_clears_below_another() -> None:
    detect = "{kind: fraction, max: 0.5, clear: 0.2, min_count: 10}"
    windows = [(10, 5), (10, 6), (10, 3), (10, 2), (9, 9)]
    assert judged(detect, windows) == [
        (NEITHER, "evaluated"),
        (BREACH, "evaluated"),
        (NEITHER, "evaluated"),
        (CLEAR, "evaluated"),
        (NEITHER, "insufficient"),
    ]


@pytest.mark.parametrize("detect", ["{kind: fraction, max: 0.5}", "{kind: share, change: 1.5}"])
def test_a_window_of_few_events_is_enough_when_it_is_full(detect: str) -> None:
    """Nobody says a window of 12 events in order to be told nothing: `min_count` is about windows of time."""
    given = f"monitors: {{m: {{signal: error, window: {{events: 12}}, detect: {detect}}}}}\n"
    task = Task(load_text(HEAD + given, "x", {}), AT, 0)
    task.step(batch_of([{"status": "error" if i >= 600 or i % 5 == 0 else "ok"} for i in range(720)]))
    [monitor] = task.by_order
    assert monitor.ended()["m"]["evaluated"] >= 50
    assert [json.loads(out.value or b"")["data"]["status"] for out in task.outbox if out.topic == "alerts"] == [
        "firing"
    ]


WATCHED = """
version: 1
kafka: {brokers: "b:1"}
topics: {events: [inferences]%s}
reference: {warmup: 200}
monitors:
  shape: {signal: features.x, window: {events: 200}, detect: {kind: distribution}}
  fraction: {signal: missing.x, window: {events: 200}, detect: {kind: fraction, max: 0.05}}
  share: {signal: label.y, window: {events: 200}, detect: {kind: share}}
  level: {signal: mean(features.x), window: {time: 1m}, detect: {kind: level}}
"""


def test_evidence_is_made_where_somebody_sees_it() -> None:
    """It is dearer than the verdict: so of a healthy window only where every window is published."""
    rng, alerts, seen = random.Random(3), list[Any](), list[set[tuple[int, bool, bool]]]()
    events = [
        {"model": "m", "features": {"x": rng.gauss(3 * (i >= 2000), 1)}, "prediction": {"label": rng.choice("yn")}}
        for i in range(3000)
    ]
    records = [Record(i, BEGIN_MS + i * 1000, None, json.dumps(event).encode()) for i, event in enumerate(events)]
    for windows in ("", ", windows: drift-windows"):
        task = Task(load_text(WATCHED % windows, "x", {}), AT, 0)
        findings, decide = list[Finding](), task.book.decide
        task.book.decide = lambda *given, said=findings, decide=decide: (said.extend(given[3]), decide(*given))[1]  # type: ignore[method-assign]
        task.step(decode(records, fields_of(task.config), AT[0]))
        alerts.append([(alert["sentence"], alert["evidence"]) for alert in news(task.outbox)])
        seen.append({(f.monitor, f.signal == BREACH, f.evidence is not None) for f in findings if f.ended})
    names = [*task.monitors]
    quiet = {(names.index(name), False) for name in ("shape", "fraction", "share", "level")}
    assert {(monitor, breach) for monitor, breach, _ in seen[0]} == {(names.index("shape"), True), (3, True)} | quiet
    assert all(breach == shown for _, breach, shown in seen[0])
    assert all(shown for *_, shown in seen[1])
    assert alerts[0] == alerts[1] != []
