"""deploy/kubernetes: held to what the service, its image and its config say of themselves, without a cluster."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streamer.commands.bridge import bridge
from streamer.config.bridges import group_of
from streamer.kafka.transactions import transactional_id
from streamer.service.health import STUCK_SECONDS
from streamer.service.http import PATHS
from streamer.service.stopper import DRAIN_SECONDS
from tests.deploy.files import DEPLOY, POD, ROOT, SECRETS, Value, config_of, documents, read

BASE = DEPLOY / "kubernetes" / "base"
BRIDGE = DEPLOY / "kubernetes" / "bridge"
OVERLAYS = ("dev", "prod")
NAME = {"app.kubernetes.io/name": "driftline"}
LIMITED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def folder(name: str) -> Path:
    return DEPLOY / "kubernetes" / "overlays" / name if name in OVERLAYS else BASE.with_name(name)


def of_kind(found: list[Value], kind: str) -> Value:
    [one] = [each for each in found if each["kind"] == kind]
    return one


def built(name: str) -> list[Value]:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    done = subprocess.run(["kubectl", "kustomize", folder(name)], capture_output=True, text=True, check=False)
    if "unknown command" in done.stderr:
        pytest.skip("this kubectl has no kustomize")
    assert (done.returncode, done.stderr) == (0, "")
    return documents(done.stdout, name)


def selectors(found: list[Value]) -> Iterator[Value]:
    for one in found:
        spec = one.get("spec", {})
        if one["kind"] == "Service":
            yield spec["selector"]
        elif "podSelector" in spec:
            yield spec["podSelector"]["matchLabels"]
        elif "selector" in spec:
            yield spec["selector"]["matchLabels"]


def test_every_file_is_named_by_a_kustomization() -> None:
    for name in ("base", "bridge", *OVERLAYS):
        told = read(folder(name) / "kustomization.yaml")
        named = {path for path in told["resources"] if path.endswith(".yaml")} | {"kustomization.yaml"}
        named |= {patch["path"] for patch in told.get("patches", ()) if "path" in patch}
        named |= {path for made in told.get("configMapGenerator", ()) for path in made["files"]}
        assert named == {path.name for path in folder(name).iterdir()}


def test_the_base_is_what_a_service_without_a_write_needs() -> None:
    found = [read(path) for path in BASE.glob("*.yaml") if path.stem not in ("kustomization", "driftline")]
    assert {one["kind"] for one in found} == {
        *("StatefulSet", "Service", "ServiceAccount", "PodDisruptionBudget", "NetworkPolicy"),
    }
    assert len(list(selectors(found))) == 4
    assert all(selector == NAME for selector in selectors(found)), "an empty one is of every pod of the namespace"
    assert of_kind(found, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert of_kind(found, "Service")["spec"]["clusterIP"] == "None"
    assert of_kind(found, "ServiceAccount")["automountServiceAccountToken"] is False
    [ours] = of_kind(found, "NetworkPolicy")["spec"]["ingress"]
    assert ours["ports"] == [{"port": "http", "protocol": "TCP"}]
    assert set(of_kind(found, "NetworkPolicy")["spec"]["policyTypes"]) == {"Ingress", "Egress"}


def test_the_pod_may_do_nothing_but_run() -> None:
    pod = read(BASE / "statefulset.yaml")["spec"]["template"]["spec"]
    [user] = re.findall(r"^USER (\d+):\d+$", (DEPLOY / "Dockerfile").read_text(), re.M)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == int(user)
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False)
    assert pod["terminationGracePeriodSeconds"] > DRAIN_SECONDS
    [container] = pod["containers"]
    assert container["securityContext"] == LIMITED
    assert set(container["resources"]["limits"]) == {"memory"}


def test_probes_ask_what_is_there_and_wait_for_what_takes_long() -> None:
    [container] = read(BASE / "statefulset.yaml")["spec"]["template"]["spec"]["containers"]
    [port] = container["ports"]
    assert f"\nEXPOSE {port['containerPort']}\n" in (DEPLOY / "Dockerfile").read_text()
    paths = {}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container[probe]["httpGet"]
        assert asked["port"] == port["name"]
        paths[probe] = asked["path"]
    assert paths == {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
    assert set(paths.values()) <= set(PATHS), "readyz in the first one would restart for a broker that is away"
    live, start = container["livenessProbe"], container["startupProbe"]
    assert live["periodSeconds"] * live["failureThreshold"] >= STUCK_SECONDS
    assert start["periodSeconds"] * start["failureThreshold"] >= 300, "7 s a million series"
    assert read(folder("prod") / "podmonitor.yaml")["spec"]["podMetricsEndpoints"] == [
        {"port": port["name"], "path": "/metrics", "interval": "15s"}
    ]


def test_images_are_of_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    files = [*(DEPLOY / "kubernetes").rglob("*.yaml"), DEPLOY / "compose.yaml"]
    images = {image for path in files for image in re.findall(r"image: (driftline\S*)", path.read_text())}
    assert images == {f"driftline:{version}"}


@pytest.mark.parametrize("name", ["base", "prod"])
def test_a_config_in_a_pod_is_what_the_pod_has(name: str, tmp_path: Path) -> None:
    path = folder(name) / "driftline.yaml"
    asked = set(re.findall(r"\$\{(\w+)\}", path.read_text()))
    [container] = read(BASE / "statefulset.yaml")["spec"]["template"]["spec"]["containers"]
    assert asked == {variable["name"] for variable in container["env"]} == set(POD)
    first, second = (config_of(path, tmp_path, POD | {"POD_NAME": f"driftline-{n}"}) for n in (0, 1))
    assert first.kafka.instance == "driftline-0"
    assert transactional_id(first) != transactional_id(second)


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_is_whole(name: str, tmp_path: Path) -> None:
    found = built(name)
    assert all(selector == NAME for selector in selectors(found))
    pod = of_kind(found, "StatefulSet")["spec"]["template"]
    assert pod["metadata"]["labels"] == NAME
    config = of_kind(found, "ConfigMap")
    [key] = config["data"]
    (tmp_path / key).write_text(config["data"][key])
    brokers = set()
    for container in [*pod["spec"]["containers"], *pod["spec"].get("initContainers", ())]:
        assert container["securityContext"] == LIMITED
        assert container["args"][-1] == f"{mount(container, pod, config['metadata']['name'])}/{key}"
        brokers |= {one["value"] for one in container["env"] if one["name"] == "KAFKA_BROKERS"}
    read_as = config_of(tmp_path / key, tmp_path, POD | {"KAFKA_BROKERS": brokers.pop()})
    assert not brokers
    ports = {int(address.rpartition(":")[2]) for address in read_as.kafka.brokers.split(",")}
    allowed = of_kind(found, "NetworkPolicy")["spec"]["egress"]
    assert ports <= {port["port"] for rule in allowed for port in rule["ports"]}


def mount(container: Value, pod: Value, config_map: str) -> Any:
    """Where a container has the config."""
    volumes = [one["name"] for one in pod["spec"]["volumes"] if one.get("configMap", {}).get("name") == config_map]
    [path] = [one["mountPath"] for one in container["volumeMounts"] if one["name"] in volumes]
    return path


def test_what_is_secret_is_mounted_where_the_config_looks(tmp_path: Path) -> None:
    pod = of_kind(built("prod"), "StatefulSet")["spec"]["template"]["spec"]
    [volume] = [one for one in pod["volumes"] if "projected" in one]
    [mounted] = [one for one in pod["containers"][0]["volumeMounts"] if one["name"] == volume["name"]]
    assert mounted == {"mountPath": SECRETS, "name": volume["name"], "readOnly": True}
    files = {item["path"] for source in volume["projected"]["sources"] for item in source["secret"]["items"]}
    text = (folder("prod") / "driftline.yaml").read_text()
    assert files == set(re.findall(rf"{SECRETS}/([\w.]+)", text))


def test_the_bridge_is_hardened_and_probed_as_the_service_is() -> None:
    ours, theirs = (
        read(path)["spec"]["template"]["spec"] for path in (BRIDGE / "deployment.yaml", BASE / "statefulset.yaml")
    )
    for name in ("securityContext", "automountServiceAccountToken", "enableServiceLinks"):
        assert ours[name] == theirs[name]
    [container], [service] = ours["containers"], theirs["containers"]
    for name in ("securityContext", "image", "startupProbe", "livenessProbe", "readinessProbe"):
        assert container[name] == service[name]


def test_the_bridge_is_whole(tmp_path: Path) -> None:
    found = built("bridge")
    assert {tuple(selector.values()) for selector in selectors(found)} == {("driftline-bridge",)}
    pod, config = of_kind(found, "Deployment")["spec"]["template"], of_kind(found, "ConfigMap")
    assert pod["metadata"]["labels"] == {"app.kubernetes.io/name": "driftline-bridge"}
    assert pod["spec"]["serviceAccountName"] == of_kind(found, "ServiceAccount")["metadata"]["name"]
    [container], [(key, text)] = pod["spec"]["containers"], config["data"].items()
    kind, *options = container["args"][1:]
    assert options[-1] == f"{mount(container, pod, config['metadata']['name'])}/{key}"
    bridge.make_context("bridge", [kind, *options])  # The command line takes it.
    assert options[options.index("--listen") + 1] == f"0.0.0.0:{container['ports'][0]['containerPort']}"
    (tmp_path / key).write_text(text)
    [brokers] = [one["value"] for one in container["env"] if one["name"] == "KAFKA_BROKERS"]
    there = config_of(tmp_path / key, tmp_path, {"KAFKA_BROKERS": brokers})
    told = there.bridges.there()[kind]
    allowed = {port["port"] for rule in of_kind(found, "NetworkPolicy")["spec"]["egress"] for port in rule["ports"]}
    assert {int(address.rpartition(":")[2]) for address in (there.kafka.brokers, told.url)} <= allowed
    assert there.kafka.group == config_of(folder("base") / "driftline.yaml", tmp_path, POD).kafka.group
    assert f"the group {group_of(told, kind, there.kafka.group)}," in (BRIDGE / "bridge.yaml").read_text()
