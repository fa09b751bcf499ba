"""How records that are no events yet become events: the config's `mapping`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, field_validator

from schemas.events.codecs import CODECS
from schemas.events.mapping import Plan, compile_plan
from schemas.events.registered import Schemas
from streamer.config.problems import did_you_mean, quoted
from streamer.config.types import Duration, Model, check_pointer


def _codec(name: str) -> str:
    if name not in CODECS:
        raise ValueError(f"{quoted(name)} is nothing that can be unpacked.{did_you_mean(name, CODECS)}")
    return name


def _place(text: str) -> str:
    """The whole value is the empty text."""
    return text and check_pointer(text)


def _whole(given: Any) -> Any:
    """A list alone is of the whole value."""
    return {"": given} if isinstance(given, list) else given


def _listed(given: Any) -> Any:
    return [given] if isinstance(given, str) else given


Codec = Annotated[str, AfterValidator(_codec)]
Pointer = Annotated[str, AfterValidator(check_pointer)]
Text = Annotated[str, Field(min_length=1, max_length=256)]


class Pair(Model):
    """How long, and how many of, the first of two records wait for the second."""

    within_ms: Duration = Field(
        "1m", alias="within", validate_default=True, description="Event time; afterwards each is an event of its own."
    )
    most: int = Field(
        10_000, ge=1, le=1_000_000, description="Of a partition, that wait; beyond it the oldest goes alone."
    )


class Mapping(Model):
    """What is unpacked and taken apart before `fields` looks for anything."""

    decode: Annotated[
        dict[Annotated[str, AfterValidator(_place)], Annotated[list[Codec], Field(min_length=1)]],
        BeforeValidator(_whole),
    ] = Field(
        default_factory=dict,
        description="By place what it is unpacked by, one after the other: "
        + ", ".join(CODECS)
        + ". A list alone is of the whole value.",
    )
    each: Annotated[list[Pointer], BeforeValidator(_listed)] = Field(
        default_factory=list,
        description="Arrays whose elements are rows, each an event: the pointers of `fields` lead to the row, without "
        "a number. Of several arrays the first elements are one row, and so on.",
    )
    names: dict[Pointer, Annotated[list[Text], Field(min_length=1)]] = Field(
        default_factory=dict, description="Of arrays within a row what each place is called: they become objects."
    )

    pair: Pair | None = Field(
        None, description="Request and answer are records of their own with one event_id: they become one event."
    )

    @field_validator("each")
    @classmethod
    def _apart(cls, each: list[str]) -> list[str]:
        compile_plan({}, each, {})
        return each

    def plan(self, schemas: Schemas | None = None) -> Plan | None:
        """What the decoder does; None: nothing. `schemas`: what is known of those that values name."""
        return compile_plan(self.decode, self.each, self.names, schemas)
