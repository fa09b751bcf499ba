"""Numbers of a sample that look like codes: few whole ones, far apart. A hint for `categorical`, and never more."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from schemas.events.batch import Batch
from streamer.config import model as cfg
from streamer.config.yaml_source import PathKey
from streamer.signals.grammar import excluded
from streamer.signals.observe import FEATURES

FEW = (3, 64)
"""So many different ones; fewer are a switch or a grade, more are a quantity."""
AGAIN = 20
"""Each of them comes so often, on average."""
APART = 4
"""Of as many steps as lie between the least and the greatest at most one in so many is taken. A step is the greatest
that leads to all of them: 10, 20, 30 and 40 are a scale and no codes."""
WHOLE_MAX = 2**53
NAMES_MAX = 10_000


class MaybeCodes:
    """The different whole numbers of each feature, and how many values it had."""

    def __init__(self) -> None:
        self.values: dict[str, set[float] | None] = {}  # None for what is no code
        self.counts: dict[str, int] = {}

    def take(self, batch: Batch) -> None:
        for code in np.unique(batch.numbers.name).tolist():
            name = batch.names[code]
            if name.startswith(FEATURES) and (name in self.values or len(self.values) < NAMES_MAX):
                self._learn(name, batch.numbers.value[batch.numbers.name == code])

    def _learn(self, name: str, values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
        known = self.values.setdefault(name, set())
        if known is None:
            return
        whole = bool(((values == np.floor(values)) & (np.abs(values) < WHOLE_MAX)).all())
        known |= set(np.unique(values).tolist()) if whole else set()
        self.counts[name] = self.counts.get(name, 0) + len(values)
        if not whole or len(known) > FEW[1]:
            self.values[name] = None

    def names(self) -> list[str]:
        """Features that look like codes."""
        return [name for name, known in self.values.items() if known and self._looks(known, self.counts[name])]

    def _looks(self, known: set[float], count: int) -> bool:
        if len(known) < FEW[0] or count < AGAIN * len(known):
            return False
        numbers = np.array(sorted(map(int, known)), np.int64)
        step = int(np.gcd.reduce(np.diff(numbers)))
        return int(numbers[-1] - numbers[0]) // step >= APART * len(known)

    def told(self, config: cfg.Config) -> Iterator[tuple[PathKey, str]]:
        """One sentence, with the YAML that would make texts of them; what is excluded is nobody's."""
        names = [name for name in self.names() if not excluded(name, tuple(config.exclude))]
        if names:
            shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
            what = "looks like a code" if len(names) == 1 else "look like codes"
            why = "few whole numbers that are far apart"
            yield (), f"in the sample {shown} {what} ({why}): if so, say categorical: [{', '.join(names[:8])}]."
