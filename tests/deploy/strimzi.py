"""deploy/strimzi: the topics and the user that the config of the overlay `prod` needs. `make docs` writes them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from streamer.commands.topic_settings import SETTINGS, Role
from streamer.commands.topics import wanted_topics
from streamer.config.model import Config
from streamer.kafka.rights import rights
from tests.deploy.files import DEPLOY, POD, Value, config_of, written

CLUSTER = "main"
PARTITIONS = 6
REPLICAS = 3
CONFIG = DEPLOY / "kubernetes" / "overlays" / "prod" / "driftline.yaml"
ACL_TYPES = {"topic": "topic", "group": "group", "transactional-id": "transactionalId"}
HEAD = "# Written by `make docs`, of the config kubernetes/overlays/prod/driftline.yaml.\n"


def production() -> Config:
    with tempfile.TemporaryDirectory() as folder:
        return config_of(CONFIG, Path(folder), POD)


def resource(kind: str, name: str, spec: Value) -> Value:
    metadata = {"name": name, "labels": {"strimzi.io/cluster": CLUSTER}}
    return {"apiVersion": "kafka.strimzi.io/v1", "kind": kind, "metadata": metadata, "spec": spec}


def topics() -> str:
    """Every topic that the service writes to, as `driftline topics apply` would make it."""
    found = []
    for topic in wanted_topics(production(), {}, PARTITIONS):
        if topic.create:
            settings = {"min.insync.replicas": REPLICAS - 1, **settings_of(topic.role)}
            spec = {"partitions": PARTITIONS, "replicas": REPLICAS, "config": settings}
            found.append(resource("KafkaTopic", topic.name, spec))
    return written(found, f"{HEAD}# As many partitions as the topic of events has: it is {PARTITIONS} here.\n")


def settings_of(role: Role) -> Value:
    """Numbers as numbers: the operator compares them with what it reads back."""
    return {one.name: number(one.value) for one in SETTINGS[role]}


def number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def user() -> str:
    """The login, with the rights of `streamer/kafka/rights.py` and no other."""
    operations: dict[tuple[str, str, str], list[str]] = {}
    for right in rights(production()):
        key = (ACL_TYPES[right.resource], right.name, "prefix" if right.prefix else "literal")
        operations.setdefault(key, []).append(right.operation)
    acls = [
        {
            "resource": {"type": kind, "name": name, "patternType": pattern},
            "operations": list(dict.fromkeys(asked)),
        }
        for (kind, name, pattern), asked in operations.items()
    ]
    spec = {"authentication": {"type": "scram-sha-512"}, "authorization": {"type": "simple", "acls": acls}}
    return written([resource("KafkaUser", "driftline", spec)], HEAD)


FILES: dict[str, Callable[[], str]] = {"deploy/strimzi/topics.yaml": topics, "deploy/strimzi/user.yaml": user}
