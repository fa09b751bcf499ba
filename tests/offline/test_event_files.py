"""Events in files: lines as they are, cells of a table by the place their column names."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from schemas.events.decoder import Decoder
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.offline.event_files import read_events
from streamer.offline.replay import CHUNK, BadInput
from tests.offline.samples import HEAD

CONFIG = load_text(HEAD, "x", {})


def events(path: Path, model: str | None = None) -> list[dict[str, Any]]:
    return [json.loads(record.value or b"") for _, records in read_events((path,), CONFIG, model) for record in records]


def table(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def test_lines_are_taken_as_they_are_and_each_file_is_a_partition(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"model": "m"}\nnonsense\n')
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(b'{"model": "n"}'))
    parts = list(read_events((tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz"), CONFIG))
    assert [partition for partition, _ in parts] == [("inferences", 0), ("inferences", 1)]
    found = [(record.offset, record.time_ms, record.value) for _, records in parts for record in records]
    assert found == [(0, -1, b'{"model": "m"}'), (1, -1, b"nonsense"), (0, -1, b'{"model": "n"}')]


def test_a_column_is_named_by_its_place(tmp_path: Path) -> None:
    path = table(
        tmp_path / "t.csv",
        "model,model_version,event_id,time,features.amount,features.a.b,prediction.label,latency_ms",
        "m,7,0012,1700000000,1.5,x,yes,",
        "m,7.10,e,2026-01-02T03:04:05Z,nan,inf,,3",
    )
    first, second = events(path)
    assert first == {
        "model": "m", "model_version": "7.0", "event_id": "12.0", "time": 1700000000.0,
        "features": {"amount": 1.5, "a": {"b": "x"}}, "prediction": {"label": "yes"}, "latency_ms": None,
    }  # fmt: skip
    assert second["features"] == {"amount": None, "a": {"b": None}}, "no JSON has such numbers"
    assert (second["time"], second["prediction"]["label"]) == ("2026-01-02T03:04:05Z", None)


def test_the_model_may_be_said_beside_the_table(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "features.a", "1", "2")
    assert [event["model"] for event in events(path, "fraud")] == ["fraud", "fraud"]
    assert all("model" not in event for event in events(path))
    named = table(tmp_path / "n.csv", "model,features.a", "own,1")
    assert events(named, "fraud")[0]["model"] == "own"
    batch = Decoder(fields_of(CONFIG))([r for _, rs in read_events((path,), CONFIG, "m") for r in rs], "t")
    assert (len(batch.offsets), batch.names) == (2, ("features.a",))


@pytest.mark.parametrize("count", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1])
def test_rows_come_in_chunks_and_are_numbered(count: int, tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "features.a", *map(str, range(count)))
    parts = [records for _, records in read_events((path,), CONFIG)]
    assert [record.offset for records in parts for record in records] == list(range(count))
    assert all(len(records) <= CHUNK for records in parts)


def test_cells_without_a_column_and_columns_without_a_cell(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "features.a,features.b", "1", "1,2,3")
    assert [event["features"] for event in events(path)] == [{"a": 1.0, "b": None}, {"a": 1.0, "b": 2.0}]


@pytest.mark.parametrize("name", ["none.csv", "none.jsonl", "none.jsonl.gz"])
def test_a_file_that_cannot_be_read_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=rf"{name}: No such file or directory"):
        events(tmp_path / name)


def test_a_table_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"features.a\n\xff\n")
    with pytest.raises(BadInput, match=r"t\.csv: .*utf-8"):
        events(tmp_path / "t.csv")
