"""Why labels met no inference, on a sample: each that did not, by what the records say. What `driftline explain` tells.

It knows all ids of the sample, so it is for files and ranges, not for a service.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from schemas.events.batch import Batch
from streamer.config import model as cfg
from streamer.config.units import show_duration
from streamer.engine.erasing import ids_of
from streamer.port import Partition
from streamer.series.predictions import NOTHING, NUMBER, said_of
from streamer.signals.roles import OPT_OUT, Population, is_true, populations

Place = tuple[Partition, int]


class Inference(NamedTuple):
    kind: int
    came_ms: int  # the newest event time by then


class Label(NamedTuple):
    id: int  # the hash of the text
    model: int
    truth: bool  # there is one
    number: bool  # it is a number, or can be one
    came_ms: int
    place: Place


class Unmet:
    """Takes the batches of a sample in the order of the log."""

    def __init__(self, config: cfg.Config) -> None:
        self.config, self.roles = config, config.roles()
        self.inferences: dict[int, dict[int, Inference]] = {}  # by id and model
        self.labels, self.nameless, self.clock_ms = list[Label](), 0, 0

    def take(self, partition: Partition, batch: Batch) -> None:
        if self.config.labels is None or not len(batch.offsets):
            return
        batch = replace(batch, aliases=self.roles)
        for id in ids_of(batch):
            self.inferences.pop(id, None)
        every = np.ones(len(batch.offsets), bool)  # but who opted out, of whom nobody is to know anything
        of = populations(batch, every if self.config.privacy is None else ~is_true(batch, OPT_OUT))
        labels, inferences = of[Population.LABELS], of[Population.INFERENCES]
        said, about = said_of(batch, labels, inferences), partition[0] in self.config.topics.sides.values()
        for event in np.flatnonzero(labels | (inferences & (not about))).tolist():
            model = said.models.item(event)
            id = said.ids.item(event) ^ model
            if labels.item(event):
                number = said.number.item(event)
                told = bool(said.truth.item(event)), number == number, self.clock_ms
                self.labels.append(Label(id, model, *told, (partition, batch.offsets.item(event))))
                continue
            self.clock_ms = max(self.clock_ms, batch.times_ms.item(event))
            if batch.event_id.item(event):
                self.inferences.setdefault(id, {})[model] = Inference(said.kind.item(event), self.clock_ms)
            else:
                self.nameless += 1

    def why(self, label: Label) -> str:
        """Why it met none, or empty."""
        assert self.config.labels is not None
        ttl_ms, same = self.config.labels.ttl_ms, self.inferences.get(label.id, {})
        mine = same.get(label.model)
        if not label.truth:
            return "it has no truth: a text, true or false, or a number"
        if mine is None:
            return "the inference of that id is of another model" if same else "no inference has that id"
        if abs(label.came_ms - mine.came_ms) > ttl_ms:
            return f"it came more than labels.ttl, {show_duration(ttl_ms)}, from its inference"
        if mine.kind == NOTHING:
            return "its inference predicts nothing: neither a label nor scores nor a value"
        return "its inference predicts a number, and it has none" if mine.kind == NUMBER and not label.number else ""

    def told(self, place: Callable[[Partition, int], str]) -> Iterator[str]:
        """A line for each reason, with the first record of which it holds."""
        first, many = dict[str, Place](), dict[str, int]()
        for label in self.labels:
            if why := self.why(label):
                first.setdefault(why, label.place)
                many[why] = many.get(why, 0) + 1
        for why, count in sorted(many.items(), key=lambda one: -one[1]):
            yield f"  {count:,} labels: {why}; first {place(*first[why])}."
        if self.nameless and self.labels:
            yield f"  {self.nameless:,} inferences have no event_id: nothing can be about them."
