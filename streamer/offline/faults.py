"""Faults that are put into a copy of a stream: what a decoded batch would have been, had something broken.

All of it is a function of a batch, of its offsets and its times: any cutting of the log gives the same copy. `size` is
what a kind counts in: a factor, a share of the events, or deviations of the values' own, as a reference has them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from detectors.extremes import DAY_MS
from detectors.shiryaev_roberts import mixed
from schemas.events.batch import Batch
from streamer.config.problems import did_you_mean
from streamer.offline.replay import BadInput
from streamer.offline.survey import Seen, Survey
from streamer.signals.columns import Bool
from streamer.signals.grammar import excluded, matches
from streamer.signals.observe import FEATURES
from streamer.signals.roles import is_about

NEW = "never seen before"
"""The text of a new category or label."""
LANES_MAX = 40
LABEL, CONFIDENCE, LATENCY = "prediction.label", "prediction.confidence", "latency_ms"


class Target(NamedTuple):
    """What of a model is changed."""

    name: str  # of the batch; empty where it is all of an event
    centre: float = 0.0
    scale: float = 0.0
    text: str = ""  # the most frequent


class Way(NamedTuple):
    """How a fault goes: its size, and the moment from which it is there."""

    size: float
    onset_ms: int


Apply = Callable[[Batch, Bool, Target, Way], Batch]
"""The batch, the events that are the model's and not before the onset, what of them, and how."""


class Kind(NamedTuple):
    """One sort of fault. `of`: which fields it is about, see FIELDS_OF."""

    of: str
    size: float
    says: str  # with {name} and {size}
    apply: Apply


class Fault(NamedTuple):
    """One fault, with what is changed of each model that has such a field."""

    kind: str
    size: float
    targets: Mapping[str, Target]

    def words(self, model: str) -> str:
        """`features.amount x 100`"""
        return KINDS[self.kind].says.format(name=self.targets[model].name, size=f"{self.size:g}", share=self.size)

    def hit(self, batch: Batch, model: str, onset_ms: int) -> Bool:
        """Which inferences are the model's, and not before the onset."""
        if model not in batch.strings:
            return np.zeros(len(batch.offsets), bool)
        mine = (batch.model == batch.strings.index(model)) & (batch.times_ms >= onset_ms)
        return np.asarray(mine & ~is_about(batch), bool)

    def changed(self, batch: Batch, onsets_ms: Mapping[str, int]) -> Batch:
        """The batch as it would have been, each model from its onset on."""
        for model, target in self.targets.items():
            hit = self.hit(batch, model, onsets_ms[model])
            if hit.any():
                batch = KINDS[self.kind].apply(batch, hit, target, Way(self.size, onsets_ms[model]))
        return batch


