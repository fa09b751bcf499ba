"""What each stage reads and in which group: one stage where topics are keyed by model, two where they are not."""

from __future__ import annotations

from streamer.config.model import Config

SECOND = "-ordered"
"""What the group of stage 2 is called after that of stage 1; with it the rights to transactional ids stay the same."""


def stage_configs(config: Config) -> list[Config]:
    """The config as the shell of each stage has it; what is detected is a matter of the whole config."""
    if config.topics.ordered is None:
        return [config]
    topics = config.topics.model_copy(update={"events": [config.topics.ordered], "ordered": None})
    kafka = config.kafka.model_copy(update={"group": config.kafka.group + SECOND, "start": "earliest"})
    return [config, config.model_copy(update={"topics": topics, "kafka": kafka})]
