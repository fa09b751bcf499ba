"""What is usual of a series under each load: how many values come in a time, and what they are on average.

Much of what breathes follows the load: counts of the last hour, latencies, the customers of nights and weekends. A load
that was never there says nothing of what is usual under it, so who is new to a series does not take its first night for
a fault, nor its first weekend, which is no more than a long night. What changes while the load is one that is known is
no matter of the load.

Loads are told apart by the time that a few values take, each twice as long as the one before. A few values alone would
tell the load badly, and a busy hour's slowest would be taken for the evening's: what counts is a moving average of
those times, which follows at once where values come much faster, as when an office opens. Values that come all at once,
or without times, have none, and what is usual of them counts under every load: a reference from a file, a batch.

What is usual is looked at anew when a part more has come: of the values that it is held against none are in it, or in a
series of noughts the first few ones would be part of what is usual.

>>> loads = Loads()
>>> loads.resize(1)
>>> for minute in range(200):
...     _ = loads.take(0, minute * 60_000, 8, 8.0 * 5.0)  # Eight values a minute, of 5 on average,
>>> loads.take(0, 200 * 60_000, 8, 8.0 * 7.0)  # which are expected to go on,
(40.0, 60000.0)
>>> loads.take(0, 500 * 60_000, 8, 8.0 * 7.0)  # and nothing of values that came one in half an hour.
(56.0, 18000000.0)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.bank import I64, State, array_of, rows_of

LOADS = 28
"""Loads that are told apart: of eight values from a millisecond to a day and a half."""
NONE = 0
"""The place of values that have no load."""
KINDS = ("count", "total", "usual")
BITS = 3
"""What is usual is the mean at counts of so many binary digits and noughts behind: a quarter or less apart."""
LEAST = 200
"""Values of a load before it is known."""
PACE = 4.0
"""A time counts for one part in so many of the moving average; one that is so many times shorter is the average."""
NEVER = -1


def load_of(took_ms: float) -> int:
    """The place of a load, by the time that some values took."""
    return min(int(took_ms).bit_length(), LOADS - 1)


def paced(pace_ms: float, took_ms: float) -> float:
    """The moving average of times after this one; 0 where there was none."""
    return took_ms if pace_ms == 0.0 or took_ms * PACE < pace_ms else pace_ms + (took_ms - pace_ms) / PACE


def is_round(count: int) -> bool:
    """Whether it has no more than BITS digits before its noughts."""
    return count & ((1 << max(count.bit_length() - BITS, 0)) - 1) == 0


class Loads:
    """Of rows 0..rows-1 the mean of the values under each load, when the newest came, and how long some take by now."""

    def __init__(self) -> None:
        self.since = np.zeros(0, np.int64)
        self.pace = np.zeros(0)
        self.loads = np.zeros((0, LOADS, len(KINDS)))

    def resize(self, rows: int) -> None:
        """Append fresh rows up to `rows`; never shrinks."""
        more = max(rows - len(self.since), 0)
        self.since = np.concatenate([self.since, np.full(more, NEVER)])
        self.pace = np.concatenate([self.pace, np.zeros(more)])
        self.loads = np.concatenate([self.loads, np.zeros((more, LOADS, len(KINDS)))])

    def retain(self, rows: I64) -> None:
        """Row rows[i] becomes row i; all others are forgotten."""
        self.since, self.pace, self.loads = self.since[rows], self.pace[rows], self.loads[rows]

    def forget(self, row: int) -> None:
        """The row begins anew."""
        self.since[row], self.pace[row], self.loads[row] = NEVER, 0.0, 0.0

    def take(self, row: int, time_ms: int, size: int, total: float) -> tuple[float, float]:
        """So many values came since the last call, the newest at this time. What their total usually is under the load
        that this was, and as long as that is not known what it is; and how many ms they took.
        """
        since_ms, expected = self.since.item(row), total
        self.since[row] = max(since_ms, time_ms)
        if since_ms == NEVER:  # How long these took is not known.
            return expected, 0.0
        took_ms = float(max(time_ms - since_ms, 0))
        self.pace[row] = pace_ms = paced(self.pace.item(row), took_ms)
        place = load_of(pace_ms)
        usual = self._usual(row, place)
        if usual is not None:
            expected = usual * size
        own = self.loads[row, place]
        own[0] += size
        own[1] += total
        if is_round(int(own[0]) // size):
            own[2] = own[1] / own[0]
        return expected, took_ms

    def lately(self, row: int, size: int, total: float) -> tuple[float, float]:
        """Count and total under the load of the newest values, which are so many, but for those."""
        count, whole, _ = self.loads[row, load_of(self.pace.item(row))].tolist()
        return (count - size, whole - total) if count > size else (0.0, 0.0)

    def _usual(self, row: int, place: int) -> float | None:
        """The usual mean under this load. One at the border of two is half in each."""
        known = self.loads[row]
        if known.item(NONE, 0) >= LEAST:
            place = NONE
        count, _, usual = known[place].tolist()
        if count >= LEAST:
            return float(usual)
        if place == NONE or 2.0 * count < LEAST:
            return None
        near = known[max(place - 1, NONE + 1) : place + 2, 0].tolist()
        return float(usual) if sum(one for one in near if one < LEAST) >= LEAST else None

    def dump(self) -> dict[str, NDArray[Any]]:
        return {"since": self.since.copy(), "pace": self.pace.copy(), "loads": self.loads.copy()}

    def load(self, state: State) -> None:
        """Replace the state of all rows; it was checked."""
        self.since, self.pace, self.loads = (state[name].copy() for name in ("since", "pace", "loads"))


def check_state(state: State) -> None:
    """ValueError for what no loads have dumped."""
    rows = rows_of(state, "since")
    since = array_of(state, "since", "i8", (rows,))
    pace, loads = array_of(state, "pace", "f8", (rows,)), array_of(state, "loads", "f8", (rows, LOADS, len(KINDS)))
    sane = (since >= NEVER).all() and np.isfinite(pace).all() and (pace >= 0).all()
    if not (sane and np.isfinite(loads).all() and (loads[..., 0] >= 0).all()):
        raise ValueError("loads that cannot have been")
