"""Settings that every client has, and whose word goes before whose."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.kafka.client import consumer_settings
from streamer.kafka.transactions import producer_settings
from tests.kafka.mock_cluster import config

PATIENT = ("socket.timeout.ms", "socket.connection.setup.timeout.ms", "reconnect.backoff.max.ms")
LONGEST_MS = 30_000


@pytest.mark.parametrize("settings", [lambda found: consumer_settings(found, {}), producer_settings])
def test_no_client_waits_long_for_a_broker_that_stood_still(settings: Any) -> None:
    """With what librdkafka has by default a member of a group was back three minutes after its broker."""
    made = settings(config("b:1"))
    assert sum(made[name] for name in PATIENT) <= 2 * LONGEST_MS
    assert all(made[name] <= LONGEST_MS for name in PATIENT)


def test_what_the_user_says_goes_before_it() -> None:
    said = {name: 90_000 for name in PATIENT}
    assert said.items() <= consumer_settings(config("b:1", **said), {}).items()
