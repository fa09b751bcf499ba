"""The second look after no answer, where it needs no broker; the others: `test_secured_broker.py`."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaError

from streamer.kafka.connection_trouble import Trouble
from streamer.kafka.diagnosis import LINES_MAX, Heard, diagnose, hangs_up, look, speaks_tls
from tests.kafka.mock_cluster import MockCluster

SECONDS = 60.0
"""What has a cause is found in a second."""


def trouble(brokers: str, seconds: float = SECONDS, **settings: Any) -> Trouble:
    given = {name.replace("_", "."): value for name, value in settings.items()}
    found = diagnose({"bootstrap.servers": brokers} | given, seconds)
    assert found is not None
    return found


@pytest.fixture
def silent() -> Iterator[str]:
    """A port that takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def test_nobody_listens_and_nobody_is_called_so() -> None:
    refused = trouble("127.0.0.1:1")
    assert refused.event == "connection_refused"
    assert refused.why.startswith("127.0.0.1:1: the connection is refused")
    unknown = trouble("no-such-host.invalid:9092")
    assert (unknown.event, unknown.why) == ("unknown_host", "no-such-host.invalid:9092: no such host")
    both = trouble("127.0.0.1:1, no-such-host.invalid")
    assert both.event == "unknown_host"
    assert "127.0.0.1:1: the connection is refused" in both.why
    assert "no-such-host.invalid:9092: no such host" in both.why


def test_silence_is_told_as_what_it_is(silent: str) -> None:
    found = trouble(silent, 1.0)
    assert (found.event, found.why) == ("unreachable", f"{silent}: the connection is taken, and nothing is said")
    assert "proxy" in found.fix
    assert not hangs_up(silent)
    assert look(silent, [f"{silent}/bootstrap: Disconnected (after 1ms in state APIVERSION_QUERY)"], {}) == ""


@pytest.fixture
def closing() -> Iterator[str]:
    """A port that takes connections and closes them, as a proxy whose broker is away."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def close_all() -> None:
            with contextlib.suppress(OSError):
                while True:
                    listener.accept()[0].close()

        thread = threading.Thread(target=close_all)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL"])
def test_who_hangs_up_at_once_is_told_so_whatever_we_speak(closing: str, protocol: str) -> None:
    found = trouble(closing, security_protocol=protocol)
    assert (found.event, found.why) == ("unreachable", f"{closing}: the connection is closed before anything is said")


def test_a_login_that_the_protocol_does_not_use_is_not_what_failed() -> None:
    """librdkafka warns of the setting, and says SASL."""
    found = trouble("127.0.0.1:1", sasl_mechanisms="PLAIN", sasl_username="u", sasl_password="p")
    assert found.event == "connection_refused"


def test_one_that_answers_is_no_trouble() -> None:
    with MockCluster() as cluster:
        assert diagnose({"bootstrap.servers": cluster.brokers}, SECONDS) is None
        assert not speaks_tls(cluster.brokers)


def test_one_whose_answers_take_their_time_is_no_trouble() -> None:
    with MockCluster() as cluster:
        cluster.delay(500)
        assert diagnose({"bootstrap.servers": cluster.brokers}, SECONDS) is None


def test_a_setting_that_makes_no_client() -> None:
    found = trouble("127.0.0.1:1", security_protocol="SSL", ssl_ca_location="/nowhere/ca.pem")
    assert found.event == "bad_client_settings"
    assert found.why == "kafka.client ssl.ca.location: /nowhere/ca.pem: No such file or directory"


def test_what_is_heard_is_bounded_and_said_once() -> None:
    heard = Heard()
    heard.logger.error("%s [%s] %s", "FAIL", "rdkafka#producer-1", "[thrd:x]: a:1/bootstrap: Connection refused")
    heard.error(KafkaError(KafkaError._TRANSPORT, "a:1/bootstrap: Connection refused"))
    heard.error(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))
    heard.note("a:1/bootstrap: closed (after 3ms in state UP)")
    heard.note("a:1/bootstrap: closed (after 30ms in state UP)")
    said = [
        "a:1/bootstrap: Connection refused",
        "1/1 brokers are down",
        "a:1/bootstrap: closed (after 3ms in state UP)",
    ]
    assert heard.lines() == said
    assert heard.addresses() == ["a:1"]
    for number in range(2 * LINES_MAX):
        heard.note(str(number))
    assert len(heard.lines()) == LINES_MAX
