"""What most sources have in common: the clock means nothing to them, only the times of events do."""

from __future__ import annotations


class Timeless:
    """A source that ticks of the clock do not change."""

    def tick(self, passed_ms: int) -> None:
        """Nothing happens by itself."""
