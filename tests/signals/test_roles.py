"""What fields say of the event itself: who opted out, which is a probe, and from which events a signal learns."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from schemas.events.batch import Batch, Record
from schemas.events.native_json import decode
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.task import Task
from streamer.signals.roles import GOLDEN, LABELLED, OPT_OUT, REFERENCE, Population, is_true, populations
from tests.signals.events import HEAD, batch_of


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


EVENTS: list[dict[str, Any]] = [
    {"feedback": {"action": "accept", "event_id": "e1"}},
    {"probe": True},
    {"probe": "yes", "feedback": {"event_id": "e2"}},
    {"probe": 0},
    {"probe": "no"},
    {},
]
BOTH = (
    HEAD + "feedback: {}\nlabels: {}\nprobes: {golden: /probe}\nmonitors: {a: {signal: value, detect: {kind: adwin}}}\n"
)


def with_roles(events: list[dict[str, Any]], text: str) -> Batch:
    return replace(batch_of(events, text), aliases=load_text(text, "x", {}).roles())


@pytest.mark.parametrize(
    ("left", "labels", "sent", "inferences"),
    [
        ([], [4], [1, 3], [3]),
        ([GOLDEN], [4], [1, 3], [1, 3]),
        ([REFERENCE], [4], [0, 1, 2, 3], [0, 3]),
        ([LABELLED], [], [1, 3, 4], [3, 4]),
        ([LABELLED, REFERENCE, GOLDEN], [], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]),
    ],
)
def test_who_a_signal_learns_from(left: list[str], labels: list[int], sent: list[int], inferences: list[int]) -> None:
    batch = with_roles([*EVENTS[:4], {"label": {"event_id": "e", "value": "x"}}, {}], BOTH)
    batch = replace(batch, aliases={name: path for name, path in batch.aliases.items() if name not in left})
    used = np.array([True] * 5 + [False])
    found = populations(batch, used)
    assert {population: np.flatnonzero(events).tolist() for population, events in found.items()} == {
        Population.ALL: [0, 1, 2, 3, 4],
        Population.LABELS: labels,
        Population.USED: [event for event in range(5) if event not in labels],
        Population.SENT: sent,
        Population.INFERENCES: inferences,
    }
    assert (found[Population.USED] is used) is (LABELLED in left), "what is the same is grouped once"
    assert (found[Population.SENT] is found[Population.USED]) is (REFERENCE in left)
    assert (found[Population.INFERENCES] is found[Population.SENT]) is (GOLDEN in left)


@pytest.mark.parametrize(
    ("value", "true"),
    [(True, True), ("TRUE", True), ("1", True), ("Yes", True), (1, True), (-0.5, True), (False, False),
     ("false", False), ("", False), ("2", False), (0, False), (None, False), ({}, False)],
)  # fmt: skip
def test_what_says_true(value: Any, true: bool) -> None:
    batch = with_roles([{"probe": value}, {}], BOTH)
    assert is_true(batch, GOLDEN).tolist() == [true, False]
    assert not is_true(batch, OPT_OUT).any(), "nobody has this role"


SAME = """privacy: {opt_out: /p}
probes: {golden: /p}
checks: {features.x: {max: 5, same_as: /p}}
monitors: {x: {signal: features.*, detect: {kind: adwin}}, p: {signal: /p, detect: {kind: adwin}}}
"""


def test_one_pointer_may_have_several_roles() -> None:
    """Found by review: the second role took the column away from the first, and nobody was filtered."""
    said = [{"p": i % 2 == 0, "features": {"x": 1.0}} for i in range(200)]
    config = load_text(HEAD + SAME, "x", {})
    task = Task(config, ("inferences", 0), 0)
    task.step(batch_of(said, HEAD + SAME))
    assert task.admission.counts["filtered"] == 100
    assert task.admission.counts["used"] == 100
    [numbers] = [table for table in task.tables.values() if table.signal.path == "features."]
    assert numbers.reference.at(0).n == 100


@pytest.mark.parametrize("golden", ["/p", "/caller"])
def test_a_monitor_sees_what_a_role_reads(golden: str) -> None:
    """Found by review: a pointer that a role was given was under another name, and a monitor on it went blind."""
    text = f"probes: {{golden: {golden}}}\n" + (
        "monitors: {p: {signal: /p, detect: {kind: adwin}}, who: {signal: caller.*, detect: {kind: adwin}}}\n"
    )
    events = [{"p": 0.0, "caller": "app"} for _ in range(60)] + [{"p": 1.0, "caller": "true"} for _ in range(10)]
    task = Task(load_text(HEAD + text, "x", {}), ("inferences", 0), 0)
    task.step(batch_of(events, HEAD + text))
    seen = {table.signal.kind: table for table in task.tables.values()}
    assert seen["number"].keys == [(("m",), "/p")]
    assert seen["number"].reference.at(0).n == 60, "of the probes nothing is learned"
    assert seen["caller"].keys == [(("m",), "app")]
