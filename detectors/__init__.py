"""Online drift detectors as banks: arrays in, findings out. No I/O, clock, logging, threads or randomness.

A new detector is one file with a bank and its parameters, plus one entry of BANKS.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from detectors.adwin import AdwinBank
from detectors.bank import Bank, Hits
from detectors.page_hinkley import PageHinkleyBank
from detectors.params import Adwin, PageHinkley, Params, River
from detectors.river_bank import RiverBank

__all__ = ["BANKS", "Adwin", "Bank", "Hits", "PageHinkley", "Params", "River", "make_bank"]

BANKS: dict[type[Any], Callable[[Any], Bank]] = {
    Adwin: AdwinBank,
    PageHinkley: PageHinkleyBank,
    River: RiverBank,
}


def make_bank(params: Params) -> Bank:
    """An empty bank for these parameters."""
    return BANKS[type(params)](params)
