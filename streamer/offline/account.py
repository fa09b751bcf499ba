"""The account of a sample's records: what became of each, and of those that are not used the place and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from schemas.events.batch import REASONS, Batch, OddField
from schemas.events.fields import FIELDS
from schemas.events.guess import guess
from streamer.config import model as cfg
from streamer.config.decoder_fields import fields_of
from streamer.config.problems import did_you_mean
from streamer.config.yaml_source import PathKey
from streamer.engine.admission import ODD_MAX, OTHER, RESULTS
from streamer.port import Partition
from streamer.signals.grammar import is_pattern
from streamer.signals.models import takes

MANY = 0.05
"""A larger share of the records that is not used is worth a warning."""
MODELS_SHOWN = 5
ODD_SHOWN = 20

HINTS: dict[str, str] = {
    "empty": "a tombstone, or a blank line: no event is empty",
    "unreadable_batch": "librdkafka cannot unpack what the producer compressed: see the broker's and its limits",
    "killed_the_process": "give the process more memory, or have the producer send smaller batches",
    "too_large": "raise limits.message_bytes, or send less per event",
    "undecodable": "see mapping.decode and mapping.each: driftline explain shows how far they lead",
    "unknown_schema": "schema_registry.url names another registry than the producer's, or what begins with a zero byte"
    " is something else",
    "unusable_schema": "the detail says what of it; have the producer use another one",
    "no_rows": "mapping.each names an array that the record does not have, or that is empty",
    "about_nothing": "say where the id is, as in feedback: {topic: NAME, event_id: /POINTER}",
    "missing_model": "say where the model's name is: fields: {model: /POINTER}, or what it is: {model: =NAME};"
    " driftline suggest names places that it may be at",
    "wrong_type": "point `fields` at what the field takes",
    "not_finite": "have the producer write null",
    "no_zone": "say which it is: time_zone: UTC, Europe/Amsterdam ...",
    "clock_ahead": "the clock of a producer is wrong",
    "too_many_members": "raise limits.array, or leave it out",
    "wrong_dimension": "another model made it, or embeddings.NAME.dimensions is not what it has",
    "bad_time": "an RFC 3339 text or seconds, milliseconds ... since 1970, not local time: see fields.time",
    "bad_number": "the key or header that `fields` maps must hold a number",
    "too_many_fields": "at most 2,000 entries: leave out what nobody watches",
}
"""What to do about a reason, where the bytes of the record do not say more."""
LISTED = {("scores", "wrong_type"): "of a list name the places: mapping: {names: {/POINTER: [LABEL, ...]}}"}
"""By field and reason, what to do instead."""
ASIDE: dict[str, str] = {
    "late": "older than limits.lateness behind the newest event of their model: sort the sample by time, or raise it",
    "duplicate": "their event_id came before: see fields.event_id, limits.duplicates",
    "filtered": "no monitor watches their model, they opted out, or there are more models than limits.series lets in",
}
"""What it means that a result is not `used`."""


class Rejected(NamedTuple):
    """The records that are no events for one reason, and where the first of them is."""

    reason: str
    records: int
    partition: Partition
    offset: int
    detail: str
    hint: str


class LeftOut(NamedTuple):
    """A field that could not be used, of how many events, and where the first of them is."""

    field: str
    reason: str
    events: int
    partition: Partition
    offset: int


class Account(NamedTuple):
    """`counts` has one entry per result; their sum is the number of records."""

    counts: Mapping[str, int]
    rejected: Sequence[Rejected]
    odd: Sequence[LeftOut] = ()

    @property
    def consumed(self) -> int:
        return sum(self.counts.values())

    @property
    def used(self) -> int:
        return self.counts["used"]

    def sum(self, of: str = "") -> str:
        """`2,000 records of the sample = 1,990 used + 10 late + 0 duplicate + 0 filtered + 0 rejected`"""
        return f"{self.consumed:,} record{'' if self.consumed == 1 else 's'}{of} = {parts_of(self.counts)}"


def parts_of(counts: Mapping[str, int]) -> str:
    """`9,500 used + 0 late + 0 duplicate + 0 filtered + 0 rejected`"""
    return " + ".join(f"{counts[name]:,} {'rejected' if name == 'dead_lettered' else name}" for name in RESULTS)


class Rejects:
    """Collects the rejects of batches."""

    def __init__(self) -> None:
        self.first: dict[str, Rejected] = {}
        self.odd: dict[tuple[str, str], LeftOut] = {}

    def take(self, partition: Partition, batch: Batch) -> None:
        for reject in batch.rejects:
            known = self.first.get(reject.reason)
            if known is None:
                likely = guess(reject.record.value or b"") if reject.reason in UNREADABLE else ""
                hint = f"most likely {likely}" if likely else HINTS.get(reject.reason, "")
                known = Rejected(reject.reason, 0, partition, reject.record.offset, reject.detail, hint)
            self.first[reject.reason] = known._replace(records=known.records + reject.records)
        for one in batch.odd:
            self._leave_out(partition, batch, one)

    def _leave_out(self, partition: Partition, batch: Batch, one: OddField) -> None:
        place = (one.field, one.reason)
        if place not in self.odd and len(self.odd) >= ODD_MAX:
            place = (OTHER, one.reason)
        first = LeftOut(*place, 0, partition, batch.offsets.item(one.event))
        known = self.odd.get(place, first)
        self.odd[place] = known._replace(events=known.events + 1)

    def account(self, many: Iterable[Mapping[str, int]]) -> Account:
        """What became of all records: `many` are the counts of each partition's admission. The most frequent first."""
        counts = list(many)
        rejected = sorted(self.first.values(), key=lambda one: (-one.records, one.reason))
        left_out = sorted(self.odd.values(), key=lambda one: (-one.events, one.field, one.reason))
        return Account({name: sum(one[name] for one in counts) for name in RESULTS}, rejected, left_out)


