"""The words that the sentences of monitors share."""

from __future__ import annotations

from streamer.signals.kinds import phrase_of


def quantity(signal: str) -> str:
    """What a signal is the mean of, as a reader sees it: `share of events without age`, `mean of features.amount`."""
    counted = phrase_of(signal, 0)
    return f"share of {counted}" if counted else f"mean of {signal}"


DIGITS_MAX = 17
"""With so many two floats that differ are written differently."""
PLACES_MAX = 4
"""Of a share behind the point of its percents; a smaller one is written as what it is, `2e-07%`."""


def tell_apart(first: float, second: float, share: bool = False, digits: int = 4) -> tuple[str, str]:
    """Two numbers with as many digits as tell them apart: `from 0.0% to 0.0%` says nothing.

    >>> tell_apart(0.00012, 0.00048, share=True), tell_apart(99.18, 151.2), tell_apart(1.00001, 1.00002)
    (('0.01%', '0.05%'), ('99.18', '151.2'), ('1.00001', '1.00002'))
    """
    for more in range(DIGITS_MAX):
        pair = tuple(_written(number, share, digits + more, more) for number in (first, second))
        if pair[0] != pair[1] or first == second:
            break
    return pair[0], pair[1]


def _written(number: float, share: bool, digits: int, more: int) -> str:
    if not share:
        return f"{number:.{digits}g}"
    return f"{number:.{1 + more}%}" if more < PLACES_MAX else f"{100 * number:.{1 + more}g}%"


def deviations(moved: float) -> str:
    """`+2.6 deviations`, or as many digits as show that it is not nothing."""
    return f"{moved:+.1f} deviations" if abs(moved) >= 0.05 or moved == 0 else f"{moved:+.1g} deviations"


def from_to(signal: str, before: float, after: float) -> str:
    """`from 99.18 to 151.9`."""
    first, second = tell_apart(before, after, bool(phrase_of(signal, 0)))
    return f"from {first} to {second}"


def to(signal: str, after: float) -> str:
    """` to 151.9`."""
    return f" to {tell_apart(after, after, bool(phrase_of(signal, 0)))[0]}"


def now_before(signal: str, now: float, before: float) -> str:
    """` (now 151.2, before 99.18)`."""
    first, second = tell_apart(now, before, bool(phrase_of(signal, 0)))
    return f" (now {first}, before {second})"
