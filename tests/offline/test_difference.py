"""Gained, lost and moved, for each pair of episodes that may be the same."""

from __future__ import annotations

import random

from streamer.offline.difference import Moved, difference
from tests.offline.past import episode

HOUR = 3_600_000


def test_the_same_twice_is_no_difference() -> None:
    rng = random.Random(1)
    many = [episode(rng.choice("ab"), rng.randrange(100 * HOUR), monitor=rng.choice("xy")) for _ in range(300)]
    shuffled = rng.sample(many, len(many))
    found = difference(many, shuffled, HOUR)
    assert not found
    assert found.same == 300


def test_what_is_another_model_monitor_or_further_away_than_the_tolerance_is_not_the_same() -> None:
    before = [episode("a", 0)]
    for after in (episode("b", 0), episode("a", 0, monitor="y"), episode("a", HOUR + 1)):
        found = difference(before, [after], HOUR)
        assert (found.same, found.moved, found.gained, found.lost) == (0, [], [after], before)
    near = episode("a", HOUR)
    assert difference(before, [near], HOUR).moved == [Moved(before[0], near)]


def test_each_has_one_partner_and_the_nearest_comes_first() -> None:
    before = [episode(onset_ms=0), episode(onset_ms=10)]
    after = [episode(onset_ms=9), episode(onset_ms=30)]
    found = difference(before, after, 25)
    assert found.moved == [Moved(before[1], after[0])]
    assert found.lost == [before[0]]
    assert found.gained == [after[1]]
    assert sum(map(len, found[1:])) + len(found.moved) == len(before) + len(after)


def test_how_it_moved_is_said_in_words() -> None:
    old = episode(onset_ms=0, found_ms=HOUR, ended_ms=4 * HOUR)
    new = episode(onset_ms=5, found_ms=HOUR - 300_000, ended_ms=None, severity="critical")
    told = "found 5m earlier, no longer over at the end, critical instead of warning"
    assert Moved(old, new).words() == told
    assert Moved(new, old).words() == "found 5m later, now over at the end, warning instead of critical"
    assert Moved(old, old._replace(sentence="other words", onset_ms=9)).words() == ""
    plain = difference([old], [new], HOUR).plain()
    assert plain["moved"][0]["how"] == told
    assert (plain["same"], plain["gained"], plain["lost"]) == (0, [], [])
