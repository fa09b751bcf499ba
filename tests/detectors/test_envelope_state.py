"""Arrays of an envelope: a snapshot of before the sums of ones is read, and what no envelope dumped is refused."""

from __future__ import annotations

import numpy as np
import pytest

from detectors import Envelope, make_bank, make_compiled_bank
from detectors.cusum import fresh
from detectors.envelope_state import unpacked
from schemas.core import native


def test_an_older_snapshot_has_no_sums_of_ones() -> None:
    values = (np.random.default_rng(1).random(12_000) < 0.05) * 1.0
    for make in (make_bank, make_compiled_bank) if native is not None else (make_bank,):
        bank, again = make(Envelope(shares=True)), make(Envelope(shares=True))
        bank.resize(1)
        bank.update(np.zeros(len(values), np.int64), values, np.arange(len(values)) * 60_000)  # type: ignore[call-arg]
        state = bank.dump()
        again.load({name: array for name, array in state.items() if name != "rare"})
        known = again.dump()
        assert known["limit"].tobytes() == state["limit"].tobytes()
        assert known["rare"].tobytes() == fresh(1).tobytes() != state["rare"].tobytes()


def test_sums_of_another_width_are_refused() -> None:
    bank = make_bank(Envelope())
    bank.resize(2)
    state = bank.dump()
    assert unpacked(state, shares=False).keys() == state.keys()
    with pytest.raises(ValueError, match="rare"):
        unpacked({**state, "rare": state["rare"][:, 1:].copy()}, shares=False)
