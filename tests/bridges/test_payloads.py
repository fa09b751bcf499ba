"""The payloads, member by member, of records as the service publishes them."""

from __future__ import annotations

import orjson
import pytest

from schemas.records.alert import ms_of
from streamer.bridges.payloads import alertmanager, cut, cut_markup, link, pagerduty, slack
from streamer.bridges.told import Told, told
from tests.bridges.samples import changed, incidents, of

PAGE = "https://drift.example.org"
NOW_MS = 1_795_953_600_000  # 2026-11-29T12:00:00Z, a year after the events
LABELS = {
    "alertname": "ModelDrift",
    "severity": "critical",
    "model": "fraud",
    "monitor": "amount-mean",
    "detector": "adwin",
    "signal": "features.amount",
    "segment_country": "NL <b>",
    "partition": "inferences[0]",
}
EPISODE = "02e48fa0c377fb37-inferences-0-1043"


def read(value: bytes) -> Told:
    found = told(value)
    assert found is not None
    return found


def test_alertmanager_has_an_end_of_its_own_clock_while_it_fires() -> None:
    fired = of("amount-mean")[0]
    assert alertmanager(fired, NOW_MS, 60_000, PAGE) == {
        "labels": LABELS,
        "annotations": {
            "summary": fired.sentence,
            "description": "The <amount> & co.",
            "runbook_url": "https://example.org/run?a=1&b=<2>",
        },
        "startsAt": "2026-01-01T00:01:44.300Z",
        "endsAt": "2026-11-29T12:04:00.000Z",
        "generatorURL": f"{PAGE}/#/alert/{EPISODE}",
    }
    assert "generatorURL" not in alertmanager(fired, NOW_MS, 60_000)


def test_alertmanager_is_told_the_end_of_what_is_over() -> None:
    resolved = of("amount-mean")[2]
    payload = alertmanager(resolved, NOW_MS, 60_000)
    assert payload["labels"] == LABELS
    assert (payload["startsAt"], payload["endsAt"]) == ("2026-01-01T00:01:44.300Z", "2026-01-01T00:03:26.700Z")


def test_no_alert_begins_or_ends_ahead_of_the_clock_nor_ends_before_it_began() -> None:
    fired, resolved = of("amount-mean")[0], of("amount-mean")[2]
    early_ms = ms_of(fired.since) - 5000
    payload = alertmanager(fired, early_ms, 1000)
    assert (payload["startsAt"], payload["endsAt"]) == ("2026-01-01T00:01:39.300Z", "2026-01-01T00:01:43.300Z")
    payload = alertmanager(resolved, early_ms, 1000)
    assert payload["startsAt"] == payload["endsAt"] == "2026-01-01T00:01:39.300Z"
    odd = read(changed(resolved, data__alert__endsAt="2025-01-01T00:00:00Z"))
    assert alertmanager(odd, NOW_MS, 1000)["startsAt"] == "2025-01-01T00:00:00.000Z"


def test_pagerduty_is_triggered_by_what_fires() -> None:
    fired = of("amount-mean")[0]
    event = pagerduty(fired, PAGE, "the-key")
    details = event["payload"].pop("custom_details")
    assert event == {
        "routing_key": "the-key",
        "event_action": "trigger",
        "dedup_key": "02e48fa0c377fb37",
        "client": "Driftline",
        "payload": {
            "summary": fired.sentence,
            "source": "/driftline/driftline",
            "severity": "critical",
            "timestamp": "2026-01-01T00:01:44.300Z",
            "component": "fraud",
            "group": "driftline",
            "class": "amount-mean",
        },
        "links": [{"href": f"{PAGE}/#/alert/{EPISODE}", "text": "Driftline's page"}],
    }
    assert details["labels"] == LABELS
    assert set(details["evidence"]) == {"before", "after", "onset"}
    assert details["replay"].startswith("driftline replay -c driftline.yaml --topic inferences")
    assert "links" not in pagerduty(fired)
    assert "routing_key" not in pagerduty(fired)


def test_pagerduty_is_resolved_by_the_same_key() -> None:
    event = pagerduty(of("amount-mean")[2], PAGE, "the-key")
    assert event == {"routing_key": "the-key", "event_action": "resolve", "dedup_key": "02e48fa0c377fb37"}


def test_pagerduty_takes_incidents_and_texts_of_any_length() -> None:
    grown = incidents()[1]
    event = pagerduty(grown)
    assert event["dedup_key"] == grown.key
    assert event["payload"]["class"] == "incident"
    assert [member["monitor"] for member in event["payload"]["custom_details"]["members"]] == [
        "amount-mean",
        "amount-shape",
    ]
    long = read(changed(of("nulls")[0], data__sentence="é" * 5000))
    assert len(pagerduty(long)["payload"]["summary"]) == 1024


def test_slack_says_it_in_blocks() -> None:
    fired = of("amount-mean")[0]
    safe = fired.sentence.replace("<b>", "&lt;b&gt;")
    assert slack(fired, PAGE) == {
        "text": f"FIRING {safe}",
        "blocks": [
            {
                "type": "header",
                "text": {"type": "plain_text", "text": "FIRING  fraud: amount-mean", "emoji": False},
            },
            {"type": "section", "text": {"type": "mrkdwn", "text": f":red_circle: {safe}"}},
            {
                "type": "context",
                "elements": [
                    {"type": "mrkdwn", "text": "critical, since 2026-01-01T00:01:44.300Z"},
                    {"type": "mrkdwn", "text": f"<{PAGE}/#/alert/{EPISODE}|Evidence on the page>"},
                    {"type": "mrkdwn", "text": "<https://example.org/run?a=1&b=%3C2%3E|Runbook>"},
                ],
            },
        ],
    }
    assert slack(of("amount-mean")[2])["text"].startswith("RESOLVED fraud")
    assert slack(incidents()[0])["text"].startswith("INCIDENT fraud")


@pytest.mark.parametrize("text", ["<!channel> & <https://evil.example|click>", "<" * 9000, "&" * 9000])
def test_nothing_a_producer_named_is_markup_to_slack(text: str) -> None:
    fired = of("amount-mean")[0]
    named = {**fired.record["data"]["alert"]["labels"], "model": text}
    message = slack(read(changed(fired, data__sentence=text, data__alert__labels=named)))
    shown = [
        message["text"],
        message["blocks"][1]["text"]["text"],
        *(e["text"] for e in message["blocks"][2]["elements"][:1]),
    ]
    for part in shown:
        rest = part.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
        assert not set("<>&") & set(rest)
        assert len(part) <= 3000
    assert len(message["blocks"][0]["text"]["text"]) <= 150


def test_texts_are_cut_between_characters() -> None:
    assert (cut("abcdef", 4), cut("abcd", 4)) == ("abc…", "abcd")
    assert [cut_markup("a&amp;b&lt;c", most) for most in (4, 6, 7, 8, 20)] == [
        "a…",
        "a…",
        "a&amp;…",
        "a&amp;b…",
        "a&amp;b&lt;c",
    ]
    assert link(None, of("nulls")[0]) == ""
    assert orjson.dumps(slack(of("nulls")[0]))
