"""What levels tell of a category: names, shares, and where it was."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.levels import Levels, Told
from streamer.monitors.category_levels import CategoryLevels, level_sentence
from streamer.signals.categories import CODES


def made() -> CategoryLevels:
    levels = CategoryLevels(Levels(0.01))
    levels.bank.resize(2)
    levels.begin(1, [80, 0, 15, 5])
    return levels


def test_numbers_of_categories_become_levels_and_what_the_reference_had_not_is_the_rest() -> None:
    levels, at = made(), np.arange(6)
    assert levels.bank.levels(1) == 4
    assert levels.update(np.ones(6, np.int64), np.array([0.0, 1, 2, 3, 3, CODES]), at, at, at * 1_000) == []
    assert levels.dump()["bank"]["block"][:, 0].tolist() == [1, 1, 2, 2]
    assert levels.update(np.zeros(0, np.int64), np.zeros(0), at[:0], at, at) == []


@pytest.mark.parametrize(("way", "before", "news"), [(-1, 0.009, False), (-1, 0.011, True), (1, 0.003, True)])
def test_that_a_rare_level_is_gone_is_no_news(
    way: int, before: float, news: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels, at = made(), np.arange(1)
    told = Told(0, 1, 3, way, 9.0, 7.5, 400, before, 20, 3_000, 60_000)
    monkeypatch.setattr(levels.bank, "update", lambda *given: [told])
    assert levels.update(np.ones(1, np.int64), np.zeros(1), at, at, at) == [told] * news


@pytest.mark.parametrize(("level", "name"), [(1, "c"), (3, "other")])
def test_a_level_is_shown_by_its_name_and_both_shares(level: int, name: str) -> None:
    told = Told(5, 1, level, 1, 9.0, 7.5, 400, 0.01, 20, 3_000, 60_000)
    shown = made().shown(told, ["a", "b", "c", "d"], (3_500, 90_000))
    window = shown["evidence"]["window"]
    assert (window["n"], window["offsets"], window["level"]) == (400, [3_000, 3_500], name)
    assert window["moved"] == [{"bin": name, "before": 0.01, "after": 0.05}]
    assert window["surprise"] > 3
    assert shown["finding"]["direction"] == "up"
    assert (
        level_sentence("category.x", shown) == f"the share of {name} in category.x went from 1.0% to 5.0% in 400 events"
    )


def test_rows_move_and_a_state_is_read_back() -> None:
    levels, again = made(), made()
    levels.told[1] = None
    levels.retain(np.array([1]))
    state = levels.dump()
    again.load(state, 1)
    assert again.told == {0: None}
    assert list(levels.codes) == [0]
    with pytest.raises(ValueError, match="series that there are not"):
        made().load({**state, "row": np.array([4])}, 1)
