"""Reviewers of a scenario: they answer what is asked of the events of a stream, which say themselves whether their
prediction is wrong, and make mistakes.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson
from pydantic import Field

from schemas.events.batch import Record
from streamer.config import model as cfg
from streamer.config.types import Model
from streamer.port import Out
from streamer.review.open_items import verdict_record
from streamer.signals.verdicts import RIGHT, WRONG

TOGETHER = 50
"""Events between two times that people answer, so that it is the same however the stream is cut."""


TRUE = (True, "true", "yes")
"""A choice of a stream gives texts."""


class Person(Model):
    """One of them. From an event on, which the healthy twin has not, mistakes are others."""

    share: float = Field(1.0, gt=0, le=1)
    mistakes: float = Field(0.0, ge=0, le=1)
    begin: int | None = Field(None, alias="from", ge=0)
    later: float | None = Field(None, ge=0, le=1)

    def wrong_by(self, number: int, changed: bool) -> float:
        """How many mistakes this one makes at an event."""
        over = changed and self.begin is not None and self.later is not None and number >= self.begin
        return self.later if over and self.later is not None else self.mistakes


class Reviewers(Model):
    """`wrong`: the member of an event that says whether its prediction is wrong; no field of the config names it."""

    wrong: str = "wrong"
    people: dict[str, Person] = Field(min_length=1)


class Items(Model):
    """How many items of a kind, for a reason, about events of a stretch must have come."""

    kind: str | None = None
    reason: str | None = None
    within: list[int] | None = Field(None, min_length=2, max_length=2)
    count: list[int] = Field(min_length=2, max_length=2)

    def fits(self, item: Mapping[str, Any]) -> bool:
        offset = item["event"]["offset"]
        return (
            self.kind in (None, item["kind"])
            and (self.reason is None or self.reason in item["reasons"])
            and (self.within is None or self.within[0] <= offset <= self.within[1])
        )

    def wrong(self, items: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        count = sum(map(self.fits, items))
        if not self.count[0] <= count <= self.count[1]:
            said = ", ".join(f"{name} {value}" for name, value in self.model_dump(exclude_defaults=True).items())
            yield f"expected items, {said}: came {count} of {len(items)}"


class Answers:
    """What they say, each of an item once, in the order in which items come."""

    def __init__(self, who: Reviewers, config: cfg.Config, seed: int, changed: bool, events: Sequence[Record]) -> None:
        self.who, self.config, self.changed, self.events = who, config, changed, events
        self.rng = random.Random(seed)
        self.said = 0

    def to(self, outs: Iterable[Out]) -> list[Record]:
        """Verdict records on the items among what was published."""
        found = []
        for out in outs:
            if out.topic != "review" or out.value is None:
                continue
            item = orjson.loads(out.value)["data"]
            event = self.events[item["event"]["offset"]]
            wrong = orjson.loads(event.value or b"").get(self.who.wrong) in TRUE
            for name, person in self.who.people.items():
                looks, errs = self.rng.random() < person.share, self.rng.random()
                if not looks:
                    continue
                is_wrong = wrong != (errs < person.wrong_by(event.offset, self.changed))
                told = {"model": item["model"], "review_id": item["review_id"], "reviewer": name}
                said = {**told, "verdict": WRONG if is_wrong else RIGHT}
                key, value, headers = verdict_record(self.config, said, event.time_ms)
                found.append(Record(self.said, event.time_ms, key, value, tuple(headers)))
                self.said += 1
        return found
