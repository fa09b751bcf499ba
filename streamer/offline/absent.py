"""Why a monitor has no series on a sample: nothing has its signal, or something has it that is of another kind."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

import numpy as np

from schemas.events.batch import Batch
from schemas.events.fields import FIELDS
from streamer.config import model as cfg
from streamer.config.problems import did_you_mean
from streamer.config.standard import STANDARD
from streamer.config.yaml_source import PathKey
from streamer.offline.account import no_such_model
from streamer.series.sources import SOURCES
from streamer.signals.derived import DERIVED, SCORES
from streamer.signals.grammar import (
    BY_PATHS,
    Signal,
    excluded,
    is_pattern,
    matches,
    member_title,
    number_of,
    parse_signal,
    path_of,
    ratio_of,
)
from streamer.signals.kinds import FAMILIES
from streamer.signals.models import takes
from streamer.signals.observe import FEATURES

Said = tuple[PathKey, str]
"""A key path, and one sentence."""
MODELS_MAX, MODELS_TOLD = 10_000, 20

NUMBER, TEXT, NULL = "a number", "text", "null"
INSTEAD = {
    # What is there, and what was wanted -> what to write instead; `{}` is the name of a feature.
    (TEXT, NUMBER): "watch text as category.{} (kind distribution), unseen.{} or missing.{}",
    (NUMBER, TEXT): "watch a number as features.{}",
    (NULL, NUMBER): "watch that with missing.{}",
    (NULL, TEXT): "watch that with missing.{}",
}


COLUMNS = {
    # The kinds of signal whose members are the texts of one column, which is what events have.
    "label": "prediction.label",
    "error": "status",
    **{kind: kind for kind in ("status", "caller", "version", "action")},
}


class Names:
    """What the decoded events have: what is found under each of the batch's names, and their models."""

    def __init__(self) -> None:
        self.kinds: dict[str, set[str]] = {}
        self.models: set[str] = set()

    def take(self, batch: Batch) -> None:
        for found, codes in ((NUMBER, batch.numbers.name), (TEXT, batch.texts.name), (NULL, batch.nulls.name)):
            for code in np.unique(codes).tolist():
                self.kinds.setdefault(batch.names[code], set()).add(found)
        self.kinds |= {alias: self.kinds[name] for alias, name in batch.aliases.items() if name in self.kinds}
        if (batch.version >= 0).any():
            self.kinds["version"] = {TEXT}
        if len(self.models) < MODELS_MAX:
            self.models |= {batch.strings[code] for code in np.unique(batch.model).tolist()}

    def under(self, path: str) -> set[str]:
        """What is found under a name."""
        return self.kinds.get(path, set())

    def of_signal(self, signal: Signal) -> set[str]:
        """What is found under all the names that a signal is about."""
        return {kind for name, kinds in self.kinds.items() if signal.takes(name) for kind in kinds}

    def of_models(self, said: str) -> list[str]:
        """The models of a name or a pattern."""
        return sorted(model for model in self.models if matches(said, model))

    def of(self, kind: str) -> Iterable[str]:
        """The names under which something of a kind is found."""
        return (name for name, kinds in self.kinds.items() if kind in kinds)


ANY = Signal("number", "", False)
ODD = ("odd", "nan_prediction")
"""Kinds of signals that are best about nothing."""


def matched_nothing(config: cfg.Config, names: Names) -> Iterator[Said]:
    """Patterns of `exclude` and `categorical` that nothing of the sample has."""
    known = [name for name in names.kinds if name.startswith((FEATURES, *FAMILIES.values()))]
    lists = (("exclude", config.exclude, "excludes nothing"), ("categorical", config.categorical, "is about nothing"))
    for key, patterns, does in lists:
        for i, pattern in enumerate(patterns if known else ()):
            if not any(matches(path_of(pattern), name) for name in known):
                near = did_you_mean(pattern, [member_title(ANY, name) for name in known])
                yield (key, i), f"no event of the sample has {pattern!r}: it {does}.{near}"


def read_twice(config: cfg.Config, names: Names) -> Iterator[Said]:
    """Features that are another field as well, as time and id are where all members of the event are features: time
    always drifts, an id is always new, and what the model answers is none of what it was asked.
    """
    places = config.fields.model_dump(include=set(FIELDS))
    if (root := places.pop("features")) and not root.startswith("/"):
        return
    twice = {}
    for field, pointer in places.items():
        if isinstance(pointer, str) and pointer.startswith(f"{root}/"):
            feature = FEATURES + pointer.removeprefix(f"{root}/").replace("/", ".")
            if names.under(feature) and not excluded(feature, tuple(config.exclude)):
                twice[feature] = f"{feature} is the field {field}"
    if twice:
        what = f"{'; '.join(twice.values())}: leave {'it' if len(twice) == 1 else 'them'} out of the features"
        yield ("fields", "features"), f"{what}: 'exclude: [{', '.join(twice)}]'."


