"""What is usual of a series under each load: how many values come in a time, and what they are on average.

Much of what breathes follows the load: counts of the last hour, latencies, the customers of nights and weekends. A load
that was never there says nothing of what is usual under it, so who is new to a series does not take its first night for
a fault, nor its first weekend, which is no more than a long night. What changes while the load is one that is known is
no matter of the load.

Loads are told apart by the time that a few values took, each four times as long as the one before; so a load that
swings by chance or by a third is one. Values that come all at once, or without times, have none, and what is usual of
them counts under every load: a reference from a file, a batch of a night.

What is usual is looked at anew when a part more has come: of the values that it is held against none are in it, or in a
series of noughts the first few ones would be part of what is usual.

>>> loads = Loads()
>>> loads.resize(1)
>>> for minute in range(200):
...     _ = loads.take(0, minute * 60_000, 8, 8.0 * 5.0)  # Eight values a minute, of 5 on average,
>>> loads.take(0, 200 * 60_000, 8, 8.0 * 7.0)  # which are expected to go on,
40.0
>>> loads.take(0, 500 * 60_000, 8, 8.0 * 7.0)  # and nothing of values that came one in half an hour.
56.0
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.bank import I64, State, array_of, rows_of

LOADS = 14
"""Loads that are told apart: of eight values from a millisecond to half a day."""
NONE = 0
"""The place of values that have no load."""
KINDS = ("count", "total", "usual")
BITS = 3
"""What is usual is the mean at counts of so many binary digits and noughts behind: a quarter or less apart."""
LEAST = 200
"""Values of a load before it is known."""
NEVER = -1


def load_of(took_ms: int) -> int:
    """The place of a load, by the time that some values took."""
    return min(max(took_ms, 0).bit_length() // 2, LOADS - 1)


def is_round(count: int) -> bool:
    """Whether it has no more than BITS digits before its noughts."""
    return count & ((1 << max(count.bit_length() - BITS, 0)) - 1) == 0


class Loads:
    """Of rows 0..rows-1 the mean of the values under each load, and when the newest of them came."""

    def __init__(self) -> None:
        self.since = np.zeros(0, np.int64)
        self.loads = np.zeros((0, LOADS, len(KINDS)))

    def resize(self, rows: int) -> None:
        """Append fresh rows up to `rows`; never shrinks."""
        more = max(rows - len(self.since), 0)
        self.since = np.concatenate([self.since, np.full(more, NEVER)])
        self.loads = np.concatenate([self.loads, np.zeros((more, LOADS, len(KINDS)))])

    def retain(self, rows: I64) -> None:
        """Row rows[i] becomes row i; all others are forgotten."""
        self.since, self.loads = self.since[rows], self.loads[rows]

    def forget(self, row: int) -> None:
        """The row begins anew."""
        self.since[row], self.loads[row] = NEVER, 0.0

    def take(self, row: int, time_ms: int, size: int, total: float) -> float:
        """So many values came since the last call, the newest at this time. What their total usually is under the load
        that this was; as long as that is not known, what it is.
        """
        since_ms, expected = self.since.item(row), total
        self.since[row] = max(since_ms, time_ms)
        if since_ms == NEVER:  # How long these took is not known.
            return expected
        place = load_of(time_ms - since_ms)
        usual = self._usual(row, place)
        if usual is not None:
            expected = usual * size
        own = self.loads[row, place]
        own[0] += size
        own[1] += total
        if is_round(int(own[0]) // size):
            own[2] = own[1] / own[0]
        return expected

    def _usual(self, row: int, place: int) -> float | None:
        """The usual mean under this load. One at the border of two is known by both, if neither is by itself."""
        known = self.loads[row].tolist()
        if known[NONE][0] >= LEAST:
            place = NONE
        if place == NONE or known[place][0] >= LEAST:
            count, _, usual = known[place]
            return usual if count >= LEAST else None
        count = total = 0.0
        for near in range(max(place - 1, NONE + 1), min(place + 2, LOADS)):
            if known[near][0] < LEAST:
                count += known[near][0]
                total += known[near][0] * known[near][2]
        return total / count if count >= LEAST else None

    def dump(self) -> dict[str, NDArray[Any]]:
        return {"since": self.since.copy(), "loads": self.loads.copy()}

    def load(self, state: State) -> None:
        """Replace the state of all rows; it was checked."""
        self.since, self.loads = state["since"].copy(), state["loads"].copy()


def check_state(state: State) -> None:
    """ValueError for what no loads have dumped."""
    rows = rows_of(state, "since")
    since = array_of(state, "since", "i8", (rows,))
    loads = array_of(state, "loads", "f8", (rows, LOADS, len(KINDS)))
    if not (np.isfinite(loads).all() and (loads[..., 0] >= 0).all() and (since >= NEVER).all()):
        raise ValueError("loads that cannot have been")
