"""Features of a sample that only rise: times, counters and ids that are given out in order. A hint for `exclude`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from schemas.events.batch import Batch
from streamer.config import model as cfg
from streamer.config.yaml_source import PathKey
from streamer.port import Partition
from streamer.signals.grammar import excluded
from streamer.signals.observe import FEATURES

LEAST = 50
"""Steps that tell it; so many of a quantity never all go up."""
MOST = 0.98
"""So many of the steps are up, at least: events of several producers are a little out of order, and a counter may begin
again."""
SERIES_MAX = 10_000
SHOWN = 8


class OnlyRises:
    """Per partition, model and feature the last value; per feature all steps and those that are up."""

    def __init__(self) -> None:
        self.last: dict[tuple[Partition, str, str], float] = {}
        self.steps, self.up = Counter[str](), Counter[str]()

    def take(self, partition: Partition, batch: Batch) -> None:
        """Note the numbers of a batch, in their order."""
        models = batch.model[batch.numbers.event]
        for code in np.unique(batch.numbers.name).tolist():
            name = batch.names[code]
            if not name.startswith(FEATURES):
                continue
            here = batch.numbers.name == code
            for model in np.unique(models[here]).tolist():
                self._learn((partition, batch.strings[model], name), batch.numbers.value[here & (models == model)])

    def _learn(self, key: tuple[Partition, str, str], values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
        if key not in self.last and len(self.last) >= SERIES_MAX:
            return
        rises = np.diff(values, prepend=self.last.get(key, values[0])) > 0
        self.steps[key[2]] += len(values) - (key not in self.last)
        self.up[key[2]] += int(np.count_nonzero(rises))
        self.last[key] = values[-1].item()

    def names(self) -> list[str]:
        """Features that look like times or counters."""
        return [name for name, steps in self.steps.items() if steps >= LEAST and self.up[name] >= MOST * steps]

    def told(self, config: cfg.Config) -> Iterator[tuple[PathKey, str]]:
        """One sentence, with the YAML that would leave them out; what is excluded is nobody's."""
        names = [name for name in self.names() if not excluded(name, tuple(config.exclude))]
        if names:
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            rise = "only rises: a time, a counter or an id" if len(names) == 1 else "only rise: times, counters or ids"
            shown = ", ".join(names[:SHOWN])
            yield (), f"in the sample {shown}{more} {rise}, and will be beyond all that was: say exclude: [{shown}]."
