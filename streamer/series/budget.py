"""How often monitors that learn from days may be wrong: one number, shared by the series that are watched."""

from __future__ import annotations

from math import log

DAYS = 7.0
"""A model may have one false alert in so many days, ..."""
SHARERS = 50.0
"""... which so many series share: features, categories, callers, and what there is one of in a model."""


def odds(parts: float = 1.0) -> float:
    """How unlikely a healthy day of a series is to go beyond a limit, log(1 / p), where it has so many limits."""
    return log(DAYS * SHARERS * parts)
