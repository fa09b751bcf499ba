"""The config that events ask for: where their fields are, what of them is an id or a code, and why.

A preset is taken where its places are met; else each field is looked for under the names that people give it. What is
left out is what would only ever be new: ids, counters, texts of which hardly one comes twice.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import orjson
import yaml

from schemas.events.batch import Record, text_of_event
from schemas.events.codecs import NUMBER
from schemas.events.convert import Rejected, time_ms
from schemas.events.decoder import Decoder
from schemas.events.fields import DEFAULTS, parse_selector, walk
from streamer.config import model as cfg
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.offline import may_name
from streamer.offline.absent import Names, read_twice
from streamer.offline.maybe_codes import MaybeCodes
from streamer.offline.presets import names, text_of
from streamer.offline.replay import Replay
from streamer.offline.survey import Seen, Survey
from streamer.port import Partition
from streamer.signals.grammar import excluded
from streamer.signals.observe import FEATURES

NAMED_MAX = 5
"""Members that it may be as well, of which so many are named."""
LOOKED_AT = 2_000
USED, MET, ENOUGH = 0.9, 0.75, 5
"""A preset fits where so large a share of the records can be read, and of its fields is found, or so many of them."""
DEPTH_MAX = 3
UNREAD_SHOWN = 8
RARELY_TWICE = 0.5
ID_WORDS = ("id", "uuid", "guid", "key", "account", "session", "number", "no", "nr", "hash", "token", "email", "ip")

CALLED: dict[str, tuple[str, ...]] = {
    "features": ("features", "inputs", "input", "instance", "feature_vector"),
    "model": ("model", "model_name", "modelname", "model_id", "endpoint", "deployment"),
    "version": ("model_version", "modelversion", "version", "model_ver", "modelver", "build"),
    "time": ("time", "timestamp", "event_time", "ts", "created_at", "datetime", "timestamp_ms"),
    "event_id": ("event_id", "request_id", "prediction_id", "inference_id", "trace_id", "uuid", "id"),
    "label": ("label", "predicted_label", "predicted_class", "prediction", "class", "decision", "output"),
    "value": ("value", "predicted_value", "prediction", "output", "score"),
    "confidence": ("confidence", "probability", "proba", "prob", "score"),
    "scores": ("scores", "probabilities", "probs"),
    "latency_ms": ("latency_ms", "duration_ms", "elapsed_ms", "response_time_ms", "took_ms", "latency"),
    "status": ("status", "status_code"),
    "caller": ("caller", "client", "tenant"),
    "segment": ("segment", "segments", "tags"),
}
"""Names that people give a field, the best first."""
YEARS_MS = (1_262_304_000_000, 2_208_988_800_000)
"""2010 to 2040: what is a time of other years is more likely something else."""
KINDS: dict[str, set[str]] = {
    "label": {"text"},
    "value": {"number"},
    "confidence": {"number"},
    "latency_ms": {"number"},
    "time": {"number", "text"},
    "features": {"object"},
    "scores": {"object"},
    "segment": {"object"},
}
"""What must stand there; of others a text or a number."""


COLUMNS = {
    **{name: f"prediction.{name}" for name in ("label", "value", "confidence", "scores", "logits")},
    **{name: name for name in ("features", "segment", "latency_ms", "status", "caller")},
}
"""How the columns of a field begin."""


class Mapped(NamedTuple):
    """A part of a config that says where fields are, and why it is this."""

    part: Mapping[str, Any]
    why: list[str]


class Shape:
    """Which kinds of value stand where in JSON records."""

    def __init__(self) -> None:
        self.kinds: dict[str, Counter[str]] = {}
        self.records = 0

    def look(self, documents: Iterable[Any]) -> None:
        for document in documents:
            self.records += 1
            self._note("", document, 0)

    def _note(self, pointer: str, value: Any, depth: int) -> None:
        if pointer:
            self.kinds.setdefault(pointer, Counter())[kind_of(value)] += 1
        for name, below in value.items() if isinstance(value, dict) and depth < DEPTH_MAX else ():
            self._note(f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}", below, depth + 1)

    def find(self, field: str, taken: set[str], without: str) -> str | None:
        """The place of a field: by its names in their order, the least deep; none that begins like `without`."""
        wanted = KINDS.get(field, {"text", "number"})
        for name in CALLED.get(field, ()):
            fits = [
                pointer
                for pointer, kinds in self.kinds.items()
                if name in named(pointer) and pointer not in taken and wanted & set(kinds)
                if not (without and pointer.startswith(without))
            ]
            if fits:
                return min(fits, key=lambda pointer: (pointer.count("/"), pointer))
        return None


def named(pointer: str) -> tuple[str, str]:
    """What a place is called: by its last name, and by the one above it, too.

    >>> named("/meta/Model/name")
    ('name', 'model_name')
    """
    *_, above, last = pointer.lower().split("/")
    return last, f"{above}_{last}"


def kind_of(value: Any) -> str:
    """`object`, `array`, `null`, `text` or `number`; true and false are texts."""
    if isinstance(value, dict | list):
        return "object" if isinstance(value, dict) else "array"
    return "null" if value is None else "number" if type(value) in (int, float) else "text"


def documents_of(records: Iterable[Record]) -> list[dict[str, Any]]:
    """Those that are JSON objects."""
    found = []
    for record in records:
        try:
            document = orjson.loads(record.value or b"")
        except orjson.JSONDecodeError:
            continue
        if isinstance(document, dict):
            found.append(document)
    return found


def mapped(head: str, records: Sequence[Record], topic: str) -> Mapped:
    """Where the fields of such records are. `head`: the least config."""
    best, most = "", len(_met(load_text(head, "suggested", {}), records, topic))
    for name in names():
        places, config = _preset(head, name)
        met = _met(config, records, topic)
        if len(met) > most and len(places & met) >= min(MET * len(places), ENOUGH):
            best, most = name, len(met)
    if best:
        why = [f"The preset {best} fits; its notes: driftline init {best}."]
        return Mapped(yaml.safe_load(text_of(best)), why)
    return _by_names(records, documents_of(records))


@cache
def _preset(head: str, name: str) -> tuple[set[str], cfg.Config]:
    """The fields that a preset finds in an event, and its config."""
    part = yaml.safe_load(text_of(name))
    places = {field for field, text in part["fields"].items() if not text.startswith("=")}
    return places, load_text(head + yaml.safe_dump(part, sort_keys=False), "suggested", {})


def _met(config: cfg.Config, records: Sequence[Record], topic: str) -> set[str]:
    """The fields that such a config finds in the records; none where it cannot read most of them."""
    if not records:
        return set()
    batch = Decoder(fields_of(config))(list(records), topic)
    if len({reject.record.offset for reject in batch.rejects}) > (1 - USED) * len(records):
        return set()
    met = {field for field, name in COLUMNS.items() if any(one.startswith(name) for one in batch.names)}
    met |= {"model"} | ({"version"} if (batch.version >= 0).any() else set())
    met |= {"event_id"} if batch.event_id.any() else set()
    codes = text_of_event(batch, COLUMNS["label"]).tolist()
    if all(
        "." in batch.strings[code] and batch.strings[code].replace(".", "").isdigit() for code in codes if code >= 0
    ):
        met -= {"label"}  # What has decimals is a value.
    given = {record.offset: record.time_ms for record in records}
    times = zip(batch.offsets.tolist(), batch.times_ms.tolist(), strict=True)
    return met | ({"time"} if any(time_ms not in (given[offset], 0) for offset, time_ms in times) else set())


def _by_names(records: Sequence[Record], documents: Sequence[Any]) -> Mapped:
    """Fields where they are by default, else by what members are called."""
    timed = any(record.time_ms >= 0 for record in records)  # They have a time of their own.
    shape, part, why = Shape(), dict[str, Any](), list[str]()
    shape.look(documents[:LOOKED_AT])
    fields, met = dict[str, str](), dict[str, str]()
    for name in CALLED:
        default = DEFAULTS[name]
        inside = met.get("features", DEFAULTS["features"]) + "/"
        fits = default in shape.kinds and KINDS.get(name, {"text", "number"}) & set(shape.kinds[default])
        within = "" if name == "time" and not timed else inside  # What the model was asked is not what it answered.
        place = default if fits else shape.find(name, {*met.values()}, within)
        if place is not None:
            met[name] = place
            if place != default:
                fields[name] = place
                why.append(f"{name} is taken to be {place}, by its name.")
    if "time" not in met and not timed and (place := _time_by_values(documents, shape)):
        met["time"] = fields["time"] = place
        why.append(f"time is taken to be {place}, since its values only rise and are times of these years.")
    if "model" not in met and (header := may_name.called(records, CALLED["model"])):
        met["model"] = fields["model"] = header
        why.append(f"model is taken to be {header}, by its name.")
    own = [name for name in met if name not in fields]
    if own:
        why.insert(0, f"Where they are by default: {', '.join(own)}.")
    if "model" not in met:
        fields["model"] = "=my-model"
        texts = [pointer for pointer, kinds in shape.kinds.items() if kinds["text"] == shape.records]
        places = may_name.places(records, documents, texts, met)
        why.append(f"No member is called like a model: write its name behind the '='{_or_one_of(places)}.")
    if "features" not in met:
        fields["features"] = ""
        objects = [pointer for pointer, kinds in shape.kinds.items() if kinds["object"] == shape.records]
        why.append(
            "There is no object that is called like features: all members of an event are features, but for those of"
            f" `exclude`{_or_one_of(objects)}."
        )
    if _local(documents, met.get("time", DEFAULTS["time"])):
        part["time_zone"] = "UTC"
        why.append("Times name no zone: UTC is a guess.")
    if "time" not in met and not timed:
        why.append(
            "Nothing says when events were: all count as of 1970, and days and weeks mean nothing. See fields.time."
        )
    why += _unread(shape, met) if "features" in met else ()
    return Mapped({"fields": fields, **part} if fields else part, why)


def _or_one_of(pointers: Sequence[str]) -> str:
    """Which members it may be as well, for who knows them."""
    return f"; or write where it is, if it is one of these: {', '.join(pointers[:NAMED_MAX])}" if pointers else ""


def _time_by_values(documents: Sequence[Any], shape: Shape) -> str | None:
    """The least deep place of what only rises and is a time of these years in every document."""
    for place in sorted(shape.kinds, key=lambda pointer: pointer.count("/")):
        steps, found = parse_selector(place).steps, list[int]()
        try:
            found = [time_ms(walk(steps, document), place, UTC) for document in documents[:LOOKED_AT]]
        except Rejected:
            continue
        rises = sum(later >= before for before, later in pairwise(found))
        if (
            len(found) > 2
            and YEARS_MS[0] < min(found)
            and max(found) < YEARS_MS[1]
            and rises >= USED * (len(found) - 1)
        ):
            return place
    return None


def _unread(shape: Shape, met: Mapping[str, str]) -> Iterator[str]:
    """Places that no field is taken to be at, for who knows better."""
    left = [
        f"{place} ({'/'.join(sorted(kinds))})"
        for place, kinds in shape.kinds.items()
        if "object" not in kinds and not any(f"{place}/".startswith(f"{one}/") for one in met.values())
    ]
    if left:
        more = f" and {len(left) - UNREAD_SHOWN} more" if len(left) > UNREAD_SHOWN else ""
        fields = ", ".join(name for name in CALLED if name not in met)
        yield f"Nothing reads {', '.join(left[:UNREAD_SHOWN])}{more}. If it is one of {fields}: name it in fields."


def _local(documents: Sequence[Any], place: str) -> bool:
    """Whether times are texts that name no zone."""
    steps = parse_selector(place).steps
    texts = [one for one in (walk(steps, document) for document in documents[:200]) if isinstance(one, str)]
    return bool(texts) and all(not one.endswith(("Z", "z")) and "+" not in one and one.count("-") < 3 for one in texts)


class Left(NamedTuple):
    """Features that are not watched as what they look like, by the reason."""

    exclude: dict[str, str]
    categorical: dict[str, str]
    notes: list[str]


class Profile:
    """What the fields of the whole range are like."""

    def __init__(self, config: cfg.Config) -> None:
        self.config, self.survey = config, Survey()
        self.names, self.codes = Names(), MaybeCodes()
        self.engine = Replay(config, fields_of(config), ticking=False, together=True)

    def take(self, partition: Partition, records: list[Record]) -> None:
        for part, _ in (one for cut in self.engine.cuts([(partition, records)]) for one in cut.parts):
            if part is not None:
                self.survey.take(part)
                self.names.take(part)
                self.codes.take(part)

    def left(self) -> Left:
        """What to leave out, what are codes, and what a person should look at."""
        exclude, notes = dict[str, str](), list[str]()
        for feature in _twice(self.config, self.names):
            exclude[feature] = "it is another field already"
        by_name: dict[str, list[Seen]] = {}
        for (_, name), seen in self.survey.fields.items():
            if name.startswith(FEATURES) and not excluded(name, tuple(self.config.exclude)):
                by_name.setdefault(name, []).append(seen)
        codes = {name: "few whole numbers that are far apart: codes" for name in self.codes.names() if name in by_name}
        for name, many in by_name.items():
            why = why_not(name, many)
            if why and name not in codes:
                exclude.setdefault(name, why)
            elif name not in codes and name not in exclude and all(seen.like_an_id for seen in many):
                notes.append(f"{name}: whole numbers that hardly come twice. If it is an id, exclude it.")
        return Left(exclude, {name: why for name, why in codes.items() if name not in exclude}, notes)


def _twice(config: cfg.Config, found: Names) -> Iterator[str]:
    for _, sentence in read_twice(config, found):
        for one in sentence.partition(": leave")[0].split("; "):
            yield one.partition(" is the field ")[0]


def why_not(name: str, many: Sequence[Seen]) -> str:
    """Why nobody should watch a feature, of which each model's values are given; empty where that is not so."""
    words = sum(seen.words for seen in many)
    texts = sum(len(seen.texts) for seen in many)
    if words >= 100 and texts > RARELY_TWICE * min(words, 1_000 * len(many)):
        numeric = all(NUMBER(text) for seen in many for text in list(seen.texts)[:100])
        return "numbers that are sent as texts: send numbers" if numeric else "texts of which hardly one comes twice"
    numbers = [seen for seen in many if len(seen.sample) > 20]
    if numbers and all(bool((np.diff(seen.sample) > 0).all()) for seen in numbers):
        return "it only ever rises: a time or a counter"
    parts = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.rpartition(".")[2])  # accountId
    said = [word for word in re.split(r"[\W_]+", parts.lower()) if word]
    called = bool(said) and (said[-1] in ID_WORDS or said[0] in ID_WORDS)
    if numbers and all(seen.like_an_id for seen in numbers) and called:
        return "whole numbers that hardly come twice, and is called like an id"
    return ""


