"""Every way not to be let in, for real: each has its own name, and the words say where."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from confluent_kafka import KafkaError

from streamer.commands.cli import main
from streamer.kafka.connection_trouble import Trouble
from streamer.kafka.diagnosis import LINES_MAX, Heard, diagnose, look, speaks_tls, unseen
from tests.broker.secured import SecuredBroker
from tests.kafka.mock_cluster import MockCluster
from tests.kafka.service import Service

SECONDS = 8.0
"""Enough for a slow machine; what has a cause is found in a second."""


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
    assert (found.event, found.why) == ("unreachable", f"no broker of {silent} answered within 1 s")
    assert look(silent, [f"{silent}/bootstrap: Disconnected (after 1ms in state APIVERSION_QUERY)"], {}) == ""


def test_one_that_answers_is_no_trouble() -> None:
    with MockCluster() as cluster:
        assert diagnose({"bootstrap.servers": cluster.brokers}, SECONDS) is None
        assert not speaks_tls(cluster.brokers)


def test_a_setting_that_makes_no_client() -> None:
    found = trouble("127.0.0.1:1", security_protocol="SSL", ssl_ca_location="/nowhere/ca.pem")
    assert found.event == "bad_client_settings"
    assert "ssl.ca.location" in found.why


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


def trusting(authority: str) -> dict[str, Any]:
    return {"security.protocol": "SSL", "ssl.ca.location": authority}


Given = Callable[[SecuredBroker], tuple[str, dict[str, Any]]]
CASES: dict[str, tuple[Given, str, str]] = {
    "wrong password": (
        lambda b: (b.at("SECURE"), b.login(sasl_password="wrong-pass")),
        "authentication_failed",
        "Invalid username or password",
    ),
    "a variable for a password": (
        lambda b: (b.at("SECURE"), b.login(sasl_password="$KAFKA_PASSWORD")),
        "unresolved_variable",
        "sasl.password",
    ),
    "another mechanism": (
        lambda b: (b.at("SECURE"), b.login(sasl_mechanisms="SCRAM-SHA-512")),
        "authentication_failed",
        "but PLAIN",
    ),
    "a login where there is none": (
        lambda b: (b.at("TLS"), b.login()),
        "authentication_failed",
        "knows no login",
    ),
    "no login where one is wanted": (
        lambda b: (b.at("SECURE"), trusting(b.ca)),
        "authentication_failed",
        "hangs up at our first question",
    ),
    "no certificate where one is wanted": (
        lambda b: (b.at("MUTUAL"), trusting(b.ca)),
        "authentication_failed",
        "wants a certificate of ours",
    ),
    "plaintext to TLS": (lambda b: (b.at("TLS"), {}), "tls_mismatch", "speaks TLS"),
    "plaintext to TLS that wants a certificate": (lambda b: (b.at("MUTUAL"), {}), "tls_mismatch", "speaks TLS"),
    "a login in plaintext to TLS": (
        lambda b: (b.at("SECURE"), b.login(security_protocol="SASL_PLAINTEXT")),
        "tls_mismatch",
        "speaks TLS, and security.protocol is SASL_PLAINTEXT",
    ),
    "TLS to plaintext": (
        lambda b: (b.bootstrap, trusting(b.ca)),
        "tls_mismatch",
        "does not speak TLS",
    ),
    "a foreign authority": (
        lambda b: (b.at("TLS"), trusting(b.foreign)),
        "certificate_untrusted",
        "signed by nobody we trust",
    ),
    "expired": (
        lambda b: (b.at("EXPIRED"), trusting(b.ca)),
        "certificate_expired",
        "certificate has expired",
    ),
    "another host": (
        lambda b: (b.at("ELSEWHERE"), trusting(b.ca)),
        "certificate_wrong_host",
        "for another host",
    ),
    "an address for a name": (
        lambda b: (
            b.at("TLS").replace("localhost", "127.0.0.1"),
            trusting(b.ca),
        ),
        "certificate_wrong_host",
        "for another host",
    ),
}


@pytest.mark.broker
@pytest.mark.parametrize("case", CASES)
def test_each_trouble_with_a_secured_broker(secured: SecuredBroker, case: str) -> None:
    given, event, words = CASES[case]
    brokers, settings = given(secured)
    found = diagnose({"bootstrap.servers": brokers} | settings, SECONDS)
    assert found is not None
    assert found.event == event, found
    assert words in found.why
    assert found.fix
    assert "localhost" in found.why or "127.0.0.1" in found.why, "the words say where"
    assert str(settings.get("sasl.password", "no password")) not in repr(found)


@pytest.mark.broker
def test_who_has_what_it_takes_is_let_in(secured: SecuredBroker) -> None:
    assert diagnose({"bootstrap.servers": secured.at("SECURE")} | secured.login(), SECONDS) is None
    pem = {"security.protocol": "SSL", "ssl.ca.pem": Path(secured.ca).read_text()}
    assert diagnose({"bootstrap.servers": secured.at("TLS")} | pem, SECONDS) is None
    untold = {"security.protocol": "SSL", "ssl.ca.pem": Path(secured.foreign).read_text()}
    assert (
        trouble(secured.at("TLS"), **{n.replace(".", "_"): v for n, v in untold.items()}).event
        == "certificate_untrusted"
    )


@pytest.mark.broker
def test_a_topic_that_is_asked_for_is_not_made(secured: SecuredBroker) -> None:
    ours = {"bootstrap.servers": secured.at("SECURE")} | secured.login()
    everything = {"bootstrap.servers": secured.bootstrap}
    assert unseen(everything, ["no-such-topic"], 10) == {"no-such-topic": KafkaError.UNKNOWN_TOPIC_OR_PART}
    assert unseen(ours, ["no-such-topic"], 10) == {"no-such-topic": KafkaError.TOPIC_AUTHORIZATION_FAILED}


FILE = """
version: 1
kafka: {{brokers: "{brokers}", client: {client}}}
topics: {{events: [events]}}
server: {{listen: "127.0.0.1:0"}}
"""
VERBS = {
    "doctor": ["doctor"],
    "plan": ["topics", "plan"],
    "apply": ["topics", "apply"],
    "replay": ["replay", "--topic", "events"],
    "reference": ["reference", "build", "--topic", "events", "-o", "none.json"],
}


@pytest.mark.broker
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_says_it_in_the_same_words(secured: SecuredBroker, verb: str, tmp_path: Path) -> None:
    path = tmp_path / "drift.yaml"
    path.write_text(FILE.format(brokers=secured.at("EXPIRED"), client=json.dumps(trusting(secured.ca))))
    done = CliRunner().invoke(main, [*VERBS[verb], "-c", str(path)])
    assert done.exit_code == 69, done.output
    address = secured.at("EXPIRED")
    assert done.stderr.splitlines() == [
        f"driftline: certificate_expired: {address}: the broker's certificate has expired",
        "  fix: renew the broker's certificate, or set the clock of this machine right",
    ]


@pytest.mark.broker
@pytest.mark.parametrize("case", ["wrong password", "a foreign authority", "plaintext to TLS"])
def test_the_service_logs_the_name_the_words_and_the_fix(secured: SecuredBroker, case: str, tmp_path: Path) -> None:
    given, event, words = CASES[case]
    brokers, settings = given(secured)
    path = tmp_path / "drift.yaml"
    path.write_text(FILE.format(brokers=brokers, client=json.dumps(settings)))
    with Service(path, tmp_path / "log") as service:
        end_s = time.monotonic() + 60
        while not service.lines(event):
            assert time.monotonic() < end_s, service.log.read_text()
            time.sleep(0.1)
    line = service.lines(event)[0]
    assert words in line["why"]
    assert line["fix"]
    assert "wrong-pass" not in service.log.read_text(), "a password is not logged"
