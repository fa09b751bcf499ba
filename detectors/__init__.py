"""Online drift detectors as banks: arrays in, findings out. No I/O, clock, logging, threads or randomness.

A new detector is one file with a bank and its parameters, plus one entry of DETECTORS. A compiled twin gives the same
results to the last bit, so which of the two runs is never part of a state: whoever makes banks decides it once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from detectors.adwin import AdwinBank
from detectors.bank import Bank, Hits
from detectors.compiled import CompiledAdwin, CompiledEnvelope, CompiledPageHinkley, CompiledShiryaevRoberts
from detectors.envelope import Envelope, EnvelopeBank
from detectors.occurrence import OccurrenceBank
from detectors.page_hinkley import PageHinkleyBank
from detectors.params import Adwin, Occurrence, PageHinkley, Params, River
from detectors.river_bank import RiverBank
from detectors.scan import Scan, ScanBank
from detectors.shiryaev_roberts import ShiryaevRoberts, ShiryaevRobertsBank

__all__ = [
    "DETECTORS",
    "Adwin",
    "Bank",
    "Detector",
    "Envelope",
    "Hits",
    "Occurrence",
    "PageHinkley",
    "Params",
    "River",
    "Scan",
    "ShiryaevRoberts",
    "make_bank",
    "make_compiled_bank",
]


class Detector(NamedTuple):
    """A detector as the config has it. `params`: a dataclass whose fields are made by `detectors.params.param`; the
    banks are made of one of those.
    """

    params: type[Params]
    bank: Callable[[Any], Bank]
    title: str
    summary: str
    twin: Callable[[Any], Bank] | None = None  # compiled
    raw: bool = False  # takes the values as they are: their scale means nothing to it


DETECTORS = {
    "adwin": Detector(
        Adwin,
        AdwinBank,
        "ADWIN (Bifet & Gavalda 2007).",
        "Adaptive windowing: an edge when two halves of the recent past have different means.",
        CompiledAdwin,
    ),
    "page_hinkley": Detector(
        PageHinkley,
        PageHinkleyBank,
        "Page-Hinkley (Page 1954).",
        "Page-Hinkley: an edge when deviations from the mean add up.",
        CompiledPageHinkley,
    ),
    "envelope": Detector(
        Envelope,
        EnvelopeBank,
        "Averages at seven scales against the daily extremes of healthy days.",
        "Envelope: an edge when averages leave what healthy days have shown; for traffic that breathes.",
        CompiledEnvelope,
    ),
    "shiryaev_roberts": Detector(
        ShiryaevRoberts,
        ShiryaevRobertsBank,
        "Shiryaev-Roberts e-detector on conformal ranks (Vovk et al. 2021; Shin, Ramdas & Rinaldo 2024).",
        "Shiryaev-Roberts: an edge when ranks are no longer those of chance; `arl` bounds false alarms.",
        CompiledShiryaevRoberts,
        raw=True,
    ),
    "scan": Detector(
        Scan,
        ScanBank,
        "Rare ones that come closer together than chance, and than they ever did (scan statistic, Naus 1965).",
        "Scan: an edge when ones of a 0/1 signal that are rare come closer together than ever, and than chance.",
    ),
    "river": Detector(River, RiverBank, "A detector of river, by name.", "Any other drift detector of river."),
    "occurrence": Detector(
        Occurrence,
        OccurrenceBank,
        "Any event whose 0/1 signal is 1.",
        "The first one, and every other while the alert is not over: for what must not happen at all.",
    ),
}
"""By `detect.kind`."""


def detector_of(params: Params) -> Detector:
    """The detector whose parameters these are."""
    return next(detector for detector in DETECTORS.values() if detector.params is type(params))


def make_bank(params: Params) -> Bank:
    """An empty bank for these parameters."""
    return detector_of(params).bank(params)


def make_compiled_bank(params: Params) -> Bank:
    """The same in the compiled core, where the detector has a twin there."""
    detector = detector_of(params)
    return (detector.twin or detector.bank)(params)
