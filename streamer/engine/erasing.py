"""Erasure of an event id: a record without a value, whose key is the id, on the topic of labels, feedback or verdicts.

Nobody knows which model such a record is about, so the stage before the ordered log writes the hash of the id to every
partition of that, in a record of its own. There it stands between the events before and those behind: what was known
of the id is gone from there on, on every replay alike, and with the next snapshot from the state topic. What was
counted stays counted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from schemas.events.batch import Batch, Record, Reject, batch_of, part_of, text_of_event
from schemas.events.convert import id_hash
from streamer.engine.companion import Beside
from streamer.engine.figures import Counter
from streamer.engine.pairs import Pairs
from streamer.port import Out
from streamer.series.sources import Source
from streamer.signals.roles import ERASED, has

ERASED_ID, UNKNOWN = "erased", "unknown"
RESULTS = (ERASED_ID, UNKNOWN)
"""Whether anything was known of the id."""
Pack = Callable[[Batch, Any, Any], Sequence[tuple[int, bytes]]]


def asks(record: Record) -> int | None:
    """The hash of the id that a record of such a topic asks to erase; None for all others. A key that is no text is
    nobody's id.
    """
    if record.value is not None or not record.key or record.unreadable:
        return None
    return id_hash(record.key.decode("utf-8", "replace"), ERASED)


def asked_for(rejects: Sequence[Reject]) -> tuple[list[tuple[int, int]], tuple[Reject, ...]]:
    """Of what a topic has that could not be decoded offset and hash of each id that is to be erased, and all else."""
    found, left = list[tuple[int, int]](), list[Reject]()
    for one in rejects:
        id = asks(one.record) if one.reason == "empty" else None
        if id is not None:
            found.append((one.record.offset, id))
        else:
            left.append(one)
    return found, tuple(left)


def in_order(batch: Batch) -> Iterator[tuple[Batch, list[tuple[int, int]]]]:
    """A batch of such a topic cut behind what asks for an erasure: parts, each with the ids that are to be erased
    behind it.
    """
    ids, rejects = asked_for(batch.rejects)
    batch, begin, waiting = replace(batch, rejects=rejects) if ids else batch, 0, list[tuple[int, int]]()
    for offset, id in ids:
        if waiting and np.searchsorted(batch.offsets, waiting[-1][0]) < np.searchsorted(batch.offsets, offset):
            yield part_of(batch, begin, waiting[-1][0] + 1), waiting
            begin, waiting = waiting[-1][0] + 1, []
        waiting.append((offset, id))
    if waiting:
        yield part_of(batch, begin, waiting[-1][0] + 1), waiting
        begin = waiting[-1][0] + 1
    if not ids or batch.next_offset > begin:
        yield part_of(batch, begin, batch.next_offset) if ids else batch, []


def packed(ids: Sequence[tuple[int, int]], times_ms: int, parts: int, pack: Pack, place: Any) -> Iterator[Any]:
    """Records of these for each partition of the ordered log."""
    batch = erasing(ids, times_ms)
    for part in range(parts):
        yield from pack(batch, np.full(len(ids), part, np.int64), place)


def erasing(ids: Sequence[tuple[int, int]], times_ms: int) -> Batch:
    """Events that erase these. They have no model."""
    n = len(ids)
    whole, empty = np.arange(n, dtype=np.int32), np.zeros(0, np.int32)
    strings = dict.fromkeys(["", *(f"{id:016x}" for _, id in ids)])
    codes = {text: code for code, text in enumerate(strings)}
    offsets, zeros = np.array([offset for offset, _ in ids], np.int64), np.zeros(n, np.int32)
    own = offsets, np.full(n, times_ms, np.int64), zeros, zeros - np.int32(1), np.zeros(n, np.uint64)
    texts = np.array([codes[f"{id:016x}"] for _, id in ids], np.int32)
    tables = (empty, empty, np.zeros(0)), (whole, zeros, texts), (empty, empty)
    return batch_of(own, ((ERASED,), tuple(strings)), tables, rejects=(), next_offset=offsets.item(-1) + 1)


def pieces(batch: Batch) -> Iterator[Batch]:
    """A batch cut before and behind what erases."""
    if not has(batch, ERASED):
        yield batch
        return
    places = np.unique(batch.offsets[text_of_event(batch, ERASED) >= 0]).tolist()
    begin = 0
    for offset in places:
        if offset > begin:
            yield part_of(batch, begin, offset)
        yield part_of(batch, offset, offset + 1)
        begin = offset + 1
    if batch.next_offset > begin:
        yield part_of(batch, begin, batch.next_offset)


def ids_of(batch: Batch) -> list[int]:
    """The hashes that a piece erases; none of one with events."""
    if not has(batch, ERASED):
        return []
    codes = text_of_event(batch, ERASED)
    return [int(batch.strings[code], 16) for code in codes[codes >= 0].tolist()]


class Erasures:
    """What became of them, in one partition."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(RESULTS, 0)

    def erase(
        self, id: int, models: Collection[str], sources: Iterable[Source], pairs: Pairs | None, beside: Iterable[Beside]
    ) -> tuple[int, list[Out]]:
        """Know nothing more of the event; how many halves of it waited, and what is published of it."""
        known, outs = [source.erase(id, models) for source in sources], list[Out]()
        halves = pairs.erase(id) if pairs is not None else 0
        for other in beside:
            found, told = other.erase(id, models)
            known.append(found)
            outs += told
        self.counts[ERASED_ID if any(known) or halves else UNKNOWN] += 1
        return halves, outs

    def counters(self, topic: str) -> Iterator[Counter]:
        for result, count in self.counts.items():
            yield Counter("erasures_total", {"topic": topic, "result": result}, count)

    def dump(self) -> list[Any]:
        return list(self.counts.items())

    def load(self, state: Any) -> None:
        """What was dumped; of older snapshots nothing."""
        self.counts |= {str(name): int(count) for name, count in state or ()}
