"""The scorer: exact limits, what counts as one incident, and what counts as found."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.quality.drive import AT, Alert, alerts_of, least
from benchmarks.quality.faults import FAULTS, HOUR_MS, ONSET_MS
from benchmarks.quality.healthy import SCHOOL_MS, Size, fault_of, rates
from benchmarks.quality.scores import by_product, clock, drifts, each_alert, judge, limits, together
from benchmarks.quality.weeks import KINDS
from schemas.events.batch import Record
from schemas.events.native_json import decode
from streamer.config.decoder_fields import fields_of
from streamer.engine.task import Task


def alert(signal: str, time_ms: int, onset_ms: int | None = None, status: str = "firing", model: str = "m") -> Alert:
    onset_ms = time_ms if onset_ms is None else onset_ms
    return Alert(status, model, "monitor", signal, f"signal={signal}", onset_ms, time_ms, 0, "said")


@pytest.mark.parametrize(
    ("count", "low", "high"), [(0, 0.0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.390), (100, 81.36, 121.63)]
)
def test_limits_are_those_of_garwood(count: int, low: float, high: float) -> None:
    assert limits(count, 1) == pytest.approx((low, high), rel=1e-3)
    assert limits(count, 10) == pytest.approx((low / 10, high / 10), rel=1e-3)


def test_an_incident_counts_whenever_the_product_tells_that_it_opened() -> None:
    alerts = [alert("a", 100), alert("", 100, status="incident"), alert("b", 120), alert("a", 210, status="resolved")]
    alerts += [alert("", 300, status="incident"), alert("", 101, status="incident", model="other")]
    assert by_product(alerts) == [("m", 100), ("m", 300), ("other", 101)]
    assert len(each_alert(alerts)) == 2


def test_incidents_of_the_product_are_read_from_its_outbox() -> None:
    records = [
        {"model": "m", "features": {"x": float(i * 7919 % 101 + 1000 * (i >= 2000))}, "time": 1_700_000_000 + i}
        for i in range(3000)
    ]
    task = Task(least(), AT, 0)
    lines = [Record(i, -1, None, json.dumps(event).encode()) for i, event in enumerate(records)]
    task.step(decode(lines, fields_of(least()), AT[0]))
    found = alerts_of(task)
    assert len(each_alert(found)) > 1
    [incident] = by_product(found)
    assert incident == ("m", each_alert(found)[0].time_ms)


def test_school_and_after_are_counted_apart() -> None:
    found = rates([alert("a", SCHOOL_MS - 1), alert("a", SCHOOL_MS), alert("b", SCHOOL_MS + 5)], 2)
    assert (found["alerts"]["school"]["count"], found["alerts"]["after"]["count"]) == (1, 2)
    assert found["alerts"]["after"]["rate"] == 0.5


TIMES = ONSET_MS + np.arange(-1000, 5000) * 60_000
FAULT = FAULTS["stuck value"]


def test_a_fault_is_found_by_the_right_signal_and_its_delay_counts_the_event_that_told() -> None:
    told = [alert("features.x", ONSET_MS + 9 * 60_000), alert("features.u", ONSET_MS + 10 * 60_000)]
    found = judge(FAULT, [], [], told, TIMES)
    assert (found.found, found.first_right, found.events, found.minutes, found.alerts) == (True, False, 11, 10.0, 2)
    assert judge(FAULT, [], [], told[1:], TIMES).first_right
    assert not judge(FAULT, [], [], told[:1], TIMES).found


def test_what_the_healthy_twin_tells_as_well_is_no_finding() -> None:
    mine = alert("features.u", ONSET_MS + 10 * 60_000)
    near, far = mine._replace(time_ms=mine.time_ms + 60_000), mine._replace(time_ms=mine.time_ms + 5 * HOUR_MS)
    assert judge(FAULT, [], [near], [mine], TIMES)[:2] == (False, False)
    late = judge(FAULT, [], [far], [mine], TIMES)
    assert (late.found, late.by_chance) == (True, True)


def test_late_is_not_found_and_what_was_open_before_is_said() -> None:
    late = alert("features.u", ONSET_MS + int(FAULT.within_h + 1) * HOUR_MS)
    before = [alert("features.u", ONSET_MS - 5), alert("features.v", ONSET_MS - 4)]
    found = judge(FAULT, before, [], [late], TIMES)
    assert (found.found, found.open_before, found.alerts) == (False, True, 1)
    over = [*before, alert("features.u", ONSET_MS - 3, status="resolved")]
    assert not judge(FAULT, over, [], [late], TIMES).open_before


def test_every_fault_is_met_about_as_often() -> None:
    for size in (Size(1, 2, 1.0), Size(10, 1, 1.0)):
        met = [fault_of(k, m, b, size) for k in KINDS for m in range(size.models) for b in range(size.branches)]
        counts = [met.count(fault) for fault in FAULTS]
        assert max(counts) - min(counts) <= 1


def test_drifts_are_scored_strictly_and_merged() -> None:
    windows = [(100.0, 200.0), (300.0, 400.0), (500.0, 600.0)]
    found = drifts([150, 160, 250, 310], windows)
    assert found[:4] == (2, 1, 1, 1)
    assert found.delays == (50, 10)
    assert found.f1 == pytest.approx(4 / 7)
    assert found.f1_merged == pytest.approx(4 / 6)
    assert together([found, found])[:4] == (4, 2, 2, 2)
    assert clock(700, 6, windows)[:4] == (3, 0, 3, 0)
