"""Bins: their names, which of them moved most, and the histogram that windows are published with."""

from __future__ import annotations

import json
import random
from typing import Any

import jsonschema
import numpy as np
import pytest

from schemas.events.batch import Record
from schemas.events.native_json import decode
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.task import Task
from streamer.monitors.histogram import BINS_TOLD, bin_names, histogram, moved
from tests.config.samples import ROOT

WATCHED = """
version: 1
kafka: {brokers: "b:1"}
topics: {events: [in]%s}
reference: {warmup: 100}
monitors:
  bins: {signal: features.*, window: {events: 200}, detect: {kind: distribution}}
  kinds: {signal: category.*, window: {events: 200}, detect: {kind: distribution}}
"""


def records(windows: str) -> list[dict[str, Any]]:
    """Of a number that doubles, and of a category that becomes another one."""
    config, rng = load_text(WATCHED % windows, "x", {}), random.Random(2)
    task = Task(config, ("in", 0), 0)
    told = [
        {"model": "m", "time": 1_700_000_000 + i, "features": {"a": rng.random() * (1 + i // 600), "c": "xy"[i // 600]}}
        for i in range(1000)
    ]
    log = [Record(i, -1, None, json.dumps(one).encode()) for i, one in enumerate(told)]
    task.step(decode(log, fields_of(config), "in"))
    return [json.loads(out.value) for out in task.outbox if out.value is not None]


def test_windows_are_published_with_all_bins_and_alerts_are_not() -> None:
    schema = json.loads((ROOT / "schemas" / "window.v1.json").read_text())
    found = records(", windows: drift-windows")
    windows = [one for one in found if one["type"] == "io.driftline.window.v1"]
    for one in windows:
        jsonschema.validate(one, schema)
    newest = {one["data"]["labels"]["signal"]: one["data"]["window"]["histogram"] for one in windows}
    number, text = newest["features.a"], newest["category.c"]
    assert len(number["bins"]) == len(number["before"]) == len(number["after"]) == 10
    assert sum(number["before"]) == pytest.approx(1) == sum(number["after"])
    assert number["after"][-1] > 0.4 > 0.2 > number["before"][-1], "half of it lies where a tenth lay"
    assert dict(zip(text["bins"], text["after"], strict=True)) == {"x": 0.0, "other": 1.0}
    alerts = [one for one in found if one["type"].startswith("io.driftline.alert")]
    assert alerts
    assert "histogram" not in json.dumps(alerts)
    assert alerts == [one for one in records("") if one["type"].startswith("io.driftline.alert")]


def test_a_histogram_that_nobody_could_read_is_not_told() -> None:
    shares = np.full(BINS_TOLD + 1, 1 / (BINS_TOLD + 1))
    assert histogram(["x"] * len(shares), shares, shares) is None
    told = histogram(["x"] * BINS_TOLD, shares[1:], shares[1:])
    assert told is not None
    assert told["before"][0] == 0.0154


@pytest.mark.parametrize(
    ("edges", "names"),
    [
        ([], ["all values"]),
        ([3.0], ["below 3", "from 3 on"]),
        ([1.0, 12345.678], ["below 1", "1 to 1.235e+04", "from 1.235e+04 on"]),
    ],
)
def test_bins_have_names(edges: list[float], names: list[str]) -> None:
    assert bin_names(edges) == names


def test_what_moved_most_comes_first_and_ties_stay_in_their_order() -> None:
    before, after = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.3, 0.4, 0.15, 0.15])
    assert moved(list("abcd"), before, after) == [
        {"bin": "a", "before": 0.4, "after": 0.3},
        {"bin": "b", "before": 0.3, "after": 0.4},
        {"bin": "d", "before": 0.1, "after": 0.15},  # As large as that of c, but d was rarer.
    ]
