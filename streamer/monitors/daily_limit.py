"""What windows of healthy days have shown, as one limit of a figure that is large where something is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, isfinite
from typing import Any

import numpy as np

from detectors.bank import renumbered
from detectors.extremes import DailyExtremes
from streamer.monitors.calm import Calm
from streamer.series.budget import odds
from streamer.signals.columns import I64

DAY_MS = 86_400_000
GROSS = 2.0
"""In school a figure is unmistakable that is so many times the most that was seen, and its limit. A day must be over,
or its cycle would be news.
"""
CALM = 2
"""Clear windows until it is over."""
FLOOR = 0.5
"""A limit is at least so much beyond the most of a usual day, in parts of that."""


class DailyLimit:
    """By row the daily extremes of one figure, and in school what was told and is not learned until it is over."""

    def __init__(self) -> None:
        self.days = DailyExtremes(1)
        self.held: dict[int, float] = {}
        self.calm = Calm(CALM)
        self.odds = odds()

    def resize(self, rows: int) -> None:
        self.days.resize(rows)

    def beyond(self, row: int, figure: float, time_ms: int, limit: float) -> bool:
        """Whether healthy days show less; `limit`: what it must exceed anyway. It counts for the days to come."""
        self.days.turn(row, time_ms // DAY_MS, self.odds, self.days.mean[row, :, 0] * FLOOR)
        most = self.days.limits(row, 0)[1]
        if isfinite(most):
            self.days.take(row, 0, figure)
            return figure > max(most, limit)
        seen = max(self.days.seen(row, 0)[1], limit)
        if figure > GROSS * seen and self.days.waiting[row, 0].max() > -inf:
            self.held[row] = max(figure, self.held.get(row, -inf))
            return True
        self.days.take(row, 0, max(figure, self.held.pop(row, -inf)))
        return False

    def of(self, row: int, limit: float) -> float:
        """What a figure must exceed by now."""
        most = self.days.limits(row, 0)[1]
        return max(limit, most) if isfinite(most) else GROSS * limit

    def retain(self, rows: I64) -> None:
        self.days.retain(rows)
        self.held = renumbered(self.held, rows)
        self.calm.retain(rows)

    def dump(self) -> dict[str, Any]:
        return {"days": self.days.dump(), "held": [list(one) for one in self.held.items()], "calm": self.calm.dump()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Replace the state; ValueError for an invalid one."""
        held = {int(row): float(figure) for row, figure in state["held"]}
        if not all(np.isfinite(figure) for figure in held.values()):
            raise ValueError("invalid figures of windows")
        self.days.load(state["days"])
        self.calm.load(state["calm"])
        self.held = held
