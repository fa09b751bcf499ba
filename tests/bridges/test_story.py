"""What is said of one alert or incident."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.bridges.story import figure, lasting, story
from streamer.bridges.told import Told, told
from tests.bridges.samples import changed, incidents, of


def read(value: bytes) -> Told:
    found = told(value)
    assert found is not None
    return found


def test_an_alert_is_told_from_its_records() -> None:
    said = story(of("amount-mean"))
    assert said.state == "RESOLVED"
    assert [what for _, what in said.timeline] == ["fired", "told again: it still holds", "resolved: recovered"]
    facts = dict(said.facts)
    assert facts["found"] == "2026-01-01T00:01:44.300Z, at inferences[0]@1043"
    assert facts["before"].startswith("mean 100.7, spread 9.7")
    assert facts["description"] == "The <amount> & co."
    assert [one.name for one in said.stretches] == ["before", "after", "now"]
    assert said.command.startswith("driftline replay -c driftline.yaml")
    assert said.next_step.startswith("Nothing has to be done")
    assert said.notes == []


def test_now_has_a_spread_only_where_that_is_what_moved() -> None:
    said = story(of("amount-mean"))
    now = next(one for one in said.stretches if one.name == "now")
    assert now.std is None
    assert "spread" not in dict(said.facts)["now"]
    last = of("amount-mean")[-1]
    level = {**last.record["data"]["level"], "spread": True}
    wide = story([read(changed(last, data__level=level))])
    assert f"spread {figure(level['now']['std'])}" in dict(wide.facts)["now"]


def test_what_fires_says_when_it_began() -> None:
    fired = of("amount-mean")[0]
    onset = fired.record["data"]["evidence"]["onset"]["time"]
    assert f"shortly before {onset}" in story([fired]).next_step


def test_a_window_has_shares_that_moved() -> None:
    said = story(of("amount-shape"))
    assert next((one.name, one.before, one.after) for one in said.shares) == ("from 112.9 on", 0.1, 1.0)
    assert "500 events, distance 6.156" in dict(said.facts)["window"]
    assert "shortly before 2026-01-01T00:01:40.000Z" in said.next_step  # Where its window begins.


def test_what_was_deployed_the_day_before_is_the_first_thing_to_look_at() -> None:
    fired = of("amount-mean")[0]  # It began at 00:01:40 and is told at 00:01:44.
    at = ("2025-12-31T00:01:39Z", "2025-12-31T20:00:00Z", "2026-01-01T00:01:43Z", "2026-01-01T00:01:50Z")
    said = story([fired], [{"time": time, "text": f"n{number}"} for number, time in enumerate(at)])
    assert said.deployed == [
        ("4 h before it began", f"n1, {at[1]}"),
        ("3 s after it began", f"n2, {at[2]}"),
    ]
    assert said.next_step.startswith("Look at what was deployed or changed 4 h before it began: n1. The command")
    over = story(of("amount-mean"), [{"time": at[1], "text": "n1"}])
    assert (len(over.deployed), over.next_step[:15]) == (1, "Nothing has to ")


@pytest.mark.parametrize(("ms", "text"), [(0, "0 s"), (119_400, "119 s"), (7_100_000, "118 min"), (172_800_000, "2 d")])
def test_a_time_span_is_in_its_largest_unit(ms: int, text: str) -> None:
    assert lasting(ms) == text


def test_an_incident_has_members() -> None:
    said = story(incidents()[:2])
    assert (said.state, len(said.members)) == ("OPEN", 2)
    assert [what for _, what in said.timeline] == ["opened: 1 alert, critical", "grew: 2 alerts, critical"]
    assert dict(said.facts)["alerts"] == "2 of 2 open when this was told"
    assert said.members[0][2] == of("amount-mean")[0].episode
    assert said.next_step == f"Look at the member that began first: driftline alerts show {said.members[0][2]} -c FILE"


@pytest.mark.parametrize(
    ("changes", "note", "step"),
    [
        ({"data__provisional": True}, "Provisional", "The series is in school"),
        ({"data__retained": True}, "history", "Nothing has to be done"),
        ({"data__evidence__tier": "school"}, None, "Compare with deployments"),
        ({"data__alert__labels": {"alertname": "RecordsLate", "severity": "info"}}, None, "the first such record"),
    ],
)
def test_what_is_special_is_said(changes: dict[str, Any], note: str | None, step: str) -> None:
    said = story([read(changed(of("nulls")[0], **changes))])
    assert step in said.next_step
    assert [note in one for one in said.notes] == ([] if note is None else [True])


def test_records_that_cannot_be_used_are_named() -> None:
    first = {"topic": "in", "partition": 3, "offset": 7, "reason": "bad_json", "detail": "byte 0", "hint": "gzip"}
    said = story([read(changed(of("nulls")[0], data__records={"first": first, "now": {}}, data__statistic=None))])
    facts = dict(said.facts)
    assert facts["first record"] == "in[3]@7: bad_json, byte 0, gzip"
    assert "statistic" not in facts


@pytest.mark.parametrize(
    ("value", "text"), [(0.000123456, "0.0001235"), (5, "5"), (None, "–"), (True, "–"), ("x", "–")]
)
def test_numbers_have_as_many_digits_as_are_compared(value: object, text: str) -> None:
    assert figure(value) == text
