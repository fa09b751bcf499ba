"""What the page shows, put together from what the service publishes: heartbeats, alerts, incidents, windows and how
good the predictions were.

So any process of the group shows what all of them do, and one that was just started shows the past. Nothing here knows
Kafka or a clock, and all of it is bounded: what is beyond a bound is counted as hidden.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from detectors.agreement import REVIEWERS_MAX
from schemas.records.alert import ms_of
from streamer.review.open_items import open_items
from streamer.service.past import MODELS_MAX, PARTS_MAX, Past, newest
from streamer.service.pipeline import Pipeline
from streamer.service.verdicts import Said

OPEN_MAX, DONE_MAX = 5_000, 300
"""Alerts, or incidents, that are open, and of those that are over the newest."""
LINES_MAX, POINTS, POINTS_LEAST, POINTS_MAX = 20_000, 120, 24, 480_000
"""Series of windows, and windows of each: fewer of each where there are many series, so that all have room."""
HISTOGRAMS_MAX = 5_000
"""Series of which the newest histogram is kept: of 64 bins at most, so 8 KiB each, and mostly 1."""
TOLD_MAX, TOLD = 2_000, 48
"""Groups of inferences of which it is told how good the predictions were, and windows of each."""
ITEMS_MAX, SAID_MAX, VERDICTS_MAX = 1_000, 200, 5_000
"""Items that people are asked to look at; of what became of commands and lessons the newest; items and alerts with
verdicts, of REVIEWERS_MAX reviewers each.
"""
RATES = 60
"""Minutes of which the rate of a model is kept."""
NEAR = 4
"""Charts beside an alert."""
SHOWN = 50
"""Of what a model has that is not watched."""


class Records:
    """Alerts or incidents, by identity the newest record of each; those that are over apart."""

    def __init__(self) -> None:
        self.open: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self.done: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self.latest: OrderedDict[str, str] = OrderedDict()  # of the open ones the identity, by key
        self.hidden = 0

    def take(self, identity: str, record: dict[str, Any], over: bool, key: str) -> None:
        """key: of its records. Of those of one key one is open at a time."""
        known = self.latest.pop(key, identity)
        if known != identity:  # How that one ended was not read.
            self.open.pop(known, None)
        if over:
            self.open.pop(identity, None)
            newest(self.done, identity, record, DONE_MAX)
            return
        self.done.pop(identity, None)
        newest(self.latest, key, identity, OPEN_MAX)
        self.hidden += newest(self.open, identity, record, OPEN_MAX)

    def find(self, identity: str) -> dict[str, Any] | None:
        return self.open.get(identity) or self.done.get(identity)


class Board:
    """Fed with records in any order of topics; of one topic and key in the order of the log."""

    def __init__(self) -> None:
        # By model, topic and partition the newest heartbeat, and events a minute between the last two of them.
        self.parts: OrderedDict[tuple[str, str, int], tuple[dict[str, Any], float | None]] = OrderedDict()
        self.minutes: OrderedDict[str, OrderedDict[int, int]] = OrderedDict()  # events, by model and minute of the tick
        self.alerts, self.incidents = Records(), Records()
        self.past, self.pipeline = Past(), Pipeline()
        self.verdicts: OrderedDict[str, dict[str, Said]] = OrderedDict()  # by item or alert the last of each reviewer
        self.lines: OrderedDict[tuple[str, ...], deque[tuple[Any, ...]]] = OrderedDict()
        self.histograms: OrderedDict[tuple[str, ...], dict[str, Any]] = OrderedDict()
        self.performance: OrderedDict[tuple[str, str], OrderedDict[str, dict[str, Any]]] = OrderedDict()
        self.items: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self.audits: OrderedDict[str, dict[str, Any]] = OrderedDict()  # by model the newest
        self.said: deque[dict[str, Any]] = deque(maxlen=SAID_MAX)
        self.hidden_lines, self.unread, self.skipped = 0, 0, 0
        self.version = 0  # of what is shown

    def take(self, value: bytes | None, key: bytes | None = None, time_ms: int | None = None) -> None:
        """One record of any of the topics, published then; what is none of ours is counted. One without a value takes
        an item away: its event was erased.
        """
        if value is None:
            self.version += self.items.pop((key or b"").decode("utf-8", "replace"), None) is not None
            return
        try:
            record = orjson.loads(value)
            kind = str(record["type"]).removeprefix("io.driftline.").split(".")[0]
            TAKEN[kind](self, record, record["data"])
            if kind in ("alert", "incident"):
                self.pipeline.published(time_ms)
        except (ValueError, KeyError, TypeError, AttributeError):
            self.unread += 1
            return
        self.version += 1

    def skip(self, count: int, time_ms: int) -> None:
        """So many alerts and incidents were published of late that newer ones of their keys followed at once."""
        self.skipped += count
        self.pipeline.published(time_ms, count)

    def heartbeat(self, record: Mapping[str, Any], data: dict[str, Any]) -> None:
        place = str(data["topic"]), int(data["partition"])
        self.pipeline.heartbeat(place, data)
        model = data["model"]
        if model is None:
            return
        before, rate = self.parts.get((model, *place), (None, None))
        newest(self.minutes, model, self.minutes.get(model, OrderedDict()), MODELS_MAX)
        if before is not None:
            rate = self.rate(model, before, data, rate)
            self.pipeline.ended(place, before.get("windows", {}), data.get("windows", {}))
        newest(self.parts, (model, *place), (data, rate), PARTS_MAX)
        self.past.heartbeat((model, *place), before, data)

    def rate(
        self, model: str, before: Mapping[str, Any], after: Mapping[str, Any], known: float | None
    ) -> float | None:
        """Events a minute between two ticks; as known where they tell nothing."""
        passed, events = after["tick"]["time_ms"] - before["tick"]["time_ms"], after["events"] - before["events"]
        if passed <= 0 or events < 0:  # Told twice, or its state was lost.
            return known
        at, minutes = int(after["tick"]["time_ms"] // 60_000), self.minutes[model]
        newest(minutes, at, minutes.get(at, 0) + events, RATES)
        return float(events * 60_000 / passed)

    def alert(self, record: Mapping[str, Any], data: dict[str, Any]) -> None:
        labels = data["alert"]["labels"]
        over = data["status"] in ("resolved", "shadow_resolved")
        identity, key = str(record["correlationid"]), f"{data['status'].startswith('shadow')}{record['partitionkey']}"
        self.alerts.take(identity, {**data, "id": identity, "labels": labels}, over, key)

    def incident(self, record: Mapping[str, Any], data: dict[str, Any]) -> None:
        identity = str(data["incident"])
        self.incidents.take(identity, data, data["status"] == "resolved", identity)

    def window(self, record: Mapping[str, Any], data: Mapping[str, Any]) -> None:
        labels, window = data["labels"], data["window"]
        value = next((window[name] for name in VALUES if window.get(name) is not None), None)
        if data["ended"] != "evaluated" or value is None:
            return
        key = labels["model"], labels["monitor"], labels["signal"], group_of(labels)
        line = self.lines.get(key) or deque()
        while len(line) >= min(POINTS, max(POINTS_LEAST, POINTS_MAX // (len(self.lines) + 1))):
            line.popleft()
        if window.get("histogram") is not None:
            newest(self.histograms, key, {"to": window["to"], **window["histogram"]}, HISTOGRAMS_MAX)
        line.append((window["to"], value, window.get("expected"), data["limit"], bool(data["breach"])))
        self.hidden_lines += newest(self.lines, key, line, LINES_MAX)

    def told(self, record: Mapping[str, Any], data: dict[str, Any]) -> None:
        """How good the predictions of a window were; of each the newest version."""
        key = data["labels"]["model"], group_of(data["labels"])
        known = self.performance.get(key) or OrderedDict()
        begin, before = data["window"]["from"], known.get(data["window"]["from"])
        if before is None or before["window"]["version"] <= data["window"]["version"]:
            newest(known, begin, data, TOLD)
        self.hidden_lines += newest(self.performance, key, known, TOLD_MAX)

    def item(self, record: Mapping[str, Any], data: dict[str, Any]) -> None:
        newest(self.items, data["review_id"], {**data, "asked": record["time"]}, ITEMS_MAX)

    def heard(self, said: Iterable[Said]) -> None:
        """What people said of items and alerts, in the order of the log."""
        for one in said:
            known = self.verdicts.get(one.about, {})
            if one.by in known or len(known) < REVIEWERS_MAX:
                newest(self.verdicts, one.about, {**known, one.by: one}, VERDICTS_MAX)
                self.version += 1

    def verdicts_on(self, about: str) -> list[dict[str, str]]:
        """Of each reviewer the last, the oldest first; about an alert by any id of it."""
        found = [own for id, own in self.verdicts.items() if id == about or id.startswith(f"{about}-")]
        return in_order(one for own in found for one in own.values())

    def audit(self, record: Mapping[str, Any], data: dict[str, Any]) -> None:
        newest(self.audits, data["labels"]["model"], data, MODELS_MAX)

    def agreement(self, record: Mapping[str, Any], data: dict[str, Any]) -> None:
        """In the topic of windows, for who weighs reviewers."""

    def people(self, record: Mapping[str, Any], data: dict[str, Any]) -> None:
        """What became of a command, or of what people said of alerts."""
        told = {name: data[name] for name in ("status", "model", "sentence")}
        self.past.command(data)
        self.said.appendleft({**told, "time": record["time"], "id": data.get("command", {}).get("id")})

    # What is shown

    def overview(self) -> dict[str, Any]:
        """Everything but single series and partitions: one entry per model, open incidents and alerts."""
        open_alerts: dict[str, list[dict[str, Any]]] = {}
        for alert in self.alerts.open.values():
            open_alerts.setdefault(alert["labels"].get("model", ""), []).append(alert)
        incidents: dict[str, int] = {}
        for incident in self.incidents.open.values():
            incidents[incident["model"]] = incidents.get(incident["model"], 0) + 1
        parts: dict[str, list[tuple[dict[str, Any], float | None]]] = {}
        for (model, _, _), part in self.parts.items():
            parts.setdefault(model, []).append(part)
        hidden = self.alerts.hidden + self.incidents.hidden + self.skipped
        return {
            "version": self.version,
            "models": [
                self.model(name, parts.get(name, []), open_alerts.get(name, []), incidents.get(name, 0))
                for name in sorted(self.minutes)
            ],
            "incidents": [brief(one) for one in newest_first(self.incidents)],
            "alerts": [brief_alert(one) for one in newest_first(self.alerts)],
            "said": list(self.said),
            "hidden": {"alerts": hidden, "series": self.hidden_lines, "records": self.unread},
        }

    def model(
        self,
        name: str,
        known: list[tuple[dict[str, Any], float | None]],
        alerts: list[dict[str, Any]],
        incidents: int,
    ) -> dict[str, Any]:
        """A row of the overview."""
        minutes = [events for _, events in sorted(self.minutes[name].items())][:-1]  # The last one is not over.
        parts, rates = [data for data, _ in known], [rate for _, rate in known if rate is not None]
        tiers: dict[str, int] = {}
        for data in parts:
            for tier, count in data.get("tiers", {}).items():
                tiers[tier] = tiers.get(tier, 0) + count
        severities = {alert["labels"].get("severity") for alert in alerts}
        return {
            "model": name,
            "state": state_of(severities, incidents, parts),
            "incidents": incidents,
            "alerts": len(alerts),
            "events": sum(data["events"] for data in parts),
            "per_minute": round(sum(rates), 1) if rates else None,
            "lag_ms": lag_ms(parts),
            "minutes": minutes,
            "newest_event": max((data["newest_event"] for data in parts), default=None),
            "heard_ms": max((data["tick"]["time_ms"] for data in parts), default=0),
            "school_until": max((data["school_until"] for data in parts if data.get("school_until")), default=None),
            "series": {name: sum(data["series"][name] for data in parts) for name in ("ready", "warming")},
            "tiers": tiers,
            "windows": {
                ended: sum(data["windows"].get(ended, 0) for data in parts)
                for ended in (parts[0]["windows"] if parts else ())
            },
            "unwatched": [one for data in parts for one in data.get("unwatched", [])][:SHOWN],
            "learning": [one for data in parts for one in data.get("learning", [])][:SHOWN],
            "audit": self.audits.get(name),
        }

    def series_of(self, model: str) -> list[dict[str, Any]]:
        """Windows of a model's series as the detectors saw them: end, value, what was expected, limit, breach. Of the
        newest window of a distribution the histogram; and when what alerts tell of began in it.
        """
        began = self._began(model)
        return [
            {
                **dict(zip(("monitor", "signal", "group"), key[1:], strict=True)),
                "points": [list(point) for point in line],
                "histogram": self.histograms.get(key),
                "began": began.get(key[1:], []),
            }
            for key, line in self.lines.items()
            if key[0] == model
        ]

    def _began(self, model: str) -> dict[tuple[str, ...], list[str]]:
        """By series when what its alerts tell of began, the oldest first."""
        found: dict[tuple[str, ...], list[str]] = {}
        for alert in (*self.alerts.done.values(), *self.alerts.open.values()):
            labels = alert["labels"]
            if labels.get("model") == model:
                series = labels.get("monitor", ""), labels.get("signal", ""), group_of(labels)
                found.setdefault(series, []).append(alert["alert"]["startsAt"])
        return {series: sorted(times) for series, times in found.items()}

    def incident_with_marks(self, identity: str) -> dict[str, Any] | None:
        """An incident, with what was deployed in its model."""
        incident = self.incidents.find(identity)
        return None if incident is None else {**incident, "marks": self.past.marks_of(incident["model"])}

    def alert_with_lines(self, identity: str) -> dict[str, Any] | None:
        """An alert, with windows of what it is about: of its own monitor first, then of others on the same values."""
        alert = self.alerts.find(identity)
        if alert is None:
            return None
        labels = alert["labels"]
        model, own, about = labels.get("model", ""), labels.get("monitor"), (labels.get("signal"), group_of(labels))
        lines = [line for line in self.series_of(model) if (line["signal"], line["group"]) == about]
        lines = sorted(lines, key=lambda line: line["monitor"] != own)[:NEAR]
        beside = {"marks": self.past.marks_of(model), "verdicts": self.verdicts_on(identity)}
        return {**alert, "lines": lines, **beside}

    def waiting_items(self, now_ms: int) -> list[dict[str, Any]]:
        """What people are asked to look at and nobody has answered yet."""
        return open_items(self.items.values(), {id: {*said} for id, said in self.verdicts.items()}, now_ms)

    def answered_items(self) -> list[dict[str, Any]]:
        """Those that somebody has answered, the last of them first, with what was said."""
        found = [
            {**self.items[id], "verdicts": in_order(self.verdicts[id].values())}
            for id in reversed(self.verdicts)
            if id in self.items
        ]
        return found[:SHOWN]

    def performance_of(self, model: str) -> list[dict[str, Any]]:
        """Windows of a model whose labels came, the newest first."""
        found = [
            {"group": group, **{name: data.get(name) for name in ("window", "inferences", "labelled", *FIGURES)}}
            for (name, group), windows in self.performance.items()
            if name == model
            for data in windows.values()
        ]
        return sorted(found, key=lambda one: (one["window"]["from"], one["group"]), reverse=True)


FIGURES = ("error", "estimated", "unestimated", "calibration", "regression")
"""Of what is told of a window whose labels came, what the page shows."""
VALUES = ("fraction", "value", "distance", "surprise")
"""What of a window is drawn: the first of these that it has."""
ABOUT = ("alertname", "severity", "model", "monitor", "detector", "signal", "partition")


def group_of(labels: Mapping[str, str]) -> str:
    """The fields of `by`, as one text."""
    return ", ".join(f"{name}={text}" for name, text in labels.items() if name not in ABOUT and text)


STATES = ("critical", "drifting", "learning", "healthy")
"""The gravest first."""


def state_of(severities: Iterable[str | None], incidents: int, parts: list[dict[str, Any]]) -> str:
    """A model in a word: the gravest that holds."""
    found = set(severities)
    if "critical" in found:
        return "critical"
    if incidents or found - {"info", None}:
        return "drifting"
    if any(data.get("school_until") for data in parts):
        return "learning"
    return "healthy"


def lag_ms(parts: Iterable[Mapping[str, Any]]) -> int | None:
    """How far the partitions of a model that are behind are, by the times of its events; None where none is."""
    behind = [one["tick"]["time_ms"] - ms_of(one["newest_event"]) for one in parts if not one["tick"]["caught_up"]]
    return max(0, *behind) if behind else None


def in_order(said: Iterable[Said]) -> list[dict[str, str]]:
    return [one._asdict() for one in sorted(said, key=lambda one: one.time)]


def newest_first(records: Records) -> list[dict[str, Any]]:
    return [*reversed(records.open.values()), *reversed(records.done.values())]


def brief(incident: dict[str, Any]) -> dict[str, Any]:
    """An incident without its members."""
    return {name: value for name, value in incident.items() if name != "members"}


def brief_alert(alert: dict[str, Any]) -> dict[str, Any]:
    """What a list needs of an alert."""
    return {
        "id": alert["id"],
        "status": alert["status"],
        "labels": alert["labels"],
        "sentence": alert["sentence"],
        "since": alert["alert"]["startsAt"],
        "changed": alert["changed"]["time"],
        "provisional": alert.get("provisional", False),
    }


TAKEN = {
    "heartbeat": Board.heartbeat,
    "alert": Board.alert,
    "incident": Board.incident,
    "window": Board.window,
    "performance": Board.told,
    "review": Board.item,
    "audit": Board.audit,
    "agreement": Board.agreement,
    "control": Board.people,
    "learn": Board.people,
}
