"""What goes together with a topic of its own; the words are in the fixtures side-topics*.bad."""

from __future__ import annotations

import pytest

from streamer.config.side_rules import SIDE_RULES


@pytest.mark.parametrize(
    ("raw", "paths"),
    [
        ({}, []),
        ({"feedback": {}, "kafka": {"order": "topic", "order_by": ["caller"]}}, []),
        ({"feedback": {"topic": "c"}, "topics": {"events": ["in"]}}, []),
        ({"feedback": {"topic": "in"}, "topics": {"events": ["in"]}}, [("feedback", "topic")]),
        ({"feedback": {"topic": "c"}, "labels": {"topic": "c"}}, [("labels", "topic")]),
        ({"labels": {"topic": "c"}, "verdicts": {"topic": "c"}}, [("verdicts", "topic")]),
        ({"labels": {"topic": "drift-alerts"}}, [("labels", "topic")]),
        ({"labels": {"topic": "c"}, "kafka": {"order": "topic"}}, [("kafka", "order")]),
        ({"labels": {"topic": "c"}, "kafka": {"order_by": ["caller"]}}, [("kafka", "order_by")]),
        ({"labels": {"event_id": "key", "time": "/t"}}, [("labels", "time"), ("labels", "event_id")]),
        ({"labels": {}}, []),
        ({"labels": {"event_id": "/event_id"}}, [("labels", "event_id")]),
        ({"labels": {}, "fields": {"event_id": "/label/event_id"}}, [("labels",)]),
        ({"feedback": {"event_id": "/id"}, "fields": {"event_id": "/id"}}, [("feedback", "event_id")]),
        ({"labels": {"topic": "c"}, "fields": {"model": "topic"}}, [("labels", "topic")]),
        ({"labels": {"topic": "c", "model": "=m"}, "fields": {"model": "topic"}}, []),
        ({"control": {"topic": "c"}, "fields": {"model": "topic"}}, []),
        ({"control": {}}, []),
        ({"control": {"topic": "drift-alerts"}, "labels": {"topic": "c"}}, [("control", "topic")]),
    ],
)
def test_rules(raw: object, paths: list[tuple[str, ...]]) -> None:
    assert [one.path for rule in SIDE_RULES for one in rule(raw)] == paths
