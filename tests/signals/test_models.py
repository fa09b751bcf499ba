"""Models by name and by pattern: what is meant, and which events of a batch are."""

from __future__ import annotations

import json

import pytest

from schemas.events.batch import Record
from schemas.events.native_json import decode
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.signals.models import models_of, names_alone, of_models, takes, told_models, union
from tests.engine.tasks import LEAST

MODELS = ("credit-eu", "fraud", "credit-us", "credit", "fraud", "Credit-eu")


def test_what_means_the_same_is_the_same() -> None:
    assert models_of(None) == models_of([]) == models_of("*") == models_of(["fraud", "*"]) == ()
    assert models_of("fraud") == models_of(["fraud", "fraud"]) == ("fraud",)
    assert models_of(["b", "a*"]) == models_of(["a*", "b"])
    assert told_models(("fraud",)) == "fraud"
    assert told_models(()) == ""
    assert told_models(("a", "b")) != told_models(("a,b",))


def test_all_of_several() -> None:
    assert union([("a",), ("b*", "a")]) == ("a", "b*")
    assert union([("a",), ()]) == ()
    assert names_alone(("a", "b")) == ["a", "b"]
    assert names_alone(("a", "b*")) is None
    assert names_alone(()) is None


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (None, {*MODELS}),
        ("credit-*", {"credit-eu", "credit-us"}),
        ("credit-?s", {"credit-us"}),
        (["fraud", "credit"], {"fraud", "credit"}),
        (["fra*", "credit-us"], {"fraud", "credit-us"}),
        ("credit.*", set()),
    ],
)
def test_the_events_are_those_of_the_models(said: str | list[str] | None, wanted: set[str]) -> None:
    records = [Record(i, 1, None, json.dumps({"model": m, "value": 1}).encode()) for i, m in enumerate(MODELS)]
    batch, models = decode(records, fields_of(load_text(LEAST, "x", {})), "t"), models_of(said)
    assert of_models(batch, models).tolist() == [model in wanted for model in MODELS]
    assert [takes(models, model) for model in MODELS] == [model in wanted for model in MODELS]
    nothing = decode([], fields_of(load_text(LEAST, "x", {})), "t")
    assert of_models(nothing, models).tolist() == []
