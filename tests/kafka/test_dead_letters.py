"""The newest dead letters, on a real broker: why and what they are made of, none of their values."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from schemas.events.batch import Record, Reject
from schemas.records.dead_letter import dead_letter
from streamer.config.load import load_text
from streamer.kafka import dead_letters as under_test
from streamer.kafka.dead_letters import LETTERS, DeadLetters, shown
from tests.kafka.service import produce
from tests.waiting import PATIENCE_S


def config_of(broker: str, topic: str) -> Any:
    text = f'version: 1\nkafka: {{brokers: "{broker}"}}\ntopics: {{events: [in], dead_letter: {topic}}}\n'
    return load_text(text, "x", {})


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "ANSWER_S", PATIENCE_S)


def letter(number: int, value: bytes = b'{"card": "4111-1111"}', row: int | None = None) -> Record:
    reject = Reject(Record(number, 1, b"4111", value), "missing_model", "/model", row)
    key, value_of, headers = dead_letter("in", 3, reject)
    return Record(0, 1_700_000_000_000 + number, key, value_of, headers)


def test_of_a_dead_letter_no_value_is_shown() -> None:
    told = shown(letter(7, row=2))
    assert told == {
        "time": "2023-11-14T22:13:20.007Z",
        "topic": "in",
        "partition": "3",
        "offset": "7.2",
        "reason": "missing_model",
        "says": "the event does not name its model: absent, null or the empty text",
        "detail": "/model",
        "made_of": "{card: text of 9}",
    }
    assert "4111" not in json.dumps(told)
    assert shown(Record(0, 1, None, b"4111"))["reason"] == "", "somebody else wrote it"


@pytest.mark.broker
def test_the_newest_are_read_and_again_when_there_are_more(
    broker: str, make_topics: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_test, "READ_S", 0.0)
    [topic] = make_topics("letters", partitions=2)
    letters = DeadLetters(config_of(broker, topic))
    assert letters.newest() == {"letters": [], "unknown": None}
    produce(broker, topic, {0: [letter(n) for n in range(60)], 1: [letter(100)]})
    assert letters.newest() == {"letters": [], "unknown": None}, "there was no time for it"
    monkeypatch.setattr(under_test, "READ_S", PATIENCE_S)
    found = letters.newest()
    assert [one["offset"] for one in found["letters"]] == ["100", *(str(59 - n) for n in range(LETTERS - 1))]
    assert letters.newest()["letters"] is found["letters"], "nothing is read again for nothing"
    produce(broker, topic, {1: [letter(101)]})
    assert letters.newest()["letters"][0]["offset"] == "101"
    letters.close()


def test_the_right_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(letters: DeadLetters) -> None:
        raise KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))

    monkeypatch.setattr(DeadLetters, "_marks", refused)
    told = DeadLetters(config_of("b:1", "letters")).newest()
    assert told == {"letters": [], "unknown": "letters: our user lacks Read on topic letters"}


@pytest.mark.broker
def test_a_topic_that_is_not_there_is_named(broker: str) -> None:
    letters = DeadLetters(config_of(broker, "no-such-letters"))
    assert letters.newest()["unknown"].startswith("no-such-letters: ")
    letters.close()
