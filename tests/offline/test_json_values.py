"""Files of JSON that are no lines: which they are, and where each value ends, however the bytes are cut."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streamer.offline.json_values import is_values, values
from streamer.offline.replay import BadInput, read_lines

ONES = ['{"a":"}]\\"{,"}', '{"b":[[1,{}],2]}', '{"c":NaN}']
INDENTED = json.dumps(json.loads("[" + ",".join(ONES[:2]) + "]"), indent=2)
OF_VALUES = {
    "an array": f"[{','.join(ONES)}]\n",
    "an array with an element a line": "[\n" + ",\n".join(ONES) + "\n]",
    "an array that begins with an element": "[" + "\n,".join(ONES) + "]",
    "one behind the other": "".join(ONES),
    "one behind the other, with blanks": " ".join(ONES),
    "lines that end with a comma": ",\n".join(ONES) + ",",
    "lines of old Macintoshes": "\r".join(ONES),
    "a text sequence": "".join(f"\x1e{one}\n" for one in ONES),
    "blank lines before": f"\n\n[{','.join(ONES)}]",
}
OF_LINES = ["\n".join(ONES), '{"a":1', "nonsense", "", '[{"a":1}]\n[{"a":2}]', '{"a":1} x', '{"a":"x\n{"b":1}{"c":1}']


@pytest.mark.parametrize("text", OF_VALUES.values(), ids=OF_VALUES)
@pytest.mark.parametrize("size", [1, 3, 1 << 16])
def test_each_value_is_told_apart_however_it_is_cut(text: str, size: int) -> None:
    data = text.encode()
    assert is_values(data, True)
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert [value.decode() for value in values(pieces, 1 << 20, True)] == ONES


def test_values_over_several_lines() -> None:
    for text, count in ((INDENTED, 2), ("\n".join(json.dumps({"a": [i]}, indent=1) for i in range(3)), 3)):
        assert is_values(text.encode(), True)
        assert len([json.loads(one) for one in values([text.encode()], 1 << 20, True)]) == count


@pytest.mark.parametrize("text", OF_LINES)
def test_lines_stay_lines(text: str) -> None:
    assert not is_values(text.encode(), True)


def test_an_array_may_be_one_record() -> None:
    text = b'[{"a":1},\n {"a":2}]'
    assert not is_values(text, False)
    assert list(values([text], 1 << 20, False)) == [text]


def test_a_broken_value_costs_itself_alone_and_a_long_one_is_cut() -> None:
    text = b'[{"a":1}, {"b":tru}, nonsense, {"c":"' + b"x" * 500 + b'"}, {"d":4}'
    found = list(values([text[:30], text[30:]], 20, True))
    assert found[:3] == [b'{"a":1}', b'{"b":tru}', b"nonsense"]
    assert len(found[3]) == 22
    assert found[4] == b'{"d":4}'


def test_a_file_of_an_array_is_read_in_chunks(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text("\ufeff" + json.dumps([{"n": i} for i in range(1_200)]))
    records = [record for some in read_lines(path, 1 << 20) for record in some]
    assert [record.offset for record in records] == list(range(1_200))
    assert json.loads(records[-1].value or b"") == {"n": 1_199}
    path.write_bytes("[]".encode("utf-16"))
    with pytest.raises(BadInput, match="UTF-16"):
        list(read_lines(path, 1 << 20))
