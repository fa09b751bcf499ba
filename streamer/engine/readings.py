"""How the series of a task read a batch: values where their names are at home, and the numbers that are made of others.

What is about the values as they were sent reads the batch itself, see `as_sent` of `streamer/signals/kinds.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from schemas.events.batch import Batch
from streamer.config import model as cfg
from streamer.config.reference_file import References
from streamer.series.homes import LABEL, Homes
from streamer.series.table import TableId
from streamer.signals.columns import Bool
from streamer.signals.derived import enriched
from streamer.signals.grammar import computed, number_of


class Readings:
    """State: where names are at home."""

    def __init__(self, config: cfg.Config, tables: Iterable[TableId], places: int) -> None:
        numbers = {number_of(i.signal): computed(i.signal) for i in tables}
        self.derived = {path: made for path, made in numbers.items() if made is not None}
        self.homes = Homes(config.reference.warmup, places, config.categorical, config.given_hash)
        for known in homes_of(config.given) if config.given is not None else ():
            self.homes.seed(*known)

    def take(self, batch: Batch, seen: Bool) -> Batch:
        """The batch as series know it; learns from the events that are seen."""
        return enriched(self.homes.at_home(batch, seen), self.derived)

    def dump(self) -> Any:
        return self.homes.dump()

    def load(self, state: Any) -> None:
        """ValueError for an invalid state."""
        self.homes.load(state)


def homes_of(references: References) -> Iterator[tuple[str, str, bool | None, list[str]]]:
    """What a file of references knows of names: see `Homes.seed`."""
    numbers, texts = dict[tuple[str, str], bool](), dict[tuple[str, str], dict[str, None]]()
    for table in references.tables:
        kind = table.signal.partition(" ")[0]
        for one in table.series:
            key = one.key[0], LABEL if kind == "label" else one.member
            if kind == "number":
                bits = one.quantiles is None and one.centre in (0.0, 1.0) and 0.0 <= one.mean <= 1.0
                numbers[key] = numbers.get(key, True) and bits
            elif kind == "label":
                texts.setdefault(key, {})[one.member] = None
            elif kind in ("category", "unseen") and one.is_category:
                texts.setdefault(key, {}).update(dict.fromkeys(one.categories or ()))
    for model, name in {**numbers, **texts}:
        if (model, name) in numbers or texts[model, name]:
            yield model, name, numbers.get((model, name)), [*texts.get((model, name), ())]
