"""A table of text: its separator, its columns, and cells that are typed by their column, never each by itself."""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from schemas.events.batch import Record
from schemas.events.codecs import NUMBER, number_of
from schemas.events.fields import Fields
from streamer.offline.columns import NAMING, Column, Layout, layout, records
from streamer.offline.replay import BadInput

SEPARATORS = ",;\t|"
ABSENT = frozenset("|NA|N/A|n/a|NaN|nan|-NaN|-nan|null|NULL|None|#N/A|#NA|<NA>|NaT".split("|"))
"""What stands for nothing among numbers and booleans; among texts only the empty cell does."""
BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
INFINITE = frozenset(("inf", "Inf", "Infinity", "+inf", "-inf", "-Inf", "-Infinity"))
COMMA = re.compile(r"[+-]?(?:0|[1-9]\d*)(?:,\d+)?").fullmatch
"""A number where the comma is the decimal point: only in tables whose separator is another."""
WHOLE = re.compile(r"-?(?:0|[1-9]\d*)\.0").fullmatch

Cell = Callable[[str], Any]


class _File(NamedTuple):
    path: Path
    encoding: str
    separator: str
    header: list[str]


def read_csv(path: Path, fields: Fields, model: str | None) -> tuple[Layout, Callable[[], Iterator[Record]]]:
    """Where the columns go, and the rows as often as wanted. BadInput names file, line and what is wrong."""
    try:
        file = _opened(path)
        plan = layout(file.header, fields, model is not None, str(path))
        cells = _cells(file, plan)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise _bad(path, error) from error
    return plan, lambda: records(_typed(file, cells), plan, model)


def _bad(path: Path, error: Exception) -> BadInput:
    if isinstance(error, UnicodeDecodeError):
        return BadInput(f"{path}: is not {error.encoding}: byte {error.object[error.start]:#04x}; save it as UTF-8")
    return BadInput(f"{path}: {getattr(error, 'strerror', None) or error}")


def _text(path: Path, encoding: str) -> IO[str]:
    if path.suffix.lower() == ".gz":
        return cast("IO[str]", gzip.open(path, "rt", encoding=encoding, newline=""))
    return path.open(encoding=encoding, newline="")


def _opened(path: Path) -> _File:
    encoding = "utf-8-sig"
    with _text(path, "latin-1") as text:
        if text.read(2) in ("\xff\xfe", "\xfe\xff"):  # What spreadsheets call Unicode.
            encoding = "utf-16"
    with _text(path, encoding) as text:
        first = text.readline()
    separator = max(SEPARATORS, key=lambda one: len(next(csv.reader([first], delimiter=one), [])))
    header = [name.strip() for name in next(csv.reader([first], delimiter=separator, skipinitialspace=True), [])]
    if not any(header):
        raise BadInput(f"{path}: has no line of column names")
    return _File(path, encoding, separator, header)


def _rows(file: _File) -> Iterator[list[str]]:
    """Without the header and blank lines; a row of another length is an error, since no one knows what is missing."""
    with _text(file.path, file.encoding) as text:
        reader = csv.reader(text, delimiter=file.separator, skipinitialspace=True)
        next(reader, None)
        for row in reader:
            if not row:
                continue
            if len(row) != len(file.header):
                told = f"{len(row)} cells, the header has {len(file.header)}"
                raise BadInput(f"{file.path}:{reader.line_num}: {told} (separator {file.separator!r})")
            yield row


def _cells(file: _File, plan: Layout) -> list[Cell]:
    """What to make of each column's cells, once all of them have been seen."""
    seen = [dict.fromkeys(FITS, True) for _ in file.header]
    filled = [False] * len(file.header)
    wanted = [number for number, column in enumerate(plan.columns) if column is not None]
    for row in _rows(file):
        for number in wanted:
            text = row[number]
            if text in ABSENT:
                continue
            filled[number] = True
            fits = seen[number]
            for kind in [kind for kind, still in fits.items() if still]:
                fits[kind] = FITS[kind](text)
    return [
        _cell(column, {kind: still and filled[n] for kind, still in seen[n].items()}, file.separator)
        for n, column in enumerate(plan.columns)
    ]


FITS: dict[str, Callable[[str], bool]] = {
    "boolean": BOOLEANS.__contains__,
    "whole": lambda text: WHOLE(text) is not None,
    "number": lambda text: NUMBER(text) is not None or text in INFINITE,
    "comma": lambda text: COMMA(text) is not None,
}


def _cell(column: Column | None, fits: dict[str, bool], separator: str) -> Cell:
    """By the field where it says what it takes, else by what all cells of the column are."""
    if column is None:
        return _nothing
    if column.kind == "text":
        return _whole if column.field in NAMING and fits["whole"] else _as_text
    if column.kind == "time":
        return _number if fits["number"] else _as_text
    if fits["number"]:
        return _number
    if fits["comma"] and separator != ",":
        return _comma
    if column.kind == "number":
        return _number_or_text
    return _boolean if fits["boolean"] else _as_text


def _nothing(text: str) -> None:
    return None


def _as_text(text: str) -> str | None:
    return text or None


def _whole(text: str) -> str | None:
    return None if text in ABSENT else text.removesuffix(".0")


def _boolean(text: str) -> bool | None:
    return None if text in ABSENT else BOOLEANS[text]


def _number(text: str) -> float | int | None:
    if text in ABSENT:
        return None
    return number_of(text)


def _comma(text: str) -> float | int | None:
    return _number(text.replace(",", "."))


def _number_or_text(text: str) -> Any:
    """A text among numbers stays one: the decoder says what becomes of it."""
    return _number(text) if text in ABSENT or FITS["number"](text) else text


def _typed(file: _File, cells: Sequence[Cell]) -> Iterator[list[Any]]:
    try:
        for row in _rows(file):
            yield [cell(text) for cell, text in zip(cells, row, strict=True)]
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise _bad(file.path, error) from error
