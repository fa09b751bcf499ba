"""What the service's user must be allowed to do, as a table from the config; and the words for what is refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from confluent_kafka import KafkaError

from streamer.bridges.kinds import topics_of
from streamer.config.bridges import group_of
from streamer.config.model import Config
from streamer.config.problems import did_you_mean
from streamer.config.stages import stage_configs
from streamer.config.topic_patterns import literal
from streamer.kafka.connection_trouble import Trouble

Resource = Literal["topic", "group", "transactional-id"]


ANY, NAME = "'*'", "User:NAME"


class Right(NamedTuple):
    """One rule of access. `verb`: what does not work without it; run = the service itself."""

    resource: Resource
    name: str
    operation: str
    why: str
    prefix: bool = False
    verb: str = "run"

    def __str__(self) -> str:
        return f"{self.operation} on {self.resource} {self.name}{'*' * self.prefix}"

    def command(self, brokers: str, names: str = "") -> str:
        """What an administrator types; who our user is only the broker knows. names: of several, as options."""
        prefixed = " --resource-pattern-type prefixed" * (self.prefix and self.name != "")
        return (
            f"kafka-acls --bootstrap-server {brokers} --add --allow-principal {NAME}"
            f" --operation {self.operation}{names or self.named()}{prefixed}"
        )

    def named(self) -> str:
        """As an option of that command."""
        return f" --{self.resource} {self.name or ANY}"


READS = {
    "state": "snapshots are read back at a restart",
    "ordered": "events are read in the order of their models",
}
SHOWN = ("heartbeats", "alerts", "incidents", "windows", "review")
"""The roles of what the page reads back."""
WRITES = {
    "alerts": "alerts are published",
    "state": "snapshots are kept",
    "heartbeats": "every model's sign of life is published; no commit lands without it",
    "dead_letter": "what cannot be read is kept",
    "windows": "windows that ended are published",
    "incidents": "incidents are published",
    "review": "people are asked to look at events",
    "ordered": "events are put in the order of their models",
    "shadow": "what shadow monitors would have told is published",
}


def id_prefix(config: Config) -> str:
    """How the transactional ids of a group's members begin, see `transactions.transactional_id`."""
    return f"driftline-{config.kafka.group}-"


def shown(config: Config) -> dict[str, str]:
    """The topics that the page reads back, each with its first role."""
    published = config.topics.published()
    wanted = SHOWN if config.server.page != "off" else ()
    return {published[role]: role for role in reversed(wanted) if role in published}


def read_by_pattern(pattern: str) -> Right:
    """Of all that it may match: a topic that we may not describe is not seen, and so never matched."""
    return Right("topic", literal(pattern), "Read", f"events are read of all that matches {pattern}", prefix=True)


def rights(config: Config) -> Iterator[Right]:
    """All that is needed, each once. Read and Write bring Describe along; Create, Alter and Cluster are not needed."""
    own = config.topics.own()
    about = {one.topic: one.says for one in config.about.values()}
    for name in config.topics.named():
        yield Right("topic", name, "Read", about.get(name, "events are read"))
    yield from map(read_by_pattern, config.topics.patterns())
    for role, name in own.items():
        if role in READS:
            yield Right("topic", name, "Read", READS[role])
        yield Right("topic", name, "Write", WRITES[role])
    commands = config.about.get("control")
    if commands is not None:
        yield Right("topic", str(commands.topic), "Write", "people write commands", verb="alerts ack, mute ...")
    for name in shown(config):
        yield Right("topic", name, "Read", "the page shows it", verb="the page")
    if config.server.page != "off":
        yield Right("topic", config.topics.dead_letter, "Read", "the page shows the newest", verb="the page")
    yield from bridge_rights(config)
    if config.review is not None and config.verdicts is not None:
        yield Right("topic", config.review.topic, "Read", "open items are shown", verb="review")
        yield Right("topic", config.verdicts.topic, "Write", "an answer is a verdict", verb="review")
    elif config.server.control and config.verdicts is not None:
        yield Right("topic", config.verdicts.topic, "Write", "what people say on the page", verb="the page")
    for stage in stage_configs(config):
        yield Right("group", stage.kafka.group, "Read", "partitions are shared out, offsets are committed")
    yield Right("transactional-id", id_prefix(config), "Write", "alerts, offsets and state land together", prefix=True)
    for name in own.values():
        why = "the topic's settings are compared with what they should be"
        yield Right("topic", name, "DescribeConfigs", why, verb="topics, doctor")


def bridge_rights(config: Config) -> Iterator[Right]:
    """What `driftline bridge` needs, of each that the config has; mostly it is another user's."""
    for kind, one in config.bridges.there().items():
        for name in topics_of(one, config.topics.published()):
            yield Right("topic", name, "Read", "alerts are read", verb=f"bridge {kind}")
        group = group_of(one, kind, config.kafka.group)
        yield Right("group", group, "Read", "offsets are committed", verb=f"bridge {kind}")
    there, control = config.bridges.alertmanager, config.control
    if there is not None and there.silences == "both" and control is not None:
        yield Right("topic", control.topic, "Write", "silences are mutes", verb="bridge alertmanager")


