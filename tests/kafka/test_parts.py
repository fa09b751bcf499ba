"""Snapshots in parts: any state comes back from what is there of it, and what has not changed is not written again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from streamer.engine.snapshot import encode, pieces_of
from streamer.kafka import manifest, parts
from streamer.kafka.parts import PART_BYTES, cut_of, found_again, kept_of, names_of
from streamer.port import Cut, Kept

ROWS = 40_000


class Topic:
    """Parts by name, as a topic has them that is compacted at once."""

    def __init__(self) -> None:
        self.there: dict[int, tuple[int, bytes]] = {}  # name -> offset, bytes
        self.end = 100

    def write(self, cut: Cut) -> tuple[int, ...]:
        for name in cut.gone:
            self.there.pop(name, None)
        begin = self.end
        for name, data in cut.fresh:
            self.there[name] = self.end, data
            self.end += 1
        return tuple(range(begin, self.end))

    def read(self, blob: bytes) -> bytes:
        found = manifest.decode(blob)
        by_offset = dict(self.there.values())
        data = [by_offset[offset] for offset in found.parts.offsets.tolist()]
        return b"".join(data[part][begin : begin + size] for part, begin, size in found.extents.tolist())


def state_of(rng: np.random.Generator, rows: int = ROWS) -> dict[str, Any]:
    """Two arrays of all rows, one of so many elements of each, and names."""
    ragged = rng.normal(0, 1, int(rng.integers(2 * rows, 3 * rows + 1)))
    return {"keys": [f"k{i}" for i in range(rows)], "a": rng.normal(0, 1, rows), "b": np.arange(rows), "c": ragged}


def written(topic: Topic, state: dict[str, Any], *kept: Kept) -> tuple[Cut, Kept]:
    cut = cut_of(pieces_of(state), kept)
    offsets = topic.write(cut)
    blob = manifest.encode(cut, offsets)
    assert topic.read(blob) == encode(state)
    after = kept_of(cut, offsets, "sha")
    for one, other in zip(found_again(manifest.decode(blob), encode(state), "sha").blocks, after.blocks, strict=True):
        assert one.tolist() == other.tolist()
    return cut, after


def size(cut: Cut) -> int:
    return sum(len(data) for _, data in cut.fresh)


def test_what_has_not_changed_is_not_written_again() -> None:
    rng, topic = np.random.default_rng(1), Topic()
    state = state_of(rng)
    first, kept = written(topic, state)
    assert size(first) == first.size == len(encode(state))
    assert {name for name, _ in first.fresh} == set(range(len(first.fresh)))
    state["a"][1000:1100] += 1
    state["c"] = np.insert(state["c"], 700, [1.0, 2.0, 3.0])
    state["keys"].append("new")
    state["b"] = np.append(state["b"], 7)
    second, kept = written(topic, state, kept)
    assert size(second) < 30_000 < second.size
    assert len(second.carried.offsets) == len(first.fresh)
    third, _ = written(topic, state, kept)
    assert size(third) == 0 or size(third) < 30_000


def test_the_topic_does_not_grow_though_everything_changes_in_time() -> None:
    """Rows change by turns: a part of which less than half is needed is written anew, and names are used again."""
    rng, topic, kept = np.random.default_rng(2), Topic(), list[Kept]()
    state = state_of(rng)
    for turn in range(60):
        begin = turn * 3000 % ROWS
        for name in ("a", "c"):
            state[name][begin : begin + 3000] = rng.normal(0, 1, len(state[name][begin : begin + 3000]))
        cut, after = written(topic, state, *kept)
        assert turn == 0 or size(cut) < cut.size / 2
        assert names_of([after]) >= topic.there.keys()
        stored = sum(len(data) for _, data in topic.there.values())
        assert stored < 3.5 * cut.size, "twice what is needed, and what the one before needed"
        kept = [after]
    assert max(topic.there) < 25


def test_no_new_part_has_the_name_of_one_that_is_needed() -> None:
    rng, topic = np.random.default_rng(3), Topic()
    one, kept = written(topic, state_of(rng))
    pending = cut_of(pieces_of(state_of(rng)), [kept])
    assert not {name for name, _ in pending.fresh} & {name for name, _ in one.fresh}
    assert pending.gone == ()
    assert pending.stale | set(pending.carried.numbers.tolist()) == {name for name, _ in one.fresh}
    both = [kept, kept_of(pending, topic.write(pending), "other")]
    third = cut_of(pieces_of(state_of(rng)), both)
    assert not {name for name, _ in third.fresh} & {n for k in both for n in k.parts.numbers.tolist()}
    assert third.gone == (), "an offset may point at either"
    landed = cut_of(pieces_of(state_of(rng, 100)), both[1:])
    assert set(landed.gone) | {name for name, _ in landed.fresh} == pending.stale


def test_whoever_comes_after_a_crash_takes_away_what_was_left() -> None:
    """Of a snapshot that no offset points at, whose names nobody knows any more."""
    rng, topic = np.random.default_rng(4), Topic()
    state = state_of(rng)
    cut = cut_of(pieces_of(state), [])
    blob = manifest.encode(cut, topic.write(cut))
    heir = found_again(manifest.decode(blob), encode(state), "sha")
    topic.write(cut_of(pieces_of(state_of(rng, ROWS // 2)), [heir]))  # And dies.
    state["a"][5] += 1
    _, kept = written(topic, state, heir)
    assert topic.there.keys() == {*kept.parts.numbers.tolist(), *(kept.stale & topic.there.keys())}
    _, kept = written(topic, state, kept)
    assert topic.there.keys() <= {*kept.parts.numbers.tolist(), *kept.stale}
    assert len(topic.there) <= len(cut.fresh) + 2


@pytest.mark.parametrize("rows", [0, 1, 100_000])
def test_parts_fit_a_record(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    cut = cut_of(pieces_of(state_of(np.random.default_rng(5), rows)), [])
    assert all(0 < len(data) <= PART_BYTES for _, data in cut.fresh)
    monkeypatch.setattr(parts, "PART_BYTES", parts.MOST + 1)
    small = cut_of(pieces_of(state_of(np.random.default_rng(5), min(rows, 1000))), [])
    assert all(0 < len(data) <= parts.MOST + 1 for _, data in small.fresh)
