"""How windows end: counted by model, and the same in a snapshot whichever model's window ended first."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.monitors.window_outcomes import ENDS, Outcomes, note, outcomes_of, plain

NOTES = st.lists(st.tuples(st.sampled_from(["b", "a", "c"]), st.sampled_from(list(ENDS)), st.integers(0, 5)))


@given(NOTES)
def test_what_is_noted_adds_up_and_comes_back(notes: list[tuple[str, str, int]]) -> None:
    outcomes: Outcomes = {}
    for one in notes:
        note(outcomes, *one)
    assert set(outcomes) == {model for model, _, _ in notes}
    for model, counts in outcomes.items():
        assert list(counts) == list(ENDS)
        assert counts == {
            ended: sum(count for who, how, count in notes if (who, how) == (model, ended)) for ended in ENDS
        }
    assert outcomes_of(plain(outcomes)) == outcomes
    assert plain(outcomes) == sorted(plain(outcomes)), "not in the order in which they came"


def test_one_is_one() -> None:
    outcomes: Outcomes = {}
    note(outcomes, "m", "late")
    note(outcomes, "m", "skipped", 3)
    assert plain(outcomes) == [["m", 0, 0, 1, 3]]


@pytest.mark.parametrize("state", [[["m", 1, 2, 3]], [["m", 1, 2, 3, 4, 5]], [["m", 1, 2, 3, "x"]]])
def test_what_plain_cannot_have_made_is_refused(state: list[Any]) -> None:
    with pytest.raises(ValueError, match="shorter|longer|invalid literal"):
        outcomes_of(state)


def test_every_end_says_why() -> None:
    assert all(why and why[0].islower() for why in ENDS.values())
