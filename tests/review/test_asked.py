"""Verdicts on items: each has one result, each item one outcome, and what contradicts itself is no truth."""

from __future__ import annotations

import random
from typing import Any

import pytest

from streamer.review.asked import Asked, Item, Purpose, Truth
from streamer.signals.verdicts import Verdict

TTL = 1000


def verdict(said: str, reviewer: str = "ann", about: str = "i", model: str = "m") -> Verdict:
    return Verdict(0, model, about, reviewer, said, "", 0)


def asked(*ids: str) -> Asked:
    found = Asked(settle_ms=100)
    for id in ids or ("i",):
        assert found.ask(id, Item("m", TTL, 7, 5)) == (True, None)
    return found


@pytest.mark.parametrize(
    ("said", "results", "outcome"),
    [
        ([("ann", "right")], ["matched"], "right"),
        ([("ann", "wrong"), ("ann", "wrong")], ["matched", "duplicate"], "wrong"),
        ([("ann", "wrong"), ("ann", "right")], ["matched", "changed"], "right"),
        ([("ann", "wrong"), ("bob", "right")], ["matched", "conflicting"], "conflicting"),
        ([("ann", "wrong"), ("bob", "right"), ("bob", "wrong")], ["matched", "conflicting", "changed"], "wrong"),
        ([("ann", "unsure"), ("bob", "wrong")], ["matched", "matched"], "wrong"),
        ([("ann", "unsure")], ["matched"], "unsure"),
        ([("ann", "")], ["unusable"], "unanswered"),
        ([], [], "unanswered"),
    ],
)
def test_what_becomes_of_verdicts_and_of_the_item(said: list[Any], results: list[str], outcome: str) -> None:
    one = asked()
    assert [one.take(verdict(what, who), 10) for who, what in said] == results
    assert list(one.pass_time(109)) == [], "others may still contradict"
    truths = [*one.pass_time(110), *one.pass_time(TTL), *one.pass_time(TTL + 1)]
    assert {name for name, count in one.outcomes.items() if count} == {outcome}
    assert [truth.wrong for truth in truths] == ([outcome == "wrong"] if outcome in ("right", "wrong") else [])
    assert not one.items


def test_of_no_open_item_or_of_another_model_nothing_is_known() -> None:
    one = asked()
    results = one.take(verdict("right", about="j"), 1), one.take(verdict("right", model="n"), 1)
    assert results == ("unmatched", "unmatched")
    assert one.take(verdict("right"), TTL + 1) == "unmatched"


def test_an_item_has_so_many_reviewers_and_no_more() -> None:
    one = asked()
    results = [one.take(verdict("right", f"r{number}"), 1) for number in range(18)]
    assert results == ["matched"] * 16 + ["beyond"] * 2
    assert one.take(verdict("wrong", "r3"), 1) == "changed"


def test_what_is_asked_twice_is_one_item_with_the_purpose_of_both() -> None:
    one, purpose = asked(), Purpose(0, True, 0.5)
    assert one.ask("i", Item("m", TTL, 7, 5, purpose)) == (False, None)
    assert one.items["i"].purpose == purpose
    again = asked()
    again.take(verdict("wrong"), 1)
    assert len(list(again.pass_time(200))) == 1
    fresh, truth = again.ask("i", Item("m", TTL, 7, 5, purpose))
    assert (fresh, truth) == (False, Truth("i", again.items["i"], True)), "it is known already"


def test_agreement_follows_what_holds_now_and_is_told_once() -> None:
    one = asked("i", "j")
    for said in (verdict("right", "ann", "i"), verdict("wrong", "bob", "i"), verdict("right", "bob", "i")):
        one.take(said, 1)
    one.take(verdict("wrong", "ann", "j"), 1)
    [(model, version, agreement)] = one.agreed()
    assert (model, version, agreement.items, agreement.overlapping, agreement.conflicting) == ("m", 1, 2, 1, 0)
    assert list(one.agreed()) == []
    one.take(verdict("right", "bob", "j"), 1)
    assert [(version, agreement.conflicting) for _, version, agreement in one.agreed()] == [(2, 1)]


def test_a_state_goes_on_where_it_stood() -> None:
    rng, ids = random.Random(2), [f"i{number}" for number in range(30)]
    one, other = asked(*ids), Asked(100)
    for number in range(400):
        said = verdict(rng.choice(("right", "wrong", "unsure", "")), rng.choice("abc"), rng.choice([*ids, "none"]))
        result = one.take(said, number)
        if number == 200:
            other.load(one.dump())
        elif number > 200:
            assert other.take(said, number) == result
        if number % 50 == 0:
            assert list(one.pass_time(number)) == list(other.pass_time(number)) or number <= 200
    assert str(other.dump()) == str(one.dump())
    assert sum(one.results.values()) == 400
    with pytest.raises(ValueError, match="verdicts that cannot be"):
        Asked(100).load({**one.dump(), "items": [["i", "m", 1, 1, 1, None, [["a", "maybe"]], 1, ""]]})
