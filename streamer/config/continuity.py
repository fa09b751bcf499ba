"""What a restart finds again: by which names of the config offsets, state and readers are known, and what it means when
one of them is another. Words for `config diff`, and for the log where a start finds nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from streamer.config.model import Config
from streamer.config.stages import undecided

TRANSACTION_S = 15
"""After so long the broker ends a transaction that nobody ends, see `kafka/transactions.py`."""
SESSION_S = 10
"""After so long the group gives up a member that is silent, by default."""


class Change(NamedTuple):
    """A name that is another one. `lost`: by it the state of every series is not found."""

    path: str
    sentence: str
    lost: bool = False


def without_offsets(config: Config) -> str:
    """What a group without offsets does."""
    group = f"group {config.kafka.group!r} has no offsets: 0 series are kept"
    if config.kafka.start == "latest":
        return f"{group}, and reading begins at the end (kafka.start: latest): what came before is not looked at"
    again = "if it was read before, its alerts are published once more, under the ids they had"
    return f"{group}, every topic is read anew from its oldest record (kafka.start: earliest), and {again}"


def without_state(config: Config) -> str:
    """What a group with offsets does whose snapshots are not found."""
    found = f"{config.topics.state!r} has no snapshot of it: reading goes on at the offset committed, 0 series are kept"
    if config.commit.on_state_loss == "halt":
        return f"{found}, so it stops (commit.on_state_loss: halt)"
    return f"{found}, they learn again (commit.on_state_loss: rebaseline), and alerts that fire now never resolve"


def changes(old: Config, new: Config) -> Iterator[Change]:
    """What a restart with `new` finds otherwise than one with `old`, the gravest first."""
    for change in CHANGES:
        yield from change(old, new)


def _group(old: Config, new: Config) -> Iterator[Change]:
    if old.kafka.group != new.kafka.group:
        yield Change("kafka.group", without_offsets(new), lost=True)


def _brokers(old: Config, new: Config) -> Iterator[Change]:
    if old.kafka.brokers != new.kafka.brokers:
        yield Change("kafka.brokers", f"all is kept in the same cluster; in another one {without_offsets(new)}")


def _state(old: Config, new: Config) -> Iterator[Change]:
    if old.topics.state != new.topics.state:
        moved = f"the snapshots are in {old.topics.state!r}, which is not read any more"
        lost = old.kafka.group == new.kafka.group
        yield Change("topics.state", f"{moved}{f'; {without_state(new)}' if lost else ''}", lost=True)


def _events(old: Config, new: Config) -> Iterator[Change]:
    before, after = old.topics, new.topics
    fresh = [name for name in after.events if name not in before.resolved(after.named()).events + before.events]
    gone = [name for name in before.events if name not in after.resolved(before.named()).events + after.events]
    if fresh:
        begin = "its oldest record" if new.kafka.start == "earliest" else "its end"
        told = f"{', '.join(fresh)}: new, read from {begin} (kafka.start: {new.kafka.start}); its series learn"
        yield Change("topics.events", told, lost=len(fresh) == len(after.events))
    if gone:
        told = f"{', '.join(gone)}: not read any more; alerts about it that fire now never resolve"
        yield Change("topics.events", told)


def _sides(old: Config, new: Config) -> Iterator[Change]:
    """What is told of inferences, and in which topic."""
    for section in {**old.topics.sides, **new.topics.sides}:
        before, after = (config.topics.sides.get(section) for config in (old, new))
        if before == after:
            continue
        begin = "its oldest record" if new.kafka.start == "earliest" else "its end"
        told = [f"{after}: new, read from {begin} (kafka.start: {new.kafka.start})"] if after else []
        told += [f"{before}: not read any more"] if before else []
        yield Change(f"{section}.topic", "; ".join(told))


def _alerts(old: Config, new: Config) -> Iterator[Change]:
    if old.topics.alerts != new.topics.alerts:
        told = f"alerts go to {new.topics.alerts!r} from now on, also the end of what fires now"
        yield Change("topics.alerts", f"{told}; who reads {old.topics.alerts!r} is told nothing more")


def _others(old: Config, new: Config) -> Iterator[Change]:
    where = new.topics.published()
    for role in ("heartbeats", "dead_letter", "windows", "incidents", "shadow"):
        if getattr(old.topics, role) != getattr(new.topics, role):
            told = f"records go to {where[role]!r} from now on" if role in where else "not published any more"
            yield Change(f"topics.{role}", told)


def _review(old: Config, new: Config) -> Iterator[Change]:
    before, after = (config.topics.own().get("review") for config in (old, new))
    if before is not None and before != after:
        told = f"items go to {after!r} from now on; verdicts on those in {before!r} are still taken"
        yield Change("review.topic", told if after is not None else "nobody is asked any more")


def _instance(old: Config, new: Config) -> Iterator[Change]:
    if old.kafka.instance == new.kafka.instance:
        return
    if new.kafka.instance is None:
        yield Change(
            "kafka.instance",
            f"a name of its own at every start: what a killed process left open and owned waits for the"
            f" broker, {SESSION_S} to {TRANSACTION_S} s; state is kept",
        )
        return
    first = "stop the old process first" if old.kafka.instance else "give each replica another one"
    told = f"the transactional id is driftline-{new.kafka.group}-{new.kafka.instance} now, which does not fence the old"
    yield Change(
        "kafka.instance",
        f"{told}: {first}; what that left open ends by itself after {TRANSACTION_S} s, its partitions"
        f" are free after {SESSION_S} s (session.timeout.ms); state is kept",
    )


AUTO = {
    "auto": "a group that reads in the order of models goes on so, and so does one that reads by partition",
    "model": "nothing changes where the group reads in the order of models already; else series are learned anew, once",
    "topic": "nothing changes where the group reads by partition already; else series are learned anew in each",
}
"""By the new value, what it means where it was found out before, or will be."""


def _order(old: Config, new: Config) -> Iterator[Change]:
    before, after = old.topics.ordered, new.topics.ordered
    if undecided(old) and new.kafka.order == "auto" and after is not None:  # For a topic of its own.
        yield Change("kafka.order", AUTO["model"])
        return
    if undecided(old) or undecided(new):
        if old.kafka.order != new.kafka.order:
            yield Change("kafka.order", AUTO[new.kafka.order])
        return
    if before is None and after is not None:
        told = "events are put in order from where the group stands; behind that every series is learned anew, once"
        yield Change("kafka.order", f"{told}, and alerts that fire now never resolve", lost=True)
    elif after is None and before is not None:
        told = "every partition is watched by itself again, and each series learned anew in each"
        yield Change("kafka.order", f"{told}; {without_state(new)}", lost=True)
    elif before is not None and old.kafka.order_by != new.kafka.order_by:
        told = "what comes to lie in another partition of the ordered log is learned anew there"
        yield Change("kafka.order_by", f"{told}, and alerts about it that fire now never resolve", lost=True)
    elif before != after:
        told = f"every series is learned anew from {after!r}; what is unread in {before!r} stays so"
        yield Change("topics.ordered", told, lost=True)


def _start(old: Config, new: Config) -> Iterator[Change]:
    if old.kafka.start != new.kafka.start and old.kafka.group == new.kafka.group:
        told = "only where the group has no offsets, such as a new topic or partition; those that have some go on there"
        yield Change("kafka.start", told)


CHANGES: tuple[Callable[[Config, Config], Iterator[Change]], ...] = (
    _group, _state, _events, _sides, _order, _brokers, _instance, _start, _alerts, _others, _review
)  # fmt: skip
