"""Labels that met their inference: what both say, and how far they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from streamer.series.predictions import NUMBER, unpacked
from streamer.signals.columns import F64, I64, Bool, Groups


class Joined(NamedTuple):
    """Labels that met their inference in a batch, in the order of the log; arrays of one length."""

    event: I64  # of the batch: the later one of both
    group: I64
    kind: I64  # CLASS or NUMBER
    prediction: Any  # U64; the hash of the class, or the bits of the number
    truth: Any  # U64; the hash
    number: F64  # the truth as a number, NaN where it is none
    confidence: F64  # NaN for none; of a number its stated interval, see `predictions.packed`
    time_ms: I64  # of the inference
    label_ms: I64

    @property
    def wrong(self) -> Bool:
        """Whether the class predicted is not the true one."""
        found: Bool = self.prediction != self.truth
        return found

    @property
    def residual(self) -> F64:
        """The number predicted less the true one."""
        found: F64 = self.prediction.view(np.float64) - self.number
        return found

    @property
    def missed(self) -> F64:
        """Of numbers with a stated interval 1 where the true one is outside, and 0 where it is not; else NaN."""
        low, high = unpacked(np.where(self.kind == NUMBER, self.confidence, np.nan))
        outside = (self.number < low) | (self.number > high)
        return np.where((self.kind == NUMBER) & ~np.isnan(low), outside * 1.0, np.nan)


DTYPES: tuple[Any, ...] = np.int64, np.int64, np.int64, np.uint64, np.uint64, np.float64, np.float64, np.int64, np.int64


def joined_of(found: Sequence[tuple[Any, ...]]) -> Joined:
    columns = zip(*found, strict=True) if found else ((),) * len(DTYPES)
    arrays: list[Any] = [np.array(column, dtype) for column, dtype in zip(columns, DTYPES, strict=True)]
    return Joined(*arrays)


def joined_groups(
    joined: Joined, places: I64, events: int, at: Sequence[int], known: Mapping[int, tuple[str, ...]]
) -> Groups:
    """The group of each event that has a label at one of these places, of as many events as there are; `at`: the fields
    of `known` keys, beside the model, that groups are told apart by.
    """
    index: dict[tuple[str, ...], int] = {}
    numbers, inverse = np.unique(joined.group[places], return_inverse=True)
    found = [known[number] for number in numbers.tolist()]
    codes = [index.setdefault((key[0], *(key[1 + place] for place in at)), len(index)) for key in found]
    of_event = np.full(events, -1, np.int64)
    of_event[joined.event[places]] = np.array(codes, np.int64)[inverse] if codes else -1
    return Groups(of_event, list(index))
