"""Types of config values: durations, sizes, names, signals; each refuses with one sentence."""

from __future__ import annotations

import re
from datetime import UTC, date, timedelta, timezone, tzinfo
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from detectors.params import DIRECTIONS
from schemas.events.fields import as_pointer, parse_selector
from streamer.config.foreign_words import instead_of_signal, instead_of_split
from streamer.config.problems import quoted
from streamer.config.topic_patterns import check_pattern, is_topic_pattern
from streamer.config.units import DURATION, SIZE, parse_duration, parse_size, show_duration, show_size
from streamer.signals.grammar import CHECKED, parse_signal
from streamer.signals.kinds import FAMILIES

NAME = r"\S(?:.*\S)?"
"""Of a feature, score or segment, as events have it: "Total Charges" is one."""


def _signal(text: str) -> str:
    if text.startswith("/"):
        parse_selector(text)
        return text
    head, _, member = text.partition(".")
    try:
        parse_signal(text)
        if head in FAMILIES and (not member or (head == "logit" and not re.fullmatch("[0-9*?]+", member))):
            raise ValueError
    except ValueError:
        raise ValueError(f"{quoted(text)} is not a signal.{instead_of_signal(text)}") from None
    return text


def _by(text: str) -> str:
    if text not in ("version", "caller", "label") and not re.fullmatch(rf"segment\.{NAME}", text):
        raise ValueError(f"{quoted(text)} is not version, caller, label or segment.NAME.{instead_of_split(text)}")
    return text


def check_pointer(text: str) -> str:
    """The text, if it is a JSON Pointer; ValueError with one sentence."""
    if not text.startswith("/"):
        raise ValueError(f"{quoted(text)} is not a JSON Pointer such as {quoted(as_pointer(text))}.")
    parse_selector(text)
    return text


def _date(text: str) -> str:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{quoted(text)} is not a date such as 2026-01-31.") from None
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{quoted(text)} is not a regular expression: {error}.") from None
    return text


def _checked(text: str) -> str:
    if text not in CHECKED and not re.fullmatch(rf"features\.(?!\*$){NAME}", text):
        near = f" Of a feature: {'features.' + text!r}." if re.fullmatch(r"[A-Za-z_]\w*", text) else ""
        raise ValueError(f"{quoted(text)} is not features.NAME or one of {', '.join(CHECKED)}.{near}")
    return text


def _excluded(text: str) -> str:
    said = re.fullmatch(rf"score\.{NAME}|logit\.[0-9*?]+", text)
    return text if said else _features(text, ", score.NAME or logit.INDEX")


def _features(text: str, others: str = "") -> str:
    if not re.fullmatch(rf"features\.{NAME}", text):
        near = f" Did you mean {quoted('features.' + text)}?" if re.fullmatch(r"[\w*?-]+", text) else ""
        wanted = f"features.NAME{others}, with * for any text and ? for any character"
        raise ValueError(f"{quoted(text)} is not {wanted}.{near}")
    return text


def _models(said: Any) -> Any:
    """One sentence for what a union would have one for each of its members."""
    names = said if isinstance(said, list) else [said]
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"wanted is a model's name or pattern, or a list of some, none empty; this is {quoted(said)}.")
    return said


def zone_of(text: str) -> tzinfo:
    """The time zone of a name such as Europe/Amsterdam, UTC or +02:00; ValueError with one sentence."""
    offset = re.fullmatch(r"([+-])([01][0-9]|2[0-3]):([0-5][0-9])", text)
    if offset:
        away = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return timezone(-away if offset[1] == "-" else away)
    if text == "UTC":
        return UTC
    try:
        return ZoneInfo(text)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError(f"{quoted(text)} is no time zone such as UTC, Europe/Amsterdam or +02:00.") from None


def _zone(text: str) -> str:
    zone_of(text)
    return text


def _topic(text: str) -> str:
    if text in (".", ".."):
        raise ValueError(f"{text!r} is no name Kafka takes.")
    return text


def _event_topic(text: str) -> str:
    return check_pattern(text) if is_topic_pattern(text) else _topic(text)


def _listen(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not re.fullmatch(r"[^\s/]+", host) or not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65535:
        meant = re.fullmatch(r"(?:[a-z]+://([^\s/]+))?(:[0-9]{1,5})/?", text)
        told = f" Write {meant[1] or '127.0.0.1'}{meant[2]}." if meant and (meant[1] or "").find(":") < 0 else ""
        raise ValueError(f"{quoted(text)} is not HOST:PORT.{told}")
    return text


def _whole(value: Any) -> Any:
    """`Literal[1]` alone also takes true and 1.0."""
    if type(value) is not int:
        raise PydanticCustomError("int_type", "not an integer")
    return value


class Model(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        populate_by_name=False,
        allow_inf_nan=False,
        defer_build=True,  # The whole at first use, instead of every part once more for itself at import.
    )


Duration = Annotated[
    int,
    BeforeValidator(parse_duration),
    PlainSerializer(show_duration, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": f"^{DURATION}$"}),
]
"""Milliseconds; texts in the file."""
Patience = Annotated[
    int | None,
    BeforeValidator(lambda value: None if value == "never" else parse_duration(value)),
    PlainSerializer(
        lambda value: "never" if value is None else show_duration(value), return_type=str, when_used="json"
    ),
    WithJsonSchema({"type": "string", "pattern": f"^({DURATION}|never)$"}),
]
"""Milliseconds, or None for no end."""
Size = Annotated[
    int,
    BeforeValidator(parse_size),
    PlainSerializer(show_size, return_type=str, when_used="json"),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": f"^{SIZE}$"}, {"type": "integer", "minimum": 0}]}),
]
"""Bytes; texts or whole numbers in the file."""
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
Topic = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,249}$"), AfterValidator(_topic)]
EventTopic = Annotated[
    str, StringConstraints(pattern=r"^(\^.{1,498}|[A-Za-z0-9._-]{1,249})$"), AfterValidator(_event_topic)
]
SignalText = Annotated[str, AfterValidator(_signal)]
ByText = Annotated[str, AfterValidator(_by)]
Pattern = Annotated[str, AfterValidator(_pattern)]
CheckedName = Annotated[str, AfterValidator(_checked)]
ModelName = Annotated[str, Field(min_length=1)]
ModelNames = Annotated[ModelName | Annotated[list[ModelName], Field(min_length=1)], BeforeValidator(_models)]
FeatureNames = Annotated[str, AfterValidator(_features)]
ExcludedNames = Annotated[str, AfterValidator(_excluded)]
Pointer = Annotated[str, AfterValidator(check_pointer)]
Listen = Annotated[str, AfterValidator(_listen)]
Version = Annotated[Literal[1], BeforeValidator(_whole)]
Date = Annotated[str, AfterValidator(_date)]
Zone = Annotated[str, AfterValidator(_zone)]
Direction = Literal["up", "down", "both"]
Share = Annotated[float, Field(gt=0, lt=1)]

assert DIRECTIONS == ("up", "down", "both")
