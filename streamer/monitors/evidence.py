"""What an alert shows of a finding: plain data, ready for the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import log, sqrt
from typing import Any, NamedTuple

from detectors.bank import CALIBRATED, SCHOOL, TIERLESS, TIERS
from detectors.last_change import Asked, Change, Recent
from detectors.reference import Learned
from schemas.events.batch import Batch
from schemas.records.alert import rfc3339
from streamer.series.table import SeriesTable

DIRECTION_NAMES = {1: "up", -1: "down", 0: "unknown"}

SPREAD = 0.4
CHANCE = 3.0
"""The deviation is the news where its logarithm moved by more than SPREAD, and the mean, in deviations, by less than
that, or by less than so many standard errors of the wider values.
"""

Part = dict[str, Any] | None
Evidence = dict[str, Any]
Summary = tuple[int, float, float, int, int, int, int]
"""Values of a row: how many, mean, standard deviation, first and last offset, first and last time; see `Recent`."""
Onset = tuple[int, int]
"""Offset and time."""
Standard = Summary | Evidence | None
Edge = tuple[int, float, float, Standard, Summary | None, Standard, Onset | None, int]
"""The evidence of an edge as plain numbers, made for every hit and shown for few: direction, statistic, threshold; the
row before and since; what it is compared with, where that is not what it was before (as a file of references says it,
or as it was learned); the first value of the newest stretch; the row's place in TIERS, or TIERLESS.
"""


def evidence(
    direction: int,
    statistic: float,
    threshold: float | None,
    before: Part,
    after: Part,
    window: Part,
    more: Mapping[str, Any] | None = None,
) -> Evidence:
    """Before, after and window as evidence, and the finding itself. How far the mean moved is told in units of the
    signal and in standard deviations of the reference: that in `more`, or before, if it is the same.
    """
    now = window.get("fraction") if window else after["mean"] if after else None
    moved = now - before["mean"] if before and now is not None else None
    unit = _unit((more or {}).get("reference")) or _unit(before)
    finding = {
        "statistic": statistic,
        "threshold": threshold,
        "direction": DIRECTION_NAMES[direction],
        "effect": {"absolute": moved, "deviations": moved / unit if moved is not None and unit else None},
    }
    if more and more.get("tier") == TIERS[SCHOOL]:
        finding["provisional"] = True
    return {"finding": finding, "evidence": {"before": before, "after": after, "window": window, **(more or {})}}


def _unit(part: Part) -> float | None:
    return part["std"] if part and part["std"] > 0 else None


def tier_of(school: bool) -> dict[str, str]:
    """The tier of a row that learns what healthy days are like, as evidence."""
    return {"tier": TIERS[SCHOOL if school else CALIBRATED]}


def span(first_offset: int, last_offset: int, from_ms: int, to_ms: int) -> dict[str, Any]:
    """Where in event time and in the log something was seen."""
    return {"offsets": [first_offset, last_offset], "from": rfc3339(from_ms), "to": rfc3339(to_ms)}


def by_then(batch: Batch, event: int) -> int:
    """The offset by which something was learned that is known at an event. Of the events of one record offsets do not
    say which came first: there what was learned before the record counts.
    """
    offset: int = batch.offsets.item(event)
    return offset if batch.rows is None else offset - 1


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
    n, mean, std, first_offset, last_offset, from_ms, to_ms = seen
    offsets = [first_offset, last_offset]
    return {"n": n, "mean": mean, "std": std, "offsets": offsets, "from": rfc3339(from_ms), "to": rfc3339(to_ms)}


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


def question_of(table: SeriesTable, row: int, way: int, age: int, standard: Summary | Evidence | None) -> Asked:
    """What the history is asked about a hit; its values are distances from the centre."""
    if standard is None:
        return Asked(way, age)
    n, mean, std = numbers_of(standard)
    return Asked(way, age, n, mean - table.learned(row).centre, std)


def edge_of(
    table: SeriesTable,
    row: int,
    said: tuple[int, float, float],
    standard: Summary | Evidence | None,
    change: Change | None,
    tier: int = TIERLESS,
) -> Edge:
    """The evidence of a hit: what the detector said (direction, statistic, threshold), what the row is compared with,
    and what changed in it. The direction is that of the mean, wherever there is one before and one after.
    """
    if change is None:
        return (*said, standard, None, None, None, tier)
    centre = table.learned(row).centre
    after = in_raw_units(change.after, centre)
    before = standard if change.usual else None if change.before is None else in_raw_units(change.before, centre)
    direction = said[0]
    if before is not None:
        _, mean, _ = numbers_of(before)
        direction = (after[1] > mean) - (after[1] < mean)
    return direction, *said[1:], before, after, None if change.usual else standard, change.onset, tier


def returned(edge: Edge, way: int | None) -> bool:
    """Whether a series only came back from the other side: who asks for one direction is not told that a rise is over.
    What goes as far beyond as half of the way back is more than that.
    """
    before, after, reference = edge[3:6]
    usual = reference if reference is not None else before
    if way is None or before is None or after is None or usual is None:
        return False
    centre = numbers_of(usual)[1]
    was, now = ((numbers_of(part)[1] - centre) * way for part in (before, after))
    return now <= max(0.0, -was) / 2


def in_raw_units(recent: Recent, centre: float) -> Summary:
    return (recent.n, recent.mean + centre, *recent[2:])


def numbers_of(standard: Summary | Evidence) -> tuple[int, float, float]:
    """How many values, their mean and deviation."""
    if isinstance(standard, dict):
        return int(standard["n"]), float(standard["mean"]), float(standard["std"])
    return standard[:3]


class Moved(NamedTuple):
    """What an edge's way back is measured by, in the signal's own units: what the row is compared with, and after."""

    mean: float
    std: float
    n: int  # values of that
    after: Summary
    wide: bool = False  # whether it is the deviation that moved


def spread_moved(was: float, now: float, n: int, moved: float) -> bool:
    """Whether the deviation, which went from `was` to `now` in n values, is the news, and not the mean, which moved by
    so many deviations: it moved by more than SPREAD and than the mean, or beyond chance and the mean did not.
    """
    if min(was, now) <= 0.0:
        return False
    spread, unsure = abs(log(now / was)), CHANCE / sqrt(max(n, 1))
    away, chance = abs(moved), unsure * now / was
    return (spread > SPREAD and away < max(spread, chance)) or (spread > max(SPREAD / 2, unsure) and away < chance)


def summary_of(state: Sequence[Any]) -> Summary:
    """One of a snapshot. Raises ValueError."""
    n, mean, std, *places = state
    first_offset, last_offset, first_ms, last_ms = map(int, places)
    return int(n), float(mean), float(std), first_offset, last_offset, first_ms, last_ms


def moved_of(given: Any, ranks: bool = False) -> Moved | None:
    """What an edge could be back at, and where it is; None where its series had nothing to be compared with, and of the
    verdicts of windows. A series that fell back to what it is compared with is where it should be. `ranks`: of a
    monitor that tells of any change of numbers.
    """
    if isinstance(given, dict) or not given:
        return None
    before, after, reference = given[3:6]
    standard = reference if reference is not None else before
    if standard is None or after is None:
        return None
    n, mean, std = numbers_of(standard)
    wide = False
    if ranks and before is not None and std > 0.0:
        _, was, wide_was = numbers_of(before)
        wide = spread_moved(wide_was, after[2], after[0], (after[1] - was) / std)
    return Moved(mean, std, n, after, wide)


def began_of(given: Any) -> int | None:
    """When what an edge shows as after began; None of the verdicts of windows, and where nothing is shown."""
    if isinstance(given, dict) or not given or given[4] is None:
        return None
    after: Summary = given[4]
    return after[5]


def told(given: Evidence | Edge) -> Evidence:
    """Evidence and finding as the alert has them."""
    if isinstance(given, dict):
        return given
    direction, statistic, threshold, before, after, reference, onset, tier = given
    more: dict[str, Any] = {"onset": {"offset": onset[0], "time": rfc3339(onset[1])}} if onset else {}
    more |= {"reference": shown(reference)} if reference else {}
    more |= {"tier": TIERS[tier]} if tier != TIERLESS else {}
    return evidence(direction, statistic, threshold, shown(before), summary(after) if after else None, None, more)
