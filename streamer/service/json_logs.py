"""Logs: one line per event on stdout, JSON unless a person is looking; secrets masked, repeats counted.

An event has a constant, greppable name and keys (topic, partition, offset, monitor, model ...) with units as suffixes.
Payloads never go here: coordinates do. librdkafka's own lines come through the same pipe when the clients are made
with `logger=get_logger("librdkafka")`.
"""

from __future__ import annotations

import json
import logging
import math
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO
from urllib.parse import quote

from streamer.config.secrets import is_weak, pattern_of

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
CLIENT, CLIENT_TIMES = "librdkafka", 6
OWN = ("driftline", CLIENT)
TEXT_MAX = 2000
"""Characters of one value; a broker's error text or an exception must not fill the disk."""
TEMPLATE_MAX = 200
DEPTH_MAX = 4
RESERVED = ("time", "level", "event", "logger")
LIBRDKAFKA = "%s [%s] %s"
"""The message format confluent_kafka logs with; its arguments are facility, client and text."""
MASK = "***"

Fields = dict[str, object]


def get_logger(name: str) -> logging.Logger:
    """One of OWN."""
    return logging.getLogger(name)


def log(logger: logging.Logger, level: str, event: str, /, **fields: object) -> None:
    """Log `event` with its fields. An exception as a value becomes its type and text."""
    number = LEVELS[level]
    if logger.isEnabledFor(number):
        logger.log(number, event, extra={"fields": fields})


