"""Which alerts are one incident, what is told of it and when: by hand, and by a model of the rule on random streams."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.incidents import book as incidents
from streamer.incidents.book import OPENED, RESOLVED, UPDATED, IncidentBook, Member


def member(name: str, onset_ms: int, time_ms: int, severity: str = "warning", size: float = 1.0) -> Member:
    return Member(
        name, f"{name}-t-0-{time_ms}", "monitor", name, severity, f"{name} moved", size, onset_ms, onset_ms, 0, time_ms
    )


class Told:
    """A book, and what it tells after each event."""

    def __init__(self) -> None:
        self.book = IncidentBook()

    def fired(self, *members: Member, model: str = "m") -> list[tuple[Any, ...]]:
        for one in members:
            self.book.fired(model, one)
        return self.now()

    def resolved(self, *names: str) -> list[tuple[Any, ...]]:
        for name in names:
            self.book.resolved(name)
        return self.now()

    def now(self) -> list[tuple[Any, ...]]:
        return [(what, i.id, i.told, len(i.members), len(i.open)) for what, i in self.book.changes()]


def test_a_series_that_was_back_did_not_begin_again_before_it_was_found() -> None:
    told = Told()
    told.fired(member("a", 50, 100))
    told.resolved("a")
    assert told.fired(member("a", 90, 200)) == [(OPENED, "incident-a-t-0-200", 1, 1, 1)]
    told.fired(member("b", 150, 250))
    told.resolved("a", "b")
    assert told.fired(member("a", 90, 300)) == [(OPENED, "incident-a-t-0-200", 4, 2, 1)], "what b began goes on"


def test_what_comes_and_goes_is_one_incident() -> None:
    told, first = Told(), "incident-a-t-0-100"
    told.fired(member("a", 50, 100))
    told.resolved("a")
    told.book.fired("m", member("a", 290, 300), again=True)
    assert told.now() == [(OPENED, first, 3, 1, 1)]
    assert told.fired(member("c", 280, 310)) == [(UPDATED, first, 4, 2, 2)], "slower, and of the same time"
    told.resolved("a", "c")
    told.book.fired("m", member("z", 390, 400), again=True)
    assert [one[1] for one in told.now()] == ["incident-z-t-0-400"], "it was no member"


def test_what_began_together_is_one_incident_from_first_to_last() -> None:
    told = Told()
    first = "incident-a-t-0-100"
    assert told.fired(member("a", 50, 100)) == [(OPENED, first, 1, 1, 1)]
    assert told.fired(member("b", 90, 120)) == [(UPDATED, first, 2, 2, 2)], "began before the first was told"
    assert told.fired(member("c", 110, 130)) == [(UPDATED, first, 3, 3, 3)], "and this before the second was"
    assert told.fired(member("d", 150, 200)) == [(OPENED, "incident-d-t-0-200", 1, 1, 1)]
    assert told.resolved("a") == told.resolved("c") == []
    assert told.resolved("b") == [(RESOLVED, first, 4, 3, 0)]
    assert told.resolved("b") == told.resolved("unknown") == []
    assert list(told.book.incidents) == ["incident-d-t-0-200"], "nobody can join the older one any more"


def test_a_window_reaches_further_back_than_it_shows() -> None:
    told = Told()
    told.fired(member("a", 50, 100))
    [(what, first, *_)] = told.fired(member("w", 130, 160)._replace(earliest_ms=100))
    assert (what, told.book.incidents[first].since_ms) == (UPDATED, 50)
    told.fired(member("v", 300, 350)._replace(earliest_ms=250))
    assert told.book.incidents["incident-v-t-0-350"].since_ms == 300


def test_alerts_of_one_event_are_one_change() -> None:
    told = Told()
    assert told.fired(member("a", 50, 100), member("b", 60, 100), member("c", 99, 100)) == [
        (OPENED, "incident-a-t-0-100", 1, 3, 3)
    ]
    assert told.resolved("c", "a", "b") == [(RESOLVED, "incident-a-t-0-100", 2, 3, 0)]


def test_one_that_fires_and_is_over_at_the_same_event_is_told_twice() -> None:
    told = Told()
    told.book.fired("m", member("a", 50, 100))
    assert [row[0] for row in told.resolved("a")] == [OPENED, RESOLVED]


def test_who_joins_late_opens_the_same_incident_again() -> None:
    told = Told()
    told.fired(member("a", 50, 100))
    told.resolved("a")
    assert told.fired(member("slow", 80, 5000)) == [(OPENED, "incident-a-t-0-100", 3, 2, 1)]
    assert told.resolved("slow") == [(RESOLVED, "incident-a-t-0-100", 4, 2, 0)]
    assert told.fired(member("a", 5001, 5002)) == [(OPENED, "incident-a-t-0-5002", 1, 1, 1)]
    assert list(told.book.incidents) == ["incident-a-t-0-5002"]


def test_updated_is_told_of_members_and_severity_only() -> None:
    told = Told()
    told.fired(member("a", 50, 100, "info"), member("b", 50, 100, "info"))
    told.resolved("a")
    assert told.fired(member("a", 90, 150, "info")) == [], "it fires again: no member that was not there"
    assert told.book.incidents["incident-a-t-0-100"].count == 2
    told.resolved("a")
    assert [row[0] for row in told.fired(member("a", 90, 160, "critical"))] == [UPDATED]
    assert told.book.incidents["incident-a-t-0-100"].severity == "critical"
    assert [row[0] for row in told.fired(member("c", 90, 170, "warning"))] == [UPDATED]
    assert told.book.incidents["incident-a-t-0-100"].severity == "critical"


def test_a_storm_is_told_in_few_records_of_bounded_size() -> None:
    told = Told()
    changes = [change for i in range(1000) for change in told.fired(member(f"s{i}", 50, 100 + i))]
    [incident] = told.book.incidents.values()
    assert (incident.count, len(incident.members), len(incident.open)) == (1000, incidents.MEMBERS_MAX, 1000)
    assert len(changes) == incidents.MEMBERS_MAX + 5  # 32, 64, 128, 256, 512
    assert told.resolved(*(f"s{i}" for i in range(999))) == []
    assert [row[0] for row in told.resolved("s999")] == [RESOLVED]


def test_what_is_over_is_kept_for_so_many_models() -> None:
    told = Told()
    for i in range(incidents.ENDED_MAX + 40):
        told.fired(member(f"s{i}", 1000 * i, 1000 * i), model=f"m{i}")
        told.resolved(f"s{i}")
    book = told.book
    assert len(book.incidents) == len(book.ended) == len(book.newest) == incidents.ENDED_MAX
    assert not book.of
    assert book.open_by_model() == {}


def test_models_that_changed_together_are_a_fleet() -> None:
    told = Told()
    told.fired(member("a", 50, 100), model="one")
    first, second = "incident-a-t-0-100", "incident-b-t-0-120"
    found = told.fired(member("b", 90, 120), model="two")
    assert [(what, id) for what, id, *_ in found] == [(OPENED, second), (UPDATED, first)]
    [third] = told.fired(member("c", 110, 130), model="three")
    assert third[:2] == (OPENED, "incident-c-t-0-130")
    assert {i.fleet for i in told.book.incidents.values()} == {"fleet-a-t-0-100"}
    told.fired(member("d", 500, 510), model="four")
    assert told.book.incidents["incident-d-t-0-510"].fleet == ""


def test_one_model_is_no_fleet_and_the_past_of_another_clock_neither() -> None:
    told = Told()
    told.fired(member("a", 5000, 5010), model="one")
    told.fired(member("b", 5020, 5030), model="one")
    told.fired(member("c", 10, 20), model="two")
    assert {i.fleet for i in told.book.incidents.values()} == {""}


def test_alerts_that_are_gone_after_a_restart_end_their_incident_with_the_next_tick() -> None:
    told = Told()
    told.fired(member("a", 50, 100), member("b", 50, 100))
    told.fired(member("c", 500, 600))
    later = Told()
    later.book.load(told.book.dump(), {"c"})
    assert later.now() == []
    later.book.settle()
    assert later.now() == [(RESOLVED, "incident-a-t-0-100", 2, 2, 0)]
    later.book.settle()
    assert later.now() == []
    assert list(later.book.incidents) == ["incident-c-t-0-600"]


def test_a_snapshot_of_before_there_were_incidents_has_none_and_one_that_cannot_be_is_refused() -> None:
    told = Told()
    told.book.load(None, {"a"})
    assert told.resolved("a") == []
    told.fired(member("a", 50, 100))
    state = told.book.dump()
    state["incidents"][0]["severity"] = "dire"
    with pytest.raises(ValueError, match="cannot be"):
        IncidentBook().load(state, {"a"})


def test_two_series_that_look_the_same_break_nothing() -> None:
    told = Told()
    told.fired(member("a", 50, 100), member("a", 60, 100))
    assert [row[0] for row in told.resolved("a", "a")] == [RESOLVED]


Steps = list[tuple[int, str, int, int, str]]
STEPS = st.lists(
    st.tuples(
        st.integers(0, 40),  # time since the step before
        st.sampled_from(("one", "two")),
        st.integers(0, 4),  # series
        st.integers(0, 90),  # how long before the trigger it began
        st.sampled_from(("info", "warning", "critical")),
    ),
    max_size=60,
)


def play(book: IncidentBook, steps: Steps, now_ms: int, firing: set[str]) -> tuple[list[Any], int]:
    """A series that is quiet fires, one that fires is over."""
    told: list[Any] = []
    for passed_ms, model, series, before_ms, severity in steps:
        now_ms += passed_ms
        name = f"{model}{series}"
        if name in firing:
            firing.remove(name)
            book.resolved(name)
        else:
            firing.add(name)
            book.fired(model, member(name, now_ms - before_ms, now_ms, severity))
        for what, i in book.changes():
            told.append((what, i.id, i.told, i.severity, [m.episode for m in i.members], len(i.open), i.fleet))
    return told, now_ms


@given(steps=STEPS, cut=st.integers(0, 60))
def test_a_restart_anywhere_changes_nothing_and_every_record_is_news(steps: Steps, cut: int) -> None:
    whole, once = IncidentBook(), set[str]()
    told, _ = play(whole, steps, 1000, once)
    first, firing = IncidentBook(), set[str]()
    before, now_ms = play(first, steps[:cut], 1000, firing)
    second = IncidentBook()
    second.load(json.loads(json.dumps(first.dump())), firing)
    after, _ = play(second, steps[cut:], now_ms, firing)
    assert before + after == told
    assert json.dumps(second.dump()) == json.dumps(whole.dump())
    assert len({row[1:3] for row in told}) == len(told), "an id comes once"
    open_now: dict[str, bool] = {}
    for what, id, sequence, *_ in told:
        assert sequence == sum(row[1] == id for row in told[: told.index((what, id, sequence, *_)) + 1])
        assert open_now.get(id, False) == (what != OPENED)
        open_now[id] = what != RESOLVED
    assert {id for id, is_open in open_now.items() if is_open} == {i.id for i in whole.incidents.values() if not i.over}
    assert sorted(whole.of) == sorted(once), "every open alert is in one incident, and nothing else is"
