"""What the shell of each stage reads, and as whom."""

from __future__ import annotations

from streamer.config.load import load_text
from streamer.config.stages import for_topic, in_order_of_models, prepared, stage_configs, undecided

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


def test_who_names_the_ordered_log_wants_it_and_who_reads_by_partition_needs_no_name() -> None:
    text = LEAST.replace("events: [a, b]", "events: [a], ordered: mine")
    assert load_text(text % "", "x", {}).topics.ordered == "mine"
    assert load_text(text % ", order: model", "x", {}).topics.ordered == "mine"
    assert load_text(text % ", order: topic", "x", {}).topics.ordered is None


def test_two_groups_never_share_an_ordered_log_by_default() -> None:
    named = load_text(LEAST % ", order: model, group: fraud", "x", {})
    assert named.topics.ordered == stage_configs(named)[1].kafka.group == "fraud-ordered"


def test_what_is_left_open_is_open_and_chosen_it_is_as_if_the_file_said_so() -> None:
    config, said = (load_text(LEAST % more, "x", {}) for more in ("", ", order: model"))
    assert undecided(config)
    assert not undecided(load_text(LEAST % ", order: topic", "x", {}))
    chosen = in_order_of_models(config)
    assert not undecided(chosen)
    assert chosen.topics == said.topics
    assert chosen.config_hash == config.config_hash == said.config_hash
    assert in_order_of_models(said) is said


def test_topics_are_prepared_for_the_order_of_models_where_one_has_several_partitions() -> None:
    config = load_text(LEAST % "", "x", {})
    assert prepared(config, {"a": 1, "b": 1}) is config
    assert prepared(config, {"c": 9}) is config
    assert prepared(config, {"a": 1, "b": 2}).topics.ordered == "drift-ordered"
    keyed = load_text(LEAST % ", order: topic", "x", {})
    assert prepared(keyed, {"a": 3}) is keyed


def test_the_ordered_log_is_read_as_what_it_is_whoever_chose_it() -> None:
    config = load_text(LEAST % "", "x", {})
    assert for_topic(config, "drift-ordered").topics.ordered == "drift-ordered"
    assert for_topic(config, "a") is for_topic(config, None) is config
    keyed = load_text(LEAST % ", order: topic", "x", {})
    assert for_topic(keyed, "drift-ordered") is keyed


def test_no_pattern_matches_the_log_that_may_come() -> None:
    config = load_text(LEAST.replace("[a, b]", "[^driftl.*]") % ", group: driftline-two", "x", {})
    there = {"driftline-two-ordered": 3, "driftlog": 1}
    assert config.reading(there).topics.events == ["driftlog"]
    assert "^driftline-two-ordered$" in config.topics.never_read()
