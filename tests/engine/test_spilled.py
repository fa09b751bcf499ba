"""Halves that wait for hours or days: found, bounded, counted on both sides, and the same however the log is cut."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
import pytest

from schemas.events.batch import Record
from streamer.engine.event_clock import DOUBT
from streamer.engine.pairs import SIDES, Pairs
from streamer.engine.snapshot import decode, encode
from streamer.engine.spilled import Half, Spilled, half_of, plain
from streamer.series import pending
from tests.engine.test_pairs import batch, record, shown
from tests.schemas.events.test_mapping import events

HOUR_S, DAY_S, BLOCK = 3600, 86_400, 32
DAY_MS = 1000 * DAY_S


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "BLOCK", BLOCK)


def late(seed: int, n: int, most_late_s: int = 2 * DAY_S) -> tuple[list[Record], set[str]]:
    """A request a minute; answers soon, hours or days later, or never; some come before their request. And the ids of
    those that both came.
    """
    rng, due = random.Random(seed), list[tuple[float, str, str, str]]()
    both = set()
    for number in range(n):
        name, at_s, model = f"i{number}", 60.0 * number, rng.choice("mn")
        after_s = rng.choice([1.0, 30.0, HOUR_S, 9 * HOUR_S, most_late_s - 60, 4 * most_late_s])
        first, second = rng.choice([("asked", "answer"), ("answer", "asked")])
        due += [(at_s, name, first, model), (at_s + after_s, name, second, model)]
        if after_s <= most_late_s:
            both.add(name)
    due.sort()
    return [record(i, name, half, at_s, model) for i, (at_s, name, half, model) in enumerate(due)], both


@pytest.mark.parametrize("seed", range(2))
def test_who_comes_days_late_meets_his_half_once(seed: int) -> None:
    records, both = late(seed, 1500)
    pairs = Pairs(2 * DAY_MS, 100_000, DAY_MS, young=20)
    met, blocks = Counter[int](), 0
    for begin in range(0, len(records), 100):
        for one in events(pairs.take(batch(*records[begin : begin + 100]))):
            if "features.a" in one and "prediction.label" in one:
                met[one["offset"]] += 1
        blocks = max(blocks, len(pairs.old.store.blocks))
    assert set(met.values()) == {1}
    assert pairs.paired == len(met) == len(both)
    assert pairs.alone == sum(pairs.alone_by.values()) == len(records) - 2 * len(both) - pairs.waiting
    assert all(pairs.alone_by[side] > 50 for side in SIDES[:2])
    assert 3 < blocks < len(records) / 2 / BLOCK, "what is over is let go"


@pytest.mark.parametrize("size", [1, 7, 100])
def test_however_it_is_cut_the_events_and_the_state_are_the_same(size: int) -> None:
    records, _ = late(3, 300, 2 * HOUR_S)

    def made() -> Pairs:
        return Pairs(2 * HOUR_S * 1000, 150, DAY_MS, young=9)

    whole, cut, found = made(), made(), list[dict[str, Any]]()
    wanted = events(whole.take(batch(*records)))
    for begin in range(0, len(records), size):
        found += events(cut.take(batch(*records[begin : begin + size])))
        state, cut = cut.dump(), made()
        cut.load(decode(encode(state)))
    assert found == wanted
    assert encode(cut.dump()) == encode(whole.dump())
    assert len(records) == len(wanted) + whole.paired + whole.waiting, "every record is in one event, or waits"
    assert whole.old.store.first > 0


def test_no_more_wait_than_may_and_the_oldest_goes_alone_first() -> None:
    pairs = Pairs(DAY_MS, 100, DAY_MS, young=10)
    found = pairs.take(batch(*(record(i, f"i{i}", "asked", i) for i in range(500))))
    assert [one["features.a"] for one in events(found)] == list(range(400))
    assert (pairs.waiting, pairs.alone_by["request"]) == (100, 400)
    assert len(pairs.old.store.blocks) <= 100 // BLOCK + 2
    assert shown(pairs.take(batch(record(500, "i399", "answer", 500), record(501, "i401", "answer", 500)))) == [
        (500, 400.0, None),
        (501, 401.0, "y501"),
    ]


def test_of_two_times_the_later_one_is_that_of_the_pair() -> None:
    for first, second in [(0, 9 * HOUR_S), (9 * HOUR_S, 0)]:
        pairs = Pairs(DAY_MS, 100, DAY_MS, young=0)
        found = pairs.take(batch(record(1, "i", "asked", first), record(2, "i", "answer", second)))
        assert found.times_ms.tolist() == batch(record(1, "i", "asked", 9 * HOUR_S)).times_ms.tolist()


def test_one_wrong_clock_ends_nobodys_wait_and_many_are_believed() -> None:
    pairs, year_s = Pairs(2 * DAY_MS, 100, DAY_MS, young=0), 365 * DAY_S
    pairs.take(batch(record(1, "i", "asked", 0), record(2, "x", "whole", year_s, "n"), record(3, "j", "asked", 60)))
    assert pairs.waiting == 2
    shown_ = shown(pairs.take(batch(*(record(4 + i, "y", "whole", year_s, "n") for i in range(DOUBT)))))
    assert [one[0] for one in shown_ if one[2] is None] == [4 + DOUBT - 1] * 2
    assert (pairs.waiting, pairs.alone) == (0, 2)


def test_who_is_erased_waits_no_longer_and_leaves_nothing() -> None:
    pairs = Pairs(DAY_MS, 100, DAY_MS, young=2)
    given = batch(*(record(i, f"i{i}", "asked", i, status=f"secret{i}") for i in range(40)))
    pairs.take(given)
    assert pairs.erase(given.event_id.item(3)) == 1
    assert pairs.erase(given.event_id.item(3)) == 0
    assert pairs.waiting == 39
    state = encode(pairs.dump())
    assert b"secret3\xa0" not in state
    assert b"secret4" in state
    assert shown(pairs.take(batch(record(41, "i3", "answer", 41)))) == []
    again = Pairs(DAY_MS, 100, DAY_MS, young=2)
    again.load(decode(encode(pairs.dump())))
    assert again.waiting == 40


def test_a_model_that_goes_takes_its_halves_along() -> None:
    pairs = Pairs(DAY_MS, 100, DAY_MS, young=5)
    pairs.take(batch(*(record(i, f"i{i}", "asked", i, "mn"[i % 2]) for i in range(60))))
    pairs.leave({"n"})
    assert [half.offset for half in pairs.open.values()] == list(range(0, 60, 2))
    assert (pairs.old.waiting, set(pairs.newest_ms)) == (0, {"m"})
    assert shown(pairs.take(batch(record(60, "i2", "answer", 60), record(61, "k", "asked", 61)))) == [(60, 2.0, "y60")]
    assert (len(pairs.open), pairs.old.waiting) == (5, 25), "the newest are at hand again"


def test_a_snapshot_of_before_has_none_and_one_that_cannot_be_is_refused() -> None:
    pairs = Pairs(DAY_MS, 100, DAY_MS, young=2)
    pairs.take(batch(*(record(i, f"i{i}", "asked", i) for i in range(40))))
    state = decode(encode(pairs.dump()))
    assert half_of(plain(next(iter(pairs.open.values())))) == next(iter(pairs.open.values()))
    old = Pairs(DAY_MS, 100)
    old.load({name: state[name] for name in ("open", "newest_ms", "counts")})
    assert (old.waiting, old.alone_by) == (2, dict.fromkeys(SIDES, 0))
    with pytest.raises(ValueError, match="more or fewer"):
        Pairs(DAY_MS, 100).load({**state, "old": {**state["old"], "waiting": 7}})


def test_of_a_million_each_takes_its_fields_and_forty_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "BLOCK", 1 << 14)
    store, count = Spilled(DAY_MS, 1_000_000, DAY_MS), 40_000
    for number in range(count):
        store.put(Half("m", None, number + 1, 0, number, number, (("features.a", 1.0),), (), ()))
    words = sum(len(block.words) for block in store.store.blocks)
    assert words < 60 * count
    assert store.store.held_bytes - words < 55 * (count + (1 << 14))
    assert np.array([store.take("m", number + 1) is not None for number in range(0, count, 997)]).all()
