"""Derived numbers and checks: each against its definition, and the alert that comes of it."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from schemas.events.batch import Record
from schemas.events.native_json import decode
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.task import Task
from streamer.signals.checks import Check, differs, violations
from streamer.signals.derived import enriched, entropy, margin, ratio
from streamer.signals.grammar import parse_signal, pointers_of
from streamer.signals.observe import is_error

HEAD = 'version: 1\nkafka: {brokers: "b:1"}\ntopics: {events: [inferences]}\nreference: {warmup: 100}\n'


def batch_of(events: list[dict[str, Any]], text: str = HEAD) -> Any:
    records = [Record(i, i, None, json.dumps({"model": "m", **event}).encode()) for i, event in enumerate(events)]
    batch = decode(records, fields_of(load_text(text, "x", {})), "inferences")
    assert not batch.rejects
    return batch


def firing(text: str, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    task = Task(load_text(HEAD + text, "x", {}), ("inferences", 0), 0)
    task.step(batch_of(events, HEAD + text))
    told = [json.loads(out.value or b"")["data"] for out in task.outbox]
    return [data for data in told if data["status"] == "firing"]


scores = st.dictionaries(st.sampled_from("abcd"), st.floats(0, 1), max_size=4)


@settings(max_examples=60, deadline=None, database=None)
@given(st.lists(scores, max_size=8))
def test_entropy_and_margin(many: list[dict[str, float]]) -> None:
    batch = batch_of([{"prediction": {"scores": one}} for one in many])
    events, bits = entropy(batch)
    wanted = {i: stats.entropy(list(one.values()), base=2) for i, one in enumerate(many) if sum(one.values()) > 0}
    assert events.tolist() == list(wanted)
    np.testing.assert_allclose(bits, list(wanted.values()), atol=1e-9)
    events, apart = margin(batch)
    pairs = {i: sorted(one.values())[-2:] for i, one in enumerate(many) if len(one) > 1}
    assert events.tolist() == list(pairs)
    assert apart.tolist() == [high - low for low, high in pairs.values()]


def test_a_margin_that_overflows_is_none() -> None:
    """Found by review: one such event stopped its partition for good."""
    kinds = "sure: {signal: margin, detect: {kind: adwin}}, raw: {signal: margin, detect: {kind: adwin, raw: true}}"
    events = [{"prediction": {"scores": {"a": 1e308, "b": low}}} for low in (-1e308, -1.0, 1e307)]
    assert margin(batch_of(events))[0].tolist() == [1, 2]
    assert firing(f"monitors: {{{kinds}}}\n", events) == []


def test_a_ratio_needs_both_numbers_and_a_finite_quotient() -> None:
    features = [{"a": 6, "b": 3}, {"a": 1}, {"a": 1, "b": 0}, {"b": 2}, {"a": 0, "b": 2}, {"a": "x", "b": 1}]
    batch = batch_of([{"features": one} for one in features])
    events, values = ratio("features.a", "features.b")(batch)
    assert (events.tolist(), values.tolist()) == ([0, 4], [2.0, 0.0])
    more = enriched(batch, {"r": ratio("features.a", "features.b")})
    assert more.names == (*batch.names, "r")
    assert (np.diff(more.numbers.event) >= 0).all()
    mine = more.numbers.name == more.names.index("r")
    assert more.numbers.value[mine].tolist() == [2.0, 0.0]
    assert len(more.numbers.event) == len(batch.numbers.event) + 2


def test_pointers_of_a_ratio_are_decoded() -> None:
    assert pointers_of("ratio(/usage/out, /usage/in)") == ["/usage/out", "/usage/in"]
    assert pointers_of("/x") == ["/x"]
    assert pointers_of("features.*") == []
    for wrong in ("ratio(a)", "ratio(/a, missing.b)", "ratio(features.*, /a)", "invalid.", "status."):
        with pytest.raises(ValueError, match="ratio|unknown signal"):
            parse_signal(wrong)


@pytest.mark.parametrize(
    ("check", "wrong"),
    [
        (Check("number", None, None, None, None, False), [1, 2]),
        (Check("text", None, None, None, None, False), [0, 4]),
        (Check(None, 1.0, 6.0, None, None, False), [0, 1, 2]),
        (Check(None, None, None, ("NL",), None, False), [0, 2, 4]),
        (Check(None, None, None, None, None, True), [3, 5]),
    ],
)
def test_what_breaks_a_check(check: Check, wrong: list[int]) -> None:
    features: list[dict[str, Any]] = [{"a": 7}, {"a": "NL"}, {"a": "DE"}, {"a": None}, {"a": 5}, {}]
    batch = batch_of([{"features": one} for one in features])
    assert np.flatnonzero(violations(batch, "features.a", check)).tolist() == wrong


def test_what_differs_from_what_it_must_be_equal_to() -> None:
    pairs: list[tuple[Any, Any]] = [(1.0, 1.0), (1.0, 1.0005), (1.0, 1.1), (1.0, None), (None, 1.0), ("a", "a")]
    pairs += [("a", "b"), ("a", 1.0), (1.0, "a"), (1e308, -1e308), (0, 0), (True, True), (True, False)]
    batch = batch_of([{"features": {"a": one, "b": other}} for one, other in pairs])
    found = np.flatnonzero(differs(batch, "features.a", "features.b", 0.001)).tolist()
    assert [pairs[i] for i in found] == [
        (1.0, 1.1),
        (None, 1.0),
        ("a", "b"),
        ("a", 1.0),
        (1.0, "a"),
        (1e308, -1e308),
        (True, False),
    ]
    assert not differs(batch, "features.a", "nowhere", 0.001).any()


def test_nothing_is_learned_from_a_golden_probe() -> None:
    text = """probes: {golden: /probe}
