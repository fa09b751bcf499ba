"""What a receiver's answer means, and how long to wait before it is tried again."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Literal, NamedTuple

FIRST_S, LONGEST_S = 1.0, 60.0
RETRY_AFTER_MAX_S = 600.0
"""A receiver that asks for more patience than this is asked again, nevertheless."""
ABOUT_US_OR_NOW = {401, 402, 403, 404, 405, 407, 408, 410, 421, 423, 425, 426, 429}
"""Of 4xx those that say nothing of the record: a key that has run out, an address that is wrong, too much at once. They
are mended, and then it is taken; whatever else a receiver says so it will say of this record for good.
"""

Verdict = Literal["delivered", "refused", "later"]


class Answer(NamedTuple):
    """`status` 0: there was none, and `words` say why."""

    status: int
    words: str = ""
    retry_after: str = ""


def verdict(answer: Answer) -> Verdict:
    """What becomes of the record. A redirect is none of ours to follow: the config is to name where it leads."""
    if 200 <= answer.status < 300:
        return "delivered"
    if 400 <= answer.status < 500 and answer.status not in ABOUT_US_OR_NOW:
        return "refused"
    return "later"


def pause_s(tries: int, answer: Answer, now_s: float, draw: Callable[[], float]) -> float:
    """Seconds until the next attempt after `tries` >= 1 that failed: a random part, at least half, of what doubles
    with each of them; and not before the receiver wants to be asked. `draw`: a number from 0 to 1.
    """
    longest = min(LONGEST_S, FIRST_S * 2.0 ** min(tries - 1, 10))
    return max(longest * (0.5 + 0.5 * draw()), min(asked_s(answer.retry_after, now_s), RETRY_AFTER_MAX_S))


def asked_s(retry_after: str, now_s: float) -> float:
    """Seconds, of a header Retry-After: a number, or a date. 0 where it says nothing that can be read.

    >>> asked_s("30", 0.0), asked_s("Thu, 01 Jan 1970 00:01:00 GMT", 20.0), asked_s("soon", 0.0)
    (30.0, 40.0, 0.0)
    """
    text = retry_after.strip()
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now_s)
    except (ValueError, TypeError, OverflowError):
        return 0.0
