"""What the log and the gauge say of a history that is read, and of models in school."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from streamer.engine.history import HOLDING_MAX
from streamer.engine.school import School
from streamer.service.metrics import Metrics
from streamer.service.school import DAY_MS, INTERVAL_S, MODELS_MAX, SchoolReport

AT, OTHER = ("in", 0), ("in", 1)


class Stage:
    def __init__(self, end: int = 100, position: int = 20) -> None:
        self.position, self.monitors = position, {}
        self.held: list[str] = []
        self.history = SimpleNamespace(over=end <= position, end=end, holding=lambda monitors: self.held)
        self.models: dict[str, School] = {}

    def school(self) -> dict[str, School]:
        return self.models


class Case:
    def __init__(self) -> None:
        self.told: list[tuple[str, Any, dict[str, Any]]] = []
        self.metrics, self.owned, self.now_s = Metrics(), dict[Any, Any](), 0.0
        self.report = SchoolReport(self.metrics, self.note, lambda model: model)

    def note(self, event: str, partition: Any, **fields: Any) -> None:
        self.told.append((event, partition, fields))

    def own(self, at: Any, stage: Stage) -> Stage:
        self.owned[at] = SimpleNamespace(task=stage)
        self.report.greet(at, stage)
        return stage

    def look(self) -> list[str]:
        """What is new."""
        self.told.clear()
        self.report.look(self.owned)
        self.now_s += INTERVAL_S
        self.report.report(self.owned, self.now_s)
        return [event for event, _, _ in self.told]

    def left(self, model: str) -> float | None:
        return self.metrics.get("school_seconds_left", model=model)


@pytest.fixture
def case() -> Case:
    return Case()


def test_a_history_is_told_of_when_it_begins_and_when_it_is_read(case: Case) -> None:
    stage = case.own(AT, Stage())
    [(event, at, fields)] = case.told
    assert (event, at, fields["records"], fields["first_end"]) == ("history_begins", AT, 80, 100)
    assert case.look() == []
    stage.history.over, stage.held = True, ["fraud: rise of features.x"]
    assert case.look() == ["history_read"]
    assert (case.told[0][2]["offset"], case.told[0][2]["still_holds"]) == (100, ["fraud: rise of features.x"])
    assert case.look() == []


def test_nothing_that_holds_is_said_as_well(case: Case) -> None:
    case.own(AT, Stage()).history.over = True
    case.look()
    assert case.told[0][2]["still_holds"] == "nothing"


def test_of_a_partition_without_a_history_or_that_went_nothing_is_told(case: Case) -> None:
    case.own(AT, Stage(end=0))
    assert case.told == []
    gone = case.own(OTHER, Stage())
    del case.owned[OTHER]
    gone.history.over = True
    assert case.look() == []
    case.own(OTHER, Stage(end=0))
    assert case.look() == []


def test_a_model_is_told_of_when_school_begins_and_when_its_last_series_leaves(case: Case) -> None:
    stage = case.own(AT, Stage(end=0))
    stage.models = {"fraud": School(3, 7 * DAY_MS, 6 * DAY_MS + 1)}
    assert case.look() == ["school_begins"]
    fields = case.told[0][2]
    assert (fields["model"], fields["series"], fields["days"]) == ("fraud", 3, 7)
    assert fields["until"] == "1970-01-08T00:00:00.000Z"
    assert case.left("fraud") == 6 * 86_400 + 0.001
    assert case.look() == []
    stage.models = {}
    assert case.look() == ["school_over"]
    assert case.told[0][2]["model"] == "fraud"
    assert case.left("fraud") == 0.0


def test_of_several_partitions_the_longest_counts_and_one_that_went_says_nothing(case: Case) -> None:
    for at, days in ((AT, 2), (OTHER, 5)):
        case.own(at, Stage(end=0)).models = {"fraud": School(1, days * DAY_MS, days * DAY_MS)}
    assert case.look() == ["school_begins"] * 2
    assert case.left("fraud") == 5 * 86_400
    del case.owned[OTHER]
    assert case.look() == []
    assert case.left("fraud") == 2 * 86_400


def test_the_log_names_a_bounded_number_of_models(case: Case) -> None:
    stage = case.own(AT, Stage(end=0))
    stage.models = {f"m{i}": School(1, DAY_MS, DAY_MS) for i in range(MODELS_MAX + 5)}
    assert len(case.look()) == MODELS_MAX
    assert HOLDING_MAX < MODELS_MAX


def test_it_is_looked_at_now_and_then(case: Case) -> None:
    stage = case.own(AT, Stage(end=0))
    case.look()
    stage.models = {"fraud": School(1, DAY_MS, DAY_MS)}
    case.report.report(case.owned, case.now_s + INTERVAL_S / 2)
    assert case.told == []
