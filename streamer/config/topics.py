"""The topics of a config: those of events, by name or by pattern, and those that the service writes to, by role."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field, PrivateAttr

from streamer.config.topic_patterns import IGNORED, is_topic_pattern, literal, resolved_names
from streamer.config.types import EventTopic, Model, Topic

GROUP, ORDERED = "driftline", "drift-ordered"


def ordered_topic(group: str) -> str:
    """Where the events of a group are put in order, unless the file says so: two groups never share such a topic."""
    return ORDERED if group == GROUP else f"{group}-ordered"


class Topics(Model):
    """Topics by role; every topic has one use."""

    events: list[EventTopic] = Field(
        min_length=1, description="Topics of inference events, by name or by pattern: ^inferences-.*"
    )
    alerts: Topic = Field("drift-alerts", description="Where alerts are published.")
    state: Topic = Field("drift-state", description="Compacted topic of snapshots; only the service may write to it.")
    heartbeats: Topic = Field("drift-heartbeats", description="Where every model's sign of life is published.")
    dead_letter: Topic = Field("drift-dead-letter", description="Where records go that cannot be read.")
    windows: Topic | None = Field(None, description="Where every window that ended is published; default nowhere.")
    incidents: Topic | None = Field(None, description="Where incidents are published; default where alerts are.")

    ordered: Topic | None = Field(
        None,
        description="Where events stand in the order of their models; naming it means kafka.order: model. Default"
        " drift-ordered, or GROUP-ordered where kafka.group names one.",
    )
    shadow: Topic | None = Field(
        None, description="Where alerts of shadow monitors are published; default drift-shadow, if there are any."
    )

    _kept: str = PrivateAttr("")
    """A name that no pattern matches, of a topic that may become ours: see `keep`."""
    _sides: dict[str, str] = PrivateAttr(default_factory=dict)
    """By section of the config the topic of its own that it has: see `beside`."""
    _review: str | None = PrivateAttr(None)
    """Where items to look at are published: see `beside`."""

    def keep(self, name: str) -> None:
        """No pattern shall match this name."""
        self._kept = name

    def beside(self, sides: dict[str, str], review: str | None = None) -> Topics:
        """Itself, with these topics by section: they are read, and have no inferences but what is about them; and with
        the one of items to look at.
        """
        self._sides, self._review = sides, review
        return self

    @property
    def sides(self) -> dict[str, str]:
        """Topics of their own, by section."""
        return self._sides

    def _no_events(self) -> set[str]:
        return {*self.own().values(), *self._sides.values(), self._kept} - {""}

    def own(self) -> dict[str, str]:
        """The topics that the service writes to, by role."""
        named: dict[str, str] = self.model_dump(exclude={"events"}, exclude_none=True)
        return named if self._review is None else {**named, "review": self._review}

    def published(self) -> dict[str, str]:
        """Where records of each role go, snapshots apart; two roles may share a topic."""
        return {
            "incidents": self.alerts,
            "control": self.alerts,
            **{role: name for role, name in self.own().items() if role != "state"},
        }

    def names(self) -> list[str]:
        """All of them: those that are read, then our own."""
        return [*self.inputs(), *self.own().values()]

    def inputs(self) -> list[str]:
        """All that are read, patterns as they are."""
        return [*self.events, *self._sides.values()]

    def named(self) -> list[str]:
        """Those that are read, without patterns."""
        return [name for name in self.inputs() if not is_topic_pattern(name)]

    def patterns(self) -> list[str]:
        return [name for name in self.events if is_topic_pattern(name)]

    def matched(self, pattern: str, there: Iterable[str]) -> list[str]:
        """Which of the topics that are there a pattern stands for; never one of our own, nor one without inferences."""
        return resolved_names([pattern], set(there) - self._no_events())

    def resolved(self, there: Iterable[str]) -> Topics:
        """The same with the names that its patterns match among the topics that are there."""
        return self.model_copy(update={"events": resolved_names(self.events, set(there) - self._no_events())})

    def never_read(self) -> str:
        """What no pattern may subscribe to, as librdkafka's topic.blacklist has it: expressions, found anywhere."""
        ours = filter(None, [*dict.fromkeys(self.own().values()), self._kept])
        return ",".join([IGNORED, *(f"^{name.replace('.', '[.]')}$" for name in ours)])

    def first(self) -> str:
        """A name for events that come from no topic: the first one, or how those of the first pattern begin."""
        one = self.events[0]
        return (literal(one).rstrip("._-") or "events") if is_topic_pattern(one) else one
