"""What a value means, whatever type it comes as: 3.5 and "3.5" are one number; 1, "1", 1.0 and, where there is nothing
but ones and zeros, true are one. A name is at home in the type of its first values, and what comes as another type
later on goes on under its series as what it was there.

What has no meaning there stays as it is: a word among numbers, the number 7 among true and false.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.events.batch import Batch, Numbers, Texts
from streamer.signals.checks import JSON_NUMBER, text_of
from streamer.signals.columns import F64, I64, Bool, dense

Columns = Sequence[NDArray[Any]]
TRUTH = {"true": 1.0, "false": 0.0}


@lru_cache(4096)
def meaning(text: str, bits: bool) -> float | None:
    """The number that a text means; true and false mean one only where all are ones and zeros.

    >>> meaning("1.50", bits=False), meaning("True", bits=True), meaning("True", bits=False), meaning("007", bits=True)
    (1.5, 1.0, None, None)
    """
    if bits and text.lower() in TRUTH:
        return TRUTH[text.lower()]
    if not JSON_NUMBER(text):
        return None
    value = float(text) + 0.0  # -0.0 is 0
    return value if isfinite(value) else None


class Home(NamedTuple):
    """Where the values of a name belong: among numbers, or among texts that mean some."""

    bits: bool  # they are all ones and zeros
    texts: Collection[str] | None = None  # those of its first values; None among numbers
    spelled: Mapping[float, str] = {}  # how what they mean is written there
    words: bool = False  # as true and false are, so that no other number is one of them

    @classmethod
    def of_texts(cls, texts: Collection[str], bits: bool) -> Home:
        spelled: dict[float, str] = {}
        for text in texts:
            value = meaning(text, bits)
            if value is not None:
                spelled.setdefault(value, text)
        return cls(bits, texts, spelled, bits and any(text.lower() in TRUTH for text in texts))

    def of_text(self, text: str) -> float | str | None:
        """What a text is here; None where it stays as it is."""
        if self.texts is None:
            return meaning(text, self.bits)
        value = None if text in self.texts else meaning(text, self.bits)
        return None if value is None else self.spelled.get(value)

    def of_number(self, value: float) -> str | None:
        """What a number is here, which is not at home; None where it stays as it is."""
        return self.spelled.get(value, None if self.words else text_of(value))


def at_home(batch: Batch, of_number: I64, of_text: I64, homes: Mapping[int, Home]) -> tuple[Batch, I64, I64]:
    """The batch with its values where they belong; and of those that came home the home and the event. `of_number`,
    `of_text`: the key of each one's home, -1 where it stays. Those of an event stand behind its own in the order in
    which the event has them, so that no cutting of the log shows.
    """
    numbers, texts = batch.numbers, batch.texts
    codes = {text: code for code, text in enumerate(batch.strings)}
    said, again, first = _different(of_text, texts.text)
    found = [homes[of_text.item(i)].of_text(batch.strings[texts.text[i]]) for i in said[first].tolist()]
    value, code = (column[again] for column in _told(found, codes))
    is_number, other = ~np.isnan(value), code >= 0
    counted, again, first = _different(of_number, numbers.value)
    named = [homes[of_number.item(i)].of_number(numbers.value.item(i) + 0.0) for i in counted[first].tolist()]
    name = _told(named, codes)[1][again]
    came = said[is_number | other], counted[name >= 0]
    back = np.concatenate([of_text[came[0]], of_number[came[1]]])
    if not len(back):
        return batch, back, back
    text = texts.text.copy()
    text[said[other]] = code[other]
    no_text, no_number = np.zeros(len(text), bool), np.zeros(len(numbers.event), bool)
    no_text[said[is_number]], no_number[came[1]] = True, True
    own = texts._replace(text=text)
    new_numbers = texts.event[no_text], texts.name[no_text], value[is_number]
    new_texts = numbers.event[no_number], numbers.name[no_number], name[name >= 0]
    whole = replace(
        batch,
        strings=tuple(codes),
        numbers=Numbers(*_joined(numbers, ~no_number, new_numbers)),
        texts=Texts(*_joined(own, ~no_text, new_texts)),
    )
    return whole, back, np.concatenate([texts.event[came[0]], numbers.event[came[1]]]).astype(np.int64)


def _different(home: I64, values: NDArray[Any]) -> tuple[I64, I64, I64]:
    """The places that have a home, and as from `dense` which of them have the same one and the same value."""
    at = np.flatnonzero(home >= 0)
    value = np.unique(values[at], return_inverse=True)[1].reshape(-1)
    return at, *dense(home[at] * (len(value) + 1) + value)


def _told(found: Sequence[float | str | None], codes: dict[str, int]) -> tuple[F64, I64]:
    """Of each the number that it became, NaN for none, and the code of the text, -1 for none."""
    number = [one if isinstance(one, float) else np.nan for one in found]
    code = [codes.setdefault(one, len(codes)) if isinstance(one, str) else -1 for one in found]
    return np.array(number, np.float64), np.array(code, np.int64)


def _joined(own: Columns, stay: Bool, came: Columns) -> list[NDArray[Any]]:
    """Columns of what stays and of what came, by event; the first of them is the event."""
    event = np.concatenate([own[0][stay], came[0]])
    order = np.argsort(event, kind="stable")
    pairs = zip(own, came, strict=True)
    return [np.concatenate([mine[stay], new]).astype(mine.dtype)[order] for mine, new in pairs]
