"""Agreement: published examples, references written from the definitions, and intervals that cover."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest

from detectors.agreement import GROUPS, REVIEWERS_MAX, UNIT, Agreement, Verdict, alpha_of, kappa_of, student
from detectors.counts import clopper_pearson

Items = list[list[Verdict]]

# Krippendorff 2011, "Computing Krippendorff's alpha-reliability", its examples A, B and C; a dot is no verdict.
PUBLISHED = {
    "A": (["0100000010", "1110010000"], 0.095),
    "B": (["aabbdcccedda", "babbbccceddd"], 0.692),
    "C": (["123321412...", "1233224125.3", ".3332342251.", "12332441251."], 0.743),
}


def items_of(rows: list[str]) -> tuple[Items, int]:
    names = sorted({name for row in rows for name in row} - {"."})
    columns = [[(f"r{i}", names.index(v)) for i, v in enumerate(c) if v != "."] for c in zip(*rows, strict=True)]
    return columns, len(names)


def table_of(items: Items, categories: int) -> Agreement:
    table = Agreement(categories)
    for number, verdicts in enumerate(items):
        table.add(number, verdicts)
    return table


def plain_alpha(items: Items) -> float:
    """1 - observed / expected disagreement, over ordered pairs of verdicts, straight from the definition."""
    kept = [[what for _, what in verdicts] for verdicts in items if len(verdicts) > 1]
    n = sum(map(len, kept))
    observed = sum(sum(a != b for a, b in permutations(unit, 2)) / (len(unit) - 1) for unit in kept) / n
    expected = sum(a != b for a, b in permutations([what for unit in kept for what in unit], 2)) / (n * (n - 1))
    return 1 - observed / expected


def plain_kappa(pairs: list[tuple[int, int]], categories: int) -> tuple[float, float]:
    """Kappa and its standard error, one verdict after another; Fleiss, Cohen & Everitt's formula by its terms."""
    n = len(pairs)
    share = {(i, j): pairs.count((i, j)) / n for i in range(categories) for j in range(categories)}
    row = [sum(share[i, j] for j in range(categories)) for i in range(categories)]
    column = [sum(share[i, j] for i in range(categories)) for j in range(categories)]
    po, pe = sum(share[i, i] for i in range(categories)), sum(row[i] * column[i] for i in range(categories))
    kappa = (po - pe) / (1 - pe)
    a = sum(share[i, i] * ((1 - pe) - (row[i] + column[i]) * (1 - po)) ** 2 for i in range(categories))
    b = sum(share[i, j] * (column[i] + row[j]) ** 2 for i in range(categories) for j in range(categories) if i != j)
    variance = (a + (1 - po) ** 2 * b - (po * pe - 2 * pe + po) ** 2) / (n * (1 - pe) ** 4)
    return kappa, variance**0.5


def reviewed(rng: np.random.Generator, items: int, reviewers: int = 5, categories: int = 3) -> Items:
    """Everybody is right seven times in ten, and else guesses; two to four look at an item, sometimes one."""
    truth = rng.integers(0, categories, items)
    said = np.where(rng.random((reviewers, items)) < 0.7, truth, rng.integers(0, categories, (reviewers, items)))
    many = rng.integers(1, 5, items)
    order = np.argsort(rng.random((items, reviewers)), axis=1)
    return [[(f"r{r}", int(said[r, i])) for r in order[i, : many[i]].tolist()] for i in range(items)]


@pytest.mark.parametrize("name", PUBLISHED)
def test_alpha_is_the_published_one(name: str) -> None:
    rows, expected = PUBLISHED[name]
    items, categories = items_of(rows)
    found = table_of(items, categories).alpha()
    assert found is not None
    assert round(found.value, 3) == expected
    assert found.value == pytest.approx(plain_alpha(items), abs=1e-12)


def test_kappa_is_the_published_one() -> None:
    """Cohen 1960; Fleiss, Cohen & Everitt 1969, whose 200 cases have kappa .429 with the error .0537."""
    found = kappa_of(np.array([[88.0, 14, 18], [10, 40, 10], [2, 6, 12]]))
    assert found is not None
    assert round(found.value, 3) == 0.492
    found = kappa_of(np.array([[106.0, 10, 4], [22, 28, 10], [2, 12, 6]]))
    assert found is not None
    assert round(found.value, 3) == 0.429
    assert (found.high - found.low) / 2 / 1.96 == pytest.approx(0.0537, abs=1e-4)