def unused(account: Account, place: Callable[[Partition, int], str]) -> Iterator[str]:
    """A line for each reason why records are no events: how many, where the first is, what it most likely is."""
    for one in account.rejected:
        detail = f" ({one.detail})" if one.detail else ""
        told = f"  rejected: {one.records:,} {one.reason}: {REASONS[one.reason]}"
        yield f"{told}; first {place(one.partition, one.offset)}{detail}{one.hint and '; '}{one.hint}."
    for odd in account.odd[:ODD_SHOWN]:
        first = f"first {place(odd.partition, odd.offset)}"
        yield f"  left out: {odd.field} of {odd.events:,}, {odd.reason}: {REASONS[odd.reason]}; {first}."
    for result, told in ASIDE.items():
        if account.counts[result] > MANY * account.consumed:
            yield f"  {result}: {account.counts[result]:,}: {told}."
    if account.consumed and account.used < (1 - MANY) * account.consumed:
        yield f"  Only {account.used / account.consumed:.1%} of the records are used."


def at_offset(partition: Partition, offset: int) -> str:
    """Where a record of a topic stands."""
    return f"{partition[0]}[{partition[1]}]@{offset}"


UNREADABLE = ("bad_utf8", "bad_json", "not_an_object")
"""Reasons of which the bytes themselves tell the cause."""


def doubts(config: cfg.Config, account: Account, models: Iterable[str]) -> Iterator[tuple[str, PathKey, str]]:
    """Kind, key path and sentence: nothing is used at all, or a large share is not."""
    if not account.consumed:
        yield "nothing-used", (), "the sample has no records."
        return
    if not account.used:
        why = [f"{one.records:,} are rejected ({one.reason})" for one in account.rejected]
        why += [f"{account.counts[result]:,} are {result}" for result in ASIDE if account.counts[result]]
        yield "nothing-used", (), f"of {account.consumed:,} records of the sample none is used: {', '.join(why)}."
    for one in account.rejected:
        if one.records > MANY * account.consumed:
            where = PATHS.get(one.reason, ("topics", "events"))
            share = f"{one.records:,} of {account.consumed:,} records of the sample are rejected: {REASONS[one.reason]}"
            place = fields_of(config).selectors[[*FIELDS].index("model")] if one.reason == "missing_model" else None
            hint = VALUES_ALONE if place is not None and place.kind in ("key", "header") else one.hint
            yield "not-used", where, f"{share}{hint and '; '}{hint}."
    for odd in account.odd:
        if odd.events > MANY * account.consumed:
            field = odd.field.removeprefix("prediction.")
            hint = LISTED.get((field, odd.reason)) or HINTS.get(odd.reason, "")
            share = f"{odd.events:,} of {account.consumed:,} records of the sample have {odd.field}, and it is left out"
            where = ("fields", field) if field in FIELDS else ("topics", "events")
            yield "odd-field", where, f"{share}: {REASONS[odd.reason]}{hint and '; '}{hint}."
    for result, told in ASIDE.items():
        if account.counts[result] > MANY * account.consumed:
            share = f"{account.counts[result]:,} of {account.consumed:,} records of the sample are {result}"
            unwatched = _unwatched(config, models) if result == "filtered" else ""
            yield "not-used", ("monitors",) if unwatched else ("limits",), f"{share}: {unwatched or told}."


VALUES_ALONE = "is the sample of values alone? kcat -C -J writes keys and headers, too"
PATHS: dict[str, PathKey] = {
    "missing_model": ("fields", "model"),
    "bad_time": ("fields", "time"),
    "no_zone": ("fields", "time"),
    "wrong_type": ("fields",),
    "too_large": ("limits", "message_bytes"),
}
"""Where in the config a reason is to be cured."""


def _unwatched(config: cfg.Config, models: Iterable[str]) -> str:
    """Why monitors that are each about one model leave events aside; empty when it is not that."""
    watched = [monitor.models for monitor in config.effective_monitors().values()]
    others = sorted(model for model in set(models) if not any(takes(one, model) for one in watched))
    if not others:
        return ""
    more = f" and {len(others) - MODELS_SHOWN:,} more" if len(others) > MODELS_SHOWN else ""
    return f"no monitor is about their model ({', '.join(others[:MODELS_SHOWN])}{more})"


def no_such_model(model: str, models: Iterable[str]) -> str:
    """Why a name or a pattern of models is about nothing, in a sentence."""
    near = did_you_mean("" if is_pattern(model) else model, models)
    return f"no event of the sample is of model {model!r}.{near}"
