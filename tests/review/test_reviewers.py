"""Reviewers whose agreement falls: who is told of, who is not, and that it hangs on nothing but what was said."""

from __future__ import annotations

import random

import pytest

from streamer.review.asked import Asked, Item
from streamer.review.reviewers import Reviewers
from streamer.signals.verdicts import RIGHT, WRONG, Verdict

SEEDS = range(10)


def lived(seed: int, mistakes: dict[str, float], later: dict[str, float], items: int = 400, falls: int = 150) -> Asked:
    """Items that all of these answer, with so many mistakes at first and so many later."""
    rng, found = random.Random(seed), Asked(10, Reviewers(0.05, 4))
    for number in range(items):
        truth = rng.random() < 0.1
        found.ask(str(number), Item("m", number + 1000, number, number))
        for who, first in mistakes.items():
            share = later.get(who, first) if number >= falls else first
            said = WRONG if truth != (rng.random() < share) else RIGHT
            found.take(Verdict(0, "m", str(number), who, said, "", 0), number)
        list(found.pass_time(number))
    return found


def fallen(asked: Asked) -> list[str]:
    assert asked.reviewers is not None
    return [who for _, who in asked.reviewers.fallen]


@pytest.mark.parametrize("names", ["ab", "abc", "abcde"])
def test_honest_reviewers_are_not_told_of(names: str) -> None:
    assert not [one for seed in SEEDS for one in fallen(lived(seed, dict.fromkeys(names, 0.05), {}))]


@pytest.mark.parametrize("names", ["abc", "abcde"])
def test_one_who_gets_careless_is_told_of_and_the_others_are_not(names: str) -> None:
    assert [fallen(lived(seed, dict.fromkeys(names, 0.05), {"b": 0.4})) for seed in SEEDS] == [["b"]] * len(SEEDS)


def test_of_two_one_is_told_of_and_it_is_said_that_there_was_but_one_other() -> None:
    for seed in SEEDS:
        asked = lived(seed, {"a": 0.05, "b": 0.05}, {"b": 0.5})
        assert asked.reviewers is not None
        [(_, at)] = asked.reviewers.fallen.items()
        assert at.others == 1


def test_whose_alert_is_over_learns_anew_what_is_usual() -> None:
    asked = lived(1, dict.fromkeys("abc", 0.05), {"b": 0.4})
    reviewers = asked.reviewers
    assert reviewers is not None
    reviewers.restart(("m", "b"))
    assert not reviewers.fallen
    assert "b" not in reviewers.tests["m"]
    for number in range(20):
        reviewers.decided("m", {"a": RIGHT, "b": WRONG, "c": RIGHT}, (number, number))
    assert reviewers.tests["m"]["b"].first == (20, 20)


def test_whom_others_are_of_two_minds_about_nothing_is_said_and_too_many_are_counted() -> None:
    reviewers = Reviewers(0.05, 1)
    reviewers.decided("m", {"a": RIGHT, "b": WRONG, "c": RIGHT}, (1, 1))
    assert {who: test.first.n for who, test in reviewers.tests["m"].items()} == {"b": 1}
    reviewers.decided("n", {"a": RIGHT, "b": WRONG}, (2, 2))
    assert (list(reviewers.tests), reviewers.beyond) == (["m"], 2)


def test_a_state_goes_on_where_it_stood_and_with_another_alpha_begins_anew() -> None:
    asked, again, other = lived(3, dict.fromkeys("abc", 0.05), {"b": 0.4}), Reviewers(0.05, 4), Reviewers(0.01, 4)
    assert asked.reviewers is not None
    state = asked.reviewers.dump()
    again.load(state)
    other.load(state)
    assert repr(again.dump()) == repr(state)
    assert (other.tests, other.fallen) == ({}, {})
