"""Whether a topic is keyed by model: where the models of a sample of its events are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

NAMED_MAX = 3
Places = dict[tuple[str, str], list[int]]
"""Partitions, by topic and model."""


class Seen(NamedTuple):
    """One event of a sample."""

    topic: str
    partition: int
    offset: int
    time_ms: int  # of its record
    model: str


def scattered(events: Sequence[Seen]) -> Places:
    """Models that several partitions of a topic have at the same time, by topic and model.

    The model of a keyed topic moves once, when partitions are added; one without a key goes back and forth.
    """
    moves, places = dict[tuple[str, str], int](), Places()
    for one in sorted(events, key=lambda seen: (seen.time_ms, seen.partition, seen.offset)):
        known = places.setdefault((one.topic, one.model), [])
        if known and known[-1] != one.partition:
            moves[one.topic, one.model] = moves.get((one.topic, one.model), 0) + 1
        if one.partition in known:
            known.remove(one.partition)
        known.append(one.partition)
    return {at: sorted(places[at]) for at, count in moves.items() if count > 1}


def in_words(several: Mapping[tuple[str, str], Sequence[int]]) -> str:
    """`m is in 2 partitions of inferences`, of a few of them."""
    told = [f"{model} is in {len(at)} partitions of {topic}" for (topic, model), at in several.items()]
    more = f" and {len(told) - NAMED_MAX} more models likewise" if len(told) > NAMED_MAX else ""
    return "; ".join(told[:NAMED_MAX]) + more
