"""The stages of a config: new ones, and those of a snapshot."""

from __future__ import annotations

from streamer.config import model as cfg
from streamer.config.decoder_fields import fields_of
from streamer.engine.engines import ENGINE, Engine
from streamer.engine.history import NOBODY_KNOWS
from streamer.engine.ordering import Ordering
from streamer.engine.stage import Decode
from streamer.engine.task import Task
from streamer.port import Partition, Parts


class Tasks:
    """Makes the tasks of a config, of its topics or of the ordered log. See `Stages`."""

    def __init__(self, config: cfg.Config, engine: Engine = ENGINE) -> None:
        self.config, self.engine = config, engine
        ordered = config.topics.ordered is not None
        self.decode: Decode = engine.unpacker() if ordered else engine.decoder(fields_of(config))

    def new(self, partition: Partition, position: int, generation: int = 0, first_end: int = 0) -> Task:
        engine, ordered = self.engine, self.config.topics.ordered is not None
        end = NOBODY_KNOWS if ordered else first_end
        return Task(self.config, partition, position, engine=engine, generation=generation, first_end=end)

    def load(self, partition: Partition, blob: bytes) -> Task:
        return Task.load(self.config, partition, blob, self.engine)


class Orderings:
    """Makes the stages before the ordered log. `known`: the commits of the group say what the `parts` are. See
    `Stages`.
    """

    def __init__(self, config: cfg.Config, parts: Parts, known: bool = False, engine: Engine = ENGINE) -> None:
        self.config, self.parts, self.known, self.engine = config, parts, known, engine
        self.decode: Decode = engine.decoder(fields_of(config))

    def new(self, partition: Partition, position: int, generation: int = 0, first_end: int = 0) -> Ordering:
        return Ordering(self.config, partition, position, self.parts, generation, first_end, self.engine)

    def load(self, partition: Partition, blob: bytes) -> Ordering:
        return Ordering.load(self.config, partition, blob, self.parts, self.known, self.engine)
