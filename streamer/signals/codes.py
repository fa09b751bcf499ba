"""Numbers that are codes: what the config calls `categorical` is watched as the category of its text.

A code is the same one whether an event has it as 12, as 12.0 or as "12"; that 47 is more than 12 means nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from schemas.events.batch import Batch, Numbers, Texts
from streamer.signals.checks import text_of
from streamer.signals.columns import I64, dense
from streamer.signals.grammar import excluded


def coded(batch: Batch, patterns: Sequence[str]) -> Batch:
    """The batch with the numbers of the features that the patterns name among its texts. Those of an event stand behind
    its own texts in the order in which the event has them, so that no cutting of the log shows.
    """
    if not patterns:
        return batch
    meant = tuple(patterns)
    wanted = np.array([excluded(name, meant) for name in batch.names], bool)
    numbers, texts = batch.numbers, batch.texts
    mine = wanted[numbers.name] if len(wanted) else np.zeros(0, bool)
    if not mine.any():
        return batch
    codes, strings = _codes(batch, numbers.value[mine] + 0.0)  # -0.0 is 0
    event = np.concatenate([texts.event, numbers.event[mine]])
    order = np.argsort(event, kind="stable")
    name, text = np.concatenate([texts.name, numbers.name[mine]]), np.concatenate([texts.text, codes.astype(np.int32)])
    return replace(
        batch,
        strings=strings,
        numbers=Numbers(*(column[~mine] for column in numbers)),
        texts=Texts(event[order], name[order], text[order]),
    )


def _codes(batch: Batch, values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[I64, tuple[str, ...]]:
    """The code of each number's text, and the batch's strings with those that are new, by first appearance."""
    inverse, first = dense(np.unique(values, return_inverse=True)[1].reshape(-1).astype(np.int64))
    known = {text: code for code, text in enumerate(batch.strings)}
    codes = [known.setdefault(text_of(value), len(known)) for value in values[first].tolist()]
    return np.array(codes, np.int64)[inverse], tuple(known)
