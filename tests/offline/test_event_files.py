"""Events in files: lines as they are; rows of tables by the places their columns name, in the order of their times."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest

from schemas.events.decoder import Decoder
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.offline.event_files import WHOLE, EventFiles, Span
from streamer.offline.replay import CHUNK, BadInput
from tests.offline.samples import HEAD

CONFIG = load_text(HEAD, "x", {})


def read(path: Path, model: str | None = None, config: Config = CONFIG, span: Span = WHOLE) -> list[Any]:
    files = EventFiles((path,), config, model, span)
    return [record for _, records in files for record in records]


def events(path: Path, model: str | None = None, **more: Any) -> list[dict[str, Any]]:
    return [json.loads(record.value or b"") for record in read(path, model, **more)]


def table(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def test_lines_are_taken_as_they_are_and_each_file_is_a_partition(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"model": "m"}\nnonsense\n')
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(b'{"model": "n"}'))
    parts = list(EventFiles((tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz"), CONFIG))
    assert [partition for partition, _ in parts] == [("inferences", 0), ("inferences", 1)]
    found = [(record.offset, record.time_ms, record.value) for _, records in parts for record in records]
    assert found == [(0, -1, b'{"model": "m"}'), (1, -1, b"nonsense"), (0, -1, b'{"model": "n"}')]


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


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("a,a", "'a' is there more than once"),
        ("features.a,features.a.b", "'features.a.b' lies within 'features.a', which is a column of its own"),
        ("label,prediction.label", "'label' and 'prediction.label' are one place in an event"),
        ("", "has no line of column names"),
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


@pytest.mark.parametrize("count", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1])
def test_rows_come_in_chunks_and_are_numbered(count: int, tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "features.a", *map(str, range(count)))
    parts = [records for _, records in EventFiles((path,), CONFIG)]
    assert [record.offset for records in parts for record in records] == list(range(count))
    assert all(len(records) <= CHUNK for records in parts)


@pytest.mark.parametrize("name", ["none.csv", "none.jsonl", "none.jsonl.gz"])
def test_a_file_that_cannot_be_read_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=rf"{name}: No such file or directory"):
        events(tmp_path / name)


def stamped(i: int) -> str:
    return json.dumps({"model": "m", "time": 1_700_000_000 + i * 60, "features": {"a": i}})


def test_a_file_in_no_order_is_read_by_time_and_its_places_stay_those_of_the_file(tmp_path: Path) -> None:
    places = random.Random(1).sample(range(2000), 2000)
    path = table(tmp_path / "t.jsonl", *(stamped(i) for i in places))
    files = EventFiles((path,), CONFIG)
    records = [record for _, some in files for record in some]
    assert [json.loads(record.value or b"")["features"]["a"] for record in records] == list(range(2000))
    assert [record.offset for record in records] == list(range(2000))
    assert files.place(("inferences", 0), 7) == f"{path}:{places.index(7) + 1}"


def test_a_little_disorder_stays_as_it_is(tmp_path: Path) -> None:
    path = table(tmp_path / "t.jsonl", *(stamped(i) for i in (0, 2, 1, 3)))
    files = EventFiles((path,), CONFIG)
    assert [json.loads(r.value or b"")["features"]["a"] for _, some in files for r in some] == [0, 2, 1, 3]
    assert files.place(("inferences", 0), 1) == f"{path}:2"


@pytest.mark.parametrize("order", [range(10), [*range(9, -1, -1)]], ids=["sorted", "reversed"])
@pytest.mark.parametrize(
    ("span", "left"),
    [
        (Span("2023-11-14T22:15:00Z"), range(2, 10)),
        (Span(None, "@1700000180"), range(3)),
        (Span("@1700000060", "@1700000180"), range(1, 3)),
    ],
)
def test_a_stretch_of_time_is_cut_out(order: Any, span: Span, left: range, tmp_path: Path) -> None:
    path = table(tmp_path / "t.jsonl", *(stamped(i) for i in order))
    assert [event["features"]["a"] for event in events(path, span=span)] == list(left)


def test_a_stretch_of_rows_is_cut_out(tmp_path: Path) -> None:
    path = table(tmp_path / "t.jsonl", *(stamped(i) for i in range(10)))
    assert [record.offset for record in read(path, span=Span("3", "5"))] == [3, 4]
    with pytest.raises(BadInput, match="neither an offset nor a time"):
        read(path, span=Span("tomorrow"))
