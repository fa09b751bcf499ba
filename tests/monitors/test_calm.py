"""A level is over after some clear windows, however long they take."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.monitors.calm import Calm
from streamer.monitors.finding import BREACH, CLEAR, NEITHER


def test_one_clear_window_between_two_others_says_nothing() -> None:
    calm = Calm(3)
    said = [calm.signal(0, breach) for breach in (False, True, False, False, True, False, False, False, False)]
    assert said == [CLEAR, BREACH, NEITHER, NEITHER, BREACH, NEITHER, NEITHER, CLEAR, CLEAR]
    assert calm.dump() == [], "what is over is not remembered"


def test_with_one_window_it_is_over_at_once() -> None:
    assert [Calm(1).signal(0, breach) for breach in (True, False)] == [BREACH, CLEAR]


def test_rows_move_and_a_snapshot_is_taken_up() -> None:
    calm, other = Calm(3), Calm(3)
    calm.signal(0, True)
    calm.signal(2, True)
    calm.signal(2, False)
    calm.retain(np.array([2]))
    other.load(calm.dump())
    assert other.dump() == calm.dump() == [[0, 2]]
    assert [other.signal(0, False) for _ in range(2)] == [NEITHER, CLEAR]


@pytest.mark.parametrize("left", [0, 4])
def test_a_state_that_cannot_be_is_refused(left: int) -> None:
    with pytest.raises(ValueError, match="windows"):
        Calm(3).load([[0, left]])
