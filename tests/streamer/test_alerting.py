"""The alert lifecycle, as text tables: one line per finding or tick, what is published, the state after it."""

from __future__ import annotations

import itertools

import pytest

from streamer.alerting import (
    BREACH,
    CLEAR,
    DRIFT,
    FADING,
    FIRING,
    HELD,
    PENDING,
    QUIET,
    TRANSITIONS,
    AlertBook,
    Moment,
    Policy,
)


def play(policy: Policy, script: str) -> None:
    """Lines `seconds signal -> published state`; the signal `tick` only lets time pass."""
    book = AlertBook({"m": policy})
    for line in filter(str.strip, script.splitlines()):
        left, right = line.split("->")
        second, signal = left.split()
        published, state = right.split()
        at = Moment(int(second), int(second) * 1000, int(second) * 1000)
        notices = list(book.tick("fraud", at))
        if signal != "tick":
            notices += book.apply("m", 0, "fraud", signal, at, 0, {})
        alert = book.alerts.get(("m", 0))
        assert [n.status for n in notices] == ([] if published == "-" else [published]), line
        assert (alert.state if alert else QUIET) == state, line


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
    book = AlertBook({"m": Policy(0, 1_000, 60_000)})
    book.apply("m", 0, "fraud", DRIFT, Moment(0, 0, 0), 0, {})
    assert [n.status for n in book.tick("fraud", Moment(1, 2_000, 2_000))] == ["resolved"]
    assert book.apply("m", 0, "fraud", DRIFT, Moment(2, 30_000, 30_000), 0, {}) == []
    assert book.alerts["m", 0].suppressed == 1
    assert [n.status for n in book.apply("m", 0, "fraud", DRIFT, Moment(3, 62_000, 62_000), 0, {})] == ["firing"]
    assert book.alerts["m", 0].episode == 2


def test_time_of_another_model_resolves_nothing() -> None:
    book = AlertBook({"m": Policy(0, 1_000, 0)})
    book.apply("m", 0, "fraud", DRIFT, Moment(0, 0, 0), 0, {})
    assert list(book.tick("churn", Moment(9, 99_000, 99_000))) == []
    assert repr(book) == "AlertBook(m[0]=fading)"


def test_what_is_due_at_once_comes_in_the_order_of_its_due_time() -> None:
    book = AlertBook({"a": Policy(0, 3_000, 0), "b": Policy(0, 1_000, 0)})
    for name in "ab":
        book.apply(name, 0, "fraud", DRIFT, Moment(0, 0, 0), 0, {})
    assert [n.monitor for n in book.tick("fraud", Moment(1, 9_000, 9_000))] == ["b", "a"]


def test_state_survives_a_dump() -> None:
    book = AlertBook({"m": Policy(0, 1_000, 0)})
    book.apply("m", 3, "fraud", DRIFT, Moment(0, 0, 0), 0, (1, 2.5, None, ((3, 4),)))
    again = AlertBook({"m": Policy(0, 1_000, 0)})
    again.load(book.dump())
    assert again.alerts == book.alerts
    broken = book.dump()
    broken[0]["state"] = "open"
    with pytest.raises(ValueError, match="unknown alert state"):
        again.load(broken)


def test_every_pair_that_can_happen_is_in_the_table() -> None:
    possible = set(itertools.product((QUIET, PENDING, FIRING, FADING), (BREACH, CLEAR)))
    possible |= {(QUIET, DRIFT), (FADING, DRIFT), (PENDING, HELD), (FADING, HELD)}
    assert set(TRANSITIONS) == possible
