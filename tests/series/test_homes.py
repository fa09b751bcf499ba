"""Where names are at home: learned from their first values, kept when they come as another type, and bounded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from streamer.series.homes import BITS, NAMES_PER_PLACE, NEVER, NOWHERE, NUMBERS, OPEN, TEXTS, Homes
from tests.signals.events import batch_of
from tests.signals.test_home import shown

WARMUP = 20


def fed(values: list[Any], size: int = 1000, homes: Homes | None = None) -> tuple[list[Any], Homes]:
    """What the values of features.x are at home, and the homes."""
    homes, found = homes or Homes(WARMUP, 10), list[Any]()
    for begin in range(0, len(values), size):
        batch = batch_of([{"features": {"x": value, "y": 1.5}} for value in values[begin : begin + size]], begin=begin)
        own = homes.at_home(batch, np.ones(len(batch.offsets), bool))
        found += [value for _, name, value in sorted(shown(own), key=lambda one: one[0]) if name == "features.x"]
        again = Homes(WARMUP, 10)
        again.load(homes.dump())
        assert repr(again.dump()) == repr(homes.dump())
        homes = again
    return found, homes


@pytest.mark.parametrize("size", [1, 7, 19, 1000])
@pytest.mark.parametrize(
    ("first", "then", "wanted"),
    [
        ([1.5, 2.5], ["3.5", 4.5, "word", True], [3.5, 4.5, "word", "true"]),
        ([0, 1], [True, "false", "1"], [1.0, 0.0, 1.0]),
        (["1", "2"], [1, 2, 3, "1"], ["1", "2", "3", "1"]),
        ([True, False], [1, 0, "1"], ["true", "false", "true"]),
        (["NL", "DE"], [1, 2.5, "1"], [1.0, 2.5, "1"]),
        ([1, "1"], [1, "1", True], [1.0, "1", "true"]),
    ],
)
def test_the_first_values_say_the_home_however_it_is_cut(
    first: list[Any], then: list[Any], wanted: list[Any], size: int
) -> None:
    found, homes = fed(first * (WARMUP // 2) + then, size)
    whole, other = fed(first * (WARMUP // 2) + then)
    assert found[WARMUP:] == wanted
    assert found == whole
    assert repr(homes.dump()) == repr(other.dump())


def test_texts_that_are_no_categories_are_no_home() -> None:
    """Their series are not watched, so that the numbers that they become are to be one of their own."""
    assert fed([f"{i}.5" for i in range(WARMUP)] + [7.5])[0][-1] == 7.5


def test_a_model_has_its_own_home_and_whoever_is_not_seen_teaches_nothing() -> None:
    homes = Homes(WARMUP, 10)
    events = [{"model": m, "features": {"x": 1.5 if m == "a" else "NL"}} for m in "ab"] * WARMUP
    batch = batch_of([*events, *({"model": m, "features": {"x": "2.5"}} for m in "abc")])
    seen = np.ones(len(batch.offsets), bool)
    seen[-1] = False
    found = homes.at_home(batch, seen)
    assert [value for *_, value in shown(found)][-4:] == ["NL", "NL", "2.5", "2.5"]
    assert found.numbers.value.tolist() == [1.5] * WARMUP + [2.5]
    assert homes.keys == [("a", "features.x"), ("b", "features.x")]
    assert homes.state["kind"].tolist() == [NUMBERS, NOWHERE]


def test_pure_batches_are_handed_on_as_they_are() -> None:
    homes = fed([True, False] * WARMUP)[1]
    batch = batch_of([{"features": {"x": True, "y": 2.5}}] * 5)
    assert homes.at_home(batch, np.ones(5, bool)) is batch
    none = batch_of([])
    assert homes.at_home(none, np.ones(0, bool)) is none


def test_where_the_log_must_be_read_from() -> None:
    homes = fed([1.5] * 30 + ["1.5"])[1]
    assert [homes.first_offset("m", before) for before in (29, 30)] == [NEVER, 0]
    assert homes.first_offset("other", 30) == NEVER


def test_names_that_are_data_make_room_and_models_that_leave_are_forgotten() -> None:
    homes = Homes(WARMUP, 1)
    usual = batch_of([{"features": {"x": 1.5}}] * WARMUP)
    homes.at_home(usual, np.ones(WARMUP, bool))
    many = batch_of([{"features": {f"n{i}": 1 for i in range(2 * NAMES_PER_PLACE)}}])
    assert not homes.calm(1, 2 * NAMES_PER_PLACE)
    homes.at_home(many, np.ones(1, bool))
    assert len(homes.keys) == NAMES_PER_PLACE
    homes.turn()
    assert homes.keys == [("m", "features.x")]
    homes.forget(["m"])
    assert (homes.keys, homes.index, len(homes.state["n"])) == ([], {}, 0)


def test_a_file_says_homes_and_another_warm_up_or_other_codes_begin_anew() -> None:
    homes = Homes(WARMUP, 10, given="hash")
    homes.seed("m", "features.a", False, [])
    homes.seed("m", "features.b", True, [])
    homes.seed("m", "features.c", None, ["1", "2"])
    homes.seed("m", "features.d", None, ["NL", "1"])
    homes.seed("m", "latency_ms", False, [])
    assert homes.state["kind"].tolist() == [NUMBERS, BITS, TEXTS, NOWHERE]
    batch = batch_of([{"features": {"a": "1.5", "b": True, "c": 2, "d": 1}}])
    found = homes.at_home(batch, np.ones(1, bool))
    assert sorted(map(str, (value for *_, value in shown(found)))) == ["1.0", "1.0", "1.5", "2"]
    assert homes.first_offset("m", 0) == NEVER
    for other, kept in (
        (Homes(9, 10, given="hash"), 0),
        (Homes(WARMUP, 10), 0),
        (Homes(WARMUP, 10, ["*.c"], "hash"), 3),
    ):
        other.load(homes.dump())
        assert len(other.keys) == kept
    homes.load(None)
    assert len(homes.keys) == 4


@pytest.mark.parametrize("broken", [{"n": [WARMUP + 1, 1]}, {"kind": [OPEN, 5]}, {"n": [1]}, {"kind": [TEXTS, OPEN]}])
def test_an_invalid_state_is_refused(broken: dict[str, list[int]]) -> None:
    state = fed([1])[1].dump()
    state["state"] |= {name: np.array(values) for name, values in broken.items()}
    with pytest.raises(ValueError, match="homes of names"):
        Homes(WARMUP, 10).load(state)