monitors:
  mean: {signal: features.*, detect: {kind: adwin}}
  odd: {signal: anomaly, detect: {kind: fraction, max: 0.05}}
  rate: {signal: traffic, detect: {kind: level}}
  silent: {signal: events, detect: {kind: silence}}
"""
    plain = [{"features": {"a": float(i % 7)}, "time": 1_700_000_000 + 4 * i} for i in range(600)]
    mixed = []
    for event in plain:
        mixed += [event, {**event, "features": {"a": 1e6, "new": 1.0}, "probe": True}]
    assert states(text, plain) == states(text, mixed)


def states(text: str, events: list[dict[str, Any]]) -> list[Any]:
    """What a task knows but for offsets: keys and numbers of its tables."""
    config = load_text(HEAD + text, "x", {})
    task = Task(config, ("inferences", 0), 0)
    records = [Record(i, -1, None, json.dumps({"model": "m", **event}).encode()) for i, event in enumerate(events)]
    task.step(decode(records, fields_of(config), "inferences"))
    known = []
    for table in task.tables.values():
        learned = [table.reference.at(row)[:7] for row in range(len(table.keys))]
        known.append((table.identity, table.keys, learned))
    return known


def test_errors_by_number_and_by_word() -> None:
    assert [s for s in ("200", "301", "404", "503", "ok", "OK", "timeout", "") if is_error(s)] == [
        "404",
        "503",
        "timeout",
        "",
    ]


def test_the_first_impossible_confidence_alerts_at_once() -> None:
    text = """checks: {confidence: {min: 0, max: 1}}
monitors: {never: {signal: invalid.confidence, detect: {kind: occurrence}}}
"""
    events: list[dict[str, Any]] = [{"prediction": {"confidence": 0.5}} for _ in range(10)]
    assert firing(text, events) == []
    events[7] = {"prediction": {"confidence": 1.5}}
    [alert] = firing(text, events)
    assert alert["trigger"]["offset"] == 7
    assert alert["sentence"] == "m: events have an invalid confidence; found by occurrence at inferences[0]@7."


def test_a_new_label_version_or_caller_is_named_at_its_first_event() -> None:
    text = """monitors:
  caller: {signal: new_caller, detect: {kind: occurrence}}
  label: {signal: new_label, detect: {kind: occurrence}}
  version: {signal: new_version, detect: {kind: occurrence}}
