"""The lowest of a stream: against sorting all of it, however it is cut; and the sample as good as random."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detectors.lowest import Lowest, Offered, chances


def events_of(seed: int, n: int, distinct: int = 50) -> Offered:
    """Many ties; several events of a record."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, 1 << 63, n).astype(np.uint64)
    return Offered(rng.integers(0, distinct, n) / distinct, np.arange(n) // 3, np.arange(n) % 3, ids, -np.arange(n))


def bytes_of(kept: Lowest) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in kept.dump().items()}


@pytest.mark.parametrize("seed", range(10))
def test_they_are_the_first_of_all_when_sorted(seed: int) -> None:
    events, kept = events_of(seed, 3_000), Lowest(40)
    for begin in range(0, 3_000, 170):
        kept.offer(events.take(np.arange(begin, min(begin + 170, 3_000))))
        assert kept.size <= 2 * 40
    order = sorted(range(3_000), key=lambda i: (events.number[i], events.offset[i], events.row[i]))[:40]
    assert [column.tolist() for column in kept.items()] == [column[order].tolist() for column in events]
    assert kept.seen == 3_000


@pytest.mark.parametrize("part", [1, 13, 999])
def test_it_does_not_hang_on_the_cut(part: int) -> None:
    events, whole, cut = events_of(1, 2_000), Lowest(30), Lowest(30)
    whole.offer(events)
    for begin in range(0, 2_000, part):
        again = Lowest(30)
        again.load(cut.dump())
        cut = again
        cut.offer(events.take(np.arange(begin, min(begin + part, 2_000))))
    assert bytes_of(cut) == bytes_of(whole)


def test_few_are_all_there() -> None:
    kept = Lowest(10)
    assert len(kept.items().number) == 0
    kept.offer(events_of(1, 4))
    assert (kept.seen, len(kept.items().number)) == (4, 4)


def test_chances_are_spread_evenly_and_another_salt_has_others() -> None:
    """Also of hashes that are not random themselves."""
    ids = np.arange(100_000, dtype=np.uint64)
    one, other = chances(ids, 1), chances(ids, 2)
    assert 0 <= one.min() < 1e-3
    assert 1 - 1e-3 < one.max() < 1
    for found in (one, other, chances(ids << np.uint64(40), 1)):
        counts = np.bincount((found * 100).astype(np.int64), minlength=100)
        assert ((counts - 1_000) ** 2 / 1_000).sum() < 161, "chi-square of 99, at 1e-4"
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.015
    assert (chances(ids[:10], 1) == one[:10]).all()


def test_what_cannot_be_is_refused() -> None:
    kept = Lowest(5)
    kept.offer(events_of(1, 30))
    good = kept.dump()
    changes: dict[str, Any] = {
        "seen": good["seen"] - 27,
        "number": good["number"][::-1].copy(),
        "offset": good["offset"][:4],
    }
    for name, array in changes.items():
        with pytest.raises(ValueError, match=r"missing|order"):
            Lowest(5).load({**good, name: array})
    with pytest.raises(ValueError, match="order"):
        Lowest(5).load({**good, "number": np.full(5, np.nan)})
    with pytest.raises(AssertionError):
        kept.offer(events_of(1, 1)._replace(number=np.array([np.inf])))
    assert bytes_of(kept) == {name: array.tobytes() for name, array in good.items()}
