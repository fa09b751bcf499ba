"""What the decoder must find in an event, for all that a config names."""

from __future__ import annotations

from dataclasses import replace

from schemas.events.fields import FIELDS, Fields, Reading, compile_fields
from schemas.events.side import Side, compile_side
from streamer.config import model as cfg
from streamer.config.types import zone_of
from streamer.signals.grammar import pointers_of


def fields_of(config: cfg.Config) -> Fields:
    """The decoder's plan: the field mapping plus each JSON Pointer that a monitor, a check, a role or a score names."""
    named = [m.signal for m in config.effective_monitors().values()]
    named += [config.anomaly.score or "", config.ood.score or ""]
    extra = dict.fromkeys(pointer for text in named for pointer in pointers_of(text))
    extra |= dict.fromkeys(rule.same_as for rule in config.checks.values() if rule.same_as is not None)
    extra |= dict.fromkeys(config.roles().values())
    embeddings = tuple(one.place(name) for name, one in config.embeddings.items())
    reading = _reading(config)._replace(names=tuple(config.fields.names), embeddings=embeddings)
    named_fields = config.fields.model_dump(include=set(FIELDS))
    fields = compile_fields(named_fields, tuple(extra), config.limits.message_bytes, reading)
    return replace(fields, plan=config.mapping.plan(config.schemas))


def sides_of(config: cfg.Config) -> dict[str, Side]:
    """By topic of its own what is read of its records. `mapping` is about inferences, so nothing of it holds there; a
    value that names its schema is read by it.
    """
    pointers = [] if config.privacy is None else [config.privacy.opt_out]
    found: dict[str, Side] = {}
    for one in config.about.values():
        if one.topic is not None:
            own = {"model": one.model, "time": one.time}
            places = {name: text or getattr(config.fields, name) for name, text in own.items()}
            more = _reading(config), config.limits.message_bytes, config.schemas
            found[one.topic] = compile_side(places, one.about, one.places(), pointers, *more, one.or_about)
    return found


def _reading(config: cfg.Config) -> Reading:
    """How values are read wherever they are."""
    zone = None if config.time_zone is None else zone_of(config.time_zone)
    return Reading(config.on_odd_field == "dead_letter", config.limits.array, zone=zone)
