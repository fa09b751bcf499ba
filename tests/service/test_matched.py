"""What patterns match is told at first, and then only what changed."""

from __future__ import annotations

from typing import Any

from streamer.config.topics import Topics
from streamer.port import Surroundings, Topic
from streamer.service.matched import NAMED_MAX, Matched, listed


def test_what_comes_and_goes_is_told_once_and_an_outage_is_neither() -> None:
    said: list[tuple[str, str, Any]] = []
    topics = Topics.model_validate({"events": ["named", "^in-.*"]})
    matched = Matched(
        topics, lambda level, event, **more: said.append((level, event, more.get("topic", more.get("topics"))))
    )

    def look(*names: str, down: str | None = None) -> list[tuple[str, str, Any]]:
        said.clear()
        matched.looked(Surroundings(down, {name: Topic(1, "") for name in names}))
        return list(said)

    matched.looked(Surroundings())
    assert said == []
    assert look("named", "drift-state") == [("warning", "pattern_matches_nothing", None)]
    assert look("named") == []
    assert look("named", "in-b", "in-a") == [("info", "topic_appeared", "in-a"), ("info", "topic_appeared", "in-b")]
    assert look(down="nobody") == []
    assert look("named", "in-a") == [("warning", "topic_gone", "in-b")]
    assert look("named") == [("warning", "pattern_matches_nothing", None), ("warning", "topic_gone", "in-a")]
    again = Matched(topics, matched.say)
    said.clear()
    again.looked(Surroundings(None, {"in-a": Topic(1, "")}))
    assert said == [("info", "topics_matched", "in-a")]


def test_many_topics_are_not_all_named() -> None:
    assert listed([str(n) for n in range(NAMED_MAX + 3)]).endswith("19 and 3 more")
