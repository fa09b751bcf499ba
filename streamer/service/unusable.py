"""Records that cannot be used, of all partitions together: what share of a topic they are, and words for readiness and
log. When they are too many is the rule of `streamer/alerts/unusable.py`, which also raises the alerts.
"""

from __future__ import annotations

from collections.abc import Iterable

from schemas.events.batch import Reject
from streamer.alerts.unusable import NOTHING, Account
from streamer.alerts.unusable_record import state_in_words
from streamer.engine.stage import Stage

NAMED_MAX = 3
"""Alerts told in one sentence."""


def bytes_of(rejects: Iterable[Reject]) -> int:
    """Of the values that go to the dead letters."""
    return sum(len(reject.record.value or b"") for reject in rejects)


def by_topic(topics: Iterable[str], stages: Iterable[Stage]) -> dict[str, Account]:
    """What became of the records of the last minute or two."""
    found = dict.fromkeys(topics, NOTHING)
    for stage in stages:
        topic = stage.partition[0]
        found[topic] = found.get(topic, NOTHING).plus(stage.record_alerts.account.recent)
    return found


def in_words(stages: Iterable[Stage]) -> str | None:
    """The open alerts; not those of partitions where nothing came of late, which is silence and told elsewhere."""
    told = [
        state_in_words(stage.partition, what, episode)
        for stage in stages
        if stage.record_alerts.account.recent.consumed
        for what, episode in stage.record_alerts.account.open.items()
    ]
    more = [f"and {len(told) - NAMED_MAX} more"] if len(told) > NAMED_MAX else []
    return "; ".join(told[:NAMED_MAX] + more) or None
