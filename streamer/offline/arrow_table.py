"""A Parquet file, or a frame of pandas, polars or whatever speaks the Arrow interface, as events by its own types."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from schemas.events.batch import Record
from schemas.events.fields import Fields
from streamer.offline.columns import Column, Layout, layout, records
from streamer.offline.replay import BadInput

NEEDS = "needs pyarrow: pip install 'driftline[tables]'"


def read_parquet(path: Path, fields: Fields, model: str | None) -> tuple[Layout, Callable[[], Iterator[Record]]]:
    """Where the columns go, and the rows as often as wanted. BadInput names file, column and what is wrong."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise BadInput(f"{path}: reading Parquet {NEEDS}") from None
    try:
        names = parquet.ParquetFile(path).schema_arrow.names
    except (OSError, pyarrow.ArrowException) as error:
        raise BadInput(f"{path}: {_line(error)}") from error

    def batches() -> Iterator[Any]:
        try:
            yield from parquet.ParquetFile(path).iter_batches()
        except (OSError, pyarrow.ArrowException) as error:
            raise BadInput(f"{path}: {_line(error)}") from error

    plan = layout(names, fields, model is not None, str(path))
    naive = _naive(fields)
    return plan, lambda: records(_rows(batches, plan, str(path), naive), plan, model)


def read_frame(frame: Any, fields: Fields, model: str | None = None, name: str = "the frame") -> Iterator[Record]:
    """The rows of a frame. BadInput for what has no Arrow interface, and names the column that cannot be read."""
    try:
        import pyarrow
    except ImportError:
        raise BadInput(f"reading a frame {NEEDS}") from None
    try:
        table = pyarrow.table(frame)
    except (TypeError, ValueError, pyarrow.ArrowException) as error:
        raise BadInput(f"{name}: {_line(error)}") from error
    plan = layout(table.column_names, fields, model is not None, name)
    return records(_rows(lambda: iter(table.to_batches()), plan, name, _naive(fields)), plan, model)


def _naive(fields: Fields) -> str:
    """What stands behind a time without a zone: UTC, as Arrow counts it, or nothing where the config names the zone of
    such times.
    """
    return "Z" if fields.reading.zone is None else ""


def _line(error: Exception) -> str:
    return " ".join((getattr(error, "strerror", None) or str(error)).split())


def _rows(batches: Callable[[], Iterator[Any]], plan: Layout, table: str, naive: str) -> Iterator[Sequence[Any]]:
    whole = _whole(batches, plan)
    for batch in batches():
        columns = [
            [None] * batch.num_rows if column is None else _column(batch.column(n), column, (n in whole, naive), table)
            for n, column in enumerate(plan.columns)
        ]
        yield from zip(*columns, strict=True)


def _whole(batches: Callable[[], Iterator[Any]], plan: Layout) -> set[int]:
    """Floats among texts that are whole numbers everywhere: what a nullable column of integers becomes in pandas."""
    import pyarrow.compute as pc
    from pyarrow import types

    found: set[int] | None = None
    for batch in batches():
        if found is None:
            found = {
                n
                for n, column in enumerate(plan.columns)
                if column is not None and column.kind == "text" and types.is_floating(batch.schema.field(n).type)
            }
        found = {n for n in found if pc.all(pc.equal(pc.round(batch.column(n)), batch.column(n))).as_py() is not False}
        if not found:
            return set()
    return found or set()


def _column(array: Any, column: Column, told: tuple[bool, str], table: str) -> list[Any]:
    import pyarrow
    from pyarrow import types

    of = array.type
    if isinstance(of, pyarrow.ExtensionType) and not of.extension_name.startswith("arrow."):
        array, of = array.storage, of.storage_type  # Of others Python's values are what they mean, as of a UUID.
    if types.is_timestamp(of) and of.unit == "ns":  # Python's times end at microseconds.
        array = array.cast(pyarrow.timestamp("us", of.tz), safe=False)
    elif types.is_duration(of) and of.unit == "ns":
        array = array.cast(pyarrow.duration("us"), safe=False)
    try:
        if isinstance(of, pyarrow.ExtensionType) and of.extension_name == "arrow.uuid":
            return [value and str(value) for value in array.to_pylist()]
        values: list[Any] = array.to_pylist(maps_as_pydicts="lossy")
        if types.is_integer(of) or types.is_boolean(of) or types.is_string(of) or types.is_large_string(of):
            return values
        return [value if value is None else _plain(value, column, told) for value in values]
    except (TypeError, ValueError, OverflowError, pyarrow.ArrowException) as error:
        raise BadInput(f"{table}: column {column.name!r} of {of}: {_line(error)}") from error


def _plain(value: Any, column: Column, told: tuple[bool, str]) -> Any:
    """A value as JSON has it. What is a length of time counts in seconds, a latency in milliseconds. `told`: whether
    all floats of the column are whole, and what stands behind a time without a zone.
    """
    kind, (whole, naive) = type(value), told
    if kind is float:
        if value != value:
            return None
        return int(value) if whole and value.is_integer() else value
    if kind is dict:
        return {str(name): _plain(inner, column, told) for name, inner in value.items()}
    if kind is list:
        return [_plain(inner, column, told) for inner in value]
    if kind is date and column.field == "time":
        return f"{value.isoformat()}T00:00:00{naive}"
    if column.field == "time" and isinstance(value, datetime) and value.tzinfo is None:
        return f"{value.isoformat()}{naive}"
    if kind is Decimal and column.kind == "text" and value == value.to_integral_value():
        return _number(value.to_integral_value())
    for known, made in MADE.items():
        if isinstance(value, known):
            return made(value) * (1000 if known is timedelta and column.field == "latency_ms" else 1)
    return value


def _moment(value: datetime) -> str:
    """That of an event stands by itself; any other without a zone is taken for UTC, as Arrow counts it."""
    text = value.isoformat()
    return text if value.tzinfo else f"{text}Z"


def _number(value: Decimal) -> float | int | str:
    """One without places behind the point may be an id: not even one of 30 digits is rounded."""
    if value.as_tuple().exponent != 0:
        return float(value)
    return int(value) if abs(value) < 2**63 else str(value)


def _text(value: bytes) -> str:
    """As base64 where they are no text, as Avro's are."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return b64encode(value).decode()


MADE: dict[type, Callable[[Any], Any]] = {
    Decimal: _number,
    bytes: _text,
    datetime: _moment,
    date: date.isoformat,
    time: time.isoformat,
    timedelta: timedelta.total_seconds,
}
