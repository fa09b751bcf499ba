"""deploy/prometheus and deploy/grafana: rules that fire when they should, and no metric that is not exported."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from streamer.service.catalogue import CATALOGUE, PREFIX, Name
from tests.deploy import dashboard
from tests.deploy.files import DEPLOY, read

RULES = DEPLOY / "prometheus"
RULE_FILES = ("recording.rules.yaml", "alerts.rules.yaml")
TESTS = ("alerts.test.yaml", "school.test.yaml")
OF_THE_PROCESS = {"process_resident_memory_bytes"}
PARTS = ("_bucket", "_sum", "_count")
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


def rules() -> list[dict[str, Any]]:
    return [rule for name in RULE_FILES for group in read(RULES / name)["groups"] for rule in group["rules"]]


def queries() -> Iterator[tuple[str, str]]:
    """Every PromQL expression, by where it stands."""
    for rule in rules():
        yield rule.get("alert") or rule["record"], rule["expr"]
    drawn = json.loads((DEPLOY / "grafana" / "driftline.json").read_text())
    for panel in drawn["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    for variable in drawn["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["query"]


def unknown(query: str) -> list[str]:
    """What a query names that nobody exports: metrics, and labels or values of labels that they do not have."""
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    found = []
    for name, braces in re.findall(r"\b((?:driftline|process)[_:][a-z0-9_:]+)(?:\{([^}]*)\})?", query):
        base = name.removeprefix(PREFIX)
        for part in PARTS:
            if base.endswith(part) and base.removesuffix(part) in CATALOGUE:
                base = base.removesuffix(part)
        if name in recorded | OF_THE_PROCESS:
            continue
        if base not in CATALOGUE:
            found.append(name)
            continue
        spec = CATALOGUE[base]
        for label, how, value in re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', braces):
            known = spec.labels.get(label)
            if known is None or (how == "=" and known and value not in known):
                found.append(f"{name}{{{label}{how}{value}}}")
    return found


def test_every_metric_that_is_asked_for_exists() -> None:
    found = list(queries())
    assert len(found) > 30
    assert {where: unknown(query) for where, query in found if unknown(query)} == {}


@pytest.mark.parametrize(
    "query",
    [
        "sum(driftline_record_consumed_total)",
        'driftline_events_total{outcome="used"}',
        'driftline_events_total{result="dead-lettered"}',
        "driftline_lag_seconds_bucket",
        "driftline:records:rate1m",
    ],
)
def test_one_that_does_not_is_found(query: str) -> None:
    assert unknown(query) != []


def test_the_rules_are_about_what_can_go_wrong_and_each_is_tried_both_ways() -> None:
    alerts = {rule["alert"]: rule for rule in rules() if "alert" in rule}
    about = "ModelDrifting NoData Behind CommitStuck DeadLetters SchoolNotEnding SnapshotOld Absent"
    assert {f"Driftline{name}" for name in about.split()} <= set(alerts)
    assert all(rule["labels"]["severity"] in ("critical", "warning") for rule in alerts.values())
    assert all({"summary", "description"} == set(rule["annotations"]) for rule in alerts.values())
    tried = [case for name in TESTS for test in read(RULES / name)["tests"] for case in test["alert_rule_test"]]
    assert {case["alertname"] for case in tried if case["exp_alerts"]} == set(alerts)
    assert {case["alertname"] for case in tried if not case["exp_alerts"]} == set(alerts)


@needs_promtool
@pytest.mark.parametrize(
    "words",
    [("check", "rules", *RULE_FILES), ("test", "rules", *TESTS)],
    ids=["rules are rules", "and fire when they should"],
)
def test_promtool_is_content(words: tuple[str, ...]) -> None:
    done = subprocess.run(["promtool", *words], cwd=RULES, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboard_is_fresh_and_nothing_in_it_overlaps() -> None:
    text = (DEPLOY / "grafana" / "driftline.json").read_text()
    assert text == dashboard.dashboard(), "run `make docs`"
    panels = json.loads(text)["panels"]
    taken = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_what_tells_of_the_service_is_shown_too() -> None:
    drawn = " ".join(query for _, query in queries())
    shown: list[Name] = ["alerts_active", "incidents_open", "consumer_lag_records", "commits_total", "state_bytes"]
    assert all(f"{PREFIX}{name}" in drawn for name in shown)
