"""Where the models of a sample are, and when a topic is not keyed by them."""

from __future__ import annotations

from collections.abc import Callable

from streamer.engine.scattered import Seen, in_words, scattered


def events(count: int, place: Callable[[int], int], model: Callable[[int], str] = lambda i: "m") -> list[Seen]:
    return [Seen("t", place(i), i, 1000 + i, model(i)) for i in range(count)]


def test_a_model_without_a_key_goes_back_and_forth() -> None:
    assert scattered(events(9, lambda i: i % 3)) == {("t", "m"): [0, 1, 2]}


def test_batches_that_fill_one_partition_after_another_are_without_a_key() -> None:
    assert scattered(events(90, lambda i: i // 30)) == {("t", "m"): [0, 1, 2]}


def test_a_keyed_model_that_has_moved_once_is_keyed() -> None:
    assert scattered(events(90, lambda i: 2 if i < 40 else 5)) == {}


def test_topics_are_apart_and_so_are_models() -> None:
    apart = [one._replace(topic="tu"[i % 2]) for i, one in enumerate(events(50, lambda i: i % 2))]
    assert scattered(apart) == {}
    assert scattered(events(50, lambda i: i % 2, lambda i: "mn"[i % 2])) == {}


def test_records_without_a_time_are_told_apart_by_their_partitions() -> None:
    assert scattered([one._replace(time_ms=-1) for one in events(9, lambda i: i % 3)]) == {("t", "m"): [0, 1, 2]}


def test_a_few_are_named() -> None:
    assert in_words({("t", "m"): [0, 1]}) == "m is in 2 partitions of t"
    assert in_words({("t", f"m{i}"): [0, 1] for i in range(5)}).endswith(
        "m2 is in 2 partitions of t and 2 more models likewise"
    )
