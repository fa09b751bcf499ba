"""The calendar's config: what it takes, and one clear sentence with its place for what it does not."""

from __future__ import annotations

from datetime import date

import pytest

from streamer.config.calendar import days_of
from streamer.config.load import check, load_text
from tests.signals.events import HEAD

GOOD = """calendar:
  zone: Europe/Amsterdam
  maintenance: [{from: 2026-12-01T02:00, to: 2026-12-01T04:00, models: [m]}, {every: sunday, from: 23:00, to: 01:00}]
  days: [{date: 2026-12-25}, {date: 2026-12-30, to: 2027-01-01}, {every: month-end}]
"""


def said(calendar: str) -> list[str]:
    _, problems = check(f"{HEAD}calendar:\n  {calendar}\n".encode(), "c.yaml", {})
    return [f"{problem.path}: {problem.message}" for problem in problems]


def test_a_calendar_is_read_and_belongs_to_the_hash() -> None:
    config, plain = load_text(HEAD + GOOD, "x", {}), load_text(HEAD, "x", {})
    assert config.calendar.maintenance[0].models == ["m"]
    assert [day.every for day in config.calendar.days] == [None, None, "month-end"]
    assert config.config_hash != plain.config_hash


@pytest.mark.parametrize(
    ("calendar", "message"),
    [
        ("zone: Europe/Amsterdm", "zone: 'Europe/Amsterdm' is no time zone. Did you mean 'Europe/Amsterdam'?"),
        ("zone: ../etc/passwd", "zone: '../etc/passwd' is no time zone."),
        ("maintenence: []", "maintenence: unknown field. Did you mean 'maintenance'?"),
        ("days: [{date: christmas}]", "days[0].date: 'christmas' is not a date such as 2026-01-31."),
        ("days: [{date: 2026-12-25, every: monday}]", "days[0]: either date or every, not both."),
        ("days: [{}]", "days[0]: needs date or every."),
        ("days: [{every: monday, to: 2026-12-25}]", "days[0].to: goes with date, not with every."),
        ("days: [{date: 2026-12-25, to: 2026-12-24}]", "days[0].to: 2026-12-24 is before 2026-12-25."),
        ("days: [{every: sonday}]", "days[0].every: 'sonday' is not one of them. Did you mean 'sunday'?"),
        (
            "maintenance: [{from: 2026-12-01T02:00, to: 04:00}]",
            "maintenance[0].to: without every it is written as 2026-12-01T02:00.",
        ),
        (
            "maintenance: [{every: day, from: 2026-12-01T02:00, to: 04:00}]",
            "maintenance[0].from: with every it is written as 02:00.",
        ),
        (
            "maintenance: [{from: 2026-12-01T02:00, to: 2026-12-01T02:00}]",
            "maintenance[0].to: 2026-12-01T02:00 is not after 2026-12-01T02:00.",
        ),
        ("maintenance: [{to: 2026-12-01T02:00}]", "maintenance[0].from: is needed and has no default."),
        (
            "maintenance: [{from: 2026-02-30T02:00, to: 2026-12-01T02:00}]",
            "maintenance[0].from: '2026-02-30T",
        ),
    ],
)
def test_what_a_calendar_cannot_be(calendar: str, message: str) -> None:
    [found] = said(calendar)
    assert found.startswith(f"calendar.{message}")


def test_days_of_a_kind() -> None:
    march = date(2024, 2, 1), date(2024, 3, 1)
    assert [day.day for day in days_of("month-end", *march)] == [29]
    assert [day.isoformat() for day in days_of("month-start", *march)] == ["2024-02-01", "2024-03-01"]
    assert [day.day for day in days_of("sunday", *march)] == [4, 11, 18, 25]
    assert len([*days_of("day", *march)]) == 30
    assert not [*days_of(None, *march)]