@pytest.mark.parametrize("seed", range(10))
def test_all_figures_are_those_of_the_definitions(seed: int) -> None:
    items = reviewed(np.random.default_rng(seed), 150)
    table = table_of(items, 3)
    found = table.alpha()
    assert found is not None
    assert found.value == pytest.approx(plain_alpha(items), abs=1e-9)
    left = [plain_alpha([v for i, v in enumerate(items) if i % GROUPS != group]) for group in range(GROUPS)]
    deviation = (np.var(left) * (GROUPS - 1)) ** 0.5
    assert found.high - found.value == pytest.approx(2.093024 * deviation, rel=1e-5)
    for one, other in permutations(["r0", "r1", "r4"], 2):
        both = [(dict(v)[one], dict(v)[other]) for v in items if {one, other} <= dict(v).keys()]
        kappa, error = plain_kappa(both, 3)
        figure = table.kappa(one, other)
        assert figure is not None
        assert (figure.value, figure.n) == (pytest.approx(kappa, abs=1e-9), len(both))
        assert figure.value - figure.low == pytest.approx(1.959964 * error, rel=1e-6)
    with_two = [v for v in items if len(v) > 1]
    assert table.overlap().share == len(with_two) / 150
    assert table.conflicting == sum(len({what for _, what in v}) > 1 for v in items)
    agreed = [w == dict(v)["r2"] for v in items if "r2" in dict(v) for who, w in v if who != "r2"]
    assert table.reviewer("r2") == (np.mean(agreed), *clopper_pearson(sum(agreed), len(agreed)))


@pytest.mark.parametrize("items", [60, 300])
def test_the_interval_of_alpha_covers(items: int) -> None:
    """Two who agree by chance or because both are right: .7^2 + .51 / 3 of the time, so alpha is .49."""
    rng = np.random.default_rng(items)
    covered = 0
    for _ in range(1_000):
        truth = rng.integers(0, 3, items)
        said = np.where(rng.random((3, items)) < 0.7, truth, rng.integers(0, 3, (3, items)))
        seen = rng.random((3, items)) < 0.8
        table = Agreement(3)
        counts = np.zeros((GROUPS, 3, 3), np.int64)
        for a, b in permutations(range(3), 2):
            both = seen[a] & seen[b]
            worth = UNIT // np.maximum(seen[:, both].sum(axis=0) - 1, 1)
            np.add.at(counts, (np.flatnonzero(both) % GROUPS, said[a, both], said[b, both]), worth)
        table.coincidences = counts
        found = table.alpha()
        assert found is not None
        covered += found.low <= 0.49 <= found.high
    assert clopper_pearson(covered, 1_000)[0] > 0.9


def test_order_and_changes_of_mind_leave_no_trace() -> None:
    items = reviewed(np.random.default_rng(1), 60)
    straight, winding = table_of(items, 3), Agreement(3)
    winding.add(0, [("r0", 0), ("r1", 0), ("r2", 0), ("r3", 0), ("r4", 0)])  # So that all are known in this order,
    winding.replace(0, [(f"r{i}", 0) for i in range(5)], [])
    for number in reversed(range(60)):
        sofar: list[Verdict] = []
        for verdict in items[number]:
            wrong = [*sofar, (verdict[0], (verdict[1] + 1) % 3)]
            winding.replace(number, sofar, wrong)
            sofar = [*sofar, verdict]
            winding.replace(number, wrong, sofar)
    again = Agreement(3)
    again.load(winding.dump())
    for table in (winding, again):
        assert table.alpha() == straight.alpha()
        assert (table.items, table.overlapping, table.conflicting) == (60, straight.overlapping, straight.conflicting)
        assert table.kappa("r1", "r3") == straight.kappa("r1", "r3")
        assert table.reviewer("r4") == straight.reviewer("r4")


def test_reviewers_are_bounded() -> None:
    table = Agreement()
    table.add(1, [(f"r{i}", 1) for i in range(REVIEWERS_MAX)])
    table.add(2, [("r0", 1), ("late", 0)])
    assert (len(table.reviewers), table.beyond, table.items, table.conflicting) == (REVIEWERS_MAX, 1, 2, 0)
    table.replace(2, [("r0", 1), ("late", 0)], [("r0", 0), ("r1", 1)])
    assert (table.items, table.conflicting) == (2, 1)


def test_what_says_nothing_is_none() -> None:
    table = Agreement()
    assert table.alpha() is None
    assert table.overlap() == (0.0, 0.0, 1.0)
    table.add(1, [("a", 1), ("b", 1)])
    assert table.alpha() is None, "there is but one category"
    assert table.kappa("a", "b") is None
    assert kappa_of(np.zeros((2, 2))) is None
    table.add(1 + GROUPS, [("a", 1), ("b", 0)])
    found = table.alpha()
    assert found is not None
    assert (found.low, found.high) == (-1.0, 1.0), "of one group nothing is known of its spread"
    assert alpha_of(np.array([[2 * UNIT, 0], [0, 2 * UNIT]])) == 1.0
    assert round(student(1), 2) == 12.71


def test_what_cannot_be_is_refused() -> None:
    table = table_of(reviewed(np.random.default_rng(1), 30), 3)
    good = table.dump()
    changes: dict[str, Any] = {
        "reviewers": ["a", "a", "b", "c", "d"],
        "counts": [1, 2, 3, 0],
        "tables": -good["tables"],
        "coincidences": good["coincidences"] + np.arange(3),
    }
    for name, value in changes.items():
        with pytest.raises(ValueError, match="cannot be"):
            Agreement(3).load({**good, name: value})
    with pytest.raises(ValueError, match="missing"):
        Agreement(2).load(good)
    with pytest.raises(AssertionError):
        table.add(1, [("a", 0), ("a", 1)])
    with pytest.raises(AssertionError):
        table.add(1, [("a", 3)])
