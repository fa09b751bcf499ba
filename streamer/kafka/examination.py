"""Looks at everything the service needs of Kafka without touching any of it; `driftline doctor` says what it means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Producer

from streamer.config.model import Config
from streamer.config.stages import prepared, stage_configs
from streamer.kafka.admin import Cluster, ExistingTopic, Shown, TopicAdmin
from streamer.kafka.client import MOCK_CLUSTER, connection_settings, error_of
from streamer.kafka.connection_trouble import Trouble, addresses
from streamer.kafka.diagnosis import bad_settings, reached, silent_logger
from streamer.kafka.groups import refused
from streamer.kafka.rights import REFUSALS, Right, id_prefix, not_allowed, refusal, rights

GROUP_S = 2.0
"""Until a group that says nothing counts as one that lets us in."""


class Examination(NamedTuple):
    """What was found. `shown`, `groups` None = librdkafka's mock cluster, which knows nothing of rights."""

    cluster: Cluster
    brokers: Mapping[str, Trouble | None]  # as each advertises itself
    shown: Mapping[str, Shown] | None
    existing: Mapping[str, ExistingTopic]
    groups: Mapping[str, Shown] | None  # those of all stages
    transactions: Trouble | None
    everything: bool = False  # whether we may do all that there is
    asked: Mapping[str, Trouble | None] = {}  # of several in kafka.brokers those that call themselves otherwise


def examine(config: Config, timeout_s: float) -> Examination:
    """LogDown when no broker lets us in, or none is reached where it says that it is.

    Nothing is written; an empty transaction is begun and aborted.
    """
    admin = TopicAdmin(config, timeout_s)
    cluster = admin.cluster()
    config = prepared(config.reading(cluster.topics), cluster.topics)
    brokers = reached(connection_settings(config), cluster.brokers, timeout_s)
    lost = [trouble for trouble in brokers.values() if trouble is not None]
    if len(lost) == len(brokers) > 0:
        raise lost[0].down()
    transactions = transaction_trouble(config, timeout_s)
    asked = others_asked(config, cluster.brokers, timeout_s)
    if cluster.id.startswith(MOCK_CLUSTER):
        return Examination(cluster, brokers, None, {}, None, transactions, asked=asked)
    shown, groups = admin.topics(config.topics.names()), groups_of(config, admin)
    there, everything = admin.existing(shown), admin.may_do_everything()
    return Examination(cluster, brokers, shown, there, groups, transactions, everything, asked)


def others_asked(config: Config, advertised: Iterable[str], timeout_s: float) -> dict[str, Trouble | None]:
    """Whether each address of kafka.brokers answers that no broker says of itself; a single one has answered."""
    given = addresses(config.kafka.brokers)
    others = [address for address in given if address not in advertised] if given[1:] else []
    return (
        reached(connection_settings(config), others, timeout_s, " (one of several in kafka.brokers)") if others else {}
    )


def groups_of(config: Config, admin: TopicAdmin) -> dict[str, Shown]:
    """The groups of all stages, as each shows itself to us."""
    return {stage.kafka.group: admin.group(stage.kafka.group) for stage in stage_configs(config)}


def refused_groups(config: Config) -> dict[str, Shown]:
    """Of the groups of all stages those that we may not join. A service does not ask for what else it may there."""
    stages = {stage.kafka.group: stage.topics.named() for stage in stage_configs(config)}
    no = Shown(KafkaError.GROUP_AUTHORIZATION_FAILED)
    return {group: no for group, named in stages.items() if refused(config, group, (named or ["-"])[0], GROUP_S)}


def transaction_trouble(config: Config, timeout_s: float) -> Trouble | None:
    """Whether a transaction can be begun and aborted, under an id that no instance can have: its name has no colon."""
    named = {"transactional.id": f"{id_prefix(config)}:doctor"}
    try:
        producer = Producer(connection_settings(config) | named, logger=silent_logger())
    except KafkaException as exception:
        return bad_settings(exception)
    try:
        producer.init_transactions(timeout_s)
        producer.begin_transaction()
        producer.abort_transaction(timeout_s)
    except KafkaException as exception:
        error = error_of(exception)
        return refusal(config, error.code()) or Trouble(
            "no_transactions",
            f"{error.name()} {error.str()}",
            "look at the topic __transaction_state: with fewer brokers than transaction.state.log.replication.factor"
            " it cannot be made",
        )
    return None


def verdicts(config: Config, found: Examination) -> Iterator[tuple[Right, bool | None]]:
    """Each right that is needed, and whether we have it; None where the broker does not tell."""
    for right in rights(config):
        if right.resource == "transactional-id":
            trouble = found.transactions
            yield right, False if trouble is not None and trouble.event == "not_authorized" else not trouble or None
            continue
        if right.resource == "group" and right.verb != "run":
            yield right, None  # Of a bridge, which may be another user: it is not asked.
            continue
        shown = ((found.groups if right.resource == "group" else found.shown) or {}).get(right.name)
        if shown is None or shown.code == KafkaError.UNKNOWN_TOPIC_OR_PART:
            yield right, None
        elif shown.code:
            # Whatever the service needs would let us see it; what only looks at settings would not.
            yield right, False if shown.code in REFUSALS and right.verb == "run" else None
        else:
            yield right, None if shown.allowed is None else right.operation in shown.allowed


def missing_rights(config: Config, timeout_s: float) -> Trouble | None:
    """What the service is not allowed to do though it needs to, with the commands that allow it; None = nothing.

    For a service that is up and gets no partitions, or whose commits are refused. LogDown as `examine`.
    """
    admin = TopicAdmin(config, timeout_s)
    cluster = admin.cluster()
    if cluster.id.startswith(MOCK_CLUSTER):
        return None
    config = config.reading(cluster.topics)
    shown = admin.topics(config.topics.names())
    found = Examination(cluster, {}, shown, {}, refused_groups(config), transaction_trouble(config, timeout_s))
    lacking = [right for right, has in verdicts(config, found) if has is False and right.verb == "run"]
    return not_allowed(config, lacking) if lacking else None
