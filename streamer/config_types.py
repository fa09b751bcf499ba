"""Types of config values: durations, sizes, names, signals; each refuses with one sentence."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema

from detectors.params import DIRECTIONS
from schemas.fields import parse_selector
from streamer.problems import did_you_mean
from streamer.signals import parse_signal

DURATION = re.compile(r"(\d{1,9})(ms|s|m|h|d)")
DURATIONS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
SIZE = re.compile(r"(\d{1,12})(B|KB|MB|KiB|MiB)?")
SIZES = {None: 1, "B": 1, "KB": 1000, "MB": 1_000_000, "KiB": 1 << 10, "MiB": 1 << 20}
SIGNALS = [
    "features.*",
    "features.NAME",
    "missing.*",
    "missing.NAME",
    "label.*",
    "label.NAME",
    "confidence",
    "value",
    "latency_ms",
    "anomaly",
    "score.NAME",
    "logit.INDEX",
    "/json/pointer",
]


def _duration(value: Any) -> Any:
    match = DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is not a duration such as 250ms, 10s, 2m, 1h or 7d.")
    return int(match[1]) * DURATIONS_MS[match[2]]


def _size(value: Any) -> Any:
    match = SIZE.fullmatch(str(value)) if isinstance(value, str | int) and not isinstance(value, bool) else None
    if match is None:
        raise ValueError(f"{value!r} is not a size such as 1048576, 900KB or 1MiB.")
    return int(match[1]) * SIZES[match[2]]


def _signal(text: str) -> str:
    if text.startswith("/"):
        parse_selector(text)
        return text
    try:
        parse_signal(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a signal.{did_you_mean(text, SIGNALS)}") from None
    return text


def _by(text: str) -> str:
    if text not in ("version", "caller") and not re.fullmatch(r"segment\.\S+", text):
        raise ValueError(f"{text!r} is not version, caller or segment.NAME.{did_you_mean(text, ['version', 'caller'])}")
    return text


def _selector(text: str) -> str:
    parse_selector(text)
    return text


def _listen(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{text!r} is not HOST:PORT.")
    return text


Duration = Annotated[
    int, BeforeValidator(_duration), WithJsonSchema({"type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$"})
]
Size = Annotated[
    int, BeforeValidator(_size), Field(ge=1024, le=64 << 20), WithJsonSchema({"type": ["string", "integer"]})
]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
Topic = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,249}$")]
SignalText = Annotated[str, AfterValidator(_signal)]
ByText = Annotated[str, AfterValidator(_by)]
SelectorText = Annotated[str, AfterValidator(_selector)]
Listen = Annotated[str, AfterValidator(_listen)]
Direction = Literal["up", "down", "both"]
Share = Annotated[float, Field(gt=0, lt=1)]

assert DIRECTIONS == ("up", "down", "both")
