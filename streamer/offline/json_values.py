"""Files of JSON that are no lines: one array of events, objects over several lines, or one behind the other.

Values are only told apart here, by their brackets and quotes; what each is, and whether it is one at all, the decoder
says. So of a broken one only that one is a dead letter, as of a broken line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

import orjson

from schemas.events.json_text import value_of

LOOK = 1 << 16
"""Bytes that tell whether a file is of lines."""
BLANK = b" \t\r\n\x1e"
"""Between values; the last is the mark of RFC 7464 in front of each."""
OPENS = (b"{", b"[", b"[{")
"""The first line of what is written over several; no event is written so."""
OUTSIDE = re.compile(rb'["\[\]{},]')
WITHIN = re.compile(rb'"|\\.?', re.DOTALL)


def is_values(head: bytes, arrays: bool) -> bool:
    """Whether a file that begins so is of values rather than of lines. `arrays`: an array is a list of events, and not
    one record with several.

    >>> [is_values(text, True) for text in (b'{"a":1}', b'{\\n "a":1}', b'[{"a":1}]', b'{"a":1}{"a":2}', b'{"a":1},')]
    [False, True, True, True, True]
    """
    text = head.lstrip(b" \t\r\n")
    line, _, rest = text.partition(b"\n")
    line = line.rstrip()
    if text.startswith(b"\x1e") or line in OPENS:
        return True
    if line.startswith(b"["):
        lines = rest.lstrip().startswith(b"[") and _is_one(line)  # Of arrays, which are records of their own.
        return arrays and not lines
    if not line.startswith(b"{"):
        return False
    found = list(islice(values([line], len(line), arrays), 2))
    if len(found) == 1:
        return line.endswith(b",") and len(found[0]) < len(line) and _is_one(found[0])
    return found[1].startswith(b"{") and _is_one(found[0])


def _is_one(text: bytes) -> bool:
    try:
        value_of(text)
    except (orjson.JSONDecodeError, RecursionError):
        return False
    return True


def values(chunks: Iterable[bytes], longest: int, arrays: bool) -> Iterator[bytes]:
    """The values of a text that comes in pieces, cut however it may be. One over `longest` is cut just beyond it."""
    split = _Split(longest, arrays)
    for data in chunks:
        yield from split.take(data)
    yield from split.done()


class _Split:
    def __init__(self, longest: int, arrays: bool) -> None:
        self.room, self.arrays = longest + 2, arrays
        self.depth, self.base = 0, 0  # base: 1 within the array whose elements are the values
        self.within, self.escaped = False, False  # a text; behind its backslash, where a piece ended
        self.held: list[bytes] = []
        self.size = 0

    def take(self, data: bytes) -> Iterator[bytes]:
        begin, at = 0, int(self.escaped and len(data) > 0)
        self.escaped = self.escaped and not data
        while found := (WITHIN if self.within else OUTSIDE).search(data, at):
            token, start, at = found[0], found.start(), found.end()
            if self.within:
                self.within, self.escaped = token != b'"', token == b"\\"
            elif token == b'"':
                self.within = True
            elif token in (b"{", b"["):
                if self.depth == self.base:  # A value begins, so another is over.
                    self._hold(data[begin:start])
                    yield from self.done()
                    begin = start
                    if token == b"[" and self.arrays and self.base == 0:
                        self.base, begin = 1, at
                self.depth += 1
            elif token == b"," or self.depth == self.base:
                if self.depth == self.base and (token == b"," or self.base):
                    self._hold(data[begin:start])
                    yield from self.done()
                    begin = at
                    if token != b",":
                        self.depth = self.base = 0
            else:
                self.depth -= 1
                if self.depth == self.base:
                    self._hold(data[begin:at])
                    yield from self.done()
                    begin = at
        self._hold(data[begin:])

    def _hold(self, piece: bytes) -> None:
        piece = piece[: max(self.room - self.size, 0)]
        if self.held or piece.strip(BLANK):
            self.held.append(piece)
            self.size += len(piece)

    def done(self) -> Iterator[bytes]:
        """What is held, if anything."""
        value = b"".join(self.held).strip(BLANK)
        self.held, self.size = [], 0
        if value:
            yield value
