"""Tumbling windows of event time that a set of series share: what each series has in a window, until all of it is in.

All series of a set go by one clock, the newest time of any of them. A window closes for all at once, with the first
value that is `lateness` newer than its end, so that values may come out of order by less than that.

>>> import numpy as np
>>> windows = PeerWindows(window_ms=1000, lateness_ms=0)
>>> windows.resize(np.array([0, 0]))
>>> at = np.array([0, 500, 900, 1000])
>>> [closed], late = windows.update(np.array([0, 1, 0, 1]), np.array([2.0, 5.0, 4.0, 0.0]), at, at)
>>> closed.closed_by, closed.rows.tolist(), closed.sums["n"].tolist(), means(closed.sums).tolist()
(3, [0, 1], [2, 1], [3.0, 5.0])
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from detectors.bank import F64, HUGE, I64, ROWS_MAX

WHOLE = ("n", "first_ms", "last_ms", "first_offset", "last_offset")
NUMBERS = ("first", "last", "total", "squares", "products")
"""Of each series in a window: the first and the last value; sums of the distances from the first, of their squares, and
of the products of each with the one before.
"""
FIELDS: dict[str, type] = {**dict.fromkeys(WHOLE, np.int64), **dict.fromkeys(NUMBERS, np.float64)}
OPEN_MAX = 1000
"""Open windows of a set; with more the lateness is longer than any sensible multiple of the window."""
UNHEARD = -1
NO_SET = -1
"""Of a row that is compared with nobody."""
Sums = dict[str, Any]


class Closed(NamedTuple):
    """A window that ended: the rows that had values in it, ascending, and their sums."""

    set: int
    closed_by: int  # index of the value that closed it
    start_ms: int
    rows: I64
    sums: Sums


def means(sums: Sums) -> F64:
    found: F64 = sums["first"] + sums["total"] / sums["n"]
    return found


def deviations(sums: Sums) -> F64:
    """Of single values."""
    found: F64 = np.sqrt(np.maximum(_squares(sums), 0.0) / np.maximum(sums["n"] - 1, 1))
    return found


def _squares(sums: Sums) -> F64:
    found: F64 = sums["squares"] - sums["total"] * (sums["total"] / sums["n"])
    return found


def correlation(sums: Sums, alike: bool = False) -> float:
    """Of each value with the one before in its series; by and large for all of them. `alike`: their values are, so that
    where there is more to see counts for more.
    """
    n, mean = sums["n"], sums["total"] / sums["n"]
    ends = 2.0 * sums["total"] - (sums["last"] - sums["first"])
    common = sums["products"] - mean * ends + (n - 1) * mean * mean
    squares = _squares(sums)
    some = squares > 0.0
    if not some.any():
        return 0.0
    weights = squares[some] if alike else n[some]
    return float((weights * (common[some] / squares[some])).sum() / weights.sum())


class PeerWindows:
    """The windows of all sets. What a series has in a window is a cell; cells of closed windows are used again."""

    def __init__(self, window_ms: int, lateness_ms: int) -> None:
        self.window_ms, self.lateness_ms = window_ms, lateness_ms
        self.set_of: I64 = np.zeros(0, np.int64)
        self.newest_ms: I64 = np.zeros(0, np.int64)  # by set
        self.open: list[dict[int, dict[int, int]]] = []  # by set: start of a window -> row -> cell
        self.cells: Sums = {name: np.zeros(0, kind) for name, kind in FIELDS.items()}
        self.free: list[int] = []

    def resize(self, set_of: I64) -> None:
        """The set of each row; those known so far have the one they had."""
        self.set_of = set_of
        more = int(set_of.max(initial=NO_SET)) + 1 - len(self.open)
        if more > 0:
            self.newest_ms = np.concatenate([self.newest_ms, np.full(more, UNHEARD)])
            self.open += [{} for _ in range(more)]

    def retain(self, rows: I64, set_of: I64) -> None:
        """Row rows[i] becomes row i, of set set_of[i]; all others are forgotten."""
        number, known = {row: i for i, row in enumerate(rows.tolist())}, (self.set_of, self.newest_ms, self.open)
        self.newest_ms, self.open = np.zeros(0, np.int64), []
        self.resize(set_of)
        kept = dict(zip(known[0][rows].tolist(), set_of.tolist(), strict=True))
        for old, windows in enumerate(known[2]):
            for start, cells in windows.items():
                left = {number[row]: cell for row, cell in cells.items() if row in number}
                self.free += [cell for row, cell in cells.items() if row not in number]
                if left:
                    self.open[kept[old]][start] = left
            if old in kept and old != NO_SET:
                self.newest_ms[kept[old]] = known[1][old]

    def update(self, rows: I64, values: F64, offsets: I64, times_ms: I64) -> tuple[list[Closed], I64]:
        """Row rows[i] takes values[i], in the order of the log. The windows closed, in that order; and the rows of
        values that came when theirs had ended, once for each.
        """
        fine, bounds = self._sorted_out(rows, times_ms)
        taken = np.flatnonzero(fine)
        if len(taken):
            self._take(rows[taken], values[taken], offsets[taken], times_ms[taken])
        closed = []
        for one, (places, bound) in bounds.items():
            windows = self.open[one]
            for start in sorted(start for start in windows if start < bound[-1]):
                by = int(places[np.searchsorted(bound, start, side="right")])
                closed.append(self._close(one, by, start, windows.pop(start)))
        closed.sort(key=lambda window: (window.closed_by, window.start_ms, window.set))
        return closed, rows[~fine & (self.set_of[rows] != NO_SET)]

    def _sorted_out(self, rows: I64, times_ms: I64) -> tuple[Any, dict[int, tuple[I64, I64]]]:
        """Which values come in time; and by set the places of its values, each with where open windows begin."""
        fine, bounds = np.zeros(len(rows), bool), dict[int, tuple[I64, I64]]()
        sets = self.set_of[rows]
        order = np.argsort(sets, kind="stable")
        begins = np.flatnonzero(np.diff(sets[order], prepend=NO_SET - 1))
        length = self.window_ms
        for places in np.split(order, begins[1:]) if len(rows) else ():
            one = int(sets[places[0]])
            if one == NO_SET:
                continue
            newest = np.maximum(np.maximum.accumulate(times_ms[places]), self.newest_ms[one])
            least = newest - newest % length - (OPEN_MAX - 1) * length
            bound = np.maximum((newest - self.lateness_ms) // length * length, least)
            fine[places] = times_ms[places] // length * length >= bound
            bounds[one] = places, bound
        return fine, bounds

    def _take(self, rows: I64, values: F64, offsets: I64, times_ms: I64) -> None:
        """Add values to their cells, each cell's in the order of the log, whatever came in one go."""
        starts = times_ms // self.window_ms
        low = int(starts.min())
        codes = rows * (int(starts.max()) - low + 1) + (starts - low)
        order = np.argsort(codes, kind="stable")
        fresh = np.diff(codes[order], prepend=-1) != 0
        begins = np.flatnonzero(fresh)
        ends = np.append(begins[1:], len(order)) - 1
        firsts = order[begins]
        of = [self._cell(*one) for one in zip(rows[firsts].tolist(), starts[firsts].tolist(), strict=True)]
        mine, at = np.array(of, np.int64), self.cells
        cells, sizes = np.repeat(mine, ends - begins + 1), np.clip(values[order], -HUGE, HUGE)
        new = at["n"][mine] == 0
        at["first"][mine[new]] = sizes[begins[new]]
        at["first_offset"][mine[new]] = offsets[firsts[new]]
        at["first_ms"][mine[new]] = at["last_ms"][mine[new]] = times_ms[firsts[new]]
        away = sizes - at["first"][cells]
        before = np.concatenate([away[:1], away[:-1]])
        before[begins] = np.where(new, 0.0, at["last"][mine] - at["first"][mine])
        for name, numbers in (("total", away), ("squares", away * away), ("products", away * before)):
            np.add.at(at[name], cells, numbers)
        at["n"][mine] += ends - begins + 1
        at["last"][mine], at["last_offset"][mine] = sizes[ends], offsets[order[ends]]
        at["first_ms"][mine] = np.minimum(at["first_ms"][mine], np.minimum.reduceat(times_ms[order], begins))
        at["last_ms"][mine] = np.maximum(at["last_ms"][mine], np.maximum.reduceat(times_ms[order], begins))
        sets = self.set_of[rows]
        np.maximum.at(self.newest_ms, sets, times_ms)

    def _cell(self, row: int, window: int) -> int:
        cells = self.open[self.set_of[row]].setdefault(window * self.window_ms, {})
        cell: int | None = cells.get(row)
        if cell is None:
            if not self.free:
                known = len(self.cells["n"])
                more = max(known, 16)
                self.cells = {
                    name: np.concatenate([one, np.zeros(more, one.dtype)]) for name, one in self.cells.items()
                }
                self.free = list(range(known + more - 1, known - 1, -1))
            cell = cells[row] = self.free.pop()
            for one in self.cells.values():
                one[cell] = 0
        return cell

    def _close(self, one: int, by: int, start: int, cells: dict[int, int]) -> Closed:
        rows = sorted(cells)
        places = np.array([cells[row] for row in rows], np.int64)
        self.free += places.tolist()
        sums = {name: values[places] for name, values in self.cells.items()}
        return Closed(one, by, start, np.array(rows, np.int64), sums)

    def dump(self) -> dict[str, Any]:
        """Cells by set, window and row, wherever in memory they are."""
        known = [
            (start, row, cells[row])
            for windows in self.open
            for start, cells in sorted(windows.items())
            for row in sorted(cells)
        ]
        starts, rows, places = (
            (np.array(column, np.int64) for column in zip(*known, strict=True))
            if known
            else [np.zeros(0, np.int64) for _ in range(3)]
        )
        sums = {name: values[places] for name, values in self.cells.items()}
        return {"newest_ms": self.newest_ms.copy(), "start_ms": starts, "row": rows, **sums}

    def load(self, state: Mapping[str, Any]) -> None:
        """Replace all cells; the sets of the rows are known by then. ValueError for an invalid state."""
        starts, rows = (np.array(state[name], np.int64) for name in ("start_ms", "row"))
        sums: Sums = {name: np.array(state[name], kind) for name, kind in FIELDS.items()}
        newest = np.array(state["newest_ms"], np.int64)
        if len(newest) != len(self.open) or {len(one) for one in (starts, rows, *sums.values())} != {len(rows)}:
            raise ValueError("windows of peers that differ in length")
        if len(rows) > ROWS_MAX or not ((rows >= 0) & (rows < len(self.set_of))).all() or (sums["n"] < 1).any():
            raise ValueError("windows of rows that there are not, or without values")
        if (starts % self.window_ms).any() or not all(np.isfinite(sums[name]).all() for name in NUMBERS):
            raise ValueError("windows that are not aligned, or sums that are no numbers")
        self.newest_ms, self.open, self.free, self.cells = newest, [{} for _ in newest], [], sums
        for cell, (start, row) in enumerate(zip(starts.tolist(), rows.tolist(), strict=True)):
            one = int(self.set_of[row])
            if one == NO_SET or row in self.open[one].setdefault(start, {}):
                raise ValueError("a window of nobody, or the same twice")
            self.open[one][start][row] = cell
