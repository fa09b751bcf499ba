"""Tables of text: the separator is found, and a cell is what its column is."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.offline.csv_table import read_csv
from streamer.offline.replay import BadInput
from tests.offline.samples import HEAD

CONFIG = load_text(HEAD, "x", {})


def events(path: Path, *notes: str) -> list[dict[str, Any]]:
    plan, rows = read_csv(path, fields_of(CONFIG), "m")
    assert plan.notes == tuple(f"{path}: {note}" for note in notes)
    return [json.loads(record.value or b"") for record in rows()]


def column(folder: Path, name: str, *cells: str) -> list[Any]:
    """What the events have in a place, for the cells of a column of that name."""
    path = folder / "c.csv"
    path.write_text("".join(f"{line},1\n" for line in (name, *cells)).replace(",1", ",features.other", 1))
    found = []
    for event in events(path):
        value: Any = event
        for step in name.split("."):
            value = value[step]
        found.append(value)
    return found


@pytest.mark.parametrize(
    ("name", "cells", "values"),
    [
        ("features.a", ["1", "2.5", "-1e3", "+4", ""], [1, 2.5, -1000.0, 4, None]),
        ("features.a", ["1", "NaN", "null", "NA"], [1, None, None, None]),
        ("features.a", ["1", "inf", "-Infinity"], [1, float("inf"), float("-inf")]),
        ("features.id", ["1", "100000000000000000000"], [1, 1e20]),
        ("features.zip", ["01234", "90210"], ["01234", "90210"]),
        ("features.zip", [*["90210"] * 60, "01234"], [*["90210"] * 60, "01234"]),
        ("features.a", ["12 ", "13.5\u00a0", "N.A.", "?", "#DIV/0!"], [12, 13.5, None, None, None]),
        ("features.a", ["1", "INF"], [1, float("inf")]),
        ("features.code", ["1_000", "2"], ["1_000", "2"]),
        ("features.new", ["True", "False", "TRUE", ""], [True, False, True, None]),
        ("features.new", ["True", "yes"], ["True", "yes"]),
        ("features.t", ["NaN", "Inf", "x"], ["NaN", "Inf", "x"]),
        ("features.none", ["", ""], [None, None]),
        ("model_version", ["7", "7.0", "007"], ["7", "7.0", "007"]),
        ("event_id", ["1000000000000000001", "0012"], ["1000000000000000001", "0012"]),
        ("segment.shop", ["12", "013"], ["12", "013"]),
        ("prediction.label", ["1", "0"], ["1", "0"]),
        ("prediction.label", ["1.0", "", "0.0"], ["1", None, "0"]),
        ("prediction.label", ["1.0", "x"], ["1.0", "x"]),
        ("prediction.label", ["True", "False", ""], [True, False, None]),
        ("segment.new", ["True", "FALSE"], [True, False]),
        ("segment.shop", ["12.0", ""], ["12", None]),
        ("segment.shop", ["12.0", "13.0"], ["12.0", "13.0"]),
        ("caller", ["True", "False"], ["True", "False"]),
        ("prediction.scores", ['"{""yes"":0.2}"', ""], [{"yes": 0.2}, None]),
        ("prediction.scores", ["{broken", "x"], ["{broken", "x"]),
        ("prediction.value", ["1.5", "n/a"], [1.5, None]),
        ("prediction.value", ["1.5", "many"], [1.5, "many"]),
        ("time", ["1700000000", "1700000001.5"], [1700000000, 1700000001.5]),
        ("time", ["2026-01-02T03:04:05Z", "NaT "], ["2026-01-02T03:04:05Z", None]),
        ("time", ["2026-01-02T03:04:05Z", "2026-01-03"], ["2026-01-02T03:04:05Z", "2026-01-03"]),
    ],
)
def test_a_cell_is_what_its_column_is(name: str, cells: list[str], values: list[Any], tmp_path: Path) -> None:
    found = column(tmp_path, name, *cells)
    assert (found, [*map(type, found)]) == (values, [*map(type, values)])


NOTED = {
    ("1,234.50", "99"): ([1234.5, 99], "read as numbers with a decimal point"),
    ("$12.50", "$9"): ([12.5, 9], "read as numbers with a decimal point and '$'"),
    ("12%", "9.5%"): ([0.12, 0.095], "read as numbers with a decimal point and '%', as 0.12 for 12%"),
    (*["1.5"] * 40, "unknown"): ([*[1.5] * 40, "unknown"], "1 of 41 cells are no numbers, the first in line 42"),
}


@pytest.mark.parametrize("cells", NOTED)
def test_a_column_of_what_only_looks_like_numbers_is_told(cells: tuple[str, ...], tmp_path: Path) -> None:
    values, note = NOTED[cells]
    (tmp_path / "t.csv").write_text(
        "".join(f'"{cell}",x\n' for cell in ("features.a", *cells)).replace("x", "features.b", 1)
    )
    assert [event["features"]["a"] for event in events(tmp_path / "t.csv", f"'features.a': {note}")] == values


def test_texts_most_of_which_are_like_numbers_are_told(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("features.a,features.b\n$5,1\n€5,1\n7,1\nx,1\n")
    note = "'features.a' is of texts, though 3 of 4 cells are like numbers"
    assert events(tmp_path / "t.csv", note)[0]["features"] == {"a": "$5", "b": 1}


FORMS = {
    "empty cells behind": "features.a,features.b,,\n1,2,,\n3,4,,\n",
    "a comma behind": "features.a,features.b\n1,2,\n3,4,\n",
    "blank rows": "features.a,features.b\n1,2\n,\n\n3,4\n , \n",
    "blank lines before": "\n \nfeatures.a,features.b\n1,2\n3,4\n",
    "sep and a blank line": "sep=;\r\n\r\nfeatures.a;features.b\r\n1;2\r\n3;4\r\n",
    "sep": "sep=;\nfeatures.a;features.b\n1;2\n3;4\n",
    "pointers": "/features/a,/features/b\n1,2\n3,4\n",
    "CR": "features.a,features.b\r1,2\r3,4\r",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_table_as_spreadsheets_write_it(form: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(FORMS[form], newline="")
    assert [event["features"] for event in events(tmp_path / "t.csv")] == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]


def test_the_separator_is_that_of_all_rows_and_a_name_may_have_lines(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('features.a (EUR, net);"features.b\nx"\n1;2\n')
    assert events(tmp_path / "t.csv")[0]["features"] == {"a (EUR, net)": 1, "b\nx": 2}


LINES = ["features.amount|features.country|label", "1.5|NL|yes", "2|DE, or so|no"]
WANTED = [{"amount": 1.5, "country": "NL"}, {"amount": 2, "country": "DE, or so"}]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("name", ["t.csv", "T.CSV", "t.csv.gz", "t.tsv"])
def test_separators_encodings_and_endings(name: str, encoding: str, separator: str, tmp_path: Path) -> None:
    lines = [line.replace("DE, or so", '"DE, or so"').replace("|", separator) for line in LINES]
    data = ("\r\n".join(lines) + "\r\n").encode(encoding)
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    assert [event["features"] for event in events(tmp_path / name)] == WANTED


def test_blanks_after_the_separator_and_lines_within_a_cell(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('features.a, features.b\n1, "x\ny"\n\n2, z\n')
    assert [event["features"] for event in events(tmp_path / "t.csv")] == [{"a": 1, "b": "x\ny"}, {"a": 2, "b": "z"}]


def test_a_decimal_comma_where_the_separator_is_another(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("features.a;features.b\n130,38;1,5 kg\n2;3\n")
    assert [event["features"] for event in events(tmp_path / "t.csv")] == [
        {"a": 130.38, "b": "1,5 kg"},
        {"a": 2, "b": "3"},
    ]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"features.a,features.b\n1,2\n1,2,3\n", r"t\.csv:3: 3 cells, the header has 2 \(separator ','\)"),
        (b"features.a,features.b\n1\n", r"t\.csv:2: 1 cells, the header has 2"),
        (b"features.a\n\xff\n", r"t\.csv: is not utf-8: byte 0xff; save it as UTF-8"),
        (b'features.a,features.b\n1,"x\n3,z\n', r"t\.csv:3: unexpected end of data; is a quote not closed"),
        (b"", r"t\.csv: has no line of column names"),
        (b"\n\n", r"t\.csv: has no line of column names"),
        (b"\nfeatures.a,features.b\n1\n", r"t\.csv:3: 1 cells, the header has 2"),
        (b'{"model": "m"}\n', r"t\.csv: is JSON, no table: name it t\.jsonl"),
    ],
)
def test_what_is_no_table_is_named(data: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(data)
    with pytest.raises(BadInput, match=words):
        events(tmp_path / "t.csv")


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"features.a\n1\n" * 1000)[:-9])
    with pytest.raises(BadInput, match=r"t\.csv\.gz: Compressed file ended"):
        events(tmp_path / "t.csv.gz")
