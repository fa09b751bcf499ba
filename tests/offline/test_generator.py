"""Streams of scenario tests: they repeat themselves, generators draw what they say, changes touch nothing else."""

from __future__ import annotations

import json

from streamer.offline.generator import BEGIN_MS, Stream, records


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
