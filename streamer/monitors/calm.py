"""When a level is over: after so many clear windows, however long they take. One between two others says nothing, and
minutes say nothing where a window takes hours.
"""

from __future__ import annotations

from typing import Any

from detectors.bank import renumbered
from streamer.monitors.finding import BREACH, CLEAR, NEITHER
from streamer.signals.columns import I64


class Calm:
    """By row the clear windows that are still needed, where there was a breach."""

    def __init__(self, windows: int) -> None:
        self.windows = windows
        self.left: dict[int, int] = {}

    def signal(self, row: int, breach: bool) -> str:
        """What a window says of an alert."""
        left = self.windows if breach else self.left.get(row, 1) - 1
        if left > 0:
            self.left[row] = left
        else:
            self.left.pop(row, None)
        return BREACH if breach else NEITHER if left > 0 else CLEAR

    def retain(self, rows: I64) -> None:
        self.left = renumbered(self.left, rows)

    def dump(self) -> list[list[int]]:
        return [[row, left] for row, left in self.left.items()]

    def load(self, state: Any) -> None:
        """Replace the state; ValueError for an invalid one."""
        left = {int(row): int(left) for row, left in state}
        if any(not 0 < one <= self.windows for one in left.values()):
            raise ValueError("invalid windows to the end of a level")
        self.left = left
