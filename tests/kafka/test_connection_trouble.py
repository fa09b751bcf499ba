"""What librdkafka says while nobody answers, as it was written down from real failures, and what we make of it."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.kafka.connection_trouble import ADVERTISED, CAUSES, EVENTS, why

REFUSED = "127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)"
UNKNOWN = (
    "no.invalid:9/bootstrap: Failed to resolve 'no.invalid:9': Name or service not known (after 0ms in state CONNECT)"
)
PASSWORD = (
    "sasl_ssl://k:1/bootstrap: SASL authentication error: Authentication failed: Invalid username or password"
    " (after 302ms in state AUTH_REQ)"
)
VERIFY = (
    "ssl://k:1/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker"
    " certificate could not be verified, verify that ssl.ca.location is correctly configured or root CA certificates"
    " are installed (install ca-certificates package) (after 15ms in state SSL_HANDSHAKE)"
)
CLOSED = (
    "k:1/bootstrap: Disconnected: connection closed by peer: receive 0 after POLLIN"
    " (after 1ms in state APIVERSION_QUERY)"
)
IN_TLS = "ssl://k:1/bootstrap: Disconnected: SSL connection closed by peer (after 1ms in state UP)"
LONG_UP = "ssl://k:1/bootstrap: Disconnected: SSL connection closed by peer (after 93812ms in state UP)"
MECHANISM = (
    "sasl_ssl://k:1/bootstrap: SASL SCRAM-SHA-512 mechanism handshake failed: Broker: Unsupported SASL mechanism:"
    " broker's supported mechanisms: PLAIN (after 302ms in state AUTH_HANDSHAKE)"
)
NO_LOGIN = (
    "sasl_ssl://k:1/bootstrap: SASL PLAIN mechanism handshake failed: Broker: Request not valid in current SASL state:"
    " broker's supported mechanisms:  (after 0ms in state AUTH_HANDSHAKE)"
)
NO_TOKEN = "Failed to acquire SASL OAUTHBEARER token: Failed to connect to auth.invalid port 443"
NO_TLS = (
    "ssl://k:1/bootstrap: SSL handshake failed: Disconnected: SSL connection closed by peer: connecting to a PLAINTEXT"
    " broker listener? (after 0ms in state SSL_HANDSHAKE)"
)
ALERT = (
    "k:1/bootstrap: Receive failed: Invalid response size 352518912 (0..100000000): increase receive.message.max.bytes"
    " (after 0ms in state APIVERSION_QUERY)"
)
HTTP = ALERT.replace("352518912", "1213486160")
NO_CERTIFICATE = (
    "ssl://k:1/bootstrap: Receive failed: error:0A000412:SSL routines::ssl/tls alert bad certificate: SSL alert number"
    " 42 (after 3ms in state APIVERSION_QUERY)"
)
BAD_CERTIFICATE = NO_CERTIFICATE.replace("bad certificate", "certificate unknown")
OURS_EXPIRED = NO_CERTIFICATE.replace("bad certificate", "certificate expired")
OURS = "k:1: broker's certificate: "
"""How `diagnosis` begins what it found itself."""
DOWN = "1/1 brokers are down"
TLS = {"security.protocol": "SSL"}
SASL = {"security.protocol": "SASL_SSL", "sasl.password": "right"}


@pytest.mark.parametrize(
    ("said", "client", "event", "words", "fix"),
    [
        ([REFUSED, DOWN], {}, "connection_refused", "127.0.0.1:1: the connection is refused", "kafka.brokers"),
        ([UNKNOWN, DOWN], {}, "unknown_host", "no.invalid:9: no such host", "kafka.brokers"),
        ([], {}, "unreachable", "no broker of b:9 answered within 4 s", "firewall"),
        ([DOWN], {}, "unreachable", "no broker of b:9 answered within 4 s", "firewall"),
        (["k:1/1: Connect to ipv4#k failed: No route to host"], {}, "unreachable", "k:1: No route to host", "firewall"),
        ([PASSWORD, DOWN], SASL, "authentication_failed", "Invalid username or password", "sasl.password"),
        ([MECHANISM], SASL, "authentication_failed", "does not take our sasl.mechanisms, but PLAIN", "sasl.mechanisms"),
        (
            [NO_LOGIN],
            SASL,
            "authentication_failed",
            "knows no login, and security.protocol is SASL_SSL",
            "PLAINTEXT or",
        ),
        ([NO_TOKEN], SASL, "authentication_failed", "connect to auth.invalid", "token endpoint"),
        ([IN_TLS], TLS, "authentication_failed", "hangs up at our first question", "SASL_SSL"),
        ([NO_CERTIFICATE], TLS, "authentication_failed", "wants a certificate of ours", "ssl.key.location"),
        ([BAD_CERTIFICATE], TLS, "authentication_failed", "wants a certificate of ours", "ssl.key.location"),
        ([IN_TLS], SASL, "unreachable", "closed before anything is said", "broker's log"),
        ([LONG_UP], TLS, "unreachable", "closed before anything is said", "broker's log"),
        ([VERIFY], TLS, "certificate_untrusted", "not one to trust", "ssl.ca.location"),
        (
            [VERIFY, OURS + "self-signed certificate in certificate chain"],
            TLS,
            "certificate_untrusted",
            "signed by nobody we trust (self-signed certificate in certificate chain)",
            "ssl.ca.location",
        ),
        (
            [VERIFY, OURS + "certificate has expired"],
            TLS,
            "certificate_expired",
            "has expired",
            "clock",
        ),
        (
            [OURS + "certificate is not yet valid"],
            TLS,
            "certificate_expired",
            "k:1: the broker's certificate is not yet valid",
            "clock",
        ),
        ([OURS_EXPIRED], TLS, "certificate_expired", "our certificate: it has expired", "ssl.certificate.location"),
        (
            [VERIFY, OURS + "Hostname mismatch, certificate is not valid for 'k'."],
            TLS,
            "certificate_wrong_host",
            "for another host",
            "subjectAltName",
        ),
        (
            [OURS + "IP address mismatch, x"],
            TLS,
            "certificate_wrong_host",
            "another host",
            "subjectAltName",
        ),
        ([CLOSED, "k:1: speaks TLS"], {}, "tls_mismatch", "speaks TLS, and security.protocol is PLAINTEXT", "SSL"),
        ([CLOSED], {}, "unreachable", "closed before anything is said", "broker's log"),
        ([ALERT], {}, "tls_mismatch", "speaks TLS, and security.protocol is PLAINTEXT", "SSL"),
        ([NO_TLS], TLS, "tls_mismatch", "does not speak TLS, and security.protocol is SSL", "PLAINTEXT"),
        ([HTTP], {}, "not_kafka", "no Kafka broker", "port"),
    ],
)
def test_each_trouble_has_its_name_its_words_and_its_fix(
    said: list[str], client: dict[str, Any], event: str, words: str, fix: str
) -> None:
    found = why(said, "b:9", client, 4)
    assert found.event == event
    assert words in found.why
    assert fix in found.fix


def test_of_several_brokers_each_is_told_of_and_the_most_telling_names_it() -> None:
    found = why([REFUSED, UNKNOWN, REFUSED], "127.0.0.1:1,no.invalid:9", {}, 4)
    assert found.event == "unknown_host"
    assert found.why == "127.0.0.1:1: the connection is refused: nothing listens there; no.invalid:9: no such host"
    assert why([PASSWORD, REFUSED], "b", SASL, 4).event == "authentication_failed"


@pytest.mark.parametrize(
    "value", ["$KAFKA_PASSWORD", "${KAFKA_PASSWORD}", "{{ kafka_password }}", "$(PASSWORD)", "<password>"]
)
def test_a_variable_that_nobody_filled_in_is_named_and_not_shown(value: str) -> None:
    found = why([PASSWORD], "b:9", SASL | {"sasl.password": value}, 4)
    assert found.event == "unresolved_variable"
    assert found.why.startswith("sasl.password: the value looks like a variable")
    assert "Invalid username" in found.why
    assert value not in repr(found)


def test_a_variable_in_the_brokers_is_one_too_and_an_odd_password_is_none() -> None:
    told = why(["$KAFKA_BROKERS:9092/bootstrap: Failed to resolve '$KAFKA_BROKERS:9092'"], "$KAFKA_BROKERS", {}, 4)
    assert (told.event, told.why.startswith("kafka.brokers: the value looks")) == ("unresolved_variable", True)
    assert why([PASSWORD], "b:9", SASL | {"sasl.password": "pa$$Word{1}"}, 4).event == "authentication_failed"
    assert why([REFUSED], "b:9", SASL | {"sasl.password": "$KAFKA_PASSWORD"}, 4).event == "connection_refused"


@pytest.mark.parametrize("brokers", ["no.invalid:9,127.0.0.1:1", "PLAINTEXT://127.0.0.1:1, b:3", "b 127.0.0.1:1"])
def test_what_is_called_is_not_what_is_advertised(brokers: str) -> None:
    assert why([REFUSED], brokers, {}, 4).why == "127.0.0.1:1: the connection is refused: nothing listens there"
    assert why(["k:9092/bootstrap: Failed to resolve"], "k", {}, 4).why == "k:9092: no such host"
    assert why(["k:9093/2: Failed to resolve"], "k", {}, 4).why == f"k:9093: no such host{ADVERTISED}"


def test_what_is_raised_carries_it_all() -> None:
    found = why([REFUSED], "b:9", {}, 4)
    error = found.down()
    assert (str(error), error.event, error.fix) == (found.why, found.event, found.fix)


def test_every_fix_is_one_sentence_without_a_secret() -> None:
    assert {cause.event for cause in CAUSES} <= set(EVENTS)
    assert len({cause.line.pattern for cause in CAUSES}) == len(CAUSES)
    for cause in CAUSES:
        assert cause.fix, cause
        assert ";" not in cause.fix, "doctor shows what stands between semicolons as several fixes"
