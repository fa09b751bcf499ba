"""Every companion answers every question, and goes on from what it dumped."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.events.native_json import decode
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine import snapshot
from streamer.engine.beside import BESIDE
from streamer.engine.companion import Beside, Seen
from streamer.engine.task import Task
from streamer.review.alarms import Shown
from tests.engine.tasks import AT, LEAST, events

SECTIONS = "labels: {}\nverdicts: {topic: said}\nreview: {topic: asked, audit: {}}\ncontrol: {topic: steer}\n"
CONFIG = load_text(LEAST + SECTIONS + "false_alarms: {learn: apply}\n", "x", {})
EVENTS = events(lambda i: {"event_id": f"e{i}", "prediction": {"label": "a", "confidence": 0.5}}, 20)


@pytest.mark.parametrize("name", BESIDE)
def test_each_answers_every_question_and_goes_on_from_its_dump(name: str) -> None:
    batch = decode(EVENTS, fields_of(CONFIG), AT[0])
    seen = Seen(batch, np.ones(20, bool), batch.times_ms, batch.times_ms)
    one, again = (Task(CONFIG, AT, 0).beside[name] for _ in "ab")
    told = [*one.take(seen), *one.judged(seen, Shown([], np.full(20, np.nan))), *one.tick(20, 1_800_000_000_000)]
    assert {out.topic for out in told} <= {"windows", "review", "alerts"}
    one.heard([])
    assert all(counter.value >= 0 for counter in one.counters("in"))
    again.load(snapshot.decode(snapshot.encode({"one": one.dump()}))["one"])
    assert snapshot.encode({"one": again.dump()}) == snapshot.encode({"one": one.dump()})
    asked: list[Beside] = [one]
    assert asked
