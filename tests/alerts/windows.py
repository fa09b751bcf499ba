"""What tests of windows share: the records of those that ended, each as its schema has it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

from streamer.port import Out

ROOT = Path(__file__).resolve().parents[2]


SCHEMA = jsonschema.Draft202012Validator(json.loads((ROOT / "schemas" / "window.v1.json").read_text()))


AT = ("inferences", 0)


BEGIN_MS = 1_700_000_040_000


def told(outs: list[Out]) -> list[dict[str, Any]]:
    found = [json.loads(out.value or b"") for out in outs if out.topic == "windows"]
    for record in found:
        SCHEMA.validate(record)
    return [record["data"] for record in found]
