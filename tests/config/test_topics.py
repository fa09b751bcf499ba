"""The topics of a config: what its patterns resolve to, and that what the service writes is never among it."""

from __future__ import annotations

from streamer.config.continuity import _events
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.config.topics import Topics


def config(*events: str) -> Config:
    text = f"version: 1\nkafka: {{brokers: 'b:1'}}\ntopics: {{events: {list(events)}}}\n"
    return load_text(text, "x", {})


THERE = ["in-b", "in-a", "other", "drift-alerts", "__consumer_offsets"]


def test_names_and_patterns_are_resolved_to_one_list_and_patterns_alone_may_match_nothing() -> None:
    mixed = config("named", "^in-.*").topics
    assert mixed.resolved(THERE).events == ["named", "in-a", "in-b"]
    assert (mixed.named(), mixed.patterns()) == (["named"], ["^in-.*"])
    assert config("^zz").topics.resolved(THERE).events == []
    assert mixed.resolved(THERE).names()[:3] == ["named", "in-a", "in-b"]


def test_our_own_topics_are_never_read_even_if_nobody_has_checked() -> None:
    wide = Topics(events=["^.*"])
    assert wide.resolved(THERE).events == ["in-a", "in-b", "other"]
    assert wide.matched("^d.*", THERE) == []
    assert wide.never_read().split(",")[:2] == ["^__.*", "^drift-alerts$"]
    dotted = Topics(events=["^.*"], alerts="drift.alerts")
    assert "^drift[.]alerts$" in dotted.never_read().split(",")


def test_a_topic_of_its_own_is_read_by_name_and_is_no_pattern_s() -> None:
    text = "version: 1\nkafka: {brokers: 'b:1'}\ntopics: {events: ['^in-.*']}\nfeedback: {topic: in-b}\n"
    both = load_text(text, "x", {}).topics
    assert both.resolved(THERE).events == ["in-a"]
    assert both.matched("^in-.*", THERE) == ["in-a"]
    assert both.resolved(THERE).names()[:2] == ["in-a", "in-b"]
    assert both.inputs() == ["^in-.*", "in-b"]
    assert both.named() == ["in-b"]
    assert "in-b" not in both.never_read(), "librdkafka would not see it at all"


def test_which_topics_are_there_changes_no_hash() -> None:
    assert config("^in-.*").reading(THERE).config_hash == config("in-a").config_hash


def test_events_of_a_file_are_of_the_first_name_or_of_what_the_first_pattern_begins_with() -> None:
    assert [config(one).topics.first() for one in ("in", "^inferences-.*", "^.*z")] == ["in", "inferences", "events"]


def test_a_name_that_a_pattern_takes_over_is_no_new_topic() -> None:
    assert [c.sentence for c in _events(config("in-a"), config("^in-.*"))] == [
        "^in-.*: new, read from its oldest record (kafka.start: earliest); its series learn"
    ]
    assert not list(_events(config("^in-.*"), config("^in-.*", "in-a")))
