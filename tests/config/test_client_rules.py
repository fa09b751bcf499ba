"""Brokers that nobody can call, and settings that are none; the words are in brokers-uncallable.bad."""

from __future__ import annotations

import pytest

from streamer.config.client_rules import the_brokers_can_be_called

GOOD = ["a:1", "a", "a:1,b:2", "a:1, b:2", "SSL://a:1", "sasl_ssl://a:1", "[::1]:9092", "kafka_1:9092", "$KAFKA/x", 7]


@pytest.mark.parametrize("text", GOOD)
def test_what_librdkafka_reads_is_fine(text: object) -> None:
    assert not list(the_brokers_can_be_called({"kafka": {"brokers": text}}))


@pytest.mark.parametrize("text", ["kafka://a:1", "a:1,http://b:2", "a:1/x", "“a:1”", "a b:1"])
def test_what_it_does_not_is_told(text: str) -> None:
    [one] = the_brokers_can_be_called({"kafka": {"brokers": text}})
    assert (one.path, one.kind) == (("kafka", "brokers"), "bad-value")


@pytest.mark.parametrize(("protocol", "fine"), [("SASL", False), ("sasl-ssl", False), ("ssl", True), ("$P", True)])
def test_a_protocol_is_one_of_four(protocol: str, fine: bool) -> None:
    raw = {"kafka": {"brokers": "a:1", "client": {"security.protocol": protocol}}}
    found = list(the_brokers_can_be_called(raw))
    assert [one.path[-1] for one in found] == ([] if fine else ["security.protocol"])
