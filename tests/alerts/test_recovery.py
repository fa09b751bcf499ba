"""The way back of an edge: how wide the band is, how many values it takes, and what is told of them."""

from __future__ import annotations

import random

import pytest

from streamer.alerts.recovery import VALUES_MAX, Recovery, dumped, loaded, recovery_of
from streamer.monitors.evidence import Moved
from streamer.monitors.following import Stretch


def moved(mean: float, std: float, n: int, after: float, after_std: float = 1.0) -> Moved:
    return Moved(mean, std, n, (40, after, after_std, 1, 2, 3, 4))


@pytest.mark.parametrize(
    ("edge", "band", "needed"),
    [
        (moved(100.0, 20.0, 500, 150.0), 10.0, 100),
        (moved(0.0, 1.0, 10_000, 0.3), 0.15, 1112),
        (moved(0.0, 1.0, 400, 0.0), 0.1, 2500),  # Nothing moved, as when it had been away before: what is known.
        (moved(0.0, 0.0, 500, 0.2, 0.4), 0.1, 400),  # Never before: no deviation to measure by.
        (moved(5.0, 0.0, 500, 5.0, 0.0), 0.0, 0),
        (moved(0.0, 1.0, 10**9, 0.001), 0.0005, VALUES_MAX),
    ],
)
def test_the_band_is_that_of_before_at_most_half_way_and_not_narrower_than_before_is_known(
    edge: Moved, band: float, needed: int
) -> None:
    made = recovery_of(edge, 0.5)
    assert (made.band, made.needed, made.away) == (pytest.approx(band), needed, True)


def judged(made: Recovery, mean: float, std: float, seed: int) -> list[bool]:
    rng, found = random.Random(seed), []
    for at in range(1200):
        away = made.take(Stretch(32, sum(rng.gauss(mean, std) for _ in range(32)), at, at, at, at))
        found += [away] if away is not None else []
    return found


def test_chance_seldom_decides() -> None:
    """Of a hundred looks at data that are back few say away, and of data that are not, few say back."""
    made = recovery_of(moved(100.0, 20.0, 500, 112.0), 0.5)
    back, still = judged(made, 100.0, 20.0, 1), judged(made, 112.0, 20.0, 2)
    assert sum(back) / len(back) < 0.02
    assert sum(still) / len(still) > 0.98


def test_it_tells_what_it_took_together_and_survives_a_dump() -> None:
    made = recovery_of(moved(100.0, 20.0, 500, 150.0), 0.5)
    for first in (5, 40, 70):
        assert made.take(Stretch(32, 3200.0, first, first + 31, 10 * first, 10 * first + 310)) is None
    again = loaded(dumped(made) or [])
    for one in (made, again):
        assert one.take(Stretch(32, 3232.0, 102, 90, 410, 900)) is False
        assert one.now == (128, 100.25, 20.0, 5, 90, 50, 900)
    assert made == again
    assert dumped(None) is None


@pytest.mark.parametrize(("side", "away"), [(0, True), (1, False), (-1, True)])
def test_beyond_before_on_the_side_that_nobody_watches_is_back(side: int, away: bool) -> None:
    """A latency that had risen, and is below what it was by now."""
    made = recovery_of(moved(100.0, 20.0, 500, 150.0), 0.5, side)
    assert made.take(Stretch(100, 7000.0, 5, 104, 50, 1040)) is away


def stretch_of(values: list[float]) -> Stretch:
    first = values[0]
    return Stretch(len(values), sum(values), 1, 2, 3, 4, first, sum((one - first) ** 2 for one in values))


@pytest.mark.parametrize("factor", [0.5, 1.6, 2.0, 4.0])
@pytest.mark.parametrize("centre", [0.0, 1e6])
def test_a_spread_that_moved_is_back_when_the_spread_is(factor: float, centre: float) -> None:
    """Its mean never moved: by that it was over within the hour, and the spread still twice as large."""
    rng = random.Random(3)
    made = recovery_of(Moved(centre, 20.0, 500, (90, centre + 1, 20.0 * factor, 1, 2, 3, 4), wide=True), 0.5, 1)
    verdicts: dict[float, list[bool]] = {}
    for std, mean in ((20.0 * factor, centre), (20.0, centre + 60.0), (20.0, centre)):
        looks = [made.take(stretch_of([rng.gauss(mean, std) for _ in range(100)])) for _ in range(400)]
        verdicts[std, mean] = [look for look in looks if look is not None]
        assert made.now[2] == pytest.approx(std, rel=0.25)
    still, further, back = verdicts.values()
    assert sum(still) / len(still) > 0.98
    assert all(further)
    assert sum(back) / len(back) < 0.02


def test_one_of_a_spread_survives_a_dump_and_one_of_before_is_read() -> None:
    made = recovery_of(Moved(5.0, 2.0, 500, (90, 5.0, 6.0, 1, 2, 3, 4), wide=True), 0.5)
    made.take(stretch_of([4.0, 9.0, 1.0]))
    assert loaded(dumped(made) or []) == made
    mean = dumped(recovery_of(moved(100.0, 20.0, 500, 150.0), 0.5)) or []
    assert len(mean) == 11
    assert not loaded(mean).wide
