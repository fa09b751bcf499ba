"""From one JSON value to what a column holds: the rules of text, time and ids, free of any container."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

from xxhash import xxh3_64_intdigest

NAME_MAX = 256
"""Characters (code points) of a name, or of a text that names something: such texts become labels of alerts and keys
of state, so a longer one is rejected rather than cut, which could make two names one."""

TEXT_MAX = 256
"""Characters of a feature's text that are kept. A prompt is a fair feature, but the task remembers categories, and its
memory must not be set by how long producers' texts are; so a longer text counts as its beginning."""

DETAIL_MAX = 80

EPOCH_TEXT_MAX = 40
"""Characters of a number that is a time."""

LABEL = frozenset((str, int, bool, float))

TIME_MAX_MS = 7_289_654_400_000
"""2201-01-01T00:00:00Z. Beyond it a unit was mistaken; the bound also leaves no number two readings (EPOCH_UNITS)."""
FUTURE_MS = 5 * 60 * 1000
"""An event cannot be after its record, whose time it has then: else one fast clock moved the watermark, and made all
others late. Further ahead that is counted, as a clock is wrong. Both times are data, so a replay decides alike.
"""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)

NAMED = r"(?:\[[^\]]*\])?"
ZONE = rf" *(?:(?:([Zz]|UTC|GMT)|(?:UTC|GMT)?([+-])([01][0-9]|2[0-3])(?::?([0-5][0-9]))?){NAMED})?"
CLOCK = r"([0-9]{2}):?([0-9]{2})(?::?([0-9]{2})(?:[.,]([0-9]+))?)?"
DATE_TIME = re.compile(rf"([0-9]{{4}})([-/]?)([0-9]{{2}})\2([0-9]{{2}})(?:(?:[Tt_]| +){CLOCK})?{ZONE}").fullmatch
"""RFC 3339, and what else is written of its kind: ISO 8601's short form, slashes, no seconds, a comma, a zone without
its colon or its minutes, or with its name in brackets behind it, no zone at all, and a day alone, which is when it
begins.
"""
MONTH_NAMED = re.compile(
    rf"(?:[A-Za-z]+, *)?([0-9]{{1,2}})([ /-])([A-Za-z]{{3}})\2([0-9]{{4}})[ :]{CLOCK}{ZONE}"
).fullmatch
"""As in mails, headers of HTTP and logs of web servers: a month's name leaves no doubt which number is the day."""
MONTHS = {name: number for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
EPOCH_TEXT = re.compile(r"(?:[0-9]{10}|[0-9]{13}|[0-9]{16}|[0-9]{19})(?:\.[0-9]+)?").fullmatch
"""An epoch number as a text: with as many digits as one of our days has in s, ms, us or ns, as no date has them."""

EPOCH_UNITS = ((10**10, 1000, 1), (10**13, 1, 1), (10**16, 1, 1000), (1 << 64, 1, 1_000_000))
"""(below, times, over): an epoch number below the first bound is seconds, then ms, us, ns. The bounds are the powers of
ten above 2201-01-01 in each unit, so every time since 1970-04-27 has one reading in all four units."""


class NotFinite:
    """Stands in a parsed document for NaN, Infinity and what rounds to it: of no type that a field takes."""


NOT_FINITE: Final = NotFinite()


class Rejected(Exception):
    """Ends the decoding of one event, or of one field. It never leaves `decode`, which returns it as a Reject."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = one_line(detail)


def one_line(text: str) -> str:
    """Control and other unprintable characters escaped, at most DETAIL_MAX characters: names come from producers."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text[:DETAIL_MAX])[:DETAIL_MAX]


def wrong_type(value: Any, path: str) -> Rejected:
    """What a value of a type that the field does not take is called."""
    return Rejected("not_finite" if value is NOT_FINITE else "wrong_type", path)


def member_path(base: str, name: str | int) -> str:
    """The JSON Pointer of a member, for the detail of a reject."""
    return f"{base}/{str(name)[:DETAIL_MAX].replace('~', '~0').replace('/', '~1')}"


def as_text(value: Any, allowed: frozenset[type], path: str) -> str:
    """The text of a naming value: integers in decimal, booleans as true/false, floats as Python's repr writes them.

    That is the shortest decimal that reads back as the same float64, with at least one digit after the point, and
    with an exponent when the value is below 1e-4 or from 1e16 on ("3.0", "0.25", "1e+16", "1e-05").
    """
    kind = type(value)
    if kind is str and len(value) <= NAME_MAX:
        text: str = value
        return text
    if kind is float and float not in allowed:
        value = whole(value)
        kind = type(value)
    if kind is str or kind not in allowed:
        raise wrong_type(value, path)
    if kind is bool:
        return "true" if value else "false"
    return repr(value)


def whole(value: Any) -> Any:
    """A float as an integer, if it is one: a column of integers with gaps comes as 1.0."""
    return int(value) if type(value) is float and value.is_integer() and abs(value) < 2**53 else value


def label_text(value: Any, path: str) -> str:
    """The text of a label: 1.0 is the class 1."""
    return as_text(whole(value), LABEL, path)


def id_hash(value: Any, path: str) -> int:
    """64 bits that stand for an event id; 0 when there is none. An id is only compared, so any length is fine.

    The empty text counts as none: a producer that leaves its ids blank must not have all its events called duplicates.
    The hash is a fast one and not safe against who makes up two ids for it; but they could as well send one id twice.
    """
    if value is None or value == "":
        return 0
    value = whole(value)
    if type(value) is int:
        value = str(value)
    elif type(value) is not str:
        raise wrong_type(value, path)
    return xxh3_64_intdigest(value.encode()) or 1


def event_time_ms(value: Any, record_ms: int, path: str, zone: tzinfo | None = None) -> int:
    """When an event was: the record's time (below 0: not known) where it says nothing, and never after that."""
    if value is None and record_ms >= TIME_MAX_MS:
        raise Rejected("bad_time", "record timestamp")
    event_ms = max(record_ms, 0) if value is None else time_ms(value, path, zone, record_ms)
    if event_ms > record_ms + FUTURE_MS and record_ms >= 0:
        raise Rejected("clock_ahead", path)
    return event_ms if record_ms < 0 else min(event_ms, record_ms)


def time_ms(value: Any, path: str, zone: tzinfo | None = None, record_ms: int = -1) -> int:
    """Milliseconds since 1970 of a text with date and time, or of an epoch number in s, ms, us or ns, also as a text.

    `zone` is the one of texts that name none; of the hour that it has twice in autumn `record_ms`, if known, tells
    which it was: the second, unless that is after the record. Texts and integers are cut to the millisecond, floats are
    rounded to it (half to even), since 1.1 s is not exact.
    Second 60 is refused: a leap second has no number of its own.
    """
    kind = type(value)
    if kind is float and 0.0 <= value < 1e10:  # The first of EPOCH_UNITS, which most producers send, without the loop.
        result: int = round(value * 1000.0)
    elif kind is int or kind is float:
        result = -1  # No time, unless a unit fits.
        for below, times, over in EPOCH_UNITS if value >= 0 else ():
            if value < below:
                result = value * times // over if kind is int else round(value * times / over)
                break
    elif kind is str:
        value = value.strip(" \t\r\n")
        if len(value) < EPOCH_TEXT_MAX and EPOCH_TEXT(value):
            return time_ms(float(value) if "." in value else int(value), path)
        result = _text_ms(value, path, zone, record_ms)
    else:
        raise wrong_type(value, path)
    if not 0 <= result < TIME_MAX_MS:
        raise Rejected("bad_time", path)
    return result


def _text_ms(text: str, path: str, zone: tzinfo | None, record_ms: int) -> int:
    """-1 for what is no time."""
    if found := DATE_TIME(text):
        year, _, month, day, hour, minute, second, fraction, utc, sign, hours, minutes = found.groups()
    elif found := MONTH_NAMED(text):
        day, _, name, year, hour, minute, second, fraction, utc, sign, hours, minutes = found.groups()
        month = MONTHS.get(name.lower(), 0)
    else:
        return -1
    if utc is None and sign is None and zone is None:
        raise Rejected("no_zone", path)
    try:
        date, clock = (int(year), int(month), int(day)), (int(hour or 0), int(minute or 0), int(second or 0))
        when = datetime(*date, *clock, tzinfo=UTC if utc or sign else zone)
        since, again = when - EPOCH, when.replace(fold=1) - EPOCH
        if again > since and 0 <= again // MILLISECOND - FUTURE_MS <= record_ms:
            since = again
    except (ValueError, OverflowError):
        return -1
    ms = (since.days * 86_400 + since.seconds) * 1000 + int((fraction or "")[:3].ljust(3, "0"))
    away = (int(hours or 0) * 60 + int(minutes or 0)) * 60_000
    return ms + away if sign == "-" else ms - away
