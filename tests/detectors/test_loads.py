"""What is usual is known by load, from values before those that it is held against, and of rows by themselves."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.loads import LEAST, LOADS, NEVER, NONE, Loads, check_state, is_round, load_of, paced

EIGHT = 8
MINUTE_MS = 60_000


def loads_of(rows: int = 1) -> Loads:
    loads = Loads()
    loads.resize(rows)
    return loads


def take(loads: Loads, blocks: int, every_ms: int, mean: float, row: int = 0) -> float:
    """So many blocks of eight values; the mean that was expected of the last."""
    expected = 0.0
    for _ in range(blocks):
        expected = loads.take(row, max(loads.since.item(row), 0) + every_ms, EIGHT, EIGHT * mean)[0] / EIGHT
    return expected


def test_loads_are_apart_by_two_and_end_somewhere() -> None:
    places = [load_of(2**power) for power in range(40)]
    assert places[: LOADS - 1] == [*range(1, LOADS)]
    assert set(places[LOADS - 1 :]) == {LOADS - 1}
    assert load_of(0) == load_of(0.9) == NONE


def test_a_pace_follows_a_fall_of_the_load_soon_and_a_rise_at_once() -> None:
    assert paced(0.0, 800.0) == 800.0
    assert paced(800.0, 8_000.0) == 2_600.0
    assert paced(800.0, 400.0) == 700.0
    assert paced(800.0, 199.0) == 199.0


def test_chance_does_not_show_an_evening_to_a_day() -> None:
    """Eight values take up to three times as long as they usually do: what comes at a ninth of the rate is no such."""
    for seed in range(10):
        draw, loads = np.random.default_rng(seed), loads_of()
        for mean_ms, mean, blocks in ((90_000.0, 34.0, 400), (800_000.0, 3.5, 60)):
            for took_ms in draw.gamma(EIGHT, mean_ms / EIGHT, blocks).astype(int).tolist():
                expected = take(loads, 1, took_ms, mean)
                assert abs(expected - mean) < 1.0, (seed, expected)


def test_under_a_load_that_was_never_there_nothing_is_unusual() -> None:
    loads = loads_of()
    assert take(loads, 100, MINUTE_MS, 5.0) == 5.0
    assert take(loads, 1, MINUTE_MS, 9.0) == 5.0
    assert take(loads, LEAST // EIGHT + 8, 100 * MINUTE_MS, 1.0) == 1.0
    assert take(loads, 1, 100 * MINUTE_MS, 9.0) == 1.0
    assert take(loads, 1, MINUTE_MS, 9.0) == 5.0


def test_a_load_at_the_border_of_two_is_known_by_both_and_not_by_one_that_is_known() -> None:
    loads, border_ms = loads_of(), 2**20
    took = [border_ms // 2, border_ms * 2]
    for i in range(LEAST // EIGHT + 1):
        take(loads, 1, took[i % 2], 3.0)
    assert take(loads, 1, took[0], 9.0) == 3.0
    take(loads, 100, border_ms, 3.0)
    assert take(loads, 1, 20 * border_ms, 9.0) == 9.0, "of the next one nothing is known"


def test_what_is_new_is_no_part_of_what_it_is_held_against() -> None:
    loads = loads_of()
    take(loads, 1 + 1_024, MINUTE_MS, 0.0)
    assert [take(loads, 1, MINUTE_MS, 1.0) for _ in range(256)] == [0.0] * 256
    assert 0.0 < take(loads, 1, MINUTE_MS, 1.0) < 0.25


def test_it_is_looked_at_anew_when_a_quarter_or_less_has_come() -> None:
    counts = [count for count in range(1, 3_000) if is_round(count)]
    assert counts[:12] == [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16]
    assert max(b / a for a, b in zip(counts[3:], counts[4:], strict=False)) == 1.25


def test_what_came_without_times_counts_under_every_load() -> None:
    loads = loads_of()
    for _ in range(1 + LEAST // EIGHT):
        loads.take(0, 0, EIGHT, EIGHT * 3.0)
    assert [take(loads, 1, ms, 9.0) for ms in (1 << 40, MINUTE_MS, 1_000)] == [3.0] * 3


def test_a_clock_that_goes_back_makes_no_long_pause() -> None:
    loads = loads_of()
    loads.take(0, 10 * MINUTE_MS, EIGHT, 0.0)
    loads.take(0, MINUTE_MS, EIGHT, 0.0)
    assert loads.since.tolist() == [10 * MINUTE_MS]
    assert loads.loads[0, NONE, 0] == EIGHT


def test_rows_are_kept_forgotten_and_grown() -> None:
    loads = loads_of(3)
    for row in range(3):
        take(loads, 40, MINUTE_MS, float(row), row)
    loads.retain(np.array([0, 2]))
    loads.resize(3)
    loads.resize(1)
    assert [take(loads, 1, MINUTE_MS, 9.0, row) for row in range(3)] == [0.0, 2.0, 9.0]
    loads.forget(1)
    assert (loads.since.item(1), loads.loads[1].any()) == (NEVER, False)


def test_a_dump_is_the_whole_of_it_and_a_wrong_one_is_refused() -> None:
    loads = loads_of(2)
    take(loads, 40, MINUTE_MS, 2.0, 1)
    again, good = Loads(), loads.dump()
    check_state(good)
    again.load(good)
    assert take(again, 1, MINUTE_MS, 9.0, 1) == take(loads, 1, MINUTE_MS, 9.0, 1) == 2.0
    for name, bad in (
        ("since", good["since"] - 9),
        ("loads", good["loads"] * np.nan),
        ("loads", -good["loads"] - 1),
        ("pace", -good["pace"]),
    ):
        with pytest.raises(ValueError, match="cannot have been"):
            check_state({**good, name: bad})
    with pytest.raises(ValueError, match="array 'loads'"):
        check_state({**good, "loads": good["loads"][:, :3]})
