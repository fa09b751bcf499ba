"""Each shipped preset reads the shape it is for: every row is used, with features, label and time where it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas.events.batch import Batch, Record, number_of_event, text_of_event
from schemas.events.decoder import Decoder
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.offline.cost import estimate
from streamer.offline.event_files import EventFiles
from streamer.offline.presets import about, config_text, names, text_of

FIXTURES = Path(__file__).resolve().parents[1] / "presets"
TENURE, PLAN = "features.tenure", "features.plan"

WANTED: dict[str, tuple[int, str, dict[str, Any]]] = {
    # Preset: rows of the fixture, model, and of the events what they must have, in their order.
    "bentoml": (2, "my-model", {TENURE: [12, 3], PLAN: ["basic", "pro"], "prediction.label": ["stays", "leaves"]}),
    "cloudevents": (1, "churn", {TENURE: [12], "prediction.label": ["stays"], "caller": ["/gateway"]}),
    "cloudevents-binary": (1, "churn", {TENURE: [12], "prediction.label": ["stays"], "caller": ["/gateway"]}),
    "databricks": (2, "churn", {TENURE: [12, 3], "prediction.label": ["stays", "leaves"], "status": ["200", "200"]}),
    "kserve-logger": (4, "churn", {TENURE: [12, 3, None, None], "prediction.label": [None, None, "stays", "leaves"]}),
    "llm": (1, "large-2", {"features.total_tokens": [160], "prediction.label": ["stop"], "/cost": [0.0021]}),
    "mlserver": (2, "churn", {TENURE: [12, 3], PLAN: ["basic", "pro"]}),
    "open-inference-v2": (2, "churn", {TENURE: [12, 3], "prediction.label": ["stays", "leaves"]}),
    "sagemaker-capture": (2, "my-endpoint", {"features.0": [12, 3], "prediction.value": [0.25, 0.75]}),
    "seldon-core-2": (2, "churn_1", {"prediction.value": [0.25, 0.75]}),
    "triton": (2, "churn", {PLAN: ["basic", "pro"], "prediction.value": [0.25, 0.75]}),
}


def records(name: str) -> list[Record]:
    found = []
    for offset, line in enumerate((FIXTURES / f"{name}.jsonl").read_text().splitlines()):
        told = json.loads(line)
        headers = tuple((header, text.encode()) for header, text in told.get("headers", {}).items())
        found.append(Record(offset, 1_798_000_000_000, None, json.dumps(told["value"]).encode(), headers))
    return found


def column(batch: Batch, name: str) -> list[Any]:
    texts, numbers = text_of_event(batch, name), number_of_event(batch, name)
    return [
        batch.strings[text] if text >= 0 else None if np.isnan(number) else number
        for text, number in zip(texts.tolist(), numbers.tolist(), strict=True)
    ]


@pytest.mark.parametrize("name", names())
def test_every_row_of_its_shape_is_read(name: str) -> None:
    rows, model, wanted = WANTED[name]
    config = load_text(config_text(name, "b:1", "inferences"), f"{name}.yaml", {})
    for compiled in (True, False):
        batch = Decoder(fields_of(config), compiled)(records(name), "inferences")
        assert (batch.rejects, batch.odd, len(batch.offsets)) == ((), (), rows)
        assert [batch.strings[code] for code in batch.model.tolist()] == [model] * rows
        assert {path: column(batch, path) for path in wanted} == wanted
        assert len(set(batch.event_id.tolist())) == len(batch.event_id) - (name == "kserve-logger") * 2


def test_each_has_a_line_about_itself_and_a_fixture() -> None:
    assert set(names()) == set(WANTED) == {path.stem for path in FIXTURES.glob("*.jsonl")}
    for name in names():
        assert 20 < len(about(name)) < 140
        assert config_text(name, "h:1", "t").startswith(f"# {about(name)}\nversion: 1\nkafka:")
        assert "time_zone" in text_of(name) or name != "bentoml"


def test_without_a_preset_it_is_the_least_config() -> None:
    config = load_text(config_text(None, "h:9092", "mine"), "x", {})
    assert (config.kafka.brokers, config.topics.events) == ("h:9092", ["mine"])


ELSEWHERE = ("kserve-logger", "mlserver", "cloudevents", "cloudevents-binary")
"""Their fields are headers, which no line of a file has, or all fields there are, which no fixture has."""


@pytest.mark.parametrize("name", [name for name in names() if name not in ELSEWHERE])
def test_lint_finds_in_a_sample_what_the_mapping_makes_of_it(name: str, tmp_path: Path) -> None:
    config = load_text(config_text(name, "b:1", "inferences"), f"{name}.yaml", {})
    path = tmp_path / "e.jsonl"
    path.write_bytes(b"".join((record.value or b"") + b"\n" for record in records(name)))
    found = estimate(config, EventFiles((path,), config))
    places = [".".join(map(str, doubt.path)) for doubt in found.doubts if doubt.kind == "not-in-sample"]
    assert (found.account.used, places) == (WANTED[name][0], [])
