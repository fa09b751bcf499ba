"""The words that the sentences of monitors share."""

from __future__ import annotations

from streamer.signals.kinds import phrase_of


def quantity(signal: str) -> str:
    """What a signal is the mean of, as a reader sees it: `share of events without age`, `mean of features.amount`."""
    counted = phrase_of(signal, 0)
    return f"share of {counted}" if counted else f"mean of {signal}"


def from_to(signal: str, before: float, after: float) -> str:
    if phrase_of(signal, 0):
        return f"from {before:.1%} to {after:.1%}"
    return f"from {before:.4g} to {after:.4g}"
