"""Records of performance, one for each window that a tick tells."""

from __future__ import annotations

import json

import numpy as np

from streamer.alerts.performance_record import performance_records
from streamer.config.load import load_text
from streamer.series.calibrations import Calibrations
from streamer.series.labels import Labels
from streamer.series.performance import Performance
from tests.series.test_performance import HEAD, SCHEMA, said_by

CONFIG = load_text(f"{HEAD}labels: {{}}\n", "x", {})


def test_a_record_has_the_labels_that_alerts_have() -> None:
    labels = Labels(1000, 10, ("version", "segment.country"), 5)
    assert list(performance_records(CONFIG, ("t", 1), labels, 7)) == [], "nobody asks for it"
    labels.performance = told = Performance(100, 1000, 10, labels.by, [(), ("version", "segment.country")])
    told.expect({0: ("m", "7", "NL")}, np.zeros(1, np.int64), np.array([50]), said_by(1))
    told.windows[0]["m", "7", "NL"].sums[1] = 1
    labels.clock_ms, labels.calibrations = 100, Calibrations(labels.by, told.splits)
    found = list(performance_records(CONFIG, ("t", 1), labels, 7, 2))
    data = [json.loads(out.value or b"") for out in found]
    for one in data:
        SCHEMA.validate(one)
    assert [out.topic for out in found] == ["windows", "windows"]
    assert [one["data"]["labels"] for one in data] == [
        {"model": "m"}, {"model": "m", "model_version": "7", "segment_country": "NL"}
    ]  # fmt: skip
    assert data[0]["id"].startswith("t~2-1-")
