"""A request and its answer in two records are one event; who stays alone is one, too; however the log is cut."""

from __future__ import annotations

import json
import random
import struct
from dataclasses import replace
from typing import Any

import pytest

from schemas.events.batch import Batch, Record
from schemas.events.decoder import Decoder
from schemas.events.fields import compile_fields
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.pairs import Pairs
from streamer.engine.snapshot import decode, encode
from streamer.engine.task import Task
from streamer.signals.roles import REFERENCE
from tests.schemas.events.test_mapping import events

START_S = 1_700_000_000


def record(offset: int, event_id: str | None, half: str, at_s: float = 0.0, model: str = "m", **more: Any) -> Record:
    event: dict[str, Any] = {"model": model, "event_id": event_id, "time": START_S + at_s, **more}
    if half in ("asked", "whole"):
        event["features"] = {"a": float(offset), "c": "x", "n": None}
    if half in ("answer", "whole"):
        event["prediction"] = {"label": f"y{offset}"}
    return Record(offset, -1, None, json.dumps(event).encode())


def batch(*records: Record) -> Batch:
    return Decoder(compile_fields({}))(list(records), "t")


def shown(found: Batch) -> list[tuple[int, Any, Any]]:
    """Offset, feature and label of each event."""
    return [(e["offset"], e.get("features.a"), e.get("prediction.label")) for e in events(found)]


def test_two_halves_are_one_event_where_the_second_is() -> None:
    pairs = Pairs(60_000, 100)
    found = pairs.take(
        batch(
            record(1, "i", "asked", 0),
            record(2, "j", "asked", 1),
            record(3, "i", "answer", 2),
            record(4, "j", "answer"),
        )
    )
    assert shown(found) == [(3, 1.0, "y3"), (4, 2.0, "y4")]
    assert (pairs.paired, pairs.alone, pairs.open) == (2, 0, {})
    nulls = sorted((event, found.names[name]) for event, name in zip(*(c.tolist() for c in found.nulls), strict=True))
    assert nulls == [(0, "features.n"), (1, "features.n")]


def test_the_answer_may_come_first_and_in_another_batch() -> None:
    pairs = Pairs(60_000, 100)
    assert shown(pairs.take(batch(record(1, "i", "answer")))) == []
    assert shown(pairs.take(batch(record(2, "x", "whole"), record(3, "i", "asked")))) == [
        (2, 2.0, "y2"),
        (3, 3.0, "y1"),
    ]


def test_what_is_about_another_event_is_no_half_and_tells_no_time() -> None:
    pairs, years_s = Pairs(60_000, 100), 1e8
    about = record(2, "i", "none", years_s, feedback={"event_id": "i"})
    given = Decoder(compile_fields({}, ["/feedback/event_id"]))([record(1, "i", "asked"), about], "t")
    found = pairs.take(replace(given, aliases={REFERENCE: "/feedback/event_id"}))
    assert shown(found) == [(2, None, None)]
    assert len(pairs.open) == 1
    assert shown(pairs.take(batch(record(3, "i", "answer", 5)))) == [(3, 1.0, "y3")]


def test_of_what_both_have_that_of_the_second_counts() -> None:
    pairs = Pairs(60_000, 100)
    first = record(1, "i", "asked", model_version="1", status="early", latency_ms=5)
    found = pairs.take(batch(first, record(2, "i", "answer", status="ok")))
    [event] = events(found)
    assert (event["status"], event["latency_ms"], found.strings[found.version.item(0)]) == ("ok", 5, "1")


def test_who_has_no_id_or_is_whole_waits_for_nobody() -> None:
    pairs = Pairs(60_000, 100)
    given = batch(record(1, None, "asked"), record(2, "i", "whole"), record(3, "i", "whole"))
    assert pairs.take(given) is given


def test_models_do_not_mix() -> None:
    pairs = Pairs(60_000, 100)
    assert shown(pairs.take(batch(record(1, "i", "asked"), record(2, "i", "answer", model="n")))) == []
    assert len(pairs.open) == 2


