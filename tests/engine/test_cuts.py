"""However the log is cut into batches, and wherever a snapshot is taken up: the same alerts, the same bytes."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events.batch import Record
from schemas.events.native_json import decode
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.engine.task import Task
from tests.engine.tasks import AT, LEAST, by_topic, run
from tests.sim.campaign import CONFIG, make_log


@cache
def at_once(seed: int) -> tuple[Config, list[Record], Any, bytes]:
    """A log, and what becomes of it when it is read in one piece."""
    config = load_text(CONFIG, "x", {})
    records = make_log(random.Random(seed), 0, 500)
    whole = run(config, records)
    return config, records, by_topic(whole), whole.dump()


@settings(max_examples=25)
@given(st.integers(0, 5), st.lists(st.integers(0, 500), max_size=8))
def test_any_cutting_of_the_log_gives_the_same_alerts_and_snapshot(seed: int, cuts: list[int]) -> None:
    config, records, outs, snapshot = at_once(seed)
    cut = run(config, records, cuts)
    assert by_topic(cut) == outs
    assert cut.dump() == snapshot


@pytest.mark.parametrize("text", [CONFIG, LEAST], ids=["every-kind", "standard-set"])
def test_one_record_at_a_time_is_the_same_as_all_at_once(text: str) -> None:
    config = load_text(text.replace("warmup: 500", "warmup: 40"), "x", {})
    records = make_log(random.Random(3), 0, 400)
    whole, single = run(config, records), run(config, records, list(range(400)))
    assert by_topic(single) == by_topic(whole)
    assert single.dump() == whole.dump()
    assert any(out.topic == "dead_letter" for out in whole.outbox)


@pytest.mark.parametrize("at", [1, 39, 150, 399])
def test_a_snapshot_continues_as_if_nothing_had_happened(at: int) -> None:
    config = load_text(CONFIG, "x", {})
    records = make_log(random.Random(4), 0, 400)
    whole, first = run(config, records), run(config, records[:at])
    second = Task.load(config, AT, first.dump())
    assert repr(second) == repr(first).rsplit("outbox", 1)[0] + "outbox 0)"
    second.step(decode(records[at:], fields_of(config), AT[0]))
    assert by_topic(first, second) == by_topic(whole)
    assert second.dump() == whole.dump()
