"""Snapshots in parts, under everything that can fail: what is carried from one to the next is there, as it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from streamer.engine.snapshot import Piece
from streamer.kafka import blocks, state_topic
from streamer.kafka.parts import cut_of, found_again
from streamer.port import Cut, Kept
from streamer.service import snapshots, staging
from streamer.service.worker import Worker
from tests.sim.campaign import run_seed
from tests.sim.test_simulation import FIRST, MUTANT_SEEDS, SEEDS, caught

MOST = (0, 1, 2, 9)
"""Of the first ten seeds those whose snapshots carry the most: 8 of 10. The last catches every mutant below."""


@pytest.fixture
def carrying(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """All snapshots go in parts, and quickly; how many were cut, carried something, and were put together again."""
    counted = Counter[str]()

    def cut(pieces: Sequence[Piece], kept: Sequence[Kept]) -> Cut:
        made = cut_of(pieces, kept)
        counted.update(cut=1, carrying=len(made.carried.offsets) > 0, gone=len(made.gone))
        return made

    def again(*found: Any) -> Kept:
        counted["restored"] += 1
        return found_again(*found)

    monkeypatch.setattr(snapshots, "PARTS_BYTES", 0)
    monkeypatch.setattr(staging, "CHUNKS", 6)
    monkeypatch.setattr(snapshots, "cut_of", cut)
    monkeypatch.setattr(state_topic, "found_again", again)
    return counted


def test_what_is_carried_is_there_whatever_fails(carrying: Counter[str]) -> None:
    """Also that what nobody needs any more does not stay: with what is on its way it is a few times the state."""
    for seed in range(FIRST, FIRST + SEEDS // 4) if SEEDS >= 40 else MOST:
        ran = run_seed(seed)
        ran.broker.compact()
        stored = sum(len(entry[0].value or b"") for entry in ran.broker.state if entry is not None)
        states = sum(len(owned.task.dump()) for w in ran.workers.values() for owned in w.owned.values())
        assert stored < 5 * states, seed
    assert carrying["carrying"] >= 8
    assert carrying["restored"] > 10
    assert carrying["gone"] > 0


def drops_a_part_that_is_carried(made: Cut) -> Cut:
    return made._replace(gone=(*made.gone, *made.carried.numbers[:1].tolist()))


def takes_names_that_are_needed(made: Cut) -> Cut:
    return made._replace(fresh=tuple((number, data) for number, (_, data) in enumerate(made.fresh)))


def carries_what_has_changed(made: Cut) -> Cut:
    """Takes a block for another one that is as large."""
    begins = made.blocks.begins.copy()
    same = np.flatnonzero(made.blocks.sizes == blocks.MOST)
    begins[same] = np.roll(begins[same], 1)
    return made._replace(blocks=made.blocks._replace(begins=begins))


@pytest.mark.parametrize(
    "mutant",
    [
        drops_a_part_that_is_carried,
        takes_names_that_are_needed,
        carries_what_has_changed,
    ],
)
def test_a_snapshot_that_loses_a_part_is_caught(
    mutant: Callable[[Cut], Cut], carrying: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = snapshots.cut_of
    monkeypatch.setattr(snapshots, "cut_of", lambda pieces, kept: mutant(honest(pieces, kept)))
    assert caught(Worker, mutant.__name__) is not None, f"{mutant.__name__} survived {MUTANT_SEEDS} seeds"
