"""Which records a bridge tells, and by what request."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from streamer.bridges.kinds import KINDS, told_again, topics_of, wanted
from streamer.bridges.ledger import News
from streamer.bridges.told import Told, told
from streamer.config import bridges as config
from streamer.config.load import load_text
from tests.bridges.samples import changed, incidents, of, records

TEXT = """
version: 1
kafka: {brokers: "b:1"}
topics: {events: [in], alerts: al%s}
bridges:
  alertmanager: {url: "http://127.0.0.1:9093/prefix/", authorization: Bearer correct-horse-1}
  webhook: {url: "https://hook.example.org/a?b=c", authorization: Basic correct-horse-2}
  slack: {url: "https://hooks.example.org/T/B/correct-horse-3", tell: %s, severity: info}
  pagerduty: {routing_key: correct-horse-4, tell: %s}
"""


def bridges(tell: str = "alerts", incidents: str = "") -> Any:
    return load_text(TEXT % (incidents, tell, tell), "x", {})


def told_by(kind: str, tell: str = "alerts") -> list[Told]:
    """What of the sample's records it tells, where none is old."""
    settings, renewed = bridges(tell).bridges.there()[kind], of("amount-mean")[1].id
    return [one for one in records() if wanted(kind, settings, News(one, one.id == renewed))]


def test_a_webhook_is_told_everything_as_it_is() -> None:
    assert told_by("webhook") == list(records())


@pytest.mark.parametrize("kind", ["alertmanager", "slack"])
def test_alerts_are_told_once_until_they_are_over(kind: str) -> None:
    fired, _, resolved = of("amount-mean")
    assert told_by(kind) == [fired, of("amount-shape")[0], resolved, of("nulls")[0]]


def test_people_are_not_paged_by_what_is_below_the_severity() -> None:
    assert [one.monitor for one in told_by("pagerduty")] == ["amount-mean", "amount-shape", "amount-mean"]


def test_by_incidents_alerts_of_no_model_are_told_as_well() -> None:
    assert told_by("slack", "incidents") == incidents()
    labels = {"alertname": "RecordsUnusable", "severity": "warning", "topic": "in", "partition": "in[0]"}
    about_records = told(changed(of("nulls")[0], data__alert__labels=labels))
    assert about_records is not None
    assert about_records.monitor == "RecordsUnusable"
    assert wanted("slack", bridges("incidents").bridges.slack, News(about_records, False))


def test_only_topics_that_are_told_of_are_read() -> None:
    apart = bridges("incidents", ", incidents: inc")
    there = {kind: topics_of(one, apart.topics.published()) for kind, one in apart.bridges.there().items()}
    assert there == {
        "alertmanager": ["al"],
        "webhook": ["al", "inc"],
        "slack": ["al", "inc"],
        "pagerduty": ["al", "inc"],
    }
    assert topics_of(bridges("incidents").bridges.slack, bridges().topics.published()) == ["al"]


def test_requests_go_where_they_are_taken() -> None:
    there, fired = bridges().bridges.there(), of("amount-mean")[0]
    found = {kind: KINDS[kind].request(one, None, fired, 0) for kind, one in there.items()}
    assert {kind: one.url for kind, one in found.items()} == {
        "alertmanager": "http://127.0.0.1:9093/prefix/api/v2/alerts",
        "webhook": "https://hook.example.org/a?b=c",
        "slack": "https://hooks.example.org/T/B/correct-horse-3",
        "pagerduty": "https://events.pagerduty.com/v2/enqueue",
    }
    assert found["webhook"].body == fired.value
    assert found["webhook"].headers["Content-Type"].startswith("application/cloudevents+json")
    assert found["webhook"].headers["Authorization"] == "Basic correct-horse-2"
    assert found["alertmanager"].headers["Authorization"] == "Bearer correct-horse-1"
    assert orjson.loads(found["pagerduty"].body)["routing_key"] == "correct-horse-4"
    assert isinstance(orjson.loads(found["alertmanager"].body), list)


def test_what_fires_is_told_again_in_one_request() -> None:
    settings = bridges().bridges.alertmanager
    request = told_again(settings, None, [of("amount-shape")[0], of("nulls")[0]], 0)
    assert [one["labels"]["monitor"] for one in orjson.loads(request.body)] == ["amount-shape", "nulls"]


def test_every_kind_of_the_config_is_there() -> None:
    assert tuple(KINDS) == config.KINDS
