"""Correlations of blocks: exact whatever the order, robust where there is little to see, quick where one changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detectors.correlation import ABSENT, BLOCK, KNOWN, Correlations, Farthest, coefficients, pairs_of, plain, rounded

HOUR_MS = 3_600_000


def drawn(seed: int, blocks: int, r: float = 0.0) -> Any:
    """Three features, of which the first two go together."""
    z = np.random.default_rng(seed).standard_normal((blocks * BLOCK, 3))
    z[:, 1] = r * z[:, 0] + np.sqrt(1 - r * r) * z[:, 1]
    return rounded(np.clip(z, -3, 3))


def said_of(one: Correlations, values: Any) -> list[Farthest | None]:
    found = []
    for begin in range(0, len(values), BLOCK):
        one.take(values[begin : begin + BLOCK])
        found.append(one.close(HOUR_MS))
    return found


def test_a_coefficient_is_pearsons() -> None:
    block = drawn(1, 1, 0.7)
    first, second = pairs_of(3)
    exact = np.corrcoef(block.T.astype(float))[first, second]
    assert [plain(one) for one in coefficients(block)] == pytest.approx(exact, abs=1e-12)
    shuffled = coefficients(block[np.random.default_rng(2).permutation(BLOCK)])
    assert shuffled.tobytes() == coefficients(block).tobytes(), "to the last bit, in any order"


def test_with_one_feature_more_the_pairs_before_stay_where_they_are() -> None:
    for features in range(2, 6):
        few, more = pairs_of(features), pairs_of(features + 1)
        assert all((many[: len(one)] == one).all() for one, many in zip(few, more, strict=True))


def test_what_is_absent_counts_by_pair_and_what_hardly_varies_says_nothing() -> None:
    block = drawn(1, 1, 0.7)
    block[: BLOCK // 4, 0] = ABSENT
    rest = np.corrcoef(block[BLOCK // 4 :, :2].T.astype(float))[0, 1]
    assert plain(coefficients(block)[0]) == pytest.approx(rest, abs=1e-12)
    block[: 3 * BLOCK // 4, 0] = ABSENT
    assert np.isnan(coefficients(block)[:2]).all()
    flag = drawn(1, 1)
    flag[:, 2] = 0
    flag[:5, 2] = 1024
    assert np.isnan(coefficients(flag)).tolist() == [False, True, True]
    assert len(coefficients(drawn(1, 1)[:, :1])) == 0


@pytest.mark.parametrize(("before", "after"), [(0.0, 0.9), (0.8, -0.8), (0.9, 0.0)])
def test_a_correlation_that_changes_is_told_by_its_block_and_its_pair(before: float, after: float) -> None:
    one = Correlations(3)
    healthy = said_of(one, drawn(1, 100, before))
    assert healthy[:KNOWN] == [None] * KNOWN
    usual = max(said.away for said in healthy if said is not None)
    [said] = said_of(one, drawn(2, 1, after))
    assert said is not None
    assert (said.first, said.second) == (0, 1)
    assert said.away > 1.8 * usual
    assert said.now == pytest.approx(after, abs=0.15)
    assert said.usual == pytest.approx(before, abs=0.05)


def test_healthy_blocks_are_as_far_as_chance_has_it() -> None:
    said = [one.away for one in said_of(Correlations(3), drawn(3, 400, 0.5)) if one is not None]
    assert 0.8 < np.median(said) < 1.9
    assert np.quantile(said, 0.99) < 4.5


def test_what_changed_stays_far_for_days_and_is_usual_after_weeks() -> None:
    one = Correlations(3)
    said_of(one, drawn(1, 24 * 14, 0.0))
    told = [said.away for said in said_of(one, drawn(2, 24 * 56, 0.9)) if said is not None]
    assert min(told[: 24 * 3]) > 8.0
    assert np.median(told[-24:]) < 4.0


def test_a_state_is_taken_up_and_an_invalid_one_refused() -> None:
    one, other = Correlations(3), Correlations(3)
    said_of(one, drawn(1, 20, 0.3))
    one.take(drawn(4, 1)[:17])
    other.load(one.dump())
    one.take(drawn(5, 1)[17:])
    other.take(drawn(5, 1)[17:])
    assert one.close(1) == other.close(1) is not None
    for place, value in ((2, np.inf), (3, -1.0), (1, -1)):
        state = other.dump()
        state[place][0] = value
        with pytest.raises(ValueError, match="invalid correlations"):
            Correlations(3).load(state)
    with pytest.raises(ValueError, match="block"):
        Correlations(2).load(other.dump())
