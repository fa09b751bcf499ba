"""Events in files: JSON lines, or the rows of a CSV or Parquet table whose columns are named by their place."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from schemas.events.batch import Record
from streamer.config import model as cfg
from streamer.offline.replay import CHUNK, BadInput, read_lines
from streamer.port import Partition


def read_events(
    inputs: tuple[Path, ...], config: cfg.Config, model: str | None = None
) -> Iterator[tuple[Partition, list[Record]]]:
    """The events of each file as those of a partition; BadInput for a file that cannot be read."""
    for number, path in enumerate(inputs):
        partition = config.topics.events[0], number
        if path.suffix not in (".csv", ".parquet"):
            for records in read_lines(path, config.limits.message_bytes):
                yield partition, records
            continue
        chunk: list[Record] = []
        for offset, row in enumerate(_rows(path)):
            chunk.append(Record(offset, -1, None, orjson.dumps(_event(row, model))))
            if len(chunk) == CHUNK:
                yield partition, chunk
                chunk = []
        yield partition, chunk


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        if path.suffix == ".csv":
            with path.open(newline="", encoding="utf-8") as handle:
                for row in csv.DictReader(handle):
                    yield {name: _value(text) for name, text in row.items() if name}
            return
        try:
            from pyarrow import parquet
        except ImportError:
            raise BadInput(f"{path}: reading Parquet needs pyarrow: pip install 'driftline[parquet]'") from None
        for batch in parquet.ParquetFile(path).iter_batches():
            yield from batch.to_pylist()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path}: {getattr(error, 'strerror', None) or error}") from error


def _value(text: str | None) -> Any:
    """A cell of a CSV: nothing, a number, or a text."""
    if text is None or text == "":
        return None
    try:
        number = float(text)
    except ValueError:
        return text
    return number if number - number == 0 else None


def _event(row: dict[str, Any], model: str | None) -> dict[str, Any]:
    """`features.amount` becomes {"features": {"amount": ...}}."""
    event: dict[str, Any] = {} if model is None else {"model": model}
    for name, value in row.items():
        *above, last = name.split(".")
        place = event
        for part in above:
            place = place.setdefault(part, {})
        place[last] = str(value) if name in ("model", "model_version", "event_id") and value is not None else value
    return event
