"""Labels that stop: missed while inferences go on, by the cadence that they have, and not where they are late by habit.

Ten seeds and the weekly cadence by DRIFTLINE_REPETITIONS, else one seed. A model that breathes, with labels at once, by
night or once a week; until they stop it is its own healthy twin.
"""

from __future__ import annotations

import json
import os
import random
from typing import Any

import pytest

from schemas.events.batch import Record
from schemas.events.decoder import Decoder
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.engines import ENGINE, PYTHON, Engine
from streamer.engine.task import Task
from streamer.port import Tick
from streamer.series.label_presence import LabelPresence
from tests.engine.tasks import AT, LEAST

LONG = bool(os.environ.get("DRIFTLINE_REPETITIONS"))
SEEDS = range(10 if LONG else 1)
TURN_S, BEGIN_S = 3 * 3600, 1_767_225_600
A_DAY = 8
"""Turns."""
TEXT = LEAST + "labels: {}\nheartbeat: {interval: 1h}\nstandard: true\n"
ALONE = (
    LEAST
    + """labels: {}
heartbeat: {interval: 1h}
monitors: {no-labels: {signal: labels, detect: {kind: silence, days: true}, keep_firing_for: 0s}}
"""
)
PLAIN = ALONE.replace("days: true", "after: 6h")
CADENCE = {"at once": 1, "nightly": A_DAY, "weekly": 7 * A_DAY}


def lived(
    seed: int,
    every: int,
    days: int,
    stops: int = 10_000,
    gone: int = 10_000,
    text: str = ALONE,
    engine: Engine = ENGINE,
) -> list[tuple[str, int]]:
    """What `no-labels` told, with the day. Labels stop after the day `stops`, the model itself after `gone`."""
    config, rng = load_text(text, "x", {}), random.Random(seed)
    task, decoder, offset = Task(config, AT, 0, engine=engine), Decoder(fields_of(config)), 0
    waiting, told, made = list[str](), list[tuple[str, int]](), 0
    for turn in range(A_DAY * days):
        at_s, records = BEGIN_S + turn * TURN_S, list[dict[str, Any]]()
        busy = 6 if 3 <= turn % A_DAY < 7 else 2
        for _ in range(rng.randrange(busy) + 1 if turn < gone * A_DAY else 0):
            event = {"model": "m", "time": at_s, "event_id": f"e{made}", "prediction": {"label": "yes"}}
            waiting.append(f"e{made}")
            records.append({**event, "features": {"a": rng.gauss(0, 1)}})
            made += 1
        # A batch takes now a little longer, now less, and of those that come at once one in thirty does not come.
        late = random.Random(seed * 1000 + turn // every).randrange(3) if every > 3 else 0
        if turn % every == late and turn < stops * A_DAY and (every > 3 or rng.random() > 0.03):
            records += [
                {"model": "m", "time": at_s, "label": {"event_id": name, "value": "yes"}} for name in waiting[:-3]
            ]
            waiting = waiting[-3:]
        texts = [Record(offset + i, at_s * 1000, None, json.dumps(one).encode()) for i, one in enumerate(records)]
        offset += len(texts)
        if texts:
            task.step(decoder(texts, AT[0]))
        for tick_s in range(at_s + 3599, at_s + TURN_S, 3600):
            task.tick(Tick(offset, tick_s * 1000, caught_up=True))
        for out in task.outbox:
            one = json.loads(out.value or b"") if out.topic == "alerts" else {}
            record = one.get("data", {})
            fresh = one.get("sequence", "").lstrip("0") == "1" or record.get("status") == "resolved"
            if fresh and record.get("alert", {}).get("labels", {}).get("monitor") == "no-labels":
                told.append((record["status"], turn // A_DAY))
                if record["status"] == "firing":
                    assert "no labels for " in record["sentence"]
                    assert ", while inferences go on" in record["sentence"]
        task.published()
    return told


@pytest.mark.parametrize("cadence", CADENCE if LONG else ["at once", "nightly"])
def test_labels_that_stop_are_missed_and_those_that_are_late_by_habit_are_not(cadence: str) -> None:
    every = CADENCE[cadence]
    stops, quick = {1: (20, 1), A_DAY: (24, 4), 7 * A_DAY: (64, 21)}[every]
    for seed in SEEDS:
        [(status, day)] = lived(seed, every, stops + quick + 1, stops)
        assert (status, stops <= day <= stops + quick) == ("firing", True), f"{cadence} {seed}: {day}"


def test_in_school_a_batch_is_no_cadence_and_a_model_that_is_asked_nothing_is_not_missed_by_its_labels() -> None:
    assert lived(1, 7 * A_DAY, 20) == []
    assert lived(1, 1, 30, gone=20) == []


def test_without_days_they_are_missed_after_so_long_while_there_are_inferences() -> None:
    assert lived(1, 1, 4, stops=3, text=PLAIN) == [("firing", 3)]
    assert lived(1, 1, 4, stops=3, gone=3, text=PLAIN) == [], "nobody asks the model anything, so no label is missing"
    assert lived(1, 1, 4, stops=3, text=PLAIN, engine=PYTHON) == [("firing", 3)]


def test_it_is_of_the_standard_set_where_there_are_labels_and_so_is_their_delay() -> None:
    monitors = load_text(TEXT, "x", {}).effective_monitors()
    assert (monitors["no-labels"].signal, monitors["label-delay"].signal) == ("labels", "label_delay")
    assert not {"no-labels", "label-delay"} & {*load_text(LEAST, "x", {}).effective_monitors()}


def test_what_it_counts_beside_labels_are_inferences_whatever_the_cutting() -> None:
    config = load_text(ALONE, "x", {})
    events = [{"event_id": f"e{i}", "features": {"a": 1.0}} for i in range(9)]
    events[4:4] = [{"label": {"event_id": "e1", "value": "no"}}, {"label": {"event_id": "e2", "value": "no"}}]
    texts = [json.dumps({"model": "m", "time": BEGIN_S + i, **one}).encode() for i, one in enumerate(events)]
    found = []
    for size in (1, 2, 5, 11):
        task, decoder = Task(config, AT, 0), Decoder(fields_of(config))
        records = [Record(i, 0, None, text) for i, text in enumerate(texts)]
        for begin in range(0, len(records), size):
            task.step(decoder(records[begin : begin + size], AT[0]))
        [source] = [one for one in task.sources.values() if isinstance(one, LabelPresence)]
        assert source.gap(0, "m")[1] == 5.0
        found.append(task.dump())
    assert len({*found}) == 1
