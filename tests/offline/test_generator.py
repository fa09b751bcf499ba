"""Streams of scenario tests: they repeat themselves, generators draw what they say, changes touch nothing else."""

from __future__ import annotations

import json
import math
import random
import statistics
from typing import Any

import pytest

from streamer.offline.generator import (
    ABSENT,
    BEGIN_MS,
    GENERATORS,
    BadGenerator,
    Change,
    Now,
    Stream,
    apply,
    compiled,
    literal,
    records,
)


def stream(text: object) -> list[dict[str, object]]:
    plan = Stream.model_validate(text)
    return [json.loads(record.value or b"") for record in records(plan)]


def test_a_stream_repeats_itself_and_its_changes_touch_nothing_else() -> None:
    event = {"features": {"a": {"normal": [0, 1]}, "b": {"null": [0.5, {"choice": {"x": 1, "y": 3}}]}}}
    plan = {"events": 200, "random_times": True, "event": event}
    change = {"from": 100, "path": "/features/a", "share": 0.5, "set": {"uniform": [5, 6]}}
    plain, again, changed = stream(plan), stream(plan), stream({**plan, "changes": [change]})
    assert plain == again
    assert changed[:100] == plain[:100]
    differing = [i for i in range(200) if plain[i] != changed[i]]
    assert 30 < len(differing) < 70
    assert all(5 <= changed[i]["features"]["a"] <= 6 for i in differing)  # type: ignore[index]
    for i in differing:
        changed[i]["features"]["a"] = plain[i]["features"]["a"]  # type: ignore[index]
    assert changed == plain


def test_generators_draw_what_they_say() -> None:
    event = {
        "n": {"integer": [1, 3]},
        "t": {"text": "e{}"},
        "s": {"sum": [1, {"product": [2, {"hidden": "z"}]}]},
        "c": {"bounded": [{"hidden": "z"}, 4, 4]},
        "w": {"sine": [0, 1, 4]},
        "gone": {"absent": [1.0, 5]},
        "list": [1, {"gamma": [1, 2]}],
        "m": {"mixture": [[1, {"beta": [1, 1]}], [0, "never"]]},
    }
    found = stream({"events": 50, "hidden": {"z": {"choice": [7]}}, "event": event})
    assert {e["n"] for e in found} == {1, 2, 3}
    assert [e["t"] for e in found[:2]] == ["e0", "e1"]
    assert {(e["s"], e["c"], e["model"]) for e in found} == {(15, 4, "m")}
    assert [round(float(str(e["w"])), 6) for e in found[:4]] == [0, 1, 0, -1]
    assert not any("gone" in e for e in found)
    assert found[1]["time"] == BEGIN_MS / 1000 + 1


def test_changes_of_time_and_place() -> None:
    changes = [
        {"from": 2, "pause": "1h"},
        {"from": 3, "to": 5, "every": "10s"},
        {"from": 1, "path": "/x/y", "set": 9},
        {"from": 2, "path": "/v", "over": 2, "multiply": 3},
        {"from": 4, "path": "/v", "drop": True},
    ]
    found = stream({"events": 6, "event": {"v": 1}, "changes": changes})
    times = [float(str(e["time"])) - BEGIN_MS / 1000 for e in found]
    assert times == [0, 1, 3602, 3603, 3613, 3623]
    assert [e.get("v") for e in found] == [1, 1, 1.0, 2.0, None, None]
    assert [e.get("x") for e in found[:2]] == [None, {"y": 9}]


def now(seed: int = 1, **more: Any) -> Now:
    return Now(random.Random(seed), **more)


NUMBERS: dict[str, tuple[Any, float, float]] = {
    # What is drawn, its mean and its standard deviation.
    "normal": ([10, 2], 10, 2),
    "lognormal": ([0, 0.5], math.exp(0.125), math.exp(0.125) * math.sqrt(math.expm1(0.25))),
    "uniform": ([2, 6], 4, 4 / math.sqrt(12)),
    "gamma": ([4, 3], 12, 6),
    "beta": ([2, 2], 0.5, math.sqrt(0.05)),
    "integer": ([1, 3], 2, math.sqrt(2 / 3)),
    "choice": ({"0": 3, "1": 1}, 0.25, math.sqrt(3) / 4),
    "mixture": ([[3, 0], [1, 8]], 2, math.sqrt(12)),
    "sum": ([1, {"uniform": [0, 2]}], 2, 2 / math.sqrt(12)),
    "product": ([2, {"uniform": [0, 2]}], 2, 4 / math.sqrt(12)),
    "bounded": ([{"normal": [0, 1]}, 0, 0], 0, 0),
    "null": ([0.25, 1], 0.75, math.sqrt(3) / 4),
    "absent": ([0.25, 1], 0.75, math.sqrt(3) / 4),
    "sine": ([5, 3, 10], 5, 0),
    "hidden": ("z", 4, 0),
    "text": ("7", 7, 0),
    "earlier": (["{}", 3], -3, 0),
}