def chosen(offsets: Any, share: float) -> Bool:
    """A share of the events by their offsets alone, as if by chance.

    >>> round(float(chosen(np.arange(100_000), 0.1).mean()), 2)
    0.1
    """
    spread = mixed(offsets.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    return np.asarray(spread < np.uint64(min(share, 1.0) * (2**64 - 2**11)), bool)


def cells(batch: Batch, table: Any, name: str, hit: Bool) -> Bool:
    """Which values of a table are of that name, and of events that are hit."""
    if name not in batch.names:
        return np.zeros(len(table.event), bool)
    return np.asarray((table.name == batch.names.index(name)) & hit[table.event], bool)


def _numbers(change: Callable[[Any, Any, Target, Way], Any]) -> Apply:
    """A kind that gives numbers other values: `change(values, their times, ...)`."""

    def apply(batch: Batch, hit: Bool, target: Target, way: Way) -> Batch:
        where = cells(batch, batch.numbers, target.name, hit)
        values = batch.numbers.value.copy()
        values[where] = change(values[where], batch.times_ms[batch.numbers.event[where]], target, way)
        return replace(batch, numbers=batch.numbers._replace(value=values))

    return apply


def _nulls(batch: Batch, hit: Bool, target: Target, way: Way) -> Batch:
    hit = hit & chosen(batch.offsets, way.size)
    number, text = (cells(batch, table, target.name, hit) for table in (batch.numbers, batch.texts))
    if not (number.any() or text.any()):
        return batch
    event = np.concatenate([batch.nulls.event, batch.numbers.event[number], batch.texts.event[text]])
    name = np.concatenate([batch.nulls.name, batch.numbers.name[number], batch.texts.name[text]])
    order = np.argsort(event, kind="stable")
    return replace(
        batch,
        numbers=_rows(batch.numbers, ~number),
        texts=_rows(batch.texts, ~text),
        nulls=type(batch.nulls)(event[order], name[order]),
    )


def _rows(table: Any, keep: Bool) -> Any:
    """The rows of a table that stay."""
    return type(table)(*(column[keep] for column in table))


def _texts(text_of: Callable[[Target], str]) -> Apply:
    """A kind that gives a share of the texts, `size`, another value."""

    def apply(batch: Batch, hit: Bool, target: Target, way: Way) -> Batch:
        where = cells(batch, batch.texts, target.name, hit & chosen(batch.offsets, way.size))
        text, strings = text_of(target), batch.strings
        if text not in strings:
            strings = (*strings, text)
        codes = batch.texts.text.copy()
        codes[where] = strings.index(text)
        return replace(batch, strings=strings, texts=batch.texts._replace(text=codes))

    return apply


def _silence(batch: Batch, hit: Bool, target: Target, way: Way) -> Batch:
    """Without the events."""
    keep = ~hit
    place = np.cumsum(keep, dtype=np.int32) - np.int32(1)

    def kept(table: Any) -> Any:
        mine = keep[table.event]
        event, *columns = (column[mine] for column in table)
        return type(table)(place[event], *columns)

    own = ("offsets", "times_ms", "model", "version", "event_id", "rows")
    columns: dict[str, Any] = {
        name: None if getattr(batch, name) is None else getattr(batch, name)[keep] for name in own
    }
    odd = tuple(one._replace(event=place.item(one.event)) for one in batch.odd if keep[one.event])
    origin = None if batch.origin is None else _rows(batch.origin, keep)
    tables: dict[str, Any] = {"numbers": kept(batch.numbers), "texts": kept(batch.texts), "nulls": kept(batch.nulls)}
    return replace(batch, **columns, **tables, odd=odd, origin=origin)


def _creep(values: Any, times_ms: Any, target: Target, way: Way) -> Any:
    return values + way.size * target.scale * ((times_ms - way.onset_ms) / DAY_MS).clip(0.0, 1.0)


KINDS: dict[str, Kind] = {
    "unit": Kind("number", 100.0, "{name} in another unit: x {size}", _numbers(lambda v, t, a, w: v * w.size)),
    "shift": Kind(
        "number", 1.0, "{name} moved by {size} deviations", _numbers(lambda v, t, a, w: v + w.size * a.scale)
    ),
    "creep": Kind("number", 1.0, "{name} creeps by {size} deviations within a day", _numbers(_creep)),
    "spread": Kind(
        "number",
        2.0,
        "{name} spreads x {size}",
        _numbers(lambda v, t, a, w: a.centre + w.size * (v - a.centre)),
    ),
    "stuck": Kind("number", 1.0, "{name} is stuck at one value", _numbers(lambda v, t, a, w: a.centre)),
    "nulls": Kind("feature", 0.1, "{share:.0%} of {name} are null", _nulls),
    "new-category": Kind("text", 0.05, "{share:.0%} of {name} are a new category", _texts(lambda a: NEW)),
    "new-label": Kind("label", 0.05, "{share:.0%} of labels are a new one", _texts(lambda a: NEW)),
    "label-collapse": Kind("label", 1.0, "{share:.0%} of labels are the commonest one", _texts(lambda a: a.text)),
    "confidence": Kind(
        "confidence", 1.0, "confidence falls by {size} deviations", _numbers(lambda v, t, a, w: v - w.size * a.scale)
    ),
    "latency": Kind("latency", 1.5, "latency x {size}", _numbers(lambda v, t, a, w: v * w.size)),
    "silence": Kind("events", 1.0, "no events any more", _silence),
}
FIELDS_OF: dict[str, str] = {"label": LABEL, "confidence": CONFIDENCE, "latency": LATENCY}
SPEC = re.compile(r"(?P<kind>[a-z-]+)(?:=(?P<size>[0-9.]+(?:e-?[0-9]+)?))?(?:@(?P<name>.+))?")


class Spec(NamedTuple):
    """What was asked for: a kind, its size, and a pattern of features; empty for the one with the most values."""

    kind: str
    size: float
    name: str = ""


def parse_spec(text: str) -> list[Spec]:
    """`all`, `KIND`, `KIND=SIZE`, `KIND=SIZE@features.NAME`. BadInput says what is wrong.

    >>> parse_spec("shift=0.5@features.amount")
    [Spec(kind='shift', size=0.5, name='features.amount')]
    """
    if text == "all":
        return [Spec(name, kind.size) for name, kind in KINDS.items()]
    match = SPEC.fullmatch(text)
    if match is None or match["kind"] not in KINDS:
        near = did_you_mean(match["kind"] if match else text, ("all", *KINDS))
        raise BadInput(f"--inject {text!r} is none of all, {', '.join(KINDS)}.{near}")
    kind, name = KINDS[match["kind"]], match["name"] or ""
    size = float(match["size"]) if match["size"] else kind.size
    if name and kind.of not in ("number", "text", "feature"):
        raise BadInput(f"--inject {text!r}: {match['kind']} is about {kind.of}, and takes no feature")
    return [Spec(match["kind"], size, name)]


def faults(specs: Sequence[Spec], survey: Survey, without: Sequence[str] = ()) -> Iterator[Fault]:
    """What can be injected into events such as these. `without`: patterns of features that nobody watches."""
    lanes = 0
    for spec in specs:
        for targets in _targets(spec, survey, tuple(without)):
            lanes += 1
            if lanes > LANES_MAX:
                raise BadInput(f"--inject is more than {LANES_MAX} faults: name fewer features")
            yield Fault(spec.kind, spec.size, targets)


def _targets(spec: Spec, survey: Survey, without: tuple[str, ...]) -> Iterator[dict[str, Target]]:
    """By model what is changed; of a pattern one for each feature."""
    of = KINDS[spec.kind].of
    if of == "events":
        yield {model: Target("") for model in survey.models}
        return
    by_name: dict[str, dict[str, Target]] = {}
    best: dict[str, tuple[bool, int, str]] = {}
    for (model, name), seen in survey.fields.items():
        if not _fits(of, name, seen) or excluded(name, without) or not (not spec.name or matches(spec.name, name)):
            continue
        text = seen.texts.most_common(1)[0][0] if seen.texts else ""
        by_name.setdefault(name, {})[model] = Target(name, seen.centre, seen.scale, text)
        rank = seen.like_an_id, -seen.numbers - seen.words, name
        best[model] = min(best.get(model, rank), rank)
    if spec.name:
        yield from by_name.values()
    elif best:
        yield {model: by_name[name][model] for model, (*_, name) in best.items()}


def _fits(of: str, name: str, seen: Seen) -> bool:
    if of in FIELDS_OF:
        return name == FIELDS_OF[of]
    number = seen.numbers > 0 and seen.scale > 0
    text = 0 < len(seen.texts) <= 0.5 * seen.words
    return name.startswith(FEATURES) and (number if of == "number" else text if of == "text" else number or text)
