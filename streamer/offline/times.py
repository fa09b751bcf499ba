"""Moments and lengths of time, as a person writes and reads them."""

from __future__ import annotations

from datetime import UTC, datetime

from detectors.extremes import DAY_MS
from schemas.records.alert import rfc3339
from streamer.offline.replay import BadInput

MINUTE_MS, HOUR_MS = 60_000, 3_600_000


def time_ms_of(text: str) -> int:
    """Milliseconds since 1970.

    >>> time_ms_of("2026-01-02T03:04:05Z"), time_ms_of("@1.5")
    (1767323045000, 1500)
    """
    try:
        if text.startswith("@"):
            return round(float(text[1:]) * 1000)
        moment = datetime.fromisoformat(text)
        return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        example = "2026-01-31T12:00:00Z or @1769860800"
        raise BadInput(f"{text!r} is neither an offset nor a time such as {example}") from error


def minute(time_ms: int) -> str:
    """`2026-01-22 12:09`"""
    return rfc3339(time_ms)[:16].replace("T", " ")


def long(time_ms: int) -> str:
    """About how long, in its largest units.

    >>> long(90_061_000), long(3_700_000), long(59_000), long(0)
    ('1d 1h', '1h 1m', '59s', '0s')
    """
    if time_ms < MINUTE_MS:
        return f"{time_ms // 1000}s"
    days, hours, minutes = time_ms // DAY_MS, time_ms // HOUR_MS % 24, time_ms // MINUTE_MS % 60
    parts = [f"{number}{unit}" for number, unit in zip((days, hours, minutes), "dhm", strict=True) if number]
    return " ".join(parts[:2])


def count(number: int, what: str) -> str:
    """`1 incident`, `1,200 incidents`"""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
