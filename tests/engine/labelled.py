"""Inferences with a confidence, and their labels an hour later, of which the truth is known: healthy until the middle,
then with other inputs or with another relation of inputs to outcomes.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from schemas.events.batch import Record
from schemas.events.decoder import Decoder
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.engine.engines import ENGINE, Engine
from streamer.engine.task import Task
from streamer.port import Tick
from tests.engine.tasks import AT, LEAST

BEGIN_S = 1_767_225_600
STEP_S, DELAY = 30, 120
FIRST = int(os.environ.get("DRIFTLINE_FIRST_SEED", "1"))
SEEDS = range(FIRST, FIRST + (10 if "DRIFTLINE_REPETITIONS" in os.environ else 2))
MONITORS = """
heartbeat: {interval: 1h}
false_alarms: {budget: 0.02}
monitors:
  gap: {signal: realised_error, detect: {kind: gap}}
  of-country: {signal: realised_error, by: [segment.country], detect: {kind: gap}}
  estimate: {signal: estimated_error, detect: {kind: adwin, delta: 0.00001}}
"""


@dataclass
class Outcome:
    """What a task told, record by record: their `data`."""

    task: Task
    alerts: list[dict[str, Any]]
    windows: list[dict[str, Any]]

    def fired(self) -> list[tuple[str, str, str]]:
        """Monitor, country and direction of each alert that opened."""
        found = [one for one in self.alerts if one["status"] == "firing" and one["sequence"] == 1]
        labels = [one["alert"]["labels"] for one in found]
        return [
            (by["monitor"], by.get("segment_country", ""), one["direction"])
            for by, one in zip(labels, found, strict=True)
        ]

    def holding(self, *by: str) -> list[dict[str, Any]]:
        """The newest version of each window of these groups."""
        newest = {(str(one["labels"]), one["window"]["from"]): one for one in self.windows if one["by"] == list(by)}
        return list(newest.values())


def config_of(monitors: str = MONITORS, labels: str = "{ttl: 1d, window: 1h}") -> Config:
    return load_text(
        LEAST.replace("[inferences]}", "[inferences], windows: w}") + f"labels: {labels}\n{monitors}", "x", {}
    )


def stream(seed: int, count: int, change: str = "") -> list[dict[str, Any]]:
    """`inputs`: confidence falls, and errors rise with it; `relation`: 2.5 times as many in NL at each confidence."""
    rng, events, labels = np.random.default_rng(seed), list[dict[str, Any]](), list[dict[str, Any]]()
    for i in range(count):
        after, time_s, country = i >= count // 2, BEGIN_S + i * STEP_S, "NL" if i % 2 else "DE"
        confidence = 1 / (1 + np.exp(-rng.normal(1.2 if after and change == "inputs" else 2.2, 1.2)))
        more = 2.5 if after and change == "relation" and country == "NL" else 1.0
        said = "yes" if rng.random() < (0.5 if country == "NL" else 0.2) else "no"
        wrong = rng.random() < more * (1 - confidence)
        truth = said if not wrong else "yes" if said == "no" else "no"
        prediction = {"label": said, "confidence": float(confidence)}
        own = {"model": "m", "time": time_s}
        events.append({**own, "event_id": f"e{i}", "segment": {"country": country}, "prediction": prediction})
        labels.append({"model": "m", "label": {"event_id": f"e{i}", "value": truth}})
        if i >= DELAY:
            events.append({**labels[i - DELAY], "time": time_s})
    return events


def lived(
    config: Config,
    events: Sequence[dict[str, Any]],
    cuts: Sequence[int] = (),
    engine: Engine = ENGINE,
    every: int = 240,
) -> Outcome:
    """A tick every so many records; batches end there, and at the cuts, where the task is loaded anew."""
    log = [Record(i, int(one["time"] * 1000), None, json.dumps(one).encode()) for i, one in enumerate(events)]
    task, decoder = Task(config, AT, 0, engine=engine), Decoder(fields_of(config))
    alerts, windows, begin = list[dict[str, Any]](), list[dict[str, Any]](), 0
    for end in sorted({*cuts, *range(every, len(log), every), len(log)}):
        task.step(decoder(log[begin:end], AT[0]))
        if end % every == 0 or end == len(log):
            task.tick(Tick(end, int(events[end - 1]["time"] * 1000), True))
        for out in task.outbox:
            record = json.loads(out.value or b"")
            if out.topic == "alerts":
                alerts.append({**record["data"], "sequence": int(record["sequence"])})
            elif out.topic == "windows" and "performance" in record["type"]:
                windows.append(record["data"])
        task.published()
        if end in cuts:
            task = Task.load(config, AT, task.dump(), engine)
        begin = end
    return Outcome(task, alerts, windows)


def some_cuts(seed: int, length: int, count: int = 60) -> list[int]:
    return sorted(random.Random(seed).sample(range(1, length), count))
