"""What a monitor reports: an edge (a change point) or a level (the verdict of a window)."""

from __future__ import annotations

from typing import Any, NamedTuple

DRIFT, BREACH, CLEAR = "drift", "breach", "clear"
NEITHER = "neither"
"""Of a window without a verdict, or between its limits: it changes no alert."""
STRETCH = "stretch"
"""Not a verdict: where a series stands by now in which an edge was found, see `following.py`."""


class Finding(NamedTuple):
    """What a monitor reports at one event. `evidence` is plain data, see `evidence.py`; alerts only keep it."""

    event: int  # index of the event in the batch; -1 of one that a tick brought
    monitor: int  # position of the monitor in the config
    row: int
    signal: str  # DRIFT, BREACH, CLEAR, NEITHER or STRETCH
    evidence: Any
    ended: str = ""  # of a window: how it ended, see window_outcomes.ENDS
    histogram: Any = None  # of the window of a distribution, see `histogram.py`; no alert keeps it
