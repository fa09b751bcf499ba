"""Parquet and frames: values by the types of their columns, and one line that names the column where it cannot be."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.offline.arrow_table import read_frame
from streamer.offline.event_files import EventFiles
from streamer.offline.replay import BadInput
from tests.offline.samples import HEAD

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

CONFIG = load_text(HEAD, "x", {})


def events(folder: Path, table: Any) -> list[dict[str, Any]]:
    path = folder / "t.PARQUET"
    parquet.write_table(table, path)
    return [json.loads(r.value or b"") for _, records in EventFiles((path,), CONFIG, "m") for r in records]


MOMENT = datetime(2026, 1, 2, 3, 4, 5)


@pytest.mark.parametrize(
    ("name", "array", "values"),
    [
        ("features.a", pyarrow.array([1, None], pyarrow.int8()), [1, None]),
        ("features.a", pyarrow.array([1.5, float("nan"), None]), [1.5, None, None]),
        ("features.a", pyarrow.array([Decimal("130.38"), None], pyarrow.decimal128(10, 2)), [130.38, None]),
        ("features.a", pyarrow.array(["x", None, "x"]).dictionary_encode(), ["x", None, "x"]),
        ("features.a", pyarrow.array([True, None]), [True, None]),
        ("features.a", pyarrow.array([b"NL", None]), ["NL", None]),
        ("features.a", pyarrow.array([timedelta(seconds=90)]), [90.0]),
        ("features.a", pyarrow.array([90_000_000_001], pyarrow.duration("ns")), [90.0]),
        ("features.a", pyarrow.array([[1.5, 2.0], None]), [[1.5, 2.0], None]),
        ("features.a", pyarrow.array([{"b": Decimal("1.5")}]), [{"b": 1.5}]),
        ("features.a", pyarrow.array([[("k", 2)]], pyarrow.map_(pyarrow.string(), pyarrow.int64())), [{"k": 2}]),
        ("features.a", pyarrow.array([[]], pyarrow.map_(pyarrow.string(), pyarrow.int64())), [{}]),
        ("features.a", pyarrow.nulls(2), [None, None]),
        ("features.a", pyarrow.array([date(2026, 1, 2)]), ["2026-01-02"]),
        ("features.a", pyarrow.array([b"\xff\xfe"]), ["//4="]),
        ("event_id", pyarrow.array([Decimal(10) ** 20], pyarrow.decimal128(30, 0)), [str(10**20)]),
        ("event_id", pyarrow.array([UUID(int=5)], pyarrow.uuid()), ["00000000-0000-0000-0000-000000000005"]),
        ("latency_ms", pyarrow.array([timedelta(seconds=1.5)]), [1500.0]),
        ("time", pyarrow.array([MOMENT]), ["2026-01-02T03:04:05Z"]),
        ("time", pyarrow.array([MOMENT.replace(tzinfo=UTC)]), ["2026-01-02T03:04:05+00:00"]),
        ("time", pyarrow.array([1_700_000_000_123_456_789], pyarrow.timestamp("ns")), ["2023-11-14T22:13:20.123456Z"]),
        ("time", pyarrow.array([date(2026, 1, 2)]), ["2026-01-02T00:00:00Z"]),
        ("prediction.label", pyarrow.array([1.0, None, 0.0]), [1, None, 0]),
        ("prediction.label", pyarrow.array([1.0, 0.5]), [1.0, 0.5]),
        ("prediction.label", pyarrow.array([True]), [True]),
        ("model_version", pyarrow.array([7.0, None]), [7, None]),
        ("model_version", pyarrow.array([7.0, 7.1]), [7.0, 7.1]),
        ("event_id", pyarrow.array([Decimal("12.00")], pyarrow.decimal128(10, 2)), [12]),
        ("prediction", pyarrow.array(['{"label":"x"}', "[", None]), [{"label": "x"}, "[", None]),
        ("event_id", pyarrow.array([2**63 + 1], pyarrow.uint64()), [2**63 + 1]),
    ],
)
def test_a_value_is_what_its_column_is(name: str, array: Any, values: list[Any], tmp_path: Path) -> None:
    found = []
    for event in events(tmp_path, pyarrow.table({name: array, "features.other": [0] * len(array)})):
        value: Any = event
        for step in name.split("."):
            value = value[step]
        found.append(value)
    assert (found, [*map(type, found)]) == (values, [*map(type, values)])


def test_a_time_without_a_zone_is_of_the_zone_that_the_config_names(tmp_path: Path) -> None:
    parquet.write_table(pyarrow.table({"time": [MOMENT], "features.t": [MOMENT]}), tmp_path / "t.parquet")
    config = load_text(f"{HEAD}time_zone: Europe/Amsterdam\n", "x", {})
    [(_, [record])] = EventFiles((tmp_path / "t.parquet",), config, "m")
    event = json.loads(record.value or b"")
    assert (event["time"], event["features"]["t"]) == ("2026-01-02T03:04:05", "2026-01-02T03:04:05Z")


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (
            {"time": pyarrow.array([10**17], pyarrow.timestamp("ms")), "features.a": [1]},
            r"t\.PARQUET: column 'time' of timestamp\[ms\]: ",
        ),
        ({"features": [{"a": 1}], "features.a": [1]}, "'features.a' lies within 'features'"),
    ],
)
def test_what_cannot_be_is_named(columns: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=words):
        events(tmp_path, pyarrow.table(columns))


def test_a_damaged_file_is_one_line(tmp_path: Path) -> None:
    parquet.write_table(pyarrow.table({"features.a": list(range(10_000))}), tmp_path / "t.parquet")
    whole = (tmp_path / "t.parquet").read_bytes()
    for name, data in (
        ("cut", whole[:-50]),
        ("none", b"nonsense" * 9),
        ("inside", b"PAR1" + b"\0" * 3000 + whole[3004:]),
    ):
        path = tmp_path / f"{name}.parquet"
        path.write_bytes(data)
        with pytest.raises(BadInput) as caught:
            list(EventFiles((path,), CONFIG, "m"))
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)


ROWS = {"model": ["m", "m"], "features.a": [1.5, None], "features.c": ["x", "y"], "label": [1, 0]}


def rows(frame: Any) -> list[dict[str, Any]]:
    return [json.loads(record.value or b"") for record in read_frame(frame, fields_of(CONFIG))]


def test_frames_of_pandas_polars_and_arrow_are_one() -> None:
    wanted = [
        {"model": "m", "features": {"a": 1.5, "c": "x"}, "prediction": {"label": 1}},
        {"model": "m", "features": {"a": None, "c": "y"}, "prediction": {"label": 0}},
    ]
    assert rows(pyarrow.table(ROWS)) == wanted
    assert rows(pytest.importorskip("pandas").DataFrame(ROWS)) == wanted
    assert rows(pytest.importorskip("polars").DataFrame(ROWS)) == wanted
    with pytest.raises(BadInput, match="the frame: "):
        rows(7)
