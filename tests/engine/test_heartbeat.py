"""Signs of life: one per model and tick, which add up, so that silence differs from health."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema

from schemas.events.batch import Record
from schemas.events.native_json import decode
from streamer.config.decoder_fields import fields_of
from streamer.port import Tick
from tests.monitors.life import AT, BEGIN_MS, CONFIG, Life

ROOT = Path(__file__).resolve().parents[2]


SCHEMA = jsonschema.Draft202012Validator(json.loads((ROOT / "schemas" / "heartbeat.v1.json").read_text()))


def test_every_model_gives_a_sign_of_life_that_adds_up() -> None:
    life = Life()
    life.task.step(decode([Record(0, BEGIN_MS, None, b"{")], fields_of(CONFIG), AT[0]))
    life.task.tick(Tick(1, BEGIN_MS, caught_up=False))
    [alone] = life.beats()
    assert (alone["subject"], alone["data"]["model"], alone["data"]["offset"]) == ("partition", None, 1)
    life.task.published()
    life.offset = 1
    life.minute("app", "batch")
    [beat] = life.beats()
    for record in (alone, beat):
        SCHEMA.validate(record)
    data = beat["data"]
    assert sum(data["account"].values()) == data["offset"] == 41
    assert (data["events"], data["tick"]["number"]) == (40, 2)
    assert beat["id"] == "inferences-0-2-fraud"
