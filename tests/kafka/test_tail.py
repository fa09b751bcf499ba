"""What the page reads, on a real broker: from a time on, then as it comes, topics that appear as well."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from schemas.events.batch import Record
from streamer.config.load import load_text
from streamer.kafka import tail as under_test
from streamer.kafka.tail import Span, Tail
from streamer.port import LogDown, Partition
from tests.kafka.service import produce
from tests.waiting import until


def config_of(broker: str) -> object:
    return load_text(f'version: 1\nkafka: {{brokers: "{broker}"}}\ntopics: {{events: [in]}}\n', "x", {})


def read(tail: Tail, count: int) -> list[bytes | None]:
    found: list[bytes | None] = []
    until(lambda: len(found) >= count, lambda: found, lambda: found.extend(tail.values()))
    return found


@pytest.mark.broker
def test_it_begins_at_a_time_and_goes_on(
    broker: str, make_topics: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_test, "AGAIN_S", 0.5)
    [topic] = make_topics("tail", partitions=2)
    [later] = make_topics("later", partitions=1)
    produce(broker, topic, {n: [Record(0, 1000 * at, None, b"%d-%d" % (n, at)) for at in (1, 2, 3)] for n in (0, 1)})
    known = AdminClient({"bootstrap.servers": broker})
    known.delete_topics([later])[later].result()
    spans = {topic: Span(1000, 1000), later: Span(1000, 1000)}
    tail = Tail(config_of(broker), logging.getLogger("x"), spans, 3000)  # type: ignore[arg-type]
    assert tail.missing == {later: "there is no such topic"}
    assert sorted(filter(None, read(tail, 4))) == [b"0-2", b"0-3", b"1-2", b"1-3"]
    produce(broker, topic, {1: [Record(0, 4000, b"k", b"news", (("h", b"x"),))]})
    whole: list[tuple[Partition, Record]] = []
    while not whole:
        whole += tail.records()
    assert whole == [((topic, 1), Record(3, 4000, b"k", b"news", (("h", b"x"),)))]
    known.create_topics([NewTopic(later, 1, 1)])[later].result()
    produce(broker, later, {0: [Record(0, 1, None, b"appeared")]})
    assert read(tail, 1) == [b"appeared"]
    assert tail.missing == {}
    tail.close()


@pytest.mark.broker
def test_of_much_only_the_newest_is_read(broker: str, make_topics: Callable[..., list[str]]) -> None:
    [topic] = make_topics("much", partitions=2)
    produce(broker, topic, {n: [Record(0, 1000, None, b"%d-%d" % (n, at)) for at in range(50)] for n in (0, 1)})
    tail = Tail(config_of(broker), logging.getLogger("x"), {topic: Span(1000, 6)}, 2000)  # type: ignore[arg-type]
    assert sorted(filter(None, read(tail, 6))) == [b"0-47", b"0-48", b"0-49", b"1-47", b"1-48", b"1-49"]
    tail.close()


@pytest.mark.broker
def test_in_a_storm_the_last_of_each_key_is_read(
    broker: str, make_topics: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_test, "STORM", 20)
    [alerts, windows] = make_topics("storm", "rest", partitions=2)
    for topic in (alerts, windows):
        own = {
            n: [Record(0, 1000, b"%d" % (at % 7), b"%s-%d-%d" % (topic.encode(), n, at)) for at in range(70)]
            for n in (0, 1)
        }
        produce(broker, topic, own)
    spans = {alerts: Span(1000, 1000, newest=True), windows: Span(1000, 1000)}
    tail, found = Tail(config_of(broker), logging.getLogger("x"), spans, 2000), list[bytes]()  # type: ignore[arg-type]

    def read() -> None:
        found.extend(filter(None, tail.values()))

    until(lambda: len(found) + tail.skipped == 280, lambda: (len(found), tail.skipped), read)
    assert tail.skipped > 0
    ours = {value for value in found if value.startswith(alerts.encode())}
    assert len(found) == len(ours) + 140, "of what is no state nothing is skipped"
    assert ours >= {b"%s-%d-%d" % (alerts.encode(), n, at) for n in (0, 1) for at in range(63, 70)}
    tail.close()


def test_where_nobody_answers_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "LOOK_S", 0.5)
    with pytest.raises(LogDown):
        Tail(config_of("127.0.0.1:1"), logging.getLogger("x"), {"a": Span(1, 1)}, 0)  # type: ignore[arg-type]
