"""How a test waits for what does happen: until it has, and no fixed time. Only what hangs meets the limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 120.0
"""So long a step may take that is done in a second where nobody else computes; below the time limit of a test, so that
it is said what was waited for."""
T = TypeVar("T")


def until(
    ready: Callable[[], T], what: object = "", step: Callable[[], object] | None = None, seconds: float = PATIENCE_S
) -> T:
    """What `ready` returns once that is true. `what`: words for the failure, or a function that has them. `step`: what
    is done meanwhile, such as a poll; else there are sleeps, which grow: who looks often takes the processor from what
    it waits for.
    """
    end_s, pause_s = time.monotonic() + seconds, 0.02
    while not (found := ready()):
        if time.monotonic() > end_s:
            raise AssertionError(f"not within {seconds:g} s: {what() if callable(what) else what}")
        if step is None:
            time.sleep(pause_s)
            pause_s = min(1.3 * pause_s, 0.3)
        else:
            step()
    return found
