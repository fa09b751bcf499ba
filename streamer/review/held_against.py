"""What an item of the audit is held against, from before anybody looks at it: the error that its model says it has.

That is the model's own word, 1 - confidence, or what labels say at most of the error at that confidence by then. Of one
test each item is held against the calibration of its time: a fair bet stays one whatever was bet on before, so the test
goes on where a calibration gets its next version, and its alpha is for all of them together.
"""

from __future__ import annotations

import numpy as np

from detectors.bank import F64
from detectors.confidence import cells_of
from detectors.estimated_error import at_most
from streamer.series.calibrations import ANY, Calibrations


class HeldAgainst:
    """Of the items of one moment: that before an event of the batch at hand, or now. `learned`: None for the models'
    own word.
    """

    def __init__(self, learned: Calibrations | None, event: int | None) -> None:
        self.learned, self.event = learned, event
        self.borders: dict[str, F64 | None] = {}  # by model, by cell of confidence

    def error(self, model: str, confidence: float) -> float | None:
        """None where labels say nothing of it yet: on such an item nothing is bet."""
        if self.learned is None:
            return 1.0 - confidence
        if model not in self.borders:
            known = self.learned.before(((), (model,), ANY), self.event)
            self.borders[model] = None if known is None else at_most(known)
        borders = self.borders[model]
        found = 1.0 if borders is None else float(borders[cells_of(np.array([confidence])).item()])
        return found if found < 1.0 else None
