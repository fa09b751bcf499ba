"""A moment as a person writes it on the command line."""

from __future__ import annotations

from datetime import UTC, datetime

from streamer.offline.replay import BadInput


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
