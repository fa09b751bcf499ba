"""What a record is read as, and that nothing which is none of ours is taken for one."""

from __future__ import annotations

import orjson
import pytest

from streamer.bridges.told import ms_of, severity_of, told, told_again_within_ms
from tests.bridges.samples import changed, incidents, of, records


def test_an_alert_is_known_by_its_fingerprint_and_its_episode() -> None:
    fired, again, resolved = of("amount-mean")
    assert {one.key for one in (fired, again, resolved)} == {fired.record["partitionkey"]}
    assert {one.episode for one in (fired, again, resolved)} == {fired.record["correlationid"]}
    assert [one.over for one in (fired, again, resolved)] == [False, False, True]
    assert (fired.model, fired.severity, fired.kind) == ("fraud", "critical", "alert")
    assert fired.since == fired.record["data"]["trigger"]["time"]


def test_an_incident_is_known_by_its_name() -> None:
    opened, grown, *_ = incidents()
    assert opened.key == opened.episode == grown.key
    assert (opened.monitor, opened.model, opened.over) == ("", "fraud", False)
    assert told(changed(grown, data__status="resolved")).over  # type: ignore[union-attr]


def test_what_is_none_of_ours_is_nothing() -> None:
    fired = of("amount-mean")[0]
    strange = [
        None,
        b"",
        b"{}",
        b"[1]",
        b"\xff",
        orjson.dumps({"type": "io.driftline.alert.firing.v1"}),
        changed(fired, type="io.driftline.heartbeat.v1"),
        changed(fired, type="io.driftline.alert.firing.v2"),
        changed(fired, type="io.driftline.audit.command.v1"),
        changed(fired, data__alert__startsAt="yesterday"),
        changed(fired, data__alert__labels=7),
        changed(incidents()[0], data__since=None),
    ]
    assert [told(value) for value in strange] == [None] * len(strange)


def test_members_that_are_new_change_nothing() -> None:
    fired = of("amount-mean")[0]
    more = told(changed(fired, data__acknowledged="by whom"))
    assert more is not None
    assert more[:11] == fired[:11]


@pytest.mark.parametrize("text", ["emergency", "", None, 3])
def test_a_severity_that_is_not_known_is_the_highest(text: object) -> None:
    assert severity_of(text) == "critical"


def test_it_says_itself_when_it_is_told_again_at_the_latest() -> None:
    assert told_again_within_ms(of("amount-mean")[0]) == 4 * 60_000
    assert told_again_within_ms(incidents()[0]) == 0
    assert ms_of("1970-01-01T00:00:01.500Z") == 1500
    assert len(records()) == 8
