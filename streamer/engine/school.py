"""What of each model is still in school: series that learn what healthy days are like, and have seen too few.

How long it takes is a matter of days with values, so until when is said for the case that every day has some; the last
of them ends it. In event time: who reads a history is through its days in minutes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from detectors.extremes import DAY_MS
from streamer.monitors.base import Monitor

SHOWN_MAX = 20
"""Series of a model that are named."""


class School(NamedTuple):
    """Of one model."""

    series: int
    until_ms: int  # when the last of them is through, at the earliest
    left_ms: int  # until then, from the model's newest event on
    shown: Sequence[tuple[Monitor, int, int]] = ()  # the first of them: monitor, row, days it still needs


def schools(monitors: Iterable[Monitor], newest_ms: Mapping[str, int]) -> dict[str, School]:
    """By model; nothing of models that are through. Candidates beside the live monitors do not count."""
    series, days = dict[str, int](), dict[str, int]()
    shown = dict[str, list[tuple[Monitor, int, int]]]()
    for monitor in monitors:
        left = monitor.days_left() if not monitor.config.shadow else np.zeros(0, np.int64)
        for row in np.flatnonzero(left).tolist():
            model = monitor.table.keys[row][0][0]
            series[model] = series.get(model, 0) + 1
            days[model] = max(days.get(model, 0), left.item(row))
            if series[model] <= SHOWN_MAX:
                shown.setdefault(model, []).append((monitor, row, left.item(row)))
    found = {}
    for model, now_ms in newest_ms.items():
        if model in series:
            until_ms = (now_ms // DAY_MS + days[model]) * DAY_MS
            found[model] = School(series[model], until_ms, until_ms - now_ms, shown[model])
    return found
