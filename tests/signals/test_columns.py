"""Codes renumbered and events grouped, against the same said one event after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.core import native
from streamer.signals.columns import dense, group, groups_of, numbered
from tests.signals.events import batch_of

CODES = st.lists(st.integers(0, 9) | st.sampled_from((0, 500, 10**12)), max_size=40)
EVENTS = st.lists(st.tuples(st.booleans(), st.integers(-1, 3), st.integers(-1, 2), st.integers(-1, 1)), max_size=40)
GROUPINGS = [group, *([native.group] if native is not None else [])]


@pytest.mark.parametrize("numbering", [dense, numbered])
@given(codes=CODES)
@example(codes=[])
@example(codes=[10**12, 0, 10**12])  # Sorted: a table of so many codes has no room.
def test_codes_are_numbered_in_the_order_in_which_they_appear(numbering: Any, codes: list[int]) -> None:
    numbers: dict[int, int] = {}
    expected = [numbers.setdefault(code, len(numbers)) for code in codes]
    inverse, first = numbering(np.repeat(np.array(codes, np.int64), 2)[::2])
    assert inverse.tolist() == expected
    assert first.tolist() == [codes.index(code) for code in numbers]


@pytest.mark.parametrize("grouping", GROUPINGS)
@given(events=EVENTS, depth=st.integers(1, 3))
def test_events_of_one_key_are_one_group(grouping: Any, events: list[tuple[bool, int, int, int]], depth: int) -> None:
    used = np.array([event[0] for event in events], bool)
    columns = [np.array([event[k] for event in events], np.int64) for k in range(1, depth + 1)]
    of_event, example_of = (array.tolist() for array in grouping(columns, used))
    keys = [event[1 : depth + 1] for event in events]
    wanted = list(dict.fromkeys(key for key, (is_used, *_) in zip(keys, events, strict=True) if is_used))
    assert sorted(keys[i] for i in example_of) == sorted(wanted)
    assert all(used[i] for i in example_of)
    for key, (is_used, *_), number in zip(keys, events, of_event, strict=True):
        assert (keys[example_of[number]] == key) if is_used else number == -1


def test_groups_have_the_model_and_the_fields_of_by() -> None:
    batch = batch_of(
        [
            {"caller": "app", "prediction": {"label": "yes"}},
            {"prediction": {"label": "no"}},
            {"model": "other", "caller": "app"},
            {"caller": "app", "prediction": {"label": "yes"}},
        ]
    )
    used = np.array([True, True, True, False])
    found = groups_of(batch, used, ("caller", "label"), {"label": "prediction.label"}, group)
    keys = [found.keys[number] if number >= 0 else None for number in found.of_event.tolist()]
    assert keys == [("m", "app", "yes"), ("m", "", "no"), ("other", "app", ""), None]


def test_a_field_of_by_that_no_event_has_is_the_empty_text() -> None:
    found = groups_of(batch_of([{}, {}]), np.array([True, True]), ("version", "segment.country"), {}, group)
    assert found.keys == [("m", "", "")]
    nobody = groups_of(batch_of([{}, {}]), np.array([False, False]), ("version",), {}, group)
    assert (nobody.of_event.tolist(), nobody.keys) == ([-1, -1], [])
