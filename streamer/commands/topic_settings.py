"""What the settings of our topics should be, and where those of one differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

MINUTE_MS, DAY_MS = 60_000, 86_400_000
DURABLE_REPLICAS, DURABLE_INSYNC = 3, 2
"""With three replicas a record must be on two before it counts, or the exactly-once promise ends with one disk."""
MIN_INSYNC = "min.insync.replicas"

Role = Literal[
    "events", "feedback", "labels", "verdicts", "control",
    "alerts", "heartbeats", "state", "dead_letter", "windows", "incidents", "shadow", "ordered", "review",
]  # fmt: skip
Rule = Literal["is", "at least", "at most"]


class Setting(NamedTuple):
    """A topic setting: the value it is created with, which others do as well, and what it is for."""

    name: str
    value: str
    rule: Rule
    why: str


ALERTS = (
    Setting("cleanup.policy", "compact,delete", "is", "the last record of each alert outlives its history"),
    Setting("min.compaction.lag.ms", str(7 * DAY_MS), "at least", "every transition stays readable for a week"),
    Setting("retention.ms", str(30 * DAY_MS), "at least", "an alert can be looked up for a month"),
)
SETTINGS: dict[Role, tuple[Setting, ...]] = {
    "events": (),
    "feedback": (),
    "labels": (),
    "verdicts": (),
    "control": (
        Setting("cleanup.policy", "delete", "is", "every command counts, and none has a key"),
        Setting("retention.ms", str(30 * DAY_MS), "at least", "who did what can be looked up for a month"),
    ),
    "alerts": ALERTS,
    "incidents": ALERTS,
    "shadow": ALERTS,
    "heartbeats": (
        Setting("cleanup.policy", "compact,delete", "is", "the last sign of life outlives the others"),
        Setting("retention.ms", str(7 * DAY_MS), "at least", "a week of ticks to replay silence from"),
    ),
    "state": (
        Setting("cleanup.policy", "compact", "is", "a snapshot that was deleted by age is a lost baseline"),
        Setting("segment.bytes", str(32 << 20), "at most", "the active segment is never compacted, a restore reads it"),
        Setting("segment.ms", str(10 * MINUTE_MS), "at most", "likewise where there is little traffic"),
        Setting("min.cleanable.dirty.ratio", "0.3", "at most", "compact before the topic has doubled"),
        Setting("min.compaction.lag.ms", str(2 * MINUTE_MS), "at least", "earlier snapshots remain as a fallback"),
        Setting("max.compaction.lag.ms", str(60 * MINUTE_MS), "at most", "a restore never reads more than an hour"),
    ),
    "dead_letter": (
        Setting("cleanup.policy", "delete", "is", "rejected records may have equal keys, or none"),
        Setting("retention.ms", str(14 * DAY_MS), "at least", "two weeks to look at them and feed them back"),
    ),
    "ordered": (
        Setting("cleanup.policy", "delete", "is", "every record counts, and none has a key"),
        Setting("retention.ms", str(7 * DAY_MS), "at least", "a week of alerts can be replayed exactly"),
    ),
    "review": (
        Setting("cleanup.policy", "compact,delete", "is", "an item whose event was erased is gone, too"),
        Setting("retention.ms", str(30 * DAY_MS), "at least", "a month to answer"),
    ),
    "windows": (
        Setting("cleanup.policy", "delete", "is", "every window has a key of its own"),
        Setting("retention.ms", str(30 * DAY_MS), "at least", "a month to compare with"),
    ),
}


class Difference(NamedTuple):
    setting: str
    has: str
    wants: str
    why: str


def differing(settings: Sequence[Setting], config: Mapping[str, str], replicas: int) -> Iterator[Difference]:
    """config, replicas: of the topic as it is."""
    yield from _durability(config, replicas)
    for setting in settings:
        has = config.get(setting.name, "unknown")
        if not _satisfies(has, setting):
            relation = "" if setting.rule == "is" else f"{setting.rule} "
            yield Difference(setting.name, has, f"{relation}{setting.value}", setting.why)


def _durability(config: Mapping[str, str], there: int) -> Iterator[Difference]:
    """Of how many replicas must have a record: neither so many that a restart stops all, nor one that may be lost."""
    name, has = MIN_INSYNC, config.get(MIN_INSYNC, "")
    if not has.isdigit():
        return
    least = int(has)
    if least >= there > 1:  # More than there are count as all.
        yield Difference(name, has, f"at most {there - 1}", "while one broker restarts nothing can be written")
    elif there >= DURABLE_REPLICAS and least < DURABLE_INSYNC:
        yield Difference(name, has, f"at least {DURABLE_INSYNC}", "what counts as written may be on one disk only")


def _satisfies(has: str, setting: Setting) -> bool:
    if setting.rule == "is":
        return {part.strip() for part in has.split(",")} == set(setting.value.split(","))
    try:
        value, limit = float(has), float(setting.value)
    except ValueError:
        return False
    if value == -1:  # Kafka's "no limit", for retention
        value = float("inf")
    return value >= limit if setting.rule == "at least" else value <= limit
