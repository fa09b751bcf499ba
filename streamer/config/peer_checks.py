"""What a monitor needs that compares peers with each other: something to tell them apart by, and windows of time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from streamer.config.cross_checks import Complaint, Rule, as_items, at, signal_of
from streamer.config.detect import DETECTS


def peers_can_be_compared(raw: Any) -> Iterator[Complaint]:
    for name, monitor in as_items(at(raw, "monitors")):
        kind, by, window = at(monitor, "detect", "kind"), at(monitor, "by"), at(monitor, "window")
        signal = signal_of(monitor)
        if signal is not None and signal.kind in ("selection_ratio", "error_ratio") and by in (None, []):
            message = f"{signal.kind} is of one of `by` over all others; say what they are, by: [segment.group]."
            yield Complaint(("monitors", name, "signal"), "bad-value", message)
        if not isinstance(kind, str) or kind not in DETECTS or not DETECTS[kind].compares:
            continue
        if by in (None, []):
            message = f"{kind} compares the values of `by` with each other; say what they are, by: [segment.host]."
            yield Complaint(("monitors", name, "detect", "kind"), "bad-value", message)
        if at(window, "events") is not None:
            message = f"the windows of {kind} are of time, so that what moves all alike is the same in each."
            yield Complaint(("monitors", name, "window", "events"), "bad-value", message)


PEER_RULES: tuple[Rule, ...] = (peers_can_be_compared,)
