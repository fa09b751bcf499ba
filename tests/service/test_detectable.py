"""Detectable drifts as metrics: one series at a time, shown when all were asked, and no more than there is room."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from streamer.monitors.detectable import Drift, Series
from streamer.service.detectable import PASS_S, SERIES_MAX, DetectableDrifts
from streamer.service.metrics import Metrics


class Stage:
    def __init__(self, series: int, units: float) -> None:
        self.series, self.units, self.asked = series, units, list[int]()

    def detectable(self, most: int) -> Iterator[tuple[Series, list[Drift]]]:
        self.asked.append(most)
        for i in range(self.series):
            yield Series("m", "mean", f"f{i}"), [Drift("1d", "down", self.units, None)]


def shown(metrics: Metrics, i: int = 0) -> float | None:
    return metrics.get("detectable_drift", monitor="mean", model="m", series=f"f{i}", direction="down", horizon="1d")


def test_of_several_partitions_the_largest_is_shown_and_a_pass_waits_for_its_time() -> None:
    metrics, stages = Metrics(), [Stage(2, 0.1), Stage(1, 0.3)]
    drifts, given = DetectableDrifts(metrics), list[Any](stages)
    for second in range(4):
        assert shown(metrics) is None
        drifts.report(given, 17, float(second))
    assert (shown(metrics, 0), shown(metrics, 1)) == (0.3, 0.1)
    drifts.report(given, 17, PASS_S - 1.0)
    assert stages[0].asked == [SERIES_MAX // 17]
    stages[1].units = stages[0].units = 0.2
    for second in range(4):
        drifts.report(given, 17, PASS_S + second)
    assert (shown(metrics, 0), stages[0].asked) == (0.2, [SERIES_MAX // 17] * 2)


def test_there_are_no_more_than_there_is_room_for() -> None:
    metrics = Metrics()
    drifts = DetectableDrifts(metrics)
    for _ in range(SERIES_MAX + 12):
        drifts.report([Stage(SERIES_MAX + 10, 0.1)], 1, 0.0)  # type: ignore[list-item]
    assert shown(metrics, SERIES_MAX - 1) == 0.1
    assert shown(metrics, SERIES_MAX) is None
