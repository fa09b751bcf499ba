"""A table of text: its separator, its columns, and cells that are typed by their column, never each by itself."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple

from schemas.events.batch import Record
from schemas.events.fields import Fields
from streamer.offline.columns import NAMING, Column, Layout, column_of, layout, records
from streamer.offline.packed_file import BROKEN, opened
from streamer.offline.replay import BadInput
from streamer.offline.spelled import is_nothing, is_number, number, spelled

SEPARATORS = ",;\t|"
SEP_LINE = re.compile(r'"?sep=(.)"?,*[\r\n]*').fullmatch
"""What spreadsheets read, and write, before the header."""
LOOK = 20
"""Rows that tell the separator: all have as many cells as the header."""
BOOLEANS = {"true": True, "false": False}
TRUE_OR_FALSE = ("label", "segment")
"""Texts that booleans stand for: True in all cells of a column is what JSON has as true."""
WHOLE = re.compile(r"-?(?:0|[1-9]\d*)\.0").fullmatch
CODE = re.compile(r"0\d+").fullmatch
"""A cell that says of its column that it is none of numbers."""
MOST = 0.95
"""So many cells of a column of numbers are some, at least: what else is among them is an odd cell."""

PERCENT = ", as 0.12 for 12%"

Cell = Callable[[str], Any]


class _File(NamedTuple):
    path: Path
    encoding: str
    separator: str
    header: list[str]
    before: int  # lines before the header


class _Seen:
    """Of a column, over all its cells: how many are of each kind, and the line of the first that is not."""

    def __init__(self) -> None:
        self.filled, self.codes, self.empty = 0, 0, 0
        self.fits = dict.fromkeys(KINDS, 0)
        self.units: dict[str, set[str]] = {"point": set(), "comma": set()}
        self.odd: dict[str, int] = {}

    def add(self, text: str, line: int) -> None:
        self.filled += 1
        self.codes += text[0] == "0" and CODE(text) is not None
        plain = "" if is_number(text) else None
        for kind, fits in KINDS.items():
            count = self.fits.get(kind)
            if count is None:
                continue
            known = kind == "number" or (plain == "" and (kind == "point" or (kind == "comma" and "." not in text)))
            unit = plain if known else fits(text)
            if unit is not None:
                self.fits[kind] = count + 1
                if unit:
                    self.units[kind].add(unit)
                continue
            self.odd.setdefault(kind, line)
            if self.filled - count > LOOK + (1 - MOST) * self.filled:
                del self.fits[kind]  # Other cells will hardly make it one of these.

    def all_are(self, kind: str) -> bool:
        return 0 < self.filled == self.fits.get(kind)

    def most_are(self, kind: str) -> bool:
        """Numbers of one unit, but for a few cells; a code such as 01234 says that there are no numbers."""
        enough = 0 < MOST * self.filled <= self.fits.get(kind, 0)
        return enough and not self.codes and len(self.units.get(kind, ())) < 2


def is_table(path: Path, fields: Fields) -> bool:
    """Whether the first line of a file has the names of columns, and one of them of a field."""
    try:
        names = _opened(path).header
    except (BadInput, *BROKEN, UnicodeDecodeError, csv.Error):
        return False
    return len(names) > 1 and any(column_of(name, fields) is not None for name in names)


def read_csv(path: Path, fields: Fields, model: str | None) -> tuple[Layout, Callable[[], Iterator[Record]]]:
    """Where the columns go, and the rows as often as wanted. BadInput names file, line and what is wrong."""
    try:
        file = _opened(path)
        plan = layout(file.header, fields, model is not None, str(path))
        seen = _look(file, plan)
    except (*BROKEN, UnicodeDecodeError, csv.Error) as error:
        raise _bad(path, error) from error
    cells, notes = [], list(plan.notes)
    for column, of in zip(plan.columns, seen, strict=True):
        cell, note = _cell(column, of, file.separator)
        cells.append(cell)
        notes += [f"{path}: {note}"] if note else []
    return plan._replace(notes=tuple(notes)), lambda: records(_typed(file, cells), plan, model)


def _bad(path: Path, error: Exception) -> BadInput:
    if isinstance(error, UnicodeDecodeError):
        return BadInput(f"{path}: is not {error.encoding}: byte {error.object[error.start]:#04x}; save it as UTF-8")
    return BadInput(f"{path}: {getattr(error, 'strerror', None) or error}")


def _text(path: Path, encoding: str) -> IO[str]:
    return io.TextIOWrapper(opened(path), encoding=encoding, newline="")


def _opened(path: Path) -> _File:
    encoding = "utf-8-sig"
    with _text(path, "latin-1") as text:
        if text.read(2) in ("\xff\xfe", "\xfe\xff"):  # What spreadsheets call Unicode.
            encoding = "utf-16"
    with _text(path, encoding) as text:
        line, before = text.readline(), 0
        said = SEP_LINE(line)
        while line.isspace() or (said and not before):
            line, before = text.readline(), before + 1
    if line.startswith("{"):
        raise BadInput(f"{path}: is JSON, no table: name it {path.stem}.jsonl")
    found = [_head(path, encoding, one, before) for one in (said[1] if said else SEPARATORS)]
    _, file = max(found, key=lambda one: one[0])
    if not any(file.header):
        raise BadInput(f"{path}: has no line of column names")
    return file


def _head(path: Path, encoding: str, separator: str, before: int) -> tuple[tuple[bool, int], _File]:
    """The file as it would be by that separator, and how much speaks for it."""
    with _text(path, encoding) as text:
        for _ in range(before):
            text.readline()
        reader = csv.reader(text, delimiter=separator, skipinitialspace=True)
        header, like = [name.strip() for name in next(reader, [])], False
        with suppress(csv.Error):  # Told with its line when the rows are read.
            like = all(len(_cut(row, len(header))) == len(header) for row in islice(reader, LOOK) if row)
    return (len(header) > 1 and like, len(header)), _File(path, encoding, separator, header, before)


def _cut(row: list[str], length: int) -> list[str]:
    """Without the empty cells behind the last column, as spreadsheets write them."""
    return row if any(row[length:]) else row[:length]


def _rows(file: _File) -> Iterator[tuple[int, list[str]]]:
    """With their lines, without the header and blank rows. BadInput for one of another length: no one knows what is
    missing.
    """
    with _text(file.path, file.encoding) as text:
        for _ in range(file.before):
            text.readline()
        reader = csv.reader(text, delimiter=file.separator, skipinitialspace=True, strict=True)
        try:
            next(reader, None)
            for row in reader:
                if not any(cell.strip() for cell in row):
                    continue
                line, cells = reader.line_num + file.before, _cut(row, len(file.header))
                if len(cells) != len(file.header):
                    told = f"{len(cells)} cells, the header has {len(file.header)}"
                    raise BadInput(f"{file.path}:{line}: {told} (separator {file.separator!r})")
                yield line, cells
        except csv.Error as error:
            told = f"{error}; is a quote not closed, or not doubled within a cell?"
            raise BadInput(f"{file.path}:{reader.line_num + file.before}: {told}") from error


def _look(file: _File, plan: Layout) -> list[_Seen]:
    """Through all cells: what they are is a matter of their column."""
    seen = [_Seen() for _ in file.header]
    wanted = [(n, seen[n]) for n, column in enumerate(plan.columns) if column is not None]
    for line, row in _rows(file):
        for n, of in wanted:
            if is_nothing(row[n]):
                of.empty += 1
            else:
                of.add(row[n].strip(), line)
    return seen


KINDS: dict[str, Callable[[str], str | None]] = {
    "boolean": lambda text: "" if text.lower() in BOOLEANS else None,
    "whole": lambda text: "" if WHOLE(text) else None,
    "number": lambda text: "" if is_number(text) else None,
    "point": lambda text: found.unit if (found := spelled(text, "point")) else None,
    "comma": lambda text: found.unit if (found := spelled(text, "comma")) else None,
}
"""By kind: the unit of a cell of that kind, mostly none; None for a cell that is not."""


def _cell(column: Column | None, seen: _Seen, separator: str) -> tuple[Cell, str]:
    """By the field where it says what it takes, else by what the cells of the column are; and what a person should know
    of it.
    """
    if column is None:
        return _nothing, ""
    if column.kind == "text":
        if seen.all_are("boolean") and column.field in TRUE_OR_FALSE:
            return _boolean, ""
        whole = seen.all_are("whole") and (column.field in NAMING or seen.empty > 0)
        return (_whole if whole else _as_text), ""
    if column.kind == "time":
        return (_number if seen.all_are("number") else _moment), ""
    for kind in ("number", "comma", "point") if separator != "," else ("number", "point"):
        if seen.most_are(kind):
            return _numbers(kind), _note(column, seen, kind)
    if column.kind == "number":
        return _numbers("number"), ""
    if seen.all_are("boolean"):
        return _boolean, ""
    numbers = max(seen.fits.get("point", 0), seen.fits.get("comma", 0))
    if seen.codes or 2 * numbers <= seen.filled:
        return _as_text, ""
    return _as_text, f"{column.name!r} is of texts, though {numbers:,} of {seen.filled:,} cells are like numbers"


def _note(column: Column, seen: _Seen, kind: str) -> str:
    odd, told = seen.filled - seen.fits[kind], []
    unit = "".join(seen.units.get(kind, ()))
    if unit or kind == "point":
        told = [f"read as numbers with a decimal {kind}" + (f" and {unit!r}" if unit else "") + PERCENT * (unit == "%")]
    if odd:
        told.append(f"{odd:,} of {seen.filled:,} cells are no numbers, the first in line {seen.odd[kind]}")
    return f"{column.name!r}: {'; '.join(told)}" if told else ""


def _nothing(text: str) -> None:
    return None


def _as_text(text: str) -> str | None:
    return text or None


def _moment(text: str) -> str | None:
    return None if is_nothing(text) else text.strip()


def _whole(text: str) -> str | None:
    return None if is_nothing(text) else text.strip().removesuffix(".0")


def _boolean(text: str) -> bool | None:
    return None if is_nothing(text) else BOOLEANS[text.strip().lower()]


def _number(text: str) -> float | int | None:
    return None if is_nothing(text) else number(text)


def _numbers(kind: str) -> Cell:
    """A text among numbers stays one: the decoder says what becomes of it."""

    def cell(text: str) -> Any:
        if is_nothing(text):
            return None
        if kind == "number":
            return number(text) if is_number(text) else text
        found = spelled(text, kind)
        return found.value if found else text

    return cell


def _typed(file: _File, cells: Sequence[Cell]) -> Iterator[list[Any]]:
    try:
        for _, row in _rows(file):
            yield [cell(text) for cell, text in zip(cells, row, strict=True)]
    except (*BROKEN, UnicodeDecodeError) as error:
        raise _bad(file.path, error) from error