@pytest.mark.parametrize("name", GENERATORS)
def test_every_generator_draws_what_its_name_says(name: str) -> None:
    given, mean, deviation = NUMBERS[name]
    draw, at = compiled({name: given}, ()), now(hidden={"z": 4})
    drawn = [draw(at) for _ in range(4000)]
    values = [0.0 if value is None or value is ABSENT else float(value) for value in drawn]
    assert statistics.fmean(values) == pytest.approx(mean, abs=max(deviation / 12, 1e-9))
    assert statistics.pstdev(values) == pytest.approx(deviation, rel=0.1, abs=1e-9)
    again = now(hidden={"z": 4})
    assert [draw(again) for _ in range(4000)] == drawn, "by its seed"


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ({"normal": 3}, ("normal",)),
        ({"normal": [1]}, ("normal",)),
        ({"choice": {"a": "x"}}, ("choice",)),
        ({"choice": {}}, ("choice",)),
        ({"a": [1, {"sine": [1, 2]}]}, ("a", 1, "sine")),
        ({"sum": [{"beta": "x"}]}, ("sum",)),
        ({"null": [{}, 1]}, ("null",)),
    ],
)
def test_a_template_that_means_nothing_says_where(template: Any, path: tuple[Any, ...]) -> None:
    with pytest.raises(BadGenerator) as error:
        compiled(template, ())
    assert error.value.path == path


def test_what_is_no_generator_is_itself() -> None:
    for plain in (None, 3, "normal", [1, "x"], {}, {"normal": [0, 1], "more": 1}, {"nothing": [0, 1]}):
        assert compiled(plain, ())(now()) == plain
    assert compiled({"a": {"absent": [1.0, 1]}, "b": 2}, ())(now()) == {"b": 2}


@pytest.mark.parametrize(
    ("change", "event"),
    [
        ({"path": "/a/b", "set": 9}, {"a": {"b": 9, "n": 2}}),
        ({"path": "/new/deep", "set": 9}, {"a": {"b": "t", "n": 2}, "new": {"deep": 9}}),
        ({"path": "/a/n", "set": {"absent": [1.0, 1]}}, {"a": {"b": "t"}}),
        ({"path": "/a/n", "drop": True}, {"a": {"b": "t"}}),
        ({"path": "/a/none", "drop": True}, {"a": {"b": "t", "n": 2}}),
        ({"path": "/none/n", "drop": True}, {"a": {"b": "t", "n": 2}}),
        ({"path": "/a/n", "multiply": 3, "add": 1}, {"a": {"b": "t", "n": 7}}),
        ({"path": "/a/b", "multiply": 3}, {"a": {"b": "t", "n": 2}}),
        ({"path": "/a/n", "from": 2, "over": 4, "multiply": 3, "add": 8}, {"a": {"b": "t", "n": 8}}),
    ],
)
def test_a_change_is_of_one_place(change: dict[str, Any], event: dict[str, Any]) -> None:
    made = Change.model_validate(change)
    instead = compiled(change["set"], ()) if "set" in change else None
    target = {"a": {"b": "t", "n": 2}}
    apply(made, instead, target, now(number=4))
    assert target == event


def test_a_change_holds_from_one_event_to_another() -> None:
    change = Change.model_validate({"from": 2, "to": 4})
    assert [change.holds(number) for number in range(6)] == [False, False, True, True, False, False]
    assert Change.model_validate({"from": 2}).holds(10**6)


def test_records_as_they_stand_in_the_file() -> None:
    said = list(
        literal([{"model": "m"}, "{nonsense", {}, {"topic": "t", "record": {"a": 1}, "key": "k"}, {"topic": "t"}])
    )
    assert [(topic, record.key, record.value) for topic, record in said[3:]] == [
        ("t", b"k", b'{"a":1}'),
        (None, None, b'{"topic":"t"}'),
    ]
    found = [record for topic, record in said[:3] if topic is None]
    assert [record.value for record in found] == [b'{"model":"m"}', b"{nonsense", b"{}"]
    assert [(record.offset, record.time_ms) for record in found] == [(i, BEGIN_MS + 1000 * i) for i in range(3)]


def test_disorder_is_within_its_bound_and_the_twin_draws_the_same() -> None:
    plan = {"events": 100, "disorder": "3s", "event": {"v": {"uniform": [0, 1]}}, "seed": 4}
    found = stream(plan)
    late = [BEGIN_MS / 1000 + i - float(str(event["time"])) for i, event in enumerate(found)]
    assert 0 <= min(late) < max(late) <= 3.001
    changed = Stream.model_validate({**plan, "changes": [{"path": "/v", "set": 0}, {"from": 50, "pause": "1h"}]})
    twin = [json.loads(record.value or b"") for record in records(changed, changed=False)]
    assert twin == found


@pytest.mark.parametrize("how", [{"set": 1.0}, {"drop": True}, {"multiply": 2.0}])
@pytest.mark.parametrize("path", ["/a/b", "/a/b/c", "/n/b"])
def test_a_change_below_a_text_or_a_number_changes_nothing(path: str, how: dict[str, Any]) -> None:
    plan = {"events": 3, "event": {"a": "text", "n": 1.0}}
    assert stream({**plan, "changes": [{"from": 0, "path": path, **how}]}) == stream(plan)


def test_events_come_only_when_it_is_said() -> None:
    """Hours since the beginning, a Thursday; Saturday begins at 48."""
    for only, hours in (
        ({"for": "5m", "each": "1h"}, {*range(40)}),
        ({"from": "2h", "for": "1h"}, {day * 24 + 2 for day in range(8)}),
        ({"from": "8h", "for": "2h", "weekdays": True}, {d * 24 + h for d in (0, 1, 4, 5, 6, 7) for h in (8, 9)}),
    ):
        plan = {"events": 400, "every": "30s", "only": only, "event": {"v": 1}}
        times_ms = [record.time_ms - BEGIN_MS for record in records(Stream.model_validate(plan))]
        found = {at // 3_600_000 for at in times_ms}
        assert found <= hours
        assert len(found) >= 2
        if only["for"] == "5m":
            assert {at // 60_000 % 60 for at in times_ms} <= {*range(5)}
