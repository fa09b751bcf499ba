"""Whether stage 1 has read all there is; with a real group it is part of `test_ordered.py`."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from streamer.config.load import load_text
from streamer.kafka.upstream import Upstream
from streamer.port import Topic
from tests.config.test_stages import LEAST

TOPICS = {"a": Topic(2, "")}


def done(value: Any) -> Future[Any]:
    future: Future[Any] = Future()
    if isinstance(value, Exception):
        future.set_exception(value)
    else:
        future.set_result(value)
    return future


class Client:
    """Answers as an AdminClient does, and as `Commits`; offset and end by partition of topic a."""

    def __init__(self) -> None:
        self.at: dict[int, int] = {}
        self.ends: dict[int, int] = {}
        self.fails = False

    def of(self, wanted: Any, answer_s: float) -> dict[Any, tuple[int, str]]:
        if self.fails:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return {at: (self.at[at[1]], "") for at in wanted if at[1] in self.at}

    def list_offsets(self, asked: Any, **more: Any) -> dict[Any, Future[Any]]:
        return {place: done(SimpleNamespace(offset=self.ends[place.partition])) for place in asked}


def test_it_is_complete_where_everything_of_the_look_before_is_read() -> None:
    upstream, client = Upstream(load_text(LEAST % ", order: model", "x", {})), Client()

    def look(at: dict[int, int], ends: dict[int, int]) -> bool:
        client.at, client.ends = at, ends
        given: Any = client
        upstream.commits = given
        return not upstream.unread(given, ["a"], TOPICS)

    assert not look({0: 90, 1: 10}, {0: 100, 1: 10}), "of the first look nobody knows"
    assert look({0: 100, 1: 10}, {0: 200, 1: 10})
    assert not look({0: 150, 1: 10}, {0: 200, 1: 10}), "it falls behind"
    assert look({0: 200, 1: 10}, {0: 201, 1: 10})
    assert look({0: 200, 1: 10}, {0: 201, 1: 10}), "what is left are marks of transactions: it stands still"
    assert not look({0: 200}, {0: 201, 1: 10}), "of one partition it has read nothing yet"
    assert look({0: 201}, {0: 201, 1: 0}), "of which there is nothing"
    client.fails = True
    assert not look({0: 201, 1: 10}, {0: 201, 1: 10}), "who cannot see it takes it for incomplete"
