"""Every way not to be let in, for real: each has its own name, and the words say where."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from confluent_kafka import KafkaError
from confluent_kafka.admin import AdminClient

from streamer.commands.cli import main
from streamer.config.load import load_config
from streamer.kafka.client import unreachable
from streamer.kafka.connection_trouble import ADVERTISED
from streamer.kafka.diagnosis import diagnose, unseen
from tests.broker.secured import SecuredBroker
from tests.kafka.service import Service
from tests.waiting import PATIENCE_S, until

pytestmark = [pytest.mark.broker, pytest.mark.xdist_group("secured")]

SECONDS = 60.0
"""Enough for a slow machine; what has a cause is found in a second."""


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


def test_who_has_what_it_takes_is_let_in(secured: SecuredBroker) -> None:
    assert diagnose({"bootstrap.servers": secured.at("SECURE")} | secured.login(), SECONDS) is None
    tls = {"bootstrap.servers": secured.at("TLS"), "security.protocol": "SSL"}
    ours, foreign = Path(secured.ca).read_text(), Path(secured.foreign).read_text()
    assert diagnose(tls | {"ssl.ca.pem": ours}, SECONDS) is None
    found = diagnose(tls | {"ssl.ca.pem": foreign}, SECONDS)
    assert found is not None
    assert found.event == "certificate_untrusted"


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


@pytest.mark.parametrize("case", ["wrong password", "a foreign authority", "plaintext to TLS"])
def test_the_service_logs_the_name_the_words_and_the_fix(secured: SecuredBroker, case: str, tmp_path: Path) -> None:
    given, event, words = CASES[case]
    brokers, settings = given(secured)
    path = tmp_path / "drift.yaml"
    path.write_text(FILE.format(brokers=brokers, client=json.dumps(settings)))
    with Service(path, tmp_path / "log") as service:
        line = until(lambda: service.lines(event), lambda: service.log.read_text())[0]
    assert words in line["why"]
    assert line["fix"]
    assert "wrong-pass" not in service.log.read_text(), "a password is not logged"


def test_no_verb_that_looks_makes_a_topic(secured: SecuredBroker, tmp_path: Path) -> None:
    ours = {"bootstrap.servers": secured.at("SECURE")} | secured.login()
    everything = {"bootstrap.servers": secured.bootstrap}
    twice = ["no-such-topic", "no-such-topic"]  # As where alerts, windows and incidents have one topic.
    assert unseen(everything, twice, 10) == {"no-such-topic": KafkaError.UNKNOWN_TOPIC_OR_PART}
    assert unseen(ours, ["no-such-topic"], 10) == {"no-such-topic": KafkaError.TOPIC_AUTHORIZATION_FAILED}
    path = tmp_path / "drift.yaml"
    path.write_text(FILE.format(brokers=secured.bootstrap, client="{}"))
    for verb, code in [("doctor", 1), ("plan", 1), ("replay", 69)]:
        done = CliRunner().invoke(main, [*VERBS[verb], "-c", str(path)])
        assert done.exit_code == code, done.output
        assert "events" in done.output
    there = AdminClient(everything).list_topics(timeout=PATIENCE_S).topics
    assert not {"no-such-topic", "events", "drift-alerts", "drift-state"} & set(there)


def test_an_advertised_address_that_nobody_has_is_named(secured: SecuredBroker, tmp_path: Path) -> None:
    """The first question is answered, and then the client goes where the broker says it is."""
    path = tmp_path / "drift.yaml"
    path.write_text(FILE.format(brokers=secured.at("ASTRAY"), client="{}"))
    astray = f"astray.invalid:{secured.ports['ASTRAY']}: no such host{ADVERTISED}"
    for verb in (["doctor"], ["topics", "plan"]):
        done = CliRunner().invoke(main, [*verb, "-c", str(path), "--timeout", "3"])
        assert (done.exit_code, done.stderr.splitlines()[0]) == (69, f"driftline: unknown_host: {astray}")
    told = unreachable(load_config(path, {}), 3.0)
    assert (told.event, told.why) == ("unknown_host", astray)
