"""Seeded streams of events for scenario tests: a template with generators at its leaves, and what changes when.

A mapping of one key that is a name of GENERATORS draws a value, anything else is itself.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from pydantic import Field

from schemas.events.batch import Record
from streamer.config.types import Duration, Model, Pointer

BEGIN_MS = 1_767_225_600_000
"""Streams begin on 2026-01-01 at midnight UTC, a Thursday."""
WEEKDAY, SATURDAY = 3, 5
"""Of that day, and the first on which offices are closed; Monday is 0."""
ABSENT = object()


@dataclass
class Now:
    """What a generator may look at."""

    rng: random.Random
    number: int = 0
    time_s: float = 0.0  # since the beginning
    hidden: dict[str, Any] = field(default_factory=dict)  # drawn once per event


Draw = Callable[[Now], Any]


class BadGenerator(ValueError):
    """A template that means nothing; `path` is where in it."""

    def __init__(self, path: tuple[str | int, ...], message: str) -> None:
        super().__init__(message)
        self.path = path


def _pair(function: Callable[[random.Random, float, float], Any]) -> Callable[[Any], Draw]:
    def make(given: Any) -> Draw:
        one, two = map(float, given)
        return lambda now: function(now.rng, one, two)

    return make


def _choice(given: Any) -> Draw:
    values, weights = (list(given), list(given.values())) if isinstance(given, dict) else (list(given), None)
    random.Random(0).choices(values, weights)  # Weights that cannot be raise here and not in the middle of a stream.
    return lambda now: now.rng.choices(values, weights)[0]


def _mixture(given: Any) -> Draw:
    weights, draws = [float(part[0]) for part in given], [compiled(part[1], ()) for part in given]
    return lambda now: now.rng.choices(draws, weights)[0](now)


def _numbers(combine: Callable[[list[float]], float]) -> Callable[[Any], Draw]:
    def make(given: Any) -> Draw:
        draws = [compiled(part, ()) for part in given]
        return lambda now: combine([float(draw(now)) for draw in draws])

    return make


def _instead(value: Any) -> Callable[[Any], Draw]:
    """`[share, generator]`: this value instead, in so large a share of the events."""

    def make(given: Any) -> Draw:
        share, draw = float(given[0]), compiled(given[1], ())
        return lambda now: value if now.rng.random() < share else draw(now)

    return make


def _sine(given: Any) -> Draw:
    mean, amplitude, period_s = map(float, given)
    return lambda now: mean + amplitude * math.sin(2 * math.pi * now.time_s / period_s)


def _bounded(given: Any) -> Draw:
    draw, low, high = compiled(given[0], ()), float(given[1]), float(given[2])
    return lambda now: min(max(draw(now), low), high)


def _earlier(given: Any) -> Draw:
    text, events = str(given[0]), int(given[1])
    return lambda now: text.replace("{}", str(now.number - events))


def _single(function: Callable[[Now, Any], Any]) -> Callable[[Any], Draw]:
    return lambda given: lambda now: function(now, given)


GENERATORS: dict[str, Callable[[Any], Draw]] = {
    "normal": _pair(lambda rng, mean, deviation: rng.gauss(mean, deviation)),
    "lognormal": _pair(lambda rng, mean, deviation: rng.lognormvariate(mean, deviation)),
    "uniform": _pair(lambda rng, low, high: rng.uniform(low, high)),
    "gamma": _pair(lambda rng, shape, scale: rng.gammavariate(shape, scale)),
    "beta": _pair(lambda rng, a, b: rng.betavariate(a, b)),
    "integer": _pair(lambda rng, low, high: rng.randint(int(low), int(high))),
    "choice": _choice,  # a list, or value: weight
    "mixture": _mixture,  # [[weight, generator], ...]
    "sum": _numbers(sum),
    "product": _numbers(math.prod),
    "sine": _sine,  # [mean, amplitude, period in seconds]
    "bounded": _bounded,  # [generator, least, most]
    "null": _instead(None),  # [share, generator]
    "absent": _instead(ABSENT),  # [share, generator]
    "hidden": _single(lambda now, name: now.hidden[name]),  # a name of the stream's `hidden`
    "text": _single(lambda now, text: str(text).replace("{}", str(now.number))),  # "{}" is the event's number
    "earlier": _earlier,  # [text, events]: the same of the event so many before
}


def compiled(template: Any, path: tuple[str | int, ...]) -> Draw:
    """A function that draws what the template says; BadGenerator where it says nothing."""
    if isinstance(template, dict) and len(template) == 1 and next(iter(template)) in GENERATORS:
        [(name, given)] = template.items()
        try:
            return GENERATORS[name](given)
        except BadGenerator as error:
            raise BadGenerator((*path, name), str(error)) from None
        except (TypeError, ValueError, IndexError, KeyError) as error:
            raise BadGenerator((*path, name), f"{name} does not take this: {error}") from None
    if isinstance(template, dict):
        parts = {name: compiled(part, (*path, name)) for name, part in template.items()}
        return lambda now: {name: value for name, draw in parts.items() if (value := draw(now)) is not ABSENT}
    if isinstance(template, list):
        draws = [compiled(part, (*path, i)) for i, part in enumerate(template)]
        return lambda now: [draw(now) for draw in draws]
    return lambda now: template


class Change(Model):
    """From one event on (to another, exclusive) something is different."""

    begin: int = Field(0, alias="from", ge=0)
    to: int | None = Field(None, ge=1)
    share: float = Field(1.0, gt=0, le=1)
    path: Pointer | None = None
    multiply: float | None = None
    add: float | None = None
    set: Any = ABSENT
    drop: bool = False
    over: int | None = Field(None, ge=1)  # events until `multiply` and `add` have their whole size
    every_ms: Duration | None = Field(None, alias="every")
    pause_ms: Duration | None = Field(None, alias="pause")

    def holds(self, number: int) -> bool:
        return self.begin <= number and (self.to is None or number < self.to)


class Hours(Model):
    """When events come at all: for a while in every period, such as an hour of each night."""

    begin_ms: Duration = Field("0s", alias="from", validate_default=True)
    for_ms: Duration = Field(alias="for", ge=1)
    each_ms: Duration = Field("1d", alias="each", ge=1, validate_default=True)
    weekdays: bool = False  # and not on Saturdays and Sundays

    def next_s(self, time_s: float) -> float:
        """The first time from this on at which events come; both since the beginning."""
        each_s, day_s = self.each_ms / 1000, 86_400.0
        since_s = (time_s - self.begin_ms / 1000) % each_s
        if since_s >= self.for_ms / 1000:
            time_s += each_s - since_s
        while self.weekdays and (WEEKDAY + time_s // day_s) % 7 >= SATURDAY:
            time_s = self.next_s_of_day(time_s // day_s + 1)
        return time_s

    def next_s_of_day(self, day: float) -> float:
        """When it begins on that day."""
        return day * 86_400.0 + self.begin_ms / 1000


class Stream(Model):
    """A template, how often it is drawn, and what changes."""

    seed: int = 1
    events: int = Field(ge=1, le=1_000_000)
    every_ms: Duration = Field("1s", alias="every", validate_default=True)
    random_times: bool = False
    only: Hours | None = None
    disorder_ms: Duration = Field("0s", alias="disorder", validate_default=True)
    hidden: dict[str, Any] = Field(default_factory=dict)
    event: dict[str, Any]
    changes: list[Change] = Field(default_factory=list)


def records(stream: Stream, changed: bool = True) -> Iterator[Record]:
    """The stream; without its changes it is the healthy twin: both draw the same values."""
    draws = {name: compiled(part, ("hidden", name)) for name, part in stream.hidden.items()}
    event = compiled({"model": "m", **stream.event}, ("event",))
    changes = stream.changes if changed else []
    sets = [(c, None if c.set is ABSENT else compiled(c.set, ("changes", i, "set"))) for i, c in enumerate(changes)]
    # Three sources of chance, so that what changes in the stream does not change the rest of it.
    now, times, other = (Now(random.Random(stream.seed + i)) for i in range(3))
    for number in range(stream.events):
        now.number = number
        now.hidden = {}
        for name, draw in draws.items():
            now.hidden[name] = draw(now)
        drawn = event(now)
        late_s = times.rng.random() * stream.disorder_ms / 1000
        step = times.rng.expovariate(1.0) if stream.random_times else 1.0
        every_ms = float(stream.every_ms)
        for change, instead in sets:
            every_ms = change.every_ms if change.every_ms is not None and change.holds(number) else every_ms
            if change.pause_ms is not None and change.begin == number:
                now.time_s += change.pause_ms / 1000
            if change.path is not None and change.holds(number) and other.rng.random() < change.share:
                other.number, other.time_s, other.hidden = number, now.time_s, now.hidden
                apply(change, instead, drawn, other)
        if stream.only is not None:
            now.time_s = stream.only.next_s(now.time_s)
        arrived_ms = BEGIN_MS + now.time_s * 1000
        drawn.setdefault("time", round(arrived_ms / 1000 - late_s, 3))
        yield Record(number, int(arrived_ms), None, orjson.dumps(drawn))
        now.time_s += every_ms / 1000 * step


def apply(change: Change, instead: Draw | None, event: dict[str, Any], now: Now) -> None:
    """Change one place of an event; one that is not there is made only by `set`."""
    assert change.path is not None
    *above, last = (part.replace("~1", "/").replace("~0", "~") for part in change.path.split("/")[1:])
    place: Any = event
    for name in above:
        if not isinstance(place, dict) or (name not in place and instead is None):
            return
        place = place.setdefault(name, {})
    if not isinstance(place, dict):
        return
    if instead is not None:
        place[last] = instead(now)
        if place[last] is ABSENT:
            del place[last]
    elif change.drop:
        place.pop(last, None)
    elif isinstance(place.get(last), int | float):
        part = 1.0 if change.over is None else min((now.number - change.begin) / change.over, 1.0)
        factor = 1.0 if change.multiply is None else 1.0 + (change.multiply - 1.0) * part
        place[last] = place[last] * factor + (change.add or 0.0) * part


def literal(events: list[Any]) -> Iterator[tuple[str | None, Record]]:
    """Records as they stand in the file, with their topic where they name one: mappings are events, texts are payloads
    as they are; `{topic: NAME, record: ...}`, also with a `key`, is one of that topic.
    """
    for number, event in enumerate(events):
        topic, key = None, None
        if isinstance(event, dict) and {"topic", "record"} <= set(event) <= {"topic", "record", "key"}:
            topic, key, event = str(event["topic"]), event.get("key"), event["record"]
        data = event.encode() if isinstance(event, str) else orjson.dumps(event)
        # Of an event that says itself when it was it is not said when its record came: it may be any later time.
        time_ms = -1 if isinstance(event, dict) and event.get("time") is not None else BEGIN_MS + number * 1000
        yield topic, Record(number, time_ms, None if key is None else str(key).encode(), data)
