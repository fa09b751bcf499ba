"""The tasks of a config: new ones, and those of a snapshot."""

from __future__ import annotations

from streamer.config import model as cfg
from streamer.config.decoder_fields import fields_of
from streamer.engine.engines import ENGINE, Engine
from streamer.engine.task import Task
from streamer.port import Partition


class Tasks:
    """Makes the tasks of a config. See `Stages`."""

    def __init__(self, config: cfg.Config, engine: Engine = ENGINE) -> None:
        self.config, self.engine = config, engine
        self.decode = engine.decoder(fields_of(config))

    def new(self, partition: Partition, position: int, generation: int = 0, first_end: int = 0) -> Task:
        engine = self.engine
        return Task(self.config, partition, position, engine=engine, generation=generation, first_end=first_end)

    def load(self, partition: Partition, blob: bytes) -> Task:
        return Task.load(self.config, partition, blob, self.engine)
