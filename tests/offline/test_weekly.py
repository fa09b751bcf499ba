"""What was told by model and by week of event time."""

from __future__ import annotations

from streamer.offline.survey import Stretch
from streamer.offline.weekly import WEEK_MS, by_model, by_week, week_of
from tests.offline.past import BEGIN, episode

MONDAY = BEGIN * 1000
HOUR, DAY = 3_600_000, 86_400_000
WATCHED = {"b": Stretch(9, MONDAY + DAY, MONDAY + 10 * DAY), "a": Stretch(9, MONDAY, MONDAY + 7 * DAY)}


def test_weeks_begin_on_monday() -> None:
    assert week_of(MONDAY) == MONDAY
    assert week_of(MONDAY - 1) == MONDAY - WEEK_MS
    assert week_of(MONDAY + WEEK_MS - 1) == MONDAY


def test_weeks_add_up_to_the_whole() -> None:
    alerts = [
        episode("b", MONDAY + 6 * DAY, ended_ms=MONDAY + 8 * DAY),
        episode("b", MONDAY + 9 * DAY),
        episode("b", MONDAY + 16 * DAY),  # of silence, after the last event
        episode("a", MONDAY + DAY, ended_ms=MONDAY + 2 * DAY),
    ]
    incidents = alerts[1:3]
    whole, weeks = list(by_model(alerts, incidents, WATCHED)), list(by_week(alerts, incidents, WATCHED))
    assert [one.model for one in whole] == ["a", "b"]
    assert [one.model for one in weeks] == ["a", "a", "b", "b", "b"]
    for one in whole:
        parts = [week for week in weeks if week.model == one.model]
        assert sum(week.alerts for week in parts) == one.alerts
        assert sum(week.incidents for week in parts) == one.incidents
        assert sum(week.end_ms - week.begin_ms for week in parts) == one.end_ms - one.begin_ms
        firing = sum(week.firing * (week.end_ms - week.begin_ms) for week in parts)
        assert abs(firing - one.firing * (one.end_ms - one.begin_ms)) < 1
    assert [one.alerts for one in weeks[2:]] == [1, 1, 1]
    assert whole[1].firing == 3 / 9
    assert whole[0].a_week == 0
    assert whole[1].a_week == 2 / (9 / 7)


def test_of_less_than_an_hour_there_is_no_rate() -> None:
    one = next(by_model([], [], {"a": Stretch(2, MONDAY, MONDAY + HOUR - 1)}))
    assert one.a_week is None
    assert one.plain()["begin"] == "2026-01-05T00:00:00.000Z"