NO_CREATE = "our user lacks Create on it"
REFUSALS: dict[int, Resource] = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "topic",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "group",
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "transactional-id",
}


def refusal(config: Config, code: int, *topics: str) -> Trouble | None:
    """What to say of an error code that means "not allowed"; None for any other.

    topics: which they were, where that is known; else all topics are named.
    """
    resource = REFUSALS.get(code)
    if resource is None:
        return None
    names = [topic for topic in topics if topic and resource == "topic"]
    wanted = [right for right in rights(config) if right.resource == resource and right.verb == "run"]
    missing = [right for right in wanted if not names or right.name in names]
    known = {right.name for right in missing}
    return not_allowed(config, missing + [Right("topic", n, "Read", "it is read") for n in names if n not in known])


def not_allowed(config: Config, missing: list[Right]) -> Trouble:
    """The words for rights of which at least one is missing."""
    return Trouble(
        "not_authorized",
        f"our user lacks {listed(missing)}",
        "; ".join([*commands(missing, config.kafka.brokers), f"NAME is {user_of(config)}"]),
    )


def commands(missing: Iterable[Right], brokers: str) -> list[str]:
    """What an administrator types: one line for all topics of which the same is missing."""
    return [same[0].command(brokers, "".join(one.named() for one in same)) for same in _alike(missing)]


def listed(rights: Iterable[Right]) -> str:
    """`Read on topics a, b, Write on topic c`"""
    told = []
    for same in _alike(rights):
        first, names = same[0], ", ".join(one.name for one in same)
        told.append(f"{first.operation} on {first.resource}s {names}" if same[1:] else str(first))
    return ", ".join(told)


def _alike(rights: Iterable[Right]) -> list[list[Right]]:
    """Those that differ in their names only, in the order of the first."""
    alike: dict[tuple[str, str, bool], list[Right]] = {}
    for right in rights:
        alike.setdefault((right.resource, right.operation, right.prefix), []).append(right)
    return list(alike.values())


def user_of(config: Config) -> str:
    """Who we are to the broker: where that stands, for its name counts as a secret."""
    client = config.kafka.client
    if "SASL" in str(client.get("security.protocol", "")).upper():
        return "our login: kafka.client sasl.username" if "sasl.username" in client else "who our login is of"
    if {"ssl.certificate.location", "ssl.certificate.pem", "ssl.keystore.location"} & set(client):
        return "the subject of our certificate, such as CN=driftline"
    return "ANONYMOUS, for we have no login"


def missing_topics(config: Config, codes: Mapping[str, int], there: Iterable[str] = ()) -> list[Trouble]:
    """What to say of topics that are not seen: one trouble for all that have the same cause.

    codes: by topic, what it is described with. there: the topics that we do see, of which one may be meant.
    """
    others = {name for name in there if not name.startswith("__")} - set(config.topics.names())
    alike: dict[tuple[int, str], list[str]] = {}
    for topic, code in codes.items():
        one_cause = code in REFUSALS or (code == KafkaError.UNKNOWN_TOPIC_OR_PART and topic in made_by_us(config))
        alike.setdefault((code, "" if one_cause else topic), []).append(topic)
    return [
        missing_topic(
            config, topics[0], code, did_you_mean(one, others) if one in config.topics.named() else "", topics[1:]
        )
        for (code, one), topics in alike.items()
    ]


def made_by_us(config: Config) -> set[str]:
    """The topics that `driftline topics apply` makes."""
    return {*config.topics.own().values(), *filter(None, [config.topics.sides.get("control")])}


def missing_topic(config: Config, topic: str, code: int, near: str = "", more: Sequence[str] = ()) -> Trouble:
    """What to say of a topic that is not seen. near: " Did you mean ...?". more: others of the same cause."""
    refused = refusal(config, code, topic, *more)
    if refused is not None:
        absent, seen = ("these topics do", "them") if more else ("the topic does", "it")
        which = f"or {absent} not exist: which, Kafka tells only those who may see {seen}"
        return refused._replace(why=f"{refused.why}, {which}")
    if code != KafkaError.UNKNOWN_TOPIC_OR_PART:
        return Trouble("topic_unavailable", f"topic {topic}: {KafkaError(code).str()}", "look at the brokers' log")
    told, fix = f"topic {topic} does not exist.{near}", "correct its name"
    if more:
        told = f"topics {', '.join([topic, *more])} do not exist."
    if topic in made_by_us(config):
        fix = f"driftline topics apply -c FILE makes {'them' if more else 'it'}"
    elif topic in config.topics.named():
        wrong = next((f"{one}.topic" for one, its in config.topics.sides.items() if its == topic), "topics.events")
        fix = f"correct {wrong}, or make it: its producers do, or driftline topics apply --create-events -c FILE"
    elif topic in config.topics.resolved([topic]).events:
        fix = "it was deleted: a pattern of topics.events finds it again once it is back"
    return Trouble("topic_missing", told, fix)
