"""A config with monitors of every kind that needs references, events for them, and the command that builds a file."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from streamer.commands.reference import reference
from streamer.config.load import load_config
from streamer.config.model import Config

CONFIG = """
version: 1
kafka: {brokers: "b:1"}
topics: {events: [inferences]}
reference: {warmup: 400, windows: 30REFERENCE}
monitors:
  mean: {signal: features.*, detect: {kind: adwin}}
  shape: {signal: features.*, window: {events: 200}, detect: {kind: distribution}}
  mix: {signal: category.*, by: [version], window: {events: 200}, detect: {kind: distribution}}
  share: {signal: label.*, detect: {kind: adwin}}
  slow: {signal: p95(latency_ms), detect: {kind: level, against: reference, direction: up}}
"""


def event(rng: random.Random, i: int, shift: float = 0.0, country: str = "") -> dict[str, Any]:
    return {
        "model": "fraud",
        "model_version": "7",
        "time": 1_767_225_600 + i,
        "features": {"amount": rng.gauss(100 + shift, 20), "country": country or rng.choice(["NL", "DE"])},
        "prediction": {"label": rng.choice(["y", "n"])},
        "latency_ms": rng.gammavariate(4, 3),
    }


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(reference, [str(argument) for argument in arguments])


def configured(folder: Path, reference_file: str = "") -> Config:
    path = folder / f"drift{len(reference_file)}.yaml"
    path.write_text(CONFIG.replace("REFERENCE", f", file: {reference_file}" if reference_file else ""))
    return load_config(path, {})


def build(folder: Path) -> Path:
    """The folder, with a file of references in it."""
    rng = random.Random(1)
    (folder / "good.jsonl").write_text("".join(json.dumps(event(rng, i)) + "\n" for i in range(3000)))
    configured(folder)
    result = invoke("build", "-c", folder / "drift0.yaml", "--input", folder / "good.jsonl", "-o", folder / "ref.json")
    assert result.exit_code == 0, result.output
    assert "Add to the config:  reference: {file: ref.json}" in result.stderr
    return folder
