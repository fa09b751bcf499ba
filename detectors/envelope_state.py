"""The state of an envelope as arrays: what a dump has of each row, and what older snapshots lack of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors import cusum, extremes, loads
from detectors.bank import State, array_of, rows_of
from detectors.cusum import WIDTH
from detectors.extremes import FRESH, LAG
from detectors.loads import KINDS, LOADS, NEVER

FIRST, FACTOR, LEVELS = 8, 4, 7
SIZES = tuple(FIRST * FACTOR**level for level in range(LEVELS))
"""Values in a block of each level."""
SUMS = 5  # of the values, their distances from the centre, their squares, what is usual under their load, their ms
MOMENTS = 3  # see `moments`
CHANNELS = 2 * LEVELS

INTS = ("fill", "day", "count", "since")
SMALL = ("fill", "count")  # numbers of one byte
FLOATS = (
    "sums",
    "seen",
    "runs",
    "earlier",
    "today",
    "mean",
    "variance",
    "limit",
    "waiting",
    "loads",
    "pace",
    "spans",
    "rare",
)
SIDES = (CHANNELS, 2)
SHAPES: dict[str, tuple[int, ...]] = {
    "fill": (LEVELS,),
    "day": (),
    "count": SIDES,
    "since": (),
    "sums": (LEVELS, SUMS),
    "seen": (MOMENTS,),
    "runs": (4,),
    "earlier": (LEVELS, MOMENTS),
    **dict.fromkeys(("today", "mean", "variance", "limit"), SIDES),
    "waiting": (CHANNELS, 2 * LAG),
    "loads": (LOADS, len(KINDS)),
    "pace": (),
    "spans": (LEVELS, 2),
    "rare": (WIDTH,),
}
"""Arrays of a dump: what they have of each row; of shares only every other channel, see `packed`."""


def packed(arrays: dict[str, NDArray[Any]], shares: bool) -> dict[str, NDArray[Any]]:
    """A dump; of shares without the channels of distances, which are never used."""
    if not shares:
        return arrays
    return {name: array[:, ::2].copy() if name in FRESH else array for name, array in arrays.items()}


def unpacked(state: State, shares: bool) -> dict[str, NDArray[Any]]:
    """The arrays of a dump with all channels; ValueError for what no bank has dumped."""
    if "loads" not in state:
        state = {**state, **without_loads(state)}
    if "pace" not in state:
        state = {**state, **without_pace(state)}
    if "rare" not in state:
        state = {**state, "rare": cusum.fresh(rows_of(state, "day"))}
    check_state(state, LEVELS if shares else CHANNELS)
    found = {name: state[name] for name in SHAPES}
    for name, fresh in FRESH.items() if shares else ():
        found[name] = np.full((len(state["day"]), *SHAPES[name]), fresh, state[name].dtype)
        found[name][:, ::2] = state[name]
    return found


def without_loads(state: State) -> State:
    """What older snapshots do not have: of no load it is known what is usual, least of all in blocks that go on."""
    sums = array_of(state, "sums", "f8", (rows_of(state, "day"), LEVELS, 3))
    since, loads = np.full(len(sums), NEVER), np.zeros((len(sums), LOADS // 2, len(KINDS)))
    open_blocks = sums[..., :1] * (np.arange(LEVELS) > 0)[:, None]
    return {"sums": np.concatenate([sums, open_blocks], axis=-1), "since": since, "loads": loads}


def without_pace(state: State) -> State:
    """Older snapshots tell loads apart by four, and do not know how long blocks took: those that go on took no time."""
    rows = rows_of(state, "day")
    sums = array_of(state, "sums", "f8", (rows, LEVELS, SUMS - 1))
    loads = array_of(state, "loads", "f8", (rows, LOADS // 2, len(KINDS)))
    found = {"pace": np.zeros(rows), "spans": np.zeros((rows, LEVELS, 2)), "loads": np.repeat(loads, 2, axis=1)}
    return {**found, "sums": np.concatenate([sums, np.zeros((rows, LEVELS, 1))], axis=-1)}


def check_state(state: State, channels: int) -> None:
    """ValueError for what no bank has dumped."""
    extremes.check_state(state, channels)
    loads.check_state(state)
    rows = rows_of(state, "day")
    cusum.check_state(array_of(state, "rare", "f8", (rows, WIDTH)))
    fill = array_of(state, "fill", "u1", (rows, LEVELS))
    sums, seen = array_of(state, "sums", "f8", (rows, LEVELS, SUMS)), array_of(state, "seen", "f8", (rows, MOMENTS))
    rest = [array_of(state, name, "f8", (rows, *SHAPES[name])) for name in ("runs", "earlier", "spans")]
    if not (fill < [FIRST, *[FACTOR] * (LEVELS - 1)]).all():
        raise ValueError("a block that is over-full")
    if not (all(np.isfinite(array).all() for array in (sums, seen, *rest)) and (seen[:, 0] >= 0).all()):
        raise ValueError("sums that are not finite")
