"""The kinds of bridges: what each reads, what of it it tells, and the request that does so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from streamer.bridges.ledger import News
from streamer.bridges.payloads import alertmanager, body, pagerduty, slack
from streamer.bridges.told import ODD, SEVERITIES, Told
from streamer.config.bridges import Alertmanager, Bridge, Chat, PagerDuty, Slack, Webhook

JSON = "application/json"
CHUNK = 100
"""Alerts that Alertmanager is told again in one request."""


class Request(NamedTuple):
    """A POST."""

    url: str
    body: bytes
    headers: dict[str, str]


class Kind(NamedTuple):
    """`settings` are those of the config, of the kind's own class; the page is its address, if it is known."""

    wants: Callable[[Any, News], bool]
    request: Callable[[Any, str | None, Told, int], Request]


def roles_of(settings: Bridge) -> tuple[str, ...]:
    """The roles of the topics that it reads."""
    if isinstance(settings, Webhook) or (isinstance(settings, Chat) and settings.tell == "incidents"):
        return "alerts", "incidents"
    return ("alerts",)


def topics_of(settings: Bridge, published: Mapping[str, str]) -> list[str]:
    """Their names, each once; `published` has them by role."""
    return list(dict.fromkeys(published[role] for role in roles_of(settings)))


def grave_enough(settings: Bridge, one: Told) -> bool:
    return SEVERITIES.index(one.severity) >= SEVERITIES.index(settings.severity)


def _alerts(settings: Bridge, news: News) -> bool:
    return news.told.kind == "alert" and not news.again


def _for_people(settings: Chat, news: News) -> bool:
    one = news.told
    by_incidents = settings.tell == "incidents" and one.model != ""
    return not news.again and one.kind == ("incident" if by_incidents else "alert")


def wanted(kind: str, settings: Bridge, news: News) -> bool:
    """Whether it is told at all."""
    return grave_enough(settings, news.told) and KINDS[kind].wants(settings, news)


def request_of(kind: str, settings: Bridge, page: str | None, one: Told, now_ms: int) -> Request | None:
    """What tells of it; None where the record is not as ours are: it must not end a bridge, at each of its starts."""
    try:
        return KINDS[kind].request(settings, page, one, now_ms)
    except ODD:
        return None


def _to_alertmanager(to: Alertmanager, page: str | None, one: Told, now_ms: int) -> Request:
    return _alerts_request(to, [alertmanager(one, now_ms, to.interval_ms, page)])


def told_again(to: Alertmanager, page: str | None, some: Iterable[Told], now_ms: int) -> Request:
    """Alerts as they are; those that fire with an end that is ahead, once more. What is not as ours are is left out."""
    payloads = []
    for one in some:
        with suppress(*ODD):
            payloads.append(alertmanager(one, now_ms, to.interval_ms, page))
    return _alerts_request(to, payloads)


def _alerts_request(to: Alertmanager, payloads: list[dict[str, Any]]) -> Request:
    return Request(f"{to.url}/api/v2/alerts", body(payloads), headers_of(to.authorization, JSON))


def _to_webhook(hook: Webhook, page: str | None, one: Told, now_ms: int) -> Request:
    kind = "application/cloudevents+json; charset=utf-8"
    return Request(hook.url, one.value, headers_of(hook.authorization, kind))


def _to_slack(channel: Slack, page: str | None, one: Told, now_ms: int) -> Request:
    return Request(channel.url, body(slack(one, page)), headers_of(None, JSON))


def _to_pagerduty(pager: PagerDuty, page: str | None, one: Told, now_ms: int) -> Request:
    content = body(pagerduty(one, page, pager.routing_key))
    return Request(f"{pager.url}/v2/enqueue", content, headers_of(None, JSON))


def headers_of(authorization: str | None, kind: str) -> dict[str, str]:
    return {"Content-Type": kind, **({"Authorization": authorization} if authorization else {})}


KINDS: dict[str, Kind] = {
    "alertmanager": Kind(_alerts, _to_alertmanager),
    "webhook": Kind(lambda settings, news: True, _to_webhook),
    "slack": Kind(_for_people, _to_slack),
    "pagerduty": Kind(_for_people, _to_pagerduty),
}