def yaml_of(head: str, found: Mapped, left: Left) -> str:
    """The config, with the reasons as comments."""
    part = {name: value for name, value in found.part.items() if name not in ("exclude", "categorical")}
    lines = [head.rstrip("\n"), *map(comment, found.why)]
    if part:
        lines.append(yaml.safe_dump(part, sort_keys=False, allow_unicode=True, width=1000).rstrip("\n"))
    given = {name: "" for name in found.part.get("exclude", ())}
    for key, many in (("exclude", {**given, **_patterns(left.exclude)}), ("categorical", _patterns(left.categorical))):
        if many:
            lines.append(f"{key}:")
            lines += [f"  - {_scalar(name)}" + (f"  # {why}" if why else "") for name, why in many.items()]
    lines += map(comment, left.notes)
    return "\n".join(lines) + "\n"


def _patterns(many: Mapping[str, str]) -> dict[str, str]:
    """Names as the config takes them: `?` stands for what it does not take."""
    return {re.sub(r"[^\w./:-]", "?", name): why for name, why in many.items() if name != FEATURES}


def _scalar(text: str) -> str:
    """A text as YAML has it on a line: as in JSON, unless it is plain."""
    plain = re.fullmatch(r"[A-Za-z][\w./-]*", text, re.ASCII)
    return text if plain else json.dumps(text)


def comment(text: str) -> str:
    """A comment of one line, whatever the names in it hold."""
    return "# " + "".join(one if one.isprintable() else " " for one in text)
