"""deploy/strimzi: the topics and the users that the overlay `prod`, its bridge and its scaler need. `make docs` writes
them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from streamer.commands.topic_settings import SETTINGS, Role
from streamer.commands.topics import wanted_topics
from streamer.config.model import Config
from streamer.config.stages import stage_configs
from streamer.kafka.rights import Right, rights
from tests.deploy.files import DEPLOY, POD, Value, config_of, written

CLUSTER = "main"
PARTITIONS = 6
REPLICAS = 3
CONFIG = DEPLOY / "kubernetes" / "overlays" / "prod" / "driftline.yaml"
ACL_TYPES = {"topic": "topic", "group": "group", "transactional-id": "transactionalId"}
BRIDGE = DEPLOY / "kubernetes" / "bridge" / "bridge.yaml"
PRODUCTION = "kubernetes/overlays/prod/driftline.yaml"
HEAD = f"# Written by `make docs`, of the config {PRODUCTION}.\n"
LAG = "how much is left to read is asked"


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
    """The service's login, with the rights of `streamer/kafka/rights.py` and no other."""
    return user_of("driftline", rights(production()), HEAD)


def bridge() -> str:
    """That of the bridge of kubernetes/bridge."""
    with tempfile.TemporaryDirectory() as folder:
        needed = [one for one in rights(config_of(BRIDGE, Path(folder), POD)) if one.verb.startswith("bridge ")]
    return user_of("driftline-bridge", needed, HEAD.replace(PRODUCTION, "kubernetes/bridge/bridge.yaml"))


def scaler() -> str:
    """That of KEDA, which looks at how far each stage is behind."""
    stages = stage_configs(production())
    topics = [Right("topic", name, "Describe", LAG) for stage in stages for name in stage.topics.events]
    groups = [Right("group", stage.kafka.group, "Describe", LAG) for stage in stages]
    return user_of("driftline-scaler", [*topics, *groups], HEAD)


def user_of(name: str, needed: Iterable[Right], head: str) -> str:
    operations: dict[tuple[str, str, str], list[str]] = {}
    for right in needed:
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
    return written([resource("KafkaUser", name, spec)], head)


FILES: dict[str, Callable[[], str]] = {
    "deploy/strimzi/topics.yaml": topics,
    "deploy/strimzi/user.yaml": user,
    "deploy/strimzi/user-bridge.yaml": bridge,
    "deploy/strimzi/user-scaler.yaml": scaler,
}