def setup_logging(
    secrets: Iterable[str] = (),
    level: str = "info",
    stream: TextIO | None = None,
    pretty: bool | None = None,
    clock: Callable[[], float] = time.monotonic,
    debug: bool = False,
) -> LineHandler:
    """Send everything to `stream` (stdout); calling it again replaces the handler of before.

    secrets: values that must never be printed. pretty: None = when the stream is a terminal. clock: seconds, for the
    rate limit only. debug: librdkafka was told to say more (`kafka.client: {debug: ...}`), so show what it says.
    """
    stream = stream or sys.stdout
    pretty = stream.isatty() if pretty is None else pretty
    handler = LineHandler(stream, Redactor(secrets), format_pretty if pretty else format_json, RateLimit(clock))
    handler.setLevel(logging.DEBUG if debug else LEVELS[level])
    root = logging.getLogger()
    for old in [h for h in root.handlers if isinstance(h, LineHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    own, librdkafka = map(logging.getLogger, OWN)
    own.setLevel(LEVELS[level])
    # Open to INFO whatever is printed: librdkafka reports a lost coordinator there, and CoordinatorWatch has to see it.
    librdkafka.setLevel(logging.DEBUG if debug else min(LEVELS[level], logging.INFO))
    return handler


class Redactor:
    """Masks the secret values it was given, values of keys that name a secret, and `key=secret` inside texts."""

    KEY = re.compile(r"passw(or)?d|passphrase|secret|token|credential|(^|[._-])sasl\.(?!mechanisms?$)|key\.pem", re.I)
    ASSIGNED = re.compile(
        r"""(?<![\w.\-])(?P<key>[\w.\-]*(?:passw(?:or)?d|passphrase|secret)[\w.\-]*|sasl\.(?!mechanisms?\b)[\w.\-]+)"""
        r"""(?P<sign>["']?\s*[=:]\s*)(?:"[^"]*"|'[^']*'|[^\s,;]+)""",
        re.I,
    )
    LOGIN = re.compile(r"(?<=://)[^/\s@]+@")

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms: set[tuple[str, bool]] = set()
        for secret in filter(None, secrets):
            # A secret also shows up as part of an address, or inside quotes with escapes.
            spelled = (secret, quote(secret, safe=""), json.dumps(secret)[1:-1], repr(secret)[1:-1])
            forms |= {(form, is_weak(secret)) for form in spelled}
        self._values = pattern_of(forms)

    def text(self, text: str) -> str:
        """Masked, and cut to TEXT_MAX characters: after the known values, lest half of one remains, and before the
        patterns, whose cost may grow with the square of the length."""
        if self._values is not None:
            text = self._values.sub(MASK, text)
        text = text if len(text) <= TEXT_MAX else text[:TEXT_MAX] + "…"
        text = self.ASSIGNED.sub(rf"\g<key>\g<sign>{MASK}", text)
        return self.LOGIN.sub(f"{MASK}@", text)

    def value(self, key: str, value: object, depth: int = 0) -> object:
        """The value as JSON can hold it, masked, and cut to TEXT_MAX characters."""
        if key and self.KEY.search(key):
            return MASK
        match value:
            case None | bool() | int():
                return value
            case float():
                return value if math.isfinite(value) else str(value)
            case Mapping() if depth < DEPTH_MAX:
                return {self.text(str(k)): self.value(str(k), v, depth + 1) for k, v in value.items()}
            case list() | tuple() if depth < DEPTH_MAX:
                return [self.value("", v, depth + 1) for v in value]
            case BaseException():
                return self.text(f"{type(value).__name__}: {value}")
            case _:
                return self.text(str(value))


@dataclass(slots=True)
class _Repeats:
    since_s: float
    passed: int = 1
    suppressed: int = 0


class RateLimit:
    """Lets `burst` records of one key pass per interval and counts the others. Bounded: `keys_max` keys.

    librdkafka's lines of one kind are one key whichever client they are of, and their interval is longer: in an outage
    each of our clients tries to connect several times a second, and ever new ones do; a line of ours says it, too.
    """

    KEYS = ("topic", "partition", "monitor", "model", "client", "fac", "reason", "id")
    """Fields that make two records of one event different ones."""

    def __init__(
        self, clock: Callable[[], float], interval_s: float = 10.0, burst: int = 5, keys_max: int = 1000
    ) -> None:
        self.clock, self.interval_s, self.burst, self.keys_max = clock, interval_s, burst, keys_max
        self._seen: dict[tuple[str, ...], _Repeats] = {}
        self._sweep_s = clock() + interval_s

    def key(self, fields: Mapping[str, object], template: str) -> tuple[str, ...]:
        """What a record is a repeat of: its event (for a library's line, the template of the text), level and KEYS."""
        event = f"log: {template[:TEMPLATE_MAX]}" if fields["event"] == "log" else str(fields["event"])
        alike = ("client",) if event == CLIENT else ()
        return event, *("" if name in alike else str(fields.get(name, "")) for name in ("level", *self.KEYS))

    def over(self, key: tuple[str, ...], since_s: float, now_s: float) -> bool:
        """Whether the interval that began then is."""
        return now_s - since_s >= self.interval_s * (CLIENT_TIMES if key[0] == CLIENT else 1)

    def admit(self, key: tuple[str, ...]) -> int | None:
        """How many of its kind were suppressed before this one, or None when it is to be suppressed, too."""
        now_s = self.clock()
        if key not in self._seen and len(self._seen) >= self.keys_max:
            key = ("",) * len(key)  # Too many kinds at once: they share one account.
        seen = self._seen.get(key)
        if seen is None or self.over(key, seen.since_s, now_s):
            self._seen[key] = _Repeats(now_s)
            return seen.suppressed if seen is not None else 0
        if seen.passed < self.burst:
            seen.passed += 1
            return 0
        seen.suppressed += 1
        return None

    def sweep(self) -> list[tuple[tuple[str, ...], int]]:
        """Forget keys whose interval is over; those that were suppressed and never came again, with their count."""
        now_s = self.clock()
        if now_s < self._sweep_s:
            return []
        self._sweep_s = now_s + self.interval_s
        over = [(key, seen) for key, seen in self._seen.items() if self.over(key, seen.since_s, now_s)]
        for key, _ in over:
            del self._seen[key]
        return [(key, seen.suppressed) for key, seen in over if seen.suppressed]


def fields_of(record: logging.LogRecord) -> Fields:
    """What a record says, as one flat mapping: our own records, librdkafka's, and those of any other library."""
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    fields: Fields = {"time": at, "level": record.levelname.lower(), "event": "log", "logger": record.name}
    own = getattr(record, "fields", None)
    if isinstance(own, dict):
        fields["event"] = record.msg
        fields |= {f"{name}_" if name in RESERVED else name: value for name, value in own.items()}
    elif record.msg == LIBRDKAFKA and isinstance(record.args, tuple) and len(record.args) == 3:
        fields |= {"event": CLIENT, **dict(zip(("fac", "client", "text"), record.args, strict=True))}
    else:
        fields["text"] = _message(record)
    for value in [*(own or {}).values(), (record.exc_info or (None, None))[1]]:
        if isinstance(value, BaseException):
            fields.setdefault("error", value)
            # Frames without the source lines: a line may quote a literal, and all of it fits on one line.
            frames = traceback.extract_tb(value.__traceback__)
            fields["at"] = [f"{frame.filename}:{frame.lineno}:{frame.name}" for frame in frames[-8:]]
    return fields


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):  # A library's message does not fit its arguments: still better than nothing.
        return str(record.msg)


def format_json(fields: Mapping[str, object]) -> str:
    """One line of ASCII: no text in it, whatever it holds, can end the line or fail to encode."""
    return json.dumps(fields, default=str)


def format_pretty(fields: Mapping[str, object]) -> str:
    """`12:34:56.789 WARNING  partition_lost topic=events partition=3`"""
    rest = " ".join(f"{k}={_word(v)}" for k, v in fields.items() if k not in RESERVED)
    when, level, event = (str(fields[k]) for k in ("time", "level", "event"))
    return f"{when[11:23]} {level.upper():8} {event} {rest}".rstrip()


def _word(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    plain = text.isprintable() and not re.search(r'[\s"=]', text) and text
    # Control characters of any kind are escaped: a broker's text must not drive the terminal.
    return text if plain or not isinstance(value, str) else json.dumps(text, ensure_ascii=not text.isprintable())


class LineHandler(logging.Handler):
    """Writes one line per record that the rate limit lets pass. `dropped` counts lines the stream refused."""

    def __init__(
        self, stream: TextIO, redactor: Redactor, shape: Callable[[Mapping[str, object]], str], limit: RateLimit
    ) -> None:
        super().__init__()
        self.stream, self.redactor, self.shape, self.limit = stream, redactor, shape, limit
        self.dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Called under the handler's lock, which also guards the rate limit."""
        try:
            fields = fields_of(record)
            for key, count in self.limit.sweep():
                names = ("of", "of_level", *RateLimit.KEYS)
                repeats = {name: part for name, part in zip(names, key, strict=True) if part}
                head = {name: fields[name] for name in RESERVED} | {"event": "repeats_suppressed", "level": "info"}
                self._write({**head, **repeats, "suppressed": count})
            asked_for = record.levelno <= logging.DEBUG
            suppressed = 0 if asked_for else self.limit.admit(self.limit.key(fields, str(record.msg)))
            if suppressed is not None:
                self._write(fields | ({"suppressed": suppressed} if suppressed else {}))
        except Exception:  # A closed pipe, a value that cannot be shown: the service outlives its log.
            self.dropped += 1

    def _write(self, fields: Mapping[str, object]) -> None:
        # What stands for itself in the code is no secret, and a line is found by it.
        line = self.shape({k: v if k in RESERVED else self.redactor.value(k, v) for k, v in fields.items()})
        self.stream.write(line + "\n")
        self.stream.flush()


class CoordinatorWatch(logging.Handler):
    """Sees in librdkafka's log that a request to the transaction coordinator got lost; nothing else tells.

    An EndTxn that timed out is repeated silently and may, arriving late, end the *next* transaction. So the producer
    has to be re-created before it begins another one. To be added to the logger the producer was given, as handler or
    as filter; lines arrive inside `poll` of that producer. The logger must let INFO through; `setup_logging` sees to
    that.
    """

    FACILITIES = ("REQTMOUT", "FAIL")
    LEAST = logging.INFO
    """Below it is what `debug` adds: every request's fate and every connection closed in good order."""

    def __init__(self) -> None:
        super().__init__()
        self.trouble = False
        self.last = ""
        """The line that set it."""

    def reset(self) -> None:
        """A new producer: what was said of the old one no longer counts."""
        self.trouble = False

    def filter(self, record: logging.LogRecord) -> bool:
        args = record.args
        if record.levelno >= self.LEAST and isinstance(args, tuple) and len(args) == 3 and args[0] in self.FACILITIES:
            text = str(args[2])
            if "TxnCoordinator" in text:
                self.trouble, self.last = True, text
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Nothing is written: seeing it was the point."""
