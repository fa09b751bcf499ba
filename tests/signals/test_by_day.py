"""A text of the day is known by when it changes; what is new within a day, or at another time, is none."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.signals.by_day import HOUR_MS, SURE, ByDay, by_day_of, month_begins
from streamer.signals.categories import CODES, SHARE_OTHER, SHARE_UNSEEN, UNSEEN, Categories

DAY_MS = 24 * HOUR_MS
MONDAY = int(np.datetime64("2026-02-02", "ms").astype(np.int64))
NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "mon", "other")
EVERY_MS = 290_000


def weeks(days: float, zone_h: float = 0.0, from_h: float = 9.5) -> tuple[np.ndarray, np.ndarray]:
    """Times and weekdays by the clock of a zone."""
    times = MONDAY + np.arange(int(from_h * HOUR_MS), int(days * DAY_MS), EVERY_MS, np.int64)
    return times, (times - MONDAY + int(zone_h * HOUR_MS)) // DAY_MS % 7


def encoded(times: np.ndarray, texts: np.ndarray, size: int, share: float = SHARE_UNSEEN) -> tuple[list[float], str]:
    """The numbers, taken up from a snapshot behind each batch of so many; and that of the last."""
    categories, found = Categories(500, share, share == SHARE_OTHER), list[float]()
    categories.resize(1)
    for begin in range(0, len(times), size):
        part = slice(begin, begin + size)
        rows = np.zeros(len(times[part]), np.int64)
        found += categories.encode(rows, texts[part], NAMES, times[part])[0].tolist()
        state, categories = categories.dump(), Categories(500, share, share == SHARE_OTHER)
        categories.load(state, 1)
    return found, repr(categories.dump())


@pytest.mark.parametrize("zone_h", [0.0, 2.0, -8.0])
@pytest.mark.parametrize("first_day", range(7))
def test_a_weekday_is_no_news_in_any_zone_from_any_day_on(zone_h: float, first_day: int) -> None:
    found, _ = encoded(*weeks(17, zone_h, 24 * first_day + 9.5), 300)
    assert UNSEEN not in found


def test_of_a_text_of_the_day_there_are_no_shares() -> None:
    found, _ = encoded(*weeks(10), 300, SHARE_OTHER)
    assert set(found[500:]) == {-1.0}
    times, _ = weeks(10)
    assert -1.0 not in encoded(times, np.full(len(times), 3), 300, SHARE_OTHER)[0], "it may be mixed some day"


@pytest.mark.parametrize("day", [3.4, 12.4])
def test_a_typo_within_a_day_is_news_at_once_and_for_ever(day: float) -> None:
    times, texts = weeks(16)
    wrong = (times >= MONDAY + day * DAY_MS) & (np.arange(len(times)) % 3 == 0)
    found = np.array(encoded(times, np.where(wrong, 7, texts), 300)[0])
    assert (found[wrong] == UNSEEN).all()
    assert (found[~wrong & (times < MONDAY + day * DAY_MS)] != UNSEEN).all()


def test_what_always_was_the_same_and_changes_within_a_day_or_after_a_week_is_news() -> None:
    times, _ = weeks(16)
    for at in (3.43, 9.0):
        texts = np.where(times >= MONDAY + at * DAY_MS, 8, 0)
        assert (np.array(encoded(times, texts, 300)[0])[texts == 8] == UNSEEN).all(), at


def test_any_cut_gives_the_same() -> None:
    times, texts = weeks(12)
    texts = np.where(times >= MONDAY + 9.6 * DAY_MS, 8 - texts, texts)
    times = times + np.random.default_rng(1).integers(-400_000, 400_000, len(times))  # They come out of order.
    for share in (SHARE_UNSEEN, SHARE_OTHER):
        whole = encoded(times, texts, len(times), share)
        assert all(encoded(times, texts, size, share) == whole for size in (1, 37, 300))


def told(*changes: float) -> ByDay | None:
    """After texts of ten minutes each that change at these hours."""
    by_day = ByDay()
    at, text = list(np.arange(1 / 12, changes[-1] + 0.5, 1 / 6)), 0
    for hour in at:
        text = sum(hour >= change for change in changes)
        if not by_day.take(str(text), int(hour * HOUR_MS)):
            return None
    return by_day


def test_midnight_is_a_full_hour_and_the_same_every_day_but_for_clock_changes() -> None:
    assert told(5.0, 29.0, 77.0) is not None
    assert told(5.0, 30.0, 54.0) is not None, "an hour off"
    assert told(5.5) is None
    assert told(5.0, 28.5 + 3) is None
    assert told(5.0, 17.0) is None, "twice a day"
    found = told(*(24.0 * day for day in range(5, 5 + SURE + 1)))
    assert found is not None
    assert found.expected(), "it has done so before"


def test_late_ones_of_the_day_before_are_of_that_day() -> None:
    by_day = told(24.0, 48.0)
    assert by_day is not None
    late = 48 * HOUR_MS - 60_000
    assert by_day.take("1", late)
    assert by_day_of(by_day.dump()) == by_day
    assert not by_day.take("1", 49 * HOUR_MS)


def test_the_first_of_a_month_is_so_for_a_day_and_some_hours() -> None:
    first = int(np.datetime64("2026-03-01", "ms").astype(np.int64))
    assert [month_begins(first + hours * HOUR_MS) for hours in (-15, -13, 0, 13, 15)] == [
        False,
        True,
        True,
        True,
        False,
    ]


def test_nonsense_is_refused() -> None:
    for state in (["a"], ["a", "", -2, 0, 0, 0, 0]):
        with pytest.raises(ValueError, match="cannot be|unpack"):
            by_day_of(state)


def test_numbers_of_those_that_came_late_are_of_the_rest() -> None:
    found, _ = encoded(*weeks(9), 100)
    assert set(found[1_000:]) <= {0.0, 1.0, float(CODES)}
