"""Whether a text depends on the day alone, as a weekday's name does: one text a day, and another one from midnight on.

Of such a text a warm-up sees as many as days: what comes at midnight is no news while no week was seen, once it has
changed so a few times, or on the first of a month. Midnight is when it changes, whatever the time zone: the first time
at a full hour, and from there on at the same time of the day, or an hour off, as twice a year. With the first text that
comes at another time it is like any other.

>>> day, by_day = 86_400_000, ByDay()
>>> [by_day.take(text, at) for text, at in (("Mon", 0), ("Mon", day - 1), ("Tue", day), ("Wed", 2 * day + 5))]
[True, True, True, True]
>>> by_day.expected(), by_day.take("Mon", 2 * day + 7)
(True, False)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from detectors.extremes import DAY_MS

HOUR_MS = 3_600_000
WEEK_MS = 7 * DAY_MS
SURE = 3
"""So often it has changed at midnight."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZONES_MS = 14 * HOUR_MS
"""No clock on earth is further ahead of another one's midnight, or behind it, than that."""


@dataclass(slots=True)
class ByDay:
    """The text of the day and the one before it, when the first came and the newest of the day; `after_ms` and `by_ms`:
    it was midnight after the one and by the other.
    """

    text: str = ""
    before: str = ""
    changes: int = -1  # before the first text
    first_ms: int = 0
    newest_ms: int = 0
    after_ms: int = 0
    by_ms: int = 0

    def take(self, text: str, time_ms: int) -> bool:
        """Another text; whether it may still be of a day."""
        if self.changes < 0:
            self.text, self.changes, self.first_ms, self.newest_ms = text, 0, time_ms, time_ms
            return True
        if text == self.text:
            self.newest_ms = max(self.newest_ms, time_ms)
            self.by_ms = min(self.by_ms, time_ms)
            return self.changes == 0 or time_ms > self.after_ms
        if self.changes and text == self.before and time_ms < self.by_ms:
            self.after_ms = max(self.after_ms, time_ms)
            return True
        return self._turns(text, time_ms)

    def _turns(self, text: str, time_ms: int) -> bool:
        """The text changes; whether that may be at midnight."""
        found = self._midnight(self.newest_ms, time_ms)
        if found is None:
            return False
        self.after_ms, self.by_ms = found
        self.before, self.text, self.newest_ms, self.changes = self.text, text, time_ms, self.changes + 1
        return True

    def _midnight(self, after_ms: int, by_ms: int) -> tuple[int, int] | None:
        """When it is between the two, as far as is known by now."""
        if self.changes == 0:
            return (after_ms, by_ms) if by_ms // HOUR_MS * HOUR_MS > after_ms else None
        for shift in (0, HOUR_MS, -HOUR_MS):
            days = (by_ms - self.after_ms - shift) // DAY_MS
            for day in (days, days - 1):
                on = day * DAY_MS + shift
                found = max(after_ms, self.after_ms + on), min(by_ms, self.by_ms + on)
                if day > 0 and found[0] < found[1]:
                    return found
        return None

    def expected(self) -> bool:
        """Whether the text of this day is no news, though nobody has seen it before."""
        if self.changes <= 0:
            return False
        return self.changes > SURE or self.by_ms - self.first_ms <= WEEK_MS or month_begins(self.by_ms)

    def dump(self) -> list[Any]:
        return list(astuple(self))


def month_begins(time_ms: int) -> bool:
    """Whether it is the first of a month in some time zone, and the last of another one in some other."""
    return len({(EPOCH + timedelta(milliseconds=time_ms + zone)).month for zone in (-ZONES_MS, ZONES_MS)}) > 1


def by_day_of(state: Sequence[Any]) -> ByDay:
    """One of a dump; ValueError for an invalid one."""
    text, before, *numbers = state
    if len(numbers) != 5 or int(numbers[0]) < -1:
        raise ValueError("a text of a day that cannot be")
    return ByDay(str(text), str(before), *map(int, numbers))
