"""What the shell of each stage reads, and as whom."""

from __future__ import annotations

from streamer.config.load import load_text
from streamer.config.stages import stage_configs

LEAST = 'version: 1\nkafka: {brokers: "b:1", start: latest%s}\ntopics: {events: [a, b]}\n'


def test_a_topic_keyed_by_model_has_one_stage() -> None:
    config = load_text(LEAST % "", "x", {})
    assert stage_configs(config) == [config]
    assert config.topics.ordered is None


def test_the_second_stage_reads_the_ordered_log_from_its_begin_in_a_group_of_its_own() -> None:
    config = load_text(LEAST % ", order: model", "x", {})
    first, second = stage_configs(config)
    assert first is config
    assert (second.topics.events, second.kafka.start) == (["drift-ordered"], "earliest")
    assert second.kafka.group == "driftline-ordered"
    assert second.config_hash == config.config_hash
    assert (config.topics.events, config.kafka.start) == (["a", "b"], "latest"), "it is a copy"


def test_the_name_of_the_ordered_log_alone_does_not_make_one() -> None:
    text = LEAST.replace("events: [a, b]", "events: [a], ordered: mine")
    assert load_text(text % "", "x", {}).topics.ordered is None
    assert load_text(text % ", order: model", "x", {}).topics.ordered == "mine"
