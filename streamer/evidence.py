"""What an alert shows of a finding: plain data, ready for the wire."""

from __future__ import annotations

from typing import Any

from detectors.reference import Learned
from schemas.alert import rfc3339
from streamer import config as cfg
from streamer.series import SeriesTable

DIRECTION_NAMES = {1: "up", -1: "down", 0: "unknown"}

Part = dict[str, Any] | None
Evidence = dict[str, Any]


def annotations_of(config: cfg.Monitor) -> dict[str, str]:
    """What the user wrote for the reader of an alert."""
    chosen = {"description": config.description, "runbook_url": config.runbook_url}
    return {name: text for name, text in chosen.items() if text}


def detector_of(config: cfg.Monitor) -> dict[str, Any]:
    """The detector as alerts show it."""
    detect = config.detect
    return {"kind": detect.kind, "params": detect.shown(), "scale_free": not detect.raw}


def evidence(
    direction: int, statistic: float, threshold: float | None, before: Part, after: Part, window: Part
) -> Evidence:
    """Before, after and window as evidence, and the finding itself. How far the mean moved is told in units of the
    signal and in standard deviations of the reference.
    """
    now = window.get("fraction") if window else after["mean"] if after else None
    moved = now - before["mean"] if before and now is not None else None
    deviations = moved / before["std"] if before and moved is not None and before["std"] > 0 else None
    finding = {
        "statistic": statistic,
        "threshold": threshold,
        "direction": DIRECTION_NAMES[direction],
        "effect": {"absolute": moved, "deviations": deviations},
    }
    return {"finding": finding, "evidence": {"before": before, "after": after, "window": window}}


def span(first_offset: int, last_offset: int, from_ms: int, to_ms: int) -> dict[str, Any]:
    """Where in event time and in the log something was seen."""
    return {"offsets": [first_offset, last_offset], "from": rfc3339(from_ms), "to": rfc3339(to_ms)}


def reference_evidence(learned: Learned) -> dict[str, Any]:
    """The reference of a row in raw units."""
    return {
        "n": learned.n,
        "mean": learned.mean,
        "std": learned.std,
        **span(learned.first_offset, learned.last_offset, learned.first_time_ms, learned.last_time_ms),
    }


def before_of(table: SeriesTable, row: int, offset: int) -> Part:
    """What a row is compared with: what the file of references says of it, or what it had learned by `offset`.

    The whole batch has passed the reference by now, so that it is ready says nothing of an event in the middle.
    """
    if row in table.pinned:
        return table.pinned[row]
    learned = table.learned(row)
    if learned.n < table.reference.warmup or learned.last_offset > offset:
        return None
    if row not in table.shown:
        table.shown[row] = reference_evidence(learned)
    return table.shown[row]


def recent_evidence(recent: tuple[int, float, float, int, int, int, int] | None, centre: float) -> Part:
    """The newest values of a row, cut where they depart from the reference the most: `Recent` as evidence."""
    if recent is None:
        return None
    n, mean, std, *places = recent
    return {"n": n, "mean": mean + centre, "std": std, **span(*places)}
