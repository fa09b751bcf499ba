"""What is about labels needs the section that has label records known from inferences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from streamer.config.cross_checks import Complaint, Rule, as_items, at
from streamer.config.detect import DETECTS
from streamer.config.problems import quoted
from streamer.signals.kinds import KINDS

WORDS = {
    word
    for kind in ("realised", "loss", "estimate", "error_ratio", "unlabelled", "labels")
    for word in KINDS[kind].words
}


def labels_are_asked_for(raw: Any) -> Iterator[Complaint]:
    for name, monitor in as_items(at(raw, "monitors")):
        signal = at(monitor, "signal")
        about = isinstance(signal, str) and (signal in WORDS or signal.startswith("truth."))
        if about and not isinstance(at(raw, "labels"), dict):
            message = f"{quoted(signal)} needs the section labels, be it 'labels: {{}}'."
            yield Complaint(("monitors", name, "signal"), "bad-value", message)


def a_gap_is_of_errors(raw: Any) -> Iterator[Complaint]:
    """Of nothing else confidence promises anything."""
    for name, monitor in as_items(at(raw, "monitors")):
        kind, signal = at(monitor, "detect", "kind"), at(monitor, "signal")
        labelled = isinstance(kind, str) and kind in DETECTS and DETECTS[kind].labelled
        if labelled and isinstance(signal, str) and signal != "realised_error":
            message = f"{kind} compares errors with confidence: it is of realised_error, not {quoted(signal)}."
            yield Complaint(("monitors", name, "detect", "kind"), "bad-value", message)


def labels_are_only_missed(raw: Any) -> Iterator[Complaint]:
    """Of label records there is nothing to watch but that none come."""
    for name, monitor in as_items(at(raw, "monitors")):
        kind = at(monitor, "detect", "kind")
        if at(monitor, "signal") == "labels" and isinstance(kind, str) and kind in DETECTS and kind != "silence":
            message = f"signal labels has no values; only silence, not {kind}."
            yield Complaint(("monitors", name, "detect", "kind"), "bad-value", message)


def a_calibration_is_of_labels(raw: Any) -> Iterator[Complaint]:
    if at(raw, "review", "audit", "against") == "calibration" and not isinstance(at(raw, "labels"), dict):
        message = "a calibration is learned from labels: it needs the section labels, be it 'labels: {}'."
        yield Complaint(("review", "audit", "against"), "bad-value", message)


LABEL_RULES: tuple[Rule, ...] = (
    labels_are_asked_for,
    a_gap_is_of_errors,
    labels_are_only_missed,
    a_calibration_is_of_labels,
)
"""What holds between labels and other sections; `labels-misused.bad.yaml` has the sentences."""
