"""A calibration of each model, of each group that labels are told by, and of each predicted class of a few."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from streamer.engine.snapshot import decode, encode
from streamer.series import calibrations
from streamer.series.calibrations import ANY, BEGINNING, BLOCK, CLASSES_FEW, Calibrations, Group, in_force
from streamer.series.joined import Joined, joined_of
from streamer.series.predictions import CLASS, NUMBER

KEYS: dict[int, Group] = {0: ("m", "1"), 1: ("m", "2"), 2: ("n", "1")}
SPLITS = [(), ("version",)]
WHOLE = (), ("m",), ANY


def labels(count: int, seed: int = 1, classes: int = 2, groups: int = 2) -> list[tuple[Any, ...]]:
    """Rows of a `Joined`, one an event; the model is wrong as often as it says."""
    rng, found = random.Random(seed), list[tuple[Any, ...]]()
    for event in range(count):
        confidence, code = rng.random(), 10 + rng.randrange(classes)
        truth = code if rng.random() < confidence else 5
        found.append((event, rng.randrange(groups), CLASS, code, truth, float("nan"), confidence, 1000, 2000))
    return found


def fed(rows: list[tuple[Any, ...]], cuts: list[int] | None = None) -> Calibrations:
    one, edges = Calibrations(("version",), SPLITS), [0, *sorted(cuts or []), len(rows)]
    for begin, end in zip(edges, edges[1:], strict=False):
        one.add(joined_of(rows[begin:end]), KEYS)
        state = decode(encode(one.dump()))
        one = Calibrations(("version",), SPLITS) if begin else one
        if begin:
            one.load(state)
    return one


def test_each_group_has_its_own_versions() -> None:
    one = fed(labels(2 * BLOCK + 100))
    found = {key: history.calibration for key, history in one.histories.items()}
    assert set(found) == {
        WHOLE, ((), ("m",), 10), ((), ("m",), 11), (("version",), ("m", "1"), ANY), (("version",), ("m", "2"), ANY)
    }  # fmt: skip
    assert (found[WHOLE].version, found[WHOLE].pairs) == (2, 2 * BLOCK)
    assert one.newest(WHOLE) is found[WHOLE]
    assert sum(history.seen for key, history in one.histories.items() if key[0]) == 2 * BLOCK + 100
    assert one.newest(((), ("n",), ANY)) is None
    assert fed(labels(BLOCK - 1)).newest(WHOLE) is None, "a block is not full"


def test_a_label_is_judged_by_what_stood_before_it() -> None:
    one = fed(labels(2 * BLOCK + 100))
    stood = one.stood(WHOLE)
    assert [(event, calibration.version) for event, calibration in stood] == [
        (BEGINNING, 0), (BLOCK - 1, 1), (2 * BLOCK - 1, 2)
    ]  # fmt: skip
    events = np.array([0, BLOCK - 1, BLOCK, 2 * BLOCK - 1, 2 * BLOCK])
    assert in_force(stood, events).tolist() == [0, 0, 1, 1, 2]
    one.add(joined_of([]), KEYS)
    assert [(event, calibration.version) for event, calibration in one.stood(WHOLE)] == [(BEGINNING, 2)]
    assert one.stood(((), ("n",), ANY)) == []


def test_only_classes_with_a_confidence_count() -> None:
    event = 0, 0, CLASS, 10, 10, float("nan"), 0.5, 1000, 2000
    odd: list[tuple[Any, ...]] = [(*event[:6], value, *event[7:]) for value in (float("nan"), -0.1, 1.1)]
    odd.append((0, 0, NUMBER, 10, 10, 2.0, 0.5, 1000, 2000))
    assert fed(odd).histories == {}
    assert fed([event]).histories[WHOLE].seen == 1


@pytest.mark.parametrize("most", [256, 6, 3, 1])
@pytest.mark.parametrize("classes", [2, CLASSES_FEW + 2])
def test_it_does_not_hang_on_the_cut_not_even_where_it_is_full(
    monkeypatch: pytest.MonkeyPatch, most: int, classes: int
) -> None:
    monkeypatch.setattr(calibrations, "HISTORIES_MAX", most)
    monkeypatch.setattr(calibrations, "BLOCK", 60)
    rows = labels(900, seed=3, classes=classes, groups=3)
    whole = fed(rows)
    for seed in range(3):
        cuts = random.Random(seed).sample(range(1, 900), 40)
        assert encode(fed(rows, cuts).dump()) == encode(whole.dump())
    assert len(whole.histories) <= most
    assert (whole.refused > 0) == (most < 9), "five groups, and two classes of each of two models"
    seen = sum(history.seen for key, history in whole.histories.items() if key[2] == ANY)
    assert seen + whole.refused == 2 * len(rows)


def test_who_predicts_many_classes_has_none_of_its_own() -> None:
    one = fed(labels(900, classes=CLASSES_FEW + 1))
    assert list(one.many) == ["m"]
    assert {key[2] for key in one.histories} == {ANY}
    again = Calibrations(("version",), SPLITS)
    again.load(decode(encode(one.dump())))
    again.add(joined_of(labels(100, seed=9, classes=1)), KEYS)
    assert {key[2] for key in again.histories} == {ANY}, "and that is remembered"


def test_models_are_forgotten_and_other_splits_are_not_loaded() -> None:
    one = fed(labels(900, groups=3))
    state = decode(encode(one.dump()))
    one.forget(["m"])
    assert {key[1][0] for key in one.histories} == {"n"}
    assert set(one.classes) == {"n"}
    fewer = Calibrations((), [()])
    fewer.load(state)
    assert {key[0] for key in fewer.histories} == {()}
    bad = state["histories"][0]
    with pytest.raises(ValueError, match="missing"):
        Calibrations(("version",), SPLITS).load({**state, "histories": [[*bad[:4], {}]]})
    assert isinstance(joined_of([]), Joined)
