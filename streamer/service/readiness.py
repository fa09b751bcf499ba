"""What the service waits for, in the words of /readyz and the log: functions of what the worker and the log know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from streamer.config.model import Topics
from streamer.kafka.overlooked import NAMED_MAX, named
from streamer.port import Parts, Surroundings, Unread

if TYPE_CHECKING:
    from streamer.service.worker import Worker

COMMITS_LATE_S = 5.0
"""A commit that is refused once and lands at the next try is no news."""
REFUSABLE = ("assigned", "restored", "commits")
"""What may wait because a right is missing; Kafka does not always say so."""
REFUSED_AFTER_S = 5.0
"""By then a group has formed, most times: a right that is missing is looked for."""
UNREAD_AFTER_S = 60.0
"""Longer than a group takes to settle, and a member to be missed."""
EVENTS = {"rights": "not_authorized", "schemas": "schema_registry_away", "all_read": "partitions_unread"}
"""By check, what the log calls it; others it calls waiting."""


def of_worker(worker: Worker, now_s: float) -> dict[str, str | None]:
    """By readiness check, what the worker waits for; None where it does not. `now_s`: the worker's clock."""
    left = worker.restoring
    restoring = f"restoring {named(left)}" if left else None
    restores, commits = worker.stats.trouble.get("restores"), worker.stats.trouble.get("commits")
    if restores is not None and left:
        restoring = f"{restoring}: {restores.why}"
    late = commits is not None and now_s - commits.since_s >= COMMITS_LATE_S
    held_back = throttled(worker.log.throttled())
    return {
        "assigned": worker.log.waiting() if not worker.owned and not left else None,
        "restored": restoring,
        "commits": f"nothing is published: {commits.why}{held_back}" if commits is not None and late else None,
        "schemas": worker.stats.schemas_awaited,
    }


def of_workers(workers: Sequence[Worker], now_s: float) -> dict[str, str | None]:
    """The same of all stages; what both say is said once."""
    each = [of_worker(worker, now_s) for worker in workers]
    why = {check: [words for one in each if (words := one[check])] for check in each[0]}
    return {check: "; ".join(dict.fromkeys(said)) or None for check, said in why.items()}


SHARE_OUT = (
    "what comes there waits, and no model in it is watched; see whether all replicas and stages run, and where they do"
    " stop one for longer than session.timeout.ms: then all is shared out anew"
)
FIX = "driftline topics repartition -c FILE --partitions N, while nobody is at work"


def of_parts(parts: Parts | None, name: str | None, there: int | None) -> dict[str, str]:
    """What is not as it was of the ordered log of this name, which has so many partitions; by topic."""
    if parts is None or name is None or there is None or there == parts.there:
        return {}
    if there < parts.used:
        return {name: f"has {there} partitions, models are in {parts.used}: nothing lands until it has them again"}
    return {name: f"has {there} partitions, not {parts.there}: models stay in {parts.used} of them; {FIX}, moves them"}


def throttled(seconds: float) -> str:
    """The rest of a sentence about what takes long."""
    return f"; a quota of the broker (producer_byte_rate) holds our writes back by {seconds:.1f} s" if seconds else ""


def slow_snapshots(worker: Worker) -> str | None:
    """Snapshots that take long, with the reason: they make nothing unready, only the next restart a longer one."""
    seconds, trouble = worker.log.throttled(), worker.stats.trouble.get("snapshots")
    staging = sorted(worker.stager.under_way().items())
    if not staging or not (seconds or trouble):
        return None
    parts = [
        f"{topic}[{number}] {one.snapshot.size / 1e6:.1f} MB, {one.staged.written} of {one.staged.chunks or 'its'}"
        " parts written"
        for (topic, number), one in staging[:NAMED_MAX]
    ]
    more = f" and {len(staging) - NAMED_MAX} more" if len(staging) > NAMED_MAX else ""
    why = f": {trouble.why}" if trouble is not None else ""
    return f"{', '.join(parts)}{more}{why}{throttled(seconds)}"


def of_surroundings(seen: Surroundings, topics: Topics) -> dict[str, str | None]:
    """By readiness check, what is wrong with the broker and the topics, as last seen."""
    if seen.down is not None:
        return {"broker_seen": seen.down, "rights": None, "topics": None}
    hidden = ", ".join(sorted(seen.hidden))
    unseen = f"we may not see {hidden}: an access rule is missing, `driftline doctor` says which" if hidden else None
    there = None if seen.topics is None else {**seen.topics, **dict.fromkeys(seen.hidden)}
    found = {"broker_seen": None, "rights": seen.lacking or unseen, "topics": missing(there, topics)}
    return {**found, "all_read": read_by_nobody(seen.overlooked)}


def read_by_nobody(unread: Unread) -> str | None:
    """Partitions that no member of a group has had for long, with what to do; None where there are none."""
    told = [
        f"nobody in the group {group} reads {named(late)}, for {max(late.values()):.0f} s"
        for group, late in long_unread(unread).items()
    ]
    return f"{'; '.join(told)}: {SHARE_OUT}" if told else None


def long_unread(unread: Unread) -> Unread:
    """What is not nobody's for a moment only, as in a rebalance."""
    late = {
        group: {one: seconds for one, seconds in partitions.items() if seconds >= UNREAD_AFTER_S}
        for group, partitions in unread.items()
    }
    return {group: partitions for group, partitions in late.items() if partitions}


def missing(found: Mapping[str, object] | None, topics: Topics) -> str | None:
    """Which topics do not exist, and who makes them; None when all do, or nobody has looked yet."""
    if found is None:
        return None
    keys = {topic: f"{section}.topic" for section, topic in topics.sides.items()}
    events = [f"{name} ({keys.get(name, 'topics.events')})" for name in topics.named() if name not in found]
    own = [f"{name} (topics.{role})" for role, name in topics.own().items() if name not in found]
    words = []
    if not topics.resolved(found).events:
        words.append(f"no topic matches {', '.join(topics.patterns())} (topics.events)")
    if events:
        words.append(f"no topic {', '.join(events)}: whoever sends the events has to create it")
    if own:
        words.append(f"no topic {', '.join(own)}: `driftline topics apply -c FILE` creates it")
    return "; ".join(words) or None


def unread_seconds(unread: Unread) -> dict[tuple[str, ...], float]:
    """For the metric, by topic and partition."""
    return {(topic, str(number)): s for one in unread.values() for (topic, number), s in one.items()}
