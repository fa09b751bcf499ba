"""What the patterns of signals match: who reads `score.*` wants to see which scores these are."""

from __future__ import annotations

from collections.abc import Iterable

from streamer.monitors.base import Monitor
from streamer.signals.grammar import member_title
from streamer.signals.kinds import CATEGORY, NUMBER

NAMED_MAX = 20

Members = dict[tuple[str, str], dict[str, None]]
"""By model and signal as the config writes it: its members, as alerts call them, in order of appearance."""


def matching(monitors: Iterable[Monitor]) -> Members:
    """Of the signals that are about fields: numbers, categories, and texts that have shares. What else has a `*` is
    about the same features once more.
    """
    found: Members = {}
    for table in {monitor.table.id: monitor.table for monitor in monitors}.values():
        signal = table.signal
        if signal.every and (signal.spec.values in (NUMBER, CATEGORY) or signal.spec.plural):
            written = member_title(signal, signal.path + (signal.pattern or "*"))
            for (model, *_), member in table.keys:
                found.setdefault((model, written), {})[member_title(signal, member)] = None
    return found


def listed(names: Iterable[str]) -> str:
    """The first of them."""
    every = list(names)
    more = f" and {len(every) - NAMED_MAX:,} more" if len(every) > NAMED_MAX else ""
    return ", ".join(every[:NAMED_MAX]) + more
