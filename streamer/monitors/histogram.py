"""What is told of the bins of a window and of the reference: names, the shares in both, and which moved most.

No value of an event is in it: bins are bounded by quantiles of the warm-up, or are the names of categories.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from streamer.monitors.words import told_apart

MOVED_TOLD = 3
BINS_TOLD = 64
"""A histogram of more bins is not told: nobody could read it, and a record of it would be large."""


def histogram(names: list[str], before: Any, after: Any) -> dict[str, list[Any]] | None:
    """All bins with their shares, as windows are published with; None where there are too many."""
    if len(names) > BINS_TOLD:
        return None
    return {"bins": names, "before": np.round(before, 4).tolist(), "after": np.round(after, 4).tolist()}


def moved(names: list[str], before: Any, after: Any) -> list[dict[str, Any]]:
    """The bins whose shares changed the most, given how common they are, by name: from 1 to 20 % is more than from 70
    to 50 %.
    """
    both = before + after
    weight = np.where(both > 0, (after - before) ** 2 / np.where(both > 0, both, 1.0), 0.0)
    order = np.argsort(-weight, kind="stable")[:MOVED_TOLD].tolist()
    return [{"bin": names[i], "before": float(before[i]), "after": float(after[i])} for i in order]


def bin_names(edges: list[float]) -> list[str]:
    """`below 3`, `3 to 5`, `from 5 on`."""
    if not edges:
        return ["all values"]
    shown = told_apart(edges)
    between = [f"{low} to {high}" for low, high in zip(shown, shown[1:], strict=False)]
    return [f"below {shown[0]}", *between, f"from {shown[-1]} on"]
