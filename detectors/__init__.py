"""Online drift detectors as banks: arrays in, findings out. No I/O, clock, logging, threads or randomness.

A new detector is one file with a bank and its parameters, plus one entry of BANKS; a compiled twin is one more in
COMPILED. A twin gives the same results to the last bit, so which of the two runs is never part of a state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from detectors.adwin import AdwinBank
from detectors.bank import Bank, Hits
from detectors.compiled import (
    CompiledAdwin,
    CompiledDistribution,
    CompiledHistory,
    CompiledPageHinkley,
    CompiledReference,
)
from detectors.distribution import Distribution
from detectors.history import History
from detectors.occurrence import OccurrenceBank
from detectors.page_hinkley import PageHinkleyBank
from detectors.params import Adwin, Occurrence, PageHinkley, Params, River
from detectors.reference import Reference
from detectors.river_bank import RiverBank
from schemas.core import native

__all__ = [
    "BANKS",
    "COMPILED",
    "Adwin",
    "Bank",
    "Hits",
    "Occurrence",
    "PageHinkley",
    "Params",
    "River",
    "make_bank",
    "make_distribution",
    "make_history",
    "make_reference",
]

BANKS: dict[type[Any], Callable[[Any], Bank]] = {
    Adwin: AdwinBank,
    PageHinkley: PageHinkleyBank,
    Occurrence: OccurrenceBank,
    River: RiverBank,
}
COMPILED: dict[type[Any], Callable[[Any], Bank]] = {Adwin: CompiledAdwin, PageHinkley: CompiledPageHinkley}
FAST = native is not None


def make_bank(params: Params, compiled: bool = FAST) -> Bank:
    """An empty bank for these parameters; river's own detectors have no compiled twin."""
    kind = type(params)
    return COMPILED[kind](params) if compiled and kind in COMPILED else BANKS[kind](params)


def make_reference(warmup: int, scale: bool, compiled: bool = FAST) -> Reference | CompiledReference:
    """References without rows."""
    return CompiledReference(warmup, scale) if compiled else Reference(warmup, scale)


def make_history(compiled: bool = FAST) -> History | CompiledHistory:
    """A history without rows."""
    return CompiledHistory() if compiled else History()


def make_distribution(
    warmup: int, bins: int, window: int, coded: bool, compiled: bool = FAST
) -> Distribution | CompiledDistribution:
    """Distributions without rows."""
    kind = CompiledDistribution if compiled else Distribution
    return kind(warmup, bins, window, coded)
