"""The words that the sentences of monitors share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import inf

from streamer.signals.kinds import phrase_of

BY_LABELS = {"version": "model_version"}


def label_of(field: str) -> str:
    """The label of an alert that has the value of a field of `by`."""
    return BY_LABELS.get(field, field.replace(".", "_"))


def quantity(signal: str) -> str:
    """What a signal is the mean of, as a reader sees it: `share of events without age`, `mean of features.amount`."""
    counted = phrase_of(signal, 0)
    return f"share of {counted}" if counted else f"mean of {signal}"


LOST = 0.99
"""Of the events without a feature that most had: it is gone, and not merely missing now and then."""


def lost(signal: str, before: float, after: float) -> str:
    """`age is lost: ` where it is so, else nothing.

    >>> lost("missing.age", 0.0, 1.0), lost("missing.age", 0.0, 0.4)
    ('age is lost: ', '')
    """
    head, _, member = signal.partition(".")
    return f"{member} is lost: " if head == "missing" and before < 0.5 and after >= LOST else ""


NEAR = 0.05
"""Numbers are written so near to what they are, as a part of their difference."""
DIGITS_MAX = 17
"""With so many two floats that differ are written differently."""
FAR = 0.12
"""Numbers that differ by such a part of the larger one are near enough to what they are with three digits."""
WHOLE_MAX = 1e16
"""Below it whole numbers are written out where four digits do not do: a time in milliseconds has thirteen."""
PLACES_MAX = 4
"""Of a share behind the point of its percents; a smaller one is written as what it is, `2e-07%`."""


def tell_apart(first: float, second: float, share: bool = False, digits: int = 4) -> tuple[str, str]:
    """Two numbers with as many digits as their difference needs: `from 0.0% to 0.0%` says nothing, and `from 52.37 to
    52.372` not how far they are apart.

    >>> tell_apart(0.00012, 0.00048, share=True), tell_apart(99.18, 151.2), tell_apart(1.00001, 1.00002)
    (('0.012%', '0.048%'), ('99.18', '151.2'), ('1.00001', '1.00002'))
    >>> tell_apart(52.3702, 52.3722), tell_apart(1.79e12, 1.79e12 + 3)
    (('52.3702', '52.3722'), ('1790000000000', '1790000000003'))
    """
    if not share and FAR * max(abs(first), abs(second)) <= abs(first - second) < inf:
        return f"{first:.{digits}g}", f"{second:.{digits}g}"
    one, other = told_apart([first, second], share, digits)
    return one, other


def told_apart(numbers: Sequence[float], share: bool = False, digits: int = 4) -> list[str]:
    """The same of any number of them, ascending or not: neighbours that differ are written differently."""
    pairs = [(one, other) for one, other in pairwise(numbers) if one != other]
    shown: list[str] = []
    for more in range(DIGITS_MAX):
        shown = [_written(number, share, digits + more, more) for number in numbers]
        text = dict(zip(numbers, shown, strict=True))
        if all(_apart(one, other, text[one], text[other]) for one, other in pairs):
            break
    return shown


def _apart(one: float, other: float, first: str, second: str) -> bool:
    """Whether both are near enough to what they stand for to show how far they are apart."""
    near = NEAR * abs(other - one)
    return first != second and abs(_read(first) - one) <= near and abs(_read(second) - other) <= near


def _read(text: str) -> float:
    return float(text[:-1]) / 100.0 if text[-1] == "%" else float(text)


def _written(number: float, share: bool, digits: int, more: int) -> str:
    if not share:
        text = f"{number:.{digits}g}"
        return f"{number:.0f}" if more and "e+" in text and abs(number) < WHOLE_MAX else text
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


def now_before(signal: str, now: float, before: float, what: str = "") -> str:
    """` (now 151.2, before 99.18)`."""
    first, second = tell_apart(now, before, bool(phrase_of(signal, 0)))
    return f" ({what}now {first}, before {second})"
