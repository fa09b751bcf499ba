"""Evidence: before, after and how far apart they are, from what a row had learned when it happened."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detectors.bank import TIERLESS
from detectors.last_change import Asked, Change, Recent
from schemas.records.alert import rfc3339
from streamer.monitors.evidence import (
    before_of,
    edge_of,
    evidence,
    learned_of,
    moved_of,
    question_of,
    seen_in,
    span,
    summary,
    told,
)
from streamer.series.table import SeriesTable
from tests.series.tables import grouped, table_of
from tests.signals.events import batch_of

BEFORE = {"n": 100, "mean": 10.0, "std": 2.0}
RECENT = Recent(40, 3.0, 1.5, 150, 189, 1500, 1890)
"""Its mean is in distances from the centre of the reference."""


def learned() -> SeriesTable:
    """A row of 0, 1, .. 9 whose warm-up of 10 values ends with offset 9."""
    table = table_of("features.a", warmup=10)
    batch = batch_of([{"features": {"a": float(i)}} for i in range(20)])
    column = table.column(batch, grouped(table, batch))
    table.judge(batch, column)
    return table


@pytest.mark.parametrize(
    ("before", "after", "window", "effect"),
    [
        (BEFORE, {"mean": 13.0}, None, (3.0, 1.5)),
        (BEFORE, {"mean": 7.0}, None, (-3.0, -1.5)),
        ({**BEFORE, "std": 0.0}, {"mean": 13.0}, None, (3.0, None)),
        ({**BEFORE, "mean": 0.25}, None, {"fraction": 0.75}, (0.5, 0.25)),
        (None, {"mean": 13.0}, None, (None, None)),
        (BEFORE, None, None, (None, None)),
        (BEFORE, None, {"distance": 0.3}, (None, None)),
    ],
)
def test_how_far_the_mean_moved(before: Any, after: Any, window: Any, effect: tuple[Any, Any]) -> None:
    made = evidence(1, 3.5, None, before, after, window)
    assert made["evidence"] == {"before": before, "after": after, "window": window}
    assert made["finding"]["effect"] == dict(zip(("absolute", "deviations"), effect, strict=True))
    assert (made["finding"]["statistic"], made["finding"]["threshold"]) == (3.5, None)


@pytest.mark.parametrize(("direction", "name"), [(1, "up"), (-1, "down"), (0, "unknown")])
def test_directions_have_names(direction: int, name: str) -> None:
    assert evidence(direction, 0.0, 1.0, None, None, None)["finding"]["direction"] == name


def test_a_place_in_the_log_and_in_time() -> None:
    assert span(3, 9, 0, 1500) == {"offsets": [3, 9], "from": rfc3339(0), "to": "1970-01-01T00:00:01.500Z"}
    assert summary((5, 1.0, 2.0, 3, 9, 0, 1500)) == {"n": 5, "mean": 1.0, "std": 2.0, **span(3, 9, 0, 1500)}


def test_nothing_is_learned_until_the_warm_up_is_over_at_that_event() -> None:
    """The batch has passed the reference as a whole; its first events still have none."""
    table = learned()
    assert [learned_of(table, 0, offset) is not None for offset in (8, 9, 10)] == [False, True, True]
    assert before_of(table, 0, 8) is None
    before = before_of(table, 0, 9)
    assert before is not None
    assert (before["n"], before["mean"], before["std"], before["offsets"]) == (
        10,
        4.5,
        pytest.approx(8.25**0.5),
        [0, 9],
    )
    assert seen_in(table.learned(0))[:2] == (10, 4.5)


def test_what_a_file_says_of_a_row_is_what_it_is_compared_with() -> None:
    table = learned()
    table.pinned = {0: {**BEFORE, "source": "ref.json"}}
    assert before_of(table, 0, 0) == {**BEFORE, "source": "ref.json"}
    assert question_of(table, 0, 0, 0, table.pinned[0]) == Asked(0, 0, 100, 10.0 - table.learned(0).centre, 2.0)
    change = Change(None, True, RECENT, (150, 1500))
    direction, _, _, before, after, reference, onset, _ = edge_of(table, 0, (0, 1.0, 2.0), table.pinned[0], change)
    assert (before, reference, onset) == (table.pinned[0], None, (150, 1500))
    assert after is not None
    assert (direction, after[1]) == (-1, 3.0 + table.learned(0).centre), "7.5 is below 10"


@pytest.mark.parametrize(
    ("said", "mean", "direction"), [(1, 3.0, 1), (-1, -3.0, -1), (0, 3.0, 1), (0, -3.0, -1), (0, 0.0, 0)]
)
def test_the_direction_is_that_of_the_mean(said: int, mean: float, direction: int) -> None:
    table = learned()
    standard = seen_in(table.learned(0))
    change = Change(None, True, RECENT._replace(mean=mean), None)
    assert edge_of(table, 0, (said, 3.0, 2.5), standard, change)[:4] == (direction, 3.0, 2.5, standard)
    assert edge_of(table, 0, (said, 3.0, 2.5), standard, None) == (said, 3.0, 2.5, standard, None, None, None, TIERLESS)


def test_an_edge_is_told_as_evidence_and_evidence_as_it_is() -> None:
    table = learned()
    standard = seen_in(table.learned(0))
    edge = edge_of(table, 0, (1, 3.0, 2.5), standard, Change(None, True, RECENT, None))
    made = told(edge)
    before, after = edge[3:5]
    assert isinstance(before, tuple)
    assert isinstance(after, tuple)
    assert made == evidence(1, 3.0, 2.5, summary(before), summary(after), None)
    assert told((1, 3.0, 2.5, BEFORE, None, None, None, TIERLESS))["evidence"] == {
        "before": BEFORE,
        "after": None,
        "window": None,
    }
    assert made["evidence"]["after"]["offsets"] == [150, 189]
    assert told(made) is made
    assert np.isclose(made["finding"]["effect"]["absolute"], after[1] - 4.5)


def test_what_the_series_is_compared_with_stands_beside_what_it_was_before() -> None:
    """How far it moved is from before, in deviations of what it is compared with, and that is where it is back."""
    table = learned()
    standard, high = seen_in(table.learned(0)), Recent(60, 40.0, 1.0, 20, 100, 200, 1000)
    edge = edge_of(table, 0, (-1, 3.0, 2.5), standard, Change(high, False, RECENT, (140, 1400)))
    made = told(edge)
    assert made["evidence"]["reference"] == summary(standard)
    assert made["evidence"]["onset"] == {"offset": 140, "time": rfc3339(1400)}
    assert made["evidence"]["before"]["mean"] == 40.0 + table.learned(0).centre
    assert made["finding"]["effect"] == {"absolute": -37.0, "deviations": -37.0 / standard[2]}
    assert made["finding"]["direction"] == "down"
    moved = moved_of(edge)
    assert moved is not None
    assert (moved.n, moved.mean, moved.std) == standard[:3]


def test_without_a_stretch_that_lies_on_the_other_side_there_is_no_before() -> None:
    table = learned()
    edge = edge_of(table, 0, (1, 3.0, 2.5), seen_in(table.learned(0)), Change(None, False, RECENT, None))
    made = told(edge)
    assert (edge[0], edge[3], made["finding"]["effect"]["absolute"]) == (1, None, None)
    assert made["evidence"]["reference"]["n"] == 10
