from __future__ import annotations

import random
from collections import Counter

from streamer.kafka.requests import BYTES, ON_THEIR_WAY, RECORD_BYTES, in_requests
from streamer.kafka.state_topic import Outgoing


def of(topic: str, size: int, partition: int = -1) -> Outgoing:
    return Outgoing(topic, b"key", b"x" * size, (), partition)


def test_a_commit_that_one_request_takes_is_one() -> None:
    records = [of("alerts", 2_000) for _ in range(400)] + [of("heartbeats", 400) for _ in range(1_000)]
    assert list(in_requests(records)) == [records]
    assert list(in_requests([])) == []


def test_of_a_partition_no_more_goes_out_than_is_sent_without_an_answer() -> None:
    rng = random.Random(3)
    topics = [("alerts", -1, 2_000), ("ordered", 0, 300_000), ("ordered", 1, 90_000), ("state", 2, 899_000)]
    records = [of(topic, rng.randint(1, most), part) for topic, part, most in rng.choices(topics, k=2_000)]
    found = list(in_requests(records))
    assert [record for some in found for record in some] == records, "in their order, each once"
    assert len(found) > 10
    for some in found:
        count, size = Counter[tuple[str, int]](), Counter[tuple[str, int]]()
        for record in some:
            place = record.topic, record.partition
            count[place], size[place] = count[place] + 1, size[place] + len(record.value or b"") + RECORD_BYTES + 3
        assert all(count[place] <= ON_THEIR_WAY or size[place] <= BYTES for place in count)


def test_chunks_of_a_snapshot_do_not_wait_for_each_other() -> None:
    records = [of("state", 890_000, 1) for _ in range(ON_THEIR_WAY)]
    assert list(in_requests(records)) == [records]
    assert list(in_requests([*records, records[0]])) == [records, records[:1]]


def test_a_tombstone_is_a_record() -> None:
    records = [Outgoing("state", None, None, ())] * 3
    assert list(in_requests(records)) == [records]
