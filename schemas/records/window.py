"""A window that ended, as it crosses Kafka; its JSON Schema is `window.v1.json`."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from schemas.records.envelope import envelope, located, named


class WindowFacts(NamedTuple):
    """One window of one series of one monitor."""

    labels: dict[str, str]  # model, monitor, detector, signal and the fields of `by`
    source: str  # consumer group
    topic: str
    partition: int
    offset: int  # of the event that closed it
    ended: str  # evaluated, insufficient or late
    breach: bool
    limit: float | None  # what its statistic is compared with; None where there is no reference yet
    window: dict[str, Any]  # counts, shares and place, see the schema
    generation: int = 0  # how often the topic was made anew


def escaped(text: str) -> str:
    """A text in which nothing is left that could be taken for the end of it."""
    return text.replace("%", "%25").replace("/", "%2F")


def render_window(facts: WindowFacts) -> tuple[bytes, bytes]:
    """Key (model, so that a model's windows stay in order) and value of the record."""
    labels = {name: text for name, text in facts.labels.items() if text}
    # Those that hold nothing have their place, too, or the value of one could be taken for another's.
    who = "/".join(escaped(text) for name, text in facts.labels.items() if name != "detector")
    place = f"{named(facts.topic, facts.generation)}-{facts.partition}-{facts.offset}-{facts.window['from']}"
    record = envelope(
        "window",
        id=f"{place}-{who}",
        source=facts.source,
        subject=f"model/{labels['model']}/monitor/{labels['monitor']}",
        time=facts.window["to"],
        data={
            "labels": labels,
            "ended": facts.ended,
            "breach": facts.breach,
            "limit": facts.limit,
            "closed_by": located(facts.topic, facts.partition, facts.offset),
            "window": facts.window,
        },
    )
    return labels["model"].encode(), orjson.dumps(record)
