"""How groups stand, as a real broker tells it: lag and snapshot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from schemas.events.batch import Record
from streamer.config.load import load_text
from streamer.kafka.offset_metadata import to_text
from streamer.kafka.standing import Stand, Standing, stand_of
from streamer.port import Committed, LogDown, Pointer, Tick
from tests.kafka.service import produce
from tests.waiting import PATIENCE_S

POINTER = Pointer(3, 0, 7, 1, "ab" * 32, "c0ffee")
NOW_MS = 1_700_000_300_000


def test_a_snapshot_is_as_old_as_the_first_tick_that_it_has_not_seen() -> None:
    def seen(committed: Committed | None, end: int = 9) -> Stand:
        root = None if committed is None else (committed.offset or 0, to_text(committed))
        return stand_of(root, end, 1, 60.0, NOW_MS)

    assert seen(None) == Stand(1, 9, None, None)
    assert seen(Committed(4, None)) == Stand(1, 5, None, None)
    assert seen(Committed(4, POINTER)) == Stand(1, 5, 1, 60.0)
    ticks = tuple(Tick(4, NOW_MS - back, True) for back in (120_000, 60_000))
    assert seen(Committed(4, POINTER, 2, ticks)) == Stand(1, 5, 1, 180.0)
    assert seen(Committed(9, POINTER), 4).lag == 0, "its topic was made anew"


def config_of(broker: str, group: str, events: str, more: str = "") -> Any:
    text = f'version: 1\nkafka: {{brokers: "{broker}", group: {group}{more}}}\ntopics: {{events: [{events}]}}\n'
    return load_text(text, "x", {})


@pytest.mark.broker
def test_of_each_partition_it_is_known_how_far_it_is(broker: str, make_topics: Callable[..., list[str]]) -> None:
    [topic] = make_topics("standing", partitions=2)
    produce(broker, topic, {0: [Record(0, 1, None, b"x")] * 5})
    standing = Standing(config_of(broker, topic, topic, ", order: topic"), lambda: NOW_MS / 1000)
    member = Consumer({"bootstrap.servers": broker, "group.id": topic, "log_level": 0})
    member.commit(offsets=[TopicPartition(topic, 0, 4, to_text(Committed(4, POINTER)))], asynchronous=False)
    assert standing.ask(()) == {(topic, 0): Stand(1, 1, 1, 60.0), (topic, 1): Stand(1, 0, None, None)}
    standing.close()
    member.close()


@pytest.mark.broker
def test_where_events_were_found_to_need_an_order_both_stages_are_asked(
    broker: str, make_topics: Callable[..., list[str]]
) -> None:
    [topic] = make_topics("auto")
    [ordered] = make_topics("drift-ordered")
    config = config_of(broker, topic, topic)
    standing = Standing(config)
    assert {stand.stage for stand in standing.ask(()).values()} == {1}
    standing._config = config.model_copy(update={"topics": config.topics.model_copy(update={"ordered": ordered})})
    assert {at: stand.stage for at, stand in standing.ask(()).items()} == {(topic, 0): 1, (ordered, 0): 2}
    standing.close()


def test_a_mock_cluster_knows_no_groups() -> None:
    owner = Producer({"test.mock.num.brokers": 1})
    [one] = owner.list_topics("in", timeout=PATIENCE_S).brokers.values()
    standing = Standing(config_of(f"{one.host}:{one.port}", "g", "in"))
    assert standing.ask(()) == {}
    standing.close()


def test_where_nobody_answers_it_is_not_known() -> None:
    standing = Standing(config_of("127.0.0.1:1", "g", "in"))
    with pytest.raises(LogDown):
        standing.ask(())
    standing.close()
