"""Verdicts on alerts: when they count, once, and what follows; the rule itself is tried by the detectors' tests."""

from __future__ import annotations

import pytest

from streamer.alerts.learning import (
    RESULTS,
    SAID_MAX,
    TOLD_MAX,
    Learning,
    Lesson,
    lessons_joined,
    lessons_without,
)

KEY = "fraud", "mean"


def learning(mode: str = "apply") -> tuple[Learning, dict[tuple[str, str], float]]:
    factors: dict[tuple[str, str], float] = {}
    return Learning(mode, factors.__setitem__), factors


def lived(one: Learning, begin: int, count: int, useful: bool, strength: float) -> list[Lesson]:
    found: list[Lesson] = []
    for number in range(begin, begin + count):
        one.fired(f"e{number}", KEY)
        one.resolved(f"e{number}", strength)
        one.said([f"e{number}"], "fraud", "ann", useful)
        found += one.settle()
        if found and found[-1].what == "changed":
            break
    return found


def noisy(one: Learning, begin: int = 0) -> list[Lesson]:
    """Up to sixty weak alerts of no use, and twelve strong ones that are right."""
    return lived(one, begin, 12, True, 9.0) + lived(one, begin + 12, 60, False, 1.5)


def test_a_verdict_counts_once_and_only_when_its_alert_is_over() -> None:
    one, _ = learning()
    one.fired("e", KEY)
    one.said(["e"], "fraud", "ann", True)
    assert (list(one.settle()), one.waiting, one.results["counted"]) == ([], 1, 0)
    one.resolved("e", 3.0)
    assert (list(one.settle()), one.waiting, one.results["counted"]) == ([], 0, 1)
    one.said(["e"], "fraud", "bob", False)
    assert one.results["late"] == 1
    assert one.verdicts[KEY].n.sum() == 1


def test_every_verdict_ends_in_one_result_or_waits() -> None:
    one, _ = learning()
    for name in ("e", "f", "open"):
        one.fired(name, KEY)
    said = [("e", "ann", True), ("e", "ann", False), ("e", "bob", True), ("f", "ann", True), ("x", "ann", True),
            ("open", "ann", True), ("f", "ann", None)]  # fmt: skip
    for name, who, useful in said:
        one.said([name], "fraud", who, useful)
    one.said(["f"], "other", "ann", True)
    for name in ("e", "f"):
        one.resolved(name, 1.0)
    list(one.settle())
    assert {name: count for name, count in one.results.items() if count} == {
        "replaced": 1, "conflicting": 2, "counted": 1, "unknown": 2, "unusable": 1
    }  # fmt: skip
    assert sum(one.results.values()) + one.waiting == len(said) + 1
    assert set(one.results) == set(RESULTS)


def test_alerts_and_reviewers_are_bounded() -> None:
    one, _ = learning()
    for number in range(TOLD_MAX + 2):
        one.fired(f"e{number}", KEY)
        one.said([f"e{number}"], "fraud", "ann", True)
    assert (len(one.told), one.results["forgotten"]) == (TOLD_MAX, 2)
    for number in range(SAID_MAX + 3):
        one.said(["e5"], "fraud", f"r{number}", True)
    assert one.results["unusable"] == 4


def test_a_noisy_monitor_gets_a_smaller_share_and_an_undo_gives_it_back() -> None:
    one, factors = learning()
    [lesson] = noisy(one)
    assert (lesson.what, lesson.version, lesson.before) == ("changed", 1, 1.0)
    assert factors == {KEY: 1.0 / lesson.after}
    assert KEY not in one.verdicts, "strengths are of another threshold from here on"
    back = one.undo(KEY)
    assert (back.version, back.before, back.after, factors[KEY]) == (2, lesson.after, 1.0, 1.0)
    with pytest.raises(ValueError, match="no change"):
        one.undo(KEY)
    [again] = noisy(one, 1000)
    assert (again.what, factors[KEY]) == ("proposed", 1.0), "who undid it is not overruled"
    assert one.apply(KEY).version == 3
    assert factors[KEY] > 1.0


def test_who_proposes_changes_nothing_and_says_it_once() -> None:
    one, factors = learning("propose")
    proposed = noisy(one)
    assert {lesson.what for lesson in proposed} == {"proposed"}
    assert len({lesson.after for lesson in proposed}) == len(proposed)
    assert factors == {}
    with pytest.raises(ValueError, match="nothing is proposed"):
        one.apply(("fraud", "other"))
    with pytest.raises(ValueError, match="no change"):
        one.undo(KEY)


def test_alerts_that_are_right_change_nothing() -> None:
    one, factors = learning()
    assert lived(one, 0, 80, True, 1.5) == []
    assert factors == {}


def test_a_snapshot_goes_on_as_it_was_and_models_move() -> None:
    one, factors = learning()
    noisy(one)
    one.fired("open", KEY)
    one.said(["open"], "fraud", "ann", True)
    one.fired("o", ("other", "mean"))
    two, more = learning()
    two.load(one.dump())
    assert (two.told, two.shares.past, more, two.results) == (one.told, one.shares.past, factors, one.results)
    state = one.dump()
    left, gone = lessons_without(state, {"fraud"}), lessons_without(state, {"other"})
    assert left["shares"] == {}
    assert [episode for episode, *_ in left["told"]] == ["o"]
    both = lessons_joined(left, gone)
    assert (both["shares"], sorted(map(str, both["told"]))) == (state["shares"], sorted(map(str, state["told"])))
