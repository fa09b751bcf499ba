"""What time it is by the times of events, of which some are of a wrong clock.

It is the time that most events agree on. One that is further ahead of all before than a bound does not move it, until
`needed` more of them are there than others, of which each counts for WEIGHT: three in a row after a pause, DOUBT once
any turned out wrong, so that a third of the producers may be ahead for ever. The bound is `ahead_ms`, or GAPS of the
usual gaps between events, whichever is more: a model of one event a day goes on by days.

What moved it by more than the bound can be wrong still, as can the very first event: until it is settled whoever
follows the clock of before is not late, and where these are the more it goes back. What was said of time cannot go
back: until it is that late again events are of the newest time that was said.
"""

from __future__ import annotations

from collections.abc import Sequence

TIMELY, UNTIMELY, LATE = range(3)
"""An event's time is its own; is not believed, so that it is of the newest; is older than all that may still come."""

CONFIRM, DOUBT, DOUBT_MAX = 3, 64, 4096
WEIGHT = 3
CONTRARY, SETTLED = 8, 256
GAPS = 32
FIRST_MS = 1
"""The clock before the first event: any is after that."""

STATE = ("time_ms", "now_ms", "ahead", "needed", "gaps_ms", "before_ms", "contrary", "last_ms", "doubted", "moved")
NOW = STATE.index("now_ms")


class EventClock:
    """Of one model, or of a partition. See `STATE`: where it stands; the newest time that was said; how many more are
    ahead than not, weighted; how many it needs; the usual gap, times GAPS; where it stood before it was moved far, or
    0; how many more follow that than this one; the first of those ahead; how many events wait to be believed; and how
    many are wrong if it was moved wrongly.
    """

    __slots__ = STATE

    def __init__(self, time_ms: int, known: bool = False) -> None:
        """`known`: others say so, too."""
        self.time_ms = self.now_ms = time_ms
        self.ahead, self.needed, self.gaps_ms = 0, CONFIRM, 0
        self.before_ms, self.moved = (0, 0) if known else (FIRST_MS, 1)
        self.contrary, self.last_ms, self.doubted = 0, 0, 0

    def hear(self, time_ms: int, lateness_ms: int, ahead_ms: int) -> tuple[int, int]:
        """What an event of this time is, and how many events turned out to be of a wrong clock."""
        bound_ms = max(ahead_ms, self.gaps_ms)
        if time_ms > self.time_ms + bound_ms:
            if not self._believed(time_ms, ahead_ms):
                return UNTIMELY, 0
        elif time_ms < self.time_ms - lateness_ms:
            if not self.before_ms or not self.before_ms - lateness_ms <= time_ms < self.time_ms - ahead_ms:
                return LATE, 0
            return UNTIMELY, self._against(time_ms)
        wrong = self._for() if self.ahead or self.before_ms else 0
        if time_ms > self.time_ms:
            self.gaps_ms += time_ms - self.time_ms
            self.time_ms = time_ms
        self.gaps_ms -= self.gaps_ms // GAPS
        self.now_ms = max(self.now_ms, self.time_ms)
        return TIMELY if time_ms >= self.now_ms - lateness_ms else UNTIMELY, wrong

    def _believed(self, time_ms: int, ahead_ms: int) -> bool:
        """Whether it is so late, as one more event says and the one ahead before it, which may be of a wrong clock
        itself: so the earlier of the two counts. How far they are apart is the usual gap then, as far as is known.
        """
        self.ahead, self.doubted = self.ahead + 1, self.doubted + 1
        last_ms, self.last_ms = self.last_ms, time_ms
        if self.ahead < self.needed:
            return False
        self.before_ms, self.contrary = self.time_ms, 0
        self.time_ms = min(time_ms, last_ms)
        self.gaps_ms += min(abs(time_ms - last_ms), self.time_ms - self.before_ms)
        self.now_ms = max(self.now_ms, self.time_ms)
        believed = time_ms <= self.time_ms + max(ahead_ms, self.gaps_ms)
        self.ahead, self.doubted, self.moved = 0, 0, self.doubted - believed
        self.needed = max(CONFIRM, self.needed // 2)
        return believed

    def _for(self) -> int:
        """One more event is of this time, and neither ahead nor of before."""
        wrong = 0
        if self.ahead:
            self.ahead = max(self.ahead - WEIGHT, 0)
            if not self.ahead:
                wrong, self.doubted, self.needed = self.doubted, 0, max(self.needed, DOUBT)
        if self.before_ms:
            self.contrary, self.moved = self.contrary - 1, self.moved + 1
            if self.contrary <= -SETTLED:
                self.before_ms, self.contrary, self.moved = 0, 0, 0
        return wrong

    def _against(self, time_ms: int) -> int:
        """One more event says that it is as late as it was."""
        self.before_ms, self.contrary = max(self.before_ms, time_ms), self.contrary + 1
        if self.contrary < CONTRARY:
            return 0
        wrong, self.doubted, self.moved = self.doubted + self.moved, 0, 0
        self.time_ms, self.before_ms, self.contrary, self.ahead = self.before_ms, 0, 0, 0
        self.needed = min(2 * max(self.needed, DOUBT), DOUBT_MAX)
        return wrong

    def dump(self) -> list[int]:
        return [getattr(self, name) for name in STATE]

    @classmethod
    def load(cls, state: Sequence[int]) -> EventClock:
        """ValueError for what cannot be."""
        clock = cls(0)
        for name, value in zip(STATE, state, strict=True):
            setattr(clock, name, int(value))
        return clock