def muted_nothing(config: cfg.Config, names: Names) -> Iterator[Said]:
    """Patterns of the calendar that no model of the sample has. A name may well be that of a model elsewhere."""
    for path, said in _calendar_models(config) if names.models else ():
        if is_pattern(said) and not names.of_models(said):
            yield path, no_such_model(said, names.models)


def matched(config: cfg.Config, names: Names) -> Iterator[str]:
    """Of each pattern of models which they are."""
    monitors = config.effective_monitors().items()
    places = [place for name, one in monitors for place in _said_models(("monitors", name), "model", one.model)]
    for path, said in [*places, *_calendar_models(config)]:
        if is_pattern(said) and names.models:
            found = names.of_models(said)
            more = f" and {len(found) - MODELS_TOLD:,} more" if len(found) > MODELS_TOLD else ""
            told = f": {', '.join(found[:MODELS_TOLD])}{more}" if found else ""
            place = ".".join(map(str, path))
            yield f"{place}: {said!r} is {len(found):,} model{'' if len(found) == 1 else 's'} of the sample{told}"


def _calendar_models(config: cfg.Config) -> Iterator[Said]:
    for i, day in enumerate(config.calendar.days):
        yield from _said_models(("calendar", "days", i), "models", day.models)
    for i, hours in enumerate(config.calendar.maintenance):
        yield from _said_models(("calendar", "maintenance", i), "models", hours.models)


def _said_models(here: PathKey, key: str, said: str | list[str] | None) -> Iterator[Said]:
    """Each name or pattern with its place."""
    if isinstance(said, str):
        yield (*here, key), said
    for i, one in enumerate(said if isinstance(said, list) else ()):
        yield (*here, key, i), one


def absent(config: cfg.Config, name: str, monitor: cfg.Monitor, series: int, names: Names) -> Iterator[Said]:
    """What a monitor is about that the sample's events do not have. The standard set is about whatever there is."""
    here: PathKey = ("monitors", name)
    for path, said in _said_models(here, "model", monitor.model):
        if not names.of_models(said):
            yield path, no_such_model(said, names.models)
    if not any(takes(monitor.models, model) for model in names.models):
        return
    shared, standard = config.defaults.by or [], STANDARD.get(name, {}).get("by", [])
    for i, field in enumerate(monitor.by):
        if field not in standard and not names.under(BY_PATHS.get(field, field)):
            near = did_you_mean(field, ["version", "caller", "label", *(n for n in names.kinds if "segment." in n)])
            path = ("defaults", "by", shared.index(field)) if field in shared else (*here, "by", i)
            yield path, f"no event of the sample has {field!r}: it splits nothing.{near}"
    signal, why = parse_signal(monitor.signal), ""
    if signal.kind == "missing" and not signal.every and not names.under(signal.path):
        near = _near(signal, signal.path, names.kinds)
        why = f"no event of the sample has {monitor.signal.partition('.')[2]!r}: it is missing in all.{near}"
    elif signal.kind == "aggregate" or (not series and signal.kind not in (*SOURCES, *ODD)):
        why = _why(monitor.signal, signal, names)
    if why and name not in STANDARD:
        yield (*here, "signal"), why


def _why(text: str, signal: Signal, names: Names) -> str:
    """Why no series comes of a signal whose values are fields of the events; empty when they are all there."""
    wanted = TEXT if signal.spec.values != "number" or signal.kind in COLUMNS else NUMBER
    for path in _paths(signal):
        every = signal.every and path == signal.path
        found = names.of_signal(signal) if every else names.under(path)
        if wanted in found:
            continue
        if not found:
            near = _near(signal, path, names.of(wanted))
            return f"no event of the sample has {text!r}: it watches nothing.{near}"
        there = next(kind for kind in (TEXT, NUMBER, NULL) if kind in found)
        instead = INSTEAD[there, wanted].replace(
            "{}", (signal.pattern or "*") if every else path.removeprefix(FEATURES)
        )
        hint = f": {instead}" if path.startswith(FEATURES) else ""
        return f"in the sample {path + (signal.pattern or '*') * every!r} is {there}, not {wanted}{hint}."
    return ""


def _paths(signal: Signal) -> tuple[str, ...]:
    """The batch's names of the values that a signal is made of."""
    path = number_of(signal) if signal.kind == "aggregate" else signal.path
    if path.startswith("ratio("):
        return ratio_of(path)
    if signal.kind == "aggregate" and not path:
        return ()  # It counts events.
    return (SCORES,) if path in DERIVED else (COLUMNS.get(signal.kind, path),)


def _near(signal: Signal, path: str, candidates: Iterable[str]) -> str:
    """The nearest name, or the names there are, written as the config writes them."""
    if signal.kind in COLUMNS or signal.every:
        return ""
    kind = signal if signal.kind != "aggregate" else ANY
    chosen = [name for name in candidates if signal.kind == "number" or name.startswith(FEATURES)]
    titles = {name.removeprefix(FEATURES): member_title(kind, name) for name in chosen}
    near = difflib.get_close_matches(path.removeprefix(FEATURES), titles, 1, 0.6)
    return f" Did you mean {titles[near[0]]!r}?" if near else did_you_mean("", titles.values())
