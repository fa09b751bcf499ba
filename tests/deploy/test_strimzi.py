"""deploy/strimzi and deploy/keda: topics, rights and scaling of the config that the overlay `prod` has."""

from __future__ import annotations

from pathlib import Path

from streamer.commands.topics import plan_topics, wanted_topics
from streamer.config.stages import stage_configs
from streamer.kafka.admin import ExistingTopic
from streamer.kafka.rights import rights
from tests.deploy import strimzi
from tests.deploy.files import DEPLOY, ROOT, Value, documents, read

TOPICS = DEPLOY / "strimzi" / "topics.yaml"
USER = DEPLOY / "strimzi" / "user.yaml"


def test_the_files_are_fresh() -> None:
    for name, made in strimzi.FILES.items():
        assert (ROOT / name).read_text() == made(), "run `make docs`"


def test_the_topics_are_such_that_topics_plan_has_nothing_to_say() -> None:
    found: dict[str, ExistingTopic] = {"inferences": ExistingTopic(strimzi.PARTITIONS, strimzi.REPLICAS, {})}
    for one in documents(TOPICS.read_text(), "topics.yaml"):
        spec = one["spec"]
        settings = {name: str(value) for name, value in spec["config"].items()}
        found[one["metadata"]["name"]] = ExistingTopic(spec["partitions"], spec["replicas"], settings)
        assert (one["apiVersion"], one["kind"]) == ("kafka.strimzi.io/v1", "KafkaTopic")
        assert spec["config"]["min.insync.replicas"] < spec["replicas"], "else one broker's restart stops all commits"
    steps = plan_topics(wanted_topics(strimzi.production(), found), found)
    assert {step.topic.name: step.action for step in steps} == dict.fromkeys(found, "ok")


def granted(path: Path = USER) -> set[tuple[str, str, bool, str]]:
    user: Value = read(path)
    assert (user["apiVersion"], user["kind"]) == ("kafka.strimzi.io/v1", "KafkaUser")
    acls = user["spec"]["authorization"]["acls"]
    assert all(set(acl) == {"resource", "operations"} for acl in acls), "`operation` is gone in v1"
    kinds = {"transactionalId": "transactional-id"}
    return {
        (kinds.get(on["type"], on["type"]), on["name"], on["patternType"] == "prefix", operation)
        for on, operations in ((acl["resource"], acl["operations"]) for acl in acls)
        for operation in operations
    }


def test_the_user_may_do_what_is_needed_and_no_more() -> None:
    needed = {(r.resource, r.name, r.prefix, r.operation) for r in rights(strimzi.production())}
    assert granted() == needed
    assert not {operation for *_, operation in granted()} & {"All", "Create", "Alter", "Delete", "AlterConfigs"}


def test_a_bridge_may_do_what_doctor_asks_of_it_and_the_scaler_only_look() -> None:
    needed = {("topic", "drift-alerts", False, "Read"), ("group", "driftline-alertmanager", False, "Read")}
    assert granted(USER.with_name("user-bridge.yaml")) == needed
    triggers = [trigger["metadata"] for trigger in read(DEPLOY / "keda" / "scaledobject.yaml")["spec"]["triggers"]]
    looked_at = {("topic", one["topic"], False, "Describe") for one in triggers}
    looked_at |= {("group", one["consumerGroup"], False, "Describe") for one in triggers}
    assert granted(USER.with_name("user-scaler.yaml")) == looked_at
    names = [read(path)["metadata"]["name"] for path in sorted(USER.parent.glob("user*.yaml"))]
    assert names == ["driftline-bridge", "driftline-scaler", "driftline"], "each is a login of its own"


def test_the_login_is_the_user_and_the_cluster_the_one_that_is_asked() -> None:
    config = strimzi.production()
    user = read(USER)
    assert config.kafka.client["sasl.username"] == user["metadata"]["name"]
    assert config.kafka.client["sasl.mechanisms"] == user["spec"]["authentication"]["type"].upper()
    statefulset = (DEPLOY / "kubernetes" / "overlays" / "prod" / "statefulset.yaml").read_text()
    assert f'"{user["metadata"]["labels"]["strimzi.io/cluster"]}-kafka-bootstrap.kafka.svc:9093"' in statefulset


def test_it_is_scaled_by_what_each_stage_has_yet_to_read() -> None:
    spec = read(DEPLOY / "keda" / "scaledobject.yaml")["spec"]
    asked = {(t["metadata"]["consumerGroup"], t["metadata"]["topic"]) for t in spec["triggers"]}
    stages = stage_configs(strimzi.production())
    assert asked == {(stage.kafka.group, topic) for stage in stages for topic in stage.topics.events}
    assert spec["scaleTargetRef"] == {"kind": "StatefulSet", "name": "driftline"}
    assert 1 <= spec["minReplicaCount"] < spec["maxReplicaCount"] <= strimzi.PARTITIONS
    assert all(isinstance(value, str) for t in spec["triggers"] for value in t["metadata"].values())
    [name] = {t["authenticationRef"]["name"] for t in spec["triggers"]}
    assert read(DEPLOY / "keda" / "authentication.yaml")["metadata"]["name"] == name
