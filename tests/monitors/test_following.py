"""Stretches of values behind a hit: the same however the log is cut, and equal in the sweep and in its parts."""

from __future__ import annotations

import json
import random

import msgpack
import numpy as np
import pytest

from schemas.events.batch import Record
from streamer.config.load import load_text
from streamer.engine.tasks import Tasks
from streamer.monitors.finding import DRIFT, STRETCH, Finding
from streamer.monitors.following import LENGTH, Following, Stretch, begun_by
from streamer.signals.columns import Column
from tests.signals.events import HEAD, batch_of

ROWS, EVENTS = 3, 400
RNG = random.Random(5)
VALUES = [[RNG.gauss(row, 1.0) for row in range(ROWS)] for _ in range(EVENTS)]
HITS = {0: [50, 51, 200], 2: [0]}


def column_of(begin: int, end: int) -> Column:
    """Every row has a value at every event."""
    events = np.repeat(np.arange(end - begin), ROWS)
    return Column(np.tile(np.arange(ROWS), end - begin), np.array(VALUES[begin:end]).reshape(-1), events)


def followed(cuts: list[int], span_ms: int = 0) -> tuple[list[tuple[int, Stretch]], Following]:
    following, found = Following(span_ms), []
    edges = [0, *cuts, EVENTS]
    for begin, end in zip(edges, edges[1:], strict=False):
        batch = batch_of([{} for _ in range(end - begin)], begin=begin)
        begun = {row: [e - begin for e in events if begin <= e < end] for row, events in HITS.items()}
        begun = {row: events for row, events in begun.items() if events}
        for finding in following.step(batch, column_of(begin, end), 7, begun):
            assert (finding.monitor, finding.signal) == (7, STRETCH)
            assert finding.event + begin == finding.evidence.last_offset
            found.append((finding.row, finding.evidence))
    return found, following


@pytest.mark.parametrize("cuts", [[], [50], [51], [1, 30, 31, 199, 200, 201], list(range(1, EVENTS))])
def test_stretches_begin_behind_the_newest_hit_and_are_the_same_however_the_log_is_cut(cuts: list[int]) -> None:
    found, following = followed(cuts)
    assert {row for row, _ in found} == {0, 2}
    spans = [(s.first_offset, s.last_offset) for row, s in found if row == 0]
    assert spans == [(52, 151), (201, 300)]
    for row, stretch in found:
        own = [VALUES[i][row] for i in range(stretch.first_offset, stretch.last_offset + 1)]
        assert (stretch.n, stretch.total) == (LENGTH, float(np.cumsum(own)[-1]))
        squares = np.cumsum((np.array(own) - own[0]) ** 2)[-1]
        assert (stretch.first, stretch.squares) == (own[0], float(squares))
    whole, one = followed([])
    assert sorted(found) == sorted(whole)
    assert following.dump() == one.dump()
    longer, other = followed(cuts, span_ms=130)
    assert [(s.first_offset, s.last_offset) for row, s in longer if row == 0] == [(52, 182), (201, 331)]
    assert other.dump() == followed([], span_ms=130)[1].dump()


def test_who_is_not_kept_is_forgotten() -> None:
    _, following = followed([])
    following.keep([2])
    assert following.open.keys() == {2}
    assert following.step(batch_of([{}]), column_of(0, 1), 0, {}) == []
    again = Following(0)
    again.load(msgpack.unpackb(msgpack.packb(following.dump())), ROWS)
    assert again.dump() == following.dump()
    for state in ([[9, 0, 0.0, 0, 0]], [[0, -1, 0.0, 0, 0]]):
        with pytest.raises(ValueError, match="cannot be"):
            again.load(state, ROWS)


def test_the_hits_of_each_monitor_are_told_apart() -> None:
    hits = [(9, 1, 4), (3, 1, 4), (5, 0, 4), (7, 1, 2)]
    found = [Finding(event, monitor, row, DRIFT, ()) for event, monitor, row in hits]
    assert begun_by([*found, Finding(1, 0, 0, STRETCH, ())]) == {1: {4: [3, 9], 2: [7]}, 0: {4: [5]}}


def test_nobody_is_followed_whose_alert_is_over_at_the_next_event_of_its_model() -> None:
    """But for those who are followed already, and where the batch does not tell."""
    batch = batch_of([{"model": model} for model in "aabab"])
    now = np.array([0, 10, 11, 12, 30])
    following = Following(0, fades_ms=10)
    following.resize(9)
    begun = {0: [0], 1: [1], 2: [2], 3: [4], 4: [0, 1], 5: [2]}
    following.begin(5)
    assert following.lasting(batch, now, begun) == {1: [1], 3: [4], 4: [0, 1], 5: [2]}
    assert Following(0).lasting(batch, now, begun) == begun


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_alerts_that_fade_at_once_are_the_same_however_the_log_is_cut(size: int) -> None:
    """With times out of order, so that a clock stands still behind a hit and its alert is open for some more values."""
    detect = "detect: {kind: page_hinkley, threshold: 3, raw: true}, keep_firing_for: 1ms, resolve: faded"
    config = load_text(f"{HEAD}monitors: {{m: {{signal: features.*, {detect}}}}}\n", "x", {})
    rng = random.Random(2)
    events = [
        {
            "model": rng.choice("ab"),
            "time": 1_000_000 + rng.randrange(-9, 3) + i // 3,
            "features": {"x": rng.gauss(i // 200, 1.0)},
        }
        for i in range(1000)
    ]
    tasks = Tasks(config)
    task = tasks.new(("inferences", 0), 0)
    whole = tasks.new(("inferences", 0), 0)
    records = [Record(i, i, None, json.dumps(event).encode()) for i, event in enumerate(events)]
    whole.step(tasks.decode(records, "inferences"))
    for begin in range(0, len(records), size):
        task.step(tasks.decode(records[begin : begin + size], "inferences"))
    assert len(whole.outbox) > 20
    assert task.outbox == whole.outbox
    assert task.dump() == whole.dump()
