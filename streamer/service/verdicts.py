"""Verdicts as they stand in their topic, whoever wrote them: the page, a verb, a tool of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from schemas.events.batch import Record
from schemas.records.alert import rfc3339
from streamer.config.model import Config
from streamer.signals.verdicts import alert_verdicts, item_verdicts


class Said(NamedTuple):
    about: str  # an item, or an alert by any id of it
    by: str
    word: str
    reason: str
    time: str


class Verdicts:
    """Reads records of the topic of `verdicts` as the config says; what cannot be used says nothing here. Where names
    of reviewers are hashed nobody sees them here either.
    """

    def __init__(self, config: Config) -> None:
        from streamer.config.decoder_fields import sides_of
        from streamer.engine.engines import ENGINE

        assert config.verdicts is not None
        self.topic, self._hashed = config.verdicts.topic, config.verdicts.hash_reviewers
        self._decode = ENGINE.side(sides_of(config)[self.topic])

    def read(self, records: Sequence[Record]) -> list[Said]:
        """`records` of one partition, in their order."""
        batch = self._decode(list(records), self.topic)
        used = np.ones(len(batch.offsets), bool)
        given = batch, used, batch.times_ms, self._hashed
        found = [*item_verdicts(*given), *alert_verdicts(*given)]
        return [Said(one.about, one.reviewer, one.said, one.reason, rfc3339(one.time_ms)) for one in found if one.said]


def verdicts_of(config: Config) -> Verdicts | None:
    """None where the config has none."""
    return None if config.verdicts is None else Verdicts(config)
