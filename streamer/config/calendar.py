"""The config of the calendar: exceptional days and maintenance, in which nothing is judged and nothing is learned."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, Field

from streamer.config.problems import did_you_mean, quoted
from streamer.config.types import Date, Model, ModelName

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
Every = Literal[
    "day", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "month-start", "month-end"
]
ONE_DAY = timedelta(days=1)
CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]"
Dates = tuple[date, date]
"""The first and the last day."""
Local = tuple[datetime, datetime]
"""Begin and end of a span by the clock of the zone."""


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        known = available_timezones()
        if not known:
            raise ValueError(f"{quoted(name)}: this machine knows no time zones. Install its package tzdata.") from None
        raise ValueError(f"{quoted(name)} is no time zone.{did_you_mean(name, known)}") from None
    return name


def is_date(text: Any) -> bool:
    try:
        date.fromisoformat(text)
    except (TypeError, ValueError):
        return False
    return True


def is_clock(text: Any) -> bool:
    return isinstance(text, str) and re.fullmatch(CLOCK, text) is not None


def is_moment(text: Any) -> bool:
    if not isinstance(text, str) or not re.fullmatch(rf"\d{{4}}-\d\d-\d\dT{CLOCK}", text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _when(text: str) -> str:
    if not is_clock(text) and not is_moment(text):
        raise ValueError(
            f"{quoted(text)} is neither a time such as 2026-12-01T02:00 nor, with every, one such as 02:00."
        )
    return text


When = Annotated[str, AfterValidator(_when)]
Models = Annotated[list[ModelName], Field(description="Only of these models, names or patterns; default all.")]


class Day(Model):
    """Exceptional days, whole: one, several in a row, or one that comes again."""

    date: Date | None = Field(None, description="The day, 2026-12-25. This, or every.")
    to: Date | None = Field(None, description="The last day, where date is the first of several.")
    every: Every | None = Field(None, description="Each day of this kind: a weekday, or the first or last of a month.")
    models: Models = Field(default_factory=list)

    def local(self, around: Dates) -> Iterator[Local]:
        """Begin and end of its spans that may meet these days."""
        first, last = around
        if self.date is not None:
            begin = date.fromisoformat(self.date)
            end = begin if self.to is None else date.fromisoformat(self.to)
            if begin <= last and first <= end:
                yield midnight(begin), midnight(end + ONE_DAY)
        for day in days_of(self.every, first, last):
            yield midnight(day), midnight(day + ONE_DAY)


class Maintenance(Model):
    """A maintenance window: one, or one that comes again."""

    begin: When = Field(alias="from", description="When it begins: 2026-12-01T02:00; with every: 02:00.")
    end: When = Field(alias="to", description="When it is over, written alike; with every at the latest a day later.")
    every: Every | None = Field(None, description="On each day of this kind: day, a weekday, month-start, month-end.")
    models: Models = Field(default_factory=list)

    def local(self, around: Dates) -> Iterator[Local]:
        """Begin and end of its spans that may meet these days."""
        first, last = around
        if self.every is None:
            begin, end = datetime.fromisoformat(self.begin), datetime.fromisoformat(self.end)
            if begin.date() <= last and first <= end.date():
                yield begin, end
            return
        opens, closes = time.fromisoformat(self.begin), time.fromisoformat(self.end)
        for day in days_of(self.every, first - ONE_DAY, last):
            yield datetime.combine(day, opens), datetime.combine(day + ONE_DAY * (closes <= opens), closes)


class Calendar(Model):
    """Exceptional days and maintenance: nothing is judged in them, and nothing learned."""

    zone: Annotated[str, AfterValidator(_zone)] = Field("UTC", description="The time zone of all that follows.")
    days: list[Day] = Field(default_factory=list, description="Exceptional days: holidays, sales, the end of a month.")
    maintenance: list[Maintenance] = Field(default_factory=list, description="Hours in which others work on it.")


def midnight(day: date) -> datetime:
    return datetime.combine(day, time())


def days_of(every: str | None, first: date, last: date) -> Iterator[date]:
    """The days of a kind from `first` to `last`."""
    for number in range((last - first).days + 1 if every else 0):
        day = first + number * ONE_DAY
        fits = {"day": True, "month-start": day.day == 1, "month-end": (day + ONE_DAY).day == 1}
        if fits[every] if every in fits else WEEKDAYS[day.weekday()] == every:
            yield day
