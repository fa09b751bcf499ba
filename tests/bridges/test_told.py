"""What a record is read as, and that nothing which is none of ours is taken for one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from schemas.records.alert import ms_of
from streamer.bridges.kinds import request_of, told_again
from streamer.bridges.told import Told, severity_of, told, told_again_within_ms
from streamer.commands.alert_text import line, table
from tests.bridges.samples import changed, incidents, of, records
from tests.bridges.test_kinds import bridges


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


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a record; of a list its first member."""
    if path:
        yield path
    members = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, member in members:
        yield from places(member, (*path, key))


def spoilt(one: Told, path: tuple[Any, ...], by: Any) -> bytes:
    record = orjson.loads(one.value)
    owner = record
    for part in path[:-1]:
        owner = owner[part]
    if by is GONE:
        del owner[path[-1]]
    else:
        owner[path[-1]] = by
    return orjson.dumps(record)


GONE = object()


@pytest.mark.parametrize("one", [of("amount-mean")[2], of("amount-shape")[0], incidents()[1]], ids=lambda one: one.id)
def test_a_record_that_is_not_as_ours_are_ends_nobody(one: Told) -> None:
    """It would end a bridge at each of its starts."""
    there = bridges().bridges.there()
    whole = odd = 0
    for path in places(one.record):
        for by in (GONE, None, 7, -1.5, "x", "9999-12-31T23:59:59Z", [], [[]], {}, {"a": None}):
            found = told(spoilt(one, path, by))
            if found is None:
                continue
            for kind in there if found.kind == "alert" else ("webhook", "slack", "pagerduty"):
                request = request_of(kind, there[kind], "https://page", found, 1_700_000_000_000)
                whole += request is not None
                odd += request is None
            told_again(there["alertmanager"], None, [found], 1_700_000_000_000)
            assert table([found])
            assert line(found)
            assert told_again_within_ms(found) >= 0
    assert whole > 10 * odd > 0
