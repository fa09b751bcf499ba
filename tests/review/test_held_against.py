"""What an item of the audit is held against: the model's own word, or the calibration of its time."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.confidence import cells_of
from detectors.estimated_error import at_most
from streamer.review.held_against import HeldAgainst
from streamer.series.calibrations import BLOCK
from tests.series.test_calibrations import WHOLE, fed, labels


def test_the_models_own_word_is_less_its_confidence() -> None:
    assert HeldAgainst(None, None).error("m", 0.75) == 0.25


def test_it_is_what_labels_said_at_most_before_the_event() -> None:
    learned = fed(labels(2 * BLOCK + 100))
    versions = [calibration for _, calibration in learned.stood(WHOLE)]
    for event, version in ((BLOCK, 1), (2 * BLOCK - 1, 1), (2 * BLOCK, 2), (None, 2)):
        for confidence in (0.2, 0.6, 0.9):
            cell = cells_of(np.array([confidence])).item()
            expected = at_most(versions[version])[cell]
            assert HeldAgainst(learned, event).error("m", confidence) == expected
            assert 0.0 < expected < 1.0


@pytest.mark.parametrize(("model", "event", "confidence"), [("m", 5, 0.5), ("n", None, 0.5), ("m", None, 0.0001)])
def test_nothing_is_known_before_the_first_version_of_a_stranger_and_where_no_label_was(
    model: str, event: int | None, confidence: float
) -> None:
    assert HeldAgainst(fed(labels(2 * BLOCK + 100)), event).error(model, confidence) is None
