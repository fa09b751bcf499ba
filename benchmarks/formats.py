"""What each format costs to read: `python -m benchmarks.formats`. CPU per row of the decoder, mapping included, next to
json.loads of the records alone, which is where every script begins."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from schemas.events.batch import Record
from schemas.events.decoder import Decoder
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.offline.presets import config_text, names
from tests.offline.test_presets import records

ROWS = 40_000
QUICK = 20
BATCH = 500


def many(name: str, count: int) -> list[Record]:
    """The records of a preset's fixture again and again."""
    few = records(name)
    return [few[i % len(few)]._replace(offset=i) for i in range(count)]


def cost(name: str, rows: int) -> dict[str, Any]:
    """Rows that were read, of how many, and the CPU for each."""
    decode = Decoder(fields_of(load_text(config_text(name, "none:1", "events"), name, {})))
    each = len(decode(many(name, 10), "events").offsets) / 10
    log = many(name, round(rows / each))
    read = lost = 0
    began_s = time.process_time()
    for begin in range(0, len(log), BATCH):
        batch = decode(log[begin : begin + BATCH], "events")
        read, lost = read + len(batch.offsets), lost + len(batch.rejects)
    ours_s = time.process_time() - began_s
    began_s = time.process_time()
    for record in log:
        json.loads(record.value or b"")
    plain_s = time.process_time() - began_s
    return {
        "what": "format",
        "format": name,
        "records": len(log),
        "rows": read + lost,
        "rows_used": read,
        "us_per_row": ours_s / read * 1e6,
        "json_loads_us_per_row": plain_s / read * 1e6,
    }


def measure(brokers: str, quick: bool) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A row for each preset; no ratio, since json.loads reads nothing yet."""
    found = [cost(name, ROWS // (QUICK if quick else 1)) for name in names()]
    for one in found:
        shown = f"{one['us_per_row']:.2f} µs a row, json.loads alone {one['json_loads_us_per_row']:.2f}"
        print(f"{one['format']}: {one['rows_used']:,} of {one['rows']:,} rows, {shown}", file=sys.stderr, flush=True)
    return found, {}


if __name__ == "__main__":
    measure("", False)
