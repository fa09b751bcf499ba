"""What the patterns of signals match, by model and signal."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.config.load import load_text
from streamer.engine.engines import COMPILED, PYTHON, Engine
from streamer.engine.matching import NAMED_MAX, listed, matching
from streamer.engine.task import Task
from streamer.signals.kinds import FAMILY_MAX
from tests.signals.events import HEAD, batch_of, firing

ENGINES = [PYTHON, *([COMPILED] if COMPILED is not None else [])]
engines = pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)


def event(model: str, classes: int) -> dict[str, Any]:
    prediction = {"scores": {f"c{i}": 1 / classes for i in range(classes)}, "logits": [1.0, 2.0], "label": "yes"}
    return {"model": model, "features": {"a": 1.0, "country": "NL"}, "prediction": prediction}


@engines
def test_the_least_config_watches_scores_and_logits_of_each_model_and_says_which(engine: Engine) -> None:
    task = Task(load_text(HEAD, "x", {}), ("inferences", 0), 0, engine=engine)
    task.step(batch_of([event("m", 2), event("n", FAMILY_MAX + 1), event("m", 3)]))
    found = matching(task.by_order)
    assert list(found["m", "score.*"]) == ["score.c0", "score.c1", "score.c2"]
    assert len(found["n", "score.*"]) == FAMILY_MAX
    assert list(found["m", "logit.*"]) == ["logit.0", "logit.1"]
    assert {signal for model, signal in found if model == "m"} == {
        "features.*", "category.*", "score.*", "logit.*", "label.*",
    }  # fmt: skip


@engines
def test_what_is_excluded_is_in_no_family_and_a_pattern_is_called_as_it_is_written(engine: Engine) -> None:
    text = 'exclude: ["score.*1", "logit.0"]\n'
    text += "monitors:\n"
    text += '  some: {signal: "score.c?", detect: {kind: adwin}}\n'
    text += '  all: {signal: "logit.*", detect: {kind: adwin}}\n'
    text += '  one: {signal: "score.c1", detect: {kind: adwin}}\n'
    task = Task(load_text(HEAD + text, "x", {}), ("inferences", 0), 0, engine=engine)
    task.step(batch_of([event("m", 12)]))
    assert {signal: list(names) for (_, signal), names in matching(task.by_order).items()} == {
        "score.c?": ["score.c0", *(f"score.c{i}" for i in range(2, 10))],
        "logit.*": ["logit.1"],
    }
    again = Task.load(task.config, ("inferences", 0), task.dump(), engine)
    assert again.dump() == task.dump()


def test_a_shift_of_one_score_of_many_is_an_alert_by_name() -> None:
    """Of those that have a series; the others are as if they were not there."""
    text = "monitors: {scores: {signal: score.*, detect: {kind: adwin}}}\n"

    def log(moved: str) -> list[dict[str, Any]]:
        def scores(i: int) -> dict[str, float]:
            return {f"c{k}": i * (k + 3) % 17 / 50 + (f"c{k}" == moved) * (i >= 900) for k in range(FAMILY_MAX + 3)}

        return [{"prediction": {"scores": scores(i)}} for i in range(1200)]

    assert [a["alert"]["labels"]["signal"] for a in firing(text, log("c7"))] == ["score.c7"]
    assert firing(text, log("c34")) == []


def test_many_names_are_not_all_listed() -> None:
    assert listed([str(n) for n in range(NAMED_MAX + 3)]).endswith("19 and 3 more")
    assert listed(["a", "b"]) == "a, b"
