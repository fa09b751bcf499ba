"""What an alert shows of a finding: plain data, ready for the wire."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from detectors.history import Recent
from detectors.reference import Learned
from schemas.records.alert import rfc3339
from streamer.series.table import SeriesTable

DIRECTION_NAMES = {1: "up", -1: "down", 0: "unknown"}

Part = dict[str, Any] | None
Evidence = dict[str, Any]
Summary = tuple[int, float, float, int, int, int, int]
"""Values of a row: how many, mean, standard deviation, first and last offset, first and last time; see `Recent`."""
Edge = tuple[int, float, float, Summary | Evidence | None, Summary | None]
"""The evidence of an edge as plain numbers, made for every hit and shown for few: direction, statistic, threshold, what
the row is compared with (as a file of references says it, or as it was learned), and its newest values.
"""


def evidence(
    direction: int, statistic: float, threshold: float | None, before: Part, after: Part, window: Part
) -> Evidence:
    """Before, after and window as evidence, and the finding itself. How far the mean moved is told in units of the
    signal and in standard deviations of the reference.
    """
    now = window.get("fraction") if window else after["mean"] if after else None
    moved = now - before["mean"] if before and now is not None else None
    deviations = moved / before["std"] if before and moved is not None and before["std"] > 0 else None
    finding = {
        "statistic": statistic,
        "threshold": threshold,
        "direction": DIRECTION_NAMES[direction],
        "effect": {"absolute": moved, "deviations": deviations},
    }
    return {"finding": finding, "evidence": {"before": before, "after": after, "window": window}}


def span(first_offset: int, last_offset: int, from_ms: int, to_ms: int) -> dict[str, Any]:
    """Where in event time and in the log something was seen."""
    return {"offsets": [first_offset, last_offset], "from": rfc3339(from_ms), "to": rfc3339(to_ms)}


def learned_of(table: SeriesTable, row: int, offset: int) -> Learned | None:
    """What a row had learned by `offset`; None where the warm-up was not over then.

    The whole batch has passed the reference by now, so that it is ready says nothing of an event in the middle.
    """
    learned = table.learned(row)
    return None if learned.n < table.reference.warmup or learned.last_offset > offset else learned


def seen_in(learned: Learned) -> Summary:
    """The reference of a row in raw units."""
    places = learned.first_offset, learned.last_offset, learned.first_time_ms, learned.last_time_ms
    return learned.n, learned.mean, learned.std, *places


def summary(seen: Summary) -> Evidence:
    """The values of a row as alerts show them."""
    n, mean, std, *places = seen
    return {"n": n, "mean": mean, "std": std, **span(*places)}


compared = lru_cache(4096)(summary)
"""The same of what a row is compared with, which all its alerts show."""


def standard_of(table: SeriesTable, row: int, offset: int) -> Summary | Evidence | None:
    """What a row is compared with: what the file of references says of it, or what it had learned by `offset`."""
    if row in table.pinned:
        return table.pinned[row]
    learned = learned_of(table, row, offset)
    return seen_in(learned) if learned is not None else None


def shown(standard: Summary | Evidence | None) -> Part:
    """That as alerts show it."""
    return compared(standard) if isinstance(standard, tuple) else standard


def before_of(table: SeriesTable, row: int, offset: int) -> Part:
    """What a row is compared with at `offset`, as alerts show it."""
    return shown(standard_of(table, row, offset))


def edge_of(
    table: SeriesTable,
    row: int,
    offset: int,
    said: tuple[int, float, float],
    recent: Recent | None,
    normal: Summary | None = None,
) -> Edge:
    """The evidence of a hit at `offset`: what the detector said (direction, statistic, threshold), what the row is
    compared with (`normal`: a level of it that was accepted), and its newest values, cut where they depart from that
    the most. A direction that the detector does not know is that of the mean.
    """
    direction, statistic, threshold = said
    before = normal or standard_of(table, row, offset)
    after = (recent.n, recent.mean + table.learned(row).centre, *recent[2:]) if recent is not None else None
    if direction == 0 and before and after:
        mean = before["mean"] if isinstance(before, dict) else before[1]
        direction = (after[1] > mean) - (after[1] < mean)
    return direction, statistic, threshold, before, after


class Moved(NamedTuple):
    """What an edge is measured by: before and after it, in the signal's own units."""

    mean: float
    std: float
    n: int  # values of before
    after: Summary


def summary_of(state: Sequence[Any]) -> Summary:
    """One of a snapshot. Raises ValueError."""
    n, mean, std, *places = state
    first_offset, last_offset, first_ms, last_ms = map(int, places)
    return int(n), float(mean), float(std), first_offset, last_offset, first_ms, last_ms


def moved_of(given: Any) -> Moved | None:
    """What an edge moved from and to; None where its series had no before, and of the verdicts of windows."""
    if isinstance(given, dict) or not given or given[3] is None or given[4] is None:
        return None
    before, after = given[3], summary_of(given[4])
    if isinstance(before, dict):
        return Moved(float(before["mean"]), float(before["std"]), int(before["n"]), after)
    return Moved(before[1], before[2], before[0], after)


def told(given: Evidence | Edge) -> Evidence:
    """Evidence and finding as the alert has them."""
    if isinstance(given, dict):
        return given
    direction, statistic, threshold, before, after = given
    return evidence(direction, statistic, threshold, shown(before), summary(after) if after else None, None)
