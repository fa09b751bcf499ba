"""Members that are put out of a group by their own name.

With `kafka.instance` a group has one member of that name: whoever joins under it puts out the one before. That can be
another process, by mistake, and then each puts out the other for ever. It can also be what is left of ourselves: a
member that asked to join while its broker went asks again, and is known under two ids for a while. So it joins anew,
and gives up where that happens again and again.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from streamer.port import LogDown, LogRefused

FENCED_MAX = 3
FENCED_WITHIN_S = 300.0
"""Longer than both take to come back, each FENCED_MAX times, on a busy machine."""


class Fencing:
    """How often that happened of late, by group. It outlives the logs that come and go with it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._told_s = clock, dict[str, deque[float]]()

    def told(self, group: str, instance: str | None) -> LogDown:
        """It has happened: what to raise."""
        told_s, now_s = self._told_s.setdefault(group, deque(maxlen=FENCED_MAX)), self._clock()
        told_s.append(now_s)
        whose = f"another process uses kafka.instance {instance!r} in group {group!r}"
        if len(told_s) == FENCED_MAX and now_s - told_s[0] < FENCED_WITHIN_S:
            return LogRefused(
                f"{whose}: it has put us out {FENCED_MAX} times within {FENCED_WITHIN_S:g} s; give every instance its"
                " own kafka.instance"
            )
        return LogDown(f"{whose}, or this one was away for longer than session.timeout.ms: it joins once more")
