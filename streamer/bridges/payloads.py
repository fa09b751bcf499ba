"""From records to what others take: one function a receiver. Pure: the time of the wall clock is an argument.

Texts of producers (names of models and features) are escaped where the receiver reads them as markup, and cut to what
it takes. Secrets are in none of them but PagerDuty's key, which is given by whoever sends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import orjson

from schemas.records.alert import ms_of, rfc3339
from streamer.bridges.told import Told

LIVES = 4
"""A firing alert ends so many intervals after it was told last: as Prometheus has it."""
SUMMARY_MAX, SOURCE_MAX, HEADER_MAX, TEXT_MAX = 1024, 255, 150, 2900
MARKS = {"critical": ":red_circle:", "warning": ":large_orange_circle:", "info": ":large_blue_circle:"}
EVIDENCE = ("before", "after", "window", "reference", "onset", "tier")


def link(page: str | None, one: Told) -> str:
    """Where the page shows it; empty without a page."""
    return f"{page}/#/{one.kind}/{quote(one.episode, safe='')}" if page else ""


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def alertmanager(one: Told, now_ms: int, interval_ms: int, page: str | None = None) -> dict[str, Any]:
    """An alert of API v2. While it fires its end is a time of the wall clock, and always ahead: the record has event
    time, and of lagging traffic an end that is over is accepted and never shown. What begins or ends ahead of the
    clock does so now.
    """
    alert = one.record["data"]["alert"]
    ends_ms = min(ms_of(alert["endsAt"]), now_ms) if one.over else now_ms + LIVES * interval_ms
    starts_ms = min(ms_of(alert["startsAt"]), now_ms, ends_ms)
    there = {"generatorURL": link(page, one)} if page else {}
    texts = {name: str(text) for name, text in alert["annotations"].items()}
    known = one.record["data"].get("acknowledged")
    if known:
        texts["acknowledged"] = f"by {known['by']}: {known['why']}"
    return {
        "labels": {name: str(text) for name, text in alert["labels"].items()},
        "annotations": texts,
        "startsAt": rfc3339(starts_ms),
        "endsAt": rfc3339(ends_ms),
        **there,
    }


def pagerduty(one: Told, page: str | None = None, routing_key: str | None = None) -> dict[str, Any]:
    """An event of the Events API v2. PagerDuty's `dedup_key` is the alert's fingerprint, or the incident."""
    key = {} if routing_key is None else {"routing_key": routing_key}
    event = {**key, "event_action": "resolve" if one.over else "trigger", "dedup_key": cut(one.key, SOURCE_MAX)}
    if one.over:
        return event
    data = one.record["data"]
    payload = {
        "summary": cut(one.sentence, SUMMARY_MAX),
        "source": cut(str(one.record["source"]), SOURCE_MAX),
        "severity": one.severity,
        "timestamp": one.time,
        "component": cut(one.model or one.monitor, SOURCE_MAX),
        "group": "driftline",
        "class": cut(one.monitor or "incident", SOURCE_MAX),
        "custom_details": details(one, data),
    }
    links = [{"href": link(page, one), "text": "Driftline's page"}] if page else []
    return {**event, "client": "Driftline", "payload": payload, **({"links": links} if links else {})}


def details(one: Told, data: Mapping[str, Any]) -> dict[str, Any]:
    """What whoever is paged looks at first."""
    if one.kind == "incident":
        members = [{"moved": m["moved"], "monitor": m["monitor"], "since": m["since"]} for m in data["members"]]
        return {"since": one.since, "alerts": data["alerts"], "members": members}
    evidence = data.get("evidence") or {}
    annotations = data["alert"]["annotations"]
    found = {
        "labels": data["alert"]["labels"],
        "description": annotations.get("description"),
        "runbook_url": annotations.get("runbook_url"),
        "evidence": {name: evidence[name] for name in EVIDENCE if evidence.get(name) is not None},
        "replay": (data.get("replay") or {}).get("command"),
    }
    return {name: value for name, value in found.items() if value}


def slack(one: Told, page: str | None = None) -> dict[str, Any]:
    """A message of blocks, with a line of plain text for notifications."""
    word = "RESOLVED" if one.over else "FIRING" if one.kind == "alert" else "INCIDENT"
    mark = ":white_check_mark:" if one.over else MARKS[one.severity]
    who = one.model or one.monitor
    title = cut(f"{word}  {who}" + (f": {one.monitor}" if one.model and one.monitor else ""), HEADER_MAX)
    text = mrkdwn(one.sentence)
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": False}},
        {"type": "section", "text": {"type": "mrkdwn", "text": cut_markup(f"{mark} {text}", TEXT_MAX)}},
    ]
    context = [f"{one.severity}, since {one.since}"]
    if page:
        context.append(f"<{link(page, one)}|Evidence on the page>")
    runbook = one.record["data"]["alert"]["annotations"].get("runbook_url") if one.kind == "alert" else None
    if runbook and str(runbook).startswith(("https://", "http://")):
        context.append(f"<{quote(str(runbook), safe=':/?#[]@!$&()*+,;=%')}|Runbook>")
    blocks.append(
        {"type": "context", "elements": [{"type": "mrkdwn", "text": cut_markup(s, TEXT_MAX)} for s in context]}
    )
    return {"text": cut_markup(f"{word} {text}", TEXT_MAX), "blocks": blocks}


def mrkdwn(text: str) -> str:
    """Slack reads these three as markup of its own: links, and mentions of everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cut_markup(text: str, most: int) -> str:
    """Cut, but not within what stands for one character."""
    if len(text) <= most:
        return text
    short = text[: most - 1]
    begin = short.rfind("&")
    return (short[:begin] if begin >= 0 and ";" not in short[begin:] else short) + "…"


def body(value: Any) -> bytes:
    """A payload as it is sent."""
    return orjson.dumps(value)
