"""The alert lifecycle, as text tables: one line per finding or tick, what is published, the state after it."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from schemas.events.batch import Batch, Nulls, Numbers, Texts
from streamer.alerts.lifecycle import (
    FADING,
    FIRING,
    GONE,
    HELD,
    PENDING,
    QUIET,
    TRANSITIONS,
    AlertBook,
    Moment,
    Notice,
    Policy,
)
from streamer.monitors.finding import BREACH, CLEAR, DRIFT, NEITHER, Finding


def first_offset(monitor: str, row: int) -> int:
    return 100 * len(monitor) + row


def make(**policies: Policy) -> AlertBook:
    """An empty book of the given policies."""
    return AlertBook(policies, first_offset)


def at(second: int) -> Moment:
    return Moment(second, second * 1000, second * 1000)


MODELS = ("fraud", "churn", "spam")


def batch_of(first: int, events: list[tuple[int, int]]) -> Batch:
    """A batch of events (place among MODELS, time in ms), the first at offset `first`."""
    none, codes = np.zeros(0, np.int32), np.array([model for model, _ in events], np.int32)
    offsets, times_ms = np.arange(first, first + len(events)), np.array([time_ms for _, time_ms in events], np.int64)
    numbers, texts, nulls = Numbers(none, none, np.zeros(0)), Texts(none, none, none), Nulls(none, none)
    unnamed = np.zeros(len(events), np.uint64)
    rest = numbers, texts, nulls, (), first + len(events)
    return Batch(offsets, times_ms, codes, np.full(len(events), -1, np.int32), unnamed, (), MODELS, *rest)


def passes(book: AlertBook, model: str, second: int) -> list[Notice]:
    """An event of a model in which nothing is found."""
    batch = batch_of(second, [(MODELS.index(model), second * 1000)])
    return book.decide(batch, np.array([True]), batch.times_ms, [])


def found(book: AlertBook, monitor: int, signal: str, second: int, row: int = 0, evidence: Any = ()) -> list[Notice]:
    return book.apply(Finding(-1, monitor, row, signal, evidence), "fraud", at(second))


def play(policy: Policy, script: str) -> None:
    """Lines `seconds signal -> published state`; the signal `tick` only lets time pass."""
    book = make(m=policy)
    for line in filter(str.strip, script.splitlines()):
        left, right = line.split("->")
        second, signal = left.split()
        published, state = right.split()
        notices = passes(book, "fraud", int(second))
        if signal != "tick":
            notices += found(book, 0, signal, int(second))
        [alert] = book.dump() or [None]
        assert [n.status for n in notices] == ([] if published == "-" else [published]), line
        assert (alert["state"] if alert else QUIET) == state, line


def test_an_edge_fires_at_once_is_renewed_and_fades() -> None:
    play(
        Policy(0, 10_000, 0),
        """
        0  drift -> firing fading
        5  drift -> - fading
        14 tick  -> - fading
        15 tick  -> resolved quiet
        16 drift -> firing fading
    """,
    )


def test_a_level_is_pending_until_it_has_held_and_resolves_when_it_stayed_clear() -> None:
    play(
        Policy(5_000, 10_000, 0),
        """
        0  clear  -> - quiet
        1  breach -> - pending
        3  clear  -> - quiet
        4  breach -> - pending
        8  breach -> - pending
        9  tick   -> firing firing
        20 breach -> - firing
        21 clear  -> - fading
        25 breach -> - firing
        26 clear  -> - fading
        36 clear  -> resolved quiet
    """,
    )


def test_without_for_a_level_fires_with_its_first_breach() -> None:
    play(
        Policy(0, 0, 0),
        """
        1 breach -> firing firing
        2 clear  -> resolved quiet
    """,
    )


def test_a_cooldown_suppresses_and_counts() -> None:
    book = make(m=Policy(0, 1_000, 60_000))
    found(book, 0, DRIFT, 0)
    assert [n.status for n in passes(book, "fraud", 2)] == ["resolved"]
    assert found(book, 0, DRIFT, 30) == []
    assert book.dump()[0]["suppressed"] == 1
    [notice] = found(book, 0, DRIFT, 62)
    assert (notice.status, notice.episode, notice.suppressed) == ("firing", 2, 1)
    assert book.detections == {"m": 3}


def test_time_of_another_model_resolves_nothing() -> None:
    book = make(m=Policy(0, 1_000, 0))
    found(book, 0, DRIFT, 0)
    assert passes(book, "churn", 99) == []
    assert repr(book) == "AlertBook(m[0]=fading)"


def test_what_is_due_at_once_comes_in_the_order_of_its_due_time_then_of_names() -> None:
    book = make(b=Policy(0, 1_000, 0), a=Policy(0, 3_000, 0), c=Policy(0, 3_000, 0))
    for monitor in (2, 1, 0):
        found(book, monitor, DRIFT, 0)
    assert [n.monitor for n in passes(book, "fraud", 9)] == ["b", "a", "c"]


def test_a_notice_tells_where_the_episode_began() -> None:
    book = make(level=Policy(2_000, 0, 0))
    assert found(book, 0, NEITHER, 0) == found(book, 0, BREACH, 1, row=7, evidence={"n": 3}) == []
    [notice] = passes(book, "fraud", 4)
    assert notice == ("firing", "level", 7, 1, 1, 0, (1, 1_000, 507, {"n": 3}), (4, 4_000, 4_000), None, False)
    [notice] = found(book, 0, CLEAR, 5, row=7)
    assert notice[:3] == ("resolved", "level", 7)
    assert (notice.opened.evidence, notice.at.offset, notice.ended_ms) == ({"n": 3}, 5, 5_000)


def test_state_survives_a_dump() -> None:
    book = make(m=Policy(0, 1_000, 0))
    found(book, 0, DRIFT, 0, row=3, evidence=(1, 2.5, None, ((3, 4),)))
    again = make(m=Policy(0, 1_000, 0))
    again.load(book.dump())
    assert again.dump() == book.dump()
    assert passes(again, "fraud", 5) == passes(book, "fraud", 5) != []
    broken = book.dump()
    broken[0]["state"] = "open"
    with pytest.raises(ValueError, match="unknown alert state"):
        make(m=Policy(0, 1_000, 0)).load(broken)
    for name in ("opened", "due_ms"):
        with pytest.raises(ValueError, match="is fading without"):
            make(m=Policy(0, 1_000, 0)).load([{**book.dump()[0], "state": "fading", name: None}])
    with pytest.raises(ValueError, match="twice"):
        again.load(book.dump())


def test_what_is_open_for_a_series_that_is_gone_ends_at_once_and_the_others_have_new_rows() -> None:
    book = make(level=Policy(2_000, 5_000, 0), edge=Policy(0, 9_000, 60_000))
    found(book, 0, BREACH, 0, row=0)  # firing by then
    passes(book, "fraud", 3)
    found(book, 0, BREACH, 3, row=1)  # pending
    found(book, 1, DRIFT, 3, row=2)  # fading
    found(book, 1, DRIFT, 3, row=3)
    assert book.open_rows(["edge"]) == {2, 3}
    assert book.open_models() == {"fraud"}
    at = Moment(40, 4_000, 4_000)
    notices = book.retain(["level"], np.zeros(0, np.int64), lambda model: at)
    assert [(n.status, n.row, n.at, n.ended_ms, n.gone) for n in notices] == [("resolved", 0, at, 4_000, True)]
    assert book.open_rows(["level"]) == set()
    [gone] = book.retain(["edge"], np.array([0, 3]), lambda model: at)
    assert (gone.row, gone.ended_ms, gone.gone) == (2, 4_000, True)
    assert repr(book) == "AlertBook(edge[1]=fading)"
    [late] = passes(book, "fraud", 13)
    assert (late.status, late.row, late.ended_ms, late.gone) == ("resolved", 1, 12_000, False)
    assert book.retain(["edge"], np.zeros(0, np.int64), lambda model: at) == []
    assert book.alerts == {}, "nothing is remembered of a cooldown either"


def test_every_pair_that_can_happen_is_in_the_table() -> None:
    possible = set(itertools.product((QUIET, PENDING, FIRING, FADING), (BREACH, CLEAR)))
    possible |= {(QUIET, DRIFT), (FADING, DRIFT), (PENDING, HELD), (FADING, HELD)}
    possible |= {(state, GONE) for state in (PENDING, FIRING, FADING)}
    assert set(TRANSITIONS) == possible
