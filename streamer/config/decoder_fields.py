"""What the decoder must find in an event, for all that a config names."""

from __future__ import annotations

from dataclasses import replace

from schemas.events.fields import FIELDS, Fields, Reading, compile_fields
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
    zone = None if config.time_zone is None else zone_of(config.time_zone)
    strict = config.on_odd_field == "dead_letter"
    embeddings = tuple(one.place(name) for name, one in config.embeddings.items())
    reading = Reading(strict, config.limits.array, tuple(config.fields.names), zone, embeddings)
    named_fields = config.fields.model_dump(include=set(FIELDS))
    fields = compile_fields(named_fields, tuple(extra), config.limits.message_bytes, reading)
    return replace(fields, plan=config.mapping.plan(config.schemas))
