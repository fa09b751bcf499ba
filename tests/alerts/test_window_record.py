"""Windows that ended: each is published where the config asks for it, and together they hold every event."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.events.batch import Record
from schemas.events.native_json import decode
from streamer.alerts.alert_record import labels_of
from streamer.alerts.window_record import window_record
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.heartbeat import Watched, details
from streamer.engine.task import Task
from streamer.monitors.evidence import evidence
from streamer.monitors.finding import BREACH, NEITHER, Finding
from tests.alerts.windows import AT, BEGIN_MS, told
from tests.engine.tasks import by_topic

TEXT = """
version: 1
kafka: {brokers: "b:1"}
topics: {events: [inferences]%s}
reference: {warmup: 100}
limits: {lateness: 5s}
monitors:
  odd: {signal: anomaly, by: [caller], window: {events: 150}, detect: {kind: fraction, max: 0.05}}
  errors: {signal: error, window: {time: 1m}, detect: {kind: fraction, max: 0.05, min_count: 50}}
  bins: {signal: features.*, window: {events: 200}, detect: {kind: distribution}}
  rate: {signal: traffic, window: {time: 1m}, detect: {kind: level}}
"""
CONFIG = load_text(TEXT % ", windows: drift-windows", "x", {})


def event(number: int, time_ms: int) -> Record:
    odd = number % 10 == 0 and 2000 <= number < 2400
    value: dict[str, Any] = {
        "model": "fraud",
        "time": time_ms / 1000,
        "caller": ("app", "batch")[number % 3 == 0],
        "status": "500" if number % 40 == 0 else "200",
        "features": {"a": 1000.0 if odd else float(number * 7919 % 101)},
    }
    return Record(number, -1, None, json.dumps(value).encode())


def run(records: list[Record], cut: int = 10_000) -> Task:
    task = Task(CONFIG, AT, 0)
    for begin in range(0, len(records), cut):
        task.step(decode(records[begin : begin + cut], fields_of(CONFIG), AT[0]))
    return task


STREAM = [event(i, BEGIN_MS + i * 500) for i in range(3000)]


def test_windows_by_count_hold_every_event_with_counts_interval_and_reasons() -> None:
    task = run(STREAM)
    odd = [w for w in told(task.outbox) if w["labels"]["monitor"] == "odd"]
    assert {w["labels"]["caller"] for w in odd} == {"app", "batch"}
    monitor = task.monitors["odd"]
    still_open = sum(w.n for windows in monitor.windows.open for w in windows.values())  # type: ignore[union-attr]
    learned_from = 2 * 100  # The reference of each caller: there is no verdict on these.
    assert sum(w["window"]["n"] for w in odd) + still_open + learned_from == task.admission.events["fraud"] == 3000
    flagged = [w for w in odd if w["window"]["count"]]
    assert any(w["breach"] for w in flagged)
    for window in (w["window"] for w in flagged):
        low, high = window["interval"]
        assert low < window["fraction"] == window["count"] / window["n"] < high
        assert window["reasons"][0]["reason"].startswith("features.a")
        assert window["count"] == sum(r["count"] for r in window["reasons"])


def test_every_window_has_a_record_also_without_a_verdict() -> None:
    """Ten minutes of silence in the middle: skipped windows are counted, not published."""
    pause = 1500
    stream = [event(i, BEGIN_MS + i * 500 + (600_000 if i >= pause else 0)) for i in range(3000)]
    thin = [event(3000 + i, BEGIN_MS + 3000 * 500 + 600_000 + i * 10_000) for i in range(60)]
    task = run([*stream, *thin])
    windows = told(task.outbox)
    errors = [w for w in windows if w["labels"]["monitor"] == "errors"]
    by_ending = {name: sum(w["ended"] == name for w in errors) for name in ("evaluated", "insufficient")}
    assert by_ending == {"evaluated": 26, "insufficient": 9}
    assert not any(w["breach"] for w in errors if w["ended"] == "insufficient")
    counts = task.monitors["errors"].ended()["fraud"]
    assert counts == {**by_ending, "late": 0, "skipped": 9}
    begin, end = errors[0]["window"]["from"], errors[-1]["window"]["to"]
    assert (begin, end) == ("2023-11-14T22:14:00.000Z", "2023-11-14T22:58:00.000Z")  # 44 minutes: none is missing.
    rates = [w for w in windows if w["labels"]["monitor"] == "rate"]
    assert [rates[0]["ended"], rates[-1]["ended"]] == ["insufficient", "evaluated"]
    published = {"evaluated": 0, "insufficient": 0}
    for window in windows:
        published[window["ended"]] += 1
    watched = Watched(task.admission, task.tables.values(), task.by_order, task.alerts(), {})
    in_all = details(watched)["fraud"]["windows"]
    assert {name: in_all[name] for name in published} == published
    assert in_all["skipped"] > 20  # Those of the traffic, too: also the first, and those around the silence.


@pytest.mark.parametrize("cut", [1, 7, 500])
def test_the_records_do_not_depend_on_the_batches_or_a_restart(cut: int) -> None:
    whole = run(STREAM)
    assert by_topic(run(STREAM, cut)) == by_topic(whole)
    first = run(STREAM[:1700], cut)
    second = Task.load(CONFIG, AT, first.dump())
    second.step(decode(STREAM[1700:], fields_of(CONFIG), AT[0]))
    assert by_topic(first, second) == by_topic(whole)
    assert second.dump() == whole.dump()


def test_without_a_topic_nothing_is_published_and_the_alerts_are_the_same() -> None:
    quiet = load_text(TEXT % "", "x", {})
    task = Task(quiet, AT, 0)
    task.step(decode(STREAM, fields_of(quiet), AT[0]))
    assert {out.topic for out in task.outbox} == {"alerts", "incidents"}
    triggers = [
        [json.loads(o.value or b"")["data"]["trigger"] for o in outs if o.topic == "alerts"]
        for outs in (task.outbox, run(STREAM).outbox)
    ]
    assert triggers[0] == triggers[1] != []


def test_a_record_is_made_of_the_finding_and_where_the_window_was_closed() -> None:
    task = run(STREAM[:400])
    [record] = [r for r in told(task.outbox) if r["labels"]["monitor"] == "bins"][:1]
    monitor = task.monitors["bins"]
    shown = evidence(0, 0.4, 0.2, None, None, record["window"])
    finding = Finding(17, monitor.order, 0, BREACH, shown, "evaluated")
    out = window_record(CONFIG, AT, monitor, finding, 4711)
    [made] = told([out])
    assert (made["breach"], made["limit"], made["ended"]) == (True, 0.2, "evaluated")
    assert made["closed_by"] == {"topic": "inferences", "partition": 0, "offset": 4711}
    assert (made["labels"], made["window"]) == (labels_of(monitor, 0), record["window"])
    quiet = window_record(CONFIG, AT, monitor, finding._replace(signal=NEITHER, ended="insufficient"), 4711)
    assert [told([quiet])[0][name] for name in ("breach", "ended")] == [False, "insufficient"]
