"""Packed records that nobody packed, with a checksum that holds: for both ways of reading them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import orjson
from xxhash import xxh3_64_intdigest

from schemas.events.batch import Batch
from schemas.events.native_json import decode
from schemas.events.packed import COLUMN, EVENTS_MAX, FORMAT, HEAD, HEADER, MAGIC, pack
from tests.schemas.events.samples import NATIVE, make

EVENT = {"model": "m", "model_version": "1", "event_id": "e", "features": {"a": 1.5, "b": "x", "c": None}}
EVENTS = [{**EVENT, "event_id": str(i), "features": {"a": i / 7, "b": "xyz"[i % 3], "c": None}} for i in range(40)]


def batch_of(events: Sequence[object], first: int = 0) -> Batch:
    return decode([make(orjson.dumps(e), offset=first + 2 * i) for i, e in enumerate(events)], NATIVE, "t")


def sealed(body: bytes) -> bytes:
    """With a checksum that holds."""
    return HEAD.pack(MAGIC, FORMAT, xxh3_64_intdigest(body)) + body


def mutants(seed: int, count: int) -> Iterator[bytes]:
    """Of good records, with one to three bytes or stretches of them changed, taken out or put in."""
    chance = random.Random(seed)
    good = [
        pack(batch_of(EVENTS[:9]), "in", 0),
        pack(batch_of([EVENT, {"model": "größe", "latency_ms": "x"}]), "in", 0),
    ]
    for number in range(count):
        body = bytearray(good[number % 2][HEAD.size :])
        for _ in range(chance.randrange(1, 4)):
            place = chance.randrange(len(body))
            how = chance.randrange(4)
            if how < 2:
                # The small values are what widths, flags and counts are.
                body[place] = chance.choice((chance.randrange(256), chance.randrange(9)))
            elif how == 2:
                del body[place : place + chance.randrange(1, 9)]
            else:
                body[place:place] = chance.randbytes(chance.randrange(1, 9))
            body = body or bytearray(1)
        yield sealed(bytes(body))


def claims() -> Iterator[bytes]:
    """Headers that say that there is more than the record has bytes for, with columns that take none."""
    most = (1 << 32) - 1
    for place in range(1, 8):
        counts = [0, 1, 0, 0, 0, 1, 1, 0]
        counts[place] = EVENTS_MAX if place == 1 else most
        columns = b"".join(COLUMN.pack(width, 0) for width in (1, *[0] * 20))
        yield sealed(HEADER.pack(0, *counts) + columns)
