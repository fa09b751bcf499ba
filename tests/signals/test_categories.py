"""Texts as numbers: what the warm-up has shown has a number of its own, all else shares one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from detectors.reference import Learned
from streamer.signals.categories import CODES, Categories, texts_under
from streamer.signals.columns import group, groups_of
from streamer.signals.grammar import parse_signal
from tests.signals.events import batch_of, firing


class Counted:
    """Stands for a table's reference: how many values each row has had."""

    def __init__(self, warmup: int, rows: int = 2) -> None:
        self.warmup, self.n = warmup, [0] * rows

    def at(self, row: int) -> Learned:
        return Learned._make((self.n[row], *[0.0] * (len(Learned._fields) - 1)))

    def take(self, rows: list[int]) -> None:
        for row in rows:
            self.n[row] = min(self.n[row] + 1, self.warmup)


def made(warmup: int, rows: int = 2) -> tuple[Categories, Counted]:
    reference = Counted(warmup, rows)
    categories = Categories(reference)
    categories.resize(rows)
    return categories, reference


def plainly(events: list[tuple[int, int]], warmup: int) -> list[float]:
    """The numbers by their definition, one event after the other."""
    known: list[dict[int, int]] = [{}, {}]
    had = [0, 0]
    numbers = []
    for row, text in events:
        if had[row] < warmup and len(known[row]) < CODES:
            known[row].setdefault(text, len(known[row]))
        had[row] += 1
        numbers.append(float(known[row].get(text, CODES)))
    return numbers


TEXTS = tuple(f"t{i}" for i in range(80))
TOLD = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 79) | st.integers(0, 3)), max_size=120)


@settings(max_examples=100, deadline=None, database=None)
@given(TOLD, st.integers(0, 100), st.integers(1, 40))
@example([(0, text) for text in range(80)] * 2, 200, 30)  # More texts than are numbered.
def test_numbers_are_by_first_appearance_in_the_warm_up_however_the_log_is_cut(
    events: list[tuple[int, int]], warmup: int, size: int
) -> None:
    categories, reference = made(warmup)
    found: list[float] = []
    for begin in range(0, len(events), size):
        part = events[begin : begin + size]
        rows, texts = (np.array([event[k] for event in part], np.int64) for k in (0, 1))
        found += categories.encode(rows, texts, TEXTS).tolist()
        reference.take(rows.tolist())
    assert found == plainly(events, warmup)
    again, _ = made(warmup, 0)
    again.load(categories.dump(), 2)
    assert (again.dump(), again.names(1)) == (categories.dump(), categories.names(1))


def test_names_by_number_and_the_last_for_all_others() -> None:
    categories, _ = made(5, 1)
    categories.encode(np.zeros(3, np.int64), np.array([7, 3, 7]), TEXTS)
    assert categories.names(0) == ["t7", "t3", *[""] * (CODES - 2), "other"]


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ([["a"]], "do not fit"),
        ([["a"], ["b", "b"]], "invalid"),
        ([["a"], [str(i) for i in range(CODES + 1)]], "invalid"),
    ],
)
def test_a_state_that_no_dump_made_is_refused(state: Any, why: str) -> None:
    categories, _ = made(5, 0)
    with pytest.raises(ValueError, match=why):
        categories.load(state, 2)
    assert categories.dump() == []


def test_texts_under_a_signal_are_those_of_used_events() -> None:
    batch = batch_of([{"features": {"a": "x", "b": "y", "n": 1}}, {"features": {"a": "z"}, "caller": "x"}, {}])
    groups = groups_of(batch, np.array([True, True, False]), (), {}, group)

    def told(text: str) -> list[tuple[int, int, str]]:
        events, names, texts = (array.tolist() for array in texts_under(batch, groups, parse_signal(text)))
        return [(event, name, batch.strings[code]) for event, name, code in zip(events, names, texts, strict=True)]

    a, b = batch.names.index("features.a"), batch.names.index("features.b")
    assert told("category.*") == [(0, a, "x"), (0, b, "y"), (1, a, "z")]
    assert told("category.b") == [(0, 0, "y")]
    assert told("new_caller") == [(1, 0, "x")]
    assert told("category.none") == []


def test_a_new_label_version_or_caller_is_named_at_its_first_event() -> None:
    text = """monitors:
  caller: {signal: new_caller, detect: {kind: occurrence}}
  label: {signal: new_label, detect: {kind: occurrence}}
  version: {signal: new_version, detect: {kind: occurrence}}
"""
    healthy = [{"model_version": "1", "caller": "app", "prediction": {"label": "ab"[i % 2]}} for i in range(400)]
    assert firing(text, healthy) == []
    changed = [*healthy[:300], {"model_version": "2", "caller": "x", "prediction": {"label": "c"}}, *healthy[301:]]
    assert [(a["alert"]["labels"]["signal"], a["trigger"]["offset"]) for a in firing(text, changed)] == [
        ("new_caller", 300),
        ("new_label", 300),
        ("new_version", 300),
    ]
