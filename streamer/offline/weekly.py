"""A run over a history by model, and by week of event time: what was told, and how much of the time something fired."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from detectors.extremes import DAY_MS
from schemas.records.alert import rfc3339
from streamer.offline.episodes import Episode, firing_ms
from streamer.offline.survey import Stretch

WEEK_MS = 7 * DAY_MS
MONDAY_MS = 4 * DAY_MS
"""1970-01-05 was the first one."""


class Stretched(NamedTuple):
    """What was told of a model in a stretch of event time."""

    model: str
    begin_ms: int
    end_ms: int
    incidents: int
    alerts: int
    firing: float  # share of the time in which an alert was open

    @property
    def weeks(self) -> float:
        return (self.end_ms - self.begin_ms) / WEEK_MS

    @property
    def a_week(self) -> float | None:
        """Incidents; None of less than an hour."""
        return self.incidents / self.weeks if self.end_ms - self.begin_ms >= DAY_MS // 24 else None

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        times = {"begin": rfc3339(self.begin_ms), "end": rfc3339(self.end_ms)}
        return {"model": self.model, **times, **dict(zip(self._fields[3:], self[3:], strict=True))}


def week_of(time_ms: int) -> int:
    """The Monday, at midnight UTC, before a time.

    >>> rfc3339(week_of(1_767_225_600_000))  # of 2026-01-01, a Thursday
    '2025-12-29T00:00:00.000Z'
    """
    return (time_ms - MONDAY_MS) // WEEK_MS * WEEK_MS + MONDAY_MS


def by_model(
    alerts: Sequence[Episode], incidents: Sequence[Episode], watched: Mapping[str, Stretch]
) -> Iterator[Stretched]:
    """Each model over all its time, by name."""
    for model, seen in sorted(watched.items()):
        own = [[one for one in many if one.model == model] for many in (alerts, incidents)]
        yield _within(model, own[0], own[1], seen.first_ms, seen.last_ms)


def by_week(
    alerts: Sequence[Episode], incidents: Sequence[Episode], watched: Mapping[str, Stretch]
) -> Iterator[Stretched]:
    """The same, in weeks."""
    for model, seen in sorted(watched.items()):
        own = [[one for one in many if one.model == model] for many in (alerts, incidents)]
        last_ms = max([seen.last_ms, *(one.found_ms for many in own for one in many)])  # Of silence after the last.
        for monday_ms in range(week_of(seen.first_ms), last_ms + 1, WEEK_MS):
            begin_ms = max(monday_ms, seen.first_ms)
            end_ms = max(min(monday_ms + WEEK_MS, seen.last_ms), begin_ms)
            yield _within(model, own[0], own[1], begin_ms, end_ms, monday_ms, monday_ms + WEEK_MS)


def _within(
    model: str, alerts: list[Episode], incidents: list[Episode], begin_ms: int, end_ms: int, *told: int
) -> Stretched:
    """`told`: where what is told counts; else all of it does, since silence is told after the last event."""

    def count(many: list[Episode]) -> int:
        return len(many) if not told else sum(told[0] <= one.found_ms < told[1] for one in many)

    share = firing_ms(alerts, begin_ms, end_ms) / max(end_ms - begin_ms, 1)
    return Stretched(model, begin_ms, end_ms, count(incidents), count(alerts), share)
