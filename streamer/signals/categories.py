"""Texts as numbers: each row's categories by order of appearance in its warm-up, and one number for all others.

What a row's warm-up has not shown is unseen for ever, as every reference is frozen; so is what came after the first
`CODES` categories of a text that has too many to be one.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from detectors.bank import ranks
from detectors.reference import Learned
from schemas.events.batch import Batch
from streamer.signals.columns import F64, I64, Groups, dense
from streamer.signals.grammar import Signal
from streamer.signals.observe import one_text

CODES = 63
"""Categories numbered per row. The number behind them, CODES, is all others."""


class Warmups(Protocol):
    """What is asked of the table's reference: how many values of their warm-up its rows have had."""

    warmup: int

    def at(self, row: int) -> Learned: ...


class Categories:
    """Numbers of the categories of rows 0..rows-1."""

    def __init__(self, reference: Warmups) -> None:
        self.reference = reference
        self.codes: list[dict[str, int]] = []

    def resize(self, rows: int) -> None:
        self.codes += [{} for _ in range(rows - len(self.codes))]

    def retain(self, rows: I64) -> None:
        """Row rows[i] becomes row i; all others are forgotten."""
        self.codes = [self.codes[row] for row in rows.tolist()]

    def encode(self, rows: I64, texts: I64, strings: tuple[str, ...]) -> F64:
        """The number of each text (a code into `strings`) for its row."""
        rank = ranks(rows)  # Behind the values that the row's reference has, which sees these only when they are codes.
        inverse, first = dense(rows * (len(strings) + 1) + texts)
        numbers = [self._number(int(rows[i]), strings[texts[i]], int(rank[i])) for i in first]
        return np.array(numbers, np.float64)[inverse]

    def _number(self, row: int, text: str, rank: int) -> int:
        codes = self.codes[row]
        code = codes.get(text)
        if code is None:
            if len(codes) >= CODES or self.reference.at(row).n + rank >= self.reference.warmup:
                return CODES
            code = codes[text] = len(codes)
        return code

    def names(self, row: int) -> list[str]:
        """The categories of a row, by number; the last stands for all others."""
        known = list(self.codes[row])
        return known + [""] * (CODES - len(known)) + ["other"]

    def dump(self) -> list[Any]:
        return [list(codes) for codes in self.codes]

    def load(self, state: Any, rows: int) -> None:
        """ValueError for an invalid state."""
        codes = state
        if len(codes) != rows:
            raise ValueError("categories that do not fit the rows")
        if any(len(names) > CODES or len(set(names)) != len(names) for names in codes):
            raise ValueError("invalid categories")
        self.codes = [{str(name): i for i, name in enumerate(names)} for names in codes]


def texts_under(batch: Batch, groups: Groups, signal: Signal) -> tuple[I64, I64, I64]:
    """(event, name, text) of the texts the signal is about, of used events; of a signal of one name the name is 0."""
    if not signal.every:
        event, code = one_text(batch, groups, signal.path)
        return event, np.zeros_like(event), code
    wanted = np.array([signal.takes(name) for name in batch.names], bool)
    texts = batch.texts
    keep = wanted[texts.name] & (groups.of_event[texts.event] >= 0) if len(wanted) else np.zeros(0, bool)
    return texts.event[keep].astype(np.int64), texts.name[keep].astype(np.int64), texts.text[keep].astype(np.int64)
