"""What texts and bytes within a record unpack to, and that nothing else comes of those that cannot be."""

from __future__ import annotations

import base64
import gzip
import zlib
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events.codecs import CODECS, decoded
from schemas.events.convert import NOT_FINITE, Rejected

ROWS = [{"a": 1, "b": "x"}, {"a": 2.5, "b": "y"}]
TENSORS = [
    {"name": "a", "shape": [2], "datatype": "FP32", "data": [1, 2.5]},
    {"name": "b", "shape": [2, 1], "datatype": "BYTES", "data": [["x"], ["y"]]},
]


@pytest.mark.parametrize(
    ("codecs", "value", "found"),
    [
        (["base64"], "aGk=", b"hi"),
        (["base64"], "aGk", b"hi"),
        (["base64"], "_-8=", b"\xff\xef"),
        (["gzip"], gzip.compress(b"hi", mtime=0), b"hi"),
        (["gzip"], zlib.compress(b"hi"), b"hi"),
        (["json"], '{"a": [1, NaN]}', {"a": [1, NOT_FINITE]}),
        (["base64", "gzip", "json"], base64.b64encode(gzip.compress(b"[1]", mtime=0)).decode(), [1]),
        (["jsonl"], '{"a": 1}\n\n{"a": 2}\n', [{"a": 1}, {"a": 2}]),
        (["csv"], "1,2.5,x\n-3,,01234\n", [[1, 2.5, "x"], [-3, None, "01234"]]),
        (["csv"], '"a,b", 1e3', [["a,b", 1000.0]]),
        (["split"], {"columns": ["a", "b"], "data": [[1, "x"], [2.5, "y"]]}, ROWS),
        (["columns"], {"a": [1, 2.5], "b": ["x", "y"]}, ROWS),
        (["tensors"], TENSORS, ROWS),
        (["tensors"], [{"name": "t", "shape": [2, 2], "data": [1, 2, 3, 4]}], [{"t": [1, 2]}, {"t": [3, 4]}]),
    ],
)
def test_what_comes_of_it(codecs: list[str], value: Any, found: Any) -> None:
    assert decoded(value, codecs, 1000, "/x") == found


@pytest.mark.parametrize(
    ("codecs", "value", "detail"),
    [
        (["base64"], "a*b", "/x is no base64"),
        (["base64"], 7, "/x is no base64"),
        (["gzip"], b"nonsense", "/x is no gzip"),
        (["gzip"], gzip.compress(b"hi" * 100, mtime=0)[:-8], "/x is no gzip"),
        (["json"], "{", "/x is no json"),
        (["base64", "json"], "aGk=", "/x is no json"),
        (["jsonl"], "1\n{", "/x is no jsonl"),
        (["csv"], {"a": 1}, "/x is no csv"),
        (["csv"], b"\xff", "/x is no csv"),
        (["split"], [1], "/x is no split"),
        (["split"], {"columns": ["a"], "data": [[1, 2]]}, "/x is no split"),
        (["columns"], {"a": [1], "b": [1, 2]}, "/x is no columns"),
        (["tensors"], [{"name": "a", "shape": [3], "data": [1, 2]}], "/x is no tensors"),
        (["tensors"], [{"name": "a", "shape": [2], "data": [1, 2]}, {"name": "b", "shape": [1], "data": [1]}], "/x is"),
        (["tensors"], [{"shape": [1], "data": [1]}], "/x is no tensors"),
    ],
)
def test_what_cannot_be_is_named_by_place_and_step(codecs: list[str], value: Any, detail: str) -> None:
    with pytest.raises(Rejected) as caught:
        decoded(value, codecs, 1000, "/x")
    assert caught.value.reason == "undecodable"
    assert caught.value.detail.startswith(detail)


def test_a_bomb_is_not_unpacked() -> None:
    with pytest.raises(Rejected) as caught:
        decoded(gzip.compress(b"\0" * 10_000_000), ["gzip"], 1000, "")
    assert caught.value.reason == "too_large"


NAMES = ["name", "shape", "data", "columns"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(width=16) | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["name", "shape", "data", "columns"]), inner)
    ),
    max_leaves=12,
)


@given(st.lists(st.sampled_from(sorted(CODECS)), min_size=1, max_size=3), JSON)
def test_whatever_comes_is_unpacked_or_rejected(codecs: list[str], value: Any) -> None:
    with suppress(Rejected):
        decoded(value, codecs, 1000, "/x")


def test_each_codec_says_what_it_does() -> None:
    assert all(codec.says for codec in CODECS.values())
