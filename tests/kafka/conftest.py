"""The fixture most tests of `KafkaLog` begin with, and a broker that lets in and allows only whom it should."""

from __future__ import annotations

import faulthandler
import os
from collections.abc import Iterator

import pytest

from tests.broker.broker import missing_tools
from tests.broker.secured import SecuredBroker, missing_openssl
from tests.conftest import limit_again, outlived_by_nothing
from tests.kafka.world import MakeTopics, World


@pytest.fixture
def world(broker: str, make_topics: MakeTopics) -> Iterator[World]:
    world = World(broker, make_topics)
    yield world
    world.close()


@pytest.fixture(scope="session")
def secured(request: pytest.FixtureRequest) -> Iterator[SecuredBroker]:
    """The tests' broker behind TLS, logins and an authorizer; one for all tests that ask for it."""
    missing = missing_tools() or missing_openssl()
    if missing and os.environ.get("CI") == "true":
        pytest.fail(f"{missing}: no secured broker, and in CI that is a failure")
    if missing:
        pytest.skip(f"{missing}: no secured broker")
    faulthandler.cancel_dump_traceback_later()  # As for the plain one.
    with SecuredBroker() as broker, outlived_by_nothing(broker):
        limit_again(request.config)
        yield broker
