"""Known incidents: how their file is read, and how well a run found them."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.offline.known import Known, judge, read_known
from streamer.offline.replay import BadInput
from tests.offline.past import episode

HOUR = 3_600_000


def test_csv_and_json_lines_say_the_same(tmp_path: Path) -> None:
    table, lines = tmp_path / "k.csv", tmp_path / "k.jsonl"
    table.write_text("note,model,begin,end\nx,fraud,2026-01-05T00:00:00Z,@1767574800\n")
    lines.write_text('\n{"model": "fraud", "begin": 1767571200, "end": "2026-01-05T01:00:00Z"}\n')
    begin = 1_767_571_200_000
    assert read_known(table) == [Known("fraud", begin, begin + HOUR, "k.csv:2")]
    assert read_known(lines) == [Known("fraud", begin, begin + HOUR, "k.jsonl:2")]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "model,from,to\nm,1,2\n", "a.csv: it has no column 'begin'"),
        ("a.csv", "model,begin,end\nm,2026-01-05,\n", "a.csv:2: it needs model, begin, end"),
        ("a.csv", "model,begin,end\nm,yesterday,today\n", "a.csv:2: begin and end are times such as 2026-01-31T12"),
        ("a.csv", "model,begin,end\nm,2026-01-06,2026-01-05\n", "a.csv:2: it ends before it begins"),
        ("a.jsonl", "{}\n", "a.jsonl:1: it needs model, begin, end"),
        ("a.jsonl", "[1]\n", "a.jsonl:1: it is no object"),
        ("a.jsonl", "{\n", "a.jsonl:1: it is no JSON"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_line(name: str, text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(BadInput) as error:
        read_known(tmp_path / name)
    assert said in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none\.csv: No such file"):
        read_known(tmp_path / "none.csv")


def test_recall_precision_and_delay() -> None:
    known = [
        Known("a", 10 * HOUR, 12 * HOUR, "k:1"),  # found after an hour
        Known("b*", 10 * HOUR, 12 * HOUR, "k:2"),  # a pattern, told half an hour too early: at once
        Known("a", 50 * HOUR, 51 * HOUR, "k:3"),  # missed
        Known("a", 900 * HOUR, 901 * HOUR, "k:4"),  # after the history
        Known("z", 10 * HOUR, 12 * HOUR, "k:5"),  # of no model
    ]
    told = [
        episode("a", 11 * HOUR),
        episode("a", 12 * HOUR),
        episode("bb", 10 * HOUR - HOUR // 2),
        episode("a", 30 * HOUR),
    ]
    found = judge(known, told, {"a": (0, 100 * HOUR), "bb": (0, 100 * HOUR)}, HOUR)
    assert [one.found for one in found.judged] == [told[0], told[2], None]
    assert [one.delay_ms for one in found.judged] == [HOUR, 0, None]
    assert (found.recall, found.precision, found.delay_ms) == (2 / 3, 3 / 4, HOUR // 2)
    assert found.beside == [told[3]]
    assert found.outside == 2
    assert found.plain()["known"][2]["found"] is None


def test_of_nothing_there_is_no_figure() -> None:
    found = judge([], [], {}, HOUR)
    assert (found.recall, found.precision, found.delay_ms) == (None, None, None)
