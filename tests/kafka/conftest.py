"""The fixture most tests of `KafkaLog` begin with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kafka.world import MakeTopics, World


@pytest.fixture
def world(broker: str, make_topics: MakeTopics) -> Iterator[World]:
    world = World(broker, make_topics)
    yield world
    world.close()
