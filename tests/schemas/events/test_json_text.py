"""Numbers that are not finite are marked, and nothing else is let through for them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events.convert import NOT_FINITE, Rejected
from schemas.events.json_text import MARK, TOKENS, _marked, may_be_marked, parsed

ROOM = 1 << 22


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"a": NaN}', {"a": NOT_FINITE}),
        (b'{"a": [nan, -nan, NAN, inf, -inf, INF, -infinity], "b": "inf"}', {"a": [NOT_FINITE] * 7, "b": "inf"}),
        (b'{"a": [-Infinity, Infinity , {"b": 1e400}], "c": "NaN"}',
         {"a": [NOT_FINITE, NOT_FINITE, {"b": NOT_FINITE}], "c": "NaN"}),
        (b'{"a\\"NaN": "x\\\\", "b": -1E+999, "c": 1e-400, "d": 12e3}',
         {'a"NaN': "x\\", "b": NOT_FINITE, "c": 0.0, "d": 12000.0}),
        (b'{"a": ' + b"9" * 400 + b', "b": 0.' + b"9" * 400 + b"}", {"a": NOT_FINITE, "b": 1.0}),
        (f'{{"a": "{MARK}"}}'.encode(), {"a": MARK}),
    ],
)  # fmt: skip
def test_what_is_not_finite_is_marked(text: bytes, expected: Any) -> None:
    assert parsed(text, ROOM) == expected


@pytest.mark.parametrize(
    "text",
    [
        b'{"a": NaN', b'{"a": NaN NaN}', b'{"a": NaN1}', b'{NaN: 1}', b'{"a": 01, "b": NaN}', b'{"a": .NaN}',
        b'{"a": NaN, "b": "\\ud800"}', b'{"a": NaN, "b": "\x01"}', b"NaN,", b'{"a": InfinitY}', b'{"a": +Infinity}',
    ],
)  # fmt: skip
def test_any_other_fault_stays_one(text: bytes) -> None:
    with pytest.raises(Rejected) as caught:
        parsed(text, ROOM)
    assert caught.value.reason == "bad_json"


@given(st.text('09eE.+-NaIfinty"\\ ,[:', max_size=30).map(str.encode), st.sampled_from([b"", b"9" * 299, b"0" * 300]))
def test_who_is_not_looked_at_again_has_nothing_to_mark(text: bytes, digits: bytes) -> None:
    for whole in (text + digits, digits + text, text + digits + text):
        assert may_be_marked(whole) or TOKENS.sub(_marked, whole) == whole


@pytest.mark.parametrize(
    "text", [b"NaN", b"-Infinity", b"1e400", b"x0E9", b"9" * 300, b"a" + b"9" * 300, b"1." + b"1" * 300]
)
def test_who_may_have_such_a_number_is_looked_at_again(text: bytes) -> None:
    assert may_be_marked(text)
    assert not may_be_marked(text.replace(b"N", b"M").replace(b"n", b"m").replace(b"e", b"f").replace(b"E", b"")[:299])


@pytest.mark.parametrize("part", [b'\\"', b'"', b"9", b"-", b"NaN", b"[", b"1e9"])
def test_a_long_one_takes_no_longer_than_its_length(part: bytes) -> None:
    """A million bytes that are no JSON: what is quadratic would not come back."""
    with pytest.raises(Rejected):
        parsed(b'{"a": NaN, "b": "' + part * (1_000_000 // len(part)) + b":", ROOM)
    with pytest.raises(Rejected):
        parsed(b'{"a": NaN, "b": ' + part * (1_000_000 // len(part)) + b":", ROOM)
