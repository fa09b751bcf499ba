"""What the page's view of the config says beside the file: the budget of false alarms and its parts, what series are
compared with, and which models are still in school.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from streamer.config.budget import WEEK_DAYS
from streamer.config.expectation import expected, told
from streamer.config.model import Config

SCHOOL = 60
"""Models in school that are listed, those that are in it for the longest first."""


def budget(config: Config) -> dict[str, Any]:
    """`says`: sentences; `parts`: of each monitor false alarms a week of a model, and among how many series it shares
    them: None for as many as live.
    """
    monitors = config.effective_monitors()
    parts = [
        {
            "monitor": name,
            "kind": monitors[name].detect.kind,
            "a_week": part.a_day * WEEK_DAYS,
            "series": part.series if part.given or (part.series == 1 and not monitors[name].by) else None,
        }
        for name, part in expected(config).items()
        if part.takes
    ]
    return {"says": list(told(config)), "parts": parts}


def references(config: Config) -> str:
    """What series are compared with, in a sentence."""
    known = config.reference
    file = f"what {known.file} has of them; those that it has not with " if known.file is not None else ""
    first = f"their first {known.warmup:,} values, aggregates with their first {known.windows:,}"
    return f"Series are compared with {file}{first}."


def in_school(models: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Of the models of an overview."""
    found = sorted((one for one in models if one["school_until"]), key=lambda one: one["school_until"], reverse=True)
    names = ("model", "school_until", "tiers")
    return {"models": [{name: one[name] for name in names} for one in found[:SCHOOL]], "count": len(found)}
