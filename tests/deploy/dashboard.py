"""deploy/grafana/driftline.json: a table of panels, as Grafana has them. `make docs` writes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

WIDTH, HEIGHT = 8, 8
SOURCE = {"type": "prometheus", "uid": "${source}"}


class Panel(NamedTuple):
    title: str
    expr: str
    legend: str
    unit: str = "short"
    says: str = ""
    kind: str = "timeseries"


ROWS: dict[str, tuple[Panel, ...]] = {
    "Models": (
        Panel(
            "Open alerts",
            'sum by (model, monitor) (driftline_alerts_active{model=~"$model", state="firing"})',
            "{{model}} {{monitor}}",
            says="What moved and since when is on the page of the service and in topics.alerts.",
        ),
        Panel("Open incidents", 'sum by (model) (driftline_incidents_open{model=~"$model"})', "{{model}}"),
        Panel(
            "Until healthy days are known",
            'max by (model) (driftline_school_seconds_left{model=~"$model"})',
            "{{model}}",
            "s",
            "Event time. Until it is 0 only gross faults are told.",
        ),
        Panel(
            "Share of anomalous events",
            'max by (model, monitor) (driftline_anomaly_fraction{model=~"$model"})',
            "{{model}} {{monitor}}",
            "percentunit",
        ),
        Panel(
            "Distance from the reference",
            'max by (model, monitor) (driftline_distribution_distance{model=~"$model"})',
            "{{model}} {{monitor}}",
        ),
        Panel(
            "Alerts told, by the hour",
            "sum by (status, severity) (increase(driftline_alerts_emitted_total[1h]))",
            "{{status}} {{severity}}",
        ),
    ),
    "Records": (
        Panel("Records read", "driftline:records:rate5m", "{{topic}}", "reqps"),
        Panel(
            "What became of them",
            "sum by (topic, result) (rate(driftline_events_total[5m]))",
            "{{topic}} {{result}}",
            "reqps",
        ),
        Panel(
            "Records that cannot be read",
            "sum by (topic, reason) (rate(driftline_records_failed_total[5m])) > 0",
            "{{topic}} {{reason}}",
            "reqps",
        ),
        Panel(
            "Fields that cannot be used",
            "topk(10, sum by (field, reason) (rate(driftline_odd_fields_total[5m])) > 0)",
            "{{field}} {{reason}}",
            "reqps",
        ),
        Panel("Lag", "sum by (topic) (driftline_consumer_lag_records)", "{{topic}}"),
        Panel(
            "Age of the newest record read",
            "max by (topic) (driftline_event_lag_seconds)",
            "{{topic}}",
            "s",
            "Of the partition where it is oldest; it grows where nothing is sent.",
        ),
    ),
    "Service": (
        Panel(
            "Commits",
            "sum by (group, outcome) (rate(driftline_commits_total[5m]))",
            "{{group}} {{outcome}}",
            "ops",
            "At rest there are none.",
        ),
        Panel(
            "A commit takes, 99 %",
            "histogram_quantile(0.99, sum by (le) (rate(driftline_commit_seconds_bucket[5m])))",
            "commit",
            "s",
        ),
        Panel(
            "A batch takes, 99 %",
            "histogram_quantile(0.99, sum by (le) (rate(driftline_processing_seconds_bucket[5m])))",
            "batch",
            "s",
        ),
        Panel("Age of snapshots", "max by (topic) (driftline_snapshot_age_seconds)", "{{topic}}", "s"),
        Panel("State", "sum by (topic) (driftline_state_bytes)", "{{topic}}", "bytes"),
        Panel("Series", "sum by (topic) (driftline_series)", "{{topic}}"),
        Panel("Partitions of each replica", "driftline_assigned_partitions", "{{instance}}"),
        Panel(
            "Partitions that nobody reads",
            "max by (topic, partition) (driftline_unread_seconds)",
            "{{topic}} {{partition}}",
            "s",
            "For so long; in a rebalance some seconds are healthy.",
        ),
        Panel(
            "Memory",
            "process_resident_memory_bytes and on (instance) driftline_build_info",
            "{{instance}}",
            "bytes",
        ),
        Panel(
            "Series without a place, partitions without state",
            "sum(increase(driftline_series_dropped_total[1h])) or sum(increase(driftline_state_lost_total[1h]))",
            "last hour",
        ),
    ),
}


def drawn(panel: Panel, number: int, x: int, y: int) -> dict[str, Any]:
    return {
        "id": number,
        "title": panel.title,
        "description": panel.says,
        "type": panel.kind,
        "datasource": SOURCE,
        "gridPos": {"x": x, "y": y, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [{"refId": "A", "datasource": SOURCE, "expr": panel.expr, "legendFormat": panel.legend}],
    }


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    y = 0
    for title, row in ROWS.items():
        head = {"id": len(found) + 1, "title": title, "type": "row", "collapsed": False, "panels": []}
        found.append({**head, "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}})
        y += 1
        for at, panel in enumerate(row):
            found.append(drawn(panel, len(found) + 1, at % 3 * WIDTH, y + at // 3 * HEIGHT))
        y += -(-len(row) // 3) * HEIGHT
    return found


def variable(name: str, label: str, kind: str, query: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "label": label, "type": kind, "query": query, **more}


def dashboard() -> str:
    models = "label_values(driftline_school_seconds_left, model)"
    everyone = {"includeAll": True, "multi": True, "refresh": 2, "sort": 1, "datasource": SOURCE}
    everyone["current"] = {"text": ["All"], "value": ["$__all"]}
    told = {
        "uid": "driftline",
        "title": "Driftline",
        "tags": ["driftline"],
        "schemaVersion": 41,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [
                variable("source", "Source", "datasource", "prometheus"),
                variable("model", "Model", "query", models, **everyone),
            ]
        },
        "panels": panels(),
    }
    return json.dumps(told, indent=1) + "\n"


FILES: dict[str, Callable[[], str]] = {"deploy/grafana/driftline.json": dashboard}
