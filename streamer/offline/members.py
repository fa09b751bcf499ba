"""What the records of a sample have, by JSON Pointer; and which pointers of a config none of them has."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import orjson

from schemas.events.batch import Record
from schemas.events.fields import ABSENT, DEFAULTS, FIELDS, STUCK, Selector, parse_selector, walk
from streamer.config import model as cfg
from streamer.config.problems import did_you_mean
from streamer.config.yaml_source import PathKey
from streamer.signals.grammar import number_of, parse_signal
from streamer.signals.observe import FEATURES as FEATURES_OF

LOOKED_AT = 2_000
"""Records whose members are noted. Pointers are looked for in all of them."""
PATHS_MAX = 2_000
DEPTH_MAX = 4
NEAR = 0.6

RARE = (
    *(("privacy", "opt_out"), ("probes", "golden")),
    *(("feedback", "action"), ("feedback", "event_id"), ("labels", "label"), ("labels", "event_id")),
)
"""Pointers to what only some events have; none where the section has a topic of its own."""
FEATURES: PathKey = ("fields", "features")


class Place(NamedTuple):
    """A pointer of the config. `rare`: only some events have it, such as those that opt out, so that a sample without
    one proves nothing.
    """

    path: PathKey
    pointer: str
    kind: str = ""  # "object" or "array" where it takes one
    rare: bool = False


def places(config: cfg.Config) -> Iterator[Place]:
    """The places in an event that a config names beside its monitors; of `fields` what is not where it is by default,
    and in any case the features; with labels also the id, by which they find their inference.
    """
    for name, field in FIELDS.items():
        text = getattr(config.fields, name)
        needed = ("fields", name) == FEATURES or (name == "event_id" and config.labels is not None)
        if text != DEFAULTS[name] or needed:
            yield Place(("fields", name), text, field.kind if field.kind in ("object", "array") else "")
    for section in ("anomaly", "ood"):
        score = getattr(config, section).score
        if score is not None:
            yield Place((section, "score"), score)
    for name, rule in config.checks.items():
        if rule.same_as is not None:
            yield Place(("checks", name, "same_as"), rule.same_as)
    for section, key in RARE:
        given = getattr(config, section)
        if given is not None and getattr(given, "topic", None) is None:
            yield Place((section, key), getattr(given, key), rare=True)


class Members:
    """What was seen: the kinds of value at every pointer, and the places that no record had so far."""

    def __init__(self, wanted: Iterable[Place]) -> None:
        self.kinds: dict[str, set[str]] = {}
        self.records = 0
        self.unmet: dict[Place, Selector] = {}
        for place in wanted:
            selector = parse_selector(place.pointer)
            if selector.kind == "pointer" and selector.steps:  # A key and headers are not in a file of events.
                self.unmet[place] = selector

    def look(self, records: Iterable[Record]) -> None:
        """Note what the records have; one that is no JSON object has nothing."""
        for record in records:
            if self.records >= LOOKED_AT and not self.unmet:
                return
            try:
                document = orjson.loads(record.value or b"")
            except orjson.JSONDecodeError:
                continue
            if not isinstance(document, dict):
                continue
            self.records += 1
            met = [p for p, s in self.unmet.items() if walk(s.steps, document) not in (ABSENT, STUCK)]
            for place in met:
                del self.unmet[place]
            if self.records <= LOOKED_AT:
                self.note("", document, 0)

    def note(self, pointer: str, value: Any, depth: int) -> None:
        """The kinds of value at a pointer and below; of a list only that there is one."""
        if depth and (pointer in self.kinds or len(self.kinds) < PATHS_MAX):
            self.kinds.setdefault(pointer, set()).add(_kind(value))
        for name, below in value.items() if isinstance(value, dict) and depth < DEPTH_MAX else ():
            self.note(f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}", below, depth + 1)

    def of_kind(self, kind: str) -> list[str]:
        """The pointers at which an object or an array stands; any other kind is all that are neither."""
        both = {"object", "array"}
        return [p for p, kinds in self.kinds.items() if (kind in kinds if kind in both else kinds - both)]

    def near(self, pointer: str, kind: str) -> str:
        """` Did you mean '/input'?`: by the last name, wherever that stands, else by the whole; else what there is."""
        known = self.of_kind(kind)
        by_name = {path.rpartition("/")[2].lower(): path for path in reversed(known)}
        found = difflib.get_close_matches(pointer.rpartition("/")[2].lower(), by_name, 1, NEAR)
        return f" Did you mean {by_name[found[0]]!r}?" if found else did_you_mean(pointer, known)


def _kind(value: Any) -> str:
    if isinstance(value, dict | list):
        return "object" if isinstance(value, dict) else "array"
    return "null" if value is None else "scalar"


def unmet(config: cfg.Config, members: Members) -> Iterator[tuple[PathKey, str]]:
    """Key paths of pointers that no record of the sample has, each with one sentence."""
    if not members.records:
        return
    for place in members.unmet:
        near = members.near(place.pointer, place.kind)
        if place.path == FEATURES and place.pointer == DEFAULTS["features"]:
            yield from _features_elsewhere(config, members)
        elif not place.rare:
            yield place.path, f"no record of the sample has {place.pointer!r}.{near}"
        elif near.startswith(" Did you mean"):
            yield place.path, f"no record of the sample has {place.pointer!r}, which few may have.{near}"


def _features_elsewhere(config: cfg.Config, members: Members) -> Iterator[tuple[PathKey, str]]:
    """Nobody said where the features are, nothing stands where they are by default, and a monitor is about them."""
    if not any(FEATURES_OF in number_of(parse_signal(m.signal)) for m in config.effective_monitors().values()):
        return
    taken = {getattr(config.fields, name) for name in FIELDS} | set(config.roles().values())
    inside = {text[:i] for text in taken for i in range(1, len(text)) if text[i] == "/"}
    free = [pointer for pointer in members.kinds if pointer not in taken | inside]
    objects = [p for p in free if "object" in members.kinds[p] and p.count("/") == 1]
    flat = [p for p in free if "scalar" in members.kinds[p] and p.count("/") == 1]
    told = "no record of the sample has '/features', where features are by default, so none is watched."
    if objects:
        best = max(objects, key=lambda p: sum(name.startswith(f"{p}/") for name in members.kinds))
        yield FEATURES, f"{told} Did you mean 'fields: {{features: {best}}}'?"
    elif flat:
        shown = ", ".join(sorted(flat)[:5])
        yield FEATURES, f"{told} If they are members of the event itself ({shown}): 'fields: {{features: \"\"}}'."
