"""Columns of a table of events: the place of each in an event, and what is said of those that have none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from schemas.events.decoder import Decoder
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.offline.columns import layout
from streamer.offline.event_files import EventFiles
from streamer.offline.replay import BadInput
from tests.offline.samples import HEAD
from tests.offline.test_event_files import CONFIG, events, read, table


def test_what_a_column_takes_is_what_its_field_does() -> None:
    names = ["model", "time", "confidence", "scores.a", "segment.x", "features.a", "logits"]
    plan = layout(names, fields_of(CONFIG), False, "t")
    kinds = ["text", "time", "number", "number", "text", "any", "number"]
    assert [column.kind for column in plan.columns if column is not None] == kinds


def test_a_column_is_named_by_its_place_or_its_field(tmp_path: Path) -> None:
    path = table(
        tmp_path / "t.csv",
        "model,model_version,event_id,time,features.amount,features.a.b,label,latency_ms,scores.yes",
        "m,7,0012,1700000000,1.5,x,yes,,0.5",
        "m,7.10,e,1700000001,,,,3,",
    )
    first, second = events(path)
    assert first == {
        "model": "m", "model_version": "7", "event_id": "0012", "time": 1700000000,
        "features": {"amount": 1.5, "a": {"b": "x"}},
        "prediction": {"label": "yes", "scores": {"yes": 0.5}}, "latency_ms": None,
    }  # fmt: skip
    assert second["features"] == {"amount": None, "a": {"b": None}}
    assert (second["model_version"], second["prediction"]["label"], second["latency_ms"]) == ("7.10", None, 3)


def test_columns_follow_the_mapping_of_the_config(tmp_path: Path) -> None:
    mapped = load_text(HEAD + "fields: {model: key, features: /in, label: /out, caller: 'header:who'}\n", "x", {})
    path = table(tmp_path / "t.csv", "model,in.a,label,caller,time", "m,1,yes,app,1700000000")
    [record] = read(path, config=mapped)
    assert (record.key, record.headers) == (b"m", (("who", b"app"),))
    assert json.loads(record.value) == {"in": {"a": 1}, "out": "yes", "time": 1700000000}
    batch = Decoder(fields_of(mapped))([record], "t")
    assert (batch.rejects, "features.a" in batch.names) == ((), True)


def test_where_the_whole_event_is_the_features_so_is_every_other_column(tmp_path: Path) -> None:
    mapped = load_text(HEAD + "fields: {features: ''}\n", "x", {})
    files = EventFiles((table(tmp_path / "t.csv", "model,a,b", "m,1,x"),), mapped)
    [(_, [record])] = files
    assert (json.loads(record.value or b""), files.notes) == ({"model": "m", "a": 1, "b": "x"}, [])


def test_plain_columns_are_features_where_there_are_no_others_and_it_is_said(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "amount,country,label", "1,NL,y")
    files = EventFiles((path,), CONFIG, "m")
    [(_, [record])] = files
    assert json.loads(record.value or b"")["features"] == {"amount": 1, "country": "NL"}
    assert files.notes == [f"{path}: taken as features: 'amount', 'country'"]
    both = table(tmp_path / "b.csv", "features.a,country", "1,NL")
    assert EventFiles((both,), CONFIG).notes == [f"{both}: nothing reads 'country'"]


def test_an_object_with_fields_in_it_and_names_in_another_case(tmp_path: Path) -> None:
    plan = layout(["prediction", "features.a"], fields_of(CONFIG), True, "t")
    assert [column and column.place for column in plan.columns] == [("prediction",), ("features", "a")]
    assert plan.notes == ()
    plan = layout(["Model", "features.a"], fields_of(CONFIG), True, "t")
    assert plan.notes == ("t: nothing reads 'Model'", "t: 'Model' is no field; did you mean 'model'?")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("prediction_label", "prediction.label"),
        ("Features[amount]", "features.amount"),
        ("features__a_b", "features.a_b"),
        ("features/amount", "features.amount"),
        ("MODEL VERSION", ""),
        ("amount", ""),
    ],
)
def test_the_field_that_a_name_most_likely_is_is_said(name: str, meant: str) -> None:
    notes = layout([name, "features.a", "Unnamed: 0", "__index_level_0__"], fields_of(CONFIG), True, "t").notes
    more = (f"t: {name!r} is no field; did you mean {meant!r}?",) if meant else ()
    assert notes == (f"t: nothing reads {name!r}", *more), "and numbers of rows are nobody's"


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("a,a", "'a' is there more than once"),
        ("features.a,features.a.b", "'features.a.b' lies within 'features.a', which is a column of its own"),
        ("label,prediction.label", "'label' and 'prediction.label' are one place in an event"),
        (",", "has no line of column names"),
    ],
)
def test_columns_that_cannot_be_are_named(header: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=words):
        EventFiles((table(tmp_path / "t.csv", header, "1,2"),), CONFIG)


def test_the_model_may_be_said_beside_the_table(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "features.a", "1", "2")
    assert [event["model"] for event in events(path, "fraud")] == ["fraud", "fraud"]
    assert all("model" not in event for event in events(path))
    named = table(tmp_path / "n.csv", "model,features.a", "own,1")
    assert events(named, "fraud")[0]["model"] == "own"
    batch = Decoder(fields_of(CONFIG))(read(path, "m"), "t")
    assert (len(batch.offsets), batch.names) == (2, ("features.a",))
