"""A call that is back in time is as without it; one that is not is left to itself."""

from __future__ import annotations

from threading import Event

import pytest
from confluent_kafka import KafkaError, KafkaException

from streamer.kafka.client import error_of
from streamer.kafka.in_time import in_time
from tests.waiting import PATIENCE_S


def test_what_it_raises_is_raised() -> None:
    called = list[None]()
    in_time(lambda: called.append(None), PATIENCE_S)
    assert called == [None]
    with pytest.raises(KafkaException, match="_FAIL"):
        in_time(lambda: (x for x in ()).throw(KafkaException(KafkaError(KafkaError._FAIL))), PATIENCE_S)


def test_one_that_is_not_back_is_told_as_an_answer_that_did_not_come() -> None:
    back = Event()
    with pytest.raises(KafkaException) as raised:
        in_time(back.wait, 0.05)
    assert (error_of(raised.value).code(), error_of(raised.value).retriable()) == (KafkaError._TIMED_OUT, True)
    back.set()