def test_who_waits_too_long_is_an_event_before_the_one_that_shows_it() -> None:
    pairs = Pairs(60_000, 100)
    found = pairs.take(batch(record(1, "i", "asked"), record(2, "j", "asked", 30), record(3, "z", "whole", 61)))
    assert shown(found) == [(3, 1.0, None), (3, 3.0, "y3")]
    assert found.times_ms.tolist() == [START_S * 1000, (START_S + 61) * 1000]
    assert (pairs.alone, list(pairs.open)) == (1, [("m", batch(record(2, "j", "asked")).event_id.item(0))])
    assert shown(pairs.take(batch(record(4, "i", "answer", 62)))) == [], "its partner is gone: it waits for another"


def test_of_too_many_the_oldest_goes_alone() -> None:
    pairs = Pairs(60_000, 2)
    found = pairs.take(batch(*(record(i, f"i{i}", "asked") for i in range(4))))
    assert shown(found) == [(2, 0.0, None), (3, 1.0, None)]
    assert (pairs.alone, len(pairs.open)) == (2, 2)


def log(seed: int, n: int = 300) -> list[Record]:
    rng, found = random.Random(seed), []
    for offset in range(n):
        half = rng.choice(("asked", "answer", "asked", "answer", "whole"))
        event_id = rng.choice((None, *(f"i{offset // 8 + k}" for k in range(6))))
        found.append(record(offset, event_id, half, offset * rng.choice((1, 3)), rng.choice("mn"), latency_ms="odd"))
    return found


@pytest.mark.parametrize("seed", range(5))
def test_however_it_is_cut_the_events_and_the_state_are_the_same(seed: int) -> None:
    records, whole = log(seed), Pairs(40_000, 12)
    wanted = events(whole.take(batch(*records)))
    assert whole.paired > 20 < whole.alone
    assert len(records) == len(wanted) + whole.paired + len(whole.open), "every record is in one event, or waits"
    for size in (1, 7, 100):
        cut, found = Pairs(40_000, 12), list[dict[str, Any]]()
        for begin in range(0, len(records), size):
            found += events(cut.take(batch(*records[begin : begin + size])))
            state, cut = cut.dump(), Pairs(40_000, 12)
            cut.load(decode(encode(state)))
        assert found == wanted
        assert cut.dump() == whole.dump()


def test_fields_that_were_odd_stay_so() -> None:
    pairs = Pairs(60_000, 100)
    first = record(1, "i", "asked", latency_ms="odd")
    found = pairs.take(batch(first, record(2, "i", "answer")))
    assert [(one.event, one.field) for one in found.odd] == [(0, "latency_ms")]


CONFIG = """
version: 1
kafka: {brokers: "b:1"}
topics: {events: [t]}
mapping: {pair: {within: 1m}}
privacy: {opt_out: /out}
monitors: {labels: {signal: label.*, detect: {kind: adwin}}, a: {signal: features.a, detect: {kind: adwin}}}
"""
SECRET = 987654321.0


def test_a_task_pairs_and_accounts_for_both_records_and_keeps_nothing_of_who_opted_out() -> None:
    config = load_text(CONFIG, "x.yaml", {})
    out = record(0, "o", "asked", out=True)
    out = out._replace(value=(out.value or b"").replace(b'"a": 0.0', b'"a": %r' % SECRET))
    records = [out, record(1, "i", "asked"), record(2, "i", "answer"), record(3, "j", "asked")]
    task = Task(config, ("t", 0), 0)
    task.step(Decoder(fields_of(config))(records, "t"))
    assert task.admission.counts == {"used": 2, "late": 0, "duplicate": 0, "filtered": 0, "dead_lettered": 0}
    assert task.position == 4
    blob = task.dump()
    assert struct.pack(">d", SECRET) not in blob
    again = Task.load(config, ("t", 0), blob)
    assert again.dump() == blob
    again.step(Decoder(fields_of(config))([record(4, "o", "answer"), record(5, "j", "answer")], "t"))
    assert again.admission.counts["filtered"] == 1, "the answer to who opted out is not watched either"
    counted = {(c.name, c.labels.get("result")): c.value for c in again.counters()}
    assert (counted["pairs_total", "paired"], counted["events_total", "used"]) == (3, 5)


def test_a_state_that_cannot_be_is_refused() -> None:
    pairs = Pairs(60_000, 100)
    pairs.take(batch(record(1, "i", "asked")))
    state = pairs.dump()
    state["open"] *= 2
    with pytest.raises(ValueError, match="two halves of one id"):
        Pairs(60_000, 100).load(state)
