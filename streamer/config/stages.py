"""What each stage reads and in which group: one stage where topics are keyed by model, two where they are not."""

from __future__ import annotations

from collections.abc import Mapping

from streamer.config.model import Config
from streamer.config.topics import ordered_topic

SECOND = "-ordered"
"""What the group of stage 2 is called after that of stage 1; with it the rights to transactional ids stay the same."""


def stage_configs(config: Config) -> list[Config]:
    """The config as the shell of each stage has it; what is detected is a matter of the whole config."""
    if config.topics.ordered is None:
        return [config]
    topics = config.topics.model_copy(update={"events": [config.topics.ordered], "ordered": None})
    topics = topics.beside({}, config.topics.own().get("review"))
    kafka = config.kafka.model_copy(update={"group": config.kafka.group + SECOND, "start": "earliest"})
    return [config, config.model_copy(update={"topics": topics, "kafka": kafka})]


def undecided(config: Config) -> bool:
    """Whether it is left to what is found in the topics if they are read by partition or in the order of models."""
    return config.kafka.order == "auto" and config.topics.ordered is None


def in_order_of_models(config: Config) -> Config:
    """The config as it is when the order of models was chosen for it."""
    if config.topics.ordered is not None:
        return config
    topics = config.topics.model_copy(update={"ordered": ordered_topic(config.kafka.group)})
    return config.model_copy(update={"topics": topics})


def prepared(config: Config, there: Mapping[str, int]) -> Config:
    """The config with all topics that it may come to need. there: the partitions of those that exist."""
    several = any(there.get(name, 0) > 1 for name in config.topics.resolved(there).events)
    return in_order_of_models(config) if undecided(config) and several else config


def for_topic(config: Config, topic: str | None) -> Config:
    """The config with which a topic is read as what it is: the ordered log is, whoever has chosen it."""
    chosen = in_order_of_models(config) if undecided(config) else config
    return chosen if topic is not None and topic == chosen.topics.ordered else config
