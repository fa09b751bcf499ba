"""What patterns match is told at first, and then only what changed."""

from __future__ import annotations

from typing import Any

from streamer.config.load import load_text
from streamer.config.topics import Topics
from streamer.engine.matching import NAMED_MAX, listed
from streamer.engine.task import Task
from streamer.port import Surroundings, Topic
from streamer.service.matched import AGAIN_S, Matched, MatchedSignals
from tests.signals.events import HEAD, batch_of


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


def test_what_a_pattern_of_signals_matches_is_told_once_of_each_model_and_again_when_there_are_more() -> None:
    said: list[tuple[str, str, str, int]] = []
    matched = MatchedSignals(lambda _, event, **m: said.append((event, m["model"], m["members"], m["count"])))
    monitors = 'monitors: {s: {signal: "score.a*", detect: {kind: adwin}}}\n'
    task = Task(load_text(HEAD + monitors, "x", {}), ("inferences", 0), 0)

    def look(scores: dict[str, float], now_s: float) -> list[tuple[str, str, str, int]]:
        said.clear()
        task.step(batch_of([{"prediction": {"value": 1.0, "scores": scores}}], begin=task.position))
        matched.look([task], now_s)
        return list(said)

    assert look({"b": 0.5}, 0.0) == []
    assert look({"ab": 0.5, "b": 0.1}, 1.0) == [("signal_matched", "m", "score.ab", 1)]
    assert look({"ab": 0.5, "ac": 0.1}, 2.0) == []
    assert look({"ab": 0.5}, 1.0 + AGAIN_S) == [("signal_matched", "m", "score.ab, score.ac", 2)]
    assert look({"ab": 0.5}, 2.0 + 2 * AGAIN_S) == []
