"""What a value must be like, by the config: the 0/1 signal `invalid.NAME` counts what is not.

A check looks at what an event says under one name. Absent or null is fine unless it is `required`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.events.batch import Batch, number_of_event, text_of_event

Bool = NDArray[np.bool_]
JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?").fullmatch


class Check(NamedTuple):
    """One name's rules, compiled; None where there is no such rule."""

    kind: str | None  # "number" or "text"
    least: float | None
    most: float | None
    # In the order of the config: a check as text is part of its state's identity. Numbers are as `text_of` writes them.
    allowed: tuple[str, ...] | None
    pattern: re.Pattern[str] | None
    required: bool
    same_as: str | None = None  # the batch's name of what it must be equal to, where that is there
    tolerance: float = 0.0  # numbers may differ by this share of the larger one


Checks = Mapping[str, Check]
"""By the batch's name of the value, such as `features.amount`."""


def violations(batch: Batch, name: str, check: Check) -> Bool:
    """For each event whether it breaks the check."""
    bad = _of_its_own(batch, name, check)
    return bad if check.same_as is None else bad | differs(batch, name, check.same_as, check.tolerance)


def _of_its_own(batch: Batch, name: str, check: Check) -> Bool:
    bad = np.full(len(batch.offsets), check.required)
    bad[[one.event for one in batch.odd if one.field == name]] = True
    if name == "version":
        mine = batch.version >= 0
        wrong = np.array([text_is_bad(text, check) for text in batch.strings] or [False], bool)
        bad[mine] = wrong[batch.version[mine]]
        return bad
    if name not in batch.names:
        return bad
    number = batch.names.index(name)
    mine = batch.numbers.name == number
    bad[batch.numbers.event[mine]] = number_is_bad(batch.numbers.value[mine], check)
    mine = batch.texts.name == number
    # One look at each text of the batch, however many events have it.
    wrong = np.array([text_is_bad(text, check) for text in batch.strings] or [False], bool)
    bad[batch.texts.event[mine]] = wrong[batch.texts.text[mine]]
    return bad


def differs(batch: Batch, name: str, other: str, tolerance: float) -> Bool:
    """For each event that has `other` whether `name` is something else: another number, another text, or not there."""
    number, expected = number_of_event(batch, name), number_of_event(batch, other)
    text, wanted = text_of_event(batch, name), text_of_event(batch, other)
    with np.errstate(over="ignore"):
        apart = np.abs(number - expected) > tolerance * np.maximum(np.abs(number), np.abs(expected))
    found: Bool = np.where(np.isnan(expected), False, apart | np.isnan(number)) | ((wanted >= 0) & (text != wanted))
    return found


def text_of(value: str | float | bool) -> str:
    """A value of the config as an event's text has it: `true`, `12`, `0.5`."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return str(value)


def texts_of(value: str | float | bool) -> tuple[str, ...]:
    """All that an event may say for a value of the config: 2 is also the version `2.0`, and 2.0 the label `2`.

    >>> texts_of(2.0), texts_of("2.0"), texts_of(True)
    (('2', '2.0'), ('2.0',), ('true',))
    """
    if isinstance(value, bool | str) or abs(value) >= 2**53 or not float(value).is_integer():
        return (text_of(value),)
    return text_of(value), repr(float(value))


@lru_cache(256)
def numbers_of(allowed: tuple[str, ...]) -> NDArray[np.float64]:
    """The numbers among allowed texts: a code is the same one whether an event has it as 12 or as "12"."""
    return np.array([float(text) for text in allowed if JSON_NUMBER(text)], np.float64)


def number_is_bad(values: NDArray[np.float64], check: Check) -> Bool:
    if check.kind == "text" or check.pattern is not None:
        return np.ones(len(values), bool)
    low = -np.inf if check.least is None else check.least
    high = np.inf if check.most is None else check.most
    found: Bool = (values < low) | (values > high)
    return found if check.allowed is None else found | ~np.isin(values, numbers_of(check.allowed))


def text_is_bad(text: str, check: Check) -> bool:
    if check.kind == "number" or check.least is not None or check.most is not None:
        return True
    if check.allowed is not None and text not in check.allowed:
        return True
    return check.pattern is not None and check.pattern.fullmatch(text) is None
