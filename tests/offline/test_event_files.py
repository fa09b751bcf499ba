"""Events in files: lines as they are; rows of tables by the places their columns name, in the order of their times."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest

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


@pytest.mark.parametrize(
    ("name", "mark"), [("t.txt", ","), ("t", ";"), ("t.dat", "\t"), ("t.tab", "\t"), ("t.psv", "|")]
)
def test_a_table_may_be_called_otherwise(name: str, mark: str, tmp_path: Path) -> None:
    path = table(tmp_path / name, mark.join(("model", "features.a")), mark.join(("m", "1")))
    assert events(path) == [{"model": "m", "features": {"a": 1}}]
    lines = table(tmp_path / "l.txt", "a,b", "1,2")
    assert [record.value for record in read(lines)] == [b"a,b", b"1,2"], "no name of a field: lines, and dead letters"


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


def test_the_total_is_of_what_is_in_the_span_and_files_can_be_read_again(tmp_path: Path) -> None:
    for name, times in (("a", [5, 1, 3]), ("b", [1, 2])):
        lines = [json.dumps({"model": "m", "time": t * 86_400}) for t in times]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    files = EventFiles((tmp_path / "a.jsonl", tmp_path / "b.jsonl"), CONFIG, span=Span(None, "@259201"))
    assert files.total() == 4
    first = list(files)
    assert [len(records) for _, records in first] == [2, 2]
    assert list(files) == first
    assert files.place(("inferences", 0), 0) == f"{tmp_path / 'a.jsonl'}:2", "it was read in the order of times"


def test_the_model_may_be_said_beside_lines(tmp_path: Path) -> None:
    lines = ['{"features":{"a":1}}', '{"model":"own"}', '{"model":null,"features":{"a":NaN}}', "{", "[1]", ""]
    (tmp_path / "t.jsonl").write_text("\n".join(lines) + "\n")
    [(_, records)] = EventFiles((tmp_path / "t.jsonl",), CONFIG, "m")
    assert [record.value for record in records] == [
        b'{"features": {"a": 1}, "model": "m"}',
        b'{"model":"own"}',
        b'{"model": "m", "features": {"a": NaN}}',
        *(line.encode() for line in lines[3:]),
    ]