"""
    healthy = [{"model_version": "1", "caller": "app", "prediction": {"label": "ab"[i % 2]}} for i in range(400)]
    assert firing(text, healthy) == []
    changed = [*healthy[:300], {"model_version": "2", "caller": "x", "prediction": {"label": "c"}}, *healthy[301:]]
    assert [(a["alert"]["labels"]["signal"], a["trigger"]["offset"]) for a in firing(text, changed)] == [
        ("new_caller", 300),
        ("new_label", 300),
        ("new_version", 300),
    ]


def test_a_feature_that_appears_is_named_once_and_those_of_the_warm_up_never() -> None:
    text = """monitors: {more: {signal: new_feature.*, detect: {kind: occurrence}, severity: info}}
"""
    healthy = [{"features": {"a": 1.0, **({"seldom": None} if i % 20 == 0 else {})}} for i in range(300)]
    assert firing(text, healthy) == []
    changed = [*healthy[:200], *({"features": {"a": 1.0, "b": None}} for _ in range(100))]
    [alert] = firing(text, changed)
    assert alert["alert"]["labels"]["signal"] == "new_feature.b"
    assert alert["sentence"].startswith("m: events have the feature b, which the reference never saw;")


def two_humps(rng: random.Random) -> float:
    return rng.choice((-1, 1)) + rng.gauss(0, 0.1)


SHAPES: dict[str, tuple[str, Any, Any]] = {
    # Capability: signal, healthy value, changed value. The mean stays where it was.
    "C04 doubled deviation": ("features.x", lambda r: r.gauss(0, 1), lambda r: r.gauss(0, 2)),
    "C04 two humps": ("features.x", lambda r: r.gauss(0, 1), two_humps),
    "C17 both ends": ("confidence", lambda r: r.gauss(0.8, 0.02), lambda r: r.choice((0.6, 1.0))),
}


@pytest.mark.parametrize("case", SHAPES)
def test_a_shape_changes_although_the_mean_does_not(case: str) -> None:
    signal, healthy, changed = SHAPES[case]
    text = f"""monitors:
  shape: {{signal: {signal}, detect: {{kind: distribution}}}}
  mean: {{signal: {signal}, detect: {{kind: adwin}}}}
"""

    def event(value: float) -> dict[str, Any]:
        return {"prediction": {"confidence": value}} if signal == "confidence" else {"features": {"x": value}}

    rng = random.Random(4)
    before = [event(healthy(rng)) for _ in range(5100)]
    assert firing(text, before) == []
    found = firing(text, before + [event(changed(rng)) for _ in range(2000)])
    [shape] = [a for a in found if a["alert"]["labels"]["monitor"] == "shape"]
    assert shape["alert"]["labels"]["signal"] == signal
    assert shape["evidence"]["window"]["surprise"] > 5
    if "C04" in case:  # A detector of means is shown to miss it.
        assert found == [shape]


def test_shares_of_status_and_caller_name_what_moved() -> None:
    text = """monitors:
  errors: {signal: error, detect: {kind: adwin, direction: up}}
  callers: {signal: caller.*, detect: {kind: adwin}}
"""
    rng = random.Random(3)

    def event(failing: float, web: float) -> dict[str, Any]:
        status = "503" if rng.random() < failing else "200"
        return {"status": status, "caller": "web" if rng.random() < web else "batch"}

    before = [event(0.02, 0.5) for _ in range(3000)]
    assert firing(text, before) == []
    found = firing(text, before + [event(0.2, 0.9) for _ in range(1500)])
    assert {a["alert"]["labels"]["signal"] for a in found} == {"error", "caller.web", "caller.batch"}
    [errors] = [a for a in found if a["alert"]["labels"]["signal"] == "error"]
    assert errors["sentence"].startswith("m: share of failed events went from ")
