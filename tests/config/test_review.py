"""What people are asked to look at: the budget is shared among partitions, and the audit is part of it."""

from __future__ import annotations

import pytest

from streamer.config.load import check, load_text
from streamer.config.review import Review
from streamer.config.stages import stage_configs
from streamer.signals.roles import EVENT_NAME
from tests.config.samples import LEAST

BOTH = LEAST + "verdicts: {topic: said}\n"


@pytest.mark.parametrize("partitions", [1, 3, 7, 200])
def test_the_parts_of_all_partitions_are_the_budget_and_those_beyond_have_none(partitions: int) -> None:
    review = Review(topic="asked", partitions=partitions, budget=200)
    parts = [review.part(number, 200) for number in range(partitions + 5)]
    assert sum(parts) == 200
    assert max(parts) - min(parts[:partitions]) <= 1
    assert not any(parts[partitions:])


def test_the_audit_takes_its_part_out_of_the_budget() -> None:
    assert load_text(BOTH + "review: {topic: asked}\n", "x", {}).review == Review(topic="asked")
    one = load_text(BOTH + "review: {topic: asked, audit: {most: 10, window: 6h}}\n", "x", {}).review
    assert one is not None
    assert (one.reserve, Review(topic="asked").reserve) == (40, 0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{topic: asked, budget: 40, audit: {}}", "the audit alone may take 40 items, of a budget of 40."),
        ("{topic: asked, audit: {window: 7h}}", "audit.window must divide per"),
        ("{topic: asked, slots: 7}", "per is no multiple of 7 ms"),
        ("{topic: asked, fields: [features]}", "features"),
        ("{topic: asked, fields: [event_id]}", "event_id"),
        ("{topic: said}", "'said' is verdicts.topic already; every topic has one use."),
        ("{topic: drift-alerts}", "drift-alerts"),
        ("{}", "topic"),
    ],
)
def test_what_cannot_be_is_refused(text: str, said: str) -> None:
    config, problems = check((BOTH + f"review: {text}\n").encode(), "x", {})
    assert config is None
    assert any(said in str(one) for one in problems), problems


def test_who_is_asked_must_be_able_to_answer() -> None:
    _, problems = check((LEAST + "review: {topic: asked}\n").encode(), "x", {})
    assert "nobody could answer" in str(problems[0])


def test_its_topic_is_one_of_ours_and_its_name_changes_nothing_of_what_is_detected() -> None:
    one, other = (load_text(BOTH + f"review: {{topic: {name}}}\n", "x", {}) for name in ("asked", "queue"))
    assert one.config_hash == other.config_hash
    assert (one.topics.own()["review"], other.topics.published()["review"]) == ("asked", "queue")
    assert [stage.topics.own()["review"] for stage in stage_configs(one)] == ["asked"] * 2
    assert one.topics.matched("^.*", ["asked", "in", "said"]) == ["in"]


def test_the_text_of_ids_is_read_only_where_items_name_it() -> None:
    assert load_text(BOTH + "review: {topic: asked}\n", "x", {}).roles() == {EVENT_NAME: "/event_id"}
    assert load_text(BOTH + "review: {topic: asked, hash_ids: true}\n", "x", {}).roles() == {}
    assert load_text(BOTH + "review: {topic: asked}\nfields: {event_id: key}\n", "x", {}).roles() == {}
