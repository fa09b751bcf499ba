"""deploy/compose.yaml and what it mounts, without Docker."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from streamer.commands.cli import main
from streamer.config.load import load_config
from tests.deploy.files import DEPLOY, ROOT, Value, read

COMPOSE = DEPLOY / "compose.yaml"
CONFIG = DEPLOY / "compose" / "driftline.yaml"
ELSEWHERE = {"kafka", "prometheus", "grafana"}
"""Volumes of its own."""


def services() -> Value:
    # The strict reader knows no merge keys, which compose files have.
    found: Value = yaml.safe_load(COMPOSE.read_text())["services"]
    return found


def mounts() -> list[tuple[Path, str]]:
    """What is mounted of the repository: where it is, and where it comes to be."""
    volumes = [volume.split(":") for one in services().values() for volume in one.get("volumes", ())]
    return [(DEPLOY / volume[0], volume[1]) for volume in volumes if volume[0] not in ELSEWHERE]


@pytest.mark.skipif(shutil.which("check-jsonschema") is None, reason="check-jsonschema is not installed")
def test_it_is_a_compose_file() -> None:
    command = ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_services_are_whole() -> None:
    found = services()
    assert set(found) == {"kafka", "topics", "driftline", "prometheus", "grafana", "events"}
    for name, one in found.items():
        assert set(one.get("depends_on", ())) <= set(found), name
        assert all(port.startswith("127.0.0.1:") for port in one.get("ports", ())), "nothing here has a login"
        assert "healthcheck" in one or name in ("topics", "events"), "these end, or do nothing that is asked for"
    assert found["driftline"]["depends_on"] == {"topics": {"condition": "service_completed_successfully"}}
    assert found["topics"]["depends_on"] == {"kafka": {"condition": "service_healthy"}}
    assert found["events"]["profiles"] == ["demo"]


def test_everything_that_is_mounted_is_there_and_everything_there_is_mounted() -> None:
    assert all(path.exists() for path, _ in mounts())
    beside = {path for path in (DEPLOY / "compose").iterdir()}
    assert beside <= {path for path, _ in mounts()}


def test_driftline_runs_there_as_elsewhere() -> None:
    for name in ("topics", "driftline"):
        one = services()[name]
        assert (one["read_only"], one["cap_drop"]) == (True, ["ALL"])
        assert (CONFIG, one["command"][-1]) in mounts()
        assert one["build"]["dockerfile"] == "deploy/Dockerfile"
    config = load_config(CONFIG, {"DRIFTLINE_LISTEN": "0.0.0.0:8080"})
    assert config.server.page == "all", "whoever comes through a published port is not on the same machine"
    port = config.server.listen.rpartition(":")[2]
    assert services()["driftline"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    probe = services()["driftline"]["healthcheck"]["test"]
    assert probe == ["CMD", "/opt/driftline/bin/driftline", "probe", "ready"], "it asks $DRIFTLINE_LISTEN"
    host, _, kafka = config.kafka.brokers.partition(":")
    assert f"CLIENTS://{host}:{kafka}" in services()[host]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    scraped = read(DEPLOY / "compose" / "prometheus.yaml")["scrape_configs"][0]["static_configs"][0]["targets"]
    assert scraped == [f"driftline:{port}"]


def test_kafka_is_the_one_that_the_suite_tests_with() -> None:
    [version] = re.findall(r"<kafka.version>([\d.]+)<", (ROOT / "tests" / "broker" / "pom.xml").read_text())
    images = {one["image"] for one in services().values() if one["image"].startswith("apache/")}
    assert images == {f"apache/kafka:{version}"}


def test_grafana_finds_its_source_and_its_dashboards() -> None:
    [provider] = read(DEPLOY / "compose" / "grafana-dashboards.yaml")["providers"]
    assert (DEPLOY / "grafana", provider["options"]["path"]) in mounts()
    [source] = read(DEPLOY / "compose" / "grafana-datasource.yaml")["datasources"]
    assert source["type"] == "prometheus"


def events(tmp_path: Path, most: int) -> Path:
    """What the profile `demo` sends, in an hour of its own."""
    command = ["awk", "-v", f"most={most}", "-f", DEPLOY / "compose" / "events.awk"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    told = []
    for number, line in enumerate(lines):
        event: dict[str, Any] = json.loads(line)
        second = number // 20
        event["time"] = f"2026-01-05T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"
        told.append(json.dumps(event))
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join(told) + "\n")
    return path


@pytest.mark.skipif(shutil.which("awk") is None, reason="awk is not installed")
def test_its_events_have_a_shift_that_is_found_after_a_few_minutes_and_is_over(tmp_path: Path) -> None:
    asked = ["replay", "-c", str(CONFIG), "--input", f"inferences:0={events(tmp_path, 16_000)}"]
    result = CliRunner().invoke(main, asked, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    records = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    told = [(record["type"], record["data"]["sentence"]) for record in records if "alert" in record["data"]]
    first, *_ = [sentence for kind, sentence in told if kind == "io.driftline.alert.firing.v1"]
    assert first.startswith("fraud: mean of features.amount went from 100")
    assert 6000 <= int(first.rpartition("@")[2].rstrip(".")) < 6100, "before it all is well"
    assert any("resolved" in kind and "features.amount" in sentence for kind, sentence in told)
