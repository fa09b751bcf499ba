"""What the events of each model are like: how many, from when to when, and of each field a sample of values."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from detectors.reference import middle, robust_scale
from schemas.events.batch import Batch
from streamer.signals.roles import is_about

SAMPLE = 500
"""First values of a field, as many as a reference is learned from by default."""
FIELDS_MAX = 20_000
"""Fields of models of which samples are kept, 80 MB of them."""
TEXTS_MAX = 1_000


@dataclass
class Seen:
    """A field of a model. `sample`: of numbers, the first; `texts`: how often each came."""

    numbers: int = 0
    nulls: int = 0
    words: int = 0
    sample: list[float] = field(default_factory=list)
    texts: Counter[str] = field(default_factory=Counter)

    @property
    def centre(self) -> float:
        return float(middle(np.sort(self.sample))) if self.sample else 0.0

    @property
    def scale(self) -> float:
        """Its deviation, as a reference has it."""
        return robust_scale(np.sort(self.sample), self.centre) if self.sample else 0.0

    @property
    def like_an_id(self) -> bool:
        """All whole, and hardly one of them twice."""
        whole = all(value == int(value) for value in self.sample)
        return whole and len(self.sample) > 20 and len(set(self.sample)) > 0.9 * len(self.sample)


@dataclass
class Stretch:
    """Events of a model, and their first and last time."""

    events: int = 0
    first_ms: int = 0
    last_ms: int = 0


class Survey:
    """Of every model."""

    def __init__(self) -> None:
        self.models: dict[str, Stretch] = {}
        self.fields: dict[tuple[str, str], Seen] = {}
        self.records = 0

    def take(self, batch: Batch) -> None:
        """Note a batch: stretches and samples."""
        self.stretches(batch)
        self._values(batch)

    def stretches(self, batch: Batch) -> None:
        """Note how many inferences, and from when to when; labels and feedback are none."""
        models = np.where(is_about(batch), -1, batch.model)
        for code in np.unique(models[models >= 0]).tolist():
            times_ms = batch.times_ms[models == code]
            known = self.models.setdefault(batch.strings[code], Stretch(0, times_ms.min().item(), 0))
            known.events += len(times_ms)
            known.first_ms = min(known.first_ms, times_ms.min().item())
            known.last_ms = max(known.last_ms, times_ms.max().item())

    def _values(self, batch: Batch) -> None:
        for model, name, values in _by_field(batch, batch.numbers.event, batch.numbers.name, batch.numbers.value):
            if (seen := self._seen(model, name)) is not None:
                seen.numbers += len(values)
                seen.sample += values[: SAMPLE - len(seen.sample)].tolist()
        for model, name, codes in _by_field(batch, batch.texts.event, batch.texts.name, batch.texts.text):
            if (seen := self._seen(model, name)) is not None:
                seen.words += len(codes)
                for code, count in zip(*np.unique(codes, return_counts=True), strict=True):
                    text = batch.strings[int(code)]
                    if text in seen.texts or len(seen.texts) < TEXTS_MAX:
                        seen.texts[text] += int(count)
        for model, name, events in _by_field(batch, batch.nulls.event, batch.nulls.name, batch.nulls.event):
            if (seen := self._seen(model, name)) is not None:
                seen.nulls += len(events)

    def _seen(self, model: str, name: str) -> Seen | None:
        if (model, name) not in self.fields and len(self.fields) >= FIELDS_MAX:
            return None
        return self.fields.setdefault((model, name), Seen())

    def span(self) -> tuple[int, int]:
        """First and last time of all."""
        stretches = self.models.values()
        return min((one.first_ms for one in stretches), default=0), max((one.last_ms for one in stretches), default=0)


def _by_field(batch: Batch, event: Any, name: Any, values: Any) -> list[tuple[str, str, Any]]:
    """Model, field and its values in their order."""
    if not len(event):
        return []
    codes = batch.model[event].astype(np.int64) * len(batch.names) + name
    order = np.argsort(codes, kind="stable")
    found, begins = np.unique(codes[order], return_index=True)
    ends = [*begins[1:].tolist(), len(order)]
    return [
        (batch.strings[code // len(batch.names)], batch.names[code % len(batch.names)], values[order[begin:end]])
        for code, begin, end in zip(found.tolist(), begins.tolist(), ends, strict=True)
    ]
