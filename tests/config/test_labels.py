"""The sections about what is said later of an inference."""

from __future__ import annotations

import pytest

from streamer.config.labels import Feedback, Labels
from streamer.config.load import load_text
from streamer.signals.roles import LABELLED, TRUTH
from tests.config.samples import LEAST


def test_what_is_there_by_default() -> None:
    labels = Labels()
    assert (labels.ttl_ms, labels.window_ms, labels.pending) == (30 * 86_400_000, 3_600_000, 1_000_000)
    assert Feedback().action != labels.label


@pytest.mark.parametrize("text", ["{ttl: 1s}", "{pending: 0}", "{label: value}", "{window: 1s}", "{time: /t}"])
def test_what_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(Exception, match="labels"):
        load_text(f"{LEAST}labels: {text}\n", "x", {})


def test_the_standard_set_watches_realised_error_where_there_are_labels() -> None:
    about = {"realised-error", "absolute-error", "prediction-bias", "brier"}
    without = load_text(LEAST, "x", {})
    with_labels = load_text(f"{LEAST}labels: {{}}\n", "x", {})
    assert set(with_labels.effective_monitors()) - set(without.effective_monitors()) == about
    assert with_labels.roles() == without.roles() | {LABELLED: "/label/event_id", TRUTH: "/label/value"}
