"""From the false alarms that a series may have to how far its limits are from what its days have shown."""

from __future__ import annotations

from math import log


def odds(rate: float, limits: float = 1.0) -> float:
    """How unlikely a healthy day is to go beyond one of so many limits, log(1 / p), of a series that may have so many
    false alarms a day (`streamer/config/budget.py`).
    """
    return max(log(limits / rate), 1.0)
