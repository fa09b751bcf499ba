"""From the bytes of a record to a parsed document: strict, but for numbers that are not finite, which are marked."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import orjson

from schemas.events.convert import NOT_FINITE, NotFinite, Rejected

MARK = "\ufdd0"
"""A text of a character that is none: what stands for a number that is not finite while the rest is parsed."""
TOKENS = re.compile(
    rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)'
    rb"|-?(?:NaN|nan|NAN|[Ii]nfinity|[Ii]nf|INF)"
    rb"|(?<![0-9.eE+-])-?(?:[0-9]++(?:\.[0-9]++)?[eE][+-]?[0-9]++|[0-9]{300,}+(?:\.[0-9]++)?)",
    re.DOTALL,
)
"""Texts, so that nothing in them is looked at, and numbers that may be beyond float64. Where a number begins is told by
what is before it: of many digits none is looked at twice.
"""
BEYOND = re.compile(rb"[0-9](?:[eE]|(?<![0-9][0-9])[0-9]{299})")
"""In every text with such a number, and seen at a tenth of the cost of looking for TOKENS."""
WORDS = (b"NaN", b"nf", b"nan", b"NAN", b"INF")
"""Of which every number that is none has one, as Python writes it (NaN, Infinity), or C (nan, inf)."""
COLON = re.compile(rb"[ \t\n\r]*:").match
"""Behind the name of a member, which no number can be."""


def _lenient(value: bytes) -> Any:
    """A JSON text in which NaN, Infinity, -Infinity and numbers beyond float64 stand, as Python's writer has them: they
    are NOT_FINITE in what comes of it. Raises what the parser raises for any other fault.
    """
    document = orjson.loads(TOKENS.sub(_marked, value))
    return settled(document, lambda text: NOT_FINITE if text == MARK else text)


def may_be_marked(text: bytes) -> bool:
    """False only of a text that has no number of those that `_lenient` marks."""
    return any(word in text for word in WORDS) or BEYOND.search(text) is not None


def _marked(found: re.Match[bytes]) -> bytes:
    token = found[0]
    first = token[:1]
    if first == b'"' or COLON(found.string, found.end()):
        return token
    if token.endswith((b"N", b"n", b"y", b"f", b"F")):
        return f'"{MARK}"'.encode()
    return token if abs(float(token)) < float("inf") else f'"{MARK}"'.encode()


def settled(document: Any, of: Callable[[Any], Any], kinds: tuple[type, ...] = (str, NotFinite)) -> Any:
    """The document with its values of these kinds, by default texts and what stands for numbers, replaced; without
    recursion, which depth could end.
    """
    if type(document) is not dict and type(document) is not list:
        return of(document)
    left = [document]
    while left:
        place = left.pop()
        for name, value in list(place.items()) if type(place) is dict else enumerate(place):
            if type(value) is dict or type(value) is list:
                left.append(value)
            elif type(value) in kinds:
                place[name] = of(value)
    return document


def value_of(text: bytes) -> Any:
    """Any JSON value; raises orjson.JSONDecodeError of what the strict parser says."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if not may_be_marked(text):
            raise  # The lenient parser would say the same.
        try:
            return _lenient(text)
        except orjson.JSONDecodeError:
            raise error from None


def parsed(value: bytes | None, bytes_max: int) -> dict[str, Any]:
    """Parse. What orjson does, as the tests pin it, but for numbers that are not finite, see `_lenient`:

    a byte order mark, raw control characters (NUL too), escaped lone surrogates, leading zeros, trailing commas,
    anything after the text and depth over 1024 are syntax errors. An integer outside -2^63 .. 2^64-1 but below 1.8e308
    becomes a float. Numbers too small for float64 become 0, -0 becomes the integer 0, -0.0 stays. Of duplicate keys the
    last value wins, at the first one's place.
    """
    if not value:
        raise Rejected("empty")
    if len(value) > bytes_max:
        raise Rejected("too_large", f"{len(value)} bytes, the limit is {bytes_max}")
    try:
        document = value_of(value)
    except orjson.JSONDecodeError as error:
        try:
            value.decode()
        except UnicodeDecodeError as bad:
            raise Rejected("bad_utf8", f"byte {bad.start}") from None
        raise Rejected("bad_json", f"{error.msg} (char {error.pos})") from None
    except RecursionError:
        raise Rejected("bad_json", "nesting") from None
    if type(document) is not dict:
        raise Rejected("not_an_object")
    return document
