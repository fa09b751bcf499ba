"""What share of ones is usual for a series: that of its reference, and of the healthy windows that followed.

The reference alone is a few hundred values, whose own sampling error hides a rise from 1 to 3 % for ever. So the first
windows behind it that say nothing odd are counted with it; later ones are not, else a slow drift would be its own
excuse. What a file of references pins stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from detectors.bank import renumbered
from detectors.counts import fisher
from detectors.windows import Window
from streamer.series.table import SeriesTable
from streamer.signals.columns import I64

WINDOWS = 20
"""Windows that are counted with the reference."""
ODD = 0.01
"""A window less likely than this teaches nothing."""


class Usual(NamedTuple):
    """So many ones of so many values, and how many windows have told."""

    ones: int
    n: int
    windows: int

    @property
    def share(self) -> float:
        return self.ones / self.n

    def chance(self, ones: int, n: int, up: bool) -> float:
        """How likely so many ones are in a window of n values, or more; or, not `up`, or fewer."""
        return fisher(ones, n, self.ones, self.n) if up else fisher(n - ones, n, self.n - self.ones, self.n)


NOTHING = Usual(0, 0, 0)


class UsualShares:
    """By row of a table what its windows have told."""

    def __init__(self, table: SeriesTable) -> None:
        self.table = table
        self.told: dict[int, Usual] = {}

    def before(self, window: Window) -> Usual | None:
        """What is usual where the window begins; None while that is not known."""
        return self.known(window.row) if window.first_offset > self.table.learned(window.row).last_offset else None

    def known(self, row: int) -> Usual | None:
        """What is usual of a row by now; None while that is not known."""
        learned = self.table.learned(row)
        if learned.n < self.table.reference.warmup:
            return None
        pinned, told = self.table.pinned.get(row), self.told.get(row, NOTHING)
        n = learned.n if pinned is None else int(pinned["n"])
        return Usual(round(learned.mean * n) + told.ones, n + told.n, told.windows)

    def learn(self, window: Window, usual: Usual) -> None:
        """Count a window that is no breach."""
        if usual.windows >= WINDOWS or window.row in self.table.pinned:
            return
        if min(usual.chance(window.hits, window.n, up) for up in (True, False)) >= ODD / 2:
            told = self.told.get(window.row, NOTHING)
            self.told[window.row] = Usual(told.ones + window.hits, told.n + window.n, told.windows + 1)

    def retain(self, rows: I64) -> None:
        """Row rows[i] becomes row i; all others are forgotten."""
        self.told = renumbered(self.told, rows)

    def dump(self) -> list[list[int]]:
        return [[row, *told] for row, told in sorted(self.told.items())]

    def load(self, state: Any) -> None:
        """ValueError for an invalid state."""
        self.told = dict(_checked(state, len(self.table.keys)))


def _checked(state: Any, rows: int) -> Iterator[tuple[int, Usual]]:
    for row, ones, n, windows in state:
        told = Usual(int(ones), int(n), int(windows))
        if not (0 <= int(row) < rows and 0 <= told.ones <= told.n and 1 <= told.windows <= WINDOWS):
            raise ValueError("windows that cannot have been")
        yield int(row), told
