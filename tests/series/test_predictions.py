"""What a batch says of predictions and truths."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from schemas.events.batch import Batch
from streamer.config.load import load_text
from streamer.series.predictions import CLASS, NOTHING, NUMBER, class_hash, class_of_number, packed, said_of, unpacked
from streamer.signals.roles import is_label
from tests.signals.events import HEAD, batch_of

TEXT = HEAD + "labels: {}\nmonitors: {a: {signal: value, detect: {kind: adwin}}}\n"


def batch(events: list[dict[str, object]]) -> Batch:
    return replace(batch_of(events, TEXT), aliases=load_text(TEXT, "x", {}).roles())


def test_what_is_predicted_is_the_label_or_the_greatest_score_or_the_number() -> None:
    some = batch([
        {"prediction": {"label": "a", "value": 1.5, "scores": {"b": 0.9}}},
        {"prediction": {"value": 1.5}},
        {"prediction": {"value": 1.5, "scores": {"b": 0.1, "c": 0.6, "d": 0.6}}},
        {"features": {"a": 1.0}},
    ])  # fmt: skip
    said = said_of(some, is_label(some), ~is_label(some))
    assert said.kind.tolist() == [CLASS, NUMBER, CLASS, NOTHING]
    assert said.prediction.tolist()[::2] == [class_hash("a"), class_hash("c")]
    assert said.prediction[1:2].view(np.float64).tolist() == [1.5]
    assert set(said.texts.values()) == {"a", "c"}
    assert said.confidence[2] == 0.6, "without one the greatest score counts"


def test_a_truth_is_a_class_and_where_it_is_one_a_number() -> None:
    values: list[object] = ["a", True, 1, 0.25, None]
    some = batch([{"label": {"event_id": "e", "value": value}} for value in values])
    said = said_of(some, is_label(some), ~is_label(some))
    assert said.truth.tolist() == [class_hash("a"), class_hash("1"), class_hash("1"), class_hash("0.25"), 0]
    assert said.number.tolist()[2:4] == [1.0, 0.25]
    assert np.isnan(said.number[[0, 1, 4]]).all()
    assert not said.kind.any()


def test_label_and_inference_have_one_id_in_a_model() -> None:
    some = batch([{"event_id": "7"}, {"label": {"event_id": "7", "value": 1}}, {"model": "b", "event_id": "7"}])
    ids = said_of(some, is_label(some), ~is_label(some)).ids.tolist()
    assert ids[0] == ids[1] != ids[2]
    numbers = batch([{"event_id": 7}, {"label": {"event_id": 7, "value": 1}}])
    assert is_label(numbers).tolist() == [False, True]
    assert said_of(numbers, is_label(numbers), ~is_label(numbers)).ids.tolist() == [ids[0]] * 2
    none = batch([{"label": {"event_id": "", "value": 1}}])
    assert said_of(none, is_label(none), ~is_label(none)).truth.tolist() == [0], "it is about nothing"


@pytest.mark.parametrize(("value", "text"), [(1.0, "1"), (-3.0, "-3"), (0.1, "0.1"), (1e300, "1e+300")])
def test_a_number_names_a_class(value: float, text: str) -> None:
    assert class_of_number(value) == text


def test_an_interval_is_rounded_outwards_and_found_again() -> None:
    rng = np.random.default_rng(1)
    low = rng.normal(0, 1, 500) * 10.0 ** rng.integers(-30, 30, 500)
    high = low + np.abs(low) * rng.random(500)
    ends = unpacked(packed(low, high))
    assert (ends[0] <= low).all()
    assert (ends[1] >= high).all()
    for end, given in zip(ends, (low, high), strict=True):
        assert (np.abs(end - given) <= 3e-7 * np.abs(given)).all()
    for odd in ((2.0, 1.0), (np.nan, 1.0), (1.0, np.nan), (-np.inf, 1.0), (1.0, 1e300)):
        found = unpacked(packed(np.array([odd[0]]), np.array([odd[1]])))
        assert all(np.isnan(end).all() for end in found), odd
    assert np.isnan(unpacked(np.array([np.nan]))[0]).all()
