"""What share is usual: the reference and the healthy windows behind it, and neither drift nor oddities."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detectors.windows import Window
from streamer.monitors.usual_shares import WINDOWS, Usual, UsualShares
from tests.series.tables import table_of

WARMUP = 500


def shares_of(ones: int, pinned: dict[str, Any] | None = None) -> UsualShares:
    """Of a table whose one row has learned so many ones."""
    table = table_of("error", warmup=WARMUP)
    table.row(("m",), "error")
    table.resize()
    rows, at = np.zeros(WARMUP, np.int64), np.arange(WARMUP)
    table.reference.update(rows, (at < ones) * 1.0, at, at, at)
    if pinned is not None:
        table.pinned[0] = pinned
    return UsualShares(table)


def window(hits: int, n: int = 500, first: int = WARMUP) -> Window:
    values = {"row": 0, "n": n, "hits": hits, "first_offset": first, "last_offset": first + n}
    return Window(**{**dict.fromkeys(Window._fields, 0), **values})


def test_what_is_known_grows_with_healthy_windows_up_to_a_limit() -> None:
    shares = shares_of(5)
    for number in range(WINDOWS + 5):
        usual = shares.before(window(5))
        assert usual == Usual(5 + 5 * min(number, WINDOWS), 500 + 500 * min(number, WINDOWS), min(number, WINDOWS))
        shares.learn(window(5), usual)


def test_the_reference_alone_cannot_tell_what_it_can_with_the_windows() -> None:
    shares = shares_of(5)  # 1 % becomes 4 %.
    alone = shares.before(window(20))
    assert alone is not None
    assert alone.chance(20, 500, up=True) > 1e-3
    for _ in range(WINDOWS):
        usual = shares.before(window(5))
        assert usual is not None
        shares.learn(window(5), usual)
    later = shares.before(window(20))
    assert later is not None
    assert later.chance(20, 500, up=True) < 1e-6
    assert later.chance(0, 500, up=False) < 0.01


@pytest.mark.parametrize("hits", [0, 90])
def test_what_is_odd_teaches_nothing(hits: int) -> None:
    shares = shares_of(50)
    usual = shares.before(window(hits))
    assert usual is not None
    shares.learn(window(hits), usual)
    assert shares.told == {}


def test_nothing_is_known_before_or_within_the_reference() -> None:
    shares = shares_of(5)
    assert shares.before(window(5, first=WARMUP - 1)) is None
    shares.table.row(("n",), "error")
    shares.table.resize()
    assert shares.before(window(5)._replace(row=1)) is None


def test_what_is_pinned_stays_as_it_is() -> None:
    shares = shares_of(5, {"n": 30_000})
    usual = shares.before(window(5))
    assert usual == Usual(300, 30_000, 0)
    shares.learn(window(5), usual)
    assert shares.before(window(5)) == usual


def test_a_snapshot_has_it_and_one_that_cannot_be_is_refused() -> None:
    shares = shares_of(5)
    usual = shares.before(window(4))
    assert usual is not None
    shares.learn(window(4), usual)
    again = shares_of(5)
    again.load(shares.dump())
    assert again.told == shares.told == {0: Usual(4, 500, 1)}
    for wrong in ([[1, 4, 500, 1]], [[0, 501, 500, 1]], [[0, 4, 500, WINDOWS + 1]], [[0, -1, 500, 1]]):
        with pytest.raises(ValueError, match="cannot have been"):
            again.load(wrong)
    again.retain(np.zeros(0, np.int64))
    assert again.dump() == []
