"""What a monitor of categories has beside its windows: how often each level comes, see `detectors/levels.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from detectors.bank import renumbered
from detectors.compiled_levels import CompiledLevels
from detectors.distances import surprise
from detectors.levels import Levels, Told, levels_of
from streamer.monitors.evidence import Evidence, evidence, span, tier_of
from streamer.monitors.words import tell_apart
from streamer.signals.categories import CODES
from streamer.signals.columns import F64, I64

PART = 0.5
"""Of what a series may tell falsely: the rest is for its windows."""
GONE = 0.01
"""That a level comes less often is no news of one that is rarer: of many levels the rare ones come and go."""


class CategoryLevels:
    """Sums of the levels of rows that have learned; `told` are those of which a level was beyond its limit since their
    last window ended.
    """

    def __init__(self, bank: Levels | CompiledLevels) -> None:
        self.bank = bank
        self.level_of: dict[int, I64] = {}  # by row of each number of a category; follows from its reference
        self.codes: dict[int, list[int]] = {}  # of each level but the last, which is the rest
        self.told: dict[int, None] = {}

    def begin(self, row: int, counts: Sequence[int]) -> None:
        """The reference of a row has each number so often; a bank that was loaded has its levels already."""
        more = [0] * (CODES + 1 - len(counts))  # A file of references has no bins behind its last.
        self.level_of[row], self.codes[row] = levels_of([*counts, *more])
        levels = len(self.codes[row]) + 1
        if self.bank.levels(row) != levels:
            self.bank.begin(row, levels)

    def update(self, rows: I64, values: F64, events: I64, offsets: I64, times_ms: I64) -> list[Told]:
        """Values of rows that have begun, and what is told of them."""
        there, place = np.unique(rows, return_inverse=True)
        if not len(there):
            return []
        of = np.stack([self.level_of[row] for row in there.tolist()])
        told = self.bank.update(rows, of[place, values.astype(np.int64)], events, offsets, times_ms)
        return [one for one in told if one.way > 0 or one.before >= GONE]

    def shown(self, told: Told, names: Sequence[str], last: tuple[int, int]) -> Evidence:
        """The evidence of a level; `last`: offset and time of the value that told it."""
        codes = self.codes[told.row]
        name = names[codes[told.level]] if told.level < len(codes) else "other"
        after = told.came / told.age
        # What it was before is known from a thousand values at least.
        known = np.array([told.before, 1.0 - told.before]) * max(told.age, 1_000)
        window = {
            "n": told.age,
            "distance": abs(after - told.before),
            "surprise": surprise(known, np.array([told.came, told.age - told.came])),
            "moved": [{"bin": name, "before": told.before, "after": after}],
            "level": name,
            **span(told.first_offset, last[0], min(told.from_ms, last[1]), last[1]),
        }
        return evidence(told.way, told.statistic, told.threshold, None, None, window, tier_of(school=False))

    def retain(self, rows: I64) -> None:
        """Row rows[i] becomes row i; all others are forgotten."""
        self.bank.retain(rows)
        self.level_of, self.codes = renumbered(self.level_of, rows), renumbered(self.codes, rows)
        self.told = renumbered(self.told, rows)

    def dump(self) -> dict[str, Any]:
        return {"bank": self.bank.dump(), "row": np.array(list(self.told), np.int64)}

    def load(self, state: Mapping[str, Any], rows: int) -> None:
        """Replace the state; ValueError for an invalid one. Rows begin behind it."""
        told = {int(row): None for row in state["row"].tolist()}
        if not all(0 <= row < rows for row in told) or len(state["bank"]["levels"]) != rows:
            raise ValueError("levels of series that there are not")
        self.bank.load(state["bank"])
        self.told = told


def level_sentence(signal: str, told: Evidence) -> str:
    """A level that comes more or less often than it did."""
    window = told["evidence"]["window"]
    [moved] = window["moved"]
    before, after = tell_apart(moved["before"], moved["after"], share=True)
    return f"the share of {moved['bin']} in {signal} went from {before} to {after} in {window['n']} events"
