"""How much goes into one transaction: a broker may let only some bytes a second through, by a quota, and what one
transaction holds must get through before its deadline.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from schemas.events.batch import Batch, Record
from streamer.engine.stage import Decode
from streamer.port import Out
from streamer.service.unusable import bytes_of

LETTERS_BYTES_MAX = 1_000_000
"""Bytes of records that cannot be read which one transaction carries: a quota of 1 MB/s lets it end in time."""
OUTBOX_MAX = 10_000
OUTBOX_BYTES_MAX = 4_000_000
"""Commit before the interval ends when this many records wait, or bytes: alerts get down to a quarter or less."""
TURN = attrgetter("turn")
EACH = 2_000.0
"""Bytes of a record that waits, before any was weighed."""


def portion(decode: Decode, records: Sequence[Record], topic: str) -> tuple[Batch, Sequence[Record]]:
    """As many of the records as may be taken before a commit, and what is left. Dead letters carry whole records."""
    batch, rest = decode(records, topic), list[Record]()
    while (letters := bytes_of(batch.rejects)) > LETTERS_BYTES_MAX and len(records) > 1:
        whole = list(records)
        some = max(len(whole) * LETTERS_BYTES_MAX // letters, 1)
        records, rest = whole[:some], whole[some:] + rest
        batch = decode(records, topic)
    return batch, rest


def in_turn(outs: Sequence[Out]) -> list[Out]:
    """All that several partitions publish, each in its own order and all in that of their turns."""
    return sorted(outs, key=TURN)


def each(outs: Sequence[Out], before: float) -> float:
    """Bytes of a record, on average over those just written; as before where there are none."""
    return sum(len(out.value or b"") for out in outs) / len(outs) if outs else before


def full(waiting: int, each: float) -> bool:
    """Whether so many records, of about so many bytes each, are enough for one transaction."""
    return waiting >= OUTBOX_MAX or waiting * each >= OUTBOX_BYTES_MAX
