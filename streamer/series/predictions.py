"""What the events of a batch say that labels are about: predictions, and truths, as numbers of one width.

A class is the hash of its text, so that two are compared without a dictionary of all there are.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from schemas.events.batch import Batch, number_of_event, text_of_event
from schemas.events.convert import id_hash
from schemas.events.fields import INTERVAL_FIELDS
from streamer.signals.columns import F64, I64, Bool
from streamer.signals.derived import SCORES
from streamer.signals.roles import LABELLED, TRUTH

NOTHING, CLASS, NUMBER = range(3)
"""What was predicted."""
CONFIDENCE = "prediction.confidence"


BOOLEANS = {"true": "1", "false": "0"}
"""However they are written: Python has a capital letter."""


class Said(NamedTuple):
    """Of each event of a batch, as far as it is asked for: arrays of n."""

    ids: Any  # U64; of model and event id, of a label record those of its inference
    kind: I64  # NOTHING, CLASS or NUMBER
    prediction: Any  # U64; the hash of the class, or the bits of the number
    confidence: F64  # NaN for none; of a number the bits of the interval that was stated, see `packed`
    truth: Any  # U64; of a label record the hash of the class, 0 for none
    number: F64  # of a label record the number, NaN for none
    texts: dict[int, str]  # of classes, by hash
    models: Any  # U64; the hash of the model


def class_hash(text: str) -> int:
    """A truth is often a boolean, or a float of a table, where the prediction is 0 or 1, so these are the same.

    >>> class_hash("True") == class_hash("true") == class_hash("1.0") == class_hash("1") != class_hash("0")
    True
    >>> class_hash("0") == class_hash("False") == class_hash("0.0"), class_hash("v1.0") == class_hash("v1")
    (True, False)
    """
    whole = text.removesuffix(".0")
    text = whole if whole.removeprefix("-").isdigit() else text
    return id_hash(BOOLEANS.get(text.lower(), text), TRUTH)


def model_hash(name: str) -> int:
    return id_hash(name, "model")


def class_of_number(value: float) -> str:
    """The class that a number names.

    >>> class_of_number(1.0), class_of_number(0.5)
    ('1', '0.5')
    """
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def said_of(batch: Batch, labels: Bool, inferences: Bool) -> Said:
    """What label records and inferences say. One without a label has that of its greatest score; one that has neither
    has its number.
    """
    count = len(batch.offsets)
    codes = np.where(inferences, text_of_event(batch, "prediction.label"), -1)
    texts = dict[int, str]()
    prediction = _hashed(batch, codes, texts)
    _best_scores(batch, inferences & (codes < 0), prediction, texts)
    values = np.where(inferences, number_of_event(batch, "prediction.value"), np.nan)
    kind = np.where(prediction > 0, CLASS, np.where(np.isnan(values), NOTHING, NUMBER))
    prediction = np.where(kind == NUMBER, values.view(np.uint64), prediction)
    truth, number = np.zeros(count, np.uint64), np.full(count, np.nan)
    ids = batch.event_id
    if labels.any():
        number = np.where(labels, number_of_event(batch, TRUTH), np.nan)
        truth = _hashed(batch, np.where(labels, text_of_event(batch, TRUTH), -1), texts)
        for event in np.flatnonzero(~np.isnan(number)).tolist():
            truth[event] = _noted(class_of_number(number.item(event)), texts)
        about, numbers, ids = text_of_event(batch, LABELLED), number_of_event(batch, LABELLED), ids.copy()
        for event in np.flatnonzero(labels).tolist():
            code = about.item(event)
            text = batch.strings[code] if code >= 0 else class_of_number(numbers.item(event))
            ids[event] = id_hash(text, LABELLED)
        truth[labels & (ids == 0)] = 0  # It is about nothing.
    of_model = np.zeros(max(len(batch.strings), 1), np.uint64)
    for code in np.flatnonzero(np.bincount(batch.model)).tolist():
        of_model[code] = model_hash(batch.strings[code])
    models = of_model[batch.model]
    low, high = (np.where(kind == NUMBER, number_of_event(batch, name), np.nan) for name in INTERVAL_FIELDS)
    confidence = np.where(kind == NUMBER, packed(low, high), number_of_event(batch, CONFIDENCE))
    return Said(ids ^ models, kind, prediction, confidence, truth, number, texts, models)


def packed(low: F64, high: F64) -> F64:
    """Two ends as the 64 bits of one float, rounded outwards to 32 each, so that what waits takes no more room: an
    interval is up to 1e-7 of its ends wider. No two finite ends look like the NaN of a float, which stands for none.

    >>> ends = unpacked(packed(np.array([0.1, 2.0, np.nan]), np.array([0.3, 1.0, 1.0])))
    >>> [end.tolist() for end in ends]
    [[0.09999999403953552, nan, nan], [0.30000001192092896, nan, nan]]
    """
    with np.errstate(over="ignore", invalid="ignore"):
        ends = np.stack([low, high], axis=-1).astype(np.float32)
        ends[..., 0] = np.where(ends[..., 0] > low, np.nextafter(ends[..., 0], np.float32(-np.inf)), ends[..., 0])
        ends[..., 1] = np.where(ends[..., 1] < high, np.nextafter(ends[..., 1], np.float32(np.inf)), ends[..., 1])
        fine = np.isfinite(ends).all(axis=-1) & (low <= high)
    return np.where(fine, np.ascontiguousarray(ends).view(np.float64)[..., 0], np.nan)


def unpacked(bits: F64) -> tuple[F64, F64]:
    """Both ends; NaN where there are none."""
    ends = np.ascontiguousarray(bits).view(np.float32).reshape(-1, 2).astype(np.float64)
    ends[np.isnan(ends).any(axis=1)] = np.nan
    return ends[:, 0], ends[:, 1]


def _noted(text: str, texts: dict[int, str]) -> int:
    found = class_hash(text)
    texts[found] = text
    return found


def _hashed(batch: Batch, codes: I64, texts: dict[int, str]) -> Any:
    """The hash of each text, 0 where there is none."""
    found = np.zeros(len(batch.strings) + 1, np.uint64)  # -1 is the last.
    for code in np.flatnonzero(np.bincount(codes + 1)[1:]).tolist() if len(codes) else ():
        found[code] = _noted(batch.strings[code], texts)
    return found[codes]


def _best_scores(batch: Batch, wanted: Bool, prediction: Any, texts: dict[int, str]) -> None:
    """Of the wanted events that have scores the class of the greatest, of equal ones the first."""
    names = np.array([name.startswith(SCORES) for name in batch.names] or [False], bool)
    if not names.any() or not wanted.any():
        return
    event, name, value = batch.numbers
    mine = np.flatnonzero(names[name] & wanted[event])
    order = mine[np.lexsort((-value[mine], event[mine]))]
    best = order[np.r_[True, event[order][1:] != event[order][:-1]]] if len(order) else order
    hashed = np.zeros(len(batch.names), np.uint64)
    for number in np.unique(name[best]).tolist():
        hashed[number] = _noted(batch.names[number].removeprefix(SCORES), texts)
    prediction[event[best]] = hashed[name[best]]
