"""From one JSON value to what a column holds: the rules of text, time and ids, free of any container."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from xxhash import xxh3_64_intdigest

NAME_MAX = 256
"""Characters (code points) of a name, or of a text that names something: such texts become labels of alerts and keys
of state, so a longer one is rejected rather than cut, which could make two names one."""

TEXT_MAX = 256
"""Characters of a feature's text that are kept. A prompt is a fair feature, but the task remembers categories, and its
memory must not be set by how long producers' texts are; so a longer text counts as its beginning."""

DETAIL_MAX = 80

TIME_MAX_MS = 7_289_654_400_000
"""2201-01-01T00:00:00Z. Beyond it a unit was mistaken; the bound also leaves no number two readings (EPOCH_UNITS)."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
).fullmatch

EPOCH_UNITS = ((10**10, 1000, 1), (10**13, 1, 1), (10**16, 1, 1000), (1 << 64, 1, 1_000_000))
"""(below, times, over): an epoch number below the first bound is seconds, then ms, us, ns. The bounds are the powers of
ten above 2201-01-01 in each unit, so every time since 1970-04-27 has one reading in all four units."""


class Rejected(Exception):
    """Ends the decoding of one event. It never leaves `decode`, which returns it as a Reject."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = one_line(detail)


def one_line(text: str) -> str:
    """Control and other unprintable characters escaped, at most DETAIL_MAX characters: names come from producers."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text[:DETAIL_MAX])[:DETAIL_MAX]


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
    if kind is str or kind not in allowed:
        raise Rejected("wrong_type", path)
    if kind is bool:
        return "true" if value else "false"
    return repr(value)


def id_hash(value: Any, path: str) -> int:
    """64 bits that stand for an event id; 0 when there is none. An id is only compared, so any length is fine.

    The empty text counts as none: a producer that leaves its ids blank must not have all its events called duplicates.
    The hash is a fast one and not safe against who makes up two ids for it; but they could as well send one id twice.
    """
    if value is None or value == "":
        return 0
    if type(value) is int:
        value = str(value)
    elif type(value) is not str:
        raise Rejected("wrong_type", path)
    return xxh3_64_intdigest(value.encode()) or 1


def time_ms(value: Any, path: str) -> int:
    """Milliseconds since 1970 of an RFC 3339 text with a zone or an epoch number in s, ms, us or ns.

    Texts and integers are cut to the millisecond, floats are rounded to it (half to even), since 1.1 s is not exact.
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
        result = _rfc3339_ms(value)
    else:
        raise Rejected("wrong_type", path)
    if not 0 <= result < TIME_MAX_MS:
        raise Rejected("bad_time", path)
    return result


def _rfc3339_ms(text: str) -> int:
    """-1 for what is no time. The pattern comes first: fromisoformat also takes week dates, commas and no zone."""
    if not RFC3339(text):
        return -1
    try:
        since = datetime.fromisoformat(text.upper()) - EPOCH
    except (ValueError, OverflowError):
        return -1
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000
