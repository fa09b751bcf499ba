"""What is held back: mutes by labels and clocks, strengths, and what a snapshot keeps of them."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest

from streamer.alerts.alert import FIRING, Acknowledged, Alert
from streamer.alerts.holds import MUTES_MAX, STRONGEST, Holds, Mute, strength_of


def finding(statistic: float | None, threshold: float | None) -> dict[str, Any]:
    return {"finding": {"statistic": statistic, "threshold": threshold}}


@pytest.mark.parametrize(
    ("statistic", "threshold", "strength"),
    [
        (0.3, 0.1, 3.0), (-6.0, 2.0, 3.0), (0.05, 0.2, 4.0), (0.0, 0.2, STRONGEST), (5.0, None, 1.0), (5.0, 0.0, 1.0),
        (inf, 2.0, STRONGEST), (nan, 2.0, 1.0), (None, 2.0, 1.0), (5.0, inf, 1.0), (1e300, 1e-300, STRONGEST),
    ],
)  # fmt: skip
def test_strength_is_how_many_times_its_threshold(statistic: Any, threshold: Any, strength: float) -> None:
    assert strength_of(finding(statistic, threshold)) == pytest.approx(strength)
    assert strength_of((1, statistic, threshold, None, None, None, None, 0)) == pytest.approx(strength)


def holds() -> Holds:
    return Holds(lambda monitor, row: {"model": "m", "monitor": monitor, "signal": f"s{row}"})


def mute(until_ms: int, id: str = "c", model: str = "m", **labels: str) -> Mute:
    return Mute(id, model, labels, until_ms, "ada", "known")


def test_a_mute_covers_what_has_its_labels_until_its_end() -> None:
    one = holds()
    assert one.mute(mute(1000, "a", monitor="x"))
    assert one.mute(mute(500, "b", monitor="x", signal="s1"))
    assert [one.muted_until(Alert("x", row, "m"), 100) for row in (0, 1)] == [1000, 500]
    assert [one.muted_until(Alert("x", row, "m"), 500) for row in (0, 1)] == [1000, 1000]
    assert one.muted_until(Alert("x", 0, "m"), 1000) is None
    assert one.muted_until(Alert("y", 0, "m"), 100) is None
    assert one.muted_until(Alert("x", 0, "other"), 100) is None


def test_unmute_takes_what_is_as_narrow_or_narrower() -> None:
    one = holds()
    for id, labels in (("a", {"monitor": "x"}), ("b", {"monitor": "x", "signal": "s1"}), ("c", {"monitor": "y"})):
        one.mute(mute(1000, id, **labels))
    assert [gone.id for gone in one.unmute("m", {"monitor": "x", "signal": "s1"})] == ["b"]
    assert [gone.id for gone in one.unmute("m", {"monitor": "x"})] == ["a"]
    assert one.unmute("m", {"monitor": "x"}) == one.unmute("other", {"monitor": "y"}) == []
    assert len(one) == 1


def test_mutes_are_bounded_and_forgotten_when_they_are_over() -> None:
    one = holds()
    assert all(one.mute(mute(1000 + i, f"c{i}", "m" if i % 2 else "gone")) for i in range(MUTES_MAX))
    assert not one.mute(mute(5000, "more"))
    one.pass_time({"m": 900}, lambda model: 600)
    assert len(one) == MUTES_MAX // 2 + 250, (
        "its silence counts; of a model that is not known the newest clock there is"
    )
    one.pass_time({"m": 9000}, lambda model: 0)
    assert len(one) == 0
    assert one.mutes == {}


def test_an_acknowledged_alert_is_told_when_it_got_worse_once() -> None:
    one, alert = holds(), Alert("x", 0, "m", state=FIRING, peak=1.5)
    assert not one.grown(alert, finding(40.0, 1.0)), "nobody knows of it yet"
    alert.peak, alert.ack = 1.5, Acknowledged("ada", "known", "c", 1, 2, 1.5)
    assert [one.grown(alert, finding(value, 1.0)) for value in (2.9, 3.1, 9.0)] == [False, True, False]
    assert (alert.peak, alert.ack) == (9.0, None)


def test_a_snapshot_keeps_mutes_and_counts() -> None:
    one, other = holds(), holds()
    one.mute(mute(1000, "a", monitor="x"))
    one.mute(mute(1000, "b", "n"))
    one.counts["muted"] = 3
    other.load(one.dump())
    assert (other.mutes, other.counts) == (one.mutes, one.counts)
